"""Half precision runs only where a report says that it decides alike."""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil

import openvino as ov
import pytest

from inference_worker.models import precision, weights
from inference_worker.models.engine import EngineError
from inference_worker.models.openvino_engine import OpenVINOEngine
from inference_worker.models.precision import UnprovenPrecisionError, require_report

ENGINE, VERSION, GRAPH = "openvino-bf16", "2026.4.1", "1" * 64
GOOD = {
    "segmentation": {"skin_iou": 0.99, "lesion_iou": 0.98},
    "classification": {"agreement": 0.995, "alarms_lost": 0},
}


@pytest.fixture
def own(tmp_path):
    """The published weights by name, in a folder without a report."""
    return {
        name: dataclasses.replace(weights.published(name), folder=tmp_path)
        for name in ("segmentation", "classification")
    }


def report_of(own) -> dict:
    sets = {name: {"n": least} | copy.deepcopy(GOOD) for name, least in precision.SETS.items()}
    networks = {name: [one.sha256, GRAPH] for name, one in own.items()}
    return {ENGINE: {"version": VERSION, "networks": networks, "sets": sets}}


def write(own, report) -> None:
    (own["segmentation"].folder / precision.REPORT).write_text(json.dumps(report))


@pytest.mark.parametrize("name", GOOD)
def test_weights_with_a_report_that_passes_may_run(own, name):
    write(own, report_of(own))
    require_report(own[name], ENGINE, VERSION, GRAPH)


def _set(*keys, to):
    def change(report):
        for key in keys[:-1]:
            report = report[key]
        report[keys[-1]] = to

    return change


FAULTS = {
    "another network": (_set(ENGINE, "networks", "classification", to=["0" * 64, GRAPH]), "another classif"),
    "another graph": (_set(ENGINE, "networks", "classification", 1, to="0" * 64), "another classification"),
    "another version": (_set(ENGINE, "version", to="2025.1"), "with version 2025.1"),
    "too few phantoms": (_set(ENGINE, "sets", "phantoms", "n", to=499), "499 photos, fewer than 500"),
    "no photos": (_set(ENGINE, "sets", "evaluate", "n", to=0), "0 photos"),
    "other classes": (
        _set(ENGINE, "sets", "evaluate", "classification", "agreement", to=0.9949),
        "agreement 0.9949, below 0.995",
    ),
    "an urgency that falls": (
        _set(ENGINE, "sets", "phantoms", "classification", "alarms_lost", to=1),
        "1 alarms no longer ring",
    ),
    "no number": (
        _set(ENGINE, "sets", "phantoms", "classification", "agreement", to=float("nan")),
        "agreement nan",
    ),
    "nothing measured": (_set(ENGINE, "sets", "phantoms", "classification", to={}), "no readable report"),
    "another engine": (lambda report: report.update(other=report.pop(ENGINE)), "no readable report"),
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_report_that_does_not_show_it_is_refused_and_says_what_to_do(own, how):
    change, said = FAULTS[how]
    change(report := report_of(own))
    write(own, report)
    with pytest.raises(UnprovenPrecisionError, match=said) as refused:
        require_report(own["classification"], ENGINE, VERSION, GRAPH)
    assert "training.gate" in str(refused.value)


@pytest.mark.parametrize("key", ["skin_iou", "lesion_iou"])
def test_masks_that_differ_are_refused(own, key):
    report = report_of(own)
    report[ENGINE]["sets"]["phantoms"]["segmentation"][key] = 0.979
    write(own, report)
    with pytest.raises(UnprovenPrecisionError, match=key):
        require_report(own["segmentation"], ENGINE, VERSION, GRAPH)
    require_report(own["classification"], ENGINE, VERSION, GRAPH)


@pytest.mark.parametrize("content", [None, "", "[]", '{"openvino-bf16": 3}'])
def test_without_a_readable_report_half_precision_is_refused(own, content):
    if content is not None:
        (own["segmentation"].folder / precision.REPORT).write_text(content)
    with pytest.raises(UnprovenPrecisionError, match="no readable report"):
        require_report(own["segmentation"], ENGINE, VERSION, GRAPH)


@pytest.mark.skipif(
    "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"), reason="this processor has bf16"
)
def test_a_processor_without_half_precision_says_so():
    with pytest.raises(EngineError, match="no bf16 instructions"):
        OpenVINOEngine("for tests", "bf16").segmentation(weights.published("segmentation"))


def test_the_engine_asks_before_it_runs_in_half_precision(own, monkeypatch):
    for file in weights.FOLDER.glob("segmentation.*"):
        shutil.copy(file, own["segmentation"].folder)
    monkeypatch.setattr(ov.Core, "get_property", lambda self, *_: ["FP32", "BF16"])
    with pytest.raises(UnprovenPrecisionError, match="openvino-bf16 refused for segmentation"):
        OpenVINOEngine("for tests", "bf16").segmentation(own["segmentation"])
