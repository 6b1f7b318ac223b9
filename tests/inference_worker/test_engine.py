"""The choice of the device on which a network runs."""

from __future__ import annotations

import logging
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from inference_worker.models import engine


def test_without_a_gpu_networks_run_on_the_cpu_and_the_reason_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.INFO):
        chosen = engine.select_device()
    assert chosen.device == "cpu"
    assert "no GPU found" in caplog.text


def test_an_available_gpu_is_used(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    assert engine.select_device() == engine.TorchEngine("cuda", "Some GPU")
    assert engine.select_device("cpu").device == "cpu"


def test_requiring_a_missing_gpu_fails_at_the_start(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="no GPU"):
        engine.select_device("cuda")
    with pytest.raises(ValueError, match="auto, cpu, cuda"):
        engine.select_device("tpu")


def test_a_prepared_network_returns_arrays_and_does_not_train():
    run = engine.select_device("cpu").prepare_model(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Dropout(0.5)))
    photos = np.full((2, 8, 6, 3), 255, np.uint8)
    first, again = run(photos), run(photos)
    assert first.shape == (2, 2, 8, 6) and first.dtype == np.float32
    assert (first == again).all()  # eval mode: no dropout


def test_black_is_minus_one_and_white_is_one():
    photos = np.stack([np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)])
    assert engine.to_tensor(photos).flatten().tolist() == [-1, -1, -1, 1, 1, 1]


def test_importing_the_models_creates_no_network_and_checks_no_gpu():
    code = (
        "import torch, timm, segmentation_models_pytorch\n"
        "def no(*a, **k): raise SystemExit('touched at import')\n"
        "torch.nn.Module.__init__ = torch.cuda.is_available = no\n"
        "import inference_worker.models.engine, inference_worker.models.segmentation, inference_worker.models.classification\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-800:]
