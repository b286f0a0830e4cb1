"""Our orders as Klarna's requests: compact JSON, the same bytes for the same order.

Refuses first, with `Invalid` and the field's name as Klarna spells it, what the specification would refuse; of two
limits the smaller counts. Credentials, keys and tokens are not known here: a purchase's path keeps `{token}`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from urllib.parse import quote

from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind, OrderChange
from billing.ports import Order, OrderLine, Request, Shipment

Json = dict[str, object]

TOKEN_PLACEHOLDER = "{token}"  # noqa: S105 - a place for a token, not one
ORDER_AMOUNT_MAX = 200_000_000
LINE_AMOUNT_MAX = 100_000_000
LINES_MAX = 1000
TEXT_MAX = 255
TAX_RATE_MAX = 10_000
SHIPMENTS_MAX = 500
CARRIER_MAX = 100
URL_MAX = 1024
DAYS_MAX = 365
BODY_MAX = 1_000_000
ADDRESS_TEXT_MAX = 99

_ADDRESS_MAX: Mapping[str, int] = {"postal_code": 10, "country": 2}
_INTERVALS = frozenset({"DAY", "WEEK", "MONTH", "YEAR"})


def request_for(order: Order) -> Request:
    """The request that carries out `order`. Raises `Invalid` naming the first field that Klarna would refuse."""
    if order.kind not in _WRITERS:
        raise Invalid(f"this provider has no call to {order.kind.value}", where="kind")
    return _WRITERS[order.kind](order)


def provider_tax(amount: int, tax_rate: int) -> int:
    """The tax inside `amount` (minor units) at `tax_rate` (basis points) as Klarna computes it, half away from zero."""
    exact = _exact_tax(amount, tax_rate)
    rounded = int(abs(exact) + Fraction(1, 2))
    return rounded if exact >= 0 else -rounded


def _purchase(order: Order) -> Request:
    _currency(order.currency)
    _amount(order.amount, "order_amount")
    lines = _lines(order, _line_or_share, lines_min=1)
    subscription = _subscription(order)
    if subscription is not None:
        lines = [{**line, "subscription": subscription} for line in lines]
    body: Json = {
        "purchase_currency": order.currency.upper(),
        "order_amount": order.amount,
        "order_tax_amount": _order_tax(order.lines),
        "order_lines": lines,
        "merchant_reference1": _text(order.invoice_reference, "merchant_reference1"),
        "merchant_reference2": _text(order.merchant_reference, "merchant_reference2"),
        "auto_capture": False,
    }
    return _post(f"/customer-token/v1/tokens/{TOKEN_PLACEHOLDER}/order", body)


def _capture(order: Order) -> Request:
    body: Json = {"captured_amount": _amount(order.amount, "captured_amount"), **_description(order)}
    body["reference"] = _text(order.merchant_reference, "reference")
    if order.lines:
        body["order_lines"] = _lines(order, _line_or_share)
    if order.shipments:
        body["shipping_info"] = _shipping_info(order)
    return _post(f"{_order_path(order)}/captures", body)


def _refund(order: Order) -> Request:
    body: Json = {"refunded_amount": _amount(order.amount, "refunded_amount"), **_description(order)}
    body["reference"] = _text(order.merchant_reference, "reference")
    if order.lines:
        body["order_lines"] = _lines(order, _line_or_share)
    return _post(f"{_order_path(order)}/refunds", body)


def _void(order: Order) -> Request:
    return _post(f"{_order_path(order)}/cancel", {})


def _amend(order: Order) -> Request:
    """The order's new amount and all its lines, those sent replace the old ones; or its number, or its address."""
    if order.changes is not OrderChange.AMOUNT:
        return _DETAILS[order.changes](order)
    body: Json = {"order_amount": _amount(order.amount, "order_amount"), **_description(order)}
    if order.lines:
        body["order_lines"] = _lines(order, _line_or_share)
    return _patch(f"{_order_path(order)}/authorization", body)


def _references(order: Order) -> Request:
    # Only what the customer sees: by the other one the purchase is found again.
    body: Json = {"merchant_reference1": _text(order.invoice_reference, "merchant_reference1")}
    return _patch(f"{_order_path(order)}/merchant-references", body)


def _customer_details(order: Order) -> Request:
    given = {} if order.address is None else asdict(order.address)
    address: Json = {
        name: _text(value, f"shipping_address.{name}", _ADDRESS_MAX.get(name, ADDRESS_TEXT_MAX))
        for name, value in given.items()
        if value
    }
    if not address:
        raise _invalid("shipping_address", "is missing")
    return _patch(f"{_order_path(order)}/customer-details", {"shipping_address": address})


_DETAILS: Mapping[OrderChange, Callable[[Order], Request]] = {
    OrderChange.ORDER_NUMBER: _references,
    OrderChange.ADDRESS: _customer_details,
}


def _release(order: Order) -> Request:
    return _post(f"{_order_path(order)}/release-remaining-authorization", {})


def _email_invoice(order: Order) -> Request:
    return _post(f"{_order_path(order)}/captures/{_id(order.capture_id, 'capture_id')}/trigger-send-out", {})


def _ship(order: Order) -> Request:
    """Parcels of one capture, or of the whole order where none is named."""
    capture = f"/captures/{_id(order.capture_id, 'capture_id')}" if order.capture_id is not None else ""
    return _post(f"{_order_path(order)}{capture}/shipping-info", {"shipping_info": _shipping_info(order)})


def _extend(order: Order) -> Request:
    return _post(f"{_order_path(order)}/extend-authorization-time", {})


def _extend_due_date(order: Order) -> Request:
    path = f"{_order_path(order)}/captures/{_id(order.capture_id, 'capture_id')}/extend-due-date"
    return _patch(path, {"number_of_days": _within(order.days, 1, DAYS_MAX, "number_of_days")})


def _revoke(_order: Order) -> Request:
    return _patch(f"/customer-token/v1/tokens/{TOKEN_PLACEHOLDER}/status", {"status": "CANCELLED"})


_WRITERS: Mapping[OperationKind, Callable[[Order], Request]] = {
    OperationKind.PURCHASE: _purchase,
    OperationKind.CAPTURE: _capture,
    OperationKind.REFUND: _refund,
    OperationKind.VOID: _void,
    OperationKind.AMEND: _amend,
    OperationKind.RELEASE: _release,
    OperationKind.EMAIL_INVOICE: _email_invoice,
    OperationKind.SHIP: _ship,
    OperationKind.EXTEND: _extend,
    OperationKind.EXTEND_DUE_DATE: _extend_due_date,
    OperationKind.REVOKE: _revoke,
}


def _lines(order: Order, write: Callable[[OrderLine, str], Json], lines_min: int = 0) -> list[Json]:
    if not lines_min <= len(order.lines) <= LINES_MAX:
        raise _invalid("order_lines", f"must be {lines_min} to {LINES_MAX} lines, not {len(order.lines)}")
    lines = [write(line, f"order_lines[{index}]") for index, line in enumerate(order.lines)]
    total = sum(line.amount for line in order.lines)
    if total != order.amount:
        raise _invalid("order_lines", f"add up to {total}, not to {order.amount}")
    return lines


def _full_line(line: OrderLine, field: str) -> Json:
    if line.amount != line.quantity * line.unit_amount:
        raise _invalid(f"{field}.total_amount", f"is {line.amount}, not {line.quantity} x {line.unit_amount}")
    return _line(line, line.quantity, line.unit_amount, field)


def _line_or_share(line: OrderLine, field: str) -> Json:
    # Part of an article's price has no whole quantity at Klarna: it goes back as one piece of that amount.
    _within(line.quantity, 0, LINE_AMOUNT_MAX, f"{field}.quantity")
    is_whole = line.quantity > 0 and line.amount == line.quantity * line.unit_amount
    return _full_line(line, field) if is_whole else _line(line, 1, line.amount, field)


def _line(line: OrderLine, quantity: int, unit_price: int, field: str) -> Json:
    return {
        # A line below 0 has to be of a type that may be (the order lines of both documents).
        "type": "digital" if line.amount >= 0 else "discount",
        "reference": _text(line.reference, f"{field}.reference"),
        "name": _text(line.name, f"{field}.name"),
        "quantity": _within(quantity, 0, LINE_AMOUNT_MAX, f"{field}.quantity"),
        "unit_price": _within(unit_price, -LINE_AMOUNT_MAX, LINE_AMOUNT_MAX, f"{field}.unit_price"),
        "tax_rate": _within(line.tax_rate, 0, TAX_RATE_MAX, f"{field}.tax_rate"),
        "total_amount": _within(line.amount, -LINE_AMOUNT_MAX, LINE_AMOUNT_MAX, f"{field}.total_amount"),
        "total_tax_amount": _tax(line),
    }


def _tax(line: OrderLine) -> int:
    # Klarna refuses a line whose tax is further than one minor unit from its own formula (wire facts, section 5).
    # The booked tax of a share may be: then Klarna gets what it computes, and our books keep what they say.
    is_close = abs(line.tax_amount - _exact_tax(line.amount, line.tax_rate)) <= 1
    return line.tax_amount if is_close else provider_tax(line.amount, line.tax_rate)


def _exact_tax(amount: int, tax_rate: int) -> Fraction:
    return Fraction(amount * tax_rate, 10_000 + tax_rate)


def _order_tax(lines: Sequence[OrderLine]) -> int:
    return _within(sum(_tax(line) for line in lines), 0, ORDER_AMOUNT_MAX, "order_tax_amount")


def _subscription(order: Order) -> Json | None:
    given = (order.subscription_name, order.interval, order.interval_count)
    if all(part is None for part in given):
        return None
    name, interval = _text(order.subscription_name, "subscription.name"), (order.interval or "").upper()
    if interval not in _INTERVALS:
        raise _invalid("subscription.interval", "must be a day, week, month or year")
    count = _within(order.interval_count, 1, 2**31 - 1, "subscription.interval_count")
    return {"name": name, "interval": interval, "interval_count": count}


def _shipping_info(order: Order) -> list[Json]:
    if not 1 <= len(order.shipments) <= SHIPMENTS_MAX:
        raise _invalid("shipping_info", f"must be 1 to {SHIPMENTS_MAX} parcels, not {len(order.shipments)}")
    return [_parcel(parcel, f"shipping_info[{index}]") for index, parcel in enumerate(order.shipments)]


def _parcel(parcel: Shipment, field: str) -> Json:
    written = {
        "shipping_company": (parcel.carrier, CARRIER_MAX),
        "tracking_number": (parcel.tracking_number, CARRIER_MAX),
        "tracking_uri": (parcel.tracking_url, URL_MAX),
        "return_shipping_company": (parcel.return_carrier, CARRIER_MAX),
        "return_tracking_number": (parcel.return_tracking_number, CARRIER_MAX),
        "return_tracking_uri": (parcel.return_tracking_url, URL_MAX),
    }
    given = {name: (text, most) for name, (text, most) in written.items() if text is not None}
    if not given:
        raise _invalid(field, "names no carrier and no tracking")
    return {name: _text(text, f"{field}.{name}", most) for name, (text, most) in given.items()}


def _description(order: Order) -> Json:
    return {} if order.description is None else {"description": _text(order.description, "description")}


def _order_path(order: Order) -> str:
    return f"/ordermanagement/v1/orders/{_id(order.purchase_id, 'purchase_id')}"


def _id(text: str | None, field: str) -> str:
    return quote(_text(text, field), safe="")


def _text(text: str | None, field: str, most: int = TEXT_MAX) -> str:
    if text is None or not 1 <= len(text) <= most:
        raise _invalid(field, f"must have 1 to {most} characters, not {len(text or '')}")
    return text


def _currency(currency: str) -> None:
    if len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
        raise _invalid("purchase_currency", "must be three letters")


def _amount(amount: int, field: str) -> int:
    return _within(amount, 1, ORDER_AMOUNT_MAX, field)


def _within(number: int | None, low: int, high: int, field: str) -> int:
    if type(number) is not int or not low <= number <= high:
        raise _invalid(field, f"must be a whole number from {low} to {high}, not {number!r}")
    return number


def _post(path: str, body: Json) -> Request:
    return _request("POST", path, body)


def _patch(path: str, body: Json) -> Request:
    return _request("PATCH", path, body)


def _request(method: str, path: str, body: Json) -> Request:
    try:
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise _invalid("order_lines", "hold text that is no valid Unicode") from None
    if len(content) > BODY_MAX:
        raise _invalid("order_lines", f"make a request of {len(content)} bytes; at most {BODY_MAX} are taken")
    return Request(method, path, content)


def _invalid(field: str, sentence: str) -> Invalid:
    return Invalid(f"{field} {sentence}", where=field)
