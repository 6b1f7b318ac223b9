"""Shows which areas of a photo supported a condition in the network's arithmetic. For clinicians, never for patients.

Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391) on the last feature map. What it says is coarse, 7 x 7 fields
a view, and it says where, not why; `training.sanity` shows that it depends on the weights.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from captum.attr import LayerGradCam

from contract.alarms import Condition
from contract.messages import Attribution, Box, Classified
from inference_worker.models.classification import CLASSES, CONDITIONS, Classifier, crops_of
from inference_worker.models.engine import to_tensor

LONG_SIDE = 256  # px of the picture; the map itself has 7 x 7 fields a view


class Attributor:
    """Maps what supported a condition, with the network of a classifier."""

    def __init__(self, classifier: Classifier) -> None:
        network, self.device = classifier.network, classifier.device
        network.requires_grad_(False)
        last = network.backbone.bn2
        last.requires_grad_(True)  # the graph begins here, so that a map costs little more than a run
        self._cam = LayerGradCam(lambda views, own: log_odds(network(views), own), last)

    def __call__(self, views: np.ndarray, condition: Condition) -> np.ndarray:
        """Return maps (N, 7, 7) float32 for views (N, 224, 224, 3) uint8: above zero supports the condition."""
        batch = to_tensor(views).to(self.device, memory_format=torch.channels_last)
        with torch.enable_grad():
            maps = self._cam.attribute(batch, additional_forward_args=members(condition).to(self.device))
        return maps[:, 0].detach().cpu().numpy()

    def picture(self, photo: np.ndarray, boxes: tuple[Box, ...], found: Classified) -> np.ndarray:
        """Return (h, w, 3) uint8: red the whole photo's map, green that of the box that decided, in its place.

        Each is scaled to its own maximum; what is against the condition is 0.
        """
        condition, number = decisive(found)
        chosen = [] if number is None else [boxes[number]]
        maps = self(crops_of(photo, chosen), condition)
        drawn = np.zeros((*photo.shape[:2], 3), np.uint8)
        drawn[..., 0] = _stretched(maps[0], *photo.shape[:2])
        for box, own in zip(chosen, maps[1:], strict=True):
            area = drawn[box.y : box.y + box.height, box.x : box.x + box.width, 1]
            area[:] = _stretched(own, *area.shape)
        scale = min(1.0, LONG_SIDE / max(photo.shape))
        return cv2.resize(drawn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

    def explain(
        self, photo: np.ndarray, boxes: tuple[Box, ...], found: Classified, key: str
    ) -> tuple[Attribution, bytes]:
        """Return the description of the map for the web, and its picture as PNG."""
        condition, box = decisive(found)
        _ok, png = cv2.imencode(".png", self.picture(photo, boxes, found)[..., ::-1])
        return Attribution(key=key, condition=condition, box=box), png.tobytes()


def decisive(found: Classified) -> tuple[Condition, int | None]:
    """Return the condition to explain, of an alarm, else named or highest, and the number of the box that supports it most."""
    alarm = next((alarm.condition for alarm in found.alarms if alarm.rings), None)
    condition = alarm or found.top or Condition(max(found.probabilities, key=found.probabilities.get))
    crops = [view for view in found.views if view.box is not None]
    return condition, max(crops, key=lambda v: v.probabilities[condition]).box if crops else None


def members(condition: Condition) -> torch.Tensor:
    """Return which of the network's classes count as the condition, (6,) bool; healthy skin is OTHER."""
    reported = [name if name in CONDITIONS else Condition.OTHER.value for name in CLASSES]
    return torch.tensor([name == condition for name in reported])


def log_odds(logits: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Return (N,) log p / (1 - p). A bare logit would show what supports every condition alike."""
    return logits[:, own].logsumexp(1) - logits[:, ~own].logsumexp(1)


def _stretched(fields: np.ndarray, height: int, width: int) -> np.ndarray:
    support = np.clip(fields, 0, None)
    shares = support / max(float(support.max()), 1e-12)
    return cv2.resize((255 * shares).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
