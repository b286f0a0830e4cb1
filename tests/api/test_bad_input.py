"""What cannot be right is refused by field, in our words, and leaves nothing behind."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.service import CUSTOMER, ITEM, PLAN, TOKEN, Service

SIX_BAD_AMOUNTS = ["1.0", '"12"', "true", "1e3", "1e400", str(2**63)]

OWED = {"amount": -1, "currency": "SEK"}
PRICE = {"currency": "SEK", "interval": "month", "interval_count": 1, "items": [ITEM]}


@pytest.fixture
def bodies(made: dict[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """A right body for each POST, by the operation's name in the OpenAPI."""
    subscription = f"/v1/subscriptions/{made['subscription_id']}"
    money = {"amount": {"amount": 500, "currency": "SEK"}}
    ids = {name: made[name] for name in ("customer_id", "price_id", "token_id")}
    return {
        "create_plan": ("/v1/plans", {**PLAN, "reference": "other"}),
        "create_price": ("/v1/prices", {**PRICE, "plan_id": made["plan_id"]}),
        "create_customer": ("/v1/customers", {**CUSTOMER, "reference": "other"}),
        "save_token": (f"/v1/customers/{made['customer_id']}/tokens", {**TOKEN, "token": "another"}),
        "create_subscription": ("/v1/subscriptions", {**ids, "start_at": "2028-02-01T00:00:00Z"}),
        "replace_token": (f"{subscription}/token", {"token_id": made["token_id"]}),
        "preview_cancel": (f"{subscription}/cancel/preview", {"at": "now"}),
        "cancel_subscription": (f"{subscription}/cancel", {"at": "now"}),
        "create_refund": ("/admin/v1/refunds", {"invoice_id": f"inv_{'0' * 32}", "reason": "other", **money}),
    }


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("create_plan", {"reference": ""}, "reference"),
    ("create_plan", {"reference": "x" * 201}, "reference"),
    ("create_plan", {"name": "two\nlines"}, "name"),
    ("create_plan", {"name": 7}, "name"),
    ("create_plan", {"trial_days": 731}, "trial_days"),
    ("create_plan", {"trial_days": True}, "trial_days"),
    ("create_plan", {"exhausted": "explode"}, "exhausted"),
    ("create_price", {"plan_id": f"plan_{'0' * 32}"}, "plan_id"),
    ("create_price", {"plan_id": f"cus_{'0' * 32}"}, "plan_id"),
    ("create_price", {"currency": "XYZ"}, "currency"),
    ("create_price", {"currency": "EUR"}, "items[0].unit_amount.currency"),
    ("create_price", {"interval": "fortnight"}, "interval"),
    ("create_price", {"interval_count": 0}, "interval_count"),
    ("create_price", {"interval_count": 121}, "interval_count"),
    ("create_price", {"month_end": "yes"}, "month_end"),
    ("create_price", {"items": []}, "items"),
    ("create_price", {"items": [ITEM, ITEM]}, "items[1]"),
    ("create_price", {"items": [{**ITEM, "quantity": 2**63}]}, "items[0].quantity"),
    ("create_price", {"items": [{**ITEM, "tax_rate": 10_001}]}, "items[0].tax_rate"),
    ("create_price", {"items": [{**ITEM, "colour": "red"}]}, "items[0].colour"),
    ("create_price", {"items": [{**ITEM, "unit_amount": 2990}]}, "items[0].unit_amount"),
    (
        "create_price",
        {"items": [{**ITEM, "unit_amount": {"amount": -1, "currency": "SEK"}}]},
        "items[0].unit_amount.amount",
    ),
    ("create_customer", {"zone": "Mars/Olympus"}, "zone"),
    ("create_customer", {"country": "se"}, "country"),
    ("create_customer", {"email": "nobody"}, "email"),
    ("save_token", {"provider_account": "nowhere"}, "provider_account"),
    ("save_token", {"token": ""}, "token"),
    ("save_token", {"token": "t" * 2049}, "token"),
    ("save_token", {"token": ["a list"]}, "token"),
    ("create_subscription", {"customer_id": f"cus_{'0' * 32}"}, "customer_id"),
    ("create_subscription", {"price_id": f"price_{'0' * 32}"}, "price_id"),
    ("create_subscription", {"token_id": f"tok_{'0' * 32}"}, "token_id"),
    ("create_subscription", {"start_at": "2028-02-01T00:00:00"}, "start_at"),
    ("create_subscription", {"start_at": 1_830_000_000}, "start_at"),
    ("create_subscription", {"start_at": "2027-01-01T00:00:00Z"}, "start_at"),
    ("create_subscription", {"start_at": "9999-12-31T23:59:59-12:00"}, "start_at"),
    ("replace_token", {"token_id": f"tok_{'0' * 32}"}, "token_id"),
    ("cancel_subscription", {"at": "tomorrow"}, "at"),
    ("cancel_subscription", {"unshipped": [{"article_number": "BOX", "quantity": 0}]}, "unshipped[0].quantity"),
    ("cancel_subscription", {"unshipped": [{"article_number": "BOX", "quantity": 1}] * 2}, "unshipped"),
    ("cancel_subscription", {"note": "n" * 501}, "note"),
]


def test_every_wrong_field_is_named_and_nothing_is_written(
    service: Service, client: httpx.Client, bodies: dict[str, tuple[str, dict[str, Any]]]
) -> None:
    before = service.dump()
    for name, change, where in WRONG:
        path, body = bodies[name]
        answer = client.post(path, json={**body, **change})
        assert answer.status_code == 422, (name, change, answer.text)
        assert [fault["where"] for fault in answer.json()["errors"]] == [where], (name, change)
    assert service.dump() == before


def test_every_body_refuses_a_field_it_does_not_know(
    service: Service, client: httpx.Client, bodies: dict[str, tuple[str, dict[str, Any]]]
) -> None:
    before = service.dump()
    for name, (path, body) in bodies.items():
        answer = client.post(path, json={**body, "extra": 1})
        assert answer.json()["errors"] == [{"where": "extra", "message": "there is no such field"}], name
    assert service.dump() == before


def test_all_faults_of_a_body_are_told_at_once(client: httpx.Client) -> None:
    answer = client.post("/v1/plans", json={"reference": "", "trial_days": "1", "surprise": 1})
    assert answer.json()["detail"] == "the body has 4 faults"
    assert {fault["where"] for fault in answer.json()["errors"]} == {"reference", "name", "trial_days", "surprise"}


NOT_JSON = [
    b"{",
    b'{"reference": "a" "name"}',
    b'{"reference": "a", "reference": "b", "name": "n"}',
    b'{"reference": NaN}',
    b'{"trial_days": -Infinity}',
    b'{"trial_days": ' + b"9" * 5000 + b"}",
    b'\xff\xfe{"a": 1}',
    b'"\xc3"',
    b"[" * 100_000,
]


def test_what_is_not_json_is_400_and_says_where(service: Service, client: httpx.Client) -> None:
    before = service.dump()
    for content in NOT_JSON:
        answer = client.post("/v1/plans", content=content)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), content[:40]
    assert "line 1, column 2" in client.post("/v1/plans", content=b"{").json()["detail"]
    assert service.dump() == before


def test_json_that_is_no_object_is_422(client: httpx.Client) -> None:
    for content in (b"", b"null", b"[]", b'"text"', b"7", b"1e400"):
        answer = client.post("/v1/plans", content=content)
        assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, "a JSON object is needed"), content


def test_half_a_character_is_refused_wherever_it_stands(client: httpx.Client) -> None:
    for content in (
        rb'{"reference": "\ud800", "name": "n"}',
        rb'{"\ud800": 1}',
        rb'{"reference": "\u0000", "name": "n"}',
    ):
        assert client.post("/v1/plans", content=content).status_code == 422


def test_every_amount_refuses_what_is_no_whole_number_in_range(
    service: Service, client: httpx.Client, bodies: dict[str, tuple[str, dict[str, Any]]]
) -> None:
    before = service.dump()
    found = list(amount_fields(client.get("/openapi.json").json()))
    assert {name for name, _ in found} == {"create_price", "create_refund"}
    for name, steps in found:
        path, body = bodies[name]
        for bad in SIX_BAD_AMOUNTS:
            answer = client.post(path, content=with_value(body, [*steps, "amount"], bad))
            (fault,) = answer.json()["errors"]
            assert (answer.status_code, fault["where"].endswith("amount.amount") or name == "create_price") == (
                422,
                True,
            )
            assert "whole number" in fault["message"] or "is possible" in fault["message"], (bad, fault)
    assert service.dump() == before


def amount_fields(document: dict[str, Any]) -> Iterator[tuple[str, list[str | int]]]:
    """(operation, path to the money object) of every amount that a body of the OpenAPI takes."""
    schemas = document["components"]["schemas"]
    for item in document["paths"].values():
        taken = item.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json")
        if taken is not None and "$ref" in taken["schema"]:
            reference = taken["schema"]["$ref"]
            for steps in money_in(schemas, schemas[reference.rsplit("/", 1)[1]]):
                yield item["post"]["operationId"], steps


def money_in(schemas: dict[str, Any], schema: dict[str, Any]) -> Iterator[list[str | int]]:
    if set(schema.get("properties", {})) == {"amount", "currency"}:
        yield []
        return
    for inner in [*schema.get("oneOf", []), *schema.get("allOf", [])]:
        yield from money_in(schemas, inner)
    if "$ref" in schema:
        yield from money_in(schemas, schemas[schema["$ref"].rsplit("/", 1)[1]])
    if "items" in schema:
        yield from ([0, *steps] for steps in money_in(schemas, schema["items"]))
    for name, inner in schema.get("properties", {}).items():
        yield from ([name, *steps] for steps in money_in(schemas, inner))


def with_value(body: dict[str, Any], steps: list[str | int], text: str) -> bytes:
    """The body as JSON with the text itself at the end of `steps`."""
    copy = json.loads(json.dumps(body))
    place = copy
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = "@here@"
    return json.dumps(copy).replace('"@here@"', text).encode()
