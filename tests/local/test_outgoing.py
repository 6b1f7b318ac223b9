"""The product contacts only its own servers, so that no address given by a user is ever called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core.validators import URLValidator
from django.db import models

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = {
    "aiohttp",
    "boto3",
    "ftplib",
    "http.client",
    "httpx",
    "paramiko",
    "pycurl",
    "requests",
    "smtplib",
    "socket",
}
CLIENTS |= {"telnetlib", "urllib.request", "urllib3", "websocket", "websockets", "xmlrpc"}


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


# Addresses of the operator's environment: Django's own mail backend with other quoting of recipients (TELEDER_EMAIL_URL), and
# the webhook of who is on call (TELEDER_ON_CALL_WEBHOOK) and the service that waits for our sign of life (TELEDER_DEAD_MAN_URL),
# which follow no redirect, and our own web (TELEDER_WATCH_URL). Of http.client only an error is imported.
OF_THE_OPERATOR = [
    "teleder/accounts/mail_backends.py: smtplib",
    "teleder/notifications/webhook.py: http.client",
    "teleder/notifications/webhook.py: urllib.request",
    "teleder/watching.py: urllib.request",
]


def callers(root: Path) -> list[str]:
    """Return the modules of the running product that import a client of a network protocol."""
    files = [
        file
        for package in ("contract", "teleder", "inference_worker", "decoding", "registration")
        for file in (root / package).rglob("*.py")
    ]
    return [
        f"{file.relative_to(root)}: {name}"
        for file in files
        for name in imported(file)
        if name in CLIENTS or name.partition(".")[0] in CLIENTS
    ]


def test_no_module_imports_a_network_client():
    assert sorted(callers(ROOT)) == OF_THE_OPERATOR


@pytest.mark.parametrize(
    "line", ["import requests", "from urllib.request import urlopen", "import http.client"]
)
def test_a_planted_client_is_found(tmp_path, line):
    (tmp_path / "teleder").mkdir()
    (tmp_path / "teleder" / "hooks.py").write_text(line)
    assert callers(tmp_path)


def test_no_table_stores_a_url_to_call():
    fields = [field for model in apps.get_models() for field in model._meta.get_fields()]
    assert len(fields) > 100
    addresses = [
        str(field)
        for field in fields
        if isinstance(field, models.URLField)
        or any(isinstance(each, URLValidator) for each in getattr(field, "validators", []))
    ]
    assert addresses == []
