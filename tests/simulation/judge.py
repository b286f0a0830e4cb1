"""The judge of a world: what must hold at any moment, and what must be true once the faults are over.

The provider's own ledger is held against ours, both ways. Plain reads, between two transactions.
"""

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

from lives import invariants
from lives.accounts import BOOKS, every_transaction_sums_to_zero
from lives.idle import nothing_due_is_left
from lives.invariants import ALWAYS, nothing_found
from simulation.provider import OrderKept
from simulation.stage import Breach
from simulation.world import World
from sqlalchemy import select, text
from sqlmodel import Session

from billing.domain.ids import Prefix, shown
from billing.store.bulk import table_of
from billing.store.operations import Operation

OFTEN = (
    invariants.one_live_purchase_per_invoice,
    invariants.a_next_purchase_follows_dead_ones_only,
    invariants.every_sent_call_is_asked_about,
    invariants.nothing_is_paid_twice,
    invariants.no_more_is_refunded_than_captured,
    invariants.numbers_are_gapless_and_dates_follow_them,
    invariants.periods_tile,
    every_transaction_sums_to_zero,
)
"""I1, I4, I5, I6, I8, I10, I7: cheap, looked at every few days."""

_MAY_BE_DONE = ("sending", "unknown", "succeeded", "needs_operator")
_GIVEN_UP = ("voided", "released", "expired", "rejected")
_COLUMNS = "id kind status standing authorization dead_because merchant_reference amount currency purchase_id origin"
_OPERATIONS = select(*(table_of(Operation).c[name] for name in _COLUMNS.split()))
"""Rows, since objects of so many operations would take longer than all else."""

Row = Any
"""One of these."""

_MOVES = {"capture": "captures", "refund": "refunds"}


def look(world: World, *, closely: bool) -> None:
    """Every invariant at this moment, the cheap ones or all. Raises `Breach`."""
    with world.plain.tx() as session:
        try:
            for holds in (*ALWAYS, *BOOKS) if closely else OFTEN:
                holds(session)
        except AssertionError as broken:
            raise Breach(str(broken)) from broken
        if closely:
            Ledgers(world, session).agree_so_far()


def look_at_the_end(world: World, settled_before: datetime) -> None:
    """After a long calm: no question is open, everything is accounted for, and both ledgers are one (I2, I3, I4)."""
    look(world, closely=True)
    with world.plain.tx() as session:
        try:
            nothing_found(
                session,
                "an operation is still open after the calm",
                "SELECT id, kind, status, answer_code, sends, sent_at FROM operations"
                " WHERE status IN ('sending', 'unknown', 'needs_operator')",
            )
            nothing_due_is_left(session, world.now)
            _old_invoices_are_closed(session, settled_before)
        except AssertionError as broken:
            raise Breach(str(broken)) from broken
        Ledgers(world, session).agree_for_good()


def _old_invoices_are_closed(session: Session, before: datetime) -> None:
    """I2: what opened so long ago is paid, given up, or waits for somebody who is named."""
    nothing_found(
        session,
        "an invoice is still open after the calm",
        "SELECT i.id, i.status, i.kind, i.dunning_state, i.payment_state, i.held_because, s.status, i.opened_at"
        " FROM invoices i JOIN subscriptions s ON s.id = i.subscription_id"
        " JOIN customers c ON c.id = i.customer_id"
        " WHERE i.status = 'open' AND i.opened_at < :before AND i.held_because IS NULL AND i.disputed = 0"
        " AND s.status NOT IN ('paused') AND s.review_reason IS NULL AND c.dunning_paused_at IS NULL"
        " AND i.dunning_state <> 'exhausted'",
        before=before.strftime("%Y-%m-%d %H:%M:%S.%f") if session.get_bind().dialect.name == "sqlite" else before,
    )


class Ledgers:
    """Ours and the provider's, side by side (I1, I3, I6)."""

    def __init__(self, world: World, session: Session) -> None:
        self._world = world
        self._rows = session.execute(_OPERATIONS).all()
        self._by_reference = {row.merchant_reference: row for row in self._rows if row.merchant_reference}
        self._captures: Counter[UUID] = Counter()
        for row in self._rows:
            if row.kind == "capture" and row.status == "succeeded":
                self._captures[row.purchase_id] += row.amount
        self._totals = {
            shown(Prefix.INVOICE, UUID(str(row[0]))): int(row[1])
            for row in session.execute(text("SELECT id, total FROM invoices"))
        }

    def agree_so_far(self) -> None:
        """What the provider did has one row that may be done; what we hold for done, the provider did."""
        taken: dict[str, int] = defaultdict(int)
        for order in self._world.provider.orders.values():
            row = self._row("purchase", order.reference, order.amount, order.currency, amended=True)
            if row.status not in _MAY_BE_DONE and not self._came_to_nothing(order):
                raise Breach(f"the provider did a purchase that we hold for {row.status}: {order.reference}")
            if row.standing == "dead" and row.authorization not in _GIVEN_UP and order.is_alive(self._world.now):
                raise Breach(f"{order} can be captured, and we hold its purchase for dead: {row.dead_because}")
            self._movements(order)
            taken[order.invoice] += order.captured - order.refunded
        for invoice, amount in taken.items():
            if not 0 <= amount <= self._totals[invoice]:
                raise Breach(f"{amount} were taken for {invoice}, which is about {self._totals[invoice]}")
        self._ours_were_done()

    def agree_for_good(self) -> None:
        """The same, with nothing left in doubt: what the provider did, we hold for done."""
        self.agree_so_far()
        for order in self._world.provider.orders.values():
            references = [moved.reference for moved in (*order.captures, *order.refunds)]
            for reference in references if self._came_to_nothing(order) else (order.reference, *references):
                row = self._by_reference[reference]
                if row.status != "succeeded":
                    raise Breach(f"the provider did what we hold for {row.status}: {row.kind} {reference}")
            purchase = self._by_reference[order.reference]
            self._same_end(order, purchase)

    def _same_end(self, order: OrderKept, purchase: Row) -> None:
        theirs, ours = order.authorization(self._world.now), purchase.authorization
        if theirs in ("authorized", "part_captured") and ours != theirs:
            raise Breach(f"an order is {theirs} there and {ours} here: {order}")
        if ours in ("authorized", "part_captured", "captured") and order.captured != self._captured(purchase):
            raise Breach(f"{order.captured} are captured there and {self._captured(purchase)} here: {order}")

    def _captured(self, purchase: Row) -> int:
        return self._captures[purchase.id]

    def _movements(self, order: OrderKept) -> None:
        for kind, name in _MOVES.items():
            references = [moved.reference for moved in getattr(order, name)]
            if len(references) != len(set(references)):
                raise Breach(f"the provider did a {kind} twice: {order}")
            for moved in getattr(order, name):
                row = self._row(kind, moved.reference, moved.amount, order.currency)
                if row.status not in _MAY_BE_DONE:
                    raise Breach(f"the provider did a {kind} that we hold for {row.status}: {moved.reference}")

    def _row(self, kind: str, reference: str, amount: int, currency: str, *, amended: bool = False) -> Row:
        row = self._by_reference.get(reference)
        if row is None or row.kind != kind:
            raise Breach(f"the provider did a {kind} that no operation asked for: {reference}")
        if row.currency != currency or (row.amount != amount and not (amended and amount <= row.amount)):
            raise Breach(f"the provider's {kind} {reference} is about {amount} {currency}, ours {row.amount}")
        return row

    def _came_to_nothing(self, order: OrderKept) -> bool:
        """An order that was turned down in its review, or ended unused: a person may hold its purchase for undone."""
        return not order.is_alive(self._world.now)

    def _ours_were_done(self) -> None:
        orders = self._world.provider.orders
        known = {order.reference for order in orders.values()}
        for name in _MOVES.values():
            known |= {moved.reference for order in orders.values() for moved in getattr(order, name)}
        for row in self._rows:
            is_held_for_done = row.status == "succeeded" and row.kind in ("purchase", *_MOVES)
            if is_held_for_done and row.origin == "ours" and row.merchant_reference not in known:
                raise Breach(f"we hold a {row.kind} for done that never happened: {row.merchant_reference}")
