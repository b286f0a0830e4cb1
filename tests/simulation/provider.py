"""A provider in memory with a ledger of its own: orders, captures, refunds, tokens and what it remembers of keys.

It believes nobody: what it is asked is the frozen bytes alone, and it raises `Breach` the moment it would charge an
invoice twice. REST remembers keys for 24 hours; the older generation knows none and does everything again.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from simulation.stage import Breach

from billing.domain.operations import OperationKind
from billing.ports import Movement, OrderState

KEY_LIFE = timedelta(hours=24)
NO_CAPTURE_BEFORE = timedelta(minutes=30)
AUTHORIZED_FOR = timedelta(days=28)
_GONE = ("voided", "expired", "rejected", "released")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider answers: a status and, where it refuses, a code; the older generation's faults are numbers."""

    status: int
    code: str | None = None
    id: str | None = None
    authorization: str | None = None
    expires_at: datetime | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        return self.code is None and 200 <= self.status < 300


@dataclass(slots=True)
class Moved:
    """A capture or refund."""

    id: str
    reference: str
    amount: int


@dataclass(slots=True)
class OrderKept:
    """An order with everything that happened to it. Amounts are minor units."""

    id: str
    invoice: str
    reference: str
    amount: int
    currency: str
    made_at: datetime
    expires_at: datetime
    status: str = "authorized"
    captures: list[Moved] = field(default_factory=list)
    refunds: list[Moved] = field(default_factory=list)
    captured_units: dict[str, int] = field(default_factory=dict)
    refunded_units: dict[str, int] = field(default_factory=dict)

    @property
    def captured(self) -> int:
        return sum(moved.amount for moved in self.captures)

    @property
    def refunded(self) -> int:
        return sum(moved.amount for moved in self.refunds)

    def authorization(self, now: datetime) -> str:
        """The order's state in our words."""
        if self.status in ("pending_review", "rejected", "voided"):
            return self.status
        if self.captured >= self.amount:
            return "captured"
        if self.status == "released" or self.expires_at <= now:
            gone = "released" if self.status == "released" else "expired"
            return gone if not self.captured else "captured"
        return "part_captured" if self.captured else "authorized"

    def is_alive(self, now: datetime) -> bool:
        """Whether money was or can still be taken through it."""
        return bool(self.captured) or self.authorization(now) not in _GONE


@dataclass(slots=True)
class Mood:
    """What the provider thinks of a token: soft declines to come, asleep until, or gone."""

    declines: int = 0
    asleep_until: datetime | None = None
    gone: bool = False


@dataclass(slots=True)
class Remembered:
    """What a key was used for, and what was answered."""

    at: datetime
    digest: str
    reply: Reply | None
    """None while the first call under it is still under way."""


@dataclass(slots=True)
class Provider:
    """The provider of record."""

    generation: str
    reviews: bool = False
    orders: dict[str, OrderKept] = field(default_factory=dict)
    moods: dict[str, Mood] = field(default_factory=dict)
    keys: dict[UUID, Remembered] = field(default_factory=dict)
    declines: list[str] = field(default_factory=list)
    """Invoices whose charge was declined, one entry each time."""
    reviewed: list[str] = field(default_factory=list)
    """Orders taken under review whose decision is still to come."""
    _by_invoice: dict[str, list[str]] = field(default_factory=dict)
    _numbers: int = 0

    def mood(self, token: str) -> Mood:
        return self.moods.setdefault(token, Mood())

    def token_status(self, token: str, now: datetime) -> str:
        mood = self.mood(token)
        if mood.gone:
            return "revoked"
        return "suspended" if mood.asleep_until is not None and mood.asleep_until > now else "active"

    def begin(self, key: UUID, body: bytes, now: datetime) -> Remembered | None:
        """What is remembered under a key; None for a new one, which is under way from here on."""
        if self.generation == "legacy":
            return None
        known, digest = self.keys.get(key), hashlib.sha256(body).hexdigest()
        if known is not None and now - known.at < KEY_LIFE:
            if known.digest != digest:
                raise Breach(f"other bytes under the key {key}")
            return known
        self.keys[key] = Remembered(now, digest, None)
        return None

    def remember(self, key: UUID, reply: Reply | None) -> None:
        """The answer that this key gets from here on; None forgets the key."""
        if reply is None:
            self.keys.pop(key, None)
        elif key in self.keys:
            self.keys[key].reply = reply

    def do(self, body: bytes, token: str | None, now: datetime) -> Reply:
        """Carry out what these bytes say."""
        asked = json.loads(body)
        kind = OperationKind(asked["kind"])
        if kind is OperationKind.PURCHASE:
            return self._purchase(asked, token or "", now)
        if kind is OperationKind.REVOKE:
            self.mood(token or "").gone = True
            return Reply(202)
        order = self.orders.get(asked["order"])
        if order is None:
            return self._refused(404, "NO_SUCH_ORDER", 9109)
        return _DOES[kind](self, order, asked, now)

    def state(self, order_id: str, now: datetime) -> OrderState | None:
        """The order as a reading call shows it."""
        order = self.orders.get(order_id)
        if order is None:
            return None
        return OrderState(
            order.id,
            order.authorization(now),
            order.currency,
            order.amount,
            order.captured,
            order.refunded,
            order.reference,
            order.expires_at,
            tuple(Movement(moved.id, moved.reference, moved.amount) for moved in order.captures),
            tuple(Movement(moved.id, moved.reference, moved.amount) for moved in order.refunds),
        )

    def alive_for(self, invoice: str, now: datetime) -> list[OrderKept]:
        """The orders through which this invoice was or can be charged."""
        orders = [self.orders[order_id] for order_id in self._by_invoice.get(invoice, ())]
        return [order for order in orders if order.is_alive(now)]

    def order_of(self, reference: str) -> OrderKept | None:
        """What a person finds in the portal under an operation's own reference."""
        return next((order for order in self.orders.values() if order.reference == reference), None)

    def _purchase(self, asked: dict[str, Any], token: str, now: datetime) -> Reply:
        mood, status = self.mood(token), self.token_status(token, now)
        if status == "revoked":
            return self._refused(403, "TOKEN_CANCELLED", 404)
        if status == "suspended" and self.generation == "rest":
            return self._refused(403, "TOKEN_SUSPENDED", 402)
        if status == "suspended" or mood.declines:
            mood.declines = max(0, mood.declines - 1)
            self.declines.append(asked["invoice"])
            return self._refused(403, "PAYMENT_METHOD_FAILED", 402)
        if (others := self.alive_for(asked["invoice"], now)) and asked["reference"]:
            raise Breach(f"invoice {asked['invoice']} is charged twice: {asked['reference']} while {others} stands")
        return self._new_order(asked, now)

    def _new_order(self, asked: dict[str, Any], now: datetime) -> Reply:
        order_id, until = self._next("order"), now + AUTHORIZED_FOR
        order = OrderKept(
            order_id, asked["invoice"], asked["reference"], asked["amount"], asked["currency"], now, until
        )
        self.orders[order_id] = order
        self._by_invoice.setdefault(order.invoice, []).append(order_id)
        if self.reviews:
            self.reviews, order.status = False, "pending_review"
            self.reviewed.append(order_id)
        return Reply(200, id=order_id, authorization=order.authorization(now))

    def _capture(self, order: OrderKept, asked: dict[str, Any], now: datetime) -> Reply:
        state, amount = order.authorization(now), asked["amount"]
        if now - order.made_at < NO_CAPTURE_BEFORE:
            raise Breach(f"captured {now - order.made_at} after the purchase")
        if state not in ("authorized", "part_captured"):
            return self._refused(403, "CAPTURE_NOT_ALLOWED", 8104)
        if asked["is_whole"] and self.generation == "legacy":
            amount = order.amount - order.captured
        if amount > order.amount - order.captured:
            return self._refused(403, "CAPTURE_NOT_ALLOWED", 8104)
        _add_units(order.captured_units, asked["lines"])
        moved = Moved(self._next("capture"), asked["reference"], amount)
        order.captures.append(moved)
        return Reply(201, id=moved.id, facts={"risk": "ok"} if self.generation == "legacy" else {})

    def _refund(self, order: OrderKept, asked: dict[str, Any], _now: datetime) -> Reply:
        amount, of = asked["amount"], next((one for one in order.captures if one.id == asked["capture"]), None)
        if of is None or amount > order.captured - order.refunded:
            return self._refused(403, "REFUND_NOT_ALLOWED", 8104)
        if self.generation == "legacy":
            too_many = {ref for ref, units in asked["units"] if not self._is_left(order, ref, units)}
            if too_many:
                return self._refused(403, "REFUND_NOT_ALLOWED", 9108)
            for ref, units in asked["units"]:
                order.refunded_units[ref] = order.refunded_units.get(ref, 0) + units
        moved = Moved(self._next("refund"), asked["reference"], amount)
        order.refunds.append(moved)
        if self.generation == "legacy":
            return Reply(200, facts={"provider_reference": of.id})
        return Reply(201, id=moved.id)

    @staticmethod
    def _is_left(order: OrderKept, article: str, units: int) -> bool:
        return order.refunded_units.get(article, 0) + units <= order.captured_units.get(article, 0)

    def _void(self, order: OrderKept, _asked: dict[str, Any], now: datetime) -> Reply:
        if order.captured or order.authorization(now) not in ("authorized", "pending_review"):
            return self._refused(403, "CANCEL_NOT_ALLOWED", 8104)
        order.status = "voided"
        return Reply(204)

    def _release(self, order: OrderKept, _asked: dict[str, Any], now: datetime) -> Reply:
        if order.authorization(now) not in ("authorized", "part_captured"):
            return self._refused(403, "NOT_ALLOWED", 8104)
        order.status = "released"
        return Reply(204)

    def _amend(self, order: OrderKept, asked: dict[str, Any], now: datetime) -> Reply:
        if order.authorization(now) not in ("authorized", "part_captured") or asked["amount"] < order.captured:
            return self._refused(403, "NOT_ALLOWED", 8104)
        if asked["amount"] > order.amount:
            raise Breach(f"an authorization is raised from {order.amount} to {asked['amount']}")
        order.amount = asked["amount"]
        return Reply(204)

    def _extend(self, order: OrderKept, _asked: dict[str, Any], now: datetime) -> Reply:
        if order.authorization(now) not in ("authorized", "part_captured"):
            return self._refused(403, "NOT_ALLOWED", 8104)
        order.expires_at = now + AUTHORIZED_FOR
        return Reply(204, expires_at=order.expires_at if self.generation == "legacy" else None)

    def _agree(self, _order: OrderKept, _asked: dict[str, Any], _now: datetime) -> Reply:
        return Reply(204)

    def _refused(self, status: int, code: str, fault: int) -> Reply:
        if self.generation == "rest":
            return Reply(status, code)
        return Reply(fault if 400 <= fault < 500 else 200, str(fault))

    def _next(self, what: str) -> str:
        self._numbers += 1
        return f"{what}-{self._numbers}"


def _add_units(units: dict[str, int], lines: list[list[Any]]) -> None:
    for reference, quantity, *_ in lines:
        units[reference] = units.get(reference, 0) + quantity


_DOES = {
    OperationKind.CAPTURE: Provider._capture,
    OperationKind.REFUND: Provider._refund,
    OperationKind.VOID: Provider._void,
    OperationKind.RELEASE: Provider._release,
    OperationKind.AMEND: Provider._amend,
    OperationKind.EXTEND: Provider._extend,
    OperationKind.SHIP: Provider._agree,
    OperationKind.EMAIL_INVOICE: Provider._agree,
    OperationKind.POST_INVOICE: Provider._agree,
    OperationKind.EXTEND_DUE_DATE: Provider._agree,
}
