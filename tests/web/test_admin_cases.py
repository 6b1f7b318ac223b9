"""Admins filter cases, hand several on, undo that, and merge two."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from teleder.cases import reviews
from teleder.cases.models import AIStatus, Event, EventKind, Job, JobState, Photo, PhotoState, Submission
from teleder.cases.triage import Urgency
from teleder.notifications.models import Channel, Message, MessageState
from teleder.web.operations import health

pytestmark = pytest.mark.django_db


@pytest.fixture
def adams(client, adam):
    client.force_login(adam)
    return client


@pytest.fixture
def five(alice, bob, dana, submission_of) -> dict[str, Submission]:
    """One of each: overdue, due soon, held by dana, urgent, and one that was answered."""
    made = {name: submission_of(alice) for name in ("late", "soon", "held", "urgent")}
    made["done"] = submission_of(bob)
    now = timezone.now()
    for name, hours in (("late", -1), ("soon", 0.5), ("held", 30), ("urgent", 3), ("done", -1)):
        Submission.objects.filter(pk=made[name].pk).update(due_at=now + timedelta(hours=hours))
    Submission.objects.filter(pk=made["urgent"].pk).update(urgency=Urgency.SAME_DAY)
    Submission.objects.filter(pk=made["late"].pk).update(submitted_at=now - timedelta(days=8))
    Submission.objects.filter(pk=made["soon"].pk).update(submitted_at=now - timedelta(days=2))
    Photo.objects.exclude(submission=made["soon"]).update(state=PhotoState.UNUSABLE, reason="corrupt_image")
    Submission.objects.filter(pk=made["held"].pk).update(ai_status=AIStatus.UNAVAILABLE)
    reviews.claim(made["held"], by=dana)
    reviews.claim(made["done"], by=dana)
    reviews.sign(made["done"], by=dana, impression="AD", disposition="self_care", text="Seen.")
    return {name: Submission.objects.get(pk=row.pk) for name, row in made.items()}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {"late", "soon", "held", "urgent", "done"}),
        ({"status": "waiting"}, {"late", "soon", "held", "urgent"}),
        ({"status": "answered"}, {"done"}),
        ({"mark": "overdue"}, {"late"}),
        ({"mark": "soon"}, {"soon"}),
        ({"mark": "unclaimed"}, {"late", "soon", "urgent"}),
        ({"mark": "unseen"}, {"soon"}),
        ({"mark": "without_ai"}, {"held"}),
        ({"mark": "unread"}, {"late", "soon", "held", "urgent"}),
        ({"urgency": "same_day"}, {"urgent"}),
        ({"holder": "dana"}, {"held"}),
        ({"holder": "nobody"}, {"late", "soon", "urgent"}),
        ({"age": "1d", "status": "waiting"}, {"late", "soon"}),
        ({"age": "7d"}, {"late"}),
        ({"mark": "unclaimed", "age": "1d"}, {"late", "soon"}),
        ({"mark": "drop", "urgency": "high", "holder": "1; --", "age": "0", "page": "x"}, "all"),
    ],
)
def test_adam_filters_cases(adams, dana, five, query, found):
    if query.get("holder") == "dana":
        query = {"holder": str(dana.pk)}
    rows = adams.get(reverse("web:cases_admin"), query).context["rows"]
    names = {row.pk: name for name, row in five.items()}
    assert {names[row.pk] for row in rows} == (set(five) if found == "all" else found)


def test_what_waits_stands_in_the_order_of_due_times(adams, five):
    rows = adams.get(reverse("web:cases_admin"), {"status": "waiting"}).context["rows"]
    assert list(rows) == [five[name] for name in ("late", "soon", "urgent", "held")]


def test_each_count_is_the_length_of_the_list_that_it_links_to(adams, five):
    page = adams.get(reverse("web:cases_admin"))
    chips = re.findall(r'<a href="(\?mark=\w+)">[^<]+<b[^>]*>(\d+)</b>', page.content.decode())
    assert [int(n) for _link, n in chips] == [1, 1, 3, 1, 3, 1]
    for link, n in chips:
        assert len(adams.get(reverse("web:cases_admin") + link).context["rows"]) == int(n)


def test_each_red_number_of_the_board_links_to_the_list_that_it_counts(
    adams, five, monkeypatch, failed_message
):
    monkeypatch.setattr(health, "results_waiting", lambda: 0)
    Job.objects.filter(photo__submission=five["late"]).update(state=JobState.FAILED)
    board = adams.get(reverse("web:operations")).content.decode()
    red = re.findall(r'<a href="([^"]+)" class="overdue">(\d+)</a>', board)
    red += re.findall(r'<a class="overdue" href="([^"]+)">(\d+)</a>', board)
    tiles = re.findall(r'<a class="tile is-bad" href="([^"]+)">.*?tile-value">(\d+)<', board)
    assert len(red) == len(re.findall('class="overdue"', board)) == 2
    # The other red tile says that the one answer of the day was late: a share, not a number of cases.
    assert (len(tiles), board.count("tile is-bad")) == (1, 2)
    red += tiles
    for link, n in red:
        assert _length(adams, link.replace("&amp;", "&")) == int(n)
    alarms = re.findall(r'<li><strong><a href="([^"]+)">(\d+) (\w+)', board)
    assert [what for _link, _n, what in alarms] == ["case", "job", "message"]
    for link, n, _what in alarms:
        assert _length(adams, link.replace("&amp;", "&")) == int(n)


def _length(adams, link: str) -> int:
    page = adams.get(link)
    assert page.status_code == 200
    if "cl" in page.context:
        return page.context["cl"].result_count
    return len(page.context["stopped"] if "stopped" in page.context else page.context["rows"])


@pytest.fixture
def failed_message(five, alice) -> Message:
    event = five["late"].events.first()
    return Message.objects.create(event=event, person=alice, channel=Channel.EMAIL, state=MessageState.FAILED)


def test_a_long_list_has_pages(adams, alice, alices_submission):
    row = alices_submission
    same = {"case": row.case, "clinic": row.clinic, "policy": row.policy, "flags": []}
    sent = {"status": "submitted", "submitted_at": row.submitted_at, "due_at": row.due_at}
    Submission.objects.bulk_create(Submission(**same, **sent, rule_urgency=0, urgency=0) for _ in range(60))
    address, seen = reverse("web:cases_admin"), []
    for number in (1, 2):
        page = adams.get(address, {"status": "waiting", "page": number})
        seen += [one.pk for one in page.context["rows"]]
        assert (f"page={number + 1}" in page.content.decode()) == (number == 1)
    assert len(seen) == len(set(seen)) == 61


# --- Several at once --------------------------------------------------------------------------------------
def test_adam_hands_several_on_and_takes_it_back(adams, adam, dana, five):
    chosen = [str(five[name].pk) for name in ("late", "soon")]
    change = {"case": chosen, "to": str(dana.pk), "reason": "overdue", "of_mark": "unclaimed"}
    done = adams.post(reverse("web:reassign_cases"), change, follow=True)
    assert done.redirect_chain == [("/operations/cases/?mark=unclaimed", 302)]
    page = done.content.decode()
    assert "2 cases were given to Dana. Their due times stay." in page and "Undo: give 2 cases back" in page
    assert Submission.objects.filter(pk__in=chosen, claimed_by=dana).count() == 2
    assert {step.actor for step in Event.objects.filter(kind=EventKind.REASSIGNED)} == {adam}
    undone = adams.post(reverse("web:undo_reassign"), {"of_mark": "unclaimed"}, follow=True)
    assert "2 cases are as they were before." in undone.content.decode()
    assert Submission.objects.filter(pk__in=chosen, claimed_by=None).count() == 2
    assert "Undo:" not in undone.content.decode()


def test_the_page_of_a_case_names_who_had_it_who_got_it_and_why(adams, dana, person, five):
    erik = person("erik", "dermatologist")
    change = {"case": [str(five["held"].pk)], "to": str(erik.pk), "reason": "Dana is off duty"}
    adams.post(reverse("web:reassign_cases"), change)
    page = adams.get(reverse("web:case_admin", args=[five["held"].pk])).content.decode()
    assert "from Dana · to Erik · Reason: Dana is off duty" in page


def test_the_page_of_a_case_shows_an_event_that_names_levels(adams, five):
    five["late"].events.create(kind=EventKind.URGENCY_RAISED, detail={"from": 0, "to": 2})
    assert adams.get(reverse("web:case_admin", args=[five["late"].pk])).status_code == 200


def test_adam_gives_cases_back_to_the_worklist(adams, five):
    done = adams.post(
        reverse("web:reassign_cases"), {"case": [str(five["held"].pk)], "to": "nobody"}, follow=True
    )
    assert "1 case is back on the worklist. Its due time stays." in done.content.decode()
    assert Submission.objects.get(pk=five["held"].pk).claimed_by is None


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"to": "dana"}, "No case was chosen"),
        ({"case": ["x"], "to": "dana"}, "No case was chosen"),
        ({"case": "late", "to": ""}, "Please choose a dermatologist"),
        ({"case": "late", "to": "alice"}, "Please choose a dermatologist"),
        ({"case": "late", "to": "nora"}, "Please choose a dermatologist"),
        ({"case": "done", "to": "dana"}, "No case was chosen"),
    ],
)
def test_a_form_that_chooses_wrongly_changes_nothing(adams, alice, dana, nora, five, form, words):
    people = {"dana": dana, "alice": alice, "nora": nora}
    form = form | {"to": str(people[form["to"]].pk) if form["to"] else ""}
    if isinstance(form.get("case"), str):
        form["case"] = [str(five[form["case"]].pk)]
    before = list(Submission.objects.order_by("pk").values("claimed_by", "status"))
    assert words in adams.post(reverse("web:reassign_cases"), form, follow=True).content.decode()
    assert list(Submission.objects.order_by("pk").values("claimed_by", "status")) == before


def test_an_admin_of_another_clinic_hands_nothing_on(client, noel, nora, five):
    client.force_login(noel)
    form = {"case": [str(five["late"].pk)], "to": str(nora.pk)}
    client.post(reverse("web:reassign_cases"), form)
    assert Submission.objects.get(pk=five["late"].pk).claimed_by is None


# --- Merge ------------------------------------------------------------------------------------------------
def test_adam_merges_two_cases_after_reading_what_that_does(adams, five):
    one, other = five["late"], five["held"]
    address, form = reverse("web:change_case", args=[other.pk, "merge"]), {"into": str(one.case_id)}
    assert one.case.number in adams.get(reverse("web:case_admin", args=[other.pk])).content.decode()
    asked = adams.post(address, form).content.decode()
    assert "Both sets of photos stay: 1 and 1." in asked and "due at the earlier of both times" in asked
    assert one.case.submissions.count() == 1
    done = adams.post(address, form | {"sure": "1"}, follow=True).content.decode()
    assert f"{other.case.number} into {one.case.number}" in done
    assert one.case.submissions.count() == 2
    assert Submission.objects.get(pk=other.pk).due_at == one.due_at
    found = adams.get(reverse("web:cases_admin"), {"find": other.case.number}).context["rows"]
    assert {row.pk for row in found} == {one.pk, other.pk}


@pytest.mark.parametrize("into", ["", "nothing", "done", "late"])
def test_a_case_of_somebody_else_or_of_nobody_cannot_be_chosen(adams, five, into):
    address = reverse("web:change_case", args=[five["late"].pk, "merge"])
    into = str(five[into].case_id) if into in five else into
    reply = adams.post(address, {"into": into, "sure": "1"})
    assert (
        reply.status_code == 422 and "Please choose another case of this patient." in reply.content.decode()
    )
