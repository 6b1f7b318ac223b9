"""The anchor of `benchmarks.intake`: what an upload must do, and nothing else.

A child of it, one for each process of the web: in THREADS threads it hashes, encrypts and stores the photo as the product does
(the product's own classes: written, fsynced, linked, its folders fsynced) and commits as often. No HTTP, no Django.

    python -m benchmarks.intake_anchor PHOTO COUNT THREADS      waits for a line, prints {"seconds": , "cpu": }
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

from benchmarks.intake_form import form
from contract import encryption, storage

COMMITS = 2  # the photo with its job, and the entry of the audit log
TABLE = "CREATE TABLE IF NOT EXISTS anchor (id bigserial PRIMARY KEY, key text)"


def main() -> None:
    photo, count, threads = Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), int(sys.argv[3])
    keys, files, own = encryption.from_environment(), storage.from_environment(), threading.local()

    def connect() -> None:
        own.connection = psycopg.connect(os.environ["DATABASE_URL"])

    def upload(_number: int) -> None:
        _head, comment, rest, _tail = form(photo)
        digest = hashlib.sha256(comment)
        digest.update(rest)
        key = f"photos/{uuid.uuid4()}/original/{digest.hexdigest()}"
        files.create(key, keys.sealed([comment, rest], key))
        for _ in range(COMMITS):
            own.connection.execute("INSERT INTO anchor (key) VALUES (%s)", [key])
            own.connection.commit()

    with ThreadPoolExecutor(threads, initializer=connect) as pool:
        list(pool.map(upload, range(threads)))
        print("ready", flush=True)
        sys.stdin.readline()
        began, cpu = time.monotonic(), time.process_time()
        list(pool.map(upload, range(count)))
        found = {"seconds": time.monotonic() - began, "cpu": (time.process_time() - cpu) * 1000 / count}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
