"""The sandbox's own calls under /_sandbox: the clock, the settings, the script, the tokens, the portal, the books."""

import sqlite3
from dataclasses import asdict
from typing import Any

from billing.sandbox import export, faults, orders, tokens
from billing.sandbox.clock import ClockRefused, instant
from billing.sandbox.places import CURRENCIES, country_of, locale_of
from billing.sandbox.scripts import unprocessable
from billing.sandbox.settings import SettingRefused
from billing.sandbox.wire import Answer, Call, Refusal, json_answer
from billing.sandbox.world import World, new_id, new_number

GENERATIONS = (orders.REST, orders.LEGACY)


def read_clock(world: World, call: Call) -> Answer:  # noqa: ARG001  every call is answered through one signature
    return json_answer({"now": world.clock.stamp_now()})


def set_clock(world: World, call: Call) -> Answer:
    """`advance_seconds` moves the clock, `set` freezes it at an instant, `set: null` goes back to the real one."""
    try:
        _turn(world, call.body)
    except ClockRefused as refused:
        raise unprocessable(str(refused)) from None
    return read_clock(world, call)


def read_settings(world: World, call: Call) -> Answer:  # noqa: ARG001  every call is answered through one signature
    return json_answer(asdict(world.settings.values))


def change_settings(world: World, call: Call) -> Answer:
    try:
        world.settings.change(call.body)
    except SettingRefused as refused:
        raise unprocessable(f"{refused}.") from None
    return read_settings(world, call)


def reset_settings(world: World, call: Call) -> Answer:
    world.settings.reset()
    return read_settings(world, call)


def read_script(world: World, call: Call) -> Answer:  # noqa: ARG001  every call is answered through one signature
    return json_answer({"answers": faults.waiting(world)})


def queue_script(world: World, call: Call) -> Answer:
    entries = call.body.get("answers")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise unprocessable("answers must be a list of objects.")
    faults.queue(world, entries)
    return read_script(world, call)


def forget_script(world: World, call: Call) -> Answer:
    faults.forget(world)
    return read_script(world, call)


def read_ledger(world: World, call: Call) -> Answer:
    """All rows; as a table of orders, captures, refunds and voids where `?format=csv` or the client asks for one."""
    if call.query.get("format") == "csv" or "text/csv" in call.accept:
        return read_ledger_table(world, call)
    orders.review_all(world)
    return json_answer(world.ledger.everything())


def read_ledger_table(world: World, call: Call) -> Answer:  # noqa: ARG001  every call is answered through one signature
    orders.review_all(world)
    return Answer(200, export.table(world).encode(), {"Content-Type": "text/csv; charset=utf-8"})


def list_tokens(world: World, call: Call) -> Answer:  # noqa: ARG001  every call is answered through one signature
    """The tokens that are there from the start, under their behaviours' names, and all that were made since."""
    made = {row["token_id"]: row for row in world.ledger.rows("SELECT * FROM tokens ORDER BY rowid")}
    named = [_token_view(made[name]) if name in made else _untouched(name) for name in tokens.BEHAVIOURS]
    others = [_token_view(row) for token_id, row in made.items() if token_id not in tokens.BEHAVIOURS]
    return json_answer({"behaviours": list(tokens.BEHAVIOURS), "tokens": named + others})


def create_token(world: World, call: Call) -> Answer:
    """A token without a customer: for those who need many."""
    wish = call.body
    behaviour, seed = read_wish(wish)
    generation, currency = wish.get("generation", orders.REST), wish.get("currency", "EUR")
    if generation not in GENERATIONS:
        raise unprocessable(f"generation must be one of {', '.join(GENERATIONS)}.")
    if currency not in CURRENCIES.values():
        raise unprocessable("currency must be one that Klarna takes somewhere.")
    country = wish.get("country", country_of(currency))
    if CURRENCIES.get(country) != currency:
        raise unprocessable("country must be one where that currency is taken.")
    place = {"currency": currency, "country": country, "locale": locale_of(country)}
    row = tokens.add(world, new_id(), behaviour=behaviour, seed=seed, generation=generation, **place)
    return json_answer(_token_view(row), 201)


def change_token(world: World, call: Call) -> Answer:
    """What Klarna or the customer does to a token: `status` ACTIVE, SUSPENDED (until told otherwise) or CANCELLED."""
    status = call.body.get("status")
    if status not in tokens.STATUSES:
        raise unprocessable(f"status must be one of {', '.join(tokens.STATUSES)}.")
    if all(tokens.find(world, call.ids[0], generation) is None for generation in GENERATIONS):
        raise Refusal(404, "NOT_FOUND", "There is no such token.")
    world.ledger.write("UPDATE tokens SET status = ?, suspended_until = NULL WHERE token_id = ?", status, call.ids[0])
    row = world.ledger.one("SELECT * FROM tokens WHERE token_id = ?", call.ids[0])
    return json_answer(_token_view(row))


def decide_review(world: World, call: Call) -> Answer:
    """Ends a pending review now, as `decision` says: accept or reject."""
    decision = call.body.get("decision")
    if decision not in ("accept", "reject"):
        raise unprocessable("decision must be accept or reject.")
    order = _order(world, call.ids[0])
    if order["fraud_status"] != "PENDING":
        raise Refusal(409, "CONFLICT", "The order is not under review.")
    orders.decide_review(world, order, decision)
    return json_answer({"fraud_status": _order(world, call.ids[0])["fraud_status"]})


def act_in_portal(world: World, call: Call) -> Answer:
    """What somebody does by hand in Klarna's own portal: `action` capture, refund or cancel, of `amount` or all."""
    order, action = _order(world, call.ids[0]), call.body.get("action")
    remaining = orders.remaining(world, order)
    if action == "cancel":
        if orders.status(world, order) not in orders.OPEN:
            raise Refusal(409, "CONFLICT", "There is nothing left to cancel.")
        orders.close(world, order, "portal")
        return json_answer({"action": action})
    if action not in ("capture", "refund"):
        raise unprocessable("action must be capture, refund or cancel.")
    most = remaining if action == "capture" else order["captured_amount"] - order["refunded_amount"]
    amount = call.body.get("amount", most)
    if type(amount) is not int or not 0 < amount <= most:
        raise unprocessable(f"amount must be a whole number from 1 to {most}.")
    act = _captured if action == "capture" else _refunded
    return json_answer({"action": action, "id": act(world, order, amount), "amount": amount})


def read_wish(wish: dict[str, Any]) -> tuple[str, str | None]:
    """Behaviour and seed of the token that somebody wants; raises Refusal 422 for what is none."""
    behaviour, seed = wish.get("token", wish.get("behaviour")), wish.get("seed")
    if behaviour not in tokens.BEHAVIOURS:
        raise unprocessable(f"token must be one of {', '.join(tokens.BEHAVIOURS)}.")
    if seed is not None and (not isinstance(seed, str) or not seed):
        raise unprocessable("seed must be text, or left out.")
    return str(behaviour), seed


def _turn(world: World, wish: dict[str, Any]) -> None:
    match wish:
        case {"advance_seconds": int() | float() as seconds} if not isinstance(seconds, bool):
            world.clock.advance(seconds)
        case {"set": str(text)}:
            world.clock.freeze(instant(text))
        case {"set": None}:
            world.clock.release()
        case _:
            raise ClockRefused("Send advance_seconds as a number, or set as an ISO 8601 instant with a zone.")


def _order(world: World, order_id: str) -> sqlite3.Row:
    found = orders.find(world, order_id, orders.REST) or orders.find(world, order_id, orders.LEGACY)
    if found is None:
        raise Refusal(404, "NO_SUCH_ORDER", "There is no such order.")
    return found


def _captured(world: World, order: sqlite3.Row, amount: int) -> str:
    capture_id = new_number(17) if order["generation"] == orders.LEGACY else None
    return orders.capture(world, order, amount, lines=[], capture_id=capture_id, details={"origin": "portal"})


def _refunded(world: World, order: sqlite3.Row, amount: int) -> str:
    """On the first invoice that has that much left, where refunds belong to invoices."""
    capture_id = None
    if order["generation"] == orders.LEGACY:
        credited = [(row["capture_id"], row["amount"]) for row in orders.refunds(world, order)]
        for invoice in orders.captures(world, order):
            left = invoice["amount"] - sum(given for number, given in credited if number == invoice["capture_id"])
            if left >= amount:
                capture_id = invoice["capture_id"]
                break
        else:
            raise unprocessable("amount must fit into one invoice.")
    return orders.refund(world, order, amount, lines=[], kind="portal", capture_id=capture_id)


def _token_view(row: sqlite3.Row) -> dict[str, Any]:
    generations = list(GENERATIONS) if row["generation"] == "both" else [row["generation"]]
    return {
        "token": row["token_id"],
        "behaviour": row["behaviour"],
        "seed": row["seed"],
        "generations": generations,
        "status": row["status"],
        "currency": row["currency"] or None,
    }


def _untouched(name: str) -> dict[str, Any]:
    view = {"token": name, "behaviour": name, "seed": None, "generations": list(GENERATIONS)}
    return view | {"status": "ACTIVE", "currency": None}
