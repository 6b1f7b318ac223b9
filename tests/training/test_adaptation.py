"""Features adapted without labels: whose photos are opened, that a run is the same again, and that a collapse is reported."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from training import adaptation, features, phantom, variants
from training.adaptation import Recipe, Run, adapt
from training.data import ForbiddenRowError, read_photo, read_rows
from training.variants_page import page

FEW = Recipe(side=32, steps=4, batch=4)
CLS = "file,class,use,group,licence,licence_tier\n"
SEG = "image,mask,kinds_labelled,use,license\n"


class Tiny(nn.Module):
    num_features = 16

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 16, 5, stride=4), nn.BatchNorm2d(16), nn.Tanh())

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return self.layers(photos).mean(dim=(2, 3))


class Blind(Tiny):
    """A collapsed network: whatever it is shown, its features are the same."""

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return super().forward(photos) * 0 + 1


@pytest.fixture(autouse=True)
def small_heads(monkeypatch):
    monkeypatch.setattr(adaptation, "WIDE", 64)
    monkeypatch.setattr(adaptation, "NARROW", 16)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder whose rows of other uses are no pictures: to open one is an error."""
    folder = tmp_path_factory.mktemp("data")
    lines = {
        "cls": ["a.png,AD,train,commons_1,CC BY-SA 4.0,open", "b.png,HI,train,p2,CC BY 4.0,open"]
        + ["f.png,IM,train,p7,CC BY 4.0,open"]
        + ["c.png,OTHER,train,p3,CC BY-NC-SA 4.0,nc", "d.png,NORMAL,train,p4,?,unclear"]
        + ["never.png,AD,evaluate,p5,,", "unclear.png,AD,experiment,p6,,"],
        "seg": ["e.png,e.png,lesion,train,research", "room.png,room.png,bg,train,GPL-3.0"]
        + ["never.png,never.png,lesion,evaluate,"],
    }
    for part, header in (("cls", CLS), ("seg", SEG)):
        (folder / part).mkdir()
        (folder / part / "manifest.csv").write_text(header + "\n".join(lines[part]) + "\n")
        for name in ("never.png", "unclear.png"):
            (folder / part / name).write_text("not a picture")
    for seed, name in enumerate(("cls/a", "cls/b", "cls/c", "cls/d", "cls/f", "seg/e", "seg/room")):
        cv2.imwrite(str(folder / f"{name}.png"), phantom.draw(seed, long_side=96).photo)
    return folder


def names(rows):
    return [row.name for row in rows]


def test_photos_that_only_measure_are_never_chosen_and_licences_never_mixed(data):
    assert names(adaptation.rows_of("open", data)) == ["a.png", "b.png", "f.png"]
    assert names(adaptation.rows_of("research", data)) == ["b.png", "f.png", "c.png", "e.png"]


def test_a_photo_that_only_measures_is_refused_before_any_is_opened(data, monkeypatch):
    monkeypatch.setattr(adaptation, "read_photo", lambda *_: pytest.fail("a photo was opened"))
    with pytest.raises(ForbiddenRowError, match=r"never\.png"):
        adapt(Tiny(), read_rows(data / "cls/manifest.csv", data / "cls"), FEW)


def test_the_network_changes_and_the_same_seed_changes_it_the_same_way(data):
    start, rows = Tiny(), adaptation.rows_of("research", data)
    runs = []
    for recipe in (FEW, FEW, replace(FEW, seed=2)):
        network = copy.deepcopy(start)
        runs.append((adapt(network, rows, recipe), network.layers[0].weight))
    (first, one), (again, same), (_, other) = runs
    assert first == again and torch.equal(one, same)
    assert not torch.equal(one, start.layers[0].weight) and not torch.equal(one, other)
    assert first.photos == 4


def test_labels_make_no_difference(data):
    start, rows = Tiny(), adaptation.rows_of("research", data)
    networks = [copy.deepcopy(start) for _ in range(2)]
    for network, own in zip(networks, (rows, [replace(row, label="") for row in rows]), strict=True):
        adapt(network, own, FEW)
    assert torch.equal(*(network.layers[0].weight for network in networks))


def test_a_network_that_sees_no_difference_has_collapsed_and_a_seeing_one_has_not(data):
    rows = adaptation.rows_of("research", data)
    blind = adapt(Blind(), rows, FEW)
    assert blind.collapsed and blind.output[1] < 0.1
    assert not adapt(Tiny(), rows, FEW).collapsed


@pytest.mark.parametrize(
    "run",
    [
        Run(9, (0.0, float("nan")), (0.9, 0.9), (0.6, 0.6)),
        Run(9, (0.0, -1.0), (0.9, 0.4), (0.6, 0.6)),
        Run(9, (0.0, -1.0), (0.9, 0.9), (0.6, 0.2)),
    ],
)
def test_a_run_that_diverges_or_loses_its_spread_has_collapsed(run):
    assert run.collapsed


def test_a_view_shows_part_of_a_photo_and_keeps_its_hue(data):
    rng = np.random.default_rng(1)
    yellow = np.full((90, 120, 3), (200, 160, 60), np.uint8)
    views = [adaptation.view(rng, yellow, 32) for _ in range(20)]
    assert {own.shape for own in views} == {(32, 32, 3)}
    assert all(own[..., 0].mean() > own[..., 2].mean() + 20 for own in views)


def test_the_page_reports_a_collapse_and_names_what_may_never_be_shipped():
    run = {"photos": 85, "seen": 85, "loss": (0, -0.9), "output": (0.9, 0.9), "features": (0.6, 0.5)}
    runs = {"one": run | {"collapsed": False}, "two": run | {"collapsed": True}}
    figures = {"measures": {"m": {}}, "model": "m", "photos": "p", "lite2": True, "adaptation": runs}
    text = page(figures)
    assert "| no collapse |" in text and "**two**: the run collapsed" in text and "**one**" not in text
    assert "transductive" in text and "may never be shipped" in text
    assert "Not compared" not in page(figures | {"adaptation": {"one": runs["one"]}})


def test_the_comparison_opens_no_photo_that_only_measures_and_leaves_a_collapsed_run_out(
    data, tmp_path, monkeypatch
):
    """All of `training.variants` but the size of its networks; the second adaptation's network is blind."""
    opened, looks = [], {"mirrored": 16, "larger": 16, "layers": 176, "signs": 7}

    def opening(path, long_side):
        opened.append(path.name)
        return read_photo(path, long_side)

    networks = iter([Tiny(), Tiny(), Blind()])
    monkeypatch.setattr(features, "start", lambda: SimpleNamespace(backbone=next(networks)))
    monkeypatch.setattr(features, "of_photos", lambda rows, network=None: [np.ones((1, 16))] * len(rows))
    monkeypatch.setattr(variants, "read_photo", opening)
    monkeypatch.setattr(adaptation, "read_photo", opening)
    monkeypatch.setattr(adaptation, "Recipe", lambda: FEW)
    monkeypatch.setattr(variants, "Segmenter", lambda *_: None)
    monkeypatch.setattr(variants, "lite2", lambda: None)
    monkeypatch.setattr(
        variants, "Looks", lambda *_: lambda photo: {name: np.ones(k) for name, k in looks.items()}
    )
    json_file, markdown = tmp_path / "figures.json", tmp_path / "page.md"
    variants.main(["--data", str(data), "--json", str(json_file), "--markdown", str(markdown)])
    assert set(opened) == {"a.png", "b.png", "c.png", "e.png", "f.png"}
    scored, text = json.loads(json_file.read_text())["measures"], markdown.read_text()
    for by_name in scored.values():
        assert variants.ADAPTED["open"] in by_name and variants.ADAPTED["research"] not in by_name
    assert f"**{variants.ADAPTED['research']}**: the run collapsed" in text
