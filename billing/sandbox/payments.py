"""Klarna's Payments API: a session, what the customer makes of it, and the token or the order that comes of that."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from billing.sandbox import orders, rest, tokens
from billing.sandbox.checkout import order_answer, read_order_extras
from billing.sandbox.clock import instant, stamp
from billing.sandbox.places import CURRENCIES, NOT_TOKENIZED, locale_of
from billing.sandbox.validation import (
    AMOUNT_MAX,
    COUNTRY,
    CURRENCY,
    LOCALE,
    PAYMENTS,
    Fields,
    check_address,
    check_sums,
    needed_lines,
)
from billing.sandbox.wire import Answer, Call, Refusal, json_answer
from billing.sandbox.world import World, new_id, short_reference

AUTHORIZATION_LIFETIME = timedelta(minutes=60)
SESSION_LIFETIME = timedelta(hours=48)

INTENTS = ("buy", "tokenize", "buy_and_tokenize", "buy_and_default_tokenize")
_CATEGORY = {"identifier": "pay_later", "name": "Pay later"}
_SHOWN = ("order_amount", "order_tax_amount", "order_lines", "locale", "merchant_reference1", "merchant_reference2")


def create_session(world: World, call: Call) -> Answer:
    country, currency, intent = _read_session(call.body)
    session_id = new_id()
    world.ledger.insert(
        "sessions",
        session_id=session_id,
        intent=intent,
        country=country,
        currency=currency,
        content=json.dumps(_shown(call.body)),
        created_at=world.clock.stamp_now(),
    )
    client_token = _client_token(session_id)
    return json_answer(
        {"session_id": session_id, "client_token": client_token, "payment_method_categories": [_CATEGORY]}
    )


def read_session(world: World, call: Call) -> Answer:
    session = existing_session(world, call.ids[0])
    approved = world.ledger.row(
        "SELECT authorization_token FROM authorizations WHERE session_id = ? ORDER BY rowid DESC", session["session_id"]
    )
    view = json.loads(session["content"]) | {
        "client_token": _client_token(session["session_id"]),
        "expires_at": stamp(instant(session["created_at"]) + SESSION_LIFETIME),
        "intent": session["intent"],
        "payment_method_categories": [_CATEGORY],
        "purchase_country": session["country"],
        "purchase_currency": session["currency"],
        "status": "complete" if approved else "incomplete",
    }
    return json_answer(view | ({"authorization_token": approved["authorization_token"]} if approved else {}))


def update_session(world: World, call: Call) -> Answer:
    """Another cart in the same session; what is left out stays, and so does what the session was opened for."""
    session = existing_session(world, call.ids[0])
    content = json.loads(session["content"])
    if "order_lines" in call.body:
        content.pop("order_tax_amount", None)  # it was that of the lines before
    before = {f"purchase_{name}": session[name] for name in ("country", "currency")} | {"intent": session["intent"]}
    body = before | content | {name: value for name, value in call.body.items() if value is not None}
    country, currency, intent = _read_session(body)
    world.ledger.write(
        "UPDATE sessions SET country = ?, currency = ?, intent = ?, content = ? WHERE session_id = ?",
        country,
        currency,
        intent,
        json.dumps(_shown(body)),
        session["session_id"],
    )
    return Answer(204)


def create_token(world: World, call: Call) -> Answer:
    fields = Fields(call.body, PAYMENTS)
    country, currency = _read_place(fields)
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


def create_order(world: World, call: Call) -> Answer:
    """The purchase that the customer has approved in the session; what is bought must be what was shown there."""
    fields = Fields(call.body, PAYMENTS)
    country, currency = _read_place(fields)
    amount = fields.needed_whole("order_amount", 0, AMOUNT_MAX)
    tax = fields.whole("order_tax_amount", 0, AMOUNT_MAX)
    check_sums(fields, needed_lines(fields), amount, tax)
    captures_at_once = fields.flag("auto_capture")
    read_order_extras(fields)
    authorization = _authorization(world, call.ids[0])
    if (authorization["country"], authorization["currency"]) != (country, currency):
        raise Refusal(409, "CONFLICT", "Country and currency must be those of the session.")
    if amount != json.loads(authorization["content"]).get("order_amount", amount):
        raise Refusal(409, "BAD_VALUE", "The amount is not that of the session.")
    _use_up(world, authorization)
    order = orders.place(world, _new_order(authorization, call, amount, tax or 0))
    if captures_at_once and order["fraud_status"] == "ACCEPTED" and amount:
        rest.capture_whole(world, order)
    return order_answer(order)


def cancel_authorization(world: World, call: Call) -> Answer:
    _use_up(world, _authorization(world, call.ids[0]))
    return Answer(204)


def existing_session(world: World, session_id: str) -> sqlite3.Row:
    session = world.ledger.row("SELECT * FROM sessions WHERE session_id = ?", session_id)
    if session is None:
        raise Refusal(404, "NOT_FOUND", "There is no such session.")
    return session


def approve_session(world: World, session_id: str, behaviour: str, seed: str | None) -> str:
    """What the customer does in the browser; returns the authorization token, which lives for an hour."""
    session = existing_session(world, session_id)
    authorization_token = new_id()
    world.ledger.insert(
        "authorizations",
        authorization_token=authorization_token,
        session_id=session["session_id"],
        behaviour=behaviour,
        seed=seed,
        created_at=world.clock.stamp_now(),
    )
    return authorization_token


def token_of(world: World, authorization_token: str) -> str:
    """The customer token that a shop would ask for with the session's own data."""
    authorization = _authorization(world, authorization_token)
    country, currency = authorization["country"], authorization["currency"]
    _check_session(authorization, country, currency)
    return _insert_token(world, authorization, country, currency, locale_of(country))


def _client_token(session_id: str) -> str:
    return f"sandbox-{session_id}"


def _shown(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a reading of the session shows of what was sent."""
    return {name: body[name] for name in _SHOWN if body.get(name) is not None}


def _read_session(body: dict[str, Any]) -> tuple[str, str, str]:
    """Country, currency and intent of a session whose fields are all as they should be."""
    fields = Fields(body, PAYMENTS)
    country, currency = _read_place(fields)
    if CURRENCIES.get(country) != currency:
        fields.refuse("purchase_currency", f"is not the currency of purchases in {country}")
    intent = fields.choice("intent", INTENTS) or "buy"
    _read_session_order(fields, intent)
    return country, currency, intent


def _read_place(fields: Fields) -> tuple[str, str]:
    country = fields.needed_text("purchase_country", 2, pattern=COUNTRY).upper()
    return country, fields.needed_text("purchase_currency", 3, pattern=CURRENCY).upper()


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
        "SELECT a.*, s.intent, s.country, s.currency, s.content"
        " FROM authorizations a JOIN sessions s USING (session_id) WHERE a.authorization_token = ?",
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
    token_id = new_id()
    tokens.add(
        world,
        token_id,
        behaviour=authorization["behaviour"],
        generation=orders.REST,
        currency=currency,
        country=country,
        locale=locale,
        seed=authorization["seed"],
    )
    # Where something is bought as well, the order is placed after the token.
    if authorization["intent"] == "tokenize":
        _use_up(world, authorization)
    return token_id


def _use_up(world: World, authorization: sqlite3.Row) -> None:
    world.ledger.write(
        "UPDATE authorizations SET used_at = ? WHERE authorization_token = ?",
        world.clock.stamp_now(),
        authorization["authorization_token"],
    )


def _new_order(authorization: sqlite3.Row, call: Call, amount: int, tax: int) -> orders.NewOrder:
    body, named = call.body, ("merchant_data", "shipping_address", "billing_address")
    return orders.NewOrder(
        order_id=new_id(),
        generation=orders.REST,
        origin="session",
        currency=authorization["currency"],
        country=authorization["country"],
        locale=body.get("locale") or json.loads(authorization["content"]).get("locale") or "en-GB",
        amount=amount,
        tax=tax,
        lines=body["order_lines"],
        reference1=body.get("merchant_reference1"),
        reference2=body.get("merchant_reference2"),
        key=call.key,
        review=tokens.REVIEWS.get(authorization["behaviour"]),
        auto_capture=bool(body.get("auto_capture")),
        details={name: body[name] for name in named if body.get(name) is not None},
    )
