"""Memory of the reverse proxy while many photos of 25 MB are almost there: `python -m benchmarks.proxy_memory [--uploads 60]`.

Runs the shipped Caddyfile before a server that answers 200 to everything; prints one line of JSON.
"""

from __future__ import annotations

import argparse
import http.server
import json
import re
import ssl
import tempfile
import threading
from collections import Counter
from pathlib import Path

from local.proxy import Proxy, running

MEGABYTE = 1024 * 1024
PHOTO = b"POST /consultations/0/photos/add/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
SECONDS = 120


class Web(http.server.ThreadingHTTPServer):
    request_queue_size = 200


class Answering(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uploads", type=int, default=60)
    uploads = parser.parse_args().uploads
    with (
        tempfile.TemporaryDirectory() as folder,
        Web(("127.0.0.1", 0), Answering) as web,
    ):
        threading.Thread(target=web.serve_forever, daemon=True).start()
        with running(Path(folder), web=f"127.0.0.1:{web.server_port}") as proxy:
            found = measure(proxy, uploads)
        web.shutdown()
    print(json.dumps(found))


def measure(proxy: Proxy, uploads: int) -> dict[str, object]:
    """Hold back the last byte of each photo until all others were sent; return answers and the peak in MB."""
    ready, answers = threading.Barrier(uploads + 1), Counter()

    def upload() -> None:
        with proxy.connect() as line:
            line.sendall(PHOTO % (25 * MEGABYTE))
            try:
                for _ in range(25):
                    line.sendall(b"\0" * (MEGABYTE - 1))
                line.sendall(b"\0" * 24)
                line.settimeout(1)
                answers[line.recv(64).split()[1].decode()] += 1  # refused before all was there
            except TimeoutError:
                pass
            except (ConnectionError, ssl.SSLError):
                answers["cut"] += 1
                ready.wait(SECONDS)
                return
            ready.wait(SECONDS)
            line.settimeout(SECONDS)
            line.sendall(b"\0")
            answers[line.recv(64).split()[1].decode()] += 1

    threads = [threading.Thread(target=upload) for _ in range(uploads)]
    for thread in threads:
        thread.start()
    ready.wait(SECONDS)
    for thread in threads:
        thread.join(SECONDS)
    status = Path(f"/proc/{proxy.process.pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+)", status)
    return {"uploads": uploads, "answers": answers, "peak_mb": int(peak[1]) // 1024}


if __name__ == "__main__":
    main()
