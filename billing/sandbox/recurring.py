"""Recurring orders of the older generation: a token is charged, reserved or at once, and its status is read."""

import json
from typing import Any

from billing.sandbox import carts, goods, orders, tokens
from billing.sandbox.validation import Fields
from billing.sandbox.wire import Answer, Call, Refusal
from billing.sandbox.world import World, new_number

_REASONS = {"TOKEN_SUSPENDED": "The recurring agreement is suspended", "REVIEW": "Manual review is required"}
_METHOD = {"type": "invoice"}


def place_order(world: World, call: Call) -> Answer:
    """The recurring charge. A declined one is 402, a token that ended is not there any more."""
    fields = Fields(call.body, carts.LEGACY)
    carts.check_merchant(fields)
    country, currency = carts.read_place(fields)
    references, addresses = carts.read_references(fields), carts.read_addresses(fields)
    lines, activates = carts.read_cart(fields), fields.flag("activate")
    token = tokens.find(world, call.ids[0], orders.LEGACY)
    if token is None or token["status"] == "CANCELLED":
        raise _no_such_token()
    if token["currency"] not in (currency, tokens.ANY_CURRENCY):
        fields.refuse("purchase_currency", f"is not that of the recurring agreement, which is {token['currency']}")
    charge = tokens.register(world, token, call, references[0] or references[1])
    review = tokens.REVIEWS.get(token["behaviour"])
    error_code = tokens.decline(world, token, charge, call, references)
    if error_code is None and review and activates:
        error_code = "REVIEW"  # what is not decided yet cannot be on an invoice
    if error_code == "TOKEN_CANCELLED":
        raise _no_such_token()
    if error_code is not None:
        return _declined(error_code)
    fault = tokens.fault_of_charge(world, token, charge, call)
    order = orders.place(
        world,
        orders.NewOrder(
            order_id=new_number(10),
            generation=orders.LEGACY,
            origin="recurring",
            currency=currency,
            country=country,
            locale=call.body["locale"],
            amount=goods.total(lines),
            tax=sum(line["total_tax_amount"] for line in lines),
            lines=lines,
            token_id=token["token_id"],
            reference1=references[0],
            reference2=references[1],
            review=review,
            details=addresses,
        ),
    )
    accepted: dict[str, Any] = {"reservation": order["order_id"]}
    if activates:
        accepted = {"invoice": _invoiced(world, order, lines, references[1])}
    answer = carts.typed_answer("recurring-order-accepted-v1", accepted)
    return Answer(answer.status, answer.content, answer.headers, fault)


def read_status(world: World, call: Call) -> Answer:
    token = tokens.find(world, call.ids[0], orders.LEGACY)
    if token is None or token["status"] == "CANCELLED":
        raise _no_such_token()
    return carts.typed_answer("recurring-status-v1", {"payment_method": _METHOD})


def _invoiced(world: World, order: Any, lines: list[goods.Line], reference: str | None) -> str:
    invno = orders.capture(
        world, order, order["order_amount"], lines=lines, capture_id=new_number(17), reference=reference
    )
    orders.send_out(world, order["order_id"], invno, "capture")
    return invno


def _no_such_token() -> Refusal:
    return Refusal(404, "NOT_FOUND", "There is no such recurring agreement")


def _declined(error_code: str) -> Answer:
    reason = _REASONS.get(error_code, "The purchase was declined")
    rejected = json.dumps({"reason": reason, "payment_method": _METHOD}).encode()
    kind = "application/vnd.klarna.checkout.recurring-order-rejected-v1+json"
    return Answer(402, rejected, {"Content-Type": kind})
