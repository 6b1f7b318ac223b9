"""A worker on a CPU analyses photos where torch is not installed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2

from contract import encryption
from training import phantom

ROOT = Path(__file__).resolve().parents[2]
KEY = "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="  # of these tests only
WORKER = """
import json, sys
from pathlib import Path
for name in ("torch", "torchvision", "timm", "segmentation_models_pytorch", "captum"):
    sys.modules[name] = None  # any import of it fails

from contract import messages
from contract.messages import Request, Stage
from contract.storage import FileStorage
from inference_worker import tasks

tasks.photo_storage = lambda: FileStorage(Path(sys.argv[1]))
told = []
tasks.send_to_web = lambda name, kwargs, **_: told.append((name, kwargs))

def run(stage, source):
    row = Request(stage=stage, job="job", attempt=1, photo="photo", source=source, prefix=f"out/{stage}")
    getattr(tasks, stage)(**messages.pack_requests([row]))
    (row,) = told[-1][1]["results"]
    return messages.unpack_outcome(contract=messages.VERSION, kind=row["kind"], outcome=row["outcome"])

prepared = run(Stage.PREPARE, sys.argv[2])
analysed = run(Stage.ANALYSE, prepared.analysis_key)
segmented, classified = analysed.segmented, analysed.classified
checked = run(Stage.CHECK, prepared.analysis_key)
print(json.dumps({
    "boxes": len(segmented.boxes), "signs": len(segmented.signs), "conditions": len(classified.probabilities),
    "map": classified.attribution.key, "skin": checked.skin, "engine": tasks.loading.engine_of_this_worker().name,
    "imported": sorted({"torch", "timm"} & {name for name, module in sys.modules.items() if module}),
}))
"""


def test_a_drawn_photo_is_analysed_from_original_to_heat_map(tmp_path):
    scene = phantom.draw(1, condition="AD").photo
    photo = cv2.imencode(".jpg", scene[..., ::-1])[1].tobytes()
    original = hashlib.sha256(photo).hexdigest()  # as the last part of an original's key
    (tmp_path / original).write_bytes(photo)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TELEDER_")}
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(tmp_path), original],
        env=environment | {"PYTHONPATH": str(ROOT), encryption.NAME: KEY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["boxes"] and found["signs"] and found["conditions"] == 5 and found["skin"] > 0.5
    assert found["map"] == "out/analyse/attribution.png" and (tmp_path / found["map"]).exists()
    assert (found["engine"], found["imported"]) == ("openvino", [])
