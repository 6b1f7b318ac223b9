"""The commands of the page for clinics work as written, on drawn photos."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from contract.drawn import Rectangle
from inference_worker.models import weights
from inference_worker.models.classification import crops_of
from training import features, own, phantom
from training.data import read_rows
from training.phantom.__main__ import main as draw_phantoms

ROOT = Path(__file__).resolve().parents[2]
DIAGNOSES = ("AD", "HI", "IM", "MF", "OTHER", "NORMAL")


def commands() -> list[list[str]]:
    """Return the commands of the page's `sh` blocks in their order."""
    page = (ROOT / "docs/training.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", page, re.S)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """A folder with photos of three patients for each diagnosis, and their CSV."""
    folder = tmp_path_factory.mktemp("clinic")
    rows = []
    for index, name in enumerate(DIAGNOSES):
        scenes = ["--count", "3", "--seed", str(10 * index + 1), "--condition", name, "--size", "288"]
        draw_phantoms(["--out", str(folder / "photos" / name), *scenes])
        files = sorted((folder / "photos" / name).glob("*.jpg"))
        rows += [(f"{name}/{file.name}", file.stem, 1, name, "drawn", "limb", "yes") for file in files]
    with (folder / "photos.csv").open("w", newline="") as file:
        columns = ("file", "patient", "visit", "diagnosis", "confirmed", "site", "consent")
        csv.writer(file).writerows([columns, *rows])
    return folder


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, *command[1:]],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


def test_the_commands_of_the_page_give_weights_with_a_card_and_figures(clinic, monkeypatch):
    shipped = (weights.FOLDER / "table.json").read_bytes()
    shipped_base = weights.table()["classification"].base["sha256"]
    assert len(commands()) == 5 and {command[0] for command in commands()} == {"python"}
    for command in commands():
        run(command, clinic)
    monkeypatch.setenv("TELEDER_WEIGHTS", str(clinic / "weights"))
    ours = weights.published("classification")
    assert ours.folder == clinic / "weights" and ours.version == "2026.1" and ours.demonstration
    assert ours.recipe["calibrated_on"] == 6 and ours.base["sha256"] == shipped_base
    assert ours.alarms == {}  # three patients a class draw no line
    assert ours.metrics["our patients who never trained"]["balanced_accuracy"]["n"] == 6
    assert ours.sha256 in (clinic / "weights/classification.md").read_text()
    assert (weights.FOLDER / "table.json").read_bytes() == shipped


def test_weights_are_never_written_over_the_shipped_ones(capsys):
    with pytest.raises(SystemExit, match="2"):
        own.calibrate(["--run", "any", "--weights", str(weights.FOLDER)])
    assert "name a folder of your own" in capsys.readouterr().err


def manifest(folder: Path, *uses: str) -> own.Dataset:
    folder.mkdir(exist_ok=True)
    lines = [f"photos/{n}.jpg,AD,{use},P{n},clinic,consent" for n, use in enumerate(uses)]
    (folder / "manifest.csv").write_text("\n".join(["file,class,use,group,source,licence", *lines]))
    return own.Dataset(folder)


def test_no_patient_is_used_for_both_training_and_measuring(tmp_path):
    dataset = manifest(tmp_path, "train", "calibrate", "evaluate", "train")
    assert [row.group for row in dataset.rows("train")] == ["P0", "P3"]


def test_a_drawn_crop_trains_in_place_of_the_automatic_ones(tmp_path):
    """What `calibrate` and `worth` look at stays as the worker will cut it."""
    scene = phantom.draw(3, condition="HI", long_side=288)
    cv2.imwrite(str(tmp_path / "photo.png"), scene.photo[..., ::-1])
    (tmp_path / "manifest.csv").write_text("file,class,crop\nphoto.png,HI,0.25 0.5 0.5 0.25\n")
    [row] = read_rows(tmp_path / "manifest.csv", tmp_path)
    height, width = scene.photo.shape[:2]
    plain = dataclasses.replace(row, crop=None)
    [own], [automatic], [same] = (
        features.of_photos(rows, tmp_path / "kept", as_drawn=as_drawn)
        for rows, as_drawn in (([row], True), ([row], False), ([plain], True))
    )
    box = Rectangle(x=width // 4, y=height // 2, width=width // 2, height=height // 4)
    expected = features.of(features.start().backbone)(crops_of(scene.photo, [box]))
    assert np.array_equal(own, expected)
    assert np.array_equal(automatic, same) and not np.array_equal(own[1:], automatic[1:])


def test_a_run_is_not_calibrated_with_other_splits(tmp_path):
    """Patients who trained would draw the alarm lines."""
    began = manifest(tmp_path / "dataset", "train", "evaluate")
    run = own.Run("own", "first", tmp_path)
    (run.folder / "card.json").write_text(json.dumps({"dataset": began.name}))
    own.require_same_dataset(run, began)
    with pytest.raises(own.ChangedDatasetError, match="train a new run"):
        own.require_same_dataset(run, manifest(tmp_path / "dataset", "evaluate", "train"))
