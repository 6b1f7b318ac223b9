"""The worklist: what dana sees, and who has no access."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from contract.messages import Abstention, QualityFault, Reason
from teleder.cases import asking_back, counting, reviews, triage
from teleder.cases.models import AIStatus, Case, EventKind, Place, Precedence, Status, Submission
from teleder.cases.triage import Urgency
from teleder.cases.verdict import Chip
from teleder.pipeline import recovery
from teleder.security import sessions
from teleder.web import wording
from teleder.web.clinician import worklist
from tests.conftest import rewrite

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}
HERPES = {"AD": 0.6, "HI": 0.3, "IM": 0.05, "MF": 0.01, "OTHER": 0.04}


@pytest.fixture(autouse=True)
def _english():
    with override("en"):
        yield


@pytest.fixture
def danas(client, dana):
    client.force_login(dana)
    return client


def shown(client, **query) -> str:
    return client.get(reverse("web:worklist"), query).content.decode()


def numbers(dana, show="all", **more) -> list[str]:
    return [row.submission.case.number for row in worklist.page_of(dana, show=show, **more).rows]


def overdue(submission) -> None:
    Submission.objects.filter(pk=submission.pk).update(due_at=timezone.now() - timedelta(minutes=12))


@pytest.mark.parametrize("name", ["worklist", "claim_next"])
def test_a_visitor_is_sent_to_log_in(client, db, name):
    reply = (
        client.post(reverse("web:claim_next"))
        if name == "claim_next"
        else client.get(reverse("web:worklist"))
    )
    assert reply.status_code in {302, 405}
    if reply.status_code == 302:
        assert reply.url.startswith(reverse("account_login"))


def test_neither_alice_nor_adam_may_open_the_worklist(client, alice, adam):
    for person in (alice, adam):
        client.force_login(person)
        assert client.get(reverse("web:worklist")).status_code == 403


def test_dana_sees_alice_before_the_ai_has_read_anything(danas, alices_submission):
    page = shown(danas)
    assert alices_submission.case.number in page
    assert "AI: waiting" in page
    assert "inside of the elbow" in page


def test_dana_does_not_see_drafts(danas, dana, alices_draft):
    assert alices_draft.case.number not in shown(danas)
    assert numbers(dana, words=alices_draft.case.number) == []
    assert danas.get(reverse("web:review", args=[alices_draft.pk])).status_code == 404


def test_the_most_urgent_is_first_with_its_reasons(danas, dana, alice, bob, submission_of):
    calm, urgent = submission_of(alice), submission_of(bob, fever="yes", grouped_blisters="yes")
    assert numbers(dana) == [urgent.case.number, calm.case.number]
    page = shown(danas)
    assert "same day" in page and "fever" in page and "grouped blisters" in page


def ask_back(submission, alice, dana, *, due) -> None:
    reviews.claim(submission, by=dana)
    reviews.sign(submission, by=dana, **ANSWER)
    asking_back.ask_back(submission, by=alice, text="May I swim?")
    Submission.objects.filter(pk=submission.pk).update(question_due_at=due)


def test_questions_stand_in_the_list_of_all_by_their_clock(danas, dana, alice, submission_of):
    now = timezone.now()
    late, soon, later, calm, urgent = [submission_of(alice) for _ in range(4)] + [
        submission_of(alice, fever="yes", grouped_blisters="yes")
    ]
    for submission, hours in ((late, -2), (soon, 5), (later, 40)):
        ask_back(submission, alice, dana, due=now + timedelta(hours=hours))
    Submission.objects.filter(pk=calm.pk).update(urgency=Urgency.DAYS_2, due_at=now + timedelta(hours=20))
    assert numbers(dana) == [each.case.number for each in (urgent, late, soon, calm, later)]
    assert numbers(dana, show="asked") == [each.case.number for each in (late, soon, later)]
    page = shown(danas)
    assert page.count("the patient asks back") == 3
    assert "overdue by 2" in page and "due in 4" in page and "due in 1" in page


def test_a_reopened_case_with_a_question_stands_once_with_both_clocks(
    danas, dana, adam, alice, submission_of
):
    submission = submission_of(alice)
    ask_back(submission, alice, dana, due=timezone.now() - timedelta(hours=3))
    reviews.reopen(submission, by=adam)
    assert numbers(dana) == [submission.case.number]
    page = shown(danas)
    assert "asked back" in page and "overdue by 3" in page and " left" in page


def test_a_question_is_gone_from_the_list_with_its_reply_and_the_page_knows(
    danas, dana, alice, submission_of
):
    submission = submission_of(alice)
    ask_back(submission, alice, dana, due=timezone.now())
    before = worklist.stamp_of(dana, show="all")
    asking_back.reply(submission.questions.get(), by=dana, text="Yes.")
    assert numbers(dana) == []
    assert worklist.stamp_of(dana, show="all") != before


def test_questions_stand_on_the_first_page_only(dana, alice, submission_of, monkeypatch):
    monkeypatch.setattr(worklist, "ROWS", 2)
    asked, *urgent = [
        submission_of(alice),
        *[submission_of(alice, fever="yes", grouped_blisters="yes") for _ in range(3)],
    ]
    ask_back(asked, alice, dana, due=timezone.now())
    first = worklist.page_of(dana, show="all")
    assert [row.submission for row in first.rows] == [urgent[0], urgent[1], asked]
    assert [row.submission for row in worklist.page_of(dana, show="all", after=first.after).rows] == [
        urgent[2]
    ]


def chips(dana) -> list[str]:
    return [row.verdict.chip_text for row in worklist.page_of(dana, show="all").rows]


def test_the_worklist_says_that_the_ai_asks_to_look_sooner_and_never_what_it_saw(
    danas, dana, alices_submission, analyse
):
    analyse(alices_submission.photos.get(), probabilities=HERPES)
    assert chips(dana) == ["AI: look sooner"]
    page = shown(danas)
    assert "AI: look sooner" in page and "herpes" not in page


@pytest.mark.parametrize("version", sorted(file.stem for file in triage.POLICIES.glob("*.toml")))
def test_every_flag_of_every_policy_has_a_text(version):
    data = triage.policy(version).data
    flags = [row["id"] for row in [*data["rules"], *data.get("site_flags", [])]]
    assert [flag for flag in flags if flag not in wording.ANSWER_FLAGS] == []


def test_an_inconclusive_ai_says_nothing(dana, alices_submission, analyse):
    analyse(alices_submission.photos.get(), abstention=Abstention.UNCERTAIN)
    assert chips(dana) == ["AI: says nothing"]


def test_an_unavailable_ai_is_shown_as_unavailable(dana, alices_submission):
    Submission.objects.update(ai_status=AIStatus.UNAVAILABLE)
    assert chips(dana) == ["AI: stopped"]


def test_page_after_page_keeps_inconclusive_cases_before_the_others(dana, alice, submission_of, monkeypatch):
    monkeypatch.setattr(worklist, "ROWS", 2)
    made = [submission_of(alice) for _ in range(5)]
    Submission.objects.filter(pk__in=[made[0].pk, made[2].pk]).update(ai_precedence=Precedence.NONE)
    seen, after = [], None
    while not seen or after:
        page = worklist.page_of(dana, show="all", after=after)
        seen += [row.submission.pk for row in page.rows]
        after = page.after
    assert seen == [made[number].pk for number in (1, 3, 4, 0, 2)]


def test_a_blurred_photo_is_called_blurred(dana, alices_submission, analyse):
    analyse(alices_submission.photos.get(), reason=Reason.POOR_QUALITY, fault=QualityFault.BLURRED)
    assert worklist.page_of(dana, show="all").rows[0].quality == "blurred"


def test_filters_narrow_the_list(dana, person, alice, submission_of):
    free, mine, others, late, asked, done = [submission_of(alice) for _ in range(6)]
    erik = person("erik", "dermatologist")
    for submission, reader in ((mine, dana), (others, erik), (asked, dana), (done, dana)):
        reviews.claim(submission, by=reader)
    overdue(late)
    reviews.request_photos(asked, by=dana, reason="blurred")
    reviews.sign(done, by=dana, **ANSWER)
    listed = {show: set(numbers(dana, show)) for show in worklist.FILTERS}
    case = {
        name: {row.case.number}
        for name, row in {"free": free, "mine": mine, "others": others, "late": late}.items()
    }
    assert listed["all"] == case["free"] | case["mine"] | case["others"] | case["late"]
    assert listed["mine"] == case["mine"]
    assert listed["unclaimed"] == case["free"] | case["late"]
    assert listed["overdue"] == case["late"]
    assert listed["waiting"] == {asked.case.number}
    assert listed["done"] == {done.case.number}
    assert listed["urgent"] == set()


def test_an_answer_of_yesterday_is_not_counted_today(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    yesterday = timezone.now() - timedelta(days=1)
    rewrite(alices_submission.reviews, signed_at=yesterday)
    Submission.objects.update(last_signed_at=yesterday)
    assert numbers(dana, "done") == []


def test_done_today_names_who_signed_last_and_is_in_that_order(danas, dana, person, alice, submission_of):
    first, second = submission_of(alice), submission_of(alice)
    for submission in (first, second):
        reviews.claim(submission, by=dana)
        reviews.sign(submission, by=dana, **ANSWER)
    erik = person("erik", "dermatologist")
    reviews.amend(first, by=erik, **ANSWER | {"reason": "Another word was meant."})
    assert numbers(dana, "done") == [first.case.number, second.case.number]
    page = shown(danas, show="done")
    assert page.index("signed by Erik at") < page.index("signed by Dana at")


def test_an_overdue_submission_is_marked(danas, alices_submission):
    overdue(alices_submission)
    page = shown(danas)
    assert "due-over" in page and "overdue by 12" in page


@pytest.mark.parametrize("spelling", ["{}", " {} ", "lower", "without dash"])
def test_a_case_is_found_by_its_number(dana, alices_submission, spelling):
    number = alices_submission.case.number
    typed = {"lower": number.lower(), "without dash": number.replace("-", "")}.get(
        spelling, spelling.format(number)
    )
    assert numbers(dana, words=typed) == [number]


def test_an_answered_case_is_found_by_its_number_as_well(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    assert numbers(dana) == []
    assert numbers(dana, words=alices_submission.case.number) == [alices_submission.case.number]


@pytest.mark.parametrize(
    "query",
    [
        {"show": "nonsense"},
        {"q": "%00';--"},
        *(
            {"after": after}
            for after in (
                "nonsense",
                "0" * 32,
                "0_0_0",
                f"0_{10**30}_{'0' * 32}",
                f"{10**9}_0_{'0' * 32}",
                "__",
            )
        ),
    ],
)
def test_invalid_query_parameters_are_ignored(danas, alices_submission, query):
    assert danas.get(reverse("web:worklist"), query).status_code == 200


def test_pagination_shows_each_submission_once(dana, alice, bob, submission_of, monkeypatch):
    monkeypatch.setattr(worklist, "ROWS", 2)
    made = [
        submission_of(person, 1, fever=fever) for person in (alice, bob) for fever in ("no", "yes", "unsure")
    ]
    pages, after = [], None
    while not pages or after:
        page = worklist.page_of(dana, show="all", after=after)
        pages.append([row.submission for row in page.rows])
        after = page.after
    assert [len(page) for page in pages] == [2, 2, 2]
    assert [row.pk for page in pages for row in page] == [row.pk for row in Submission.objects.worklist()]
    assert len(made) == 6


def test_a_place_outlives_its_row(danas, dana, alice, submission_of, monkeypatch):
    monkeypatch.setattr(worklist, "ROWS", 1)
    made = [submission_of(alice) for _ in range(3)]
    place = worklist.page_of(dana, show="all").after
    assert Place.parse(str(place)) == place == made[0].place
    reviews.claim(made[0], by=dana)
    reviews.sign(made[0], by=dana, **ANSWER)
    page = shown(danas, after=str(place))
    assert made[1].case.number in page and made[0].case.number not in page


@pytest.mark.parametrize(
    "query",
    [{}, {"show": "done"}, {"show": "mine"}, {"q": "of the first case"}, {"after": f"9_0_{'0' * 32}"}],
)
def test_the_number_of_queries_does_not_grow_with_the_list(
    danas, dana, alice, bob, submission_of, analyse, django_assert_max_num_queries, monkeypatch, query
):
    monkeypatch.setattr(
        sessions, "SEEN_EACH_SECONDS", 3600
    )  # the first request stores the activity in the session

    def queries() -> int:
        with django_assert_max_num_queries(8) as seen:
            assert danas.get(reverse("web:worklist"), query).status_code == 200
        return len(seen)

    def answered(patient, photos: int = 1) -> None:
        for sign in (True, False):
            submission = submission_of(patient, photos=photos)
            analyse(submission.photos.first(), demonstration=False)
            reviews.claim(submission, by=dana)
            if sign:
                reviews.sign(submission, by=dana, **ANSWER)
        analyse(submission_of(patient, photos=photos).photos.first(), demonstration=False)

    answered(alice)
    if "q" in query:
        query = {"q": Case.objects.first().number}
    shown(danas)
    few = queries()
    for person in (alice, bob):
        answered(person, photos=2)
    assert queries() <= few


def test_of_many_only_ones_own_are_counted_at_once(dana, alice, submission_of, monkeypatch):
    monkeypatch.setattr(counting, "EXACT", 1)
    made = [submission_of(alice) for _ in range(3)]
    assert (worklist.counts(dana)["unclaimed"], worklist.counts(dana)["mine"]) == (3, 0)
    reviews.claim(made[0], by=dana)
    assert (worklist.counts(dana)["unclaimed"], worklist.counts(dana)["mine"]) == (3, 1)


def test_a_poll_renders_nothing_while_nothing_changes(danas, alices_submission, monkeypatch):
    address, htmx = reverse("web:worklist"), {"HX-Request": "true"}
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    first = danas.get(address, headers=htmx)
    monkeypatch.setattr(worklist, "page_of", None)
    again = danas.get(address, headers=htmx | {"If-None-Match": first["ETag"]})
    assert (again.status_code, again["ETag"]) == (304, first["ETag"])


def test_a_minute_later_the_same_list_is_still_no_news(danas, alices_submission, monkeypatch):
    address, htmx = reverse("web:worklist"), {"HX-Request": "true"}
    Submission.objects.update(submitted_at=timezone.now() - timedelta(days=2, hours=3))
    first = danas.get(address, headers=htmx)
    later = timezone.now() + timedelta(minutes=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    again = danas.get(address, headers=htmx | {"If-None-Match": first["ETag"]})
    assert again.status_code == 304 and again["ETag"] != first["ETag"]


@pytest.mark.parametrize("known", ['W/"0.0"', 'W/"', "*", 'W/"%s.."'])
def test_an_unknown_version_gets_the_list(danas, alices_submission, known):
    headers = {"HX-Request": "true", "If-None-Match": known}
    assert danas.get(reverse("web:worklist"), headers=headers).status_code == 200


def test_a_poll_is_answered_by_304_until_something_changes(danas, dana, alices_submission):
    address, htmx = reverse("web:worklist"), {"HX-Request": "true"}
    first = danas.get(address, headers=htmx)
    assert "<html" not in first.content.decode()
    again = danas.get(address, headers=htmx | {"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    reviews.claim(alices_submission, by=dana)
    assert danas.get(address, headers=htmx | {"If-None-Match": first["ETag"]}).status_code == 200


def test_a_claim_by_a_plain_form_redirects_to_the_review(danas, dana, alices_submission):
    reply = danas.post(reverse("web:claim", args=[alices_submission.pk]))
    assert reply.url == reverse("web:review", args=[alices_submission.pk])
    alices_submission.refresh_from_db()
    assert alices_submission.claimed_by == dana


def test_a_claim_by_script_keeps_the_filter(danas, dana, alice, bob, submission_of):
    urgent, _calm = submission_of(alice, fever="yes"), submission_of(bob)
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/worklist/?show=urgent"}
    page = danas.post(reverse("web:claim", args=[urgent.pk]), headers=headers).content.decode()
    assert f"You have claimed {urgent.case.number}." in page
    assert _calm.case.number not in page


def test_dana_sees_that_erik_has_already_claimed(danas, person, alices_submission):
    reviews.claim(alices_submission, by=person("erik", "dermatologist"))
    page = danas.post(reverse("web:claim", args=[alices_submission.pk]), headers={"HX-Request": "true"})
    assert page.status_code == 200
    assert f"Erik has already claimed {alices_submission.case.number}." in page.content.decode()
    plain = danas.post(reverse("web:claim", args=[alices_submission.pk]))
    assert plain.status_code == 409
    assert "claimed by Erik" in plain.content.decode()


def test_claim_next_takes_the_most_urgent_unclaimed_submission(
    danas, dana, person, alice, bob, submission_of
):
    taken, urgent, _calm = (
        submission_of(alice, very_ill="yes"),
        submission_of(bob, fever="yes"),
        submission_of(alice),
    )
    reviews.claim(taken, by=person("erik", "dermatologist"))
    assert danas.post(reverse("web:claim_next")).url == reverse("web:review", args=[urgent.pk])
    urgent.refresh_from_db()
    assert urgent.claimed_by == dana


def test_claim_next_reports_an_empty_worklist(danas):
    reply = danas.post(reverse("web:claim_next"), follow=True)
    assert "No unclaimed submission is waiting" in reply.content.decode()


def test_a_claim_by_get_does_nothing(danas, alices_submission):
    assert danas.get(reverse("web:claim", args=[alices_submission.pk])).status_code == 405
    assert not alices_submission.events.filter(kind=EventKind.CLAIMED).exists()


def test_the_page_is_japanese_for_a_japanese_dermatologist(client, person, alices_submission):
    client.force_login(person("hana", "dermatologist", language="ja"))
    page = shown(client)
    assert '<html lang="ja"' in page
    with override("ja"):
        words = [
            str(label) for label in (Chip.WAITING.label, Urgency.ROUTINE.label, worklist.FILTERS["mine"][0])
        ]
    assert all(word in page and not word.isascii() for word in words)


def test_a_final_failure_of_the_ai_keeps_the_order_of_the_rows(dana, alices_submission):
    for job in alices_submission.photos.get().jobs.all():
        recovery.cancel(job, by=dana)
    row = worklist.page_of(dana, show="all").rows[0]
    assert row.submission.status == Status.SUBMITTED
    assert row.verdict.chip_text == "AI: stopped"
