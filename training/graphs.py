"""The two networks as OpenVINO graphs and their IR, the files that workers on a CPU run.

    python -m training.graphs [--weights DIR]

writes the IR of published weights again, for a version of OpenVINO with another format. `training.publish` writes it
with the weights.

The graphs compute what `torch_networks` defines (EfficientNet-Lite0 as in timm, DeepLabv3+ as in
segmentation-models-pytorch). Each batch normalisation is folded into the convolution before it. The input are RGB photos
(B, H, W, 3) uint8 of any number and size.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset15

from inference_worker.models import weights

Parameters = Mapping[str, np.ndarray]

# EfficientNet-Lite0: (blocks, stride of the first) of each stage after the stem.
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
ENCODER_EPSILON, DECODER_EPSILON = 1e-3, 1e-5  # of batch normalisation: TensorFlow's, PyTorch's
DETAIL_STAGE = 1  # its output, at a quarter of the photo's sides, shows the decoder where borders are
ATROUS_RATES = (12, 24, 36)
UPSAMPLING = 4.0
COUNTER = "num_batches_tracked"  # of training; no part of the network


def segmentation(parameters: Parameters) -> ov.Model:
    """Return DeepLabv3+: logits (B, 3, H, W) of photos whose sides divide by 16; raises ValueError, see `_model`."""
    return _model("segmentation", parameters, _segmentation)


def features(parameters: Parameters) -> ov.Model:
    """Return the classification's last feature map (B, 1280, H / 32, W / 32); raises ValueError, see `_model`."""
    backbone = {key: value for key, value in parameters.items() if key.startswith("backbone.")}
    return _model("features", backbone, _features)


def ir_of(graph: ov.Model) -> dict[str, bytes]:
    """Return a graph's IR, `xml` and `bin` (its constants in single precision): the same bytes for the same graph."""
    with tempfile.TemporaryDirectory() as folder:
        files = {part: Path(folder) / f"graph.{part}" for part in ("xml", "bin")}
        ov.serialize(graph, files["xml"], files["bin"])
        return {part: file.read_bytes() for part, file in files.items()}


def write_ir(ir: dict[str, bytes], file: str, folder: Path) -> dict[str, dict[str, str]]:
    """Write an IR beside the parameters in `file`; return what `Weights.ir` says of it."""
    said = {}
    for part, content in ir.items():
        path = (folder / file).with_suffix(f".{part}")
        path.write_bytes(content)
        said[part] = {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}
    return said


def _model(name: str, parameters: Parameters, build: Callable[[_Builder], Any]) -> ov.Model:
    """Raise ValueError where the parameters are not exactly those of this network."""
    builder = _Builder(parameters)
    try:
        output = build(builder)
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is missing") from error
    except RuntimeError as error:
        raise ValueError(f"size mismatch: {error}") from error
    if builder.left:
        raise ValueError(f"unexpected: {', '.join(sorted(builder.left))}")
    graph = ov.Model([builder.ops.result(output)], [builder.photos], name)
    # OpenVINO numbers all operations of a process, and an IR would name those built before it.
    for number, operation in enumerate(graph.get_ordered_ops()):
        operation.set_friendly_name(f"{operation.get_type_name()}_{number}")
    graph.input(0).set_names({"photos"})
    graph.output(0).set_names({"output"})
    return graph


class _Builder:
    """Adds layers that take their parameters by name; `left` are the names that none has taken."""

    def __init__(self, parameters: Parameters) -> None:
        self.ops = opset15
        self.parameters = {key: v for key, v in parameters.items() if not key.endswith(COUNTER)}
        self.left = set(self.parameters)
        self.photos = opset15.parameter([-1, -1, -1, 3], np.uint8)

    def pixels(self) -> Any:
        """What Lite0 was trained on: (B, 3, H, W) in -1..1, not the ImageNet mean and deviation."""
        planes = self.ops.transpose(self.ops.convert(self.photos, "f32"), np.array([0, 3, 1, 2]))
        return self.ops.subtract(self.ops.divide(planes, np.float32(127.5)), np.float32(1))

    def convolution(
        self,
        x: Any,
        name: str,
        norm: str = "",
        *,
        epsilon: float = ENCODER_EPSILON,
        stride: int = 1,
        dilation: int = 1,
    ) -> Any:
        """Return the convolution, with its batch normalisation if it has one; padded so that stride 1 keeps the size."""
        weight, bias = self._folded(name, norm, epsilon)
        is_depthwise = weight.shape[1] == 1 and weight.shape[-1] > 1
        # TensorFlow pads a strided convolution at the far sides first, which only the size decides.
        padding = (weight.shape[-1] // 2) * dilation if stride == 1 else 0
        layer = self.ops.group_convolution if is_depthwise else self.ops.convolution
        x = layer(
            x,
            self.ops.constant(weight[:, None] if is_depthwise else weight),
            [stride] * 2,
            [padding] * 2,
            [padding] * 2,
            [dilation] * 2,
            auto_pad="explicit" if stride == 1 else "same_upper",
        )
        return x if bias is None else self.ops.add(x, self.ops.constant(bias.reshape(1, -1, 1, 1)))

    def _folded(self, name: str, norm: str, epsilon: float) -> tuple[np.ndarray, np.ndarray | None]:
        weight = self._take(f"{name}.weight")
        if norm:
            gain, shift, mean, variance = (
                self._take(f"{norm}.{part}") for part in ("weight", "bias", "running_mean", "running_var")
            )
            scale = gain / np.sqrt(variance + epsilon)
            return np.float32(weight * scale[:, None, None, None]), np.float32(shift - mean * scale)
        bias = self._take(f"{name}.bias") if f"{name}.bias" in self.parameters else None
        return np.float32(weight), None if bias is None else np.float32(bias)

    def _take(self, name: str) -> np.ndarray:
        self.left.discard(name)
        return self.parameters[name].astype(np.float64)

    def relu6(self, x: Any) -> Any:
        return self.ops.clamp(x, 0.0, 6.0)

    def decoded(self, x: Any, name: str, norm: str) -> Any:
        """Return a 1 x 1 convolution of the decoder with what follows each."""
        return self.ops.relu(self.convolution(x, name, norm, epsilon=DECODER_EPSILON))

    def enlarged(self, x: Any) -> Any:
        return self.ops.interpolate(
            x,
            np.full(2, UPSAMPLING, np.float32),
            "linear_onnx",
            "scales",
            coordinate_transformation_mode="align_corners",
            axes=np.array([2, 3]),
        )

    def stages(self, prefix: str, output_stride: int) -> list[Any]:
        """Return the output of each stage of EfficientNet-Lite0; beyond `output_stride` it dilates instead of shrinking."""
        x = self.relu6(self.convolution(self.pixels(), f"{prefix}conv_stem", f"{prefix}bn1", stride=2))
        outputs, reached, dilation = [], 2, 1
        for number, (blocks, stride) in enumerate(STAGES):
            shrinks = reached * stride <= output_stride
            reached *= stride if shrinks else 1
            x = self._block(x, f"{prefix}blocks.{number}.0.", stride if shrinks else 1, dilation)
            dilation *= 1 if shrinks else stride
            for block in range(1, blocks):
                x = self.ops.add(self._block(x, f"{prefix}blocks.{number}.{block}.", 1, dilation), x)
            outputs.append(x)
        return outputs

    def _block(self, x: Any, prefix: str, stride: int, dilation: int) -> Any:
        widens = f"{prefix}conv_pwl.weight" in self.parameters  # all but the first block
        if widens:
            x = self.relu6(self.convolution(x, f"{prefix}conv_pw", f"{prefix}bn1"))
        norms = ("bn2", "bn3") if widens else ("bn1", "bn2")
        x = self.convolution(x, f"{prefix}conv_dw", f"{prefix}{norms[0]}", stride=stride, dilation=dilation)
        last = "conv_pwl" if widens else "conv_pw"
        return self.convolution(self.relu6(x), f"{prefix}{last}", f"{prefix}{norms[1]}")


def _features(builder: _Builder) -> Any:
    last = builder.stages("backbone.", output_stride=32)[-1]
    return builder.relu6(builder.convolution(last, "backbone.conv_head", "backbone.bn2"))


def _segmentation(builder: _Builder) -> Any:
    outputs = builder.stages("encoder.model.", output_stride=16)
    ops, last, pyramid = builder.ops, outputs[-1], "decoder.aspp.0.convs."
    parts = [builder.decoded(last, f"{pyramid}0.0", f"{pyramid}0.1")]
    for number, rate in enumerate(ATROUS_RATES, start=1):
        wide = builder.convolution(last, f"{pyramid}{number}.0.0", dilation=rate)
        parts.append(builder.decoded(wide, f"{pyramid}{number}.0.1", f"{pyramid}{number}.1"))
    whole = ops.reduce_mean(last, np.array([2, 3]), keep_dims=True)
    whole = builder.decoded(whole, f"{pyramid}4.1", f"{pyramid}4.2")
    parts.append(ops.broadcast(whole, ops.shape_of(parts[0])))
    x = builder.decoded(ops.concat(parts, 1), "decoder.aspp.0.project.0", "decoder.aspp.0.project.1")
    x = builder.decoded(builder.convolution(x, "decoder.aspp.1.0"), "decoder.aspp.1.1", "decoder.aspp.2")
    detail = builder.decoded(outputs[DETAIL_STAGE], "decoder.block1.0", "decoder.block1.1")
    x = builder.convolution(ops.concat([builder.enlarged(x), detail], 1), "decoder.block2.0.0")
    x = builder.decoded(x, "decoder.block2.0.1", "decoder.block2.1")
    return builder.enlarged(builder.convolution(x, "segmentation_head.0"))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, default=weights.FOLDER, help="folder of a clinic's own")
    folder = parser.parse_args(argv).weights
    table = folder / "table.json"
    rows = json.loads(table.read_text(encoding="utf-8"))
    for row in rows:
        build = segmentation if row["name"] == "segmentation" else features
        ir = ir_of(build(weights.published(row["name"], folder).parameters()))
        row["ir"] = write_ir(ir, row.get("base", row)["file"], folder)
    table.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
