"""Tests of the drills: every name they use exists, and their oracle finds planted faults."""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import smtplib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.utils import timezone

from contract import messages
from drills import crashes, limits, newer, soak
from drills.client import Accepted, Clients, Unsure
from drills.guards import GUARDS
from drills.mail import Mailbox
from drills.oracle import Figures, figures
from drills.run import Drill
from teleder.cases import reviews
from teleder.cases.models import AIStatus, Analysis, Event, Submission
from teleder.notifications import outbox
from tests.conftest import rewrite


@pytest.fixture
def mailbox():
    with Mailbox() as box:
        yield box


@pytest.fixture
def clients(alices_submission, analyse):
    photo = alices_submission.photos.get()
    analyse(photo)
    outbox.queue_messages()
    outbox.deliver()
    return Clients("", [], [Accepted(str(alices_submission.pk), (photo.sha256,), 0.1)])


def broken(clients, mailbox) -> str:
    found = figures(clients, mailbox, bound=60)
    return " ".join(found.broken + found.late)


@pytest.mark.django_db
def test_a_successful_drill_breaks_no_promise(clients, mailbox):
    found = figures(clients, mailbox, bound=60)
    assert (found.accepted, found.by_ai, found.lost, found.stuck, found.double_results) == (1, 1, 0, 0, 0)


@pytest.mark.django_db
def test_an_accepted_submission_without_a_row_is_lost(clients, mailbox):
    clients.accepted.append(Accepted("00000000-0000-0000-0000-000000000000", (), 0.1))
    assert "1 lost" in broken(clients, mailbox)


@pytest.mark.django_db
def test_an_accepted_photo_without_a_row_is_lost(clients, mailbox):
    (case,) = clients.accepted
    more = hashlib.sha256(b"more").hexdigest()
    clients.accepted = [Accepted(case.submission, (*case.photos, more), 0.1)]
    assert "1 lost" in broken(clients, mailbox)


@pytest.mark.django_db
def test_a_photo_without_its_file_is_lost(clients, alices_submission, mailbox, settings):
    (settings.MEDIA_ROOT / alices_submission.photos.get().original_key).unlink()
    assert "1 lost" in broken(clients, mailbox)


@pytest.mark.django_db
def test_a_submission_that_still_waits_is_stuck(clients, mailbox):
    Submission.objects.update(ai_status=AIStatus.WAITING)
    assert "1 stuck" in broken(clients, mailbox)


@pytest.mark.django_db
def test_an_event_without_notification_is_stuck(clients, mailbox):
    rewrite(Event.objects.filter(pk=Event.objects.first().pk), told_at=None)
    assert "1 stuck" in broken(clients, mailbox)


@pytest.mark.django_db
def test_a_second_analysis_is_a_double_result(clients, alices_submission, mailbox):
    photo = alices_submission.photos.get()
    Analysis.objects.create(photo=photo, mask_key="m", skin=1, lesion=0, segmentation_model={})
    assert "1 double results" in broken(clients, mailbox)


@pytest.mark.django_db
def test_a_mail_with_a_second_message_id_is_a_double_message(clients, mailbox):
    for name in ("one", "two"):
        mailbox.keep(f"Message-ID: <{name}@drill>\r\n\r\nhello".encode())
    assert "1 double messages" in broken(clients, mailbox)


STEP_NAMES = [
    "upload.before_file",
    "upload.after_file",
    "upload.before_commit",
    "upload.after_commit",
    "open.before_commit",
    "open.after_commit",
    "describe.before_commit",
    "describe.after_commit",
    "trail.before_commit",
    "trail.after_commit",
    "submit.before_commit",
    "submit.after_commit",
    "dispatch.before_commit",
    "dispatch.before_send",
    "dispatch.after_send",
    "started.before_commit",
    "started.after_commit",
    "ended.before_commit",
    "ended.after_commit",
    "record.before_commit",
    "record.after_commit",
    "expire.before_commit",
    "expire.after_commit",
    "claim.before_commit",
    "claim.after_commit",
    "sign.before_commit",
    "sign.after_commit",
    "send.before_commit",
    "send.after_commit",
    "tell.before_commit",
    "tell.after_commit",
    "deliver.before_send",
    "deliver.after_send",
    "deliver.after_commit",
    "worker.before_started",
    "worker.after_started",
    "worker.before_file",
    "worker.before_rename",
    "worker.after_file",
    "worker.before_result",
    "worker.after_result",
    "worker.before_ended",
    "worker.after_ended",
]
GUARD_NAMES = [
    "expire",
    "notice",
    "fence",
    "broker-away",
    "idempotency",
    "quarantine",
    "one-claims",
    "message-id",
    "reconnect",
    "sigterm",
    "database-clock",
    "disk-full",
    "whole-copy",
    "one-moment",
    "database-full",
    "seen-by-hash",
    "hand-back",
    "small-decoder",
    "let-go",
    "respawn",
    "try-lock",
    "whole-file",
    "signs-of-life",
    "no-mark",
    "slow-broker",
]
DRILLS = Path(crashes.__file__).parent
PRODUCT = [
    (file, ast.parse(file.read_text()))
    for package in ("contract", "teleder", "inference_worker", "decoding")
    for file in sorted((DRILLS.parent / package).rglob("*.py"))
    if "migrations" not in file.parts
]


def test_the_names_of_steps_and_guards_do_not_change():
    """docs/reliability.md and the reports of earlier runs name them.

    `worker.before_result` and `worker.after_result` lie around the one message with the results of a task,
    `record.after_commit` behind the transaction that holds them all; the files between are those of `prepare` and `analyse`.
    """
    assert list(crashes.STEPS) == STEP_NAMES
    assert list(GUARDS) == GUARD_NAMES


@pytest.mark.parametrize(("step", "place"), [(step, place) for step, (place, _) in crashes.STEPS.items()])
def test_each_step_names_a_public_function(step, place):
    module, _, path = place.partition(":")
    found = importlib.import_module(module)
    for name in path.split("."):
        assert not name.startswith("_"), f"{step}: {place} is private"
        found = getattr(found, name)
    assert inspect.isroutine(found), step


@pytest.mark.parametrize("place", sorted({place for place, _ in crashes.STEPS.values()}))
def test_each_wrapped_function_is_looked_up_in_its_module(place):
    """A module that imports the function by name would still call it without the wrapper."""
    module, _, path = place.partition(":")
    name, is_used = path.split(".")[-1], False
    for file, tree in PRODUCT:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == module:
                assert path not in {each.name for each in node.names}, f"{file} imports {path} itself"
            is_used |= isinstance(node, ast.Attribute) and node.attr == name
            is_used |= isinstance(node, ast.Name) and node.id == name
    assert is_used, f"nothing uses {place}"


@pytest.mark.parametrize("file", sorted(DRILLS.glob("*.py")), ids=lambda file: file.stem)
def test_drills_use_only_public_names_of_the_product(file):
    tree = ast.parse(file.read_text())
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    named = [(node.lineno, node.attr) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    named += [
        (node.lineno, each.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    ]
    # `_state` is Django's documented Model._state.
    private = {name for _line, name in named if name.startswith("_") and not name.endswith("__")}
    assert sorted(private - own - {"_state"}) == []


def replaced_names() -> Iterator[tuple[str, str, str]]:
    """Yield (file, module, name) for each name of a module that a drill replaces by another value."""
    for file in sorted(DRILLS.glob("*.py")):
        tree = ast.parse(file.read_text())
        modules = {
            each.asname or each.name: f"{node.module}.{each.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for each in node.names
        }
        for node in ast.walk(tree):
            for target in node.targets if isinstance(node, ast.Assign) else []:
                for each in target.elts if isinstance(target, ast.Tuple) else [target]:
                    if isinstance(each, ast.Attribute) and getattr(each.value, "id", "") in modules:
                        yield file.name, modules[each.value.id], each.attr


@pytest.mark.parametrize(("file", "module", "name"), sorted(set(replaced_names())))
def test_each_name_that_a_drill_replaces_exists(file, module, name):
    parent, _, last = module.rpartition(".")
    if find_spec(parent) and (owner := getattr(importlib.import_module(parent), last, None)) is None:
        owner = importlib.import_module(module)
    assert hasattr(owner, name), f"{file} replaces {module}.{name}, which does not exist"


def test_every_drill_names_a_guard_that_can_be_removed():
    from drills.__main__ import NAMES
    from drills.run import all_drills

    assert sorted(all_drills()) == sorted(NAMES)
    assert {drill.guard for drill in all_drills().values()} == set(GUARDS)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"accepted": []}, "nothing was accepted"),
        ({"given_up": 2}, "2 never accepted"),
        ({"server_errors": ["POST submit: {}"] * 3}, "3 answers 500 (POST submit: {})"),
    ],
)
def test_a_client_that_is_not_served_breaks_a_promise(clients, mailbox, change, fault):
    vars(clients).update(change)
    assert fault in broken(clients, mailbox)


def test_a_drill_that_the_machine_cannot_run_is_neither_held_nor_broken():
    found = Figures(not_run=["no small disk"])
    assert not found.held()
    assert not found.failed()
    assert "NOT RUN: no small disk" in found.line()


LATE, LOST, WELL = {"late": ["after a minute"]}, {"broken": ["1 lost"], "late": ["after a minute"]}, {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("without", "outcomes", "held"),
    [
        ("", [WELL], True),
        ("", [LATE, WELL], True),
        ("", [LATE, LATE], False),
        ("", [LOST], False),
        ("", [LATE, LOST], False),
        ("fence", [LATE], False),
    ],
)
def test_a_drill_is_repeated_only_if_nothing_but_a_time_limit_was_exceeded(without, outcomes, held, capsys):
    from drills.__main__ import _options, _run_drill

    left = iter(outcomes)
    drill = Drill("R1", "all is well", "expire", lambda _run: Figures(**next(left)))
    system = SimpleNamespace(url="", folder=Path())
    options = _options(["--seed=1", f"--without={without}"])
    assert _run_drill(drill, system, ([], []), options).held() is held
    assert next(left, None) is None
    assert capsys.readouterr().out.count("again R1") == len(outcomes) - 1


@pytest.mark.parametrize(
    ("behaviour", "error", "kept"),
    [("", None, 1), ("fail", smtplib.SMTPDataError, 0), ("drop", smtplib.SMTPServerDisconnected, 0)],
)
def test_the_mail_server_behaves_as_set(mailbox, behaviour, error, kept):
    mailbox.behaviour = behaviour
    with smtplib.SMTP(*mailbox.server_address, timeout=5) as sender:
        try:
            sender.sendmail("a@example.com", ["b@example.com"], "Message-ID: <x@drill>\r\n\r\nhello")
        except smtplib.SMTPException as found:
            assert isinstance(found, error)
        else:
            assert error is None
    assert mailbox.taken.total() == kept


@pytest.mark.django_db
def test_an_answered_submission_is_not_lost_and_a_second_answer_is_a_double_result(
    clients, alices_submission, mailbox, dana
):
    reviews.claim(alices_submission, by=dana)
    answer = {"impression": "AD", "disposition": "self_care", "text": "Go on.", "reason": "a drill"}
    reviews.sign(alices_submission, by=dana, **answer)
    found = figures(clients, mailbox, bound=60)
    assert (found.lost, found.double_results) == (0, 0)
    reviews.amend(alices_submission, by=dana, **answer)
    assert "1 double results" in broken(clients, mailbox)


@pytest.mark.django_db
@pytest.mark.parametrize(("repeat_found_it", "missed"), [(True, 0), (False, 1)])
def test_a_repeat_must_find_a_committed_request_that_was_not_answered(
    clients, alices_submission, repeat_found_it, missed
):
    from drills.database import _committed_unanswered

    Submission.objects.update(idempotency_key="k")
    clients.unsure.append(Unsure("k", timezone.now()))
    clients.opened["k"] = str(alices_submission.pk) if repeat_found_it else "another"
    assert _committed_unanswered(clients) == (1, missed)


@pytest.mark.parametrize(
    ("size", "files", "faults"),
    [
        (lambda minute: 100 + minute % 2, lambda minute: 20 + minute % 2, []),
        (lambda minute: 100 + minute / 6, lambda minute: 20, ["web grows"]),
        (lambda minute: 100, lambda minute: 20 + minute, ["web leaves files open"]),
    ],
)
def test_a_soak_finds_growing_memory_and_open_files(size, files, faults):
    samples = soak.Samples([(60.0 * minute, size(minute), files(minute)) for minute in range(30)])
    assert samples.faults("web", long=True) == faults


@pytest.mark.parametrize("names", [0, 1])
def test_a_memory_group_of_either_version_can_be_read(tmp_path, names):
    for kind, text in ((limits.PEAK, f"{700 * limits.MEGABYTE}\n"), (limits.KILLS, "oom 1\noom_kill 2\n")):
        (tmp_path / kind[names]).write_text(text)
    group = limits.MemoryGroup(tmp_path)
    assert (group.peak_megabytes(), group.kills()) == (700, 2)


def test_a_message_of_a_newer_version_is_read_only_by_that_version(monkeypatch):
    request = messages.Request(stage="prepare", job="j", attempt=1, photo="p", source="s", prefix="x")
    for name in ("VERSION", "pack_requests", "pack_outcome", "unpack_requests", "unpack_outcome"):
        monkeypatch.setattr(messages, name, getattr(messages, name))
    version, unpack_requests = messages.VERSION, messages.unpack_requests
    monkeypatch.setenv(newer.NEWER, "1")
    newer.become_newer_if_asked()
    message = messages.pack_requests([request])
    assert messages.unpack_requests(**message) == [request]
    monkeypatch.setattr(messages, "VERSION", version)
    with pytest.raises(messages.ContractError):
        unpack_requests(**message)
    with pytest.raises(messages.ContractError):
        unpack_requests(**message | {"contract": version})
