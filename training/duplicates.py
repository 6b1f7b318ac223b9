"""Finds photos that are one and the same: copies, re-encoded, resized, cropped, turned or mirrored.

A perceptual hash finds what was kept whole. A crop shares no hash with its whole, so that keypoints (ORB,
Rublee et al. 2011) vote for photos too. Each suspicion is confirmed by pixels: RANSAC lays one photo over
the other, and there the two must look alike. Keypoints alone would take two photos for one that share a
publisher's mark or a ruler.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import imagehash
import numpy as np
from PIL import Image

LONG_SIDE = 512  # px
CELLS, PER_CELL = 8, 12  # keypoints are taken from everywhere: a mark or a sharp edge must not take them all
HASH_DISTANCE = 10  # of 64 bits; the least of 7,140 pairs of different photos was 18
CLOSE = 64  # of 256 bits between two descriptors
DISTINCT = 0.85  # the best match's distance over the second's, at most
VOTES, CANDIDATES = 4, 5  # descriptors a photo must share to be looked at; photos looked at
INLIERS, REACH = 6, 4.0  # keypoints that agree on one placing, within so many px
SCALE = 5.0  # a crop is at most so much smaller
# Median correlation of windows where the two overlap. Of 90 crops of real photos, re-encoded, those that
# were laid right reached 0.63 and more; 200 pairs of different photos 0.08, two drawn faces laid over each other 0.40.
ALIKE = 0.52
SOFT, WINDOW = 1.5, 21  # px: what a new encoding changes is blurred away; side of a window
STRUCTURE = 1.0  # grey levels: less is a blank area, where nothing can be compared
OVERLAP = 0.3  # of one of the two, at least: a crop lies within its whole
LSH = {"algorithm": 6, "table_number": 8, "key_size": 14, "multi_probe_level": 0}


@dataclass(frozen=True)
class Print:
    """What a photo is known again by: its grey pixels (h, w), hash, keypoints (n, 2) and descriptors (n, 32)."""

    grey: np.ndarray
    hash: imagehash.ImageHash
    points: np.ndarray
    descriptors: np.ndarray

    @functools.cached_property
    def mirrored(self) -> Print:
        return _print_of(np.ascontiguousarray(self.grey[:, ::-1]))


def print_of(photo: np.ndarray) -> Print:
    """Return the print of an RGB photo (H, W, 3) uint8."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    scale = LONG_SIDE / max(grey.shape)
    return _print_of(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _print_of(grey: np.ndarray) -> Print:
    even = cv2.createCLAHE(3.0, (CELLS, CELLS)).apply(grey)
    keypoints, descriptors = cv2.ORB_create(3000, fastThreshold=3).detectAndCompute(even, None)
    points = np.float32([keypoint.pt for keypoint in keypoints]).reshape(-1, 2)
    # The strongest keypoints of each cell.
    x, y = (points * CELLS // np.array(grey.shape[::-1])).astype(int).T
    cell = y * CELLS + x
    order = np.lexsort((np.array([-keypoint.response for keypoint in keypoints]), cell))
    place = np.arange(len(order)) - np.searchsorted(cell[order], cell[order])  # within its cell
    best = order[place < PER_CELL]
    descriptors = np.empty((0, 32), np.uint8) if descriptors is None else descriptors[best]
    return Print(grey, imagehash.phash(Image.fromarray(grey)), points[best], descriptors)


def same_photos(prints: list[Print], groups: list[str]) -> list[tuple[int, int]]:
    """Return the pairs (i < j) of photos of two groups that are one photo."""
    close = ((i, j) for i, j in _close_hashes(prints) if groups[i] != groups[j])
    suspected = {*close, *_by_votes(prints, groups)}
    return [(i, j) for i, j in sorted(suspected) if is_same(prints[i], prints[j])]


def same_hashes(prints: list[Print], groups: list[str]) -> list[tuple[int, int]]:
    """Return the pairs (i < j) within a group that were kept whole: two close-ups of one rash are no copies."""
    pairs = ((i, j) for i, j in _close_hashes(prints) if groups[i] == groups[j])
    return [(i, j) for i, j in pairs if is_same(prints[i], prints[j])]


def _close_hashes(prints: list[Print]) -> Iterator[tuple[int, int]]:
    bits = np.array([own.hash.hash.ravel() for own in prints])
    for i in range(len(prints)):
        close = (bits[i + 1 :] != bits[i]).sum(axis=1) <= HASH_DISTANCE
        yield from ((i, i + 1 + int(j)) for j in np.flatnonzero(close))


def _by_votes(prints: list[Print], groups: list[str]) -> Iterator[tuple[int, int]]:
    """Look each keypoint up among those of all photos; a photo that many of another's lead to is suspected."""
    matcher = cv2.FlannBasedMatcher(LSH, {})
    cv2.setRNGSeed(1)  # for the tables of LSH: the same photos give the same report
    nothing = np.zeros((1, 32), np.uint8)  # FLANN takes no photo without keypoints
    matcher.add([own.descriptors if len(own.descriptors) else nothing for own in prints])
    matcher.train()
    names = np.array(groups)
    for i, own in enumerate(prints):
        for asked in (own, own.mirrored):
            if not len(asked.descriptors):
                continue
            near = [m for some in matcher.knnMatch(asked.descriptors, k=3) for m in some]
            votes = np.bincount([m.imgIdx for m in near if m.distance < CLOSE], minlength=len(prints))
            votes = votes * (names != names[i])
            best = np.argsort(-votes, kind="stable")[:CANDIDATES]
            yield from ((min(i, int(j)), max(i, int(j))) for j in best if votes[j] >= VOTES)


def is_same(one: Print, other: Print) -> bool:
    """Return whether one photo, or its mirror image, can be laid over the other; a crop finds its place sooner."""
    if np.array_equal(one.grey, other.grey):
        return True
    orders = [(asked, b) for a, b in ((one, other), (other, one)) for asked in (a, a.mirrored)]
    return any(_fits(asked, held, lay(asked, held)) for asked, held in orders for lay in LAYINGS)


def _fits(one: Print, other: Print, placing: np.ndarray | None) -> bool:
    if placing is None:
        return False
    size = other.grey.shape[::-1]
    laid = cv2.warpAffine(one.grey, placing, size)
    inside = cv2.warpAffine(np.ones_like(one.grey), placing, size) > 0
    area = abs(np.linalg.det(placing[:, :2])) * one.grey.size
    overlap = inside.sum() / min(area, inside.size)
    return overlap >= OVERLAP and likeness(laid, other.grey, inside) >= ALIKE


def _whole(one: Print, other: Print) -> np.ndarray:
    """Return the 2x3 scale that lays the whole of one photo over the whole of the other."""
    height, width = np.array(other.grey.shape) / one.grey.shape
    return np.float64([[width, 0, 0], [0, height, 0]])


def _placing(one: Print, other: Print) -> np.ndarray | None:
    """Return the 2x3 shift, turn and scale that most matched keypoints agree on; none if too few do."""
    if min(len(one.descriptors), len(other.descriptors)) < INLIERS:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(one.descriptors, other.descriptors, k=2)
    sure = [a for a, b in pairs if a.distance < min(CLOSE, DISTINCT * b.distance)]
    if len(sure) < INLIERS:
        return None
    source, target = one.points[[m.queryIdx for m in sure]], other.points[[m.trainIdx for m in sure]]
    placing, agree = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=REACH)
    if placing is None or agree.sum() < INLIERS:
        return None
    return placing if 1 / SCALE < np.hypot(placing[0, 0], placing[0, 1]) < SCALE else None


LAYINGS = (_whole, _placing)


def likeness(one: np.ndarray, other: np.ndarray, inside: np.ndarray) -> float:
    """Return the median correlation of windows that lie `inside` and have structure; 0 where none has.

    The correlation of the whole would be that of a mark printed into both: white on skin outweighs all else.
    """
    one, other = (cv2.GaussianBlur(grey, (0, 0), SOFT).astype(np.float32) for grey in (one, other))
    a, b = one - _mean(one), other - _mean(other)
    spread = np.sqrt(np.maximum(0, _mean(a * a) * _mean(b * b)))  # a mean's rounding may fall below 0
    shown = cv2.erode(inside.astype(np.uint8), np.ones((WINDOW, WINDOW))) > 0
    shown &= np.maximum(_mean(a * a), _mean(b * b)) > STRUCTURE**2
    return float(np.median((_mean(a * b) / (spread + 1e-6))[shown])) if shown.any() else 0.0


def _mean(values: np.ndarray) -> np.ndarray:
    return cv2.blur(values, (WINDOW, WINDOW))
