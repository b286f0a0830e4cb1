"""A server made of Klarna's document alone: it answers every call with what the schemas allow, and knows no sandbox.

`Habit` says how: which fields there are, in which order, which of the good statuses, which spelling of header names.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.socket_server import Peer, Received, Script, answer

ID = "f3392f8b-6116-4073-ab96-e330819e2c07"
INSTANTS = ("2028-03-01T10:00:00Z", "2028-03-01T10:00:00.098Z", "2028-03-01T11:00:00+01:00")


@dataclass(frozen=True)
class Habit:
    """One way of answering that the document allows. `known` are values that have to agree with what was asked."""

    known: Mapping[str, Any]
    is_full: bool = True
    """Optional fields are there too; without it only what is required."""
    has_news: bool = False
    """Fields and headers that no document names yet."""
    is_reversed: bool = False
    instant: str = INSTANTS[0]
    spells_headers: str = "title"
    status: str | None = None
    """A good status in place of the documented one."""


def served(document: Mapping[str, Any], habit: Habit) -> Script:
    """Answers each request with the success that the document has for it, as `habit` says."""

    def script(peer: Peer) -> None:
        while received := peer.request():
            peer.send(_written(document, habit, received))

    return script


def _written(document: Mapping[str, Any], habit: Habit, received: Received) -> bytes:
    described = _operation(document, received)
    if described is None:
        return answer("404 Not Found", b'{"error_code": "NOT_FOUND", "error_messages": [], "correlation_id": "c"}')
    status, response = next((code, each) for code, each in described["responses"].items() if code.startswith("2"))
    headers = [f"{name}: {_header(name, received)}" for name in response.get("headers", {})]
    headers = [
        getattr(line.partition(":")[0], habit.spells_headers)() + ":" + line.partition(":")[2] for line in headers
    ]
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    body = b"" if schema is None else json.dumps(Sample(document, habit).of(schema)).encode()
    more = ["X-New-Header: 1"] if habit.has_news else []
    kind = ["Content-Type: application/json;charset=UTF-8"] if body else []
    return answer(f"{habit.status or status} Fine", body, *headers, *kind, *more)


def _operation(document: Mapping[str, Any], received: Received) -> Any:
    for name, methods in document["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", name), received.target):
            return methods.get(received.method.lower())
    return None


def _header(name: str, received: Received) -> str:
    return f"https://api.klarna.example{received.target}/{ID}" if name.lower() == "location" else ID


class Sample:
    """A value for every schema."""

    def __init__(self, document: Mapping[str, Any], habit: Habit) -> None:
        self._document = document
        self._habit = habit

    def of(self, schema: Mapping[str, Any], name: str = "") -> Any:
        """A value that `schema` allows; a field called `name` has a known value, if there is one."""
        schema = self._resolved(schema)
        if name in self._habit.known:
            return self._habit.known[name]
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "object")
        match kind if isinstance(kind, str) else kind[0]:
            case "object":
                return self._object(schema)
            case "array":
                return [self.of(schema["items"])]
            case "integer" | "number":
                return max(schema.get("minimum", 0), 0)
            case "boolean":
                return False
        is_instant = schema.get("format") == "date-time" or name.endswith("_at")
        return self._habit.instant if is_instant else "x" * max(schema.get("minLength", 1), 1)

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        required = schema.get("required", ())
        fields = {
            name: part for name, part in schema.get("properties", {}).items() if self._habit.is_full or name in required
        }
        found = {name: self.of(part, name) for name, part in fields.items()}
        news = {"a_new_field": {"deep": [1, None, "x"]}} if self._habit.has_news else {}
        members = [*found.items(), *news.items()]
        return dict(reversed(members) if self._habit.is_reversed else members)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        merged: dict[str, Any] = {}
        for part in self._parts(schema):
            properties = merged.get("properties", {}) | part.get("properties", {})
            merged = {**merged, **part, **({"properties": properties} if properties else {})}
        return merged

    def _parts(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        while "$ref" in schema:
            target: Any = self._document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            schema = target
        for part in schema.get("allOf", ()):
            yield from self._parts(part)
        yield {name: value for name, value in schema.items() if name != "allOf"}
