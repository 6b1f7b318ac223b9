"""docker-compose.yml runs what `./run demo` runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inference_worker import contract
from local.processes import COMMANDS

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OF_THE_INFERENCE = {queue.removeprefix("inference."): queue for queue in contract.QUEUES.values()}


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"inference"}))
def test_each_process_runs_the_same_command(name):
    address = {"web": " --host 0.0.0.0 --port 8000"}
    assert SERVICES[name]["command"] == COMMANDS[name] + address.get(name, "")


@pytest.mark.parametrize("name", sorted(OF_THE_INFERENCE))
def test_each_queue_has_a_worker_of_its_own(name):
    ours = re.sub(r"-n \S+ -Q \S+", f"-n {name}@%h -Q {OF_THE_INFERENCE[name]}", COMMANDS["inference"])
    assert SERVICES[name]["command"] == ours


def test_every_service_that_lasts_says_whether_it_is_well():
    assert [name for name, row in SERVICES.items() if "healthcheck" not in row and name != "migrate"] == []


def test_workers_hold_no_database_password():
    for name in OF_THE_INFERENCE:
        assert not {"DATABASE_URL", "POSTGRES_PASSWORD"} & set(SERVICES[name]["environment"])
        assert "env_file" not in SERVICES[name]


def test_the_web_image_has_no_torch():
    lock = (ROOT / "requirements-web.lock").read_text()
    assert not re.search(r"^(torch|torchvision|opencv|pillow|timm)", lock, re.MULTILINE)
    assert "torch" not in (ROOT / "docker" / "web.Dockerfile").read_text().split("FROM", 1)[1]
