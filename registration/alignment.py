"""Lays one photo of a place of skin over another: features of its texture, and a homography by RANSAC.

SIFT (Lowe 2004) with root descriptors (Arandjelovic and Zisserman 2012), MAGSAC (Barath et al. 2019). A homography is
exact for a flat place and any two cameras; skin that bends leaves a residual. The limits were set on drawn scenes and
on photos that may be trained on: docs/models/registration.md has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

BACKGROUND, SKIN, LESION = range(3)  # of a class map
DETECTORS = ("SIFT", "ORB")  # the first is the one in use; OpenCV 5 has AKAZE in its contrib package alone
LONG_SIDE = 768  # px of both photos while they are compared; all lengths below are for this size
LOCAL_SIGMA = 24.0  # px; light that varies more slowly than this is removed
TEXTURE_FLOOR = 0.012  # of log intensity; weaker texture is noise and is not amplified
BORDER = 4  # px of skin beside background and lesion that are not used
MOST_FEATURES = 3000
RATIO = 0.85  # nearest over second nearest descriptor (Lowe)
THRESHOLD = 3.0  # px: a match farther off is an outlier
ITERATIONS = 5000
NEAR = 15.0  # px from the inliers' plane: skin bends, and few wrong matches come so near
LEAST_FEATURES = 40  # in each photo
LEAST_INLIERS = 12
LARGEST_ZOOM = 2.5  # at any inlier, either way: beyond it the pixels of one photo show another texture
LARGEST_STRETCH = (
    2.2  # the longer over the shorter axis of a small circle: a view at 63 degrees from the side
)
LEAST_OVERLAP = 0.3  # of the smaller skin area
LEAST_SPREAD = (
    0.1  # of the healthy skin both show, by the landmarks' hull: a logo or a mole alone fixes no plane
)
LEAST_CORRELATION = 0.1  # of the normalised healthy skin of both, where they overlap
CORRELATION_SIGMA = 2.0  # px, so that a residual does not hide agreement


class NotComparable(StrEnum):
    """Why two photos were not compared. Stored, so never renamed."""

    NO_SKIN = "no_skin"
    NO_LESION = "no_lesion"
    TOO_FEW_FEATURES = "too_few_features"
    TOO_FEW_MATCHES = "too_few_matches"
    DISTORTED = "distorted"
    LITTLE_OVERLAP = "little_overlap"
    OTHER_PLACE = "other_place"


@dataclass(frozen=True)
class Alignment:
    """How the second photo lies over the first, in px of both at LONG_SIDE.

    `matrix` (3, 3) float64 takes points of the second photo to the first. `landmarks` (2, N, 2) float32: the matched
    points in the first and in the second, of which `inliers` agree exactly. `residual_px` is their root mean square
    distance, `overlap` the share of the smaller skin area that both show, `spread` the area of the landmarks' convex
    hull over that of the healthy skin both show, `correlation` -1 to 1 of the normalised healthy skin.
    """

    matrix: np.ndarray
    landmarks: np.ndarray
    inliers: int
    residual_px: float
    overlap: float
    spread: float
    correlation: float


def working_copy(photo: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a photo (H, W, 3) and its class map (H, W), both uint8, at LONG_SIDE."""
    scale = LONG_SIDE / max(photo.shape[:2])
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(photo, (width, height), interpolation=interpolation)
    return small, cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)


def normalised(photo: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Return the texture of skin (H, W) float32 without colour and slow changes of light; 0 elsewhere.

    In logarithms a lamp's colour, an exposure and a shadow are sums: each channel loses its median over `skin`
    (H, W) bool (grey world on skin), the mean of the channels its local mean, and it is divided by its local deviation.
    """
    logs = np.log(photo.astype(np.float32) + 4.0)
    for channel in range(3):
        logs[..., channel] -= np.median(logs[..., channel][skin])
    grey = logs @ np.float32([0.25, 0.5, 0.25])
    weight = skin.astype(np.float32)
    share = cv2.GaussianBlur(weight, (0, 0), LOCAL_SIGMA) + 1e-6
    centred = (grey - cv2.GaussianBlur(grey * weight, (0, 0), LOCAL_SIGMA) / share) * weight
    deviation = np.sqrt(cv2.GaussianBlur(centred**2, (0, 0), LOCAL_SIGMA) / share)
    return (centred / (deviation + TEXTURE_FLOOR)).astype(np.float32)


def align(
    first: np.ndarray,
    second: np.ndarray,
    first_mask: np.ndarray,
    second_mask: np.ndarray,
    detector: str = DETECTORS[0],
) -> Alignment | NotComparable:
    """Return how `second` lies over `first`, or why it is not known. Deterministic.

    Photos (H, W, 3) uint8 RGB and class maps (H, W) uint8, both at LONG_SIDE; the two may differ in shape.
    """
    first_skin, second_skin = first_mask > 0, second_mask > 0
    if not (first_skin.any() and second_skin.any()):
        return NotComparable.NO_SKIN
    textures = [normalised(first, first_skin), normalised(second, second_skin)]
    found = _features(textures[0], first_mask, detector), _features(textures[1], second_mask, detector)
    if min(len(points) for points, _descriptors in found) < LEAST_FEATURES:
        return NotComparable.TOO_FEW_FEATURES
    ones, others = _matches(*found, detector)
    if len(ones) < LEAST_INLIERS:
        return NotComparable.TOO_FEW_MATCHES
    matrix, is_inlier = cv2.findHomography(
        others, ones, cv2.USAC_MAGSAC, THRESHOLD, maxIters=ITERATIONS, confidence=0.9999
    )
    if matrix is None or np.count_nonzero(is_inlier) < LEAST_INLIERS:
        return NotComparable.TOO_FEW_MATCHES
    inliers = others[is_inlier.ravel() > 0]
    if _is_distorted(matrix, inliers):
        return NotComparable.DISTORTED
    near = ((moved(matrix, others) - ones) ** 2).sum(axis=1) < NEAR**2
    landmarks = np.stack([points[near] for points in (ones, others)])
    matrix, _all = cv2.findHomography(landmarks[1], landmarks[0], 0)  # least squares
    if matrix is None or _is_distorted(matrix, landmarks[1]):
        return NotComparable.DISTORTED
    size = first_skin.shape[::-1]
    there = cv2.warpPerspective(second_mask, matrix, size, flags=cv2.INTER_NEAREST)
    overlap = np.count_nonzero(first_skin & (there > 0)) / max(
        1.0, min(np.count_nonzero(first_skin), local_area(matrix, second_skin).sum())
    )
    if overlap < LEAST_OVERLAP:
        return NotComparable.LITTLE_OVERLAP
    healthy = (first_mask == SKIN) & (there == SKIN)
    spread = cv2.contourArea(cv2.convexHull(landmarks[0])) / max(1, np.count_nonzero(healthy))
    textures[1] = cv2.warpPerspective(textures[1], matrix, size)
    seen = [cv2.GaussianBlur(texture, (0, 0), CORRELATION_SIGMA)[healthy] for texture in textures]
    deviations = [texture - texture.mean() for texture in seen] if healthy.any() else [np.zeros(1)] * 2
    length = np.sqrt(np.prod([one @ one for one in deviations]))
    correlation = float(deviations[0] @ deviations[1] / length) if length > 0 else 0.0
    if spread < LEAST_SPREAD or correlation < LEAST_CORRELATION:
        return NotComparable.OTHER_PLACE
    away = moved(matrix, landmarks[1]) - landmarks[0]
    residual = float(np.sqrt((away**2).sum(axis=1).mean()))
    return Alignment(matrix, landmarks, len(inliers), residual, float(overlap), float(spread), correlation)


def moved(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points (N, 2), x and y in px, taken through a homography."""
    return cv2.perspectiveTransform(points[None].astype(np.float64), matrix)[0]


def local_area(matrix: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return how large each pixel of `mask` (H, W) bool is after a homography, (N,) float64 in px of the target."""
    y, x = np.nonzero(mask)
    depth = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    return np.abs(np.linalg.det(matrix) / depth**3)  # the Jacobian's determinant


def _features(texture: np.ndarray, mask: np.ndarray, detector: str) -> tuple[np.ndarray, np.ndarray]:
    """Return points (N, 2) float32 and descriptors (N, D) of healthy skin.

    The lesion is what changes: a plane laid through its own texture says that it kept its size.
    """
    grey = np.clip(128 + 40 * texture, 0, 255).astype(np.uint8)
    kernel = np.ones((2 * BORDER + 1, 2 * BORDER + 1), np.uint8)
    healthy = (mask == SKIN).astype(np.uint8)
    inside = cv2.erode(healthy, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    if detector == "SIFT":
        finder = cv2.SIFT_create(MOST_FEATURES, contrastThreshold=0.03)
    else:
        finder = cv2.ORB_create(MOST_FEATURES, fastThreshold=10)
    points, descriptors = finder.detectAndCompute(grey, inside * 255)
    if descriptors is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 1), np.float32)
    if detector == "SIFT":
        descriptors = np.sqrt(descriptors / (descriptors.sum(axis=1, keepdims=True) + 1e-7))
    return np.float32([point.pt for point in points]), descriptors


def _matches(first: tuple, second: tuple, detector: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the points (N, 2) float32 of mutual nearest neighbours that pass the ratio test, in both photos."""
    matcher = cv2.BFMatcher(cv2.NORM_L2 if detector == "SIFT" else cv2.NORM_HAMMING)
    there = matcher.knnMatch(first[1], second[1], k=2)
    back = {match.queryIdx: match.trainIdx for match in matcher.match(second[1], first[1])}
    kept = [
        (near.queryIdx, near.trainIdx)
        for near, far in there
        if near.distance < RATIO * far.distance and back[near.trainIdx] == near.queryIdx
    ]
    indices = np.array(kept, int).reshape(-1, 2)
    return first[0][indices[:, 0]], second[0][indices[:, 1]]


def _is_distorted(matrix: np.ndarray, points: np.ndarray) -> bool:
    """Return whether no camera sees skin so: mirrored, or at any of the points too large, too small or too slanted."""
    depth = points @ matrix[2, :2] + matrix[2, 2]
    if np.linalg.det(matrix) <= 0 or depth.min() * depth.max() <= 0:
        return True
    target = moved(matrix, points)
    top = matrix[None, :2, :2] - target[:, :, None] * matrix[None, 2:, :2]
    axes = np.linalg.svd(
        top / depth[:, None, None], compute_uv=False
    )  # (N, 2): long and short axis of a circle
    zoom = np.sqrt(axes.prod(axis=1))
    return bool(
        zoom.max() > LARGEST_ZOOM
        or zoom.min() < 1 / LARGEST_ZOOM
        or (axes[:, 0] / axes[:, 1]).max() > LARGEST_STRETCH
    )
