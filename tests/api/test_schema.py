"""The description of the API is whole, current and readable."""

from __future__ import annotations

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from teleder.api.urls import v1

pytestmark = pytest.mark.django_db


def test_the_schema_is_3_1_whole_and_made_without_a_warning():
    GENERATOR_STATS.reset()
    schema = SchemaGenerator().get_schema(request=None, public=True)
    assert not GENERATOR_STATS
    assert schema["openapi"].startswith("3.1")
    described = {path.removeprefix("/api/v1/") for path in schema["paths"]}
    routes = {str(p.pattern).replace("<uuid:pk>", "{id}").replace("<slug:kind>", "{kind}") for p in v1}
    assert described == routes


def test_schema_and_its_page_are_for_everyone(client):
    assert client.get("/api/schema").status_code == 200
    assert client.get("/api/docs").status_code == 200
