"""One contract, both adapters, the real sandbox over sockets, up to the capture: what is asked in our words, what comes
back in our words, and what the sandbox's books hold afterwards.

Where the generations differ, the test says so. Invoices and expiry stand in `test_gateway_contract_invoices.py`.
"""

import json
from typing import Any
from uuid import uuid4

import pytest

from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind, OrderChange
from billing.domain.tokens import Token
from billing.ports import Address, NotSent, Refused, Shipment, Succeeded
from tests.adapters.both_generations import (
    AMEND,
    BASE,
    CAPTURE,
    FREIGHT,
    GOODS,
    ONE_BOX,
    PARCEL,
    PURCHASE,
    RELEASE,
    UNUSED,
    VOID,
    Legacy,
    Rest,
    Side,
    code,
    reason,
    tax_of,
)

SHIP = OperationKind.SHIP
REVIEW = {"hours": 6, "minutes": 1}
HOME = Address("Ada", "Example", "Storgatan 1", postal_code="12345", city="Ankeborg", country="SE")
RENUMBERED: dict[str, Any] = {"changes": OrderChange.ORDER_NUMBER, "invoice_reference": "SHOP-17", "lines": ()}
READDRESSED: dict[str, Any] = {"changes": OrderChange.ADDRESS, "address": HOME, "lines": ()}


# --- purchase --------------------------------------------------------------------------------------------------


def test_a_purchase_is_reserved_with_its_lines_and_references(side: Side) -> None:
    call = side.call(PURCHASE, invoice_reference="inv_1")
    outcome = side.send(call)
    assert isinstance(outcome, Succeeded)
    assert outcome.authorization == "authorized"
    order = side.books(outcome.provider_id or "").order
    assert (order["order_amount"], order["order_tax_amount"], order["currency"]) == (3970, 656, "SEK")
    assert (order["merchant_reference1"], order["merchant_reference2"]) == ("inv_1", call.merchant_reference)
    assert (order["status"], order["captured_amount"]) == ("AUTHORIZED", 0)


def test_a_purchase_under_review_cannot_be_captured_until_it_is_accepted(side: Side) -> None:
    outcome = side.asked(PURCHASE, side.token("pending_then_ok"))
    assert isinstance(outcome, Succeeded)
    # The older generation answers a reservation either way; only the capture tells.
    assert outcome.authorization == ("pending_review" if side.is_rest else "authorized")
    purchase_id = outcome.provider_id or ""
    side.sandbox.advance(minutes=31)
    assert isinstance(side.asked(CAPTURE, purchase_id=purchase_id), Refused if side.is_rest else NotSent)
    side.sandbox.advance(**REVIEW)
    side.do(CAPTURE, purchase_id=purchase_id)
    assert side.books(purchase_id).order["status"] == "CAPTURED"


def test_a_purchase_that_its_review_rejected_is_given_up_by_the_provider(side: Side) -> None:
    purchase_id = side.do(PURCHASE, side.token("pending_then_rejected"))
    side.sandbox.advance(**REVIEW)
    if side.is_rest:
        assert side.gateway.read_orders([purchase_id])[purchase_id].authorization == "rejected"
    side.sandbox.advance(hours=4)
    assert isinstance(side.asked(CAPTURE, purchase_id=purchase_id), Refused)
    books = side.books(purchase_id)
    assert (books.order["status"], books.order["fraud_status"], books.captures) == ("CANCELLED", "REJECTED", [])


def test_a_soft_decline_leaves_nothing_and_a_later_attempt_at_the_invoice_is_taken(side: Side) -> None:
    token = side.token("decline_soft")
    outcome = side.asked(PURCHASE, token, invoice_reference="inv_soft")
    assert (reason(outcome), side.orders_of(token)) == ("soft", [])
    assert outcome.answer.code == ("PAYMENT_METHOD_FAILED" if side.is_rest else "402")
    assert outcome.answer.message
    side.do(PURCHASE, token, invoice_reference="inv_soft")
    assert len(side.orders_of(token)) == 1


def test_a_token_that_ends_with_the_charge_is_a_hard_decline_and_reads_as_revoked(side: Side) -> None:
    token = side.token("decline_hard")
    assert side.status_of(token) == "active"
    assert reason(side.asked(PURCHASE, token)) == "hard"
    assert (side.status_of(token), side.orders_of(token)) == ("revoked", [])


def test_a_revoked_token_is_a_hard_decline(side: Side) -> None:
    token = side.token()
    side.sandbox.client.post(f"/_sandbox/tokens/{token.reveal()}", json={"status": "CANCELLED"}).raise_for_status()
    assert reason(side.asked(PURCHASE, token)) == "hard"
    assert (side.status_of(token), side.orders_of(token)) == ("revoked", [])


def test_a_token_that_nobody_knows_is_a_hard_decline(side: Side) -> None:
    assert reason(side.asked(PURCHASE, Token(str(uuid4())))) == "hard"


def test_a_suspended_token_is_charged_when_it_is_awake_again(side: Side) -> None:
    token = side.token("suspended")
    # The older generation has no word for it: a decline like others, and a later attempt is a new order.
    assert reason(side.asked(PURCHASE, token)) == ("suspended" if side.is_rest else "soft")
    assert (side.status_of(token), side.orders_of(token)) == ("suspended" if side.is_rest else "active", [])
    side.sandbox.advance(days=3, minutes=1)
    side.do(PURCHASE, token)
    assert (side.status_of(token), len(side.orders_of(token))) == ("active", 1)


def test_another_currency_than_the_tokens_goes_to_a_person(side: Side) -> None:
    token = side.token(currency="EUR")
    assert isinstance(side.asked(PURCHASE, token), Refused)
    assert side.orders_of(token) == []


def test_a_currency_that_is_not_the_countrys_is_refused_before_it_is_sent(legacy: Legacy) -> None:
    with pytest.raises(Invalid) as refused:
        legacy.gateway.prepare(legacy.order(PURCHASE, currency="EUR"))
    assert refused.value.where == "purchase_currency"


# --- before the capture ----------------------------------------------------------------------------------------


def test_a_void_gives_the_whole_reservation_back(side: Side) -> None:
    purchase_id = side.do(PURCHASE)
    side.do(VOID, purchase_id=purchase_id)
    books = side.books(purchase_id)
    assert (books.order["status"], [row["amount"] for row in books.voids]) == ("CANCELLED", [3970])
    assert isinstance(side.asked(CAPTURE, purchase_id=purchase_id), Refused)


def test_a_void_is_refused_after_the_capture(side: Side) -> None:
    purchase_id, _ = side.captured()
    assert code(side.asked(VOID, purchase_id=purchase_id)) == ("CANCEL_NOT_ALLOWED" if side.is_rest else "8104")
    assert (side.books(purchase_id).voids, side.books(purchase_id).order["status"]) == ([], "CAPTURED")


def test_an_amended_order_has_the_new_lines_and_is_captured_whole(side: Side) -> None:
    purchase = side.call(PURCHASE, invoice_reference="inv_2")
    purchase_id = bought(side, purchase)
    side.do(AMEND, purchase_id=purchase_id, invoice_reference="inv_2", lines=(UNUSED, ONE_BOX))
    side.sandbox.advance(minutes=31)
    side.do(CAPTURE, purchase_id=purchase_id, lines=(UNUSED, ONE_BOX))
    books = side.books(purchase_id)
    assert (books.order["order_amount"], books.order["order_tax_amount"], tax_of(books.captures[0])) == (2005, 332, 332)
    assert (books.order["merchant_reference1"], books.order["merchant_reference2"]) == (
        "inv_2",
        purchase.merchant_reference,
    )
    assert (books.order["status"], books.captures[0]["amount"]) == ("CAPTURED", 2005)


def test_an_amendment_is_refused_after_the_capture(side: Side) -> None:
    purchase_id, _ = side.captured()
    outcome = side.asked(AMEND, purchase_id=purchase_id, lines=(BASE,))
    assert code(outcome) == ("NOT_ALLOWED" if side.is_rest else "8104")
    assert side.books(purchase_id).order["order_amount"] == 3970


def test_another_order_number_leaves_the_rest_of_the_order_as_it_is(side: Side) -> None:
    purchase = side.call(PURCHASE, invoice_reference="inv_3")
    purchase_id = bought(side, purchase)
    before = side.books(purchase_id).order
    side.do(AMEND, purchase_id=purchase_id, **RENUMBERED)
    order = side.books(purchase_id).order
    assert (order["merchant_reference1"], order["merchant_reference2"]) == ("SHOP-17", purchase.merchant_reference)
    assert {**order, "merchant_reference1": "inv_3"} == before


def test_another_place_of_delivery_is_kept_with_the_order(side: Side) -> None:
    purchase = side.call(PURCHASE, invoice_reference="inv_4")
    purchase_id = bought(side, purchase)
    before = side.books(purchase_id).order
    side.do(AMEND, purchase_id=purchase_id, **READDRESSED, invoice_reference="inv_4")
    books = side.books(purchase_id)
    (changed,) = [json.loads(row["content"]) for row in books.changes if row["kind"] == "customer"]
    assert {name: value for name, value in changed["shipping_address"].items() if value} == {
        "given_name": "Ada",
        "family_name": "Example",
        "street_address": "Storgatan 1",
        "postal_code": "12345",
        "city": "Ankeborg",
        "country": "SE",
    }
    assert (list(changed), books.order) == (["shipping_address"], before)


def test_another_place_of_delivery_is_refused_after_the_capture(side: Side) -> None:
    purchase_id, _ = side.captured()
    outcome = side.asked(AMEND, purchase_id=purchase_id, **READDRESSED)
    assert code(outcome) == ("NOT_ALLOWED" if side.is_rest else "8104")
    assert [row for row in side.books(purchase_id).changes if row["kind"] == "customer"] == []


def test_another_order_number_is_refused_once_the_order_is_given_back(side: Side) -> None:
    purchase_id = side.do(PURCHASE, invoice_reference="inv_5")
    side.do(VOID, purchase_id=purchase_id)
    assert code(side.asked(AMEND, purchase_id=purchase_id, **RENUMBERED)) == ("NOT_ALLOWED" if side.is_rest else "8104")
    assert side.books(purchase_id).order["merchant_reference1"] == "inv_5"


def bought(side: Side, call: Any) -> str:
    outcome = side.send(call)
    assert isinstance(outcome, Succeeded)
    return outcome.provider_id or ""


# --- capture ---------------------------------------------------------------------------------------------------


def test_a_whole_capture_is_refused_before_30_minutes_and_taken_at_31(side: Side) -> None:
    purchase_id = side.do(PURCHASE)
    side.sandbox.advance(minutes=29)
    early = side.asked(CAPTURE, purchase_id=purchase_id)
    if side.is_rest:
        assert code(early) == "CAPTURE_NOT_ALLOWED"
    else:
        assert isinstance(early, NotSent)
        assert (early.answer.code, early.retry_after_seconds, early.account_stopped) == ("8108", 1800, False)
    side.sandbox.advance(minutes=2)
    capture = side.call(CAPTURE, purchase_id=purchase_id)
    captured = side.send(capture)
    assert isinstance(captured, Succeeded)
    books = side.books(purchase_id)
    assert books.captured == [(3970, capture.merchant_reference)]
    assert (books.captures[0]["capture_id"], books.order["status"]) == (captured.provider_id, "CAPTURED")


@pytest.mark.parametrize("risk", ["ok", "no_risk"])
def test_a_legacy_capture_tells_the_risk_and_the_invoice_number(legacy: Legacy, risk: str) -> None:
    purchase_id = legacy.bought()
    legacy.sandbox.set(risk=risk)
    outcome = legacy.asked(CAPTURE, purchase_id=purchase_id)
    assert isinstance(outcome, Succeeded)
    assert (dict(outcome.facts), len(outcome.provider_id or "")) == ({"risk": risk}, 17)
    assert legacy.books(purchase_id).captures[0]["risk"] == risk


def test_what_a_part_capture_leaves_is_captured_later(side: Side) -> None:
    purchase_id, first = side.captured_in_part()
    assert side.books(purchase_id).order["status"] == "PART_CAPTURED"
    second = side.do(CAPTURE, purchase_id=purchase_id, lines=(BASE, ONE_BOX, FREIGHT))
    books = side.books(purchase_id)
    assert [(row["capture_id"], row["amount"], tax_of(row)) for row in books.captures] == [
        (first, 745, 80),
        (second, 3225, 576),
    ]
    assert (first != second, books.order["status"]) == (True, "CAPTURED")


def test_what_a_part_capture_leaves_is_released(side: Side) -> None:
    purchase_id, _ = side.captured_in_part()
    side.do(RELEASE, purchase_id=purchase_id)
    books = side.books(purchase_id)
    assert [row["amount"] for row in books.voids] == [3225]
    assert isinstance(side.asked(CAPTURE, purchase_id=purchase_id, lines=(BASE,), is_whole=False), Refused)
    assert [amount for amount, _ in side.books(purchase_id).captured] == [745]


def test_more_articles_than_are_left_are_refused(side: Side) -> None:
    purchase_id, _ = side.captured_in_part()
    outcome = side.asked(CAPTURE, purchase_id=purchase_id, lines=GOODS, is_whole=False)
    assert code(outcome) == ("CAPTURE_NOT_ALLOWED" if side.is_rest else "9107")
    assert len(side.books(purchase_id).captures) == 1


# --- parcels ---------------------------------------------------------------------------------------------------


def test_parcels_and_return_labels_go_with_the_capture(side: Side) -> None:
    second = Shipment("DHL", "UU2")
    purchase_id, _ = side.captured(shipments=(PARCEL, second))
    details = json.loads(side.books(purchase_id).captures[0]["details"])
    if side.is_rest:
        assert [parcel["tracking_number"] for parcel in details["shipping_info"]] == ["UU1", "UU2"]
        assert details["shipping_info"][0]["return_tracking_number"] == "RR1"
    else:
        sent = details["shipment_info"]
        assert (sent["shipping_company"], sent["tracking_no"]) == ("PostNord, DHL", "UU1, UU2")
        assert sent["return_tracking_no"] == "RR1"


def test_parcels_are_added_before_and_after_the_capture(rest: Rest) -> None:
    purchase_id = rest.bought()
    rest.do(SHIP, purchase_id=purchase_id, shipments=(PARCEL,))
    capture_id = rest.do(CAPTURE, purchase_id=purchase_id)
    rest.do(SHIP, purchase_id=purchase_id, capture_id=capture_id, shipments=(PARCEL, Shipment("DHL", "UU2")))
    added = [row for row in rest.books(purchase_id).changes if row["kind"] == "ship"]
    assert [(row["capture_id"], len(json.loads(row["content"]))) for row in added] == [(None, 1), (capture_id, 2)]
    assert json.loads(added[0]["content"])[0]["return_tracking_uri"] == PARCEL.return_tracking_url


def test_parcels_by_themselves_cannot_be_said_in_the_older_generation(legacy: Legacy) -> None:
    with pytest.raises(Invalid) as refused:
        legacy.gateway.prepare(legacy.order(SHIP, purchase_id="1", shipments=(PARCEL,)))
    assert refused.value.where == "shipments"
