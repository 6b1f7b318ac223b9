"""What the frozen network makes of photos: (1 + crops, 1280) features of the whole photo and of its automatic crops.

They are kept in runs/features/, by the networks and by each file's content, so that a second look costs seconds.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from contract.drawn import Rectangle
from inference_worker.models import weights
from inference_worker.models.classification import FEATURES, crops_of
from inference_worker.models.cropping import boxes_of
from inference_worker.models.segmentation import Segmenter
from inference_worker.models.torch_engine import TorchEngine, normalised
from inference_worker.models.torch_networks import Network
from training import imagenet
from training.data import Crop, Row, read_photo
from training.evaluate import ANALYSIS_LONG_SIDE

BATCH = 32
KEPT = Path("runs/features")
SAID_EVERY = 50  # photos

Extractor = Callable[[np.ndarray], np.ndarray]
log = logging.getLogger(__name__)


def start() -> Network:
    """Return the network with the ImageNet features, rounded as its file will hold them, and an empty last layer."""
    network = Network()
    head = network.backbone.classifier
    network.backbone.classifier = nn.Linear(FEATURES, 1000)
    imagenet.load_lite(network.backbone)
    network.backbone.classifier = head
    network.backbone.half().float()
    return network.eval()


def of(network: nn.Module) -> Extractor:
    """Return a function from views (N, 224, 224, 3) uint8 to features (N, 1280) float32."""
    network = network.eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def extract(views: np.ndarray) -> np.ndarray:
        some = (normalised(torch.from_numpy(views[i : i + BATCH])) for i in range(0, len(views), BATCH))
        return np.concatenate(
            [network(x.contiguous(memory_format=torch.channels_last)).numpy() for x in some]
        )

    return extract


def of_photos(
    rows: Sequence[Row], kept: Path = KEPT, network: Network | None = None, *, as_drawn: bool = False
) -> list[np.ndarray]:
    """Return for each row's photo the features (1 + crops, 1280) of what the worker would look at.

    Without a `network` of published weights its features are those of ImageNet. `as_drawn`: where a dermatologist drew a crop, it
    takes the place of the automatic ones.
    """
    segmentation = weights.published("segmentation")
    segmenter = Segmenter(segmentation, TorchEngine("cpu", "features are the same bytes again"))
    backbone = (network or start()).backbone
    extract = of(backbone)
    folder = kept / f"{segmentation.sha256[:12]}-{digest_of(backbone)}"
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number, row in enumerate(rows, start=1):
        drawn = row.crop if as_drawn else None
        content = row.path.read_bytes() + (repr(drawn).encode() if drawn else b"")
        path = folder / f"{hashlib.sha256(content).hexdigest()[:24]}.npy"
        if not path.exists():
            photo = read_photo(row.path, ANALYSIS_LONG_SIDE)
            boxes = [_in_pixels(drawn, photo)] if drawn else boxes_of(segmenter([photo])[0])[0]
            views = crops_of(photo, boxes)
            partial = path.with_suffix(".partial.npy")
            np.save(partial, extract(views))
            partial.replace(path)
        found.append(np.load(path))
        if number % SAID_EVERY == 0:
            log.info("%d of %d photos", number, len(rows))
    return found


def _in_pixels(crop: Crop, photo: np.ndarray) -> Rectangle:
    height, width = photo.shape[:2]
    x, y = (min(int(share * side), side - 1) for share, side in zip(crop[:2], (width, height), strict=True))
    sides = (max(1, round(share * side)) for share, side in zip(crop[2:], (width, height), strict=True))
    return Rectangle(x=x, y=y, **dict(zip(("width", "height"), sides, strict=True)))


def digest_of(network: nn.Module) -> str:
    """Return a short hash of a network's parameters."""
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:12]
