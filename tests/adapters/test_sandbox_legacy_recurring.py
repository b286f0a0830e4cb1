"""Recurring orders of the older generation, and the checkout that their tokens come from."""

import json

import httpx
import pytest

from tests.adapters.klarna_of_that_time import EID, authorization, item

VENDOR = "application/vnd.klarna."


def test_a_recurring_order_is_reserved_or_invoiced_at_once(older, sandbox):
    reserved, invoiced = older.order(), older.order(activate=True)
    assert (reserved.status_code, invoiced.status_code) == (200, 200)
    assert reserved.headers["Content-Type"] == f"{VENDOR}checkout.recurring-order-accepted-v1+json"
    assert list(reserved.json()) == ["reservation"]
    assert older.call(*older.on_invoice("invoice_amount", invoiced.json()["invoice"])) == 10000


def test_the_books_keep_the_merchants_references_as_those_of_the_newer_generation(older):
    rno = older.rno(merchant_reference={"orderid1": "op-1", "orderid2": "inv-1"})
    row = older.row(rno)
    assert (row["merchant_reference1"], row["merchant_reference2"]) == ("inv-1", "op-1")
    assert (row["generation"], row["origin"], row["order_amount"], row["currency"]) == (
        "legacy",
        "recurring",
        10000,
        "SEK",
    )


def test_a_discount_rate_lowers_the_line(older):
    assert older.row(older.rno(items=[item(unit_price=12300, discount_rate=1000)]))["order_amount"] == 11070


def test_the_same_order_twice_is_two_reservations(older):
    assert older.rno() != older.rno()


def test_the_status_tells_the_payment_method_of_a_living_token(older):
    answer = older.status("always_ok")
    assert answer.json() == {"payment_method": {"type": "invoice"}}
    assert answer.headers["Content-Type"] == f"{VENDOR}checkout.recurring-status-v1+json"


def test_a_declined_order_is_402_and_the_next_attempt_is_taken(older):
    ids = {"merchant_reference": {"orderid2": "inv-decline-soft"}}
    declined = older.order("decline_soft", **ids)
    assert (declined.status_code, set(declined.json())) == (402, {"reason", "payment_method"})
    assert declined.headers["Content-Type"] == f"{VENDOR}checkout.recurring-order-rejected-v1+json"
    assert older.order("decline_soft", **ids).status_code == 200


def test_a_token_that_ended_is_not_found_by_order_and_status(older, sandbox):
    token = sandbox.new_token("legacy", "decline_hard", "SEK")
    answers = [older.order(token), older.order(token), older.status(token)]
    assert [answer.status_code for answer in answers] == [404] * 3


def test_a_suspended_token_is_declined_and_its_status_still_answers(older, sandbox):
    token = sandbox.new_token("legacy", "suspended", "SEK")
    assert (older.order(token).status_code, older.status(token).status_code) == (402, 200)
    sandbox.advance(days=3)
    assert older.order(token).status_code == 200


def test_an_order_under_review_is_frozen_until_it_is_decided(older, sandbox):
    rno = older.ripe_rno("pending_then_ok")
    assert older.fault(*older.activation(rno)) == 8108
    sandbox.advance(hours=6)
    assert older.activate(rno)[0] == "ok"


def test_a_rejected_order_is_at_the_merchants_own_risk_for_four_hours_and_then_gone(older, sandbox):
    early, late = older.rno("pending_then_rejected"), older.rno("pending_then_rejected")
    sandbox.advance(hours=9)
    assert older.activate(early)[0] == "no_risk"
    sandbox.advance(hours=1)
    assert older.fault(*older.activation(late)) == 8104


def test_what_is_under_review_is_never_invoiced_at_once(older):
    assert older.order("pending_then_ok", activate=True).status_code == 402


WRONG = {
    "another currency than the country's": {"purchase_currency": "EUR"},
    "a country that was never sold to": {"purchase_country": "US", "purchase_currency": "USD"},
    "no cart": {"cart": {}},
    "no items": {"cart": {"items": []}},
    "an item without a reference": {"cart": {"items": [item(reference=None)]}},
    "a price as text": {"cart": {"items": [item(unit_price="100")]}},
    "a cart of nothing": {"cart": {"items": [item(unit_price=0)]}},
    "no locale": {"locale": None},
    "activate as text": {"activate": "false"},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_order_is_400_in_that_times_error_form(older, changes):
    answer = older.order(**changes)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, f"{VENDOR}error-v1+json")
    assert answer.json()["http_status_message"] == "Bad Request"


def test_another_currency_than_the_tokens_is_refused(older, sandbox):
    token = sandbox.new_token("legacy", currency="NOK")
    assert older.order(token).status_code == 400
    assert older.order(token, purchase_country="NO", purchase_currency="NOK").status_code == 200


def test_a_token_of_the_newer_generation_is_unknown_here_and_the_reverse(older, sandbox):
    assert older.order(sandbox.good_token).status_code == 404
    assert sandbox.charge(sandbox.new_token("legacy")).json()["error_code"] == "TOKEN_NOT_FOUND"


def test_a_wrong_digest_or_another_merchant_is_401(older, sandbox):
    path, body = f"{sandbox.url}/checkout/recurring/always_ok/orders", b"{}"
    for header in ({}, {"Authorization": authorization(b"other")}, {"Authorization": authorization(body, "wrong")}):
        answer = httpx.post(path, content=body, headers=header)
        assert answer.status_code == 401
        assert answer.json()["internal_message"] == "Bad digest"
    assert older.order(merchant={"id": "1"}).status_code == 401


def test_a_seeded_flaky_token_loses_an_answer_of_the_older_generation_too(older, sandbox):
    token = sandbox.new_token("legacy", "flaky", "SEK")
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{sandbox.url}/checkout/recurring/{token}/orders", timeout=0.3, **signed(json.dumps(cart())))
    assert len(sandbox.rows("SELECT 1 FROM orders WHERE token_id = ?", token)) == 1


def cart(**changes):
    whole = {"purchase_country": "SE", "purchase_currency": "SEK", "locale": "sv-se", "merchant": {"id": str(EID)}}
    return whole | {"cart": {"items": [item()]}} | changes


def signed(text):
    raw = text.encode()
    return {"content": raw, "headers": {"Authorization": authorization(raw)}}


@pytest.fixture
def checkout_order(sandbox):
    """The location of an order of the checkout that asks for a token."""
    created = httpx.post(f"{sandbox.url}/checkout/orders", **signed(json.dumps(cart(recurring=True))))
    assert (created.status_code, created.content) == (201, b"")
    return created.headers["Location"]


def test_the_checkout_makes_a_reservation_and_a_recurring_token_that_is_charged(older, sandbox, checkout_order):
    waiting = httpx.get(checkout_order, headers={"Authorization": authorization()}).json()
    assert (waiting["status"], "recurring_token" in waiting) == ("checkout_incomplete", False)
    page = waiting["gui"]["snippet"].split('"')[1]
    assert "Växt" in httpx.get(page).text
    httpx.post(f"{page}/approve", data={"token": "always_ok"}).raise_for_status()
    complete = httpx.get(checkout_order, headers={"Authorization": authorization()}).json()
    assert (complete["status"], older.row(complete["reservation"])["origin"]) == ("checkout_complete", "checkout")
    assert older.order(complete["recurring_token"]).status_code == 200


def test_a_complete_checkout_is_acknowledged_with_the_merchants_references(older, sandbox, checkout_order):
    approve = f"/_sandbox/checkouts/{checkout_order.rsplit('/', 1)[1]}/approve"
    rno = sandbox.client.post(approve, json={"token": "always_ok"}).json()["reservation"]
    created = json.dumps({"status": "created", "merchant_reference": {"orderid1": "op-1"}})
    answer = httpx.post(checkout_order, **signed(created))
    assert (answer.json()["status"], older.row(rno)["merchant_reference2"]) == ("created", "op-1")
    assert "recurring_token" in answer.json()
