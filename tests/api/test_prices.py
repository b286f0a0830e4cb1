"""The catalogue's fields, and prices over time, over HTTP."""

import httpx
import pytest

from tests.api.service import ITEM, PLAN, Service

MONTHLY = {"currency": "SEK", "interval": "month", "interval_count": 1}
NEXT = {"items": [ITEM | {"unit_amount": {"amount": 3490, "currency": "SEK"}}], "from": "2028-03-01"}


def test_a_plan_keeps_every_rule_it_was_made_with(client: httpx.Client) -> None:
    rules = {
        "anchor_policy": "signup",
        "missing_token": "cancel",
        "capture": "on_dispatch",
        "proration": "second",
        "cancel_credit": "refund",
        "upgrade_mode": "next_invoice",
        "term_cycles": 12,
        "minimum_cycles": 3,
        "notice_days": 30,
        "pause_days_max": 90,
        "payment_gated": True,
        "dunning_days": [2, 5],
        "dunning_terminal_day": 9,
        "grace_days": 3,
    }
    made = client.post("/v1/plans", json=PLAN | rules)
    assert made.status_code == 201, made.text
    found = client.get(f"/v1/plans/{made.json()['id']}").json()
    assert {name: found[name] for name in rules} == rules
    assert found["downgrade_mode"] == "at_period_end"


@pytest.mark.parametrize(
    ("rules", "where"),
    [
        ({"capture_delay_minutes": 10}, "capture_delay_minutes"),
        ({"shorter_interval_mode": "charge_now"}, "shorter_interval_mode"),
        ({"upgrade_mode": "sometime"}, "upgrade_mode"),
    ],
)
def test_a_rule_that_cannot_be_kept_is_named(client: httpx.Client, rules: dict[str, object], where: str) -> None:
    refused = client.post("/v1/plans", json=PLAN | rules)
    assert (refused.status_code, refused.json()["errors"][0]["where"]) == (422, where)


def test_a_price_with_phases_and_a_setup_fee_is_shown_as_it_was_made(client: httpx.Client) -> None:
    plan_id = client.post("/v1/plans", json=PLAN).json()["id"]
    setup = ITEM | {"article_number": "SETUP", "once": True, "tax_code": "standard"}
    phase = {"cycles": 3, "unit_amounts": [{"article_number": "BASE", "unit_amount": ITEM["unit_amount"]}]}
    price = MONTHLY | {"plan_id": plan_id, "items": [ITEM, setup], "tax_included": False, "phases": [phase]}
    made = client.post("/v1/prices", json=price)
    assert made.status_code == 201, made.text
    body = made.json()
    assert (body["tax_included"], body["phases"], body["items"][1]["once"]) == (False, [phase], True)
    unknown = {"cycles": 1, "unit_amounts": [{"article_number": "NO", "unit_amount": ITEM["unit_amount"]}]}
    assert client.post("/v1/prices", json=price | {"phases": [unknown]}).status_code == 422


def test_a_dry_run_counts_and_the_replacement_then_reaches_everybody(
    service: Service, client: httpx.Client, made: dict[str, str]
) -> None:
    address = f"/v1/prices/{made['price_id']}"
    seen = client.post(f"{address}/replace", json=NEXT | {"dry_run": True})
    assert seen.status_code == 200, seen.text
    assert (seen.json()["subscriptions"], seen.json()["amount_after"]["amount"]) == (1, 2 * 3490)
    assert client.get(f"{address}/replacement").status_code == 404
    done = client.post(f"{address}/replace", json=NEXT | {"quote_id": seen.json()["quote_id"]}).json()
    assert not done["is_done"]
    service.tick()
    told = client.get(f"{address}/replacement").json()
    assert (told["is_done"], told["scheduled"], told["new_price_id"]) == (True, 1, done["new_price_id"])
    pending = client.get(f"/v1/subscriptions/{made['subscription_id']}/change").json()["pending"]
    assert (pending["price_id"], pending["mode"]) == (done["new_price_id"], "replace")
    assert client.get(address).json()["replaced_by_id"] == done["new_price_id"]


def test_consent_is_asked_given_and_recorded(service: Service, client: httpx.Client, made: dict[str, str]) -> None:
    client.post(f"/v1/prices/{made['price_id']}/replace", json=NEXT | {"consent": "opt_in"})
    service.tick()
    subscription = f"/v1/subscriptions/{made['subscription_id']}"
    assert client.get(f"{subscription}/change").json()["pending"]["waits_for"] == "consent"
    answered = client.post(f"{subscription}/consent", json={"accepts": True}).json()
    assert answered["pending"]["waits_for"] is None
    assert client.post(f"{subscription}/consent", json={"accepts": True}).status_code == 409


def test_a_price_is_replaced_in_its_own_currency_and_not_in_the_past(
    client: httpx.Client, made: dict[str, str]
) -> None:
    address = f"/v1/prices/{made['price_id']}/replace"
    euros = [ITEM | {"unit_amount": {"amount": 1, "currency": "EUR"}}]
    assert client.post(address, json=NEXT | {"items": euros}).json()["code"] == "currency_mismatch"
    assert client.post(address, json=NEXT | {"from": "2027-01-01"}).json()["errors"][0]["where"] == "from"
    assert client.post(address, json=NEXT | {"from": "2028-02-30"}).status_code == 422
