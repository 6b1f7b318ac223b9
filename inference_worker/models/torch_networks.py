"""The two networks in PyTorch: what is trained, what runs on a GPU, and the reference for the OpenVINO IR.

Nothing here is imported where OpenVINO runs the networks.
"""

from __future__ import annotations

import timm
import torch
from segmentation_models_pytorch import DeepLabV3Plus
from torch import nn

from inference_worker.models.classification import CLASSES, FEATURES
from inference_worker.models.segmentation import CLASSES as AREAS
from inference_worker.models.segmentation import STRIDE
from inference_worker.models.weights import Weights

DECODER_CHANNELS = 128


class DeepLab(DeepLabV3Plus):
    """DeepLabv3+ with output stride 16; logits (B, 3, H, W) of photos (B, 3, H, W) whose sides divide by 16.

    `lite` is the size of its EfficientNet-Lite encoder; what is published has 0.
    """

    def __init__(self, lite: int = 0) -> None:
        super().__init__(
            f"tu-tf_efficientnet_lite{lite}",
            encoder_weights=None,  # published weights bring all; training starts from `training.imagenet`
            encoder_output_stride=STRIDE,
            decoder_channels=DECODER_CHANNELS,
            classes=len(AREAS),
        )


class Network(nn.Module):
    """EfficientNet-Lite0 and one linear layer over its features: logits (B, 6) of photos (B, 3, 224, 224).

    `means` (6, 1280) are the mean features of each class's training photos. No weight is trained but the layer's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
        self.head = nn.Linear(FEATURES, len(CLASSES))
        self.register_buffer("means", torch.zeros(len(CLASSES), FEATURES))

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(photos))


class FeatureMap(nn.Module):
    """The last feature map (B, 1280, 7, 7) of a classification network, whose mean are its features."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.backbone = network.backbone

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return self.backbone.forward_features(photos)


def loaded(weights: Weights, network: nn.Module) -> nn.Module:
    """Fill a network, in single precision; raises RefusedWeightsError where the parameters are not exactly its own."""
    state = {key: torch.tensor(value) for key, value in weights.parameters().items()}
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise weights.refused(f"expected the parameters of this release's network; {error}") from error
    return network.eval()
