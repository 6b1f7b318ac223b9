"""The import rules; each rule fails on a planted import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "contract",
    "teleder",
    "decoding",
    "registration",
    "inference_worker",
    "training",
    "local",
    "drills",
    "benchmarks",
)
LINT = shutil.which("lint-imports", path=str(Path(sys.executable).parent))


def lint(folder: Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        [LINT, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        leave_out = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.bin", "static")
        shutil.copytree(ROOT / package, folder / package, ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.skipif(not LINT, reason="import-linter is not installed (extra [dev])")
@pytest.mark.parametrize(
    ("place", "planted", "contract"),
    [
        ("contract/messages.py", "import teleder.celery", "imports neither side"),
        ("contract/messages.py", "import inference_worker.app", "imports neither side"),
        ("contract/photos.py", "import decoding.formats", "imports neither side"),
        ("contract/storage/base.py", "import django", "imports neither side"),
        ("contract/storage/base.py", "import cv2", "imports neither side"),
        ("teleder/cases/triage/__init__.py", "import torch", "never decodes"),
        ("teleder/web/context.py", "import PIL.Image", "never decodes"),
        ("teleder/pipeline/queue.py", "import inference_worker.tasks", "never decodes"),
        ("teleder/cases/intake.py", "import decoding.sandbox", "never decodes"),
        ("decoding/decoders.py", "import inference_worker.photo_files", "of ours only the contract"),
        ("decoding/decoders.py", "import contract.messaging", "of ours only the contract"),
        ("decoding/sandbox.py", "import contract.encryption", "of ours only the contract"),
        ("decoding/formats.py", "import teleder.celery", "of ours only the contract"),
        ("registration/alignment.py", "import inference_worker.models.segmentation", "none of ours"),
        ("registration/area.py", "import torch", "none of ours"),
        ("inference_worker/models/quality.py", "import decoding.decoders", "preparation and tasks alone"),
        ("inference_worker/models/quality.py", "import django", "no web"),
        ("inference_worker/tasks.py", "import teleder", "no web"),
        ("inference_worker/models/engine.py", "import training", "imports training"),
        ("teleder/cases/training.py", "import training.data", "imports training"),
        ("teleder/accounts/people.py", "import teleder.cases.models", "over accounts"),
        ("teleder/accounts/people.py", "import teleder.security.mfa", "over accounts"),
        ("teleder/security/mfa.py", "import teleder.cases.models", "over accounts"),
        ("teleder/pipeline/queue.py", "import teleder.notifications.models", "over accounts"),
        ("teleder/api/urls.py", "import teleder.web.urls", "over accounts"),
        ("teleder/pipeline/queue.py", "import teleder.cases.intake", "over triage"),
        ("teleder/cases/transitions.py", "import teleder.pipeline.queue", "over triage"),
        ("teleder/pipeline/transitions.py", "import teleder.cases.models", "over triage"),
        ("teleder/cases/triage/__init__.py", "import teleder.cases.models", "over triage"),
        ("local/lock.py", "import drills.oracle", "over local"),
    ],
)
def test_a_planted_import_is_found(copy, place, planted, contract):
    file = copy / place
    text = file.read_text()
    future = "from __future__ import annotations\n"
    planting = text.replace(future, future + planted + "\n", 1) if future in text else planted + "\n" + text
    file.write_text(planting)
    try:
        result = lint(copy)
    finally:
        file.write_text(text)
    broken = [line for line in result.stdout.splitlines() if "BROKEN" in line]
    assert result.returncode and any(contract in line for line in broken), result.stdout


def test_the_web_imports_neither_torch_nor_decoders():
    """Import every module of the web in a new process and check which others were imported."""
    script = (
        "import django, importlib, pkgutil, sys; django.setup(); import teleder\n"
        "for m in pkgutil.walk_packages(teleder.__path__, 'teleder.'):\n"
        "    importlib.import_module(m.name)\n"
        "print(sorted({'torch', 'torchvision', 'cv2', 'PIL'} & set(sys.modules)), len(sys.modules))\n"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "teleder.settings"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("[] ")
