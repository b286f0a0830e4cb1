"""What goes into a request to Klarna, and what is refused before it is one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.adapters.klarna_rest.payloads import provider_tax, request_for
from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind
from billing.ports import Order, Shipment
from tests.fakes.calls import PURCHASE_ID, a_line, an_order

PURCHASE, CAPTURE, REFUND = OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.REFUND
ORDER_PATH = f"/ordermanagement/v1/orders/{PURCHASE_ID}"


def body_of(order: Order) -> dict[str, Any]:
    body = json.loads(request_for(order).body)
    assert isinstance(body, dict)
    return body


def refused_field(order: Order) -> str | None:
    with pytest.raises(Invalid) as refusal:
        request_for(order)
    assert refusal.value.where is not None
    assert refusal.value.where in refusal.value.message
    return refusal.value.where


# --- purchase ----------------------------------------------------------------------------------------------------


def test_a_purchase_charges_a_token_that_is_not_in_the_request() -> None:
    request = request_for(an_order(PURCHASE))
    assert (request.method, request.path) == ("POST", "/customer-token/v1/tokens/{token}/order")


def test_a_purchase_has_exactly_these_bytes() -> None:
    assert request_for(an_order(PURCHASE)).body == (
        b'{"purchase_currency":"EUR","order_amount":11900,"order_tax_amount":1900,"order_lines":[{"type":"digital",'
        b'"reference":"basic","name":"Basic","quantity":1,"unit_price":11900,"tax_rate":1900,"total_amount":11900,'
        b'"total_tax_amount":1900}],"merchant_reference1":"inv_01900000000070008000000000000002",'
        b'"merchant_reference2":"op-0123456789abcdef0123","auto_capture":false}'
    )


def test_a_subscription_stands_on_every_line() -> None:
    lines = (a_line(), a_line(reference="extra"))
    order = an_order(PURCHASE, amount=23800, lines=lines, subscription_name="Gold", interval="month", interval_count=3)
    expected = {"name": "Gold", "interval": "MONTH", "interval_count": 3}
    assert [line["subscription"] for line in body_of(order)["order_lines"]] == [expected, expected]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"interval": None}, "subscription.interval"),
        ({"interval": "fortnight"}, "subscription.interval"),
        ({"interval_count": 0}, "subscription.interval_count"),
        ({"interval_count": None}, "subscription.interval_count"),
        ({"subscription_name": None}, "subscription.name"),
    ],
)
def test_half_a_subscription_is_refused(changes: dict[str, Any], field: str) -> None:
    whole: dict[str, Any] = {"subscription_name": "Gold", "interval": "month", "interval_count": 1}
    assert refused_field(an_order(PURCHASE, **{**whole, **changes})) == field


@pytest.mark.parametrize(("amount", "is_taken"), [(0, False), (-1, False), (True, False), (1, True)])
def test_a_purchase_is_of_at_least_one_minor_unit(amount: int, is_taken: bool) -> None:
    order = an_order(PURCHASE, amount=amount, lines=(a_line(unit_amount=1, amount=1, tax_amount=0),))
    assert body_of(order)["order_amount"] == 1 if is_taken else refused_field(order) == "order_amount"


def test_an_amount_above_the_smaller_limit_is_refused() -> None:
    line = a_line(unit_amount=100_000_001, amount=100_000_001, tax_amount=0, tax_rate=0)
    assert refused_field(an_order(PURCHASE, amount=100_000_001, lines=(line,))) == "order_lines[0].unit_price"
    halves = (a_line(unit_amount=100_000_000, amount=100_000_000), a_line(unit_amount=100_000_000, amount=100_000_000))
    assert body_of(an_order(PURCHASE, amount=200_000_000, lines=halves))["order_amount"] == 200_000_000
    assert refused_field(an_order(PURCHASE, amount=200_000_001, lines=halves)) == "order_amount"


def test_lines_must_add_up_to_the_amount() -> None:
    assert refused_field(an_order(PURCHASE, amount=11901)) == "order_lines"


def test_a_line_that_is_not_quantity_times_price_goes_as_one_piece() -> None:
    line = a_line(quantity=2)
    (written,) = body_of(an_order(PURCHASE, lines=(line,)))["order_lines"]
    assert (written["quantity"], written["unit_price"], written["total_amount"]) == (1, 11900, 11900)


@pytest.mark.parametrize("count", [0, 1001])
def test_a_purchase_has_one_to_a_thousand_lines(count: int) -> None:
    lines = tuple(a_line() for _ in range(count))
    assert refused_field(an_order(PURCHASE, amount=max(11900 * count, 1), lines=lines)) == "order_lines"


def test_a_thousand_lines_are_taken() -> None:
    lines = tuple(a_line() for _ in range(1000))
    assert len(body_of(an_order(PURCHASE, amount=11_900_000, lines=lines))["order_lines"]) == 1000


def test_a_request_above_a_megabyte_is_refused() -> None:
    lines = tuple(a_line(name="\N{BLACK CHESS KING}" * 255, reference="\u20ac" * 255) for _ in range(1000))
    assert refused_field(an_order(PURCHASE, amount=11_900_000, lines=lines)) == "order_lines"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "order_lines[1].name"),
        ({"name": "x" * 256}, "order_lines[1].name"),
        ({"reference": "x" * 256}, "order_lines[1].reference"),
        ({"tax_rate": 10_001}, "order_lines[1].tax_rate"),
        ({"tax_rate": -1}, "order_lines[1].tax_rate"),
        ({"quantity": -1, "unit_amount": -11900}, "order_lines[1].quantity"),
        ({"amount": 11900.0}, "order_lines[1].total_amount"),
        ({"name": "\ud800"}, "order_lines"),
    ],
)
def test_a_line_out_of_its_limits_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    lines = (a_line(), a_line(**changes))
    assert refused_field(an_order(PURCHASE, amount=23800, lines=lines)) == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": "EURO"}, "purchase_currency"),
        ({"currency": "E1R"}, "purchase_currency"),
        ({"invoice_reference": ""}, "merchant_reference1"),
        ({"invoice_reference": "x" * 256}, "merchant_reference1"),
        ({"merchant_reference": "x" * 256}, "merchant_reference2"),
    ],
)
def test_an_order_out_of_its_limits_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    assert refused_field(an_order(PURCHASE, **changes)) == field


# --- tax ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("booked", "sent"), [(1900, 1900), (1899, 1899), (1901, 1901), (1902, 1900), (1898, 1900), (0, 1900)]
)
def test_booked_tax_is_sent_within_one_minor_unit_of_the_formula_else_the_formula(booked: int, sent: int) -> None:
    body = body_of(an_order(PURCHASE, lines=(a_line(tax_amount=booked),)))
    assert body["order_lines"][0]["total_tax_amount"] == sent
    assert body["order_tax_amount"] == sent


@pytest.mark.parametrize(
    ("amount", "rate", "tax"), [(1990, 2500, 398), (5, 10_000, 3), (-5, 10_000, -3), (100, 0, 0), (0, 1900, 0)]
)
def test_the_formula_rounds_half_away_from_zero(amount: int, rate: int, tax: int) -> None:
    assert provider_tax(amount, rate) == tax


@given(st.integers(0, 10_000_000), st.integers(0, 10_000), st.integers(-3, 3))
def test_the_tax_that_is_sent_always_holds_the_tolerance(amount: int, rate: int, slip: int) -> None:
    tax = provider_tax(amount, rate) + slip
    other = a_line(unit_amount=20_000_000, amount=20_000_000, tax_amount=3_193_277)
    line = a_line(unit_amount=amount, amount=amount, tax_amount=tax, tax_rate=rate)
    sent = body_of(an_order(PURCHASE, amount=amount + 20_000_000, lines=(line, other)))["order_lines"][0]
    # The specification's own formula, multiplied out so that it stays in whole numbers.
    distance = abs(sent["total_tax_amount"] * (10_000 + rate) - (amount * (10_000 + rate) - amount * 10_000))
    assert distance <= 10_000 + rate


def test_discount_lines_lower_amount_and_tax() -> None:
    lines = (a_line(), a_line(unit_amount=-1190, amount=-1190, tax_amount=-190))
    body = body_of(an_order(PURCHASE, amount=10710, lines=lines))
    assert (body["order_amount"], body["order_tax_amount"]) == (10710, 1710)


# --- what follows a purchase -------------------------------------------------------------------------------------


def test_a_capture_names_amount_reference_and_lines() -> None:
    order = an_order(CAPTURE, description="Gold, March")
    assert request_for(order).path == f"{ORDER_PATH}/captures"
    body = body_of(order)
    lines = body.pop("order_lines")
    assert body == {"captured_amount": 11900, "description": "Gold, March", "reference": order.merchant_reference}
    assert [line["total_amount"] for line in lines] == [11900]


def test_a_refund_of_an_amount_alone_has_no_lines() -> None:
    order = an_order(REFUND, amount=500, lines=())
    assert request_for(order).path == f"{ORDER_PATH}/refunds"
    assert body_of(order) == {"refunded_amount": 500, "reference": order.merchant_reference}


def test_a_refunded_share_of_a_line_is_one_piece_of_that_amount() -> None:
    share = a_line(quantity=0, amount=500, tax_amount=80)
    [line] = body_of(an_order(REFUND, amount=500, lines=(share,)))["order_lines"]
    assert (line["quantity"], line["unit_price"], line["total_amount"]) == (1, 500, 500)


def test_refunded_units_keep_their_price() -> None:
    [line] = body_of(an_order(REFUND, amount=23800, lines=(a_line(quantity=2, amount=23800),)))["order_lines"]
    assert (line["quantity"], line["unit_price"], line["total_amount"]) == (2, 11900, 23800)


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        (CAPTURE, {"amount": 200_000_001}, "captured_amount"),
        (CAPTURE, {"amount": 11901}, "order_lines"),
        (CAPTURE, {"description": "x" * 256}, "description"),
        (CAPTURE, {"purchase_id": None}, "purchase_id"),
        (REFUND, {"amount": 0, "lines": ()}, "refunded_amount"),
        (REFUND, {"merchant_reference": "x" * 256}, "reference"),
        (OperationKind.VOID, {"purchase_id": ""}, "purchase_id"),
        (OperationKind.EMAIL_INVOICE, {"capture_id": None}, "capture_id"),
    ],
)
def test_follow_up_out_of_its_limits_is_refused_by_name(kind: OperationKind, changes: Any, field: str) -> None:
    assert refused_field(an_order(kind, **changes)) == field


def test_a_void_and_an_invoice_mail_have_an_empty_object_as_body() -> None:
    void, mail = (request_for(an_order(kind)) for kind in (OperationKind.VOID, OperationKind.EMAIL_INVOICE))
    assert (void.path, void.body) == (f"{ORDER_PATH}/cancel", b"{}")
    assert (mail.path, mail.body) == (f"{ORDER_PATH}/captures/capture-1/trigger-send-out", b"{}")


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    assert request_for(an_order(OperationKind.VOID, purchase_id="a/../{token}?x")).path == (
        "/ordermanagement/v1/orders/a%2F..%2F%7Btoken%7D%3Fx/cancel"
    )


@pytest.mark.parametrize("kind", sorted(set(OperationKind) - {OperationKind.POST_INVOICE}))
def test_the_same_order_gives_the_same_bytes(kind: OperationKind) -> None:
    facts = {"capture_id": "capture-1", "shipments": (Shipment("PostNord"),), "days": 14}
    assert request_for(an_order(kind, **facts)) == request_for(an_order(kind, **facts))


def test_what_klarna_has_no_call_for_is_refused() -> None:
    with pytest.raises(Invalid, match="no call to post_invoice"):
        request_for(an_order(OperationKind.POST_INVOICE))


def test_parcels_go_with_a_capture_or_after_it_there_and_back() -> None:
    parcel = Shipment("PostNord", "UU1", "https://carrier.example/UU1", return_tracking_number="UU2")
    written = {
        "shipping_company": "PostNord",
        "tracking_number": "UU1",
        "tracking_uri": "https://carrier.example/UU1",
        "return_tracking_number": "UU2",
    }
    assert body_of(an_order(CAPTURE, shipments=(parcel,)))["shipping_info"] == [written]
    after = an_order(OperationKind.SHIP, capture_id="capture-1", shipments=(parcel,))
    assert request_for(after).path == f"{ORDER_PATH}/captures/capture-1/shipping-info"
    assert body_of(after) == {"shipping_info": [written]}


@pytest.mark.parametrize("parcels", [(), (Shipment(),), (Shipment("x" * 101),), (Shipment("P"),) * 501])
def test_impossible_parcels_are_refused(parcels: tuple[Shipment, ...]) -> None:
    with pytest.raises(Invalid, match="shipping_info"):
        request_for(an_order(OperationKind.SHIP, shipments=parcels))


def test_extensions_and_revocations_are_what_klarna_documents() -> None:
    extend = request_for(an_order(OperationKind.EXTEND))
    assert (extend.method, extend.path) == ("POST", f"{ORDER_PATH}/extend-authorization-time")
    due = request_for(an_order(OperationKind.EXTEND_DUE_DATE, capture_id="c", days=14))
    assert (due.method, due.body) == ("PATCH", b'{"number_of_days":14}')
    revoke = request_for(an_order(OperationKind.REVOKE))
    assert (revoke.method, revoke.path) == ("PATCH", "/customer-token/v1/tokens/{token}/status")
    assert revoke.body == b'{"status":"CANCELLED"}'


def test_text_goes_out_as_utf_8() -> None:
    assert "Grünes Öl €".encode() in request_for(an_order(PURCHASE, lines=(a_line(name="Grünes Öl €"),))).body
