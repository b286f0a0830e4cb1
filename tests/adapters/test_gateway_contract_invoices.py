"""The contract of both adapters after the capture: refunds, expiry, emails, due dates, tokens; then what is looked up.

As `test_gateway_contract.py`: the real sandbox over sockets, our words, and its books afterwards.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind
from billing.ports import OrderLine, Refused, Succeeded
from tests.adapters.both_generations import (
    BASE,
    CAPTURE,
    ONE_BOX,
    PURCHASE,
    REFUND,
    UNUSED,
    USED,
    Legacy,
    Rest,
    Side,
    code,
    reason,
    tax_of,
)

EXTEND = OperationKind.EXTEND
REVOKE = OperationKind.REVOKE
EMAIL = OperationKind.EMAIL_INVOICE
POST = OperationKind.POST_INVOICE
LATER = OperationKind.EXTEND_DUE_DATE


# --- refund ----------------------------------------------------------------------------------------------------


def test_the_worked_example_is_refunded_to_the_cent(side: Side) -> None:
    purchase_id, capture_id = side.captured()
    side.do(
        REFUND, purchase_id=purchase_id, capture_id=capture_id, lines=(UNUSED, ONE_BOX), kept=(USED,), is_whole=False
    )
    (refund,) = side.books(purchase_id).refunds
    assert (refund["amount"], tax_of(refund)) == (2005, 332)
    amounts = [(line["reference"], line["total_amount"]) for line in json.loads(refund["lines"])]
    used = [("BASE", 1990), ("BOX", 745), ("USED-BASE", -730)]
    assert amounts == ([("BASE", 1260), ("BOX", 745)] if side.is_rest else used)


def test_articles_are_not_credited_beyond_what_was_captured(side: Side) -> None:
    purchase_id, capture_id = side.captured()
    about: dict[str, Any] = {"purchase_id": purchase_id, "capture_id": capture_id, "is_whole": False}
    side.do(REFUND, lines=(BASE, ONE_BOX), **about)
    again = side.asked(REFUND, lines=(BASE, ONE_BOX), **about)
    assert code(again) == ("REFUND_NOT_ALLOWED" if side.is_rest else "9108")
    assert [amount for amount, _ in side.books(purchase_id).refunded] == [2735]


def test_a_refund_by_amount_has_the_tax_of_its_rate(side: Side) -> None:
    purchase_id, capture_id = side.captured()
    goodwill = OrderLine("BASE", "Grundavgift", 1, 500, 500, 100, 2500)
    about: dict[str, Any] = {"purchase_id": purchase_id, "capture_id": capture_id, "is_whole": False}
    side.do(REFUND, lines=(goodwill,), has_lines=False, **about)
    (refund,) = side.books(purchase_id).refunds
    assert (refund["amount"], tax_of(refund)) == (500, 100)
    assert refund["kind"] == ("refund" if side.is_rest else "return_amount")


def test_an_amount_over_two_rates_cannot_be_returned_in_the_older_generation(legacy: Legacy) -> None:
    with pytest.raises(Invalid) as refused:
        legacy.gateway.prepare(legacy.order(REFUND, capture_id="1", is_whole=False, has_lines=False))
    assert refused.value.where == "vat"


def test_a_whole_invoice_is_refunded_once(side: Side) -> None:
    purchase_id, capture_id = side.captured()
    first = side.call(REFUND, purchase_id=purchase_id, capture_id=capture_id)
    assert isinstance(side.send(first), Succeeded)
    again = side.asked(REFUND, purchase_id=purchase_id, capture_id=capture_id)
    assert code(again) == ("REFUND_NOT_ALLOWED" if side.is_rest else "8104")
    books = side.books(purchase_id)
    assert books.refunded == [(3970, "refund" if side.is_rest else "credit_invoice")]
    assert (books.refunds[0]["reference"], books.order["refunded_amount"]) == (first.merchant_reference, 3970)


# --- expiry ----------------------------------------------------------------------------------------------------


def test_an_extension_gives_a_later_end(side: Side) -> None:
    purchase_id = side.do(PURCHASE)
    before = instant(side.books(purchase_id).order["expires_at"])
    side.sandbox.advance(days=20)
    outcome = side.asked(EXTEND, purchase_id=purchase_id)
    assert isinstance(outcome, Succeeded)
    after = instant(side.books(purchase_id).order["expires_at"])
    assert after - before >= timedelta(days=19)
    known = side.gateway.read_orders([purchase_id])[purchase_id].expires_at if side.is_rest else outcome.expires_at
    assert known is not None
    assert abs(known - after) < timedelta(seconds=1)


def test_an_expired_authorization_comes_back_in_the_older_generation_only(side: Side) -> None:
    purchase_id = side.do(PURCHASE)
    side.sandbox.advance(days=29)
    assert isinstance(side.asked(CAPTURE, purchase_id=purchase_id), Refused)
    outcome = side.asked(EXTEND, purchase_id=purchase_id)
    if side.is_rest:
        assert code(outcome) == "NOT_ALLOWED"
        assert side.gateway.read_orders([purchase_id])[purchase_id].authorization == "expired"
    else:
        assert isinstance(outcome, Succeeded)
        side.do(CAPTURE, purchase_id=purchase_id)
        assert side.books(purchase_id).order["captured_amount"] == 3970


def test_an_extension_that_the_new_assessment_refuses_is_a_soft_decline(legacy: Legacy) -> None:
    purchase_id = legacy.do(PURCHASE)
    legacy.sandbox.advance(days=29)
    legacy.sandbox.set(extension_assessment="reject")
    assert reason(legacy.asked(EXTEND, purchase_id=purchase_id)) == "soft"
    assert legacy.books(purchase_id).changes == []


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# --- invoices and tokens ---------------------------------------------------------------------------------------


def test_an_invoice_is_emailed_again(side: Side) -> None:
    purchase_id, capture_id = side.captured()
    side.do(EMAIL, purchase_id=purchase_id, capture_id=capture_id)
    sent = [(row["capture_id"], row["cause"]) for row in side.books(purchase_id).send_outs]
    assert sent[-1] == (capture_id, "trigger" if side.is_rest else "email_invoice")


def test_an_email_of_an_invoice_that_is_not_there_goes_to_a_person(side: Side) -> None:
    purchase_id, _ = side.captured()
    before = len(side.books(purchase_id).send_outs)
    outcome = side.asked(EMAIL, purchase_id=purchase_id, capture_id="12345678901234567")
    assert code(outcome) == ("NO_SUCH_CAPTURE" if side.is_rest else "8101")
    assert len(side.books(purchase_id).send_outs) == before


def test_an_email_without_an_address_would_be_charged_post_and_is_refused(legacy: Legacy) -> None:
    with pytest.raises(Invalid) as refused:
        legacy.gateway.prepare(legacy.order(EMAIL, capture_id="1", customer_email=None))
    assert refused.value.where == "customer_email"


def test_an_invoice_is_posted_in_the_older_generation_only(side: Side) -> None:
    purchase_id, capture_id = side.captured()
    if side.is_rest:
        with pytest.raises(Invalid):
            side.call(POST, purchase_id=purchase_id, capture_id=capture_id)
    else:
        side.do(POST, purchase_id=purchase_id, capture_id=capture_id)
    assert ("post" in [row["cause"] for row in side.books(purchase_id).send_outs]) is not side.is_rest


def test_a_due_date_is_moved(side: Side) -> None:
    purchase_id, capture_id = side.captured()
    outcome = side.asked(LATER, purchase_id=purchase_id, capture_id=capture_id, days=14)
    assert isinstance(outcome, Succeeded)
    (change,) = [row for row in side.books(purchase_id).changes if row["kind"] == "extend_due_date"]
    moved = json.loads(change["content"])
    if side.is_rest:
        assert (change["capture_id"], moved["number_of_days"]) == (capture_id, 14)
    else:
        assert dict(outcome.facts) == {"cost": "700", "due_on": moved["due_on"]}


def test_a_due_date_that_klarna_does_not_offer_goes_to_a_person(side: Side) -> None:
    purchase_id, capture_id = side.captured()
    assert isinstance(side.asked(LATER, purchase_id=purchase_id, capture_id=capture_id, days=61), Refused)
    assert side.books(purchase_id).changes == []


def test_a_revoked_token_is_charged_no_more(rest: Rest) -> None:
    token = rest.token()
    rest.do(REVOKE, token, lines=(BASE,))
    assert rest.status_of(token) == "revoked"
    assert reason(rest.asked(PURCHASE, token)) == "hard"


def test_a_token_is_revoked_in_the_portal_only_in_the_older_generation(legacy: Legacy) -> None:
    with pytest.raises(Invalid) as refused:
        legacy.gateway.prepare(legacy.order(REVOKE))
    assert refused.value.where == "token"


# --- what happened? --------------------------------------------------------------------------------------------


def test_what_somebody_did_in_the_portal_is_seen_beside_what_we_did(rest: Rest) -> None:
    purchase_id, capture_id = rest.captured_in_part()
    in_portal(rest, purchase_id, "capture", 500)
    in_portal(rest, purchase_id, "refund", 200)
    order = rest.gateway.read_orders([purchase_id])[purchase_id]
    assert (order.authorization, order.captured_amount, order.refunded_amount) == ("part_captured", 1245, 200)
    assert [(capture.amount, capture.provider_id == capture_id) for capture in order.captures] == [
        (745, True),
        (500, False),
    ]
    assert [(refund.amount, refund.reference) for refund in order.refunds] == [(200, None)]


def test_a_credit_in_the_portal_shows_in_the_amount_of_the_invoice(legacy: Legacy) -> None:
    purchase_id, number = legacy.captured()
    in_portal(legacy, purchase_id, "refund", 200)
    assert legacy.gateway.read_invoices([number, "1"]) == {number: 3770}
    assert legacy.gateway.read_orders([purchase_id]) == {}


def test_a_recurring_order_is_seen_only_where_klarna_shows_it(legacy: Legacy) -> None:
    call = legacy.call(PURCHASE)
    assert isinstance(legacy.send(call), Succeeded)
    assert legacy.gateway.read_sightings([call.merchant_reference]) == {call.merchant_reference: "not_found"}
    legacy.sandbox.set(status_sees_recurring=True)
    assert legacy.gateway.read_sightings([call.merchant_reference]) == {call.merchant_reference: "accepted"}


def in_portal(side: Side, purchase_id: str, action: str, amount: int) -> None:
    wish = {"action": action, "amount": amount}
    side.sandbox.client.post(f"/_sandbox/orders/{purchase_id}/portal", json=wish).raise_for_status()
