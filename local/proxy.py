"""The shipped reverse proxy (docker/Caddyfile) on loopback ports, for tests and measurements."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.servers import ServerError, free_port, stop

CADDYFILE = Path(__file__).resolve().parents[1] / "docker" / "Caddyfile"
START_SECONDS = 60


@dataclass(frozen=True)
class Proxy:
    """A running proxy: its ports on 127.0.0.1, the authority that signed its certificate, its log."""

    process: subprocess.Popen
    http_port: int
    https_port: int
    authority: Path
    log: Path

    def connect(self, seconds: float = 60) -> ssl.SSLSocket:
        """Open a TLS connection that checks the certificate of `localhost`."""
        context = ssl.create_default_context(cafile=str(self.authority))
        line = socket.create_connection(("127.0.0.1", self.https_port), timeout=seconds)
        return context.wrap_socket(line, server_hostname="localhost")


@contextmanager
def running(folder: Path, *, web: str, read_body: str = "5m") -> Iterator[Proxy]:
    """Run the proxy before the web at `web` ("host:port"); stop it at the end. Raises ServerError."""
    http_port, https_port = free_port(), free_port()
    told = {
        "TELEDER_HOSTS": "localhost",
        "TELEDER_HTTP_PORT": str(http_port),
        "TELEDER_HTTPS_PORT": str(https_port),
        "TELEDER_PROXY_BIND": "127.0.0.1",
        "TELEDER_PROXY_READ_BODY": read_body,
        "TELEDER_PROXY_SOCKET": str(folder / "whole-requests.sock"),
        "TELEDER_WEB": web,
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
    }
    log = folder / "proxy.log"
    command = [str(Path(sys.executable).parent / "caddy"), "run", "--config", str(CADDYFILE)]
    with log.open("ab") as file:
        process = subprocess.Popen(
            command, env=os.environ | told, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
    authority = folder / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    proxy = Proxy(process, http_port, https_port, authority, log)
    try:
        _wait_until_it_answers(proxy)
        yield proxy
    finally:
        stop(process)


def _wait_until_it_answers(proxy: Proxy) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and proxy.process.poll() is None:
        try:
            proxy.connect().close()
        except OSError:  # no port yet, or no certificate
            time.sleep(0.1)
        else:
            return
    raise ServerError(f"The proxy did not start; the end of its log:\n{proxy.log.read_text()[-2000:]}")
