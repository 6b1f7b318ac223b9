"""A string without Japanese is found, wherever it stands."""

from __future__ import annotations

import gettext

import pytest
import time_machine
from babel.messages.pofile import write_po

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


def translate(site_catalogue: str = "x", **told: str) -> None:
    """Give each message a translation, a message named in `told` by its beginning that one."""
    catalogue = translations._catalogue()
    for entry in catalogue:
        if entry.id:
            message = translations._texts(entry.id)[0]
            text = next((text for start, text in told.items() if message.startswith(start)), site_catalogue)
            entry.string = (text,) if entry.pluralizable else text
    with translations.CATALOGUE.open("wb") as file:
        write_po(file, catalogue, width=translations.WIDTH, omit_header=False)


def test_what_is_missing_empty_or_fuzzy_is_told_and_what_is_gone_is_dropped(site):
    assert len(translations.missing()) == 5
    assert translations.update() == 5
    assert len(translations.missing()) == 5
    translate()
    assert translations.missing() == []
    text = translations.CATALOGUE.read_text()
    translations.CATALOGUE.write_text(text.replace('msgid "It\'s here"', '#, fuzzy\nmsgid "It\'s here"'))
    assert ["It's here" in line for line in translations.missing()] == [True]
    (site / "teleder" / "page.html").unlink()
    assert translations.update() == 0
    assert translations._catalogue().get("It's here") is None


def test_entries_that_stay_keep_each_of_their_bytes(site):
    """Versions of the file that grew apart can then be merged."""
    translations.update()
    odd = '# why\n#, python-format\nmsgid ""\n"It\'s "\n"here"\nmsgstr "  ここ"'
    plain = 'msgid "It\'s here"\nmsgstr ""'
    text = translations.CATALOGUE.read_text()
    assert plain in text
    translations.CATALOGUE.write_text(text.replace(plain, odd))
    (site / "teleder" / "more.py").write_text('_("More")\n')
    assert translations.update() == 1
    assert translations.CATALOGUE.read_text() == text.replace(plain, odd) + '\nmsgid "More"\nmsgstr ""\n'


def test_the_compiled_catalogue_is_what_the_source_compiles_to(site):
    translations.update()
    translate("訳")
    translations.compile_catalogue()
    assert translations.is_compiled()
    with translations.CATALOGUE.with_suffix(".mo").open("rb") as file:
        read = gettext.GNUTranslations(file)
    assert (read.gettext("It's here"), read.pgettext("body", "back"), read.ngettext("one", "many", 2)) == (
        "訳",
    ) * 3
    translate("別の訳")
    assert not translations.is_compiled()


def test_compiling_twice_gives_the_same_bytes(site):
    translations.update()
    translate()
    with time_machine.travel("2030-01-01"):
        first = translations._compiled()
    assert first == translations._compiled()


def test_the_committed_catalogue_is_compiled():
    assert translations.is_compiled()


def test_a_translation_may_not_name_what_the_message_does_not(site):
    translations.update()
    translate(**{"%(n)s left": "残り %(m)s"})
    assert ["%(m)s" in line for line in translations.missing()] == [True]
