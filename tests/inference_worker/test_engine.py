"""The choice of what runs the networks, and where."""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

from inference_worker.models import engine, openvino_engine
from inference_worker.models.torch_engine import TorchEngine, normalised


@pytest.fixture(autouse=True)
def no_setting(monkeypatch):
    monkeypatch.delenv(engine.SETTING, raising=False)


def gpus(monkeypatch, are_there: bool) -> None:
    monkeypatch.setattr(engine, "has_gpu", lambda: are_there)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: are_there)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")


def test_without_a_gpu_openvino_runs_on_the_cpu_and_the_reason_is_logged(monkeypatch, caplog):
    gpus(monkeypatch, False)
    with caplog.at_level(logging.INFO):
        chosen = engine.select_engine()
    assert (chosen.name, chosen.device, chosen.precision) == ("openvino", "cpu", "f32")
    assert "networks run by openvino on cpu: the default" in caplog.text


def test_with_a_gpu_torch_runs_on_it_in_single_precision(monkeypatch):
    gpus(monkeypatch, True)
    chosen = engine.select_engine()
    assert (chosen.name, chosen.device, chosen.precision) == ("torch", "cuda", "f32")
    assert "Some GPU" in chosen.reason
    assert engine.select_engine("cpu").name == "openvino"


def test_a_gpu_without_torch_is_left_alone(monkeypatch):
    gpus(monkeypatch, True)
    monkeypatch.setattr(engine, "find_spec", lambda _name: None)
    assert engine.select_engine().name == "openvino"


@pytest.mark.parametrize("name", engine.ENGINES)
def test_a_setting_names_the_engine(monkeypatch, name):
    gpus(monkeypatch, False)
    monkeypatch.setenv(engine.SETTING, name)
    assert (engine.select_engine().name, engine.select_engine().device) == (name, "cpu")


def test_what_cannot_run_is_refused_and_says_why(monkeypatch):
    gpus(monkeypatch, False)
    with pytest.raises(engine.EngineError, match="no GPU"):
        engine.select_engine("cuda")
    with pytest.raises(engine.EngineError, match="auto, cpu, cuda"):
        engine.select_engine("tpu")
    monkeypatch.setenv(engine.SETTING, "openvino")
    with pytest.raises(engine.EngineError, match="runs on the CPU"):
        engine.select_engine("cuda")
    monkeypatch.setenv(engine.SETTING, "onnx")
    with pytest.raises(engine.EngineError, match="openvino, openvino-bf16, torch, torch-bf16"):
        engine.select_engine()


def test_openvino_computes_in_single_precision_also_where_the_processor_has_half():
    """Asked for nothing, OpenVINO would take bf16 there."""
    assert openvino_engine.settings("f32")["INFERENCE_PRECISION_HINT"] == "f32"
    assert openvino_engine.settings("f32")["INFERENCE_NUM_THREADS"] == 1


def test_a_prepared_network_returns_arrays_and_does_not_train():
    run = TorchEngine("cpu", "for tests").prepare_model(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Dropout(0.5)))
    photos = np.full((2, 8, 6, 3), 255, np.uint8)
    first, again = run(photos), run(photos)
    assert first.shape == (2, 2, 8, 6) and first.dtype == np.float32
    assert (first == again).all()  # eval mode: no dropout


def test_black_is_minus_one_and_white_is_one():
    photos = np.stack([np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)])
    assert normalised(torch.from_numpy(photos)).flatten().tolist() == [-1, -1, -1, 1, 1, 1]


def test_importing_the_models_creates_no_network_and_imports_no_engine():
    code = (
        "import sys\n"
        "from inference_worker.models import attribution, classification, engine, segmentation, weights\n"
        "sys.exit(' '.join({'torch', 'openvino', 'timm'} & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-800:]


def test_importing_pytorchs_engine_creates_no_network_and_checks_no_gpu():
    code = (
        "import torch, timm, segmentation_models_pytorch\n"
        "def no(*a, **k): raise SystemExit('touched at import')\n"
        "torch.nn.Module.__init__ = torch.cuda.is_available = no\n"
        "import inference_worker.models.torch_engine\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-800:]


def test_nothing_that_sends_telemetry_is_installed():
    assert find_spec("openvino_telemetry") is None
