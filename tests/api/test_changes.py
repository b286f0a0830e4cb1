"""Changes, quotes, discounts and previews over HTTP."""

from datetime import timedelta

import httpx
import pytest

from tests.api.service import CUSTOMER, ITEM, TOKEN, Service


@pytest.fixture
def dearer(client: httpx.Client, made: dict[str, str]) -> str:
    """Another price of the same plan: 50.00 SEK a unit."""
    item = ITEM | {"unit_amount": {"amount": 5000, "currency": "SEK"}}
    price = {"plan_id": made["plan_id"], "currency": "SEK", "interval": "month", "interval_count": 1, "items": [item]}
    return client.post("/v1/prices", json=price).json()["id"]


@pytest.fixture
def address(service: Service, made: dict[str, str]) -> str:
    """The address of a subscription whose first period is paid."""
    service.tick()
    service.shop.clock.set(service.shop.clock.now() + timedelta(minutes=31))
    service.tick()
    return f"/v1/subscriptions/{made['subscription_id']}"


def test_a_change_costs_what_its_preview_said(client: httpx.Client, address: str, dearer: str) -> None:
    seen = client.post(f"{address}/change/preview", json={"price_id": dearer})
    assert seen.status_code == 200, seen.text
    body = seen.json()
    assert (body["direction"], body["mode"], body["due_now"]) == (
        "upgrade",
        "charge_now",
        {"amount": 2 * (5000 - 2990), "currency": "SEK"},
    )
    done = client.post(f"{address}/change", json={"price_id": dearer, "quote_id": body["quote_id"]}).json()
    assert {name: done[name] for name in ("lines", "total", "tax", "due_now")} == {
        name: body[name] for name in ("lines", "total", "tax", "due_now")
    }
    assert done["quote_id"] is None
    invoice = client.get(f"/v1/invoices/{done['invoice_id']}").json()
    assert invoice["total"]["amount"] == 2 * (5000 - 2990)
    assert client.get(f"/v1/operations/{done['operation_ids'][0]}").json()["kind"] == "purchase"


def test_only_an_operator_overrides_the_minimum_term(
    service: Service, client: httpx.Client, address: str, dearer: str
) -> None:
    asked = {"price_id": dearer, "override": "a promise of ours"}
    with service.client(service.merchant_key) as merchant:
        refused = merchant.post(f"{address}/change/preview", json=asked)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert client.post(f"{address}/change/preview", json=asked).status_code == 200


def test_a_quote_for_something_else_and_a_late_one_are_refused(
    service: Service, client: httpx.Client, address: str, dearer: str
) -> None:
    quote_id = client.post(f"{address}/change/preview", json={"price_id": dearer}).json()["quote_id"]
    other = {"price_id": dearer, "mode": "next_invoice", "quote_id": quote_id}
    refused = client.post(f"{address}/change", json=other)
    assert (refused.status_code, refused.json()["code"]) == (422, "quote_invalid")
    service.shop.clock.set(service.shop.clock.now() + timedelta(minutes=30))
    late = client.post(f"{address}/change", json={"price_id": dearer, "quote_id": quote_id})
    assert (late.status_code, late.json()["code"]) == (409, "quote_expired")


def test_a_pending_change_is_shown_and_canceled(client: httpx.Client, address: str, dearer: str) -> None:
    client.post(f"{address}/change", json={"price_id": dearer, "mode": "at_period_end"})
    assert client.get(f"{address}/change").json()["pending"]["price_id"] == dearer
    assert client.post(f"{address}/change/cancel").json()["pending"] is None
    assert client.post(f"{address}/change/cancel").status_code == 409


def test_a_change_that_changes_nothing_is_refused(client: httpx.Client, address: str) -> None:
    assert client.post(f"{address}/change", json={}).status_code == 422
    unknown = {"quantities": [{"article_number": "NO-SUCH", "quantity": 1}]}
    assert client.post(f"{address}/change", json=unknown).json()["errors"][0]["where"] == "quantities"
    assert client.post("/v1/subscriptions/sub_1/change", json={}).status_code == 404


def test_more_units_are_asked_for_by_article(client: httpx.Client, address: str) -> None:
    body = {"quantities": [{"article_number": "BASE", "quantity": 3}]}
    done = client.post(f"{address}/change", json=body).json()
    assert (done["direction"], done["quantities"], done["total"]["amount"]) == ("quantity_up", {"BASE": 3}, 2990)


def test_a_discount_is_granted_listed_and_ended(client: httpx.Client, address: str) -> None:
    made = client.post(f"{address}/discounts", json={"name": "Welcome", "percent": 1000, "cycles": 3})
    assert made.status_code == 201, made.text
    listed = client.get(f"{address}/discounts").json()["data"]
    assert [(row["name"], row["percent"], row["cycles_used"]) for row in listed] == [("Welcome", 1000, 0)]
    ended = client.post(f"{address}/discounts/{listed[0]['id']}/end")
    assert ended.json()["ended_at"] is not None
    assert client.post(f"{address}/discounts", json={"name": "Nothing"}).status_code == 422


def test_a_new_subscription_is_previewed_without_being_made(client: httpx.Client, made: dict[str, str]) -> None:
    customer = client.post("/v1/customers", json=CUSTOMER | {"reference": "c-2"}).json()["id"]
    token = client.post(f"/v1/customers/{customer}/tokens", json=TOKEN | {"token": "another"}).json()["id"]
    body = {"customer_id": customer, "price_id": made["price_id"], "token_id": token}
    seen = client.post("/v1/subscriptions/preview", json=body)
    assert seen.status_code == 200, seen.text
    assert seen.json()["total"] == {"amount": 5980, "currency": "SEK"}
    assert seen.json()["next_on"] == "2028-02-29"
    assert client.get(f"/v1/subscriptions?customer_id={customer}").json()["data"] == []
