"""Bodies that arrive slowly hold few threads of the web."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

import pytest

from teleder import slow_bodies

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def places() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(slow_bodies.AT_ONCE)


@pytest.fixture
def answers(places, monkeypatch) -> Callable:
    """Ask an application that reads its body; return the status, what it read, and how many places were free after that."""
    monkeypatch.setattr(slow_bodies, "WAIT_SECONDS", 0.01)

    def ask(content: bytes, **announced: str) -> tuple[str, bytes, int]:
        read, free, said = b"", 0, []

        def reading(environ: dict[str, Any], start_response: Callable) -> list[bytes]:
            nonlocal read, free
            try:
                while piece := environ["wsgi.input"].read(1000):
                    read += piece
            except OSError:
                read = b"none"
            free = places._value
            start_response("200 OK", [])
            return []

        environ = {"wsgi.input": io.BytesIO(content), **announced}
        slow_bodies.bounded(reading, places)(environ, lambda status, *_: said.append(status))
        return said[-1], read, free

    return ask


def test_a_body_is_read_as_it_came_and_its_place_is_free_as_soon_as_it_is_there(answers):
    assert answers(CONTENT, CONTENT_LENGTH=str(len(CONTENT))) == ("200 OK", CONTENT, 2)
    assert answers(CONTENT) == ("200 OK", CONTENT, 2), "of unknown length"
    assert answers(b"", CONTENT_LENGTH="0") == ("200 OK", b"", 2)


def test_while_two_bodies_are_read_a_third_is_sent_away_and_pages_are_answered(answers, places):
    for _ in range(slow_bodies.AT_ONCE):
        places.acquire()
    assert answers(CONTENT, CONTENT_LENGTH="9")[:2] == ("503 Service Unavailable", b"none")
    assert answers(b"", CONTENT_LENGTH="0")[0] == "200 OK", "it has no body"
    places.release()
    assert answers(CONTENT)[0] == "200 OK"


def test_a_place_is_given_back_by_a_client_that_has_gone(places):
    def failing(environ, start_response):
        environ["wsgi.input"].readline(10)
        assert places._value == slow_bodies.AT_ONCE - 1
        raise OSError

    application = slow_bodies.bounded(failing, places)
    with pytest.raises(OSError, match=""):
        application({"wsgi.input": io.BytesIO(CONTENT), "CONTENT_LENGTH": "1000"}, None)
    assert places._value == slow_bodies.AT_ONCE


def test_a_body_that_nobody_reads_takes_no_place(places):
    def refusing(environ, start_response):
        assert places._value == slow_bodies.AT_ONCE
        return [b"no"]

    assert slow_bodies.bounded(refusing, places)({"wsgi.input": io.BytesIO(CONTENT)}, None) == [b"no"]
