"""What an operator asks of the provider over HTTP: addressed, refused with a reason, shown with its operation."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from factories import GOODS
from sqlalchemy import update

from billing.domain.operations import OperationKind
from billing.ports import Answer, Succeeded
from billing.store.accounts import ProviderAccount
from billing.store.plans import Plan
from tests.api.service import Service

WHY = {"reason": "asked by phone"}
HOME = {
    "given_name": "Ada",
    "family_name": "Example",
    "street_address": "Storgatan 1",
    "postal_code": "12345",
    "city": "Ankeborg",
    "country": "SE",
}


@pytest.fixture
def waiting(service: Service, client: httpx.Client) -> str:
    """The id of an invoice that is authorized and captured by hand."""
    price_id = service.shop.price(items=GOODS)
    with service.shop.database.tx() as session:
        session.execute(update(Plan).values(capture="manual"))
    service.shop.subscription(price_id=price_id)
    service.tick()
    return client.get("/v1/invoices").json()["data"][0]["id"]


@pytest.fixture
def older(service: Service) -> Service:
    """The same service on an account of the older generation."""
    account = service.wiring.accounts["main"]
    service.wiring.accounts["main"] = replace(account, generation="legacy")
    with service.shop.database.tx() as session:
        session.execute(update(ProviderAccount).values(generation="legacy"))
    return service


def asked(service: Service, client: httpx.Client, id_: str, what: str, **fields: Any) -> dict[str, Any]:
    """The operation that carries it out, after the loops."""
    answer = client.post(f"/admin/v1/invoices/{id_}/{what}", json={**WHY, **fields})
    assert answer.status_code == 202, answer.text
    service.tick()
    operation = client.get(f"/v1/operations/{answer.json()['operation_id']}").json()
    assert operation["kind"] == answer.json()["kind"]
    return operation


def refused(client: httpx.Client, id_: str, what: str, **fields: Any) -> tuple[int, str]:
    answer = client.post(f"/admin/v1/invoices/{id_}/{what}", json={**WHY, **fields})
    return answer.status_code, answer.json()["detail"]


def test_an_invoice_is_emailed_again_and_the_operation_says_who_asked(service: Service, client: httpx.Client) -> None:
    id_ = service.paid_invoice(client)["id"]
    email = asked(service, client, id_, "email")
    assert (email["status"], email["asked_by"], email["reason"]) == ("succeeded", "admin", "asked by phone")
    again = asked(service, client, id_, "email", capture_id=email["capture_id"])
    assert (again["n"], again["capture_id"]) == (2, email["capture_id"])


def test_only_the_older_generation_posts_an_invoice(older: Service, client: httpx.Client) -> None:
    id_ = older.paid_invoice(client)["id"]
    assert asked(older, client, id_, "post")["status"] == "succeeded"
    assert refused(client, id_, "post")[0] == 409
    assert asked(older, client, id_, "post", again=True)["status"] == "succeeded"


def test_the_current_generation_refuses_to_post(service: Service, client: httpx.Client) -> None:
    assert refused(client, service.paid_invoice(client)["id"], "post") == (
        409,
        "this provider posts no invoices; it can email one again",
    )


def test_a_later_due_date_is_shown_with_its_cost(service: Service, client: httpx.Client) -> None:
    id_ = service.paid_invoice(client)["id"]
    facts = {"cost": "1900", "due_on": "2028-03-15"}
    service.shop.gateway.answer(OperationKind.EXTEND_DUE_DATE, Succeeded(Answer(200), facts=facts))
    moved = asked(service, client, id_, "due-date", days=14)
    assert (moved["days"], moved["due_on"], moved["cost"]) == (14, "2028-03-15", {"amount": 1900, "currency": "SEK"})
    assert client.post(f"/admin/v1/invoices/{id_}/due-date", json={**WHY, "days": 366}).status_code == 422


def test_an_order_number_and_an_address_are_changed_and_the_address_is_shown_nowhere(
    service: Service, client: httpx.Client, waiting: str
) -> None:
    numbered = asked(service, client, waiting, "order-number", order_number="SHOP-17")
    assert (numbered["changes"], numbered["order_number"]) == ("order_number", "SHOP-17")
    moved = asked(service, client, waiting, "address", address=HOME)
    assert (moved["changes"], moved["status"], "Storgatan" in str(moved)) == ("address", "succeeded", False)
    assert "Storgatan" not in str(service.dump())


@pytest.mark.parametrize("country", ["sweden", "se", "S1", ""])
def test_a_country_of_another_form_is_named(client: httpx.Client, waiting: str, country: str) -> None:
    body = {**WHY, "address": {**HOME, "country": country}}
    answer = client.post(f"/admin/v1/invoices/{waiting}/address", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "address.country")


def test_an_authorization_is_extended_and_given_back(service: Service, client: httpx.Client, waiting: str) -> None:
    assert asked(service, client, waiting, "authorization/extend")["kind"] == "extend"
    assert refused(client, waiting, "authorization/release")[0] == 409
    assert refused(client, waiting, "authorization/void")[0] == 422
    assert asked(service, client, waiting, "authorization/void", then="charge_again")["status"] == "succeeded"
    purchases = client.get(f"/v1/operations?invoice_id={waiting}&kind=purchase").json()["data"]
    assert [row["authorization"] for row in purchases] == ["voided", "authorized"]


@pytest.mark.parametrize(
    "what", ["email", "post", "order-number", "authorization/extend", "authorization/release", "authorization/void"]
)
def test_only_operators_give_instructions(service: Service, waiting: str, what: str) -> None:
    with service.client(service.merchant_key) as merchant:
        assert merchant.post(f"/admin/v1/invoices/{waiting}/{what}", json=WHY).status_code == 403


def test_parcels_that_the_provider_does_not_take_are_kept_and_shown(older: Service, client: httpx.Client) -> None:
    id_ = older.paid_invoice(client)["id"]
    parcel = {"return_carrier": "PostNord", "return_tracking_number": "UU1"}
    answer = client.post(f"/v1/invoices/{id_}/shipments", json={"parcels": [parcel]}).json()
    older.tick()
    kept = client.get(f"/v1/operations/{answer['operation_id']}").json()
    assert (answer["is_told"], kept["status"], kept["answer_code"]) == (False, "dropped", "kept_here")
    assert kept["parcels"][0]["return_tracking_number"] == "UU1"


def test_the_risk_of_a_capture_is_shown_with_its_invoice(service: Service, client: httpx.Client) -> None:
    service.shop.gateway.answer(OperationKind.CAPTURE, Succeeded(Answer(200), "c-1", facts={"risk": "no_risk"}))
    invoice = service.paid_invoice(client)
    assert invoice["risk"] == "no_risk"
    assert client.get(f"/v1/invoices/{invoice['id']}").json()["risk"] == "no_risk"
    journal = client.get("/admin/v1/reports/journal.hledger?from=2028-01-01&to=2028-02-28").text
    assert journal.count(", risk:no_risk") == 1
