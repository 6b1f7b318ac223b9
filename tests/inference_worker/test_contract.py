"""Both sides read what the other wrote, and hand back what they do not know."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from inference_worker import contract
from inference_worker.contract import (
    Box,
    Classified,
    ContractError,
    Failed,
    InvalidMessageError,
    ModelRef,
    Prepared,
    Request,
    Segmented,
)

ROOT = Path(__file__).resolve().parents[2]
MODEL = ModelRef(name="m", version="1", sha256="0" * 64)
BOX = Box(x=1, y=2, width=3, height=3, skin=0.9, lesion=0.2)
REQUEST = Request(
    stage=contract.Stage.CLASSIFY, job="j", attempt=2, photo="p", source="s", prefix="x", boxes=(BOX,)
)
OUTCOMES = [
    Prepared(
        quality={"detail": 3.0}, reason=contract.Reason.POOR_QUALITY, fault=contract.QualityFault.BLURRED
    ),
    Segmented(mask_key="k", skin=0.5, lesion=0.1, boxes=(BOX,), model=MODEL),
    Segmented(mask_key="k", skin=0.0, lesion=0.0, no_box=contract.NoBox.NO_SKIN, model=MODEL),
    Classified(
        probabilities={"AD": 1.0},
        views=(
            contract.View(box=None, probabilities={"AD": 1.0}),
            contract.View(box=0, probabilities={"AD": 1.0}),
        ),
        thresholds={"AD": 0.6},
        top=contract.Condition.AD,
        abstention=None,
        attribution=contract.Attribution(key="k", condition=contract.Condition.AD, box=0),
        demonstration=True,
        model=MODEL,
    ),
    Failed(code="file_missing"),
]


def on_the_wire(message: dict) -> dict:
    return json.loads(json.dumps(message))


def test_a_request_comes_out_as_it_went_in():
    assert contract.unpack_requests(**on_the_wire(contract.pack_requests([REQUEST]))) == [REQUEST]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.kind)
def test_an_outcome_comes_out_as_it_went_in(outcome):
    sent = on_the_wire(contract.pack_outcome(REQUEST, outcome, worker="w"))
    assert (sent["job"], sent["attempt"]) == ("j", 2)
    read = {name: sent[name] for name in ("contract", "kind", "outcome")}
    assert contract.unpack_outcome(**read) == outcome


@pytest.mark.parametrize(
    "change", [{"contract": 2}, {"kind": "gossip"}, {"outcome": {"code": "x", "more": 1}}, {"outcome": {}}]
)
def test_what_another_version_wrote_is_handed_back(change):
    sent = {"contract": contract.VERSION, "kind": "failed", "outcome": {"code": "x"}}
    assert contract.unpack_outcome(**sent) == Failed(code="x")
    with pytest.raises(ContractError):
        contract.unpack_outcome(**(sent | change))


BAD_OUTCOMES = [
    ("prepared", {}),
    ("segmented", {"mask_key": "k", "skin": 0, "lesion": 0, "model": {"name": "m"}}),
    ("classified", {"top": "gossip"}),
    ("classified", {"views": [{"box": 0}]}),
    ("classified", {"attribution": {"key": "k", "condition": "gossip"}}),
    ("failed", {"code": "x", "kind": "failed"}),
]


@pytest.mark.parametrize(("kind", "row"), BAD_OUTCOMES)
def test_an_outcome_with_a_field_nobody_knows_is_handed_back(kind, row):
    with pytest.raises(ContractError):
        contract.unpack_outcome(contract=contract.VERSION, kind=kind, outcome=row)


@pytest.mark.parametrize("version", [-1, 2, "1", None])
def test_requests_of_another_version_are_handed_back_unread(version):
    sent = contract.pack_requests([REQUEST]) | {"contract": version, "requests": "unread"}
    with pytest.raises(ContractError, match="this process speaks"):
        contract.unpack_requests(**sent)


def test_the_web_can_read_the_contract_without_the_worker():
    """Standard library only: the web runs where nothing of [inference] is installed."""
    code = "import sys; before = set(sys.modules); import inference_worker.contract; print(*set(sys.modules) - before)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    packages = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert "inference_worker" in packages
    assert packages - {"inference_worker"} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    "row", [{"stage": "paint"}, {"boxes": [{"x": 1}]}, {"boxes": None}, {"boxes": [1]}, {"colour": "red"}]
)
def test_a_request_of_another_version_is_handed_back(row):
    sent = on_the_wire(contract.pack_requests([REQUEST]))
    sent["requests"][0] |= row
    with pytest.raises(ContractError):
        contract.unpack_requests(**sent)


def test_what_a_process_of_the_version_before_says_is_understood():
    """A deploy runs both for a while; work of the older one must not be done twice."""
    sent = on_the_wire(contract.pack_outcome(REQUEST, contract.Failed(code="x"), worker="w"))
    message = {name: sent[name] for name in ("kind", "outcome")}
    assert contract.unpack_outcome(contract=contract.VERSION - 1, **message) == contract.Failed(code="x")
    with pytest.raises(contract.ContractError):
        contract.unpack_outcome(contract=contract.VERSION - 2, **message)
