"""The decoders report their versions, and one that is too old is named."""

from __future__ import annotations

from decoding import versions


def test_each_decoder_reports_a_version_and_is_new_enough(capsys):
    assert versions.main() == 0
    output = capsys.readouterr().out
    assert all(f"{name} {version}" in output and version for name, version in versions.versions().items())
    assert set(versions.OLDEST) == set(versions.versions())


def test_an_old_or_unknown_decoder_is_named():
    found = versions.versions() | {"libwebp": "1.3.1", "libheif": ""}
    assert versions.too_old(found) == ["libheif", "libwebp"]


def test_the_worker_has_no_heif_encoder(monkeypatch, capsys):
    output = versions.pi_heif.libheif_info()
    monkeypatch.setattr(versions.pi_heif, "libheif_info", lambda: output | {"encoders": {"x265": "x265"}})
    assert versions.main() == 1
    assert "x265" in capsys.readouterr().out
