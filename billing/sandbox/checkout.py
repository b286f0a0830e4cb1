"""From a customer token to an order: Klarna's Customer Token API."""

import json
import sqlite3

from billing.sandbox import orders, rest, tokens
from billing.sandbox.places import country_of, locale_of
from billing.sandbox.validation import (
    CURRENCY,
    CUSTOMER_TOKEN,
    INT64,
    Fields,
    check_address,
    check_sums,
    needed_lines,
)
from billing.sandbox.wire import Answer, Call, Fault, Refusal, json_answer
from billing.sandbox.world import World, new_id


def read_token(world: World, call: Call) -> Answer:
    token = tokens.find(world, call.ids[0], orders.REST)
    if token is None:
        raise Refusal(404, "NOT_FOUND", "There is no such token.")
    return json_answer({"status": token["status"], "payment_method_type": "INVOICE"})


def change_token_status(world: World, call: Call) -> Answer:
    fields = Fields(call.body, CUSTOMER_TOKEN)
    if fields.needed_text("status", 255).upper() != "CANCELLED":
        fields.refuse("status", "must be CANCELLED")
    if tokens.find(world, call.ids[0], orders.REST) is None:
        raise Refusal(404, "NOT_FOUND", "There is no such token.")
    tokens.set_status(world, call.ids[0], "CANCELLED")
    # Plain text on purpose: a client must not take the body of this answer for JSON.
    return Answer(202, b"The status of the token will be updated.", {"Content-Type": "text/plain"})


def place_order(world: World, call: Call) -> Answer:
    """The recurring charge. Faults and declines of the token come after everything that is wrong with the request."""
    fields = Fields(call.body, CUSTOMER_TOKEN)
    currency = fields.needed_text("purchase_currency", 3, pattern=CURRENCY).upper()
    amount = fields.needed_whole("order_amount", 1, INT64)
    tax = fields.needed_whole("order_tax_amount", 0, INT64)
    check_sums(fields, needed_lines(fields), amount, tax)
    captures_at_once = fields.flag("auto_capture")
    read_order_extras(fields)
    token = tokens.find(world, call.ids[0], orders.REST)
    if token is None:
        raise Refusal(404, "TOKEN_NOT_FOUND", "There is no such token.")
    if token["currency"] not in (currency, tokens.ANY_CURRENCY):
        raise Refusal(403, "PAYMENT_METHOD_CURRENCY_MISMATCH", f"The token was made for {token['currency']}.")
    references = (call.body.get("merchant_reference1"), call.body.get("merchant_reference2"))
    charge = tokens.register(world, token, call, references[0])
    error_code = tokens.decline(world, token, charge, call, references)
    if error_code is not None:
        raise Refusal(403, error_code, "The charge was declined.")
    fault = tokens.fault_of_charge(world, token, charge, call)
    order = orders.place(world, _new_order(token, call, currency, amount, tax))
    if captures_at_once and order["fraud_status"] == "ACCEPTED":
        rest.capture_whole(world, order)
    return order_answer(order, fault)


def read_order_extras(fields: Fields) -> None:
    """What may be said about an order beside its amounts and lines."""
    fields.text("merchant_reference1", 255)
    fields.text("merchant_reference2", 255)
    fields.text("merchant_data", 6000)
    urls = fields.block("merchant_urls")
    if urls is not None:
        if fields.limits is CUSTOMER_TOKEN:
            urls.needed_text("confirmation", 2000)
        for name in ("confirmation", "push", "notification", "authorization"):
            urls.text(name, 2000)
    check_address(fields, "shipping_address")
    attachment = fields.block("attachment")
    if attachment is not None:
        attachment.needed_text("content_type", 255)
        try:
            json.loads(attachment.needed_text("body", INT64))
        except ValueError:
            attachment.refuse("body", "must be a JSON document as text")


def order_answer(order: sqlite3.Row, fault: Fault | None = None) -> Answer:
    method = {"type": "invoice", "number_of_days": 30, "number_of_installments": 1}
    answer = json_answer(
        {
            "order_id": order["order_id"],
            "fraud_status": order["fraud_status"],
            "redirect_url": f"https://sandbox.invalid/orders/{order['order_id']}",
            "authorized_payment_method": method,
        }
    )
    return Answer(answer.status, answer.content, answer.headers, fault)


def _new_order(token: sqlite3.Row, call: Call, currency: str, amount: int, tax: int) -> orders.NewOrder:
    body, takes_any = call.body, token["currency"] == tokens.ANY_CURRENCY
    country = country_of(currency) if takes_any else token["country"]
    return orders.NewOrder(
        order_id=new_id(),
        generation=orders.REST,
        origin="token",
        currency=currency,
        country=country,
        locale=locale_of(country) if takes_any else token["locale"],
        amount=amount,
        tax=tax,
        lines=body["order_lines"],
        token_id=token["token_id"],
        reference1=body.get("merchant_reference1"),
        reference2=body.get("merchant_reference2"),
        key=call.key,
        review=tokens.REVIEWS.get(token["behaviour"]),
        auto_capture=bool(body.get("auto_capture")),
        details={name: body[name] for name in ("merchant_data", "shipping_address") if body.get(name) is not None},
    )
