"""The OpenAPI document as rows for the page that shows it: operations, their parameters, answers, schemas and a curl call."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

ID = "019f0000-0000-7000-8000-000000000000"
MOMENT, DAY = "2026-12-01T09:00:00+09:00", "2026-12-01"
BY_FORMAT = {
    "uuid": ID,
    "date-time": MOMENT,
    "date": DAY,
    "email": "hanako@example.com",
    "uri": "https://teleder.example",
}
LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "{} letters or more",
    "maxLength": "{} letters or fewer",
    "maxItems": "{} items or fewer",
    "pattern": "matches {}",
    "default": "without it: {}",
}
DEPTH = 6  # of an example; what is deeper is left out
FORM = "multipart/form-data"
TEXTS = {"application/json", "application/problem+json"}


@dataclass(frozen=True)
class Part:
    """A piece of a type in words; `schema` is the name of the schema to which it links."""

    text: str
    schema: str = ""


@dataclass(frozen=True)
class FieldRow:
    """A parameter, a header, or a property of a schema."""

    name: str
    type: list[Part]
    is_required: bool
    description: str = ""
    limits: list[str] = field(default_factory=list)
    place: str = ""  # of a parameter: path, query or header


@dataclass(frozen=True)
class Body:
    media_type: str
    type: list[Part]


@dataclass(frozen=True)
class ResponseRow:
    status: str
    description: str
    bodies: list[Body]
    headers: list[FieldRow]


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    description: str
    log_ins: list[str]
    parameters: list[FieldRow]
    bodies: list[Body]
    answers: list[ResponseRow]
    curl: str


@dataclass(frozen=True)
class Schema:
    name: str
    description: str
    type: list[Part]
    rows: list[FieldRow]
    is_closed: bool  # no other property may be sent


class Reference:
    """Reads one document. Whatever it names is shown: a test compares the page with the document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document, self.info = document, document["info"]
        self.server = document["servers"][0]["url"]
        self.schemas_by_name: dict[str, Any] = document["components"]["schemas"]

    @cached_property
    def groups(self) -> list[tuple[str, list[Operation]]]:
        """The operations by tag, in the order of their paths."""
        found: dict[str, list[Operation]] = {}
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                found.setdefault(operation["tags"][0], []).append(self._operation(path, method, operation))
        return sorted(found.items())

    @cached_property
    def schemas(self) -> list[Schema]:
        return [
            Schema(
                name,
                description=schema.get("description", ""),
                type=self.type_of(schema),
                rows=list(self._rows(schema)),
                is_closed=schema.get("additionalProperties") is False,
            )
            for name, schema in sorted(self.schemas_by_name.items())
        ]

    @cached_property
    def log_ins(self) -> list[tuple[str, str]]:
        """The ways to log in, with their descriptions."""
        schemes = self.document["components"]["securitySchemes"]
        return [(name, scheme.get("description", "")) for name, scheme in schemes.items()]

    # --- Operations ---------------------------------------------------------------------------------------
    def _operation(self, path: str, method: str, operation: dict[str, Any]) -> Operation:
        content = operation.get("requestBody", {}).get("content", {})
        return Operation(
            id=operation["operationId"],
            method=method.upper(),
            path=path,
            summary=operation.get("summary", ""),
            description=operation.get("description", ""),
            log_ins=[name for way in operation.get("security", []) for name in way],
            parameters=[self._parameter(each) for each in operation.get("parameters", [])],
            bodies=self._bodies(content),
            answers=[self._answer(*each) for each in operation["responses"].items()],
            curl=self._curl(path, method.upper(), operation, content),
        )

    def _parameter(self, given: dict[str, Any]) -> FieldRow:
        schema = given["schema"]
        return FieldRow(
            name=given["name"],
            type=self.type_of(schema),
            is_required=given.get("required", False),
            description=given.get("description", "") or schema.get("description", ""),
            limits=_limits(schema),
            place=given["in"],
        )

    def _answer(self, status: str, answer: dict[str, Any]) -> ResponseRow:
        answer = self._resolved(answer)
        headers = [
            FieldRow(name, self.type_of(header.get("schema", {})), False, header.get("description", ""))
            for name, header in (
                (name, self._resolved(each)) for name, each in answer.get("headers", {}).items()
            )
        ]
        return ResponseRow(
            status, answer.get("description", ""), self._bodies(answer.get("content", {})), headers
        )

    def _bodies(self, content: dict[str, Any]) -> list[Body]:
        return [Body(kind, self.type_of(each.get("schema", {}))) for kind, each in content.items()]

    def _resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        """Follow references to other parts of the document."""
        while "$ref" in part:
            _hash, *names = part["$ref"].split("/")
            part = self.document
            for name in names:
                part = part[name]
        return part

    # --- Schemas ------------------------------------------------------------------------------------------
    def _rows(self, schema: dict[str, Any], prefix: str = "") -> Iterator[FieldRow]:
        """Yield the properties, those of an object inside as `outer.inner`, of a list's items as `list[].inner`."""
        required = schema.get("required", [])
        for name, part in schema.get("properties", {}).items():
            path = f"{prefix}{name}"
            yield FieldRow(
                path, self.type_of(part), name in required, part.get("description", ""), _limits(part)
            )
            yield from self._rows(part, f"{path}.")
            yield from self._rows(part.get("items", {}), f"{path}[].")

    def type_of(self, schema: dict[str, Any]) -> list[Part]:
        """Return the type in words, with links to the schemas that it names."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return [Part(name, schema=name)]
        for word, between in (("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")):
            if word in schema:
                return self._joined(schema[word], between)
        if "enum" in schema:
            return [Part(", ".join(json.dumps(value) for value in schema["enum"]))]
        kinds = schema.get("type", "any value")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        return (
            self._joined([{**schema, "type": kind} for kind in kinds], " or ")
            if len(kinds) > 1
            else [*self._single(kinds[0], schema)]
        )

    def _single(self, kind: str, schema: dict[str, Any]) -> Iterator[Part]:
        if kind == "array":
            yield Part("list of ")
            yield from self.type_of(schema.get("items", {}))
        elif kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            yield Part("object whose values are ")
            yield from self.type_of(schema["additionalProperties"])
        else:
            has_format = schema.get("format") and kind != "null"
            yield Part(f"{kind} ({schema['format']})" if has_format else kind)

    def _joined(self, schemas: list[dict[str, Any]], between: str) -> list[Part]:
        parts: list[Part] = []
        for number, schema in enumerate(schemas):
            parts += [*([Part(between)] if number else []), *self.type_of(schema)]
        return parts

    # --- Examples -----------------------------------------------------------------------------------------
    def example(self, schema: dict[str, Any], depth: int = DEPTH) -> Any:
        """Return a value of the right type; only what is required, or all where nothing is."""
        schema = self._resolved(schema)
        for word in ("oneOf", "anyOf", "allOf"):
            if word in schema:
                return self.example(schema[word][0], depth)
        if "example" in schema:
            return schema["example"]
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "string")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            names = schema.get("required") or list(schema.get("properties", {}))
            return {name: self.example(schema["properties"][name], depth - 1) for name in names if depth > 0}
        if kind == "array":
            return [self.example(schema.get("items", {}), depth - 1)] if depth > 0 else []
        if "default" in schema:
            return schema["default"]
        plain = {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 0.5), "boolean": True}
        return plain.get(kind, BY_FORMAT.get(schema.get("format", ""), "text"))

    def _curl(self, path: str, method: str, operation: dict[str, Any], content: dict[str, Any]) -> str:
        """Return a call for a shell: only the token has to be put in."""
        for each in operation.get("parameters", []):
            if each["in"] == "path":
                path = path.replace(f"{{{each['name']}}}", str(self.example(each["schema"])))
        lines = ["curl" if method == "GET" else f"curl -X {method}"]
        if any(operation.get("security", [])):
            lines.append('-H "Authorization: Token $TOKEN"')
        for kind, body in list(content.items())[:1]:
            value = self.example(body.get("schema", {}))
            if kind == FORM:
                lines += [f"-F {shlex.quote(f'{name}={each}')}" for name, each in _fields(value, body, self)]
            else:
                lines += [
                    f"-H 'Content-Type: {kind}'",
                    f"-d {shlex.quote(json.dumps(value, ensure_ascii=False))}",
                ]
        answers = map(self._resolved, operation["responses"].values())
        if any(kind not in TEXTS for answer in answers for kind in answer.get("content", {})):
            lines.append("-o file")
        lines.append(shlex.quote(self.server + path))
        return " \\\n  ".join(lines)


def _fields(value: dict[str, Any], body: dict[str, Any], reference: Reference) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a form; a file is named as curl wants it."""
    properties = reference._resolved(body["schema"]).get("properties", {})
    for name, each in value.items():
        is_file = properties.get(name, {}).get("format") == "binary"
        yield name, "@photo.jpg" if is_file else each


def _limits(schema: dict[str, Any]) -> list[str]:
    found = [
        words.format(json.dumps(schema[name]) if name == "default" else schema[name])
        for name, words in LIMITS.items()
        if name in schema
    ]
    return [*found, *(["is only sent, never returned"] if schema.get("writeOnly") else [])]
