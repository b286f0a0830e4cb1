"""An operator's refund: by amount, by lines, all of it; waiting for its end; and never more than was taken."""

import threading

import httpx
import pytest

from api.admin.refunds import seconds_to_wait
from tests.api.service import Service

REFUNDS = "/admin/v1/refunds"


def test_a_refund_of_an_amount_is_a_credit_note_now_and_money_at_the_next_tick(
    service: Service, client: httpx.Client
) -> None:
    invoice = service.paid_invoice(client)
    body = {"invoice_id": invoice["id"], "reason": "goodwill", "amount": {"amount": 500, "currency": "SEK"}}
    answer = client.post(REFUNDS, json=body)
    assert (answer.status_code, answer.json()["operation_status"]) == (202, "planned")
    note = answer.json()["credit_note"]
    assert (note["number"], note["total"], note["reason"]) == (
        "credit_note-000001",
        {"amount": 500, "currency": "SEK"},
        "goodwill",
    )
    assert sum(line["tax_amount"]["amount"] for line in note["lines"]) == note["tax"]["amount"]
    service.tick()
    assert client.get(f"/v1/invoices/{invoice['id']}").json()["refunded"]["amount"] == 500


def test_a_refund_of_units_names_their_line(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    (box,) = (line["id"] for line in invoice["lines"] if line["article_number"] == "BOX")
    body = {"invoice_id": invoice["id"], "reason": "returned", "lines": [{"line_id": box, "quantity": 1}]}
    (line,) = client.post(REFUNDS, json=body).json()["credit_note"]["lines"]
    assert (line["line_id"], line["quantity"], line["amount"]["amount"], line["by"]) == (box, 1, 745, "quantity")


def test_a_refund_without_lines_or_amount_is_all_that_is_left(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    body = {"invoice_id": invoice["id"], "reason": "withdrawal"}
    assert client.post(REFUNDS, json=body).json()["credit_note"]["total"] == invoice["total"]
    assert client.post(REFUNDS, json=body).json()["code"] == "empty_invoice"


def test_more_than_was_taken_is_refused_with_what_is_possible(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    body = {"invoice_id": invoice["id"], "reason": "other", "amount": {"amount": 3971, "currency": "SEK"}}
    before = service.dump()
    answer = client.post(REFUNDS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "refund_exceeds_capture")
    assert "3970" in answer.json()["detail"]
    assert service.dump() == before


def test_nothing_is_refunded_before_it_was_captured(service: Service, client: httpx.Client) -> None:
    service.shop.subscription()
    service.tick()
    (invoice,) = client.get("/v1/invoices").json()["data"]
    answer = client.post(REFUNDS, json={"invoice_id": invoice["id"], "reason": "other"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_who_waits_hears_the_end(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    stop = threading.Event()
    loops = threading.Thread(target=lambda: [service.tick() for _ in iter(lambda: stop.wait(0.02), True)])
    loops.start()
    try:
        answer = client.post(REFUNDS, json=everything(invoice), headers={"Prefer": "respond-async, wait=10"})
    finally:
        stop.set()
        loops.join()
    assert (answer.status_code, answer.json()["operation_status"]) == (202, "succeeded")
    assert answer.headers["Preference-Applied"] == "wait=10"


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 0),
        ("wait=5", 5),
        ("wait=0005", 5),
        ("wait=31", 30),
        (f"wait={'9' * 5000}", 30),
        ("await", 0),
        ("wait=-1", 0),
    ],
)
def test_a_wait_is_as_long_as_asked_and_at_most_30_seconds(prefer: str | None, seconds: int) -> None:
    assert seconds_to_wait(prefer) == seconds


def test_an_answer_waited_for_is_the_answer_of_every_repeat(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    headers = {"Idempotency-Key": "r-1", "Prefer": "wait=1"}
    first = client.post(REFUNDS, json=everything(invoice), headers=headers)
    service.tick()
    again = client.post(REFUNDS, json=everything(invoice), headers=headers)
    assert first.json()["operation_status"] == "planned"
    assert (again.status_code, again.content) == (first.status_code, first.content)


def test_who_comes_back_before_the_first_is_done_waiting_fixes_the_answer_for_both(
    service: Service, client: httpx.Client
) -> None:
    invoice = service.paid_invoice(client)
    answers = []
    waiting = {"Idempotency-Key": "r-1", "Prefer": "wait=2"}
    first = threading.Thread(
        target=lambda: answers.append(client.post(REFUNDS, json=everything(invoice), headers=waiting))
    )
    first.start()
    while not client.get("/v1/operations", params={"kind": "refund"}).json()["data"]:
        pass
    second = client.post(REFUNDS, json=everything(invoice), headers={"Idempotency-Key": "r-1"})
    service.tick()
    first.join()
    assert answers[0].content == second.content
    assert second.headers["Idempotency-Replayed"] == "true"


LINE = {"line_id": f"line_{'0' * 32}", "quantity": 1}
WRONG = [
    ({"reason": "Good Will"}, "reason"),
    ({"lines": []}, "lines"),
    ({"lines": [LINE]}, "lines"),
    ({"lines": [LINE, LINE]}, "lines"),
    ({"lines": [LINE], "amount": {"amount": 1, "currency": "SEK"}}, "amount"),
    ({"amount": {"amount": 0, "currency": "SEK"}}, "amount.amount"),
    ({"amount": {"amount": 500, "currency": "EUR"}}, "amount.currency"),
    ({"invoice_id": f"inv_{'0' * 32}"}, "invoice_id"),
]


def test_a_refund_that_cannot_be_right_is_refused_by_field(service: Service, client: httpx.Client) -> None:
    invoice = service.paid_invoice(client)
    before = service.dump()
    for change, where in WRONG:
        answer = client.post(REFUNDS, json={**everything(invoice), **change})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, where), change
    assert service.dump() == before


def everything(invoice: dict) -> dict:
    return {"invoice_id": invoice["id"], "reason": "goodwill"}
