"""A proxy on loopback between a browser and the live server. It cuts every request once, as a bad connection does."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import closing, suppress
from enum import StrEnum
from socketserver import StreamRequestHandler, ThreadingTCPServer

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=/)\d+(?=/)")
STALL_SECONDS = 3
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 11\r\nConnection: close\r\n\r\nBad Gateway"


class Fault(StrEnum):
    DROP = "drop"  # closed before the request reaches the server
    LOSE = "lose"  # the server does what was asked, and its answer is lost
    STALL = "stall"  # nothing for a while, then closed
    BAD_GATEWAY = "502"


class CuttingProxy(ThreadingTCPServer):
    """Forwards each request to `address`; the first one of each method and path (ids left out) meets the fault."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], fault: Fault) -> None:
        super().__init__(("localhost", 0), _Handler)
        self.address, self.fault = address, fault
        self.cut: list[str] = []
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_address[1]}"

    def meets_fault(self, method: str, path: str) -> bool:
        name = f"{method} {ID.sub('*', path.partition('?')[0])}"
        with self.lock:
            if name in self.cut:
                return False
            self.cut.append(name)
            return True

    def handle_error(self, request: object, client_address: object) -> None:
        """The browser goes away whenever it likes."""


class _Handler(StreamRequestHandler):
    server: CuttingProxy

    def handle(self) -> None:
        head = self._head()
        if not head:
            return
        method, path, _version = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        body = self.rfile.read(int(length[1])) if length else b""
        fault = self.server.fault if self.server.meets_fault(method, path) else None
        if fault == Fault.STALL:
            time.sleep(STALL_SECONDS)
        if fault in (Fault.DROP, Fault.STALL):
            return
        if fault == Fault.BAD_GATEWAY:
            self.wfile.write(BAD_GATEWAY)
            return
        answer = self._ask(re.sub(rb"(?im)^connection: .*\r\n", b"", head), body)
        if fault != Fault.LOSE:
            self.wfile.write(answer)

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return b""
            head += line
        return head

    def _ask(self, head: bytes, body: bytes) -> bytes:
        head = head.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
        with closing(socket.create_connection(self.server.address)) as server, suppress(ConnectionError):
            server.sendall(head + body)
            parts = []
            while part := server.recv(65536):
                parts.append(part)
        return b"".join(parts)
