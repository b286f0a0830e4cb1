"""What goes into a call of the older generation, and what is refused before it is one."""

import json
from typing import Any

import pytest

from billing.adapters.klarna_legacy.digest import order_management_digest
from billing.adapters.klarna_legacy.payloads import (
    OWN_ORDER_ID,
    amount_question,
    may_be_repeated,
    request_for,
    status_question,
)
from billing.adapters.klarna_legacy.xmlrpc import read_call
from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind
from billing.ports import Order, Request, Shipment
from tests.fakes.calls import a_line
from tests.fakes.legacy_calls import INVOICE_NUMBER, MERCHANT, RNO, UNSPEAKABLE, base_fee, box, legacy_order

PURCHASE, CAPTURE, REFUND = OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.REFUND
AMEND, EMAIL = OperationKind.AMEND, OperationKind.EMAIL_INVOICE
HEAD = ["4.1", "python:api:3.1.0"]
REFERENCE = "op-0123456789abcdef0123"
INVOICE = "inv_01900000000070008000000000000002"
SPOKEN = [kind for kind in OperationKind if kind not in UNSPEAKABLE]


def body_of(order: Order) -> dict[str, Any]:
    body = json.loads(request_for(order, MERCHANT).body)
    assert isinstance(body, dict)
    return body


def called(order: Order) -> tuple[str, list[Any]]:
    """Method and parameters, without the two versions that every call begins with."""
    request = request_for(order, MERCHANT)
    assert (request.method, request.path) == ("POST", "/")
    read = read_call(request.body)
    assert read is not None
    assert read[1][:2] == HEAD
    return read[0], read[1][2:]


def digest(*parts: str | int) -> str:
    return order_management_digest(parts, MERCHANT.secret)


def refused_field(order: Order) -> str | None:
    with pytest.raises(Invalid) as refusal:
        request_for(order, MERCHANT)
    assert refusal.value.where is not None
    assert refusal.value.where in refusal.value.message
    return refusal.value.where


# --- purchase ----------------------------------------------------------------------------------------------------


def test_a_purchase_charges_a_token_that_is_not_in_the_request() -> None:
    request = request_for(legacy_order(PURCHASE), MERCHANT)
    assert (request.method, request.path) == ("POST", "/checkout/recurring/{token}/orders")


def test_a_purchase_has_exactly_these_bytes() -> None:
    assert request_for(legacy_order(PURCHASE), MERCHANT).body == (
        b'{"purchase_country":"DE","purchase_currency":"EUR","locale":"de-de","merchant":{"id":"4711"},'
        b'"merchant_reference":{"orderid1":"op-0123456789abcdef0123","orderid2":"inv_01900000000070008000000000000002"},'
        b'"activate":false,"cart":{"items":[{"reference":"basic","name":"Basic","quantity":1,"unit_price":11900,'
        b'"tax_rate":1900}]}}'
    )


def test_a_purchase_is_never_invoiced_at_once_and_has_nothing_personal_in_it() -> None:
    body = body_of(legacy_order(PURCHASE))
    assert body["activate"] is False
    assert "kim@example.com" not in json.dumps(body)


@pytest.mark.parametrize(
    ("country", "currency", "locale", "sent"),
    [
        ("se", "sek", "sv-SE", "sv-se"),
        ("SE", "SEK", "en_GB", "en-gb"),
        ("NO", "NOK", None, "nb-no"),
        ("FI", "EUR", "sr-Latn-RS", "fi-fi"),
        ("AT", "EUR", "", "de-at"),
    ],
)
def test_country_currency_and_locale_go_out_as_klarna_spells_them(
    country: str, currency: str, locale: str | None, sent: str
) -> None:
    body = body_of(legacy_order(PURCHASE, country=country, currency=currency, locale=locale))
    assert (body["purchase_country"], body["purchase_currency"]) == (country.upper(), currency.upper())
    assert body["locale"] == sent


def test_a_share_of_an_article_is_one_piece_and_a_credit_is_a_discount() -> None:
    lines = (box(amount=1000), a_line(reference="unused", unit_amount=-300, amount=-300))
    items = body_of(legacy_order(PURCHASE, amount=700, lines=lines))["cart"]["items"]
    assert [(item["quantity"], item["unit_price"], item.get("type")) for item in items] == [
        (1, 1000, None),
        (1, -300, "discount"),
    ]


def test_units_keep_their_price() -> None:
    [item] = body_of(legacy_order(PURCHASE, amount=1490, lines=(box(),)))["cart"]["items"]
    assert (item["quantity"], item["unit_price"], item["tax_rate"]) == (2, 745, 1200)


def test_names_go_out_in_utf_8() -> None:
    order = legacy_order(PURCHASE, lines=(a_line(name="Grünes Öl \u20ac"),))
    assert "Grünes Öl \u20ac".encode() in request_for(order, MERCHANT).body


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"country": None}, "purchase_country"),
        ({"country": "US"}, "purchase_country"),
        ({"currency": "SEK"}, "purchase_currency"),
        ({"lines": ()}, "cart"),
        ({"amount": 11901}, "cart"),
        ({"amount": 2**31, "lines": (a_line(unit_amount=2**31, amount=2**31),)}, "cart"),
        ({"merchant_reference": ""}, "orderid1"),
        ({"invoice_reference": "\u20ac"}, "orderid2"),
        ({"lines": (a_line(reference="\u20ac"),)}, "cart.items[0].reference"),
        ({"lines": (a_line(name="\x00"),)}, "cart.items[0].name"),
        ({"lines": (a_line(tax_rate=10_001),)}, "cart.items[0].tax_rate"),
        ({"lines": (a_line(), a_line(quantity=2**31, unit_amount=0, amount=0))}, "cart.items[1].quantity"),
    ],
)
def test_a_purchase_that_klarna_would_refuse_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    assert refused_field(legacy_order(PURCHASE, **changes)) == field


# --- reservation -------------------------------------------------------------------------------------------------


def test_a_whole_capture_names_no_article_and_carries_both_references() -> None:
    expected = digest("4", "1", HEAD[1], 4711, RNO, REFERENCE, INVOICE, 1)
    info = {"orderid1": REFERENCE, "orderid2": INVOICE, "shipment_info": {"delay_adjust": 1}}
    assert called(legacy_order(CAPTURE)) == ("activate", [4711, expected, RNO, info])


def test_a_partial_capture_names_its_articles_inside_the_digest() -> None:
    order = legacy_order(CAPTURE, amount=1490, lines=(box(),), is_whole=False)
    _, (_, sent, _, info) = called(order)
    assert info["artnos"] == [{"artno": "box", "qty": 2}]
    assert sent == digest("4", "1", HEAD[1], 4711, RNO, REFERENCE, INVOICE, 1, "box", 2)


def test_a_capture_carries_its_parcel_and_the_number_of_the_return_label() -> None:
    parcel = Shipment("Posten", "T-1", "https://example.com/T-1", "Posten", "R-1")
    _, (*_, info) = called(legacy_order(CAPTURE, shipments=(parcel,)))
    assert info["shipment_info"] == {
        "delay_adjust": 1,
        "shipping_company": "Posten",
        "tracking_no": "T-1",
        "return_tracking_no": "R-1",
    }


def test_a_capture_lists_several_parcels_where_there_is_room_for_one() -> None:
    parcels = (Shipment("Posten", "T-1"), Shipment("Posten", "T-2"), Shipment())
    _, (*_, info) = called(legacy_order(CAPTURE, shipments=parcels))
    assert info["shipment_info"] == {"delay_adjust": 1, "shipping_company": "Posten", "tracking_no": "T-1, T-2"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"purchase_id": None}, "rno"),
        ({"amount": 0, "lines": ()}, "amount"),
        ({"amount": 2**31, "lines": ()}, "amount"),
        ({"is_whole": False, "lines": ()}, "artnos"),
        ({"is_whole": False, "amount": 500, "lines": (a_line(amount=500),)}, "artnos[0]"),
        ({"amount": 500}, "artnos"),
        ({"shipments": (Shipment(carrier="x" * 256),)}, "shipment_info.shipping_company"),
    ],
)
def test_a_capture_that_cannot_be_said_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    assert refused_field(legacy_order(CAPTURE, **changes)) == field


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (OperationKind.VOID, "cancel_reservation"),
        (OperationKind.RELEASE, "cancel_reservation"),
        (OperationKind.EXTEND, "extend_expiry_date"),
    ],
)
def test_a_reservation_is_given_back_or_extended_by_its_number(kind: OperationKind, method: str) -> None:
    assert called(legacy_order(kind)) == (method, [RNO, 4711, digest(4711, RNO)])


def test_an_amended_order_has_all_its_goods_anew_and_keeps_address_and_first_order_id() -> None:
    order = legacy_order(AMEND, amount=2750, lines=(base_fee(amount=1260, tax_rate=2220), box()))
    method, (eid, sent, rno, info) = called(order)
    assert (method, eid, rno) == ("update", 4711, RNO)
    assert sent == digest("4", "1", HEAD[1], 4711, RNO, "base", 1, "box", 2, INVOICE)
    assert {**info, "goods_list": []} == {
        "goods_list": [],
        "dlv_addr": [],
        "bill_addr": [],
        "orderid1": "",
        "orderid2": INVOICE,
    }
    share = {"artno": "base", "title": "Grundavgift", "price": 1260, "vat": 22.2, "discount": 0, "flags": 32}
    boxes = {"artno": "box", "title": "Box", "price": 745, "vat": 12, "discount": 0, "flags": 32}
    assert info["goods_list"] == [{"goods": share, "qty": 1}, {"goods": boxes, "qty": 2}]


def test_an_amendment_without_lines_leaves_the_goods_as_they_are() -> None:
    _, (*_, info) = called(legacy_order(AMEND, amount=0, lines=()))
    assert info["goods_list"] == []


# --- refund ------------------------------------------------------------------------------------------------------


def test_all_of_an_invoice_is_credited_under_our_number() -> None:
    order = legacy_order(REFUND)
    assert called(order) == ("credit_invoice", [4711, INVOICE_NUMBER, REFERENCE, digest(4711, INVOICE_NUMBER)])


def test_credited_units_name_their_articles_and_charge_nothing_back() -> None:
    order = legacy_order(REFUND, amount=745, lines=(box(quantity=1, amount=745),), is_whole=False)
    expected = digest(4711, INVOICE_NUMBER, "box", 1)
    artnos = [{"artno": "box", "qty": 1}]
    assert called(order) == ("credit_part", [4711, INVOICE_NUMBER, artnos, REFERENCE, expected])


def test_a_canceled_period_credits_the_whole_article_and_charges_the_used_share_back() -> None:
    # The example of the billing rules, section 5: 1990 + 745 - 730 = 2005.
    credited = (base_fee(amount=1260, tax_amount=252), box(quantity=1, amount=745, tax_amount=80))
    kept = (base_fee(amount=730, tax_amount=146),)
    order = legacy_order(REFUND, amount=2005, lines=credited, kept=kept, is_whole=False)
    method, (_, number, artnos, _, sent, flags, goods) = called(order)
    assert (method, number, flags) == ("credit_part", INVOICE_NUMBER, 0)
    assert artnos == [{"artno": "base", "qty": 1}, {"artno": "box", "qty": 1}]
    used = {"artno": "USED-base", "title": "Grundavgift", "price": 730, "vat": 25, "discount": 0, "flags": 32}
    assert goods == [{"goods": used, "qty": 1}]
    assert sent == digest(4711, INVOICE_NUMBER, "base", 1, "box", 1)


def test_what_is_kept_is_never_lost_in_a_whole_credit() -> None:
    order = legacy_order(REFUND, amount=1260, lines=(base_fee(amount=1260),), kept=(base_fee(amount=730),))
    assert called(order)[0] == "credit_part"


def test_an_amount_goes_back_with_its_one_rate_and_our_reference_as_text() -> None:
    order = legacy_order(REFUND, amount=500, lines=(base_fee(amount=500),), is_whole=False, has_lines=False)
    expected = [4711, INVOICE_NUMBER, 500, 25, digest(4711, INVOICE_NUMBER), 32, REFERENCE]
    assert called(order) == ("return_amount", expected)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"capture_id": None}, "invno"),
        ({"capture_id": None, "is_whole": False}, "invno"),
        ({"is_whole": False, "amount": 500}, "artnos"),
        ({"is_whole": False, "amount": 1, "lines": ()}, "artnos"),
        ({"is_whole": False, "amount": 1260, "lines": (base_fee(amount=1260),)}, "artnos[0]"),
        (
            {"is_whole": False, "amount": 1260, "lines": (base_fee(amount=1260),), "kept": (base_fee(amount=700),)},
            "artnos[0]",
        ),
        ({"is_whole": False, "kept": (box(amount=1),)}, "artnos"),
        (
            {"is_whole": False, "amount": 2000, "lines": (base_fee(amount=2000),), "kept": (base_fee(amount=-10),)},
            "goods_list.price",
        ),
        ({"is_whole": False, "has_lines": False, "lines": ()}, "vat"),
        ({"is_whole": False, "has_lines": False, "lines": (box(), base_fee())}, "vat"),
        ({"amount": 0}, "amount"),
    ],
)
def test_a_refund_that_cannot_be_said_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    assert refused_field(legacy_order(REFUND, **changes)) == field


# --- invoice -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "method"), [(EMAIL, "email_invoice"), (OperationKind.POST_INVOICE, "send_invoice")])
def test_an_invoice_is_mailed_or_posted_by_its_number(kind: OperationKind, method: str) -> None:
    assert called(legacy_order(kind)) == (method, [4711, INVOICE_NUMBER, digest(4711, INVOICE_NUMBER)])


@pytest.mark.parametrize("email", [None, ""])
def test_without_an_address_no_invoice_is_mailed_since_klarna_would_post_it(email: str | None) -> None:
    assert refused_field(legacy_order(EMAIL, customer_email=email)) == "customer_email"


def test_a_due_date_moves_by_days_and_for_real() -> None:
    expected = [4711, INVOICE_NUMBER, digest(4711, INVOICE_NUMBER), {"days": 14, "calculate_only": False}]
    assert called(legacy_order(OperationKind.EXTEND_DUE_DATE)) == ("extend_invoice_due_date", expected)
    assert refused_field(legacy_order(OperationKind.EXTEND_DUE_DATE, days=None)) == "days"


@pytest.mark.parametrize(("kind", "field"), [(OperationKind.SHIP, "shipments"), (OperationKind.REVOKE, "token")])
def test_what_this_generation_cannot_say_is_refused_by_name(kind: OperationKind, field: str) -> None:
    assert refused_field(legacy_order(kind)) == field


# --- questions ---------------------------------------------------------------------------------------------------


def test_questions_carry_their_digest_and_change_nothing() -> None:
    asked = read_call(status_question(MERCHANT, REFERENCE, OWN_ORDER_ID))
    assert asked == ("check_order_status", [*HEAD, 4711, digest(4711, REFERENCE), REFERENCE, 1])
    amount = read_call(amount_question(MERCHANT, INVOICE_NUMBER))
    assert amount == ("invoice_amount", [*HEAD, 4711, INVOICE_NUMBER, digest(4711, INVOICE_NUMBER)])


# --- all ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SPOKEN)
def test_the_same_order_gives_the_same_bytes_and_never_the_secret(kind: OperationKind) -> None:
    request = request_for(legacy_order(kind), MERCHANT)
    assert request == request_for(legacy_order(kind), MERCHANT)
    assert MERCHANT.secret.encode() not in request.body
    assert MERCHANT.secret not in repr(MERCHANT)


def test_titles_outside_iso_8859_1_become_references_and_ids_are_refused() -> None:
    order = legacy_order(AMEND, lines=(a_line(name="\u20ac"),))
    assert b"&#8364;" in request_for(order, MERCHANT).body
    assert refused_field(legacy_order(AMEND, lines=(a_line(reference="\u20ac"),))) == "goods_list[0].artno"


def test_only_what_does_no_harm_twice_may_be_repeated() -> None:
    may = {kind for kind in SPOKEN if may_be_repeated(request_for(legacy_order(kind), MERCHANT))}
    assert set(SPOKEN) - may == {PURCHASE, OperationKind.POST_INVOICE, OperationKind.EXTEND_DUE_DATE}


@pytest.mark.parametrize(
    "order",
    [
        legacy_order(CAPTURE, is_whole=False),
        legacy_order(REFUND, is_whole=False),
        legacy_order(REFUND, is_whole=False, has_lines=False),
    ],
)
def test_partial_captures_and_credits_are_never_repeated(order: Order) -> None:
    assert not may_be_repeated(request_for(order, MERCHANT))


def test_bytes_that_are_no_call_of_ours_are_never_repeated() -> None:
    assert not may_be_repeated(Request("POST", "/", b"garbage"))
