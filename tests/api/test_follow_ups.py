"""Follow-up calls over HTTP: capture, dispatch as JSON and as a file, dunning paused, tokens revoked, people erased."""

from typing import Any

import httpx
import pytest
from factories import GOODS
from sqlalchemy import update

from billing.store.plans import Plan
from tests.api.service import Service

HEADER = (
    "invoice_id,article_number,quantity,carrier,tracking_number,tracking_url,"
    "return_carrier,return_tracking_number,return_tracking_url\n"
)


@pytest.fixture
def waiting(service: Service, client: httpx.Client) -> dict[str, Any]:
    """An authorized invoice that is captured when its articles are sent."""
    price_id = service.shop.price(items=GOODS)
    with service.shop.database.tx() as session:
        session.execute(update(Plan).values(capture="on_dispatch"))
    service.shop.subscription(price_id=price_id)
    service.tick()
    return client.get("/v1/invoices").json()["data"][0]


def as_file(client: httpx.Client, *rows: str) -> httpx.Response:
    return client.post("/v1/dispatches", content=HEADER + "\n".join(rows), headers={"Content-Type": "text/csv"})


def test_a_file_of_shipped_articles_captures_them_in_their_parcels(
    service: Service, client: httpx.Client, waiting: dict[str, Any]
) -> None:
    id_ = waiting["id"]
    answer = as_file(client, f"{id_},BOX,1,PostNord,UU1,,,,", f"{id_},BOX,1,PostNord,UU2,,,,")
    assert answer.status_code == 202, answer.text
    (planned,) = answer.json()["dispatches"]
    assert (planned["invoice_id"], planned["kind"]) == (id_, "capture")
    service.shop.after(minutes=31)
    service.tick()
    assert client.get(f"/v1/invoices/{id_}").json()["status"] == "paid"
    assert [parcel.tracking_number for parcel in service.shop.gateway.prepared[-1].shipments] == ["UU1", "UU2"]


def test_every_bad_row_of_a_file_is_named_with_its_line_and_nothing_is_written(
    service: Service, client: httpx.Client, waiting: dict[str, Any]
) -> None:
    id_, before = waiting["id"], service.dump()
    wrong_form = as_file(client, f"{id_},BOX,1,,,,,,", f"{id_},BOX,none,,,,,,", f"{id_},,1,,,,,,")
    wrong_facts = as_file(client, f"{id_},BOX,1,,,,,,", f"{id_},HAT,1,,,,,,", f"inv_{'0' * 32},BOX,1,,,,,,")
    for answer, lines in ((wrong_form, ["line 3", "line 4"]), (wrong_facts, ["line 3", "line 4"])):
        assert answer.status_code == 422
        assert sorted(fault["where"] for fault in answer.json()["errors"]) == lines
    assert service.dump() == before


def test_units_of_a_line_are_captured_and_the_answer_says_when(client: httpx.Client, waiting: dict[str, Any]) -> None:
    box = next(line for line in waiting["lines"] if line["article_number"] == "BOX")
    answer = client.post(
        f"/v1/invoices/{waiting['id']}/capture", json={"lines": [{"line_id": box["id"], "quantity": 1}]}
    )
    assert (answer.status_code, answer.json()["amount"]["amount"]) == (202, 745)
    planned = client.get(f"/v1/operations/{answer.json()['operation_id']}").json()
    assert (planned["kind"], planned["due_at"]) == ("capture", answer.json()["due_at"])


def test_dunning_is_paused_and_resumed_by_an_operator(client: httpx.Client, made: dict[str, str]) -> None:
    path = f"/admin/v1/customers/{made['customer_id']}/dunning"
    paused = client.post(f"{path}/pause", json={"reason": "pays by transfer"})
    assert (paused.status_code, paused.json()["reason"]) == (200, "pays by transfer")
    assert client.post(f"{path}/pause", json={"reason": "again"}).status_code == 409
    assert client.post(f"{path}/resume").json()["paused_at"] is None


def test_a_token_is_revoked_and_a_customer_erased(service: Service, client: httpx.Client, made: dict[str, str]) -> None:
    service.tick()
    assert client.post(f"/v1/customers/{made['customer_id']}/erase").status_code == 409
    client.post(f"/v1/subscriptions/{made['subscription_id']}/cancel", json={"at": "now"})
    service.tick()
    erased = client.post(f"/v1/customers/{made['customer_id']}/erase")
    assert (erased.status_code, len(erased.json()["operation_ids"])) == (202, 1)
    service.tick()
    revoke = client.get(f"/v1/operations/{erased.json()['operation_ids'][0]}").json()
    assert (revoke["status"], revoke["invoice_id"]) == ("succeeded", None)
    assert client.post(f"/v1/tokens/{made['token_id']}/revoke").status_code == 409
    assert client.get(f"/v1/customers/{made['customer_id']}").json()["name"] == "erased"


def test_a_subscription_shows_what_its_customer_may_use(client: httpx.Client, made: dict[str, str]) -> None:
    shown = client.get(f"/v1/subscriptions/{made['subscription_id']}").json()
    assert (shown["access"], shown["grace_ends_at"]) == ("full", None)
