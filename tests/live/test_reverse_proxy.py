"""The shipped reverse proxy in front of the real web: unfinished requests, limits, client addresses, headers."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken

from local import proxy
from local.servers import free_port
from teleder.cases.models import Photo
from tests.conftest import JPEG_HEAD
from tests.live.conftest import ROOT, kill, wait_until

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

WEB_THREADS = 8
WORD = "canary-5b1e"
MEGABYTE = 1024 * 1024
READ_BODY_SECONDS = 60


@pytest.fixture
def web() -> int:
    """The port of the real web."""
    return free_port()


@pytest.fixture(scope="module")
def static_files(tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("static"))
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(collect, cwd=ROOT, env=os.environ | {"TELEDER_STATIC_ROOT": folder}, check=True)
    return folder


@pytest.fixture
def web_process(web, environment, process, static_files) -> subprocess.Popen:
    """The real web, configured for a proxy in front of it."""
    environment |= {
        "TELEDER_STATIC_ROOT": static_files,
        "TELEDER_INSECURE_COOKIES": "0",
        "TELEDER_BEHIND_PROXY": "1",
        "TELEDER_HOSTS": "localhost",
        "TELEDER_PUBLIC_URL": "https://localhost",
    }
    found = process("web", "--host", "127.0.0.1", "--port", str(web))
    wait_until(lambda: healthy(f"http://127.0.0.1:{web}"))
    return found


@pytest.fixture
def front(web, web_process, tmp_path) -> Iterator[proxy.Proxy]:
    with started(tmp_path, web) as found:
        yield found


@contextmanager
def started(folder: Path, web: int, seconds: int = READ_BODY_SECONDS) -> Iterator[proxy.Proxy]:
    (folder / "proxy").mkdir()
    with proxy.running(folder / "proxy", web=f"127.0.0.1:{web}", read_body=f"{seconds}s") as found:
        yield found


def healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", headers={"Host": "localhost"}, timeout=5).ok
    except requests.RequestException:
        return False


def ask(front: proxy.Proxy, method: str, path: str, **more) -> requests.Response:
    more = {"timeout": READ_BODY_SECONDS / 2, "allow_redirects": False} | more
    return requests.request(
        method, f"https://localhost:{front.https_port}{path}", verify=str(front.authority), **more
    )


# --- Unfinished requests ----------------------------------------------------------------------------------
PHOTO = b"POST /consultations/%s/photos/add/ HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: %s\r\n"
PHOTO += b"Content-Length: 20000000\r\nX-Forwarded-Proto: https\r\n\r\n--x\r\n"


@contextmanager
def dribbling(connect: Callable[[], socket.socket], number: int, head: bytes) -> Iterator[None]:
    """Keep `number` unfinished requests open and send each a byte from time to time."""
    over = threading.Event()
    with ExitStack() as lines:
        opened = [lines.enter_context(connect()) for _ in range(number)]
        for line in opened:
            line.sendall(head)

        def dribble() -> None:
            while not over.wait(0.5):
                for line in opened:
                    with contextlib.suppress(OSError):  # it was refused
                        line.sendall(b"a")

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def unfinished_photo(draft, patient=None) -> bytes:
    cookie = b""
    if patient:
        client = Client()
        client.force_login(patient)
        cookie = b"Cookie: sessionid=%s\r\n" % client.cookies["sessionid"].value.encode()
    return PHOTO % (str(draft.pk).encode(), cookie, b"multipart/form-data; boundary=x")


def plain(port: int) -> Callable[[], socket.socket]:
    return lambda: socket.create_connection(("127.0.0.1", port), timeout=READ_BODY_SECONDS)


def log_in_page(url: str, **more) -> requests.Response:
    return requests.get(f"{url}{reverse('account_login')}", timeout=READ_BODY_SECONDS / 4, **more)


def test_without_the_proxy_unfinished_photos_stop_no_page(web, web_process, alice, alices_draft):
    """The web keeps threads for pages, and cuts off what does not arrive. It stopped before at as many as it has threads."""
    url, headers = f"http://127.0.0.1:{web}", {"Host": "localhost", "X-Forwarded-Proto": "https"}
    assert log_in_page(url, headers=headers).ok
    with dribbling(plain(web), 60, unfinished_photo(alices_draft, alice)):
        for _ in range(4 * WEB_THREADS):
            assert log_in_page(url, headers=headers).ok


def test_pages_answer_while_eight_and_sixty_photos_are_unfinished(front, alice, alices_draft):
    for number, patient in itertools.product((8, 60), (alice, None)):
        with dribbling(front.connect, number, unfinished_photo(alices_draft, patient)):
            for _ in range(WEB_THREADS):
                assert ask(front, "GET", reverse("account_login")).ok


UNFINISHED = {
    "form": b"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\nlogin=",
    "chunked": b"POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nlogin=\r\n1",
    "body of a GET": b"GET /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\nlogin=",
    "API": b"PUT /api/v1/me HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n{",
    "headers": b"GET /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: a",
}


def test_pages_and_forms_are_answered_while_other_requests_are_unfinished(front):
    wrong = {"email": "nobody@example.com", "password": "wrong-horse-battery"}
    for name, head in UNFINISHED.items():
        with dribbling(front.connect, 60, head):
            for _ in range(WEB_THREADS):
                assert ask(front, "GET", reverse("account_login")).ok, name
            assert ask(front, "POST", reverse("api:tokens"), json=wrong).status_code == 401, name


def test_a_body_that_never_ends_is_cut_off(web, web_process, tmp_path, alices_draft):
    with started(tmp_path, web, seconds=2) as front, front.connect() as line:
        line.sendall(unfinished_photo(alices_draft))
        began = time.monotonic()
        line.settimeout(READ_BODY_SECONDS)
        try:
            answer = line.recv(4096)
        except ssl.SSLError:
            answer = b""
        assert time.monotonic() - began < READ_BODY_SECONDS / 2
        assert not re.match(rb"HTTP/1.1 [23]", answer)
        assert healthy(f"http://127.0.0.1:{web}")


# --- What the proxy passes on and what it refuses ---------------------------------------------------------
def test_the_largest_photo_arrives_complete(front, alice, alices_draft):
    content = JPEG_HEAD + bytes(range(256)) * (25 * 4096)
    content = content[: 25 * MEGABYTE]
    sent = {
        "files": {"file": ("skin.jpg", content, "image/jpeg")},
        "data": {"view": "close_up"},
        "headers": {"Authorization": f"Token {AuthToken.objects.create(alice)[1]}"},
    }
    answer = ask(front, "POST", reverse("api:photos", args=[alices_draft.pk]), **sent)
    assert answer.status_code == 201, answer.text
    assert Photo.objects.get(pk=answer.json()["id"]).size == len(content)


def test_no_outside_request_can_trigger_the_readiness_write(front, web):
    assert ask(front, "GET", "/healthz").status_code == 200
    for inside_only in ("/readyz", "/metrics"):
        assert ask(front, "GET", inside_only).status_code == 404
    inside = requests.get(f"http://127.0.0.1:{web}/readyz", headers={"Host": "localhost"}, timeout=60)
    assert (inside.status_code, inside.text) == (200, "ready\n")


# A body that consists of requests: the unread part must not be answered.
SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000
TOO_LARGE = {
    "/api/v1/submissions/{pk}/photos": 30,
    "/consultations/{pk}/photos/add/": 30,
    "/api/v1/submissions/{pk}/photos/": 30,
    "/accounts/login/": 2,
    "/api/v1/me": 2,
}


def test_a_body_that_is_too_large_is_refused_with_an_explanation(front, alices_draft):
    for path, megabytes in TOO_LARGE.items():
        path = path.format(pk=alices_draft.pk)
        head, body = send_completely(front, path, megabytes * MEGABYTE)
        assert head.startswith("HTTP/1.1 413"), head
        assert "HTTP/1.1" not in body
        assert "25 MB. " in body and "25 MBまで" in body
        if path.startswith("/api/"):
            problem = json.loads(body)
            assert (problem["code"], problem["status"]) == ("body_too_large", 413)
            assert "application/problem+json" in head


def send_completely(front: proxy.Proxy, path: str, size: int) -> tuple[str, str]:
    """Send `size` bytes, or until there is an answer; return its head and body.

    Where bytes arrive after the proxy has closed the connection, TCP may drop an answer that was not read yet.
    """
    answer = b""
    for _try in range(10):
        if answer:
            break
        with front.connect() as line:
            line.sendall(
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()
            )
            sender = threading.Thread(target=send_until_refused, args=(line, size))
            sender.start()
            answer = everything(line)
            sender.join()
    head, _, body = answer.decode().partition("\r\n\r\n")
    return head, body


def everything(line: socket.socket) -> bytes:
    answer = b""
    while piece := received(line):
        answer += piece
    return answer


def received(line: socket.socket) -> bytes:
    try:
        return line.recv(65536)
    except (ConnectionError, ssl.SSLError):
        return b""


def send_until_refused(line: socket.socket, size: int) -> None:
    with contextlib.suppress(OSError):
        for _ in range(size // 65536):
            line.sendall(SMUGGLED.ljust(65536))


def test_the_address_that_a_client_claims_is_ignored(front, alice):
    """Wrong passwords are counted by address: a client that could choose its address would never be limited."""
    sent = {"email": "nobody@example.com", "password": "wrong-horse-battery"}
    made_up = ({"X-Forwarded-For": f"198.51.100.{n}", "Forwarded": f"for=198.51.100.{n}"} for n in range(11))
    path = reverse("api:tokens")
    answers = [ask(front, "POST", path, json=sent, headers=each).status_code for each in made_up]
    assert answers[0] == 401 and answers[-1] == 429


def test_plain_http_is_redirected_to_https(front):
    url = f"http://localhost:{front.http_port}{reverse('account_login')}"
    answer = requests.get(url, allow_redirects=False, headers={"X-Forwarded-Proto": "https"}, timeout=30)
    assert answer.status_code == 308
    # To the port that is served, also where it is not the usual one.
    assert answer.headers["Location"].startswith(f"https://localhost:{front.https_port}/")


def test_no_header_is_duplicated_and_cookies_are_for_https_only(front):
    with front.connect() as line:
        line.sendall(b"GET /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = everything(line)
    lines = answer.partition(b"\r\n\r\n")[0].decode().lower().splitlines()
    names = [each.partition(":")[0] for each in lines[1:]]
    for name in ("strict-transport-security", "x-content-type-options", "content-security-policy"):
        assert names.count(name) == 1, lines
    cookies = [each for each in lines if each.startswith("set-cookie")]
    assert cookies and all("secure" in each for each in cookies)


def test_an_unknown_host_name_gets_no_page(front):
    answer = ask(front, "GET", reverse("account_login"), headers={"Host": "evil.example"})
    assert answer.content == b""


# --- Its log ----------------------------------------------------------------------------------------------
def test_the_log_contains_no_text_of_a_request(front, web_process):
    headers = {"Cookie": f"sessionid={WORD}", "X-Word": WORD, "User-Agent": WORD}
    path = f"/accounts/password/reset/key/{WORD}/?find={WORD}"
    assert ask(front, "GET", path, headers=headers).status_code < 500
    assert ask(front, "POST", path, headers=headers, data=WORD * 200_000).status_code == 413
    kill(web_process)
    refused = ask(front, "POST", path, headers=headers, data=WORD)
    assert refused.status_code in (502, 503) and int(refused.headers["Retry-After"]) > 0
    written = front.log.read_text()
    assert '"level":"error"' in written
    assert WORD not in written
