"""Shows which areas of a photo supported a condition in the network's arithmetic. For clinicians, never for patients.

Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391) on the last feature map. One linear layer follows it, so that the
gradient is known without a run of the network: the same map as captum's, within its rounding. What it says is coarse,
7 x 7 fields a view, and it says where, not why; `training.sanity` shows that it depends on the weights.
"""

from __future__ import annotations

import cv2
import numpy as np

from contract.alarms import Condition
from contract.messages import Attribution, Box, Classified
from inference_worker.models.classification import CLASSES, CONDITIONS, Evidence

LONG_SIDE = 256  # px of the picture; the map itself has 7 x 7 fields a view


def maps_of(evidence: Evidence, condition: Condition) -> np.ndarray:
    """Return a map (N, 7, 7) of each view: above zero supports the condition.

    Explained are the log odds, log p / (1 - p): a bare logit would show what supports every condition alike.
    """
    own = members(condition)
    # Of log odds a class's logit has as gradient its share among the classes on its side.
    gradient = np.where(own, _shares(evidence.logits, own), -_shares(evidence.logits, ~own))
    return np.einsum("nhwc,nc->nhw", evidence.fields, gradient)


def _shares(logits: np.ndarray, among: np.ndarray) -> np.ndarray:
    raised = np.exp(np.where(among, logits - logits[:, among].max(axis=1, keepdims=True), -np.inf))
    return raised / raised.sum(axis=1, keepdims=True)


def picture(photo: np.ndarray, boxes: tuple[Box, ...], found: Classified, evidence: Evidence) -> np.ndarray:
    """Return (h, w, 3) uint8: red the whole photo's map, green that of the box that decided, in its place.

    `evidence` is of the whole photo and of each of its boxes. Each map is scaled to its own maximum; what is against the
    condition is 0.
    """
    condition, number = decisive(found)
    maps = maps_of(evidence, condition)
    scale = min(1.0, LONG_SIDE / max(photo.shape))
    drawn = np.zeros((*(max(1, round(side * scale)) for side in photo.shape[:2]), 3), np.uint8)
    drawn[..., 0] = _stretched(maps[0], *drawn.shape[:2])
    if number is not None:
        box = boxes[number]
        left, top = round(box.x * scale), round(box.y * scale)
        right, bottom = round((box.x + box.width) * scale), round((box.y + box.height) * scale)
        area = drawn[top : max(bottom, top + 1), left : max(right, left + 1), 1]
        area[:] = _stretched(maps[number + 1], *area.shape)
    return drawn


def explain(
    photo: np.ndarray, boxes: tuple[Box, ...], found: Classified, evidence: Evidence, key: str
) -> tuple[Attribution, bytes]:
    """Return the description of the map for the web, and its picture as PNG."""
    condition, box = decisive(found)
    _ok, png = cv2.imencode(".png", picture(photo, boxes, found, evidence)[..., ::-1])
    return Attribution(key=key, condition=condition, box=box), png.tobytes()


def decisive(found: Classified) -> tuple[Condition, int | None]:
    """Return the condition to explain, of an alarm, else named or highest, and the number of the box that supports it most."""
    alarm = next((alarm.condition for alarm in found.alarms if alarm.rings), None)
    condition = alarm or found.top or Condition(max(found.probabilities, key=found.probabilities.get))
    crops = [view for view in found.views if view.box is not None]
    return condition, max(crops, key=lambda v: v.probabilities[condition]).box if crops else None


def members(condition: Condition) -> np.ndarray:
    """Return which of the network's classes count as the condition, (6,) bool; healthy skin is OTHER."""
    reported = [name if name in CONDITIONS else Condition.OTHER.value for name in CLASSES]
    return np.array([name == condition for name in reported])


def _stretched(fields: np.ndarray, height: int, width: int) -> np.ndarray:
    support = np.clip(fields, 0, None)
    shares = support / max(float(support.max()), 1e-12)
    return cv2.resize((255 * shares).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
