"""How customer tokens behave, by name: whether a charge is taken, and which fault it meets on the wire.

Everything drawn depends only on the server's seed, the token's seed text (or its behaviour's name), the ordinal of
the charge on that token, and the number of the attempt: the same story is told again with the same seeds.
"""

import sqlite3
from dataclasses import dataclass
from datetime import timedelta

from billing.sandbox import faults
from billing.sandbox.clock import instant, stamp
from billing.sandbox.wire import Call, Fault, Withheld
from billing.sandbox.world import World, new_id

REVIEWS = {"pending_then_ok": "accept", "pending_then_rejected": "reject"}
"""Tokens whose orders are pending at first, and how the review ends."""

BEHAVIOURS = ("always_ok", "decline_soft", "decline_hard", "suspended", "flaky", *REVIEWS)
STATUSES = ("ACTIVE", "SUSPENDED", "CANCELLED")

ANY_CURRENCY = ""
"""The currency of the tokens that are there from the start, under their behaviour's name: they take any."""

ALWAYS = 1_000_000
"""More attempts than any client makes."""

_SCRIPTED_DECLINES = {"decline": "PAYMENT_METHOD_FAILED", "decline_hard": "TOKEN_CANCELLED"}

_STEADY = frozenset({"always_ok", *REVIEWS})

_SUSPENSION_DAYS = 3
_WIRE_FAULTS = ("silence_before", "silence_after", "500_before", "500_after")
# Out of 10,000: below the first bound no attempt is declined, below the second one is, and so on.
_SOFT_DECLINES = ((6_000, 0), (7_800, 1), (8_800, 2), (9_400, 3), (10_000, ALWAYS))
_FLAKY_CHARGES = 3_500
_FLAKY_FOLLOW_UPS = 1_500


References = tuple[str | None, str | None]
"""The merchant's two references of one charge: the order number first, the one of its own second."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One attempt at one distinct invoice on one token; both numbers count from 1."""

    ordinal: int
    attempt: int


def find(world: World, token_id: str, generation: str) -> sqlite3.Row | None:
    """The token as it stands now, if this generation knows it: a suspension that is over has ended."""
    token = world.ledger.row("SELECT * FROM tokens WHERE token_id = ?", token_id)
    if token is None and token_id in BEHAVIOURS:
        token = add(world, token_id, behaviour=token_id, generation="both", currency=ANY_CURRENCY)
    if token is None or token["generation"] not in (generation, "both"):
        return None
    if token["status"] != "SUSPENDED" or token["suspended_until"] is None:
        return token
    if world.clock.now() < instant(token["suspended_until"]):
        return token
    set_status(world, token_id, "ACTIVE")
    return world.ledger.row("SELECT * FROM tokens WHERE token_id = ?", token_id)


def add(
    world: World,
    token_id: str,
    *,
    behaviour: str,
    generation: str,
    currency: str,
    country: str = "DE",
    locale: str = "de-DE",
    seed: str | None = None,
) -> sqlite3.Row:
    world.ledger.insert(
        "tokens",
        token_id=token_id,
        behaviour=behaviour,
        seed=seed,
        status="ACTIVE",
        currency=currency,
        country=country,
        created_at=world.clock.stamp_now(),
        locale=locale,
        generation=generation,
    )
    return world.ledger.one("SELECT * FROM tokens WHERE token_id = ?", token_id)


def set_status(world: World, token_id: str, status: str) -> None:
    world.ledger.write("UPDATE tokens SET status = ? WHERE token_id = ?", status, token_id)


def register(world: World, token: sqlite3.Row, call: Call, reference: str | None) -> Charge:
    """Counts the charge and the attempt; the same key is the same attempt, however often it comes."""
    if token["behaviour"] in _STEADY:
        return Charge(1, 1)  # nothing depends on the count, and counting is what a charge costs most
    token_id, name = token["token_id"], reference or call.key or new_id()
    row = world.ledger.row("SELECT ordinal FROM charges WHERE token_id = ? AND reference = ?", token_id, name)
    if row is None:
        ordinal = _count(world, "SELECT count(*) FROM charges WHERE token_id = ?", token_id) + 1
        world.ledger.insert("charges", token_id=token_id, reference=name, ordinal=ordinal)
    else:
        ordinal = row["ordinal"]
    return Charge(ordinal, _attempt(world, call, f"{token_id}:{ordinal}"))


def decline(world: World, token: sqlite3.Row, charge: Charge, call: Call, references: References) -> str | None:
    """The code that this charge is declined with, written down; None where it is taken."""
    fault = call.scripted.name if call.scripted else ""
    if fault == "decline_hard":
        set_status(world, token["token_id"], "CANCELLED")
    error_code = _SCRIPTED_DECLINES.get(fault) or _refusal(world, token, charge)
    if error_code is not None:
        world.ledger.insert(
            "declines",
            token_id=token["token_id"],
            merchant_reference1=references[0],
            merchant_reference2=references[1],
            idempotency_key=call.key,
            error_code=error_code,
            at=world.clock.stamp_now(),
        )
    return error_code


def fault_of_charge(world: World, token: sqlite3.Row, charge: Charge, call: Call) -> Fault | None:
    """The fault that follows a flaky token's charge, written down; raises Withheld for one that comes before it."""
    if token["behaviour"] != "flaky" or charge.attempt > 1:
        return None
    if token["seed"] is None:
        return _play(world, token, call, "silence_after")
    if _draw(world, token, "charge", charge.ordinal) >= _FLAKY_CHARGES:
        return None
    return _play(world, token, call, _wire_fault(world, token, "charge fault", charge.ordinal))


def fault_of_follow_up(world: World, order: sqlite3.Row, call: Call, kind: str) -> Fault | None:
    """The same for a `capture` or `refund` of an order that a flaky token with a seed text bought."""
    token = world.ledger.row("SELECT * FROM tokens WHERE token_id = ?", order["token_id"])
    if token is None or token["behaviour"] != "flaky" or token["seed"] is None:
        return None
    ordinal = _ordinal_of(world, order)
    attempt = _attempt(world, call, f"{order['order_id']}:{kind}")
    if _draw(world, token, kind, ordinal, attempt) >= _FLAKY_FOLLOW_UPS:
        return None
    return _play(world, token, call, _wire_fault(world, token, f"{kind} fault", ordinal, attempt))


def _refusal(world: World, token: sqlite3.Row, charge: Charge) -> str | None:
    """The error code that this attempt is declined with, or None; a token that ends or falls asleep is marked so."""
    if token["status"] != "ACTIVE":
        return f"TOKEN_{token['status']}"
    if token["behaviour"] == "decline_soft" and charge.attempt <= _soft_declines(world, token, charge):
        return "PAYMENT_METHOD_FAILED"
    if token["behaviour"] == "decline_hard" and charge.ordinal >= _turning_point(world, token):
        set_status(world, token["token_id"], "CANCELLED")
        return "TOKEN_CANCELLED"
    if token["behaviour"] == "suspended" and _falls_asleep(world, token, charge):
        _suspend(world, token)
        return "TOKEN_SUSPENDED"
    return None


def _attempt(world: World, call: Call, scope: str) -> int:
    key = call.key or new_id()
    row = world.ledger.row("SELECT n FROM attempts WHERE scope = ? AND idempotency_key = ?", scope, key)
    if row is not None:
        return int(row["n"])
    n = _count(world, "SELECT count(*) FROM attempts WHERE scope = ?", scope) + 1
    world.ledger.insert("attempts", scope=scope, idempotency_key=key, n=n)
    return n


def _count(world: World, sql: str, value: str) -> int:
    return int(world.ledger.one(sql, value)[0])


def _ordinal_of(world: World, order: sqlite3.Row) -> int:
    reference = order["merchant_reference1"] or order["idempotency_key"]
    row = world.ledger.row(
        "SELECT ordinal FROM charges WHERE token_id = ? AND reference = ?", order["token_id"], reference
    )
    return int(row["ordinal"]) if row else 0


def _play(world: World, token: sqlite3.Row, call: Call, name: str) -> Fault | None:
    if faults.was_played(world, call):
        return None
    faults.record(world, call, name, "token", token["behaviour"])
    if name in faults.BEFORE:
        raise Withheld(Fault(name))
    return Fault(name)


def _soft_declines(world: World, token: sqlite3.Row, charge: Charge) -> int:
    if token["seed"] is None:
        return 1
    drawn = _draw(world, token, "declines", charge.ordinal)
    return next(count for bound, count in _SOFT_DECLINES if drawn < bound)


def _turning_point(world: World, token: sqlite3.Row) -> int:
    """The charge at which a token ends or falls asleep: the first, or a drawn one from the 2nd to the 8th."""
    return 1 if token["seed"] is None else 2 + _draw(world, token, "turning point") % 7


def _falls_asleep(world: World, token: sqlite3.Row, charge: Charge) -> bool:
    return token["suspended_until"] is None and charge.ordinal >= _turning_point(world, token)


def _suspend(world: World, token: sqlite3.Row) -> None:
    days = _SUSPENSION_DAYS if token["seed"] is None else 2 + _draw(world, token, "suspension") % 8
    until = stamp(world.clock.now() + timedelta(days=days))
    world.ledger.write(
        "UPDATE tokens SET status = 'SUSPENDED', suspended_until = ? WHERE token_id = ?", until, token["token_id"]
    )


def _wire_fault(world: World, token: sqlite3.Row, *about: object) -> str:
    return _WIRE_FAULTS[_draw(world, token, *about) % len(_WIRE_FAULTS)]


def _draw(world: World, token: sqlite3.Row, *about: object) -> int:
    return world.draw(token["seed"] or token["behaviour"], *about)
