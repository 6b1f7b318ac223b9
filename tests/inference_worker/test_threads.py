"""How many processes run the networks, and with how many threads, is the product's decision."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contract import environment

ROOT = Path(__file__).resolve().parents[2]
LOADED = """
import json, os
from inference_worker.app import app
from inference_worker import tasks
import cv2, torch
from inference_worker.models import openvino_engine
print(json.dumps({
    "cv2": cv2.getNumThreads(), "torch": torch.get_num_threads(), "processes": app.conf.worker_concurrency,
    "openvino": openvino_engine.settings("f32")["INFERENCE_NUM_THREADS"],
}))
"""


def loaded_with(**given: str) -> dict[str, int]:
    """What a worker's process works with that was started in this environment."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=ROOT,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_users_environment_gives_no_process_a_second_thread():
    """Two threads took two to seven times the CPU time of one on a machine with other load."""
    asked = dict.fromkeys(environment.THREADS, "8") | {environment.PROCESSES: "3"}
    assert loaded_with(**asked) == {"cv2": 1, "torch": 1, "openvino": 1, "processes": 3}


def test_there_is_a_process_for_each_core_that_may_be_used(monkeypatch):
    monkeypatch.delenv(environment.PROCESSES, raising=False)
    monkeypatch.setattr(environment, "Path", lambda _: ROOT / "no-device")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5}, raising=False)
    assert environment.inference_processes() == 3


@pytest.mark.parametrize(("workers", "each"), [("1", 5), ("2", 2), ("9", 1)])
def test_workers_on_one_machine_share_its_cores(monkeypatch, workers, each):
    monkeypatch.delenv(environment.PROCESSES, raising=False)
    monkeypatch.setattr(environment, "Path", lambda _: ROOT / "no-device")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(5)), raising=False)
    monkeypatch.setenv(environment.WORKERS, workers)
    assert environment.inference_processes() == each


def test_a_gpu_has_one_process(monkeypatch, tmp_path):
    monkeypatch.delenv(environment.PROCESSES, raising=False)
    monkeypatch.setattr(environment, "Path", lambda _: tmp_path)
    (tmp_path / "nvidia0").touch()
    assert environment.inference_processes() == 1


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_number_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv(environment.PROCESSES, text)
    with pytest.raises(environment.InvalidSettingError, match=environment.PROCESSES):
        environment.inference_processes()


@pytest.mark.parametrize(("workers", "slots", "window"), [("1", "3", "6"), ("2", "6", "12")])
def test_the_window_follows_the_number_of_workers_and_processes(workers, slots, window):
    told = "import teleder.settings as s; print(s.INFERENCE_SLOTS, s.JOB_WINDOW)"
    given = os.environ | {environment.PROCESSES: "3", environment.WORKERS: workers}
    given.pop("TELEDER_INFERENCE_SLOTS", None)
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, env=given, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [slots, window]
