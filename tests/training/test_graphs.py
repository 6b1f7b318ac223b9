"""OpenVINO's graphs compute what the networks in PyTorch do, and the IR beside the weights is made of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference_worker.models import weights
from inference_worker.models.openvino_engine import OpenVINOEngine
from inference_worker.models.torch_engine import TorchEngine
from training import graphs, phantom

CLOSE = 1e-4  # of logits, which lie between about -20 and 20
ENGINES = (OpenVINOEngine("for tests"), TorchEngine("cpu", "for tests"))


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    names = ["AD", "HI", "IM", "MF", "OTHER", "NORMAL"]
    return [phantom.draw(seed, condition=name).photo for seed, name in enumerate(names)]


@pytest.fixture(scope="module")
def segmentations():
    return [engine.segmentation(weights.published("segmentation")) for engine in ENGINES]


def scaled(photos: list[np.ndarray], height: int, width: int) -> np.ndarray:
    return np.stack([cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA) for photo in photos])


@pytest.mark.parametrize("size", [(320, 416), (416, 320), (416, 416), (128, 416), (416, 16)])
def test_a_segmentation_decides_alike_in_both(segmentations, photos, size):
    ours, reference = (run(scaled(photos, *size)) for run in segmentations)
    assert ours.shape == reference.shape and ours.dtype == np.float32
    assert abs(ours - reference).max() < CLOSE
    # Where they differ, the two best classes are equal but for rounding.
    two_best = np.sort(reference, axis=1)[:, -2:]
    is_decided = two_best[:, 1] - two_best[:, 0] > CLOSE
    assert (ours.argmax(axis=1) == reference.argmax(axis=1))[is_decided].all() and is_decided.mean() > 0.9999


@pytest.mark.parametrize("name", ["classification", "classification-open"])
def test_a_classification_has_the_same_feature_map_in_both(photos, name):
    own = weights.published(name, weights.FOLDER)
    ours, reference = (engine.features(own)(scaled(photos, 224, 224)) for engine in ENGINES)
    assert ours.shape == reference.shape == (len(photos), 1280, 7, 7)
    assert abs(ours - reference).max() < CLOSE


def test_a_photos_result_does_not_depend_on_its_batch(segmentations, photos):
    run, all_photos = segmentations[0], scaled(photos, 320, 416)
    assert abs(run(all_photos)[2] - run(all_photos[2:3])[0]).max() < CLOSE


@pytest.fixture
def parameters():
    return weights.published("segmentation").parameters()


@pytest.mark.parametrize("name", sorted(weights.table()))
def test_the_shipped_ir_is_what_the_shipped_parameters_make(name):
    """Byte for byte; after an update of OpenVINO `python -m training.graphs` writes both again."""
    own = weights.table()[name]
    build = graphs.segmentation if name == "segmentation" else graphs.features
    made = graphs.ir_of(build(own.parameters()))
    assert made["bin"] == own.openvino_ir()[1]
    assert made["xml"].decode() == own.openvino_ir()[0].decode()


def test_written_again_the_ir_is_the_same_and_the_row_too(tmp_path):
    for file in weights.FOLDER.iterdir():
        if file.suffix in {".safetensors", ".json"}:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    graphs.main(["--weights", str(tmp_path)])
    for file in weights.FOLDER.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_other_parameters_make_another_ir(parameters):
    bias = parameters["segmentation_head.0.bias"]
    changed = graphs.segmentation(parameters | {"segmentation_head.0.bias": bias + bias.dtype.type(1)})
    first, other = (graphs.ir_of(graph) for graph in (graphs.segmentation(parameters), changed))
    assert first["xml"] == other["xml"] and first["bin"] != other["bin"]


def _without(parameters, name):
    return {key: value for key, value in parameters.items() if key != name}


OTHERS = {
    "missing": (lambda own: _without(own, "decoder.block1.0.weight"), "decoder.block1.0.weight is missing"),
    "left over": (lambda own: own | {"decoder.block3.0.weight": np.zeros(1)}, "unexpected: decoder.block3"),
    "another size": (
        lambda own: own | {"decoder.block1.0.weight": np.zeros((48, 40, 1, 1))},
        "size mismatch",
    ),
}


@pytest.mark.parametrize("how", OTHERS)
def test_parameters_of_another_network_are_refused(parameters, how):
    change, said = OTHERS[how]
    with pytest.raises(ValueError, match=said):
        graphs.segmentation(change(parameters))
