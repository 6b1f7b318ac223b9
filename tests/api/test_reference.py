"""The page at /api/docs shows all that the OpenAPI document says, and its calls work."""

from __future__ import annotations

import re
import shlex
from html import unescape

import pytest
from jsonschema import Draft202012Validator

from teleder.api.reference import Reference
from teleder.api.schema import EnglishGenerator

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def document(django_db_setup, django_db_blocker) -> dict:
    with django_db_blocker.unblock():
        return EnglishGenerator().get_schema(request=None, public=True)


@pytest.fixture
def page(client) -> str:
    return client.get("/api/docs").content.decode()


def article(page: str, id: str) -> str:
    return unescape(re.search(rf'<article id="{re.escape(id)}".*?</article>', page, re.DOTALL)[0])


def operations(document: dict):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_each_operation_is_there_with_its_parameters_bodies_and_answers(document, page):
    for path, method, operation in operations(document):
        shown = article(page, operation["operationId"])
        assert method.upper() in shown and path in shown
        for parameter in operation.get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in shown
            assert parameter.get("description", "") in shown
        for kind in operation.get("requestBody", {}).get("content", {}):
            assert kind in shown
        for status in operation["responses"]:
            assert f'<th scope="row">{status}</th>' in shown


def test_each_schema_is_there_with_every_property_and_value(document, page):
    for name, schema in document["components"]["schemas"].items():
        shown = article(page, f"schema-{name}")
        for property_, part in schema.get("properties", {}).items():
            assert f"<code>{property_}</code>" in shown
            assert part.get("description", "") in shown
            for limit in ("minimum", "maximum", "maxLength", "pattern"):
                assert str(part.get(limit, "")) in shown
        for value in schema.get("enum", []):
            assert str(value) in shown


def test_each_link_within_the_page_has_its_target_and_ids_are_unique(page):
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_each_problem_that_an_operation_foresees_links_to_its_schema(document, page):
    for _path, _method, operation in operations(document):
        shown = article(page, operation["operationId"])
        refused = [status for status in operation["responses"] if int(status) >= 400]
        assert refused and shown.count('href="#schema-Problem"') == len(refused)


def test_each_call_is_one_that_a_shell_understands(document):
    for _tag, group in Reference(document).groups:
        for operation in group:
            words = [word for word in shlex.split(operation.curl) if word != "\n"]
            assert words[0] == "curl" and "{" not in words[-1]
            assert words[-1].startswith(document["servers"][0]["url"])
            method = words[words.index("-X") + 1] if "-X" in words else "GET"
            assert method == operation.method


def test_the_body_of_each_call_fits_its_schema(document):
    reference, checked = Reference(document), 0
    for _path, _method, operation in operations(document):
        for kind, body in operation.get("requestBody", {}).get("content", {}).items():
            if kind == "application/json":
                schema = {**body["schema"], "components": document["components"]}
                Draft202012Validator(schema).validate(reference.example(body["schema"]))
                checked += 1
    assert checked > 10


def test_a_call_without_a_log_in_names_no_token_and_the_others_do(document):
    calls = {each.id: each for _tag, group in Reference(document).groups for each in group}
    assert "Authorization" not in calls["tokens_create"].curl
    assert "Authorization: Token $TOKEN" in calls["me_retrieve"].curl
    assert "-F file=@photo.jpg" in calls["submissions_photos_create"].curl


def test_the_page_is_for_everybody_the_same(client, dana, page):
    client.force_login(dana)
    assert client.get("/api/docs", headers={"accept": "text/html"}).content.decode() == page
