"""`python -m tests.upgrades.make [COMMIT...]`: write a fixture of an earlier version (default: this one).

Its own code makes the tables, the demo's people and cases with small drawn photos, and its own processes work until nothing
moves. The fixture holds the tables as SQL and the storage of photos. Packages that only the earlier version needs go to a
folder of PYTHONPATH (`pip install --no-deps --target FOLDER drf-spectacular-sidecar`).
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import psycopg

from drills.client import photo
from local import servers

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "fixtures"
CLASSES, PHOTOS_OF_EACH, SIDE = ("AD", "HI", "IM", "MF", "OTHER", "NORMAL"), 6, 272
QUALITY = 40  # of the JPEG: a fixture is committed
WORK_SECONDS = 240
KEY = "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="
PROCESSES = """
import os, sys
from pathlib import Path
from local.processes import COMMANDS, Supervisor
supervisor = Supervisor(root=Path.cwd(), logs=Path(sys.argv[1]), environment=dict(os.environ))
for name in ("results", "sweeper", "prepare", "inference"):
    if name in COMMANDS:
        supervisor.start(name)
sys.stdin.read()
supervisor.stop()
"""


def make(commit: str) -> Path:
    short = subprocess.run(
        ["git", "rev-parse", "--short=7", commit], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="teleder-fixture-") as name:
        folder = Path(name)
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as code:
            code.extractall(folder / "code", filter="data")
        draw(folder / "photos")
        (folder / "media").mkdir()
        with servers.running(folder / "servers", given={}) as found:
            told = environment(found, folder)
            for command in (
                ["migrate", "-v0"],
                ["init_storage"],
                ["demo", "--photos", str(folder / "photos")],
            ):
                done = subprocess.run([sys.executable, "manage.py", *command], cwd=folder / "code", env=told)
                if done.returncode and command[0] != "init_storage":  # earlier versions have none
                    raise SystemExit(f"{commit}: {command[0]} failed")
            work(folder, told, found.database_url)
            dump = [servers.postgres_binaries() / "pg_dump", "--no-owner", "--no-privileges"]
            dump += [f"--file={folder}/tables.sql", f"--dbname={found.database_url}"]
            subprocess.run(dump, check=True)
        FOLDER.mkdir(exist_ok=True)
        target = FOLDER / f"{short}.tar.gz"
        with tarfile.open(target, "w:gz") as fixture:
            fixture.add(folder / "tables.sql", "tables.sql")
            fixture.add(folder / "media", "media")
        print(f"{target}: {target.stat().st_size // 1024} kB", flush=True)
        return target


def draw(folder: Path) -> None:
    """Draw small photos and the manifest that the demo of each version reads."""
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "class"])
        for condition in CLASSES:
            for number in range(PHOTOS_OF_EACH):
                name = f"{condition}-{number}.jpg"
                drawn = "NORMAL" if condition == "NORMAL" else condition
                (folder / name).write_bytes(small(photo(drawn, seed=number, long_side=SIDE)))
                rows.writerow([name, condition])


def small(jpeg: bytes) -> bytes:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def environment(found: servers.Servers, folder: Path) -> dict[str, str]:
    """What all versions read; each ignores what it does not know."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "teleder.settings",
        "DATABASE_URL": found.database_url,
        "REDIS_URL": found.redis_url,
        "TELEDER_SECRET_KEY": "tests-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEF",
        "TELEDER_PHOTO_KEYS": KEY,
        "TELEDER_MEDIA_ROOT": str(folder / "media"),
        "TELEDER_STORAGE": (folder / "media").as_uri(),
        "TELEDER_EMAIL_URL": f"file://{folder}/mail",
        "TELEDER_INSECURE_COOKIES": "1",
        "TELEDER_STAFFED_HOURS": "always",
        "TELEDER_INFERENCE_PROCESSES": "1",
        "TELEDER_LOG_LEVEL": "WARNING",
    }


def work(folder: Path, told: dict[str, str], url: str) -> None:
    """Let the version's own processes work until no job is unfinished and every message is sent."""
    command = [sys.executable, "-c", PROCESSES, str(folder / "logs")]
    process = subprocess.Popen(command, cwd=folder / "code", env=told, stdin=subprocess.PIPE)
    waiting = "SELECT count(*) FROM cases_job WHERE state IN ('queued', 'sent', 'started')"
    end = time.monotonic() + WORK_SECONDS
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            quiet = 0
            while quiet < 5 and time.monotonic() < end:
                time.sleep(2)
                quiet = 0 if connection.execute(waiting).fetchone()[0] else quiet + 1
            states = connection.execute(
                "SELECT stage, state, count(*) FROM cases_job GROUP BY 1, 2"
            ).fetchall()
            print(*states, sep="\n", flush=True)
    finally:
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    for each in sys.argv[1:] or ["HEAD"]:
        make(each)
