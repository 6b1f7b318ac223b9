"""The gate for half precision: what it counts, and the report that a worker then believes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from contract.alarms import Alarm, Condition
from contract.messages import Classified, ModelRef
from inference_worker.models import precision, weights
from inference_worker.models.openvino_engine import OpenVINOEngine
from inference_worker.models.torch_networks import Network, loaded
from training import gate, publish


def found(score: float, **probabilities: float) -> Classified:
    return Classified(
        probabilities=probabilities,
        views=(),
        thresholds={},
        top=None,
        demonstration=True,
        alarms=(Alarm(condition=Condition.HI, score=score, threshold=0.5),),
        model=ModelRef(name="m", version="1", sha256="0"),
    )


def mask(*rows: int) -> np.ndarray:
    return np.array([[row] * 10 for row in rows], np.uint8)


def test_masks_classes_and_alarms_are_compared_photo_by_photo():
    compared = gate.Comparison()
    skin, lesion = mask(0, 1, 1, 1), mask(0, 1, 1, 2)
    ill, well = found(0.6, HI=0.6, AD=0.4), found(0.4, HI=0.4, AD=0.6)
    compared.add((skin, {"c": ill}), (skin, {"c": well}))  # another class, and the alarm is silent
    compared.add((lesion, {"c": well}), (mask(0, 0, 1, 2), {"c": ill}))  # an alarm more lets nothing fall
    compared.add((skin, {"c": well}), (skin, {"c": well}))
    assert compared.figures() == {
        "n": 3,
        "segmentation": {"skin_iou": 0.8888, "lesion_iou": 1.0},
        "c": {"agreement": 0.3333, "alarms_lost": 1},
    }


def test_an_area_in_neither_mask_has_no_overlap_and_one_of_nothing_is_no_number():
    assert gate.overlap(np.zeros(3, bool), np.zeros(3, bool)) == []
    assert np.isnan(gate.mean([])) and gate.mean([0.97999]) == 0.9799


def test_all_photos_are_looked_at_in_batches():
    sizes = [len(some) for some in gate.batches(range(gate.BATCH * 2 + 1))]
    assert sizes == [gate.BATCH, gate.BATCH, 1]


@pytest.fixture
def looked(monkeypatch):
    """Let networks answer without being run; each engine asks its gate, as it would."""

    def of(own, chosen):
        for one in own.values():
            if chosen.precision == "bf16":
                chosen.gate(one, chosen.name, "2026.4.1", "1" * 64)
        return chosen

    def look(self, photos):
        return [(mask(1, 2), {name: found(0.6, HI=1.0) for name in HEADS}) for _photo in photos]

    monkeypatch.setattr(gate.Networks, "of", of)
    monkeypatch.setattr(OpenVINOEngine, "look", look, raising=False)


HEADS = ("classification", "classification-open")


def test_the_report_is_believed_by_a_worker_that_runs_the_same(looked, tmp_path, monkeypatch):
    own = {name: dataclasses.replace(one, folder=tmp_path) for name, one in weights.table().items()}
    sets = {name: [np.zeros((2, 10, 3), np.uint8)] * least for name, least in precision.SETS.items()}
    name, row = gate.report_of(own, OpenVINOEngine("to be measured", "bf16"), sets)
    assert name == "openvino-bf16" and set(row["networks"]) == {"segmentation", *HEADS}
    for one in own.values():
        assert list(precision.faults_of(row, one, "2026.4.1", "1" * 64)) == []
        assert list(precision.faults_of(row, one, "2026.4.2", "1" * 64)) != []


def test_a_network_whose_graph_answers_otherwise_is_not_published(monkeypatch, tmp_path):
    own = weights.published("classification", weights.FOLDER)
    network = loaded(own, Network())
    built = publish.graphs.features
    spoilt = {"backbone.bn2.bias": np.full(1280, 0.5)}
    monkeypatch.setattr(publish.graphs, "features", lambda parameters: built(parameters | spoilt))
    with pytest.raises(ValueError, match="the graph for OpenVINO differs by"):
        publish.publish(network, {"name": "classification"}, tmp_path, shared="backbone")
    assert not list(tmp_path.iterdir())
