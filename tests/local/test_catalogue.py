"""A message without a complete Japanese translation is found in every kind of file."""

from __future__ import annotations

import gettext

import pytest
from babel.messages.pofile import read_po, write_po

from local import messages

HEADER = (
    'msgid ""\nmsgstr ""\n"POT-Creation-Date: 2026-01-01 12:00+0000\\n"\n"Language: ja\\n"\n'
    '"Plural-Forms: nplurals=1; plural=0;\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
)


@pytest.fixture
def site(tmp_path, monkeypatch):
    catalogue = tmp_path / "teleder/locale/ja/LC_MESSAGES/django.po"
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    monkeypatch.setattr(messages, "CATALOGUE", catalogue)
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(HEADER)
    (tmp_path / "teleder" / "views.py").write_text(
        'from x import gettext as _, ngettext, pgettext\n_("Good\\nmorning")\nngettext("one", "many", 2)\n'
        'pgettext("body", "back")\npgettext_lazy("body", "arm")\ngettext_lazy("later")\n_(f"no constant {1}")\n'
    )
    (tmp_path / "teleder" / "page.html").write_text(
        '<p>\n  {% load i18n %}\n    {% translate "It\'s here" %}\n'
        "  {% blocktranslate trimmed with n=1 %}\n   {{ n }} left\n {% endblocktranslate %}</p>"
    )
    migrations = tmp_path / "teleder/cases/migrations"
    migrations.mkdir(parents=True)
    (migrations / "0001.py").write_text('_("history")')
    return tmp_path


def catalogue():
    with messages.CATALOGUE.open("rb") as file:
        return read_po(file, locale="ja")


def translate(text: str = "x", **others: str) -> None:
    """Give each message a translation; a message that begins with a name of `others` gets that one."""
    found = catalogue()
    for entry in found:
        if entry.id:
            message = entry.id[0] if entry.pluralizable else entry.id
            own = next((other for start, other in others.items() if message.startswith(start)), text)
            entry.string = (own,) if entry.pluralizable else own
    with messages.CATALOGUE.open("wb") as file:
        write_po(file, found)


def test_every_kind_of_message_is_found(site):
    messages.update()
    found = {
        (entry.context, entry.id[0] if entry.pluralizable else entry.id) for entry in catalogue() if entry.id
    }
    assert found == {
        (None, "Good\nmorning"),
        (None, "one"),
        ("body", "back"),
        ("body", "arm"),
        (None, "later"),
        (None, "It's here"),
        (None, "%(n)s left"),
    }


def test_missing_empty_and_fuzzy_translations_are_reported_and_unused_ones_dropped(site):
    assert len(messages.faults()) == 7
    messages.update()
    assert len(messages.faults()) == 7
    translate()
    assert messages.faults() == []
    text = messages.CATALOGUE.read_text()
    messages.CATALOGUE.write_text(text.replace('msgid "It\'s here"', '#, fuzzy\nmsgid "It\'s here"'))
    assert ['page.html:3: "It\'s here" has no' in line for line in messages.faults()] == [True]
    (site / "teleder" / "page.html").unlink()
    messages.update()
    assert catalogue().get("It's here") is None


def test_entries_that_stay_keep_their_bytes(site):
    """Versions of the file that differ in other entries can then be merged."""
    messages.update()
    translate("訳")
    messages.update()
    before = messages.CATALOGUE.read_text().strip().split("\n\n")
    (site / "teleder" / "zones.py").write_text('_("More")\n')
    messages.update()
    after = messages.CATALOGUE.read_text().strip().split("\n\n")
    assert set(after) - set(before) == {'msgid "More"\nmsgstr ""'}
    assert [entry for entry in after if entry in before] == before


def test_the_compiled_catalogue_matches_its_source(site):
    messages.update()
    translate("訳")
    assert not messages.is_compiled()
    messages.update()
    assert messages.is_compiled()
    compiled = messages.CATALOGUE.with_suffix(".mo")
    with compiled.open("rb") as file:
        read = gettext.GNUTranslations(file)
    assert {read.gettext("It's here"), read.pgettext("body", "back"), read.ngettext("one", "many", 2)} == {
        "訳"
    }
    before = compiled.read_bytes()
    messages.update()
    assert compiled.read_bytes() == before
    translate("別の訳")
    assert not messages.is_compiled()


def test_the_committed_catalogue_is_compiled():
    assert messages.is_compiled()


def test_a_translation_may_not_use_a_placeholder_that_the_message_has_not(site):
    messages.update()
    translate(**{"%(n)s left": "残り %(m)s"})
    assert ["%(m)s" in line for line in messages.faults()] == [True]
