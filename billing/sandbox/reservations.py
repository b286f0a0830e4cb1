"""XML-RPC on reservations: made, changed, activated in whole or in part, cancelled, brought back, asked about.

A reservation is an order; activating takes (part of) it and makes an invoice.
"""

import json
import sqlite3
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from billing.sandbox import goods, orders, tokens
from billing.sandbox.arguments import Arguments
from billing.sandbox.faults import NO_RISK
from billing.sandbox.places import COUNTRY_NUMBERS, CURRENCIES, CURRENCY_NUMBERS
from billing.sandbox.wire import XmlRpcFault
from billing.sandbox.world import World, new_number

AMOUNT, CUSTOMER_NOT_ACCEPTED = 2102, 2106
BAD_STATUS, FROZEN = 8104, 8108
UNKNOWN_RNO, CANNOT_SPLIT = 9109, 9110
BAD_ORDER_NUMBER, CURRENCY_MISMATCH = 9111, 9118

ACCEPTED, PENDING, DENIED = 1, 2, 3
SEND_BY_MAIL, SEND_BY_EMAIL, PRESERVE = 4, 8, 16
ADD_TO_AMOUNT = 1
BY_ORDER_ID = 1

_STOCKHOLM = ZoneInfo("Europe/Stockholm")
_PERSONS = {
    "fname": "given_name",
    "lname": "family_name",
    "street": "street_address",
    "zip": "postal_code",
    "city": "city",
    "email": "email",
    "company": "organization_name",
    "careof": "care_of",
}


def cancel(world: World, arguments: Arguments) -> str:
    """Gives the reservation back; after an activation in part, what is left of it."""
    order = _usable(world, arguments)
    orders.close(world, order, "cancel_reservation")
    return "ok"


def update(world: World, arguments: Arguments) -> str:
    """Other goods, addresses or order ids; what is empty stays as it was."""
    info = arguments.struct("update_info")
    lines = goods.lines_of_goods(info.structs("goods_list"))
    addresses = {
        name: address_of(info.struct(sent))
        for name, sent in (("shipping_address", "dlv_addr"), ("billing_address", "bill_addr"))
        if info.has(sent)
    }
    order = _usable(world, arguments)
    if order["captured_amount"]:
        raise XmlRpcFault(BAD_STATUS, "A reservation that is activated, even in part, cannot be updated.")
    amount = goods.total(lines)
    if lines:
        _assess(world, order, amount)
        orders.change(world, order, amount, lines)
    if addresses:
        orders.change_details(world, order, **addresses)
        orders.note(world, order, "customer", addresses)
    ids = info.text("orderid2") or None, info.text("orderid1") or None
    if any(ids):
        orders.refer(world, order, *ids)
    return "ok"


def activate(world: World, arguments: Arguments) -> list[str]:
    """Takes what is left, or the articles named; the answer is the risk and the number of the invoice."""
    info = arguments.struct("optional_info")
    articles = goods.named(info.structs("artnos"))
    order = _activatable(world, arguments)
    left = lines_left(world, order)
    if articles:
        lines, _ = goods.taken(left, articles)
        amount = goods.total(lines)
    else:
        lines, amount = left, orders.remaining(world, order)
    if not 0 < amount <= orders.remaining(world, order):
        raise XmlRpcFault(AMOUNT, "The articles cost more than is reserved, or nothing.")
    arguments.fault = _follow_up_fault(world, order, arguments, "capture")
    return _activated(world, order, amount, lines, info, arguments)


def activate_reservation(world: World, arguments: Arguments) -> list[str]:
    """The older way: the goods sent are those of the invoice, and the rest is given up unless flag 16 keeps it."""
    lines = goods.lines_of_goods(arguments.structs("goods_list"))
    order = _activatable(world, arguments)
    amount = goods.total(lines) if lines else orders.remaining(world, order)
    if not 0 < amount <= orders.remaining(world, order):
        raise XmlRpcFault(AMOUNT, "The goods cost more than is reserved, or nothing.")
    answer = _activated(world, order, amount, lines or lines_left(world, order), arguments, arguments)
    after = _reservation(world, arguments)
    if orders.remaining(world, after) and not arguments.whole("flags") & PRESERVE:
        orders.close(world, after, "activate_reservation")
    return answer


def extend_expiry_date(world: World, arguments: Arguments) -> str:
    """The whole period from now on; one that has expired comes back if the customer passes a new assessment."""
    order = _reservation(world, arguments)
    status = orders.status(world, order)
    if status == "EXPIRED":
        _check_credit(world, order)
    elif status not in orders.OPEN:
        raise XmlRpcFault(BAD_STATUS, "The reservation is cancelled or activated.")
    expires_at = world.clock.now() + timedelta(days=world.settings.values.reservation_days)
    orders.extend(world, order, expires_at)
    return expires_at.astimezone(_STOCKHOLM).strftime("%Y%m%dT%H%M%S")


def change(world: World, arguments: Arguments) -> str:
    order = _usable(world, arguments)
    amount = arguments.whole("amount")
    if arguments.whole("flags") & ADD_TO_AMOUNT:
        amount += order["order_amount"]
    if amount < max(order["captured_amount"], 1):
        raise XmlRpcFault(AMOUNT, "The amount must be positive, and not below what is activated.")
    _assess(world, order, amount)
    orders.change(world, order, amount, None)
    return "ok"


def split(world: World, arguments: Arguments) -> list[Any]:
    """A second reservation of `amount`, taken off this one."""
    order, amount = _usable(world, arguments), arguments.whole("amount")
    if not 0 < amount < orders.remaining(world, order):
        raise XmlRpcFault(CANNOT_SPLIT, "The amount must be a part of what is left.")
    orders.change(world, order, order["order_amount"] - amount, None)
    orders.place(
        world,
        orders.NewOrder(
            order_id=(rno := new_number(10)),
            generation=orders.LEGACY,
            origin="split",
            currency=order["currency"],
            country=order["country"],
            locale=order["locale"],
            amount=amount,
            tax=0,
            lines=[],
            token_id=order["token_id"],
            reference1=arguments.text("orderid2") or order["merchant_reference1"],
            reference2=arguments.text("orderid1") or order["merchant_reference2"],
            details=orders.details(world, order),
        ),
    )
    return [rno, ACCEPTED]


def reserve(world: World, arguments: Arguments) -> list[Any]:
    """A purchase with the customer present; a denied one is a fault."""
    lines = goods.lines_of_goods(arguments.structs("goods_list"))
    amount = arguments.whole("amount")
    if amount <= 0:
        raise XmlRpcFault(AMOUNT, "The amount must be positive.")
    country = COUNTRY_NUMBERS.get(arguments.whole("country", -1), "")
    currency = CURRENCY_NUMBERS.get(arguments.whole("currency", -1), "")
    if not country or CURRENCIES[country] != currency:
        raise XmlRpcFault(CURRENCY_MISMATCH, "Country and currency do not go together.")
    billing = arguments.struct("bill_addr")
    if "denied" in f"{billing.text('fname')} {billing.text('lname')}".lower():
        raise XmlRpcFault(CUSTOMER_NOT_ACCEPTED, "The customer was not accepted.")
    review = _review_of(billing.text("email"))
    orders.place(
        world,
        orders.NewOrder(
            order_id=(rno := new_number(10)),
            generation=orders.LEGACY,
            origin="reserve_amount",
            currency=currency,
            country=country,
            locale=country.lower(),
            amount=amount,
            tax=sum(line["total_tax_amount"] for line in lines),
            lines=lines,
            reference1=arguments.text("orderid2") or None,
            reference2=arguments.text("orderid1") or None,
            review=review,
            details={
                "billing_address": address_of(billing),
                "shipping_address": address_of(arguments.struct("dlv_addr")),
            },
        ),
    )
    return [rno, PENDING if review else ACCEPTED]


def check_status(world: World, arguments: Arguments) -> int:
    """1 accepted, 2 pending, 3 denied. Documented as not being for orders of the checkout, so blind to them."""
    wanted, by_order_id = arguments.text("id"), arguments.whole("type") == BY_ORDER_ID
    condition = "merchant_reference1 = ? OR merchant_reference2 = ?" if by_order_id else "order_id = ?"
    values = (wanted, wanted) if by_order_id else (wanted,)
    found = world.ledger.row(
        f"SELECT order_id FROM orders WHERE generation = 'legacy' AND ({condition})"  # noqa: S608  own text only
        " ORDER BY rowid DESC",
        *values,
    )
    if found is None and not by_order_id:
        found = world.ledger.row("SELECT order_id FROM captures WHERE capture_id = ?", wanted)
    order = orders.find(world, found["order_id"], orders.LEGACY) if found else None
    sees = order is not None and (order["origin"] == "reserve_amount" or world.settings.values.status_sees_recurring)
    # A reservation of which nothing is left is forgotten under its own number, not under its order id.
    is_gone = order is not None and order["order_id"] == wanted and order["status"] not in orders.OPEN
    if order is None or not sees or (is_gone and order["fraud_status"] != "REJECTED"):
        raise XmlRpcFault(BAD_ORDER_NUMBER if by_order_id else UNKNOWN_RNO, "There is no such order.")
    return {"ACCEPTED": ACCEPTED, "PENDING": PENDING}.get(order["fraud_status"], DENIED)


def reserve_ocr_numbers(world: World, arguments: Arguments) -> list[str]:  # noqa: ARG001  one signature for all
    return [new_number(12) for _ in range(max(0, min(arguments.whole("count"), 1000)))]


def address_of(sent: Arguments) -> dict[str, Any]:
    """The address as the newer generation writes it, which is how it is kept."""
    address = {kept: sent.text(name) for name, kept in _PERSONS.items() if sent.has(name)}
    phone = sent.text("cellno") or sent.text("telno")
    country = COUNTRY_NUMBERS.get(sent.whole("country", -1))
    return address | ({"phone": phone} if phone else {}) | ({"country": country} if country else {})


def lines_left(world: World, order: sqlite3.Row) -> list[goods.Line]:
    """The lines of the reservation less those that were activated."""
    gone = (line for capture in orders.captures(world, order) for line in json.loads(capture["lines"]))
    return goods.without(json.loads(order["lines"]), gone)


def _reservation(world: World, arguments: Arguments) -> sqlite3.Row:
    order = orders.find(world, arguments.text("rno"), orders.LEGACY)
    if order is None:
        raise XmlRpcFault(UNKNOWN_RNO, "There is no such reservation.")
    return order


def _usable(world: World, arguments: Arguments) -> sqlite3.Row:
    order = _reservation(world, arguments)
    status = orders.status(world, order)
    if status not in orders.OPEN:
        raise XmlRpcFault(BAD_STATUS, f"The reservation is {status.lower()}.")
    return order


def _activatable(world: World, arguments: Arguments) -> sqlite3.Row:
    order = _usable(world, arguments)
    if order["fraud_status"] == "PENDING":
        raise XmlRpcFault(FROZEN, "The reservation is under review.")
    if orders.is_early(world, order):
        raise XmlRpcFault(FROZEN, "A reservation cannot be activated in its first 30 minutes.")
    return order


def _activated(
    world: World,
    order: sqlite3.Row,
    amount: int,
    lines: list[goods.Line],
    info: Arguments,
    arguments: Arguments,
) -> list[str]:
    risk, flags = _risk(world, order, arguments), info.whole("flags")
    own = {name: info.text(name) for name in ("orderid1", "orderid2", "reference", "reference_code") if info.has(name)}
    shipping = {name: str(value) for name, value in info.struct("shipment_info").values.items() if value}
    invno = orders.capture(
        world,
        order,
        amount,
        lines=lines,
        capture_id=new_number(17),
        reference=own.get("orderid1") or own.get("reference") or order["merchant_reference2"],
        risk=risk,
        details=own | ({"shipment_info": shipping} if shipping else {}),
    )
    for flag, cause in ((SEND_BY_MAIL, "post"), (SEND_BY_EMAIL, "capture")):
        if flags & flag:
            orders.send_out(world, order["order_id"], invno, cause)
    return [risk, invno]


def _risk(world: World, order: sqlite3.Row, arguments: Arguments) -> str:
    scripted = arguments.call.scripted if arguments.call else None
    at_own_risk = order["fraud_status"] != "ACCEPTED" or (scripted is not None and scripted.name == NO_RISK)
    return "no_risk" if at_own_risk else world.settings.values.risk


def _assess(world: World, order: sqlite3.Row, amount: int) -> None:
    if amount > order["order_amount"]:
        _check_credit(world, order)


def _check_credit(world: World, order: sqlite3.Row) -> None:
    """A new credit assessment, which a token that has ended or sleeps does not pass."""
    token = tokens.find(world, order["token_id"], orders.LEGACY) if order["token_id"] else None
    ended = token is not None and token["status"] != "ACTIVE"
    if ended or world.settings.values.extension_assessment == "reject":
        raise XmlRpcFault(CUSTOMER_NOT_ACCEPTED, "The customer was not accepted.")


def _follow_up_fault(world: World, order: sqlite3.Row, arguments: Arguments, kind: str) -> Any:
    assert arguments.call is not None, "every method is called by a call"
    return tokens.fault_of_follow_up(world, order, arguments.call, kind)


def _review_of(email: str) -> str | None:
    """Klarna's test persons whose purchases are pending are known by their mail address."""
    name = email.partition("@")[0].lower()
    if name.startswith("pending_accepted"):
        return "accept"
    return "reject" if name.startswith("pending_denied") else None
