"""A linear probe: one layer over frozen features, its alarm lines, and how far a photo may lie from what it saw.

The recipe is fixed, not chosen: with one to six photos of a disease, leaving some out chooses nothing. Weights come
from features as `features.of_photos` gives them, one mean for each photo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from inference_worker.models.classification import (
    CLASSES,
    CONDITIONS,
    distance,
    pooled,
    softmax,
)
from inference_worker.models.torch_networks import Network

C = 0.001  # inverse of the penalty; 1e-4 to 1e-2 give the same
TOLERANCE = 1e-8  # of the solver: elsewhere than here the weights agree within 1e-4
NEVER = -1000.0  # bias of a class without a photo: its probability is 0
BUDGET = 0.15  # share of AD and OTHER that all alarms together may ring for
IN_SCOPE = 0.95  # share of photos left out in turn that lie within the distance
HARMLESS = ("AD", "OTHER")


class TooFewPhotosError(ValueError):
    """The photos do not allow a probe, or an alarm line."""


@dataclass(frozen=True)
class Probe:
    """`weight` (6, 1280) and `bias` (6,) give logits of features; `means` (6, 1280) are the classes' mean features.

    Other features than the shipped ones (`training.variants`) have another width.
    """

    weight: np.ndarray
    bias: np.ndarray
    means: np.ndarray

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return probabilities (N, 5) in the order of CONDITIONS for features (N, 1280)."""
        return softmax(features.astype(np.float64) @ self.weight.T + self.bias)

    def distance(self, features: np.ndarray) -> float:
        return distance(features, self.means)

    def write_into(self, network: Network) -> Network:
        values = {"head.weight": self.weight, "head.bias": self.bias, "means": self.means}
        state = {name: torch.from_numpy(value).float() for name, value in values.items()}
        network.load_state_dict(network.state_dict() | state)
        return network


def means_of(photos: Sequence[np.ndarray]) -> np.ndarray:
    """Return (N, 1280), one row for each photo's features (1 + crops, 1280)."""
    return np.stack([pooled(photo) for photo in photos]).astype(np.float64)


def fit(features: np.ndarray, labels: Sequence[str]) -> Probe:
    """Return the probe of features (N, 1280) and their classes; what was standardised is folded into the weights.

    Raises TooFewPhotosError for fewer than two classes.
    """
    names = sorted(set(labels), key=CLASSES.index)
    if len(names) < 2:
        raise TooFewPhotosError(f"photos of {', '.join(names) or 'no class'} alone teach no difference")
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread == 0] = 1.0
    numbers = np.array([CLASSES.index(label) for label in labels])
    # The optimum lies in the span of the few photos: solved there it is the same, and twenty times as fast.
    left, size, span = np.linalg.svd((features - centre) / spread, full_matrices=False)
    solver = LogisticRegression(C=C, class_weight="balanced", tol=TOLERANCE, max_iter=10_000)
    solver.fit(left * size, numbers)
    coefficients = solver.coef_ @ span
    weight, bias = np.zeros((len(CLASSES), features.shape[1])), np.full(len(CLASSES), NEVER)
    # Of two classes the solver returns one row, that of the second against the first.
    found = coefficients if len(names) > 2 else np.concatenate([-coefficients, coefficients]) / 2
    start = (
        solver.intercept_ if len(names) > 2 else np.concatenate([-solver.intercept_, solver.intercept_]) / 2
    )
    weight[solver.classes_] = found / spread
    bias[solver.classes_] = start - found @ (centre / spread)
    means = np.zeros_like(weight)
    for number in solver.classes_:
        means[number] = features[numbers == number].mean(axis=0)
    return Probe(weight, bias, means)


@dataclass(frozen=True)
class LeftOut:
    """What probes say of photos that they did not learn from: `joint` (N, 5), `highest` (N, 5) over the views, `far` (N,).

    A row of nan is a photo without whose group its class would vanish: a probe that never saw a class is not scored on it.
    """

    joint: np.ndarray
    highest: np.ndarray
    far: np.ndarray


def leave_one_group_out(
    photos: Sequence[np.ndarray], labels: Sequence[str], groups: Sequence[str]
) -> LeftOut:
    """Return what each photo, (1 + crops, 1280), gets from a probe of all other groups."""
    means, classes = means_of(photos), np.array(labels)
    joint, highest = (np.full((len(photos), len(CONDITIONS)), np.nan) for _ in range(2))
    far = np.full(len(photos), np.nan)
    for own, rest in folds(groups):
        probe = fit(means[rest], list(classes[rest]))
        for i in own:
            far[i] = probe.distance(means[i])
            if classes[i] in classes[rest]:
                joint[i] = probe.probabilities(means[i : i + 1])[0]
                highest[i] = probe.probabilities(photos[i]).max(axis=0)
    return LeftOut(joint, highest, far)


def unseen(probe: Probe, photos: Sequence[np.ndarray]) -> LeftOut:
    """Return what one probe says of photos, (1 + crops, 1280) each, of groups that it never learned from."""
    means = means_of(photos)
    highest = np.array([probe.probabilities(photo).max(axis=0) for photo in photos])
    return LeftOut(probe.probabilities(means), highest, np.array([probe.distance(mean) for mean in means]))


def folds(groups: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the photos of each group, and all others."""
    names = np.array(groups)
    for name in sorted(set(groups)):
        yield np.flatnonzero(names == name), np.flatnonzero(names != name)


def alarm_lines(scores: np.ndarray, conditions: Sequence[str], budget: float = BUDGET) -> dict[str, float]:
    """Return a line for each condition, so that all alarms together ring for at most `budget` of harmless photos.

    `scores` (N, 5) are probabilities of photos of AD and OTHER that trained nothing. Each alarm rings for about as many.
    Raises TooFewPhotosError where so few photos cannot show such a share.
    """
    allowed = int(budget * len(scores))
    if not allowed:
        raise TooFewPhotosError(f"{len(scores)} photos of AD and OTHER: too few to draw an alarm line")
    columns = [CONDITIONS.index(name) for name in conditions]
    ranked = np.sort(scores[:, columns], axis=0)[::-1]  # highest first
    for each in range(allowed, -1, -1):
        # Between the last photo that may ring and the next one.
        lines = (ranked[each - 1] + ranked[each]) / 2 if each else (1 + ranked[0]) / 2
        if (scores[:, columns] >= lines).any(axis=1).sum() <= allowed:
            break
    return {name: round(float(line), 6) for name, line in zip(conditions, lines, strict=True)}
