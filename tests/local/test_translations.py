"""A string without Japanese is found, wherever it stands."""

from __future__ import annotations

import pytest

from local import translations


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    monkeypatch.setattr(translations, "CATALOGUE", tmp_path / "teleder/locale/ja/LC_MESSAGES/django.po")
    (tmp_path / "teleder").mkdir()
    (tmp_path / "teleder" / "views.py").write_text(
        'from x import gettext as _, ngettext, pgettext\n_("Good\\nmorning")\nngettext("one", "many", 2)\n'
        'pgettext("body", "back")\n_(f"no constant {1}")\n'
    )
    (tmp_path / "teleder" / "page.html").write_text(
        '<p>\n  {% load i18n %}\n    {% translate "It\'s here" %}\n'
        "  {% blocktranslate trimmed with n=1 %}\n   {{ n }} left\n {% endblocktranslate %}</p>"
    )
    return tmp_path


def test_every_kind_of_string_is_found(site):
    found = {(context, message) for _, context, message, _ in translations.messages()}
    expected = {("", "Good\nmorning"), ("", "one"), ("body", "back"), ("", "It's here"), ("", "%(n)s left")}
    assert found == expected


def test_what_is_missing_empty_or_fuzzy_is_told_and_what_is_gone_is_dropped(site):
    assert len(translations.missing()) == 5
    assert translations.update() == 5
    assert len(translations.missing()) == 5
    catalogue = translations._catalogue()
    for entry in catalogue:
        entry.msgstr, entry.msgstr_plural = ("", {0: "x"}) if entry.msgid_plural else ("x", {})
    catalogue.find("It's here").flags.append("fuzzy")
    catalogue.save(str(translations.CATALOGUE))
    assert ["It's here" in line for line in translations.missing()] == [True]
    (site / "teleder" / "page.html").unlink()
    assert translations.update() == 0
    assert translations._catalogue().find("It's here") is None


def test_catalogues_are_compiled_where_they_are_newer(site):
    translations.update()
    translations.compile_catalogues()
    assert translations.CATALOGUE.with_suffix(".mo").exists()


def test_a_translation_may_not_name_what_the_message_does_not(site):
    translations.update()
    catalogue = translations._catalogue()
    for entry in catalogue:
        entry.msgstr, entry.msgstr_plural = ("", {0: "x"}) if entry.msgid_plural else ("x", {})
    catalogue.find("%(n)s left").msgstr = "残り %(m)s"
    catalogue.save(str(translations.CATALOGUE))
    assert ["%(m)s" in line for line in translations.missing()] == [True]
