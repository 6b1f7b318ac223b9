"""The drills themselves: they name what exists, and their oracle sees what was planted."""

from __future__ import annotations

import hashlib
import importlib
import smtplib

import pytest

from drills import crashes
from drills.client import Accepted, Clients
from drills.guards import GUARDS
from drills.mail import Mailbox
from drills.oracle import figures
from teleder.cases.models import AIStatus, Analysis, Event, Submission
from teleder.notifications import outbox


@pytest.fixture
def mailbox():
    box = Mailbox()
    yield box
    box.shutdown()
    box.server_close()


@pytest.fixture
def clients(alices_submission, analyse):
    photo = alices_submission.photos.get()
    analyse(photo)
    outbox.tell()
    outbox.deliver()
    return Clients("", [], [Accepted(str(alices_submission.pk), (photo.sha256,), 0.1)])


def broken(clients, mailbox) -> str:
    return " ".join(figures(clients, mailbox, bound=60).broken)


@pytest.mark.django_db
def test_a_drill_after_which_all_is_well_breaks_nothing_that_was_accepted(clients, mailbox):
    found = figures(clients, mailbox, bound=60)
    assert (found.accepted, found.by_ai, found.lost, found.stuck, found.double_results) == (1, 1, 0, 0, 0)


@pytest.mark.django_db
def test_a_submission_that_was_accepted_and_is_gone_is_lost(clients, mailbox):
    clients.accepted.append(Accepted("00000000-0000-0000-0000-000000000000", (), 0.1))
    assert "1 lost" in broken(clients, mailbox)


@pytest.mark.django_db
def test_a_photo_that_was_accepted_and_is_gone_is_lost(clients, mailbox):
    (case,) = clients.accepted
    more = hashlib.sha256(b"more").hexdigest()
    clients.accepted = [Accepted(case.submission, (*case.photos, more), 0.1)]
    assert "1 lost" in broken(clients, mailbox)


@pytest.mark.django_db
def test_a_photo_whose_bytes_are_gone_is_lost(clients, alices_submission, mailbox, settings):
    (settings.MEDIA_ROOT / alices_submission.photos.get().original_key).unlink()
    assert "1 lost" in broken(clients, mailbox)


@pytest.mark.django_db
def test_a_submission_that_still_waits_is_stuck(clients, mailbox):
    Submission.objects.update(ai_status=AIStatus.WAITING)
    assert "1 stuck" in broken(clients, mailbox)


@pytest.mark.django_db
def test_an_event_that_nobody_was_told_of_is_stuck(clients, mailbox):
    Event.objects.filter(pk=Event.objects.first().pk).update(told_at=None)
    assert "1 stuck" in broken(clients, mailbox)


@pytest.mark.django_db
def test_a_second_analysis_is_a_double_result(clients, alices_submission, mailbox):
    photo = alices_submission.photos.get()
    Analysis.objects.create(photo=photo, mask_key="m", skin=1, lesion=0, segmentation_model={})
    assert "1 double results" in broken(clients, mailbox)


@pytest.mark.django_db
def test_a_mail_under_a_second_id_is_a_double_message(clients, mailbox):
    for name in ("one", "two"):
        mailbox.keep(f"Message-ID: <{name}@drill>\r\n\r\nhello".encode())
    assert "1 double messages" in broken(clients, mailbox)


@pytest.mark.parametrize(("step", "place"), [(step, place) for step, (place, _) in crashes.STEPS.items()])
def test_each_named_step_lies_at_a_function_that_exists(step, place):
    module, _, path = place.partition(":")
    found = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    assert callable(found), step


def test_every_drill_names_a_guard_that_can_be_taken_out():
    from drills.__main__ import NAMES
    from drills.run import all_drills

    assert sorted(all_drills()) == sorted(NAMES)
    assert {drill.guard for drill in all_drills().values()} == set(GUARDS)


@pytest.mark.parametrize(
    ("behaviour", "error", "kept"),
    [("", None, 1), ("fail", smtplib.SMTPDataError, 0), ("drop", smtplib.SMTPServerDisconnected, 0)],
)
def test_the_mail_server_behaves_as_told(mailbox, behaviour, error, kept):
    mailbox.behaviour = behaviour
    with smtplib.SMTP(*mailbox.server_address, timeout=5) as sender:
        try:
            sender.sendmail("a@example.com", ["b@example.com"], "Message-ID: <x@drill>\r\n\r\nhello")
        except smtplib.SMTPException as found:
            assert isinstance(found, error)
        else:
            assert error is None
    assert mailbox.taken.total() == kept
