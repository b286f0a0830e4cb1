"""Our orders as calls of Klarna's older generation: XML-RPC for order management, JSON for a recurring order.

Refuses first, with `Invalid` and the field's name as Klarna spells it, what cannot be said or would be refused. The
secret goes into digests only, and no token is known here: a purchase's path keeps `{token}`.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from billing.adapters.klarna_legacy.credits import single_tax_rate, whole_articles
from billing.adapters.klarna_legacy.digest import (
    PROTOCOL_VERSION,
    Part,
    activate_parts,
    article_parts,
    order_management_digest,
    update_parts,
)
from billing.adapters.klarna_legacy.fields import (
    address,
    amount,
    digested,
    good,
    invalid,
    items,
    order_lines,
    text,
    vat,
    within,
)
from billing.adapters.klarna_legacy.xmlrpc import INTEGER_MAX, Value, read_call, written_call
from billing.domain.operations import OperationKind, OrderChange
from billing.ports import Order, Request

TOKEN_PLACEHOLDER = "{token}"  # noqa: S105 - a place for a token, not one
ORDER_MANAGEMENT_PATH = "/"
CLIENT_VERSION = "python:api:3.1.0"
"""The last client of Klarna's own in our language, whose calls these are: the server refuses some others (9115)."""

INCLUDES_VAT = 32
NORMAL_DELAY = 1
OWN_ORDER_ID, RESERVATION_OR_INVOICE = 1, 0
"""What `check_order_status` looks an id up as."""

_COUNTRIES: Mapping[str, tuple[str, str]] = {
    "AT": ("EUR", "de"),
    "DE": ("EUR", "de"),
    "DK": ("DKK", "da"),
    "FI": ("EUR", "fi"),
    "NL": ("EUR", "nl"),
    "NO": ("NOK", "nb"),
    "SE": ("SEK", "sv"),
}
_REPEATABLE = frozenset({"cancel_reservation", "credit_invoice", "email_invoice", "extend_expiry_date", "update"})


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who calls: one merchant number and the secret shared with Klarna."""

    eid: int
    secret: str = field(repr=False)


def request_for(order: Order, merchant: Merchant) -> Request:
    """The request that carries out `order`. Raises `Invalid` naming the first field that is wrong or cannot be said."""
    return _WRITERS[order.kind](order, merchant)


def may_be_repeated(request: Request) -> bool:
    """Whether sending these bytes again can do no harm (charging rules, section 3, "Without"): never a purchase, a
    partial capture, a credit by article or amount, nor what costs."""
    called = read_call(request.body) if request.path == ORDER_MANAGEMENT_PATH else None
    if called is None:
        return False
    method, params = called
    if method == "activate":
        return isinstance(params[-1], dict) and "artnos" not in params[-1]
    return method in _REPEATABLE


def status_question(merchant: Merchant, id_: str, looked_up_as: int) -> bytes:
    """Ask what became of one of our order ids, or of a reservation; changes nothing."""
    wanted = digested(id_, "id")
    digest = order_management_digest([merchant.eid, wanted], merchant.secret)
    return _call("check_order_status", merchant.eid, digest, wanted, looked_up_as).body


def amount_question(merchant: Merchant, invoice_number: str) -> bytes:
    """Ask for the amount of an invoice; changes nothing."""
    return _on_invoice("invoice_amount", invoice_number, merchant).body


def _purchase(order: Order, merchant: Merchant) -> Request:
    country = (order.country or "").upper()
    if country not in _COUNTRIES:
        raise invalid("purchase_country", f"must be one of {', '.join(sorted(_COUNTRIES))}, not {country or 'nothing'}")
    currency, language = _COUNTRIES[country]
    if order.currency.upper() != currency:
        raise invalid("purchase_currency", f"must be {currency} in {country}, not {order.currency.upper()}")
    order_lines(order, "cart", lines_min=1)
    body = {
        "purchase_country": country,
        "purchase_currency": currency,
        "locale": _locale(order.locale, f"{language}-{country.lower()}"),
        "merchant": {"id": str(merchant.eid)},
        "merchant_reference": _order_ids(order),
        # A doubled reservation can be canceled; a doubled invoice has reached the customer (wire facts, section 7).
        "activate": False,
        "cart": {"items": items(order)},
    }
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Request("POST", f"/checkout/recurring/{TOKEN_PLACEHOLDER}/orders", content)


def _capture(order: Order, merchant: Merchant) -> Request:
    amount(order.amount, "amount")
    order_lines(order, "artnos", lines_min=0 if order.is_whole else 1)
    info: dict[str, Value] = {**_order_ids(order), "shipment_info": _shipment_info(order)}
    if not order.is_whole:
        # What is captured in parts leaves in whole articles; a share of one is amended first (billing rules, 5).
        info["artnos"] = whole_articles(order.lines).artnos
    rno = _reservation(order)
    digest = order_management_digest(activate_parts(CLIENT_VERSION, merchant.eid, rno, info), merchant.secret)
    return _call("activate", merchant.eid, digest, rno, info)


def _cancel(order: Order, merchant: Merchant) -> Request:
    # The same call gives back all of a reservation and what a partial capture left of it (wire facts, section 5).
    return _on_reservation("cancel_reservation", order, merchant)


def _extend(order: Order, merchant: Merchant) -> Request:
    return _on_reservation("extend_expiry_date", order, merchant)


def _amend(order: Order, merchant: Merchant) -> Request:
    # Nothing means "leave it": the reservation keeps the reference by which its purchase is asked about.
    info: dict[str, Value] = {"goods_list": [], "dlv_addr": [], "bill_addr": [], **_order_ids(order), "orderid1": ""}
    if order.changes is OrderChange.ADDRESS:
        info["dlv_addr"] = address(order.address, "dlv_addr")
    elif order.changes is OrderChange.AMOUNT:
        order_lines(order, "goods_list", lines_min=0)
        info["goods_list"] = [good(line, f"goods_list[{index}]") for index, line in enumerate(order.lines)]
    rno = _reservation(order)
    digest = order_management_digest(update_parts(CLIENT_VERSION, merchant.eid, rno, info), merchant.secret)
    return _call("update", merchant.eid, digest, rno, info)


def _refund(order: Order, merchant: Merchant) -> Request:
    amount(order.amount, "amount")
    if order.is_whole and not order.kept:
        return _on_invoice("credit_invoice", order.capture_id, merchant, digested(order.merchant_reference, "credno"))
    return _credit_part(order, merchant) if order.has_lines else _return_amount(order, merchant)


def _credit_part(order: Order, merchant: Merchant) -> Request:
    credit = whole_articles(order.lines, order.kept)
    order_lines(order, "artnos", lines_min=1)
    credit_number = digested(order.merchant_reference, "credno")
    fees: list[Value] = [good(line, f"goods_list[{index}]") for index, line in enumerate(credit.fees)]
    number = _invoice_number(order.capture_id)
    digest = order_management_digest([merchant.eid, number, *article_parts(credit.artnos)], merchant.secret)
    charged_back: list[Value] = [0, fees] if fees else []
    return _call("credit_part", merchant.eid, number, credit.artnos, credit_number, digest, *charged_back)


def _return_amount(order: Order, merchant: Merchant) -> Request:
    number, rate = _invoice_number(order.capture_id), vat(_rate(order))
    # It takes no credit number, so that our reference stands in the text where nothing else does.
    description = text(order.description or order.merchant_reference, "description")
    digest = order_management_digest([merchant.eid, number], merchant.secret)
    return _call("return_amount", merchant.eid, number, order.amount, rate, digest, INCLUDES_VAT, description)


def _rate(order: Order) -> int:
    return single_tax_rate(order.lines) if order.tax_rate is None else order.tax_rate


def _email_invoice(order: Order, merchant: Merchant) -> Request:
    if not order.customer_email:
        raise invalid("customer_email", "is missing; the invoice would go by post, which is charged")
    return _on_invoice("email_invoice", order.capture_id, merchant)


def _post_invoice(order: Order, merchant: Merchant) -> Request:
    return _on_invoice("send_invoice", order.capture_id, merchant)


def _extend_due_date(order: Order, merchant: Merchant) -> Request:
    days: dict[str, Value] = {"days": within(order.days, 1, INTEGER_MAX, "days"), "calculate_only": False}
    number = _invoice_number(order.capture_id)
    digest = order_management_digest([merchant.eid, number], merchant.secret)
    return _call("extend_invoice_due_date", merchant.eid, number, digest, days)


def _ship(_order: Order, _merchant: Merchant) -> Request:
    raise invalid("shipments", "go with the capture; this generation has no call to add them by themselves")


def _revoke(_order: Order, _merchant: Merchant) -> Request:
    raise invalid("token", "can only be revoked in Klarna's portal; this generation has no call for it")


_WRITERS: Mapping[OperationKind, Callable[[Order, Merchant], Request]] = {
    OperationKind.PURCHASE: _purchase,
    OperationKind.CAPTURE: _capture,
    OperationKind.VOID: _cancel,
    OperationKind.RELEASE: _cancel,
    OperationKind.REFUND: _refund,
    OperationKind.AMEND: _amend,
    OperationKind.SHIP: _ship,
    OperationKind.EXTEND: _extend,
    OperationKind.EMAIL_INVOICE: _email_invoice,
    OperationKind.POST_INVOICE: _post_invoice,
    OperationKind.EXTEND_DUE_DATE: _extend_due_date,
    OperationKind.REVOKE: _revoke,
}


def _order_ids(order: Order) -> dict[str, Value]:
    return {
        "orderid1": digested(order.merchant_reference, "orderid1"),
        "orderid2": digested(order.invoice_reference, "orderid2"),
    }


def _locale(wanted: str | None, of_country: str) -> str:
    # A locale with script or variant is none to Klarna, and no reason to charge nobody.
    written = (wanted or "").lower().replace("_", "-")
    return written if re.fullmatch("[a-z]{2}-[a-z]{2}", written) else of_country


def _shipment_info(order: Order) -> dict[str, Value]:
    named = {
        "shipping_company": [parcel.carrier for parcel in order.shipments],
        "tracking_no": [parcel.tracking_number for parcel in order.shipments],
        # Klarna's guide asks for it with the capture and no document names it: a guess, sent only where given.
        "return_tracking_no": [parcel.return_tracking_number for parcel in order.shipments],
    }
    # It has room for one parcel, and money must not wait for that: of several it takes the list.
    lists = {name: ", ".join(dict.fromkeys(filter(None, values))) for name, values in named.items()}
    info: dict[str, Value] = {"delay_adjust": NORMAL_DELAY}
    return info | {name: text(listed, f"shipment_info.{name}") for name, listed in lists.items() if listed}


def _on_reservation(method: str, order: Order, merchant: Merchant) -> Request:
    rno = _reservation(order)
    return _call(method, rno, merchant.eid, order_management_digest([merchant.eid, rno], merchant.secret))


def _on_invoice(method: str, invoice_number: str | None, merchant: Merchant, *before_digest: str) -> Request:
    number = _invoice_number(invoice_number)
    parts: Sequence[Part] = [merchant.eid, number]
    return _call(method, merchant.eid, number, *before_digest, order_management_digest(parts, merchant.secret))


def _reservation(order: Order) -> str:
    return digested(order.purchase_id, "rno")


def _invoice_number(invoice_number: str | None) -> str:
    return digested(invoice_number, "invno")


def _call(method: str, *params: Value) -> Request:
    return Request("POST", ORDER_MANAGEMENT_PATH, written_call(method, [PROTOCOL_VERSION, CLIENT_VERSION, *params]))
