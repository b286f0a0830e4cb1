"""Reads the OpenAPI document: every call, how its address is filled, and where its body takes amounts."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

PREFIXES = {
    "approval_id": "apv",
    "credit_note_id": "cn",
    "customer_id": "cus",
    "discount_id": "dis",
    "dispute_id": "dsp",
    "invoice_id": "inv",
    "operation_id": "op",
    "payout_id": "po",
    "plan_id": "plan",
    "price_id": "price",
    "subscription_id": "sub",
    "token_id": "tok",
}
"""The kind of id that each place of an address takes; `name` is the one place that takes a name."""

_PLACE = re.compile(r"{(\w+)}")


def unknown(place: str) -> str:
    """What looks right in a place of an address, and is nothing there."""
    return f"{PREFIXES[place]}_{'0' * 32}" if place in PREFIXES else "nowhere"


@dataclass(frozen=True)
class Call:
    """One operation of the document; `schema` is that of its body, None where it takes none."""

    name: str
    method: str
    path: str
    described: Mapping[str, Any]
    schema: Mapping[str, Any] | None

    @property
    def places(self) -> list[str]:
        return _PLACE.findall(self.path)

    @property
    def example(self) -> dict[str, Any]:
        return dict(self.schema["examples"][0]) if self.schema else {}

    @property
    def required(self) -> list[str]:
        return list(self.schema.get("required", [])) if self.schema else []

    def address(self, ids: Mapping[str, str]) -> str:
        """The path with `ids` in their places, and with what is nothing in the others."""
        return _PLACE.sub(lambda place: ids.get(place[1]) or unknown(place[1]), self.path)


def calls(client: httpx.Client) -> list[Call]:
    """Every operation of the service's document."""
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    return [
        Call(described["operationId"], method, path, described, _body(schemas, described))
        for path, item in document["paths"].items()
        for method, described in item.items()
    ]


def _body(schemas: Mapping[str, Any], described: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if "requestBody" not in described:
        return None
    reference = described["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return dict(schemas[reference.rsplit("/", 1)[1]])


def listed(found: list[Call]) -> str:
    """All calls as docs/api.md lists them: by resource, each with its first sentence and one example."""
    by_tag: dict[str, list[Call]] = {}
    for call in sorted(found, key=lambda call: (call.path, call.method)):
        by_tag.setdefault(call.described["tags"][0], []).append(call)
    return "\n\n".join(f"### {tag}\n\n" + "\n".join(map(_entry, by_tag[tag])) for tag in sorted(by_tag, key=_place))


def _place(tag: str) -> tuple[int, str]:
    order = ["Plans", "Prices", "Customers", "Tokens", "Subscriptions", "Invoices", "Operations"]
    return (order.index(tag) if tag in order else len(order), tag)


def _entry(call: Call) -> str:
    entry = f"- `{call.method.upper()} {call.path}` (`{call.name}`): {call.described['summary']}."
    return f"{entry}\n  `{json.dumps(call.example, ensure_ascii=False)}`" if call.schema else entry


def amount_fields(client: httpx.Client) -> list[tuple[str, list[str | int]]]:
    """(operation, steps to the money object) of every amount that a body takes."""
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    return [(call.name, steps) for call in calls(client) if call.schema for steps in money_in(schemas, call.schema)]


def money_in(schemas: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[list[str | int]]:
    if set(schema.get("properties", {})) == {"amount", "currency"}:
        yield []
        return
    for inner in [*schema.get("oneOf", []), *schema.get("anyOf", []), *schema.get("allOf", [])]:
        yield from money_in(schemas, inner)
    if "$ref" in schema:
        yield from money_in(schemas, schemas[schema["$ref"].rsplit("/", 1)[1]])
    if "items" in schema:
        yield from ([0, *steps] for steps in money_in(schemas, schema["items"]))
    for name, inner in schema.get("properties", {}).items():
        yield from ([name, *steps] for steps in money_in(schemas, inner))


def shown(steps: list[str | int]) -> str:
    """The steps as a fault names them: `items[0].unit_amount`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def with_amount(body: Mapping[str, Any], steps: list[str | int], text: str) -> bytes:
    """The body as JSON with money at `steps` whose amount is the text itself."""
    copy = json.loads(json.dumps(body))
    place = copy
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = {"currency": "SEK", "amount": "@here@"}
    return json.dumps(copy).replace('"@here@"', text).encode()
