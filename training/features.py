"""What a Lite0 network makes of a view before its last layer: (N, 1280) features of (N, 224, 224, 3) uint8."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from inference_worker.models import classification, weights
from inference_worker.models.engine import to_tensor
from training import imagenet
from training.recipe import Run, saved_network

BATCH = 32

Extractor = Callable[[np.ndarray], np.ndarray]


def of_imagenet() -> Extractor:
    """Return the features of a network that saw everyday photos only."""
    network = classification.build()
    network.classifier = nn.Linear(network.classifier.in_features, 1000)
    imagenet.load_lite(network)
    return of(network)


def of_classification(run: str | None) -> Extractor:
    """Return the features of a run of `training.classify`, or of the published weights without one."""
    network = classification.build()
    if run:
        return of(saved_network(Run("classify", run), network)[0])
    return of(weights.published("classification").load_into(network))


def of(network: nn.Module) -> Extractor:
    network = network.eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def extract(views: np.ndarray) -> np.ndarray:
        some = (to_tensor(views[i : i + BATCH]) for i in range(0, len(views), BATCH))
        return np.concatenate(
            [network.forward_head(network.forward_features(x), pre_logits=True) for x in some]
        )

    return extract
