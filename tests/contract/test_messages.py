"""Each side reads what the other wrote, and returns to the queue what it does not know."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from contract import messages
from contract.alarms import Condition
from contract.messages import (
    Box,
    Classified,
    ContractError,
    Failed,
    InvalidMessageError,
    ModelRef,
    Prepared,
    Request,
    Segmented,
    Stage,
)
from contract.signs import MeasuredSign, SignName
from tests import forged

ROOT = Path(__file__).resolve().parents[2]
MODEL = ModelRef(name="m", version="1", sha256="0" * 64)
BOX = Box(x=1, y=2, width=3, height=3, skin=0.9, lesion=0.2)
REDNESS = MeasuredSign(name=SignName.REDNESS, value=-2.5, error=1.0)
REQUEST = Request(
    stage=messages.Stage.ANALYSE, job="j", attempt=2, photo="p", source="s", prefix="x", boxes=(BOX,)
)
OUTCOMES = [
    Prepared(
        quality={"detail": 3.0}, reason=messages.Reason.POOR_QUALITY, fault=messages.QualityFault.BLURRED
    ),
    Segmented(mask_key="k", skin=0.5, lesion=0.1, boxes=(BOX,), signs=(REDNESS,), model=MODEL),
    Segmented(mask_key="k", skin=0.0, lesion=0.0, no_box=messages.NoCropReason.NO_SKIN, model=MODEL),
    Classified(
        probabilities={"AD": 1.0},
        views=(
            messages.View(box=None, probabilities={"AD": 1.0}),
            messages.View(box=0, probabilities={"AD": 1.0}),
        ),
        thresholds={"AD": 0.6},
        top=Condition.AD,
        abstention=None,
        attribution=messages.Attribution(key="k", condition=Condition.AD, box=0),
        demonstration=True,
        model=MODEL,
    ),
    Failed(code="file_missing"),
]
OUTCOMES += [
    messages.Analysed(segmented=OUTCOMES[1], classified=OUTCOMES[3]),
    messages.Analysed(segmented=OUTCOMES[2], failure="weights_refused"),
]


def on_the_wire(message: dict) -> dict:
    return json.loads(json.dumps(message))


def test_a_request_is_unpacked_as_it_was_packed():
    assert messages.unpack_requests(**on_the_wire(messages.pack_requests([REQUEST]))) == [REQUEST]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.kind)
def test_an_outcome_is_unpacked_as_it_was_packed(outcome):
    sent = on_the_wire(messages.pack_results([messages.pack_outcome(REQUEST, outcome)], worker="w"))
    (result,) = messages.unpack_report(messages.Results, sent).results
    assert (result.pop("job"), result.pop("attempt")) == ("j", 2)
    assert messages.unpack_outcome(contract=sent["contract"], **result) == outcome


@pytest.mark.parametrize(
    "change", [{"contract": 2}, {"kind": "gossip"}, {"outcome": {"code": "x", "more": 1}}]
)
def test_a_message_of_another_version_is_returned_to_the_queue(change):
    sent = {"contract": messages.VERSION, "kind": "failed", "outcome": {"code": "x"}}
    assert messages.unpack_outcome(**sent) == Failed(code="x")
    with pytest.raises(ContractError):
        messages.unpack_outcome(**(sent | change))


# --- Untrusted values -------------------------------------------------------------------------------------
FOLDER, OTHER = "photos/p/stage/1", "photos/q/prepare/1/display.jpg"
# A key may name another folder here, since only the web knows the job.
ELSEWHERE = {"key", "key or none", "index", "side"}


def unpacked(stage, row, **changed):
    sent = on_the_wire(forged.older_message("j", 1, forged.KINDS[stage], row, **changed))
    return messages.unpack_outcome(**{name: sent[name] for name in ("contract", "kind", "outcome")})


@pytest.mark.parametrize("stage", Stage)
def test_a_valid_outcome_is_read_in_its_declared_types(stage):
    row = forged.outcome(stage, FOLDER)
    assert on_the_wire(dataclasses.asdict(unpacked(stage, row))) == row


@pytest.mark.parametrize("stage", Stage)
def test_every_field_of_the_contract_is_forged(stage):
    """A new field of an outcome must be added to the forged values."""

    def names(value, path=()):
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from names(inner, (*path, name))
        elif isinstance(value, list):
            for inner in value:
                yield from names(inner, (*path, "*"))
        yield tuple(step for step in path if step != "*")

    declared = dataclasses.fields(messages._OUTCOMES[forged.KINDS[stage]])
    assert {field.name for field in declared} == set(forged.outcome(stage, FOLDER))
    known = {tuple(step for step in path if not isinstance(step, int)) for path in forged.FIELDS[stage]}
    plain = {path for path in names(forged.outcome(stage, FOLDER)) if path}
    shown_by_one = {
        ("classified", "probabilities"),
        ("classified", "views", "probabilities"),
        ("classified", "thresholds"),
        ("thresholds",),
    }  # every condition is read in the same way
    assert {path for path in plain - known if path[:-1] not in shown_by_one} == set()


@pytest.mark.parametrize(
    ("stage", "path"), [(stage, path) for stage in Stage for path in forged.FIELDS[stage]]
)
def test_a_value_that_no_version_writes_is_refused_without_repeating_it(stage, path):
    kind = forged.FIELDS[stage][path]
    if kind in ELSEWHERE:
        wrong = [None, 1.5, -1, True, forged.HUGE, "a\0b", [], {"a": 1}]
        wrong = [value for value in wrong if value is not None or kind != "index"]
    else:
        wrong = forged.WRONG[kind]
    for value in wrong:
        row = forged.outcome(stage, FOLDER)
        forged.put(row, path, value)
        with pytest.raises(InvalidMessageError) as refused:
            unpacked(stage, row)
        assert forged.CANARY not in str(refused.value) and len(str(refused.value)) < 300


@pytest.mark.parametrize("stage", Stage)
def test_an_outcome_without_a_required_field_is_refused(stage):
    for field in dataclasses.fields(messages._OUTCOMES[forged.KINDS[stage]]):
        row = forged.outcome(stage, FOLDER)
        del row[field.name]
        if field.default is dataclasses.MISSING:
            with pytest.raises(InvalidMessageError):
                unpacked(stage, row)
        else:
            unpacked(stage, row)


@pytest.mark.parametrize("code", [None, 1, "", "Free text", "a\0b", forged.HUGE, []])
def test_a_failure_is_a_code_and_never_free_text(code):
    with pytest.raises(InvalidMessageError):
        messages.unpack_outcome(contract=messages.VERSION, kind="failed", outcome={"code": code})


@pytest.mark.parametrize("version", forged.WRONG_CONTRACTS)
def test_a_contract_version_that_is_not_a_number_is_refused(version):
    with pytest.raises(InvalidMessageError):
        messages.unpack_outcome(contract=version, kind="failed", outcome={"code": "x"})


@pytest.mark.parametrize("kind", forged.WRONG_KINDS)
def test_a_malformed_kind_is_refused(kind):
    with pytest.raises(InvalidMessageError):
        messages.unpack_outcome(contract=messages.VERSION, kind=kind, outcome={"code": "x"})


WHOSE = {"job": forged.SOMEBODY, "attempt": 1, "worker": "w@host"}


def test_reports_are_read_and_fields_of_newer_versions_are_ignored():
    older = messages.unpack_report(messages.OlderReport, WHOSE | {"contract": 9, "more": 1})
    assert older == messages.OlderReport(**WHOSE)
    ended = {"worker": "w@host", "work": {forged.SOMEBODY: 1}}
    assert messages.unpack_report(messages.Ended, ended | {"more": 1}) == messages.Ended(**ended)
    assert messages.unpack_report(messages.Ended, {"worker": "w", "work": None}).work is None


@pytest.mark.parametrize(
    "change", [{name: value} for name, values in forged.WRONG_WHOSE.items() for value in values]
)
def test_a_malformed_started_report_is_refused(change):
    with pytest.raises(InvalidMessageError):
        messages.unpack_report(messages.OlderReport, WHOSE | change)


@pytest.mark.parametrize("work", forged.WRONG_WORK)
def test_a_malformed_ended_report_is_refused(work):
    with pytest.raises(InvalidMessageError):
        messages.unpack_report(messages.Ended, {"worker": "w", "work": work})
    with pytest.raises(InvalidMessageError):
        messages.unpack_report(messages.Started, {"worker": "w", "work": work})


@pytest.mark.parametrize("cls", [messages.Started, messages.Ended, messages.Results, messages.OlderReport])
def test_an_empty_message_is_refused(cls):
    with pytest.raises(InvalidMessageError):
        messages.unpack_report(cls, {})


# --- Versions ---------------------------------------------------------------------------------------------
def test_a_field_of_a_newer_version_is_returned_to_the_queue_at_any_depth():
    for path in (("segmented", "boxes", 0), ("segmented", "model"), ("classified",), ()):
        row = forged.outcome(Stage.ANALYSE, FOLDER)
        forged.at(row, path)["more"] = 1
        with pytest.raises(ContractError):
            unpacked(Stage.ANALYSE, row)


@pytest.mark.parametrize("version", [-1, 2, "1", None])
def test_requests_of_another_version_are_returned_to_the_queue_unread(version):
    sent = messages.pack_requests([REQUEST]) | {"contract": version, "requests": "unread"}
    with pytest.raises(ContractError, match="this process speaks"):
        messages.unpack_requests(**sent)


def test_the_web_can_read_the_contract_without_the_worker():
    """It may only import the standard library, since the web runs without [inference]."""
    code = (
        "import sys; before = set(sys.modules); import contract.messages; print(*set(sys.modules) - before)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    packages = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert "contract" in packages
    assert packages - {"contract"} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    "row", [{"stage": "paint"}, {"boxes": [{"x": 1}]}, {"boxes": None}, {"boxes": [1]}, {"colour": "red"}]
)
def test_a_request_of_another_version_is_returned_to_the_queue(row):
    sent = on_the_wire(messages.pack_requests([REQUEST]))
    sent["requests"][0] |= row
    with pytest.raises(ContractError):
        messages.unpack_requests(**sent)


def test_a_message_of_the_previous_version_is_understood():
    """During a deploy both run; work of the older version must not be done twice."""
    sent = on_the_wire(messages.pack_outcome(REQUEST, messages.Failed(code="x")))
    message = {name: sent[name] for name in ("kind", "outcome")}
    assert messages.unpack_outcome(contract=messages.VERSION - 1, **message) == messages.Failed(code="x")
    with pytest.raises(messages.ContractError):
        messages.unpack_outcome(contract=messages.VERSION - 2, **message)
