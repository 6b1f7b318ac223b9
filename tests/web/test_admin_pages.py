"""Admins watch the work, reassign cases and invite people; other roles cannot."""

from __future__ import annotations

import copy
import re
import uuid
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import F
from django.urls import reverse
from django.utils import timezone, translation

from contract import messages
from contract.messages import Stage
from teleder.accounts.models import Clinic, Invitation, User
from teleder.cases import reviews
from teleder.cases.alarm_rate import AlarmRate
from teleder.cases.intervals import Share
from teleder.cases.models import Analysis, EventKind, Job, JobState, Photo, Status, Submission
from teleder.pipeline import results
from teleder.security import sessions
from teleder.web.operations import health, model_cards
from teleder.web.operations.figure_names import figure_name
from tests.conftest import PASSWORD, send_for_test

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}
PAGES = ["operations", "cases_admin", "people", "models"]


@pytest.fixture
def adams(client, adam):
    client.force_login(adam)
    return client


@pytest.fixture
def broker(monkeypatch):
    """A broker without waiting results, so that the tests of the page need no Valkey."""
    monkeypatch.setattr(health, "results_waiting", lambda: 0)


@pytest.fixture
def failed_job(alices_submission) -> Job:
    photo = alices_submission.photos.get()
    job, attempt = send_for_test(photo, "prepare")
    results.record(job=job, attempt=attempt, worker="w1", outcome=messages.Failed(code="storage_unreachable"))
    return photo.jobs.get()


def text(reply) -> str:
    return reply.content.decode()


# --- Access -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", PAGES)
def test_only_adam_opens_the_admins_pages(client, alice, dana, adam, broker, name):
    address = reverse(f"web:{name}")
    assert client.get(address).url.startswith(reverse("account_login"))
    for person in (alice, dana):
        client.force_login(person)
        assert client.get(address).status_code == 403
    client.force_login(adam)
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("name", ["change_jobs", "invite"])
def test_only_adam_uses_the_admins_verbs(client, alice, dana, name):
    for person in (alice, dana):
        client.force_login(person)
        assert client.post(reverse(f"web:{name}")).status_code == 403


@pytest.mark.parametrize("verb", ["reassign", "release", "reopen", "withdraw"])
def test_only_adam_moves_cases(client, alice, dana, alices_submission, verb):
    for person in (alice, dana):
        client.force_login(person)
        assert client.post(reverse("web:change_case", args=[alices_submission.pk, verb])).status_code == 403


# --- The state of the work --------------------------------------------------------------------------------
def test_one_sentence_says_that_everything_works(adams, broker):
    assert "Everything works. No photo is waiting for the AI." in text(adams.get(reverse("web:operations")))


def test_counts_by_stage_follow_the_jobs(adam, broker, alices_submission, alice, submission_of, analyse):
    analyse(submission_of(alice).photos.get())
    prepare, _full, analyse, *_low_priority = health.stages(adam, timezone.now())
    assert (prepare["queued"], prepare["done"], analyse["done"]) == (1, 1, 1)
    assert prepare["oldest"] is not None and analyse["oldest"] is None


def test_a_silent_prepare_worker_is_named_with_what_cannot_be_seen(adams, broker, alices_submission):
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    page = text(adams.get(reverse("web:operations")))
    assert "The prepare worker does not respond: new photos cannot be seen." in page
    assert "The inference workers do not respond" not in page


def test_silent_inference_workers_are_named_while_photos_are_prepared(
    adams, broker, alices_submission, bob, submission_of, analyse
):
    photo = alices_submission.photos.get()
    Job.objects.filter(photo=photo).update(state=JobState.DONE)
    long_ago = timezone.now() - timedelta(minutes=5)
    Job.objects.create(photo=photo, stage=Stage.ANALYSE, priority=0, created_at=long_ago)
    analyse(submission_of(bob).photos.get())
    Job.objects.filter(stage=Stage.ANALYSE, state=JobState.DONE).update(finished_at=long_ago)
    page = text(adams.get(reverse("web:operations")))
    assert "The inference workers do not respond: 1 submission has no AI results." in page
    assert "a dermatologist answers by the same due time" in page
    assert "The prepare worker does not respond" not in page


def test_a_silent_sweeper_is_named(adams, broker, alices_submission):
    send_for_test(alices_submission.photos.get(), "prepare")
    Job.objects.update(deadline=timezone.now() - timedelta(minutes=2))
    assert "The sweeper does not respond." in text(adams.get(reverse("web:operations")))


def test_an_unavailable_broker_is_reported_first(adams, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    reply = adams.get(reverse("web:operations"))
    assert reply.status_code == 200
    assert 'is-problem">The message broker does not answer.' in text(reply)


def test_an_overdue_submission_is_an_alarm(adams, broker, alices_submission):
    Submission.objects.update(due_at=timezone.now() - timedelta(hours=1))
    Job.objects.all().delete()
    assert "1 case is overdue." in text(adams.get(reverse("web:operations")))


def test_workers_are_listed_with_their_last_response(adams, adam, broker, alices_submission, analyse):
    analyse(alices_submission.photos.get())
    (worker,) = health.workers(adam, timezone.now())
    assert (worker["worker"], worker["done"], worker["busy"]) == ("test", 2, 0)
    assert timezone.now() - worker["last"] < timedelta(minutes=1)


def test_the_board_asks_few_questions(
    adams, broker, failed_job, alice, submission_of, analyse, django_assert_max_num_queries, monkeypatch
):
    monkeypatch.setattr(sessions, "SEEN_EACH_SECONDS", 3600)
    for _ in range(2):
        analyse(submission_of(alice, photos=2).photos.first())
    text(adams.get(reverse("web:operations")))
    with django_assert_max_num_queries(15):
        page = text(adams.get(reverse("web:operations")))
    assert "1 job has stopped." in page


def test_the_board_answers_a_poll_with_304_while_nothing_changes(adams, broker, alices_submission):
    address, htmx = reverse("web:operations"), {"HX-Request": "true"}
    first = adams.get(address, headers=htmx)
    assert adams.get(address, headers=htmx | {"If-None-Match": first["ETag"]}).status_code == 304


def test_the_board_says_honestly_that_nothing_was_measured_yet(adams, broker):
    page = text(adams.get(reverse("web:operations")))
    assert "No photo was classified yet." in page
    assert "none was answered yet, so nothing is known of what routine cases hide. Waiting: 0." in page


def test_the_board_shows_what_spot_checks_found(adams, broker, dana, alice, submission_of, spot_check_draw):
    spot_check_draw["is_drawn"] = True
    for disposition in ("today", "self_care", "self_care"):
        submission = submission_of(alice)
        reviews.claim(submission, by=dana)
        reviews.sign(submission, by=dana, impression="AD", disposition=disposition, text="Seen.")
    page = text(adams.get(reverse("web:operations")))
    assert "a dermatologist found 1 of 3 more urgent (95% interval 6 to 79%)." in page


@pytest.mark.parametrize(("low", "high", "is_outside"), [(12, 61, False), (70, 90, True), (12, 60, True)])
def test_alarms_outside_of_the_band_are_one_plain_sentence(adams, broker, monkeypatch, low, high, is_outside):
    rate = AlarmRate(photos=200, alarmed=Share(of=61, n=143), low=low, high=high)
    monkeypatch.setattr(health, "alarm_rate", lambda user: rate)
    page = text(adams.get(reverse("web:operations")))
    assert f"{low} to {high} are to be expected (99%)." in page
    sentence = f"rang in 61 of the newest 143 submissions; {low} to {high} were to be expected."
    assert ('is-problem">The AI' in page, sentence in page) == (is_outside, is_outside)


# --- Jobs -------------------------------------------------------------------------------------------------
def test_adam_requeues_a_failed_job_after_confirmation(adams, adam, broker, failed_job):
    assert "storage_unreachable" in text(adams.get(reverse("web:operations")))
    change = {"verb": "requeue", "job": str(failed_job.pk)}
    asked = text(adams.post(reverse("web:change_jobs"), change))
    failed_job.refresh_from_db()
    assert "1 job will be tried again." in asked and failed_job.state == JobState.FAILED
    done = adams.post(reverse("web:change_jobs"), change | {"sure": "1"}, follow=True)
    failed_job.refresh_from_db()
    assert "1 job was requeued." in text(done) and failed_job.state != JobState.FAILED
    assert Submission.objects.get().events.get(kind=EventKind.JOB_REQUEUED).actor == adam


def test_adam_requeues_all_stopped_jobs(adams, broker, failed_job):
    reply = adams.post(reverse("web:change_jobs"), {"verb": "requeue", "all": "1"})
    assert f'value="{failed_job.pk}"' in text(reply)


def test_adam_cancels_an_unfinished_job(adams, broker, alices_submission):
    job = Job.objects.get()
    adams.post(reverse("web:change_jobs"), {"verb": "cancel", "job": str(job.pk), "sure": "1"})
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


@pytest.mark.parametrize(
    "form", [{}, {"verb": "drop"}, {"verb": "cancel"}, {"verb": "cancel", "job": "1; DROP"}]
)
def test_a_form_that_chooses_nothing_changes_nothing(adams, broker, alices_submission, form):
    before = list(Job.objects.values())
    assert adams.post(reverse("web:change_jobs"), form).status_code == 302
    assert list(Job.objects.values()) == before


# --- Cases ------------------------------------------------------------------------------------------------
def test_adam_finds_cases_by_number_address_and_status(adams, alice, bob, submission_of, alices_draft):
    mine, other = submission_of(alice), submission_of(bob)

    def found(**query) -> set[str]:
        return {row.case.number for row in adams.get(reverse("web:cases_admin"), query).context["rows"]}

    assert found(find=mine.case.number.lower().replace("-", "")) == {mine.case.number}
    assert found(find="bob@example.com") == found(find="bob") == {other.case.number}
    assert found(status="submitted") == {mine.case.number, other.case.number}
    assert found(status="answered") == set()
    assert alices_draft.case.number not in found()


def test_adam_assigns_a_case_to_dana(adams, adam, dana, alices_submission):
    address = reverse("web:change_case", args=[alices_submission.pk, "reassign"])
    assert adams.post(address, {"to": str(dana.pk)}).status_code == 302
    alices_submission.refresh_from_db()
    assert alices_submission.claimed_by == dana
    assert alices_submission.events.get(kind=EventKind.REASSIGNED).actor == adam


@pytest.mark.parametrize("to", ["", "nobody", "alice"])
def test_a_case_is_assigned_to_dermatologists_only(adams, alice, alices_submission, to):
    to = str(alice.pk) if to == "alice" else to
    reply = adams.post(reverse("web:change_case", args=[alices_submission.pk, "reassign"]), {"to": to})
    assert reply.status_code == 422 and "Please choose a dermatologist" in text(reply)


def test_adam_reopens_and_withdraws(adams, dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    adams.post(reverse("web:change_case", args=[alices_submission.pk, "reopen"]))
    alices_submission.refresh_from_db()
    assert alices_submission.status == Status.SUBMITTED
    adams.post(reverse("web:change_case", args=[alices_submission.pk, "withdraw"]))
    alices_submission.refresh_from_db()
    assert alices_submission.status == Status.WITHDRAWN


def test_adam_sees_why_a_step_is_not_possible(adams, alices_submission):
    reply = adams.post(reverse("web:change_case", args=[alices_submission.pk, "reopen"]))
    assert reply.status_code == 409 and "This cannot be done now" in text(reply)


def test_an_unknown_step_is_not_found(adams, alices_submission, dana):
    assert adams.post(reverse("web:change_case", args=[alices_submission.pk, "delete"])).status_code == 404
    assert adams.post(reverse("web:change_person", args=[dana.pk, "delete"])).status_code == 404


# --- People -----------------------------------------------------------------------------------------------
def invited(adams, mailoutbox, role="dermatologist") -> str:
    adams.post(reverse("web:invite"), {"email": "Erik@Example.com", "role": role})
    return re.search(r"/invitation/\S+", mailoutbox[-1].body).group()


def test_erik_is_invited_and_creates_his_account_once(adams, client, mailoutbox):
    link = invited(adams, mailoutbox)
    client.logout()
    page = text(client.get(link, headers={"accept-language": "en"}))
    assert "You will log in as erik@example.com" in page
    account = {"name": "Erik", "licence_number": "654321", "password": "a long and quiet word"}
    assert client.post(link, account, headers={"accept-language": "en"}).url == reverse("account_login")
    erik = User.objects.get(email="erik@example.com")
    assert (erik.is_dermatologist, erik.dermatologist.licence_number) == (True, "654321")
    assert erik.language == "en"  # the language in which he read it
    assert client.login(email=erik.email, password=account["password"])
    assert client.get(link).status_code == 410
    assert client.post(link, account | {"name": "Mallory"}).status_code == 410


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "short"}, "too short"),
        ({"password": "password123"}, "too common"),
        ({"licence_number": ""}, "This field is required"),
        ({"name": ""}, "This field is required"),
    ],
)
def test_an_invalid_account_is_not_created(adams, client, mailoutbox, wrong, words):
    link = invited(adams, mailoutbox)
    account = {"name": "Erik", "licence_number": "654321", "password": "a long and quiet word"}
    reply = client.post(link, account | wrong)
    assert reply.status_code == 422 and words in text(reply)
    assert not User.objects.filter(email="erik@example.com").exists()


def test_an_admin_needs_no_licence_number(adams, client, mailoutbox):
    link = invited(adams, mailoutbox, role="admin")
    assert "icence" not in text(client.get(link))
    client.post(link, {"name": "Erik", "password": "a long and quiet word"})
    assert User.objects.get(email="erik@example.com").is_admin


def test_a_second_invitation_ends_the_first(adams, client, mailoutbox):
    first = invited(adams, mailoutbox)
    second = invited(adams, mailoutbox)
    assert client.get(first).status_code == 410
    assert client.get(second).status_code == 200


def test_an_old_invitation_is_expired(adams, client, mailoutbox):
    link = invited(adams, mailoutbox)
    Invitation.objects.update(expires_at=timezone.now())
    reply = client.get(link)
    assert reply.status_code == 410 and "This link no longer works" in text(reply)


def test_the_mail_is_in_both_languages(adams, mailoutbox):
    invited(adams, mailoutbox)
    assert "You are invited to teleder as dermatologist" in mailoutbox[-1].body
    assert "招待" in mailoutbox[-1].body


@pytest.mark.parametrize(
    "form",
    [
        {"email": "alice@example.com", "role": "admin"},
        {"email": "x", "role": "admin"},
        {"email": "e@example.com", "role": "patient"},
    ],
)
def test_some_invitations_are_refused(adams, alice, mailoutbox, form):
    assert adams.post(reverse("web:invite"), form).status_code == 422
    assert not mailoutbox and not Invitation.objects.exists()


def test_a_deactivated_dana_is_logged_out_at_once_and_can_be_reactivated(
    adams, client, adam, dana, django_user_model
):
    from django.test import Client

    danas = Client()
    danas.force_login(dana)
    assert danas.get(reverse("web:worklist")).status_code == 200
    adams.post(reverse("web:change_person", args=[dana.pk, "deactivate"]))
    assert danas.get(reverse("web:worklist")).status_code == 302
    assert not danas.login(email=dana.email, password=PASSWORD)
    adams.post(reverse("web:change_person", args=[dana.pk, "activate"]))
    assert danas.login(email=dana.email, password=PASSWORD)
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == ["deactivated", "activated"]


def test_adam_cannot_lock_himself_out(adams, adam):
    reply = adams.post(reverse("web:change_person", args=[adam.pk, "deactivate"]), follow=True)
    adam.refresh_from_db()
    assert adam.is_active and "You cannot deactivate yourself" in text(reply)


def test_adam_finds_people_by_name_and_role(adams, alice, dana):
    found = adams.get(reverse("web:people"), {"find": "dan", "role": "dermatologist"}).context["page"]
    assert list(found) == [dana]


# --- The models -------------------------------------------------------------------------------------------
def test_adam_reads_which_weights_gave_results_and_their_cards(adams, alices_submission, analyse):
    analyse(alices_submission.photos.get())
    for name in ("segmentation", "classification"):
        model = {"name": name, "version": "2020.1.1", "sha256": "f" * 64}
        Analysis.objects.update(**{f"{name}_model": model})
    page = text(adams.get(reverse("web:models")))
    for card in model_cards._cards():
        assert card["sha256"] in page
        assert page.count("not the weights of this card") == 2
    Analysis.objects.update(segmentation_model=model_cards._cards()[1] | {"items": []})
    assert text(adams.get(reverse("web:models"))).count("not the weights of this card") == 1


def test_weights_without_recent_results_are_not_in_use(adams, alices_submission, analyse):
    analyse(alices_submission.photos.get())
    Analysis.objects.update(
        segmentation_model={"name": "segmentation", "version": "2020.1.1", "sha256": "f" * 64}
    )
    assert "2020.1.1" in text(adams.get(reverse("web:models")))
    Analysis.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert "2020.1.1" not in text(adams.get(reverse("web:models")))


def test_the_counts_of_another_clinics_admin_exclude_alices_photos(
    client, person, alices_submission, analyse
):
    analyse(alices_submission.photos.get())
    Analysis.objects.update(
        segmentation_model={"name": "segmentation", "version": "2020.1.1", "sha256": "f" * 64}
    )
    client.force_login(person("noel", "admin", clinic=Clinic.objects.create(name="North")))
    assert "2020.1.1" not in text(client.get(reverse("web:models")))


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Where is it known to fail?"), ("ja", "どこで失敗することが")]
)
def test_adam_reads_the_cards_in_his_language(adams, adam, language, words):
    adam.language = language
    adam.save()
    assert words in text(adams.get(reverse("web:models"), headers={"Accept-Language": language}))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_figure_of_the_cards_has_a_readable_name(language):
    codes = {
        row[table["head"].index("figure")]
        for card in model_cards._cards()
        for item in card["items"]
        for table in item.get("tables", ())
        if "figure" in table["head"]
        for row in table["rows"]
    }
    with translation.override(language):
        names = {code: figure_name(code) for code in codes}
    assert [code for code, name in names.items() if name == code or "_" in name] == []
    assert figure_name("not_known_yet.AD") == "not_known_yet.AD"


@pytest.mark.parametrize(("language", "words"), [("en", "darkest third"), ("ja", "最も暗い3分の1")])
def test_thirds_of_skin_tone_are_named_in_the_readers_language(adams, adam, language, words):
    adam.language = language
    adam.save()
    page = text(adams.get(reverse("web:models"), headers={"Accept-Language": language}))
    assert words in page and (language == "en" or "darkest third" not in page)


def test_intervals_read_alike_in_each_language_and_the_words_of_a_licence_stay(adams):
    page = text(adams.get(reverse("web:models")))
    assert "0.487–0.730" in page and "0.487 to 0.730" not in page
    assert "relicensed to CC BY-NC-SA" in page


def test_long_tables_of_the_cards_are_folded_and_complete(adams):
    page = text(adams.get(reverse("web:models")))
    rows = sum(
        len(t["rows"]) for card in model_cards._cards() for i in card["items"] for t in i.get("tables", ())
    )
    assert page.count("<td>AUC, HI from AD</td>") and "auc_hi_of_ad" not in page
    assert page.count('<details class="long-table">') > 10
    assert page.count("</tr></thead>") and page.count("<tr><td>") + page.count('<tr class="few"><td>') == rows


def test_a_figure_from_few_photos_is_greyed(adams, monkeypatch):
    card = copy.deepcopy(model_cards._cards()[0])
    (item,) = [item for item in card["items"] if item["key"] == "bias"]
    item["tables"] = [
        {"title": "x", "head": ["tone", "n"], "rows": [["dark", "19"], ["light", "20"]], "few": [True, False]}
    ]
    monkeypatch.setattr(model_cards, "_cards", lambda: [card])
    page = text(adams.get(reverse("web:models")))
    assert '<tr class="few"><td>dark</td>' in page and "<tr><td>light</td>" in page


def test_staff_do_not_change_the_name_under_their_answers(client, dana):
    client.force_login(dana)
    client.post(reverse("web:settings"), {"name": "Eve", "language": "ja"})
    dana.refresh_from_db()
    assert (dana.name, dana.language) == ("Dana", "ja")


def test_a_request_id_leads_to_its_photo_with_the_time_of_each_stage(
    adams, broker, alice, submission_of, analyse
):
    submission, another = submission_of(alice), submission_of(alice)
    photo = submission.photos.get()
    analyse(photo)
    request = str(uuid.uuid4())
    Photo.objects.filter(pk=photo.pk).update(
        trace=request, created_at=F("created_at") - timedelta(seconds=60)
    )
    photo.jobs.filter(stage="analyse").update(
        created_at=F("finished_at") - timedelta(seconds=9),
        sent_at=F("finished_at") - timedelta(seconds=7.5),
        batch=4,
    )
    found = text(adams.get(reverse("web:cases_admin"), {"find": request.upper()}))
    assert reverse("web:case_admin", args=[submission.pk]) in found
    assert reverse("web:case_admin", args=[another.pk]) not in found
    page = text(adams.get(reverse("web:case_admin", args=[submission.pk])))
    assert request in page and "<td>1.5 s</td><td>7.5 s</td><td>4</td>" in page
    assert re.search(r"finding 6\d\.\d s after the upload", page)
