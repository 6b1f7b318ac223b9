"""One person's reading of one case in one sitting is one line."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from teleder.audit.models import Entry, Verb
from teleder.audit.sittings import sittings
from teleder.web.operations import audit_log

DANA, ADAM = uuid.uuid4(), uuid.uuid4()
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def entry(minutes: float, person=DANA, verb=Verb.READ, role="dermatologist", of="") -> Entry:
    return Entry(at=NOON + timedelta(minutes=minutes), person=person, role=role, verb=verb.value, object=of)


def lines(*entries: Entry) -> list[tuple]:
    newest_first = sorted(entries, key=lambda one: one.at, reverse=True)
    found = sittings(newest_first)
    assert sum(len(row.entries) for row in found) == len(entries)
    return [(row.person, (row.first - NOON).seconds // 60, (row.last - NOON).seconds // 60) for row in found]


def test_a_reading_of_twelve_requests_is_one_line():
    assert lines(*map(entry, range(12))) == [(DANA, 0, 11)]


def test_a_pause_of_more_than_half_an_hour_begins_another_sitting():
    assert lines(entry(0), entry(30), entry(61)) == [(DANA, 61, 61), (DANA, 0, 30)]


def test_two_people_who_read_at_the_same_time_have_a_line_each():
    mixed = (entry(0), entry(1, ADAM, role="admin"), entry(2), entry(3, ADAM, role="admin"))
    assert lines(*mixed) == [(ADAM, 1, 3), (DANA, 0, 2)]


def test_a_person_with_another_role_has_another_line():
    assert lines(entry(0), entry(1, role="admin")) == [(DANA, 1, 1), (DANA, 0, 0)]


def test_readers_of_two_share_links_are_not_one():
    assert len(lines(entry(0, None, role="link", of="a"), entry(1, None, role="link", of="b"))) == 2


def test_what_was_done_is_named_once_each():
    (row,) = sittings([entry(3), entry(2, verb=Verb.CHANGE), entry(1)])
    assert row.verbs == ["looked at it", "changed it"]


@pytest.mark.django_db
def test_adam_reads_one_line_for_a_sitting_with_all_its_entries(client, dana, adam, alices_submission):
    client.force_login(dana)
    for _ in range(3):
        client.get(reverse("web:review", args=[alices_submission.pk]))
    client.post(reverse("web:claim", args=[alices_submission.pk]))
    client.force_login(adam)
    page = client.get(reverse("web:case_trail", args=[alices_submission.pk])).content.decode()
    assert page.count("<strong>Dana</strong>") == 1
    assert "looked at it · changed it" in page and "4 entries" in page
    assert page.count("web:review") == 3 and page.count("web:claim") == 1


@pytest.mark.django_db
def test_a_long_log_has_pages_and_shows_each_entry_once(client, dana, adam, alices_submission, monkeypatch):
    monkeypatch.setattr(audit_log, "ENTRIES_READ", 4)
    client.force_login(dana)
    for _ in range(6):
        client.get(reverse("web:review", args=[alices_submission.pk]))
    client.force_login(adam)
    address = reverse("web:case_trail", args=[alices_submission.pk])
    first = client.get(address)
    second = client.get(address, {"before": first.context["older"]})
    seen = [one.number for page in (first, second) for row in page.context["rows"] for one in row[0].entries]
    danas = set(Entry.objects.filter(person=dana.pk).values_list("number", flat=True))
    assert len(seen) == len(set(seen)) and danas <= set(seen)
    assert client.get(address, {"before": "x"}).status_code == 200
