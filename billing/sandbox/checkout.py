"""From a session to a token, and from a token to an order: Klarna's Payments and Customer Token APIs."""

import json
import sqlite3
from datetime import timedelta
from typing import Any

from billing.sandbox import rest, tokens
from billing.sandbox.clock import instant, stamp
from billing.sandbox.validation import (
    AMOUNT_MAX,
    COUNTRY,
    CURRENCY,
    CUSTOMER_TOKEN,
    INT64,
    LOCALE,
    PAYMENTS,
    Fields,
    check_address,
    check_sums,
    needed_lines,
)
from billing.sandbox.wire import Answer, Call, Refusal, json_answer
from billing.sandbox.world import World, new_id, short_reference

ORDER_LIFETIME = timedelta(days=28)
AUTHORIZATION_LIFETIME = timedelta(minutes=60)

INTENTS = ("buy", "tokenize", "buy_and_tokenize", "buy_and_default_tokenize")
_EURO = dict.fromkeys(("AT", "BE", "DE", "ES", "FI", "FR", "GR", "IE", "IT", "NL", "PT"), "EUR")
_OTHERS = {"CZ": "CZK", "DK": "DKK", "NO": "NOK", "PL": "PLN", "SE": "SEK", "CH": "CHF", "GB": "GBP"}
_OVERSEAS = {"US": "USD", "CA": "CAD", "NZ": "NZD", "AU": "AUD", "MX": "MXN", "HU": "HUF", "RO": "RON"}
CURRENCIES = _EURO | _OTHERS | _OVERSEAS
"""The local currency of each country that sells; no other is taken there."""

NOT_TOKENIZED = frozenset({"NZ"})
"""Where the sandbox's own account has no recurring payments, so that the refusal can be met."""

_SCRIPTED_DECLINES = {"decline": "PAYMENT_METHOD_FAILED", "decline_hard": "TOKEN_CANCELLED"}


def create_session(world: World, call: Call) -> Answer:
    fields = Fields(call.body, PAYMENTS)
    country = fields.needed_text("purchase_country", 2, pattern=COUNTRY).upper()
    currency = fields.needed_text("purchase_currency", 3, pattern=CURRENCY).upper()
    if CURRENCIES.get(country) != currency:
        fields.refuse("purchase_currency", f"is not the currency of purchases in {country}")
    intent = fields.choice("intent", INTENTS) or "buy"
    _read_session_order(fields, intent)
    session_id = new_id()
    world.ledger.insert(
        "sessions",
        session_id=session_id,
        intent=intent,
        country=country,
        currency=currency,
        created_at=world.clock.stamp_now(),
    )
    category = {"identifier": "pay_later", "name": "Pay later"}
    return json_answer({"session_id": session_id, "client_token": new_id(), "payment_method_categories": [category]})


def create_token(world: World, call: Call) -> Answer:
    fields = Fields(call.body, PAYMENTS)
    country = fields.needed_text("purchase_country", 2, pattern=COUNTRY).upper()
    currency = fields.needed_text("purchase_currency", 3, pattern=CURRENCY).upper()
    locale = fields.needed_text("locale", 255, pattern=LOCALE)
    fields.needed_text("description", 255, shortest=1)
    if fields.needed_text("intended_use", 255).upper() != "SUBSCRIPTION":
        fields.refuse("intended_use", "must be SUBSCRIPTION")
    address = check_address(fields, "billing_address")
    customer = _read_customer(fields)
    authorization = _authorization(world, call.ids[0])
    _check_session(authorization, country, currency)
    token_id = _insert_token(world, authorization, country, currency, locale)
    answer: dict[str, Any] = {
        "token_id": token_id,
        "redirect_url": f"https://sandbox.invalid/tokens/{new_id()}",
        "payment_method_reference": short_reference(),
    }
    if address is not None:
        answer["billing_address"] = address
    if customer is not None:
        answer["customer"] = customer
    return json_answer(answer)


def read_token(world: World, call: Call) -> Answer:
    token = tokens.find(world, call.ids[0])
    if token is None:
        raise Refusal(404, "NOT_FOUND", "There is no such token.")
    return json_answer({"status": token["status"], "payment_method_type": "INVOICE"})


def change_token_status(world: World, call: Call) -> Answer:
    fields = Fields(call.body, CUSTOMER_TOKEN)
    if fields.needed_text("status", 255).upper() != "CANCELLED":
        fields.refuse("status", "must be CANCELLED")
    if tokens.find(world, call.ids[0]) is None:
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
    _read_order_extras(fields)
    token = tokens.find(world, call.ids[0])
    if token is None:
        raise Refusal(404, "TOKEN_NOT_FOUND", "There is no such token.")
    if currency != token["currency"]:
        raise Refusal(403, "PAYMENT_METHOD_CURRENCY_MISMATCH", f"The token was made for {token['currency']}.")
    charge = tokens.register(world, token, call, call.body.get("merchant_reference1"))
    _decline_if_due(world, token, charge, call)
    fault = tokens.fault_of_charge(world, token, charge, call)
    order_id = _insert_order(world, token, call, amount, tax)
    if captures_at_once:
        rest.capture_whole(world, order_id)
    return _order_answer(order_id, fault)


def _read_session_order(fields: Fields, intent: str) -> None:
    amount = fields.needed_whole("order_amount", 0, AMOUNT_MAX)
    tax = fields.whole("order_tax_amount", 0, AMOUNT_MAX)
    lines = needed_lines(fields)
    if intent != "tokenize":  # nothing is charged now, and the lines may show what later periods cost
        check_sums(fields, lines, amount, tax)
    fields.text("locale", 255, pattern=LOCALE)
    fields.text("merchant_reference1", 255)
    fields.text("merchant_reference2", 255)
    fields.text("merchant_data", 6000)
    check_address(fields, "billing_address")
    check_address(fields, "shipping_address")
    _read_customer(fields)
    urls = fields.block("merchant_urls")
    if urls is not None:
        for name in ("confirmation", "notification", "push", "authorization"):
            urls.text(name, 2000)


def _read_customer(fields: Fields) -> dict[str, Any] | None:
    customer = fields.block("customer")
    if customer is None:
        return None
    shown = {name: customer.text(name, 255) for name in ("date_of_birth", "gender")}
    return {name: value for name, value in shown.items() if value is not None}


def _authorization(world: World, authorization_token: str) -> sqlite3.Row:
    row = world.ledger.row(
        "SELECT a.*, s.intent, s.country, s.currency FROM authorizations a JOIN sessions s USING (session_id)"
        " WHERE a.authorization_token = ?",
        authorization_token,
    )
    if row is None:
        raise Refusal(404, "NOT_FOUND", "There is no such authorization.")
    if row["used_at"] is not None:
        raise Refusal(404, "SESSION_COMPLETED", "The session of this authorization is completed.")
    if world.clock.now() >= instant(row["created_at"]) + AUTHORIZATION_LIFETIME:
        raise Refusal(404, "NOT_FOUND", "The authorization has expired.")
    return row


def _check_session(authorization: sqlite3.Row, country: str, currency: str) -> None:
    if authorization["intent"] == "buy":
        raise Refusal(403, "INVALID_OPERATION", "The session was opened to buy, not to tokenize.")
    if (authorization["country"], authorization["currency"]) != (country, currency):
        raise Refusal(409, "CONFLICT", "Country and currency must be those of the session.")
    if country in NOT_TOKENIZED:
        raise Refusal(400, "BAD_VALUE", f"INVOICE is not valid for creating customer tokens in {country}")


def _insert_token(world: World, authorization: sqlite3.Row, country: str, currency: str, locale: str) -> str:
    token_id, now = new_id(), world.clock.stamp_now()
    world.ledger.insert(
        "tokens",
        token_id=token_id,
        behaviour=authorization["behaviour"],
        seed=authorization["seed"],
        status="ACTIVE",
        currency=currency,
        country=country,
        created_at=now,
        locale=locale,
    )
    world.ledger.write(
        "UPDATE authorizations SET used_at = ? WHERE authorization_token = ?",
        now,
        authorization["authorization_token"],
    )
    return token_id


def _read_order_extras(fields: Fields) -> None:
    fields.text("merchant_reference1", 255)
    fields.text("merchant_reference2", 255)
    fields.text("merchant_data", 6000)
    urls = fields.block("merchant_urls")
    if urls is not None:
        urls.needed_text("confirmation", 2000)
        urls.text("push", 2000)
    check_address(fields, "shipping_address")
    attachment = fields.block("attachment")
    if attachment is not None:
        attachment.needed_text("content_type", 255)
        try:
            json.loads(attachment.needed_text("body", INT64))
        except ValueError:
            attachment.refuse("body", "must be a JSON document as text")


def _decline_if_due(world: World, token: sqlite3.Row, charge: tokens.Charge, call: Call) -> None:
    fault = call.scripted.fault if call.scripted else None
    if fault == "decline_hard":
        tokens.set_status(world, token["token_id"], "CANCELLED")
    error_code = _SCRIPTED_DECLINES.get(fault or "") or tokens.refusal_of(world, token, charge)
    if error_code is None:
        return
    world.ledger.insert(
        "declines",
        token_id=token["token_id"],
        merchant_reference1=call.body.get("merchant_reference1"),
        merchant_reference2=call.body.get("merchant_reference2"),
        idempotency_key=call.key,
        error_code=error_code,
        at=world.clock.stamp_now(),
    )
    raise Refusal(403, error_code, "The charge was declined.")


def _insert_order(world: World, token: sqlite3.Row, call: Call, amount: int, tax: int) -> str:
    order_id, now, body = new_id(), world.clock.now(), call.body
    world.ledger.insert(
        "orders",
        order_id=order_id,
        token_id=token["token_id"],
        merchant_reference1=body.get("merchant_reference1"),
        merchant_reference2=body.get("merchant_reference2"),
        idempotency_key=call.key,
        currency=token["currency"],
        order_amount=amount,
        order_tax_amount=tax,
        status="AUTHORIZED",
        fraud_status="ACCEPTED",
        created_at=stamp(now),
        expires_at=stamp(now + ORDER_LIFETIME),
        klarna_reference=short_reference(),
        lines=json.dumps(body["order_lines"]),
    )
    details = {name: body[name] for name in ("merchant_data", "shipping_address") if body.get(name) is not None}
    if details:
        world.ledger.insert("order_details", order_id=order_id, details=json.dumps(details))
    return order_id


def _order_answer(order_id: str, fault: str | None) -> Answer:
    method = {"type": "invoice", "number_of_days": 30, "number_of_installments": 1}
    answer = json_answer(
        {
            "order_id": order_id,
            "fraud_status": "ACCEPTED",
            "redirect_url": f"https://sandbox.invalid/orders/{order_id}",
            "authorized_payment_method": method,
        }
    )
    return Answer(answer.status, answer.content, answer.headers, fault)
