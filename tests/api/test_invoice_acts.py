"""An operator's acts on invoices over HTTP: credits, payments outside, disputes, states, balances, explanations."""

import httpx
import pytest

from tests.api.service import Service

SEK = "SEK"
NOTES = "/admin/v1/credit-notes"


def sek(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": SEK}


def open_invoice(service: Service, client: httpx.Client) -> dict:
    """An invoice whose charge was authorized and not captured yet."""
    service.shop.subscription()
    service.tick()
    return client.get("/v1/invoices").json()["data"][0]


def test_a_credit_note_tells_what_it_did_and_is_listed(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    body = {"invoice_id": invoice["id"], "reason": "returned", "by": "amount", "amount": sek(500), "note": "one box"}
    shown = client.post(f"{NOTES}/preview", json=body).json()
    made = client.post(NOTES, json={**body, "give_as": "balance"})
    note = made.json()["credit_note"]
    assert (made.status_code, note["to_balance"], note["note"]) == (201, sek(500), "one box")
    assert (shown["to_refund"], shown["total"], shown["lines"]) == (sek(500), note["total"], note["lines"])
    assert client.get(NOTES, params={"invoice_id": invoice["id"]}).json()["data"] == [note]
    held = client.get(f"/v1/customers/{invoice['customer_id']}/balance").json()
    assert held == {"customer_id": invoice["customer_id"], "balances": [sek(500)]}
    (entry,) = client.get(f"/v1/customers/{invoice['customer_id']}/balance/entries").json()["data"]
    assert (entry["credit_note_id"], entry["amount"]) == (note["id"], sek(500))


def test_a_credit_note_of_days_of_an_open_invoice_lowers_it(service: Service, client: httpx.Client) -> None:
    invoice = open_invoice(service, client)
    body = {"invoice_id": invoice["id"], "reason": "unused", "by": "time", "as_of": "2028-02-10"}
    note = client.post(NOTES, json=body).json()["credit_note"]
    after = client.get(f"/v1/invoices/{invoice['id']}").json()
    assert note["lowered_open"] == note["total"] == after["lowered"]
    assert after["due"]["amount"] == 3970 - note["total"]["amount"]


def test_a_decision_where_there_is_nothing_to_decide_is_refused(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    body = {"invoice_id": invoice["id"], "reason": "gone", "by": "whole"}
    note = client.post(NOTES, json=body).json()["credit_note"]["id"]
    answer = client.post(f"{NOTES}/{note}/resolve", json={"as": "retry"})
    assert (answer.status_code, answer.json()["code"]) == (409, "transition_not_allowed")


def test_a_credit_that_became_balance_is_refunded_on_request(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    body = {"invoice_id": invoice["id"], "reason": "gone", "by": "whole", "give_as": "balance"}
    note = client.post(NOTES, json=body).json()["credit_note"]["id"]
    answer = client.post(f"{NOTES}/{note}/resolve", json={"as": "refund"})
    assert (answer.status_code, answer.json()["credit_note"]["to_refund"]) == (200, sek(3970))
    service.tick()
    assert client.get(f"/v1/invoices/{invoice['id']}").json()["refunded"] == sek(3970)


def test_a_payment_outside_is_recorded_once_and_named_when_refused(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    body = {"amount": sek(100), "paid_on": "2028-01-31", "reference": "t-1"}
    answer = client.post(f"/admin/v1/invoices/{invoice['id']}/payments", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "transition_not_allowed")
    wrong = client.post(f"/admin/v1/invoices/{invoice['id']}/payments", json={**body, "paid_on": "2028-02-30"})
    assert (wrong.status_code, wrong.json()["errors"][0]["where"]) == (422, "paid_on")


def test_a_payment_beside_an_authorization_is_refused_with_what_to_do(service: Service, client: httpx.Client) -> None:
    invoice = open_invoice(service, client)
    body = {"amount": sek(100), "paid_on": "2028-01-31", "reference": "t-1"}
    answer = client.post(f"/admin/v1/invoices/{invoice['id']}/payments", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "authorization_stands")
    assert "3970" in answer.json()["detail"]


def test_a_dispute_is_opened_and_lost_over_http(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    path = f"/admin/v1/invoices/{invoice['id']}/disputes"
    opened = client.post(path, json={"amount": sek(1000), "reference": "case 17"}).json()
    refused = client.post("/admin/v1/refunds", json={"invoice_id": invoice["id"], "reason": "other"})
    assert (refused.status_code, refused.json()["code"]) == (409, "under_dispute")
    lost = client.post(f"{path}/{opened['id']}/lost")
    assert (lost.status_code, lost.json()["status"]) == (200, "lost")
    assert client.get(f"/v1/invoices/{invoice['id']}").json()["disputed"] == sek(1000)
    again = client.post(f"{path}/{opened['id']}/won")
    assert (again.status_code, again.json()["code"]) == (409, "transition_not_allowed")
    too_much = client.post(path, json={"amount": sek(2971)})
    assert (too_much.status_code, too_much.json()["code"]) == (422, "dispute_exceeds_capture")


def test_balance_is_granted_and_not_overdrawn(service: Service, client: httpx.Client, made: dict[str, str]) -> None:
    path = f"/admin/v1/customers/{made['customer_id']}/balance"
    granted = client.post(path, json={"amount": sek(500), "reason": "late parcel"})
    assert (granted.status_code, granted.json()["balance"]) == (201, sek(500))
    refused = client.post(path, json={"amount": sek(-501), "reason": "a mistake"})
    assert (refused.status_code, refused.json()["code"]) == (409, "balance_too_low")


def test_an_invoice_is_issued_and_then_never_void(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    issued = client.post(f"/v1/invoices/{invoice['id']}/issue")
    assert (issued.status_code, issued.json()["issued_at"]) == (200, "2028-01-31T08:31:00Z")
    refused = client.post(f"/admin/v1/invoices/{invoice['id']}/void", json={"reason": "no"})
    assert (refused.status_code, refused.json()["code"]) == (409, "transition_not_allowed")


def test_an_open_invoice_is_voided_over_http(service: Service, client: httpx.Client) -> None:
    invoice = open_invoice(service, client)
    answer = client.post(f"/admin/v1/invoices/{invoice['id']}/void", json={"reason": "wrong company"})
    assert (answer.status_code, answer.json()["status"]) == (200, "void")


@pytest.mark.parametrize("act", ["write-off", "vat-relief"])
def test_a_paid_invoice_is_not_given_up(service: Service, client: httpx.Client, act: str) -> None:
    invoice = service.paid_invoice(client)
    before = service.dump()
    answer = client.post(f"/admin/v1/invoices/{invoice['id']}/{act}", json={"reason": "no"})
    assert (answer.status_code, answer.json()["code"]) == (409, "transition_not_allowed")
    assert service.dump() == before


def test_an_explanation_is_sentences_with_numbers(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    told = client.get(f"/v1/invoices/{invoice['id']}/explain").json()
    assert [line["id"] for line in told["lines"]] == [line["id"] for line in invoice["lines"]]
    assert all(line["sentence"].endswith(".") for line in told["lines"])
    assert (told["paid_by"][0]["about"], told["paid_by"][0]["amount"]) == ("capture", sek(3970))
    assert sum(tax["tax"]["amount"] for tax in told["taxes"]) == invoice["tax_total"]["amount"]
    assert told["due"] == sek(0)


WRONG = [
    ({"by": "time"}, "as_of"),
    ({"by": "quantity"}, "lines"),
    ({"by": "amount"}, "amount"),
    ({"by": "whole", "as_of": "2028-02-10"}, "as_of"),
    ({"by": "half"}, "by"),
    ({"by": "time", "as_of": "2028-02-30"}, "as_of"),
    ({"by": "whole", "give_as": "cash"}, "give_as"),
    ({"by": "amount", "amount": sek(0)}, "amount.amount"),
    ({"by": "amount", "amount": {"amount": 5, "currency": "EUR"}}, "amount.currency"),
    ({"by": "whole", "invoice_id": f"inv_{'0' * 32}"}, "invoice_id"),
]


def test_a_credit_that_cannot_be_right_is_refused_by_field(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    before = service.dump()
    for change, where in WRONG:
        answer = client.post(NOTES, json={"invoice_id": invoice["id"], "reason": "other", **change})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where), change
    assert service.dump() == before
