"""OpenVINO runs only the published IR of the published parameters."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from inference_worker.models import weights
from inference_worker.models.openvino_engine import OpenVINOEngine

ENGINE = OpenVINOEngine("for tests")


@pytest.fixture
def folder(tmp_path):
    """A copy of what is shipped of the segmentation."""
    for file in weights.FOLDER.glob("segmentation.*"):
        shutil.copy(file, tmp_path)
    write(tmp_path, row_of("segmentation"))
    return tmp_path


def row_of(name):
    rows = json.loads((weights.FOLDER / "table.json").read_text())
    return next(row for row in rows if row["name"] == name)


def write(folder, row) -> None:
    (folder / "table.json").write_text(json.dumps([row]))


def test_the_published_ir_runs(folder):
    assert callable(ENGINE.segmentation(weights.published("segmentation", folder)))


def _flip(file) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("file", ["segmentation.xml", "segmentation.bin", "segmentation.safetensors"])
@pytest.mark.parametrize(
    ("spoil", "expected"),
    [(_flip, "expected sha256"), (lambda file: file.unlink(), "expected a readable file")],
    ids=["changed", "missing"],
)
def test_a_changed_or_missing_file_is_refused_by_name_before_openvino_reads_any(
    folder, file, spoil, expected, monkeypatch
):
    spoil(folder / file)
    monkeypatch.setattr("openvino.Core.read_model", lambda *_: pytest.fail("it was read"))
    with pytest.raises(weights.RefusedWeightsError, match=f"{re.escape(file)}.*{expected}"):
        ENGINE.segmentation(weights.published("segmentation", folder))


@pytest.mark.parametrize(
    "ir", [{}, {"xml": {}}, {"xml": {"file": 3, "sha256": ""}}, "segmentation.xml", None]
)
def test_a_row_without_an_ir_is_refused_and_says_what_writes_one(folder, ir):
    write(folder, row_of("segmentation") | {"ir": ir})
    with pytest.raises(weights.RefusedWeightsError, match="training.graphs"):
        ENGINE.segmentation(weights.published("segmentation", folder))


def test_the_ir_of_another_network_is_refused(folder):
    row = row_of("segmentation") | {"ir": row_of("classification")["ir"]}
    for file in weights.FOLDER.glob("classification-backbone.*"):
        shutil.copy(file, folder)
    write(folder, row)
    with pytest.raises(
        weights.RefusedWeightsError, match="expected an IR of segmentation, found one of feat"
    ):
        ENGINE.segmentation(weights.published("segmentation", folder))


def test_an_ir_that_openvino_cannot_read_is_refused(folder, monkeypatch):
    def fail(*_arguments):
        raise RuntimeError("unsupported opset")

    monkeypatch.setattr("openvino.Core.read_model", fail)
    with pytest.raises(
        weights.RefusedWeightsError, match=r"expected an IR that OpenVINO .* reads; unsupported"
    ):
        ENGINE.segmentation(weights.published("segmentation", folder))
