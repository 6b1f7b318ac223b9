"""Which rows may be used for training, and how they are read."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training import augment
from training.data import (
    ForbiddenRowError,
    Known,
    Row,
    Sample,
    held_out,
    known_pixels,
    load_sample,
    phantom_rows,
    read_rows,
    require_train,
    training_rows,
)
from training.phantom.__main__ import main as draw_phantoms


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    draw_phantoms(["--out", str(folder), "--count", "6", "--size", "192"])
    return folder


def mark(folder, tmp_path, *uses):
    """Return a manifest of the phantoms whose rows have these uses, in turn."""
    lines = (folder / "manifest.csv").read_text().splitlines()
    changed = [line.replace(",train,", f",{uses[i % len(uses)]},") for i, line in enumerate(lines[1:])]
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join([lines[0], *changed]) + "\n")
    return manifest


@pytest.mark.parametrize("use", ["evaluate", "experiment", "", "Train"])
def test_rows_that_are_not_for_training_are_left_out(folder, tmp_path, use):
    manifest = mark(folder, tmp_path, "train", use)
    assert len(read_rows(manifest, folder)) == 6
    assert [row.use for row in training_rows(manifest, folder)] == ["train"] * 3


@pytest.mark.parametrize("use", ["evaluate", "experiment", ""])
def test_a_photo_for_measuring_is_refused_when_it_is_opened(folder, tmp_path, use):
    row = read_rows(mark(folder, tmp_path, use), folder)[0]
    for read in (require_train, load_sample):
        with pytest.raises(ForbiddenRowError, match="may be learnt from"):
            read(row)


def test_a_manifest_without_the_needed_columns_is_refused(tmp_path):
    (tmp_path / "m.csv").write_text("photo,truth\na,b\n")
    with pytest.raises(ValueError, match="image,mask or file,class"):
        read_rows(tmp_path / "m.csv", tmp_path)


def test_about_one_group_in_eight_is_held_out_and_no_group_is_split():
    def row(group, name="a.jpg"):
        return Row(name, name, None, "AD", "train", "source", "licence", group, "", "")

    assert all(held_out(row(g, "a.jpg")) == held_out(row(g, "b.jpg")) for g in "abcdefgh")
    assert 90 < sum(held_out(row(str(g))) for g in range(1000)) < 160


def test_phantoms_are_read_with_full_labels(folder):
    sample = load_sample(phantom_rows(folder)[0])
    assert sample.photo.shape == (*sample.known.shape, 3)
    assert set(np.unique(sample.known)) <= {Known.BACKGROUND, Known.SKIN, Known.LESION}


def test_each_data_set_labels_only_what_was_annotated():
    mask = np.full((100, 100), 255, np.uint8)
    mask[45:55, 45:55] = 2
    wound = known_pixels(mask, "lesion")
    assert (
        wound[50, 50] == Known.LESION and wound[0, 0] == Known.NOT_LESION and wound[50, 57] == Known.NOTHING
    )
    people = known_pixels(np.array([[0, 1, 255]], np.uint8), "bg+skin")
    assert people.tolist() == [[Known.BACKGROUND, Known.SKIN_OR_LESION, Known.NOTHING]]
    with pytest.raises(ValueError, match="unknown kinds_labelled"):
        known_pixels(mask, "everything")


@pytest.fixture
def sample():
    photo = np.full((120, 160, 3), (200, 150, 120), np.uint8)
    known = np.full((120, 160), Known.SKIN, np.uint8)
    cv2.circle(photo, (80, 60), 20, (180, 60, 60), -1)
    cv2.circle(known, (80, 60), 20, int(Known.LESION), -1)
    return Sample(photo, known)


def test_photo_and_mask_are_rotated_and_scaled_together(sample):
    for seed in range(10):
        cut = augment.crop(np.random.default_rng(seed), sample, 96)
        redness = cut.photo[..., 0].astype(int) - cut.photo[..., 1]
        inside, outside = cut.known == Known.LESION, cut.known == Known.SKIN
        if inside.sum() > 50 and outside.sum() > 50:
            assert redness[inside].mean() > redness[outside].mean() + 40


def test_pixels_outside_the_photo_are_unknown(sample):
    cut = augment.crop(np.random.default_rng(3), sample, 1024)
    assert (cut.known == Known.NOTHING).any() and not cut.photo[cut.known == Known.NOTHING].mean() > 30


def test_a_graft_puts_a_lesion_on_healthy_skin_and_labels_it(sample):
    healthy = np.full((200, 200), Known.SKIN_OR_LESION, np.uint8)
    host = Sample(np.full((200, 200, 3), (120, 80, 60), np.uint8), healthy)
    made = augment.graft(np.random.default_rng(1), sample, host)
    lesion = made.known == Known.LESION
    assert lesion.sum() > 100 and set(np.unique(made.known)) == {Known.SKIN, Known.LESION}
    changed = np.abs(made.photo.astype(int) - host.photo).sum(axis=2) > 12
    assert (changed & lesion).sum() > 0.8 * lesion.sum()
    assert host.known.max() == Known.SKIN_OR_LESION  # the host itself is unchanged


def test_the_same_seed_gives_the_same_photo(sample):
    one, two = (augment.develop(np.random.default_rng(5), sample.photo) for _ in range(2))
    assert (one == two).all() and one.dtype == np.uint8 and one.shape == sample.photo.shape


@pytest.fixture
def person():
    """A bare arm on a black background, as in data sets that cut out their subjects."""
    photo, known = np.zeros((160, 160, 3), np.uint8), np.zeros((160, 160), np.uint8)
    photo[40:120], known[40:120] = (190, 140, 110), Known.SKIN_OR_LESION
    return Sample(photo, known)


def test_another_background_changes_neither_skin_nor_labels(person):
    behind = np.full((160, 160, 3), (30, 90, 200), np.uint8)
    made = augment.rehang(np.random.default_rng(1), person, behind)
    assert (made.known == person.known).all()
    assert abs(made.photo[60:100].astype(int) - person.photo[60:100]).max() <= 1
    assert abs(made.photo[:30].astype(int) - behind[:30]).max() <= 1


@pytest.mark.parametrize("condition", ["AD", "HI", "IM", "MF", "OTHER"])
def test_a_rash_is_painted_only_on_skin_and_matches_its_mask(person, condition):
    made = augment.painted(np.random.default_rng(4), person, condition)
    lesion, skin = made.known == Known.LESION, person.known == Known.SKIN_OR_LESION
    assert lesion.sum() > 20 and not (lesion & ~skin).any()
    assert (made.photo[~skin] == person.photo[~skin]).all()
    change = abs(made.photo.astype(int) - person.photo).max(axis=2)
    assert change[lesion].mean() > 2 * change[skin & ~lesion].mean()
    assert Known.SKIN_OR_LESION not in made.known
    assert person.known.max() == Known.SKIN_OR_LESION  # the person stays healthy


def test_a_photo_without_space_for_a_rash_is_unchanged(person):
    person.known[:] = Known.BACKGROUND
    made = augment.painted(np.random.default_rng(4), person, "AD")
    assert (made.photo == person.photo).all() and (made.known == Known.BACKGROUND).all()
