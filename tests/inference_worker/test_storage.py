"""Keys stay below the root; a file is whole or not there."""

from __future__ import annotations

import os

import pytest

from contract.storage import BadKey, FileStorage, Missing, from_environment


@pytest.fixture
def files(tmp_path) -> FileStorage:
    return FileStorage(tmp_path / "media")


def test_what_is_written_is_read(files):
    files.write("photos/1/prepare/1/display.jpg", b"abc")
    assert files.read("photos/1/prepare/1/display.jpg") == b"abc"
    assert files.read("photos/1/prepare/1/display.jpg", limit=2) == b"ab"


@pytest.mark.parametrize(
    "key", ["../x", "/etc/passwd", "a/../../x", "a//b", "", ".hidden", "a/.b", "a\x00b", "a\n"]
)
def test_a_key_that_leads_elsewhere_is_refused(files, key):
    with pytest.raises(BadKey):
        files.read(key)
    with pytest.raises(BadKey):
        files.write(key, b"x")


def test_a_link_that_leads_out_is_refused(files, tmp_path):
    files.write("inside", b"x")
    (tmp_path / "secret").write_bytes(b"secret")
    os.symlink(tmp_path, files.root / "out")
    with pytest.raises(BadKey):
        files.read("out/secret")
    with pytest.raises(BadKey):
        files.write("out/secret", b"mine")
    assert (tmp_path / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize("key", ["nothing", "folder", "folder/file/below"])
def test_what_is_not_there_is_missing(files, key):
    files.write("folder/file", b"x")
    with pytest.raises(Missing):
        files.read(key)


def test_a_write_that_fails_leaves_the_old_file_and_no_debris(files, monkeypatch):
    files.write("photo", b"old")

    def full(_descriptor):
        raise OSError("disk full")

    monkeypatch.setattr("contract.storage.os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        files.write("photo", b"new")
    assert files.read("photo") == b"old"
    assert [path.name for path in files.root.iterdir()] == ["photo"]


def test_who_reads_while_another_writes_sees_the_old_file_whole(files, monkeypatch):
    files.write("photo", b"old")
    seen = []
    replace = os.replace

    def look_then_replace(*paths):
        seen.append(files.read("photo"))
        replace(*paths)

    monkeypatch.setattr("contract.storage.os.replace", look_then_replace)
    files.write("photo", b"new")
    assert (seen, files.read("photo")) == ([b"old"], b"new")


def test_nobody_else_on_the_machine_may_read_a_photo(files):
    files.write("photos/1/original", b"x")
    assert [path.stat().st_mode & 0o077 for path in files.root.rglob("*") if path.is_file()] == [0]


def test_the_environment_names_the_root(monkeypatch, tmp_path):
    monkeypatch.setenv("TELEDER_MEDIA_ROOT", str(tmp_path))
    assert from_environment().root == tmp_path
