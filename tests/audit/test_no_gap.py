"""Every answer that shows something of alice's case writes an entry that names the case."""

from __future__ import annotations

import pytest
from django.urls import reverse

from teleder.audit import entries
from teleder.audit.models import Entry, Verb
from teleder.cases import reviews
from tests.access.conftest import things  # noqa: F401
from tests.access.test_matrix import SPACES, address, asked, callers  # noqa: F401

pytestmark = pytest.mark.django_db
HER_CLINIC = ("dana", "adam", "sue")


def shows(answer, things) -> bool:  # noqa: F811
    """Return whether an answer contains the number or an id of alice's case, the review, or her photo."""
    ids = [str(things[kind].pk) for kind in ("submission", "case", "photo", "review", "job")]
    signs = ["display"] if answer.streaming else [things["case"].number, *ids, "Please come today."]
    return any(sign.encode() in answer.whole for sign in signs)


@pytest.mark.parametrize("space", SPACES)
def test_every_answer_that_shows_a_case_writes_an_entry(callers, things, space, monkeypatch):  # noqa: F811
    written, shown, gaps = [], 0, []
    monkeypatch.setattr(entries, "write_entry", lambda *_what, **of: written.append(of))
    staff = {who: caller for who, caller in callers.items() if who[0] in HER_CLINIC}
    for name in SPACES[space]:
        path = address(name, things, known=True)
        for person, method, caller in asked(staff, space):
            written.clear()
            if method not in ("get", "post") or not shows(caller.ask(method, path), things):
                continue
            shown += 1
            if not any(things["case"].pk in entry["cases"] for entry in written):
                gaps.append(f"{person} {method} {path}")
    assert not gaps, "\n".join(gaps)
    assert shown or space == ""


REFUSED_FORMS = [
    ("dana", "web:request_photos", [], 422),
    ("dana", "web:answer", [], 422),
    ("dana", "web:claim", [], 409),
    ("adam", "web:change_case", ["reopen"], 409),
]


@pytest.mark.parametrize(("name", "url_name", "verb", "status"), REFUSED_FORMS)
def test_a_refused_form_that_shows_the_case_writes_an_entry(
    request, client, name, url_name, verb, status, alices_submission, dana
):
    client.force_login(request.getfixturevalue(name))
    reviews.claim(alices_submission, by=dana)
    answer = client.post(reverse(url_name, args=[alices_submission.pk, *verb]))
    entry = Entry.objects.first()
    assert answer.status_code == status
    assert (entry.verb, entry.door, entry.cases) == (Verb.READ, url_name, [alices_submission.case_id])


@pytest.mark.parametrize(("url_name", "status"), [("web:keep_claim", 200), ("web:keep_draft", 409)])
def test_only_a_heartbeat_that_shows_the_case_writes_an_entry(
    client, url_name, status, alices_submission, dana, adam
):
    client.force_login(dana)
    reviews.claim(alices_submission, by=dana)
    assert client.post(reverse(url_name, args=[alices_submission.pk])).status_code in (200, 204)
    assert not Entry.objects.filter(door=url_name).exists()
    reviews.release(alices_submission, by=adam)
    assert client.post(reverse(url_name, args=[alices_submission.pk])).status_code == status
    entry = Entry.objects.get(door=url_name)
    assert (entry.verb, entry.cases) == (Verb.READ, [alices_submission.case_id])
