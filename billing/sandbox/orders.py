"""An order of either generation, whatever its wire: its state as of now, and what each act writes into the books.

Nothing is refused here: which act is allowed in which state, and how it is refused, is the wire's own affair.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from billing.sandbox.clock import instant, stamp
from billing.sandbox.world import World, new_id, short_reference

OPEN = ("AUTHORIZED", "PART_CAPTURED")
REST, LEGACY = "rest", "legacy"

OWN_RISK = timedelta(hours=4)
"""For so long a rejected order may be captured at the merchant's own risk; then it is cancelled."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What an order starts with. Amounts are minor units; `review` is how a pending one will be decided."""

    order_id: str
    generation: str
    origin: str
    currency: str
    country: str
    locale: str
    amount: int
    tax: int
    lines: Sequence[dict[str, Any]]
    token_id: str = ""
    reference1: str | None = None
    reference2: str | None = None
    key: str | None = None
    review: str | None = None
    auto_capture: bool = False
    details: dict[str, Any] = field(default_factory=dict)


def find(world: World, order_id: str, generation: str) -> sqlite3.Row | None:
    """The order as it stands now: a review whose time has come is decided."""
    order = world.ledger.row("SELECT * FROM orders WHERE order_id = ? AND generation = ?", order_id, generation)
    return None if order is None else _reviewed(world, order)


def review_all(world: World) -> None:
    """Decides every review whose time has come, so that the books say so."""
    for order in world.ledger.rows("SELECT * FROM orders WHERE review_at IS NOT NULL"):
        _reviewed(world, order)


def status(world: World, order: sqlite3.Row) -> str:
    """The status as of now: expiry is computed from the clock, and never written down."""
    if order["status"] in OPEN and world.clock.now() >= instant(order["expires_at"]):
        return "EXPIRED"
    return str(order["status"])


def remaining(world: World, order: sqlite3.Row) -> int:
    """Minor units that may still be captured; 0 for an order that is no longer open."""
    return order["order_amount"] - order["captured_amount"] if status(world, order) in OPEN else 0


def is_early(world: World, order: sqlite3.Row) -> bool:
    """Whether the order is so young that it cannot be captured yet: the first 30 minutes, unless told otherwise."""
    values = world.settings.values
    wait = values.rest_capture_wait_seconds if order["generation"] == REST else values.legacy_capture_wait_seconds
    return world.clock.now() < instant(order["created_at"]) + timedelta(seconds=wait)


def captures(world: World, order: sqlite3.Row) -> list[sqlite3.Row]:
    return world.ledger.rows("SELECT * FROM captures WHERE order_id = ? ORDER BY rowid", order["order_id"])


def refunds(world: World, order: sqlite3.Row) -> list[sqlite3.Row]:
    return world.ledger.rows("SELECT * FROM refunds WHERE order_id = ? ORDER BY rowid", order["order_id"])


def details(world: World, order: sqlite3.Row) -> dict[str, Any]:
    """What else was said about the order: addresses, shipping, the merchant's data."""
    row = world.ledger.row("SELECT details FROM order_details WHERE order_id = ?", order["order_id"])
    return json.loads(row["details"]) if row else {}


def change_details(world: World, order: sqlite3.Row, **changes: Any) -> None:
    content = json.dumps(details(world, order) | changes)
    world.ledger.write(
        "INSERT OR REPLACE INTO order_details (order_id, details) VALUES (?, ?)", order["order_id"], content
    )


def place(world: World, new: NewOrder) -> sqlite3.Row:
    """Writes a new order, reviewed later where `review` says so, captured at once where it says so."""
    now, values = world.clock.now(), world.settings.values
    days = values.authorization_days if new.generation == REST else values.reservation_days
    review_at = now + timedelta(seconds=values.review_seconds) if new.review else None
    world.ledger.insert(
        "orders",
        order_id=new.order_id,
        token_id=new.token_id,
        generation=new.generation,
        origin=new.origin,
        merchant_reference1=new.reference1,
        merchant_reference2=new.reference2,
        idempotency_key=new.key,
        currency=new.currency,
        country=new.country,
        locale=new.locale,
        order_amount=new.amount,
        original_amount=new.amount,
        order_tax_amount=new.tax,
        status="AUTHORIZED",
        fraud_status="PENDING" if new.review else "ACCEPTED",
        auto_capture=new.auto_capture,
        review=new.review,
        review_at=stamp(review_at) if review_at else None,
        created_at=stamp(now),
        expires_at=stamp(now + timedelta(days=days)),
        klarna_reference=short_reference(),
        lines=json.dumps(new.lines),
    )
    order = world.ledger.one("SELECT * FROM orders WHERE order_id = ?", new.order_id)
    if new.details:
        change_details(world, order, **new.details)
    return order


def capture(
    world: World,
    order: sqlite3.Row,
    amount: int,
    *,
    lines: Sequence[dict[str, Any]],
    capture_id: str | None = None,
    reference: str | None = None,
    description: str | None = None,
    risk: str = "ok",
    details: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> str:
    """Takes `amount` of what is authorized; returns the new capture's id."""
    capture_id, captured = capture_id or new_id(), order["captured_amount"] + amount
    world.ledger.insert(
        "captures",
        capture_id=capture_id,
        order_id=order["order_id"],
        amount=amount,
        reference=reference,
        description=description,
        captured_at=stamp(at or world.clock.now()),
        klarna_reference=f"{order['klarna_reference']}-{short_reference()[1:4]}",
        lines=json.dumps(lines),
        risk=risk,
        details=json.dumps(details or {}),
    )
    world.ledger.write(
        "UPDATE orders SET captured_amount = ?, status = ? WHERE order_id = ?",
        captured,
        "CAPTURED" if captured == order["order_amount"] else "PART_CAPTURED",
        order["order_id"],
    )
    return capture_id


def refund(
    world: World,
    order: sqlite3.Row,
    amount: int,
    *,
    lines: Sequence[dict[str, Any]],
    kind: str = "refund",
    capture_id: str | None = None,
    reference: str | None = None,
    description: str | None = None,
) -> str:
    """Gives `amount` of what was captured back; returns the new refund's id."""
    refund_id = new_id()
    world.ledger.insert(
        "refunds",
        refund_id=refund_id,
        order_id=order["order_id"],
        amount=amount,
        reference=reference,
        description=description,
        refunded_at=world.clock.stamp_now(),
        lines=json.dumps(lines),
        kind=kind,
        capture_id=capture_id,
    )
    world.ledger.write(
        "UPDATE orders SET refunded_amount = refunded_amount + ? WHERE order_id = ?", amount, order["order_id"]
    )
    return refund_id


def close(world: World, order: sqlite3.Row, kind: str, key: str | None = None, at: datetime | None = None) -> None:
    """Gives back what was not captured: the order is then CANCELLED, or CAPTURED where something was."""
    world.ledger.insert(
        "voids",
        order_id=order["order_id"],
        kind=kind,
        amount=order["order_amount"] - order["captured_amount"],
        idempotency_key=key,
        voided_at=stamp(at or world.clock.now()),
    )
    set_status(world, order, "CAPTURED" if order["captured_amount"] else "CANCELLED")


def set_status(world: World, order: sqlite3.Row, new: str) -> None:
    world.ledger.write("UPDATE orders SET status = ? WHERE order_id = ?", new, order["order_id"])


def change(world: World, order: sqlite3.Row, amount: int, lines: Sequence[dict[str, Any]] | None) -> None:
    """Another amount, and other lines where some are given; what is captured already stays captured."""
    tax = order["order_tax_amount"] if lines is None else sum(line.get("total_tax_amount", 0) for line in lines)
    world.ledger.write(
        "UPDATE orders SET order_amount = ?, order_tax_amount = ?, lines = ?, status = ? WHERE order_id = ?",
        amount,
        tax,
        order["lines"] if lines is None else json.dumps(lines),
        "CAPTURED" if 0 < order["captured_amount"] == amount else order["status"],
        order["order_id"],
    )
    note(world, order, "amend", {"order_amount": amount})


def refer(world: World, order: sqlite3.Row, reference1: str | None, reference2: str | None) -> None:
    """Other references of the merchant's; None leaves one as it is."""
    world.ledger.write(
        "UPDATE orders SET merchant_reference1 = coalesce(?, merchant_reference1),"
        " merchant_reference2 = coalesce(?, merchant_reference2) WHERE order_id = ?",
        reference1,
        reference2,
        order["order_id"],
    )
    note(world, order, "references", {"merchant_reference1": reference1, "merchant_reference2": reference2})


def extend(world: World, order: sqlite3.Row, expires_at: datetime) -> None:
    world.ledger.write("UPDATE orders SET expires_at = ? WHERE order_id = ?", stamp(expires_at), order["order_id"])
    note(world, order, "extend", {"expires_at": stamp(expires_at)})


def note(world: World, order: sqlite3.Row, kind: str, content: Any, capture_id: str | None = None) -> None:
    """Writes a change down that moves no money."""
    world.ledger.insert(
        "changes",
        order_id=order["order_id"],
        capture_id=capture_id,
        kind=kind,
        content=json.dumps(content),
        at=world.clock.stamp_now(),
    )


def send_out(world: World, order_id: str, capture_id: str, cause: str) -> None:
    world.ledger.insert(
        "send_outs", order_id=order_id, capture_id=capture_id, cause=cause, sent_at=world.clock.stamp_now()
    )


def decide_review(world: World, order: sqlite3.Row, review: str) -> None:
    """Decides a pending review now, whatever the token's name had in store."""
    world.ledger.write(
        "UPDATE orders SET review = ?, review_at = ? WHERE order_id = ?",
        review,
        world.clock.stamp_now(),
        order["order_id"],
    )


def _reviewed(world: World, order: sqlite3.Row) -> sqlite3.Row:
    if order["review_at"] is None or order["fraud_status"] == "ACCEPTED" or order["status"] == "CANCELLED":
        return order
    decided_at, now = instant(order["review_at"]), world.clock.now()
    if now < decided_at:
        return order
    if order["fraud_status"] == "PENDING":
        verdict = "ACCEPTED" if order["review"] == "accept" else "REJECTED"
        world.ledger.write("UPDATE orders SET fraud_status = ? WHERE order_id = ?", verdict, order["order_id"])
        if verdict == "ACCEPTED" and order["auto_capture"]:
            lines = json.loads(order["lines"])
            capture_id = capture(world, order, order["order_amount"], lines=lines, at=decided_at)
            send_out(world, order["order_id"], capture_id, "capture")
    if order["review"] != "accept" and order["status"] == "AUTHORIZED" and now >= decided_at + OWN_RISK:
        close(world, order, "rejected", at=decided_at + OWN_RISK)
    return world.ledger.one("SELECT * FROM orders WHERE order_id = ?", order["order_id"])
