"""What cannot be right is refused by field, in our words, and leaves nothing behind."""

from collections import Counter
from typing import Any

import httpx
import pytest

from tests.api.document import amount_fields, calls, shown, unknown, with_amount
from tests.api.service import CUSTOMER, ITEM, PLAN, TOKEN, Service

SIX_BAD_AMOUNTS = ["1.0", '"12"', "true", "1e3", "1e400", str(2**63)]

PRICE = {"currency": "SEK", "interval": "month", "interval_count": 1, "items": [ITEM]}


PHASE = {"cycles": 2, "unit_amounts": [{"article_number": "BASE", "unit_amount": {"amount": 990, "currency": "SEK"}}]}
AMOUNT = {"amount": 500, "currency": "SEK"}
PARTS: dict[str, dict[str, Any]] = {
    "create_plan": {**PLAN, "reference": "other"},
    "create_price": {**PRICE, "phases": [PHASE]},
    "replace_price": {"phases": [PHASE]},
    "create_customer": {**CUSTOMER, "reference": "other"},
    "save_token": {**TOKEN, "token": "another"},
    "create_subscription": {"start_at": "2028-02-01T00:00:00Z"},
    "cancel_subscription": {"at": "now"},
    "create_refund": {"invoice_id": f"inv_{'0' * 32}", "reason": "other", "amount": AMOUNT},
}
"""Where a right body is more than the document's example, or other; ids of what was made are filled in."""

Bodies = dict[str, tuple[str, dict[str, Any]]]


@pytest.fixture
def bodies(client: httpx.Client, made: dict[str, str]) -> Bodies:
    """Address and right body of each POST that takes a body, by the operation's name in the document."""
    found: Bodies = {}
    for call in calls(client):
        if call.method == "post" and call.schema is not None:
            body = {**call.example, **PARTS.get(call.name, {})}
            ids = {
                name: made[name]
                for name in call.schema["properties"]
                if name in made and (name in body or name in call.required)
            }
            found[call.name] = (call.address(made), {**body, **ids})
    return found


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
    ("cancel_subscription", {"at": "date", "ends_on": "2028-02-30"}, "ends_on"),
    ("cancel_subscription", {"at": "date"}, "at"),
    ("cancel_subscription", {"override": True}, "reason"),
    ("cancel_subscription", {"withdrawal": "yes"}, "withdrawal"),
    ("pause_subscription", {"mode": "sleep"}, "mode"),
    ("pause_subscription", {"at": "2028-01-01T00:00:00Z"}, "at"),
    ("pause_subscription", {"mode": "freeze", "bill_stub": True}, "bill_stub"),
    ("extend_trial", {"until": "2028-05-01T00:00:00Z"}, "until"),
    ("change_zone", {"zone": "Mars/Olympus"}, "zone"),
    ("create_subscription", {"quantities": [{"article_number": "OTHER", "quantity": 1}]}, "quantities"),
    ("create_subscription", {"catch_up": "forgive"}, "catch_up"),
    ("cancel_subscription", {"unshipped": [{"article_number": "BOX", "quantity": 0}]}, "unshipped[0].quantity"),
    ("cancel_subscription", {"unshipped": [{"article_number": "BOX", "quantity": 1}] * 2}, "unshipped"),
    ("cancel_subscription", {"note": "n" * 501}, "note"),
]


def test_every_wrong_field_is_named_and_nothing_is_written(
    service: Service, client: httpx.Client, bodies: Bodies
) -> None:
    before = service.dump()
    for name, change, where in WRONG:
        path, body = bodies[name]
        answer = client.post(path, json={**body, **change})
        assert answer.status_code == 422, (name, change, answer.text)
        assert [fault["where"] for fault in answer.json()["errors"]] == [where], (name, change)
    assert service.dump() == before


def test_every_body_refuses_a_field_it_does_not_know(service: Service, client: httpx.Client, bodies: Bodies) -> None:
    before = service.dump()
    for name, (path, body) in bodies.items():
        answer = client.post(path, json={**body, "extra": 1})
        assert answer.status_code == 422, name
        assert answer.json()["errors"] == [{"where": "extra", "message": "there is no such field"}], name
    assert service.dump() == before


def test_every_body_names_the_field_that_is_missing(service: Service, client: httpx.Client, bodies: Bodies) -> None:
    before = service.dump()
    for call in calls(client):
        for field in call.required:
            path, body = bodies[call.name]
            answer = client.post(path, json={name: value for name, value in body.items() if name != field})
            assert answer.status_code == 422, (call.name, field)
            assert answer.json()["errors"] == [{"where": field, "message": "this field is needed"}], call.name
    assert service.dump() == before


def test_an_address_with_an_id_that_is_nothing_there_is_404(
    service: Service, client: httpx.Client, bodies: Bodies, made: dict[str, str]
) -> None:
    before = service.dump()
    for call in calls(client):
        body = bodies.get(call.name, ("", {}))[1]
        for place in call.places:
            for wrong in ("nothing", "inv_", f"evt_{'0' * 32}", f"{made['plan_id']}0", unknown(place)):
                answer = client.request(call.method, call.address({**made, place: wrong}), json=body or None)
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (call.name, place, wrong)
    assert service.dump() == before


BODILESS = {
    "cancel_change",
    "end_discount",
    "erase_customer",
    "issue_invoice",
    "lose_dispute",
    "resume_dunning",
    "revoke_approval",
    "revoke_token",
    "undo_cancel",
    "undo_pause",
    "win_dispute",
}


def test_a_call_without_a_body_refuses_one(service: Service, client: httpx.Client, made: dict[str, str]) -> None:
    before = service.dump()
    bodiless = [call for call in calls(client) if call.method == "post" and call.schema is None]
    assert {call.name for call in bodiless} == BODILESS
    for call in bodiless:
        answer = client.post(call.address(made), json={"reason": "none is taken"})
        assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, "this call takes no fields")
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
    for content in (b"null", b"[]", b'"text"', b"7", b"1e400"):
        answer = client.post("/v1/plans", content=content)
        assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, "a JSON object is needed"), content


def test_an_empty_body_is_400_where_one_is_needed(service: Service, client: httpx.Client, bodies: Bodies) -> None:
    before = service.dump()
    for name, (path, _) in bodies.items():
        answer = client.post(path, content=b"")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), name
    assert service.dump() == before


def test_half_a_character_is_refused_wherever_it_stands(client: httpx.Client) -> None:
    for content in (
        rb'{"reference": "\ud800", "name": "n"}',
        rb'{"\ud800": 1}',
        rb'{"reference": "\u0000", "name": "n"}',
    ):
        assert client.post("/v1/plans", content=content).status_code == 422


MONEY = {
    "adjust_balance": 1,
    "create_credit_note": 1,
    "create_payout": 3,
    "create_price": 2,
    "create_refund": 1,
    "decide": 1,
    "grant_discount": 1,
    "open_dispute": 1,
    "preview_credit_note": 1,
    "record_payment": 1,
    "replace_price": 2,
}
"""How many amounts the body of each operation takes."""

MAY_BE_BELOW_ZERO = {("adjust_balance", "amount"), ("create_payout", "amount")}
"""A balance is taken back by it, and a provider may take more than it pays out."""


def test_every_amount_refuses_what_is_no_whole_number_in_range(
    service: Service, client: httpx.Client, bodies: Bodies
) -> None:
    before = service.dump()
    found = amount_fields(client)
    assert dict(Counter(name for name, _ in found)) == MONEY
    for name, steps in found:
        path, body = bodies[name]
        below = [] if (name, shown(steps)) in MAY_BE_BELOW_ZERO else ["-1"]
        for bad in [*SIX_BAD_AMOUNTS, *below]:
            answer = client.post(path, content=with_amount(body, steps, bad))
            assert answer.status_code == 422, (name, steps, bad)
            (fault,) = answer.json()["errors"]
            assert fault["where"] == f"{shown(steps)}.amount", (name, bad)
            assert any(words in fault["message"] for words in ("whole number", "is possible", "is needed")), fault
    assert service.dump() == before
