"""Callers of the API: each has an English client that accepts only responses that match the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.api.description import DescribedClient

API = "/api/v1"


@pytest.fixture
def caller() -> Callable:
    def make(person=None, language: str = "en") -> DescribedClient:
        client = DescribedClient(HTTP_ACCEPT_LANGUAGE=language)
        if person is not None:
            client.force_login(person)
        return client

    return make


@pytest.fixture
def as_alice(caller, alice):
    return caller(alice)


@pytest.fixture
def as_bob(caller, bob):
    return caller(bob)


@pytest.fixture
def as_dana(caller, dana):
    return caller(dana)


@pytest.fixture
def as_adam(caller, adam):
    return caller(adam)
