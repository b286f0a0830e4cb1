"""Catch up: a person says what becomes of periods that are late or were withheld, once or for a stretch of time.

Nothing is forgiven, and nothing billed in a heap, by a machine (billing rules, section 2). What is late is opened by
the renewal loop; what was withheld has its row already and is billed or forgiven here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Conflict, Invalid, NotFound
from billing.domain.ids import derived_id
from billing.domain.invoicing import Share, invoice_for_period
from billing.domain.periods import Period
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.domain.terms import CatchUp
from billing.ports import Ids
from billing.store import catch_up as approval_store
from billing.store import invoices as invoice_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.brakes import BrakeKind
from billing.store.braking import let_go
from billing.store.catch_up import CatchUpApproval
from billing.store.engine import Database
from billing.store.invoices import Invoice, InvoiceKind
from billing.store.numbers import number_invoices
from billing.store.periods import PeriodKind, PeriodRow, periods_of
from billing.store.subscriptions import Subscription
from billing.use_cases.opening import Books, NewInvoice, Seller, numbered_now, open_invoice, read_books
from billing.use_cases.pausing import release_oldest
from billing.use_cases.recording import Record, nothing

CATCH_UP = "catch_up"
"""The review reason of a subscription that waits for this decision."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was chosen, by whom and why."""

    policy: CatchUp
    by: str
    reason: str

    def as_json(self) -> dict[str, str]:
        """The form in which it stands in the subscription's row, until it has caught up."""
        return {"policy": self.policy.value, "by": self.by, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What was done at once: invoices of withheld periods, and those that were forgiven. Late ones follow."""

    subscription: Subscription
    policy: CatchUp
    invoice_ids: tuple[UUID, ...]
    forgiven_period_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class NewApproval:
    """A decision for every subscription that is found late from `valid_from` to `valid_until` (UTC, not included)."""

    decision: Decision
    valid_from: datetime
    valid_until: datetime


def catch_up(
    database: Database,
    ids: Ids,
    seller: Seller,
    now: datetime,
    subscription_id: UUID,
    decision: Decision,
    record: Record[CaughtUp] = nothing,
) -> CaughtUp:
    """Decide about a subscription that waits for it, and let it run again.

    `bill_each` bills every period, `bill_current` the one that contains `now`, `forgive` none. Raises `NotFound`, and
    `Conflict` where nothing waits for a decision.
    """
    with database.tx() as session:
        subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
        if subscription is None:
            raise NotFound("there is no such subscription")
        if subscription.review_reason != CATCH_UP:
            raise Conflict("this subscription has nothing to catch up that waits for a decision")
        next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.REVIEWED)
        batch = Batch(ids, now)
        subscription.review_reason = None
        subject = subscription.id.hex
        let_go(session, now, BrakeKind.PERIODS_AT_ONCE, subject, decision.by, f"{decision.policy}: {decision.reason}")
        if subscription.next_period_at is not None and subscription.next_period_at <= now:
            subscription.catch_up = decision.as_json()
        withheld = _undecided(session, subscription)
        billed = [row for row in withheld if _is_billed(row, decision.policy, now)]
        batch.event(subscription, "subscription.catch_up_decided", **decision.as_json())
        opened = _bill(session, batch, seller, subscription, billed)
        for row in withheld:
            row.decided_by, row.reason = decision.by[:200], f"{decision.policy.value}: {decision.reason}"[:200]
        _write(session, batch, opened)
        release_oldest(session, subscription, now)
        batch.write(session)
        forgiven = tuple(row.id for row in withheld if row not in billed)
        done = CaughtUp(subscription, decision.policy, tuple(invoice.id for invoice in opened), forgiven)
        record(session, done)
        return done


def approve_catch_up(
    database: Database, ids: Ids, now: datetime, new: NewApproval, record: Record[CatchUpApproval] = nothing
) -> CatchUpApproval:
    """A standing approval. Raises `Invalid` for one that is over, or ends before it begins."""
    if new.valid_until <= max(new.valid_from, now):
        raise Invalid("an approval ends after it begins, and not in the past", where="valid_until")
    with database.tx() as session:
        decision = new.decision
        row = CatchUpApproval(
            id=ids.new(),
            policy=decision.policy.value,
            valid_from=new.valid_from,
            valid_until=new.valid_until,
            by=decision.by,
            reason=decision.reason,
            created_at=now,
        )
        session.add(row)
        session.flush()
        record(session, row)
        return row


def revoke_approval(
    database: Database, now: datetime, approval_id: UUID, record: Record[CatchUpApproval] = nothing
) -> CatchUpApproval:
    """Take an approval back; what it decided stays. Raises `NotFound`, `Conflict` where that was done before."""
    with database.tx() as session:
        row = session.get(CatchUpApproval, approval_id, with_for_update=True)
        if row is None:
            raise NotFound("there is no such approval")
        if row.revoked_at is not None:
            raise Conflict(f"this approval was revoked at {row.revoked_at.isoformat()}")
        row.revoked_at = now
        session.flush()
        record(session, row)
        return row


def catch_up_approvals(database: Database) -> Sequence[CatchUpApproval]:
    """Every approval, oldest first."""
    with database.tx() as session:
        return approval_store.approvals(session)


def has_withheld(session: Session, subscription: Subscription) -> bool:
    """Whether a period was held back about which nobody has decided."""
    return bool(_undecided(session, subscription))


def _undecided(session: Session, subscription: Subscription) -> list[PeriodRow]:
    rows = periods_of(session, subscription.id)
    return [row for row in rows if row.kind == PeriodKind.WITHHELD and row.decided_by is None]


def _is_billed(row: PeriodRow, policy: CatchUp, now: datetime) -> bool:
    if policy is CatchUp.BILL_CURRENT:
        return row.starts_at <= now < row.ends_at
    return policy is CatchUp.BILL_EACH


def _bill(
    session: Session, batch: Batch, seller: Seller, subscription: Subscription, rows: Sequence[PeriodRow]
) -> list[Invoice]:
    """An invoice for each row, oldest first; with more than one they wait for their turn."""
    books = read_books(session, [subscription], seller, [row.price_id for row in rows])
    opened: list[Invoice] = []
    for row in rows:
        invoice = open_invoice(session, batch, books, subscription, _invoice(books, subscription, row, batch.now))
        opened.append(invoice)
        # Lines that wait for the next invoice stand on the first of these, and the others wait for it.
        books = replace(books, waiting={}, in_arrears={subscription.id: [invoice]})
        subscription.cycles_done += row.cycle_index is not None
    return opened


def _invoice(books: Books, subscription: Subscription, row: PeriodRow, now: datetime) -> NewInvoice:
    period = Period(row.start_date, row.end_date, row.starts_at, row.ends_at)
    offer = replace(books.offers[row.price_id], quantities=books.offer(subscription).quantities)
    if row.price_id != subscription.price_id:
        offer = books.offers[row.price_id]
    is_part = row.offset_days > 0 or row.cycle_index is None
    draft = invoice_for_period(
        offer,
        period,
        books.tax(subscription, row.start_date),
        cycle_no=subscription.cycles_done,
        is_first=not subscription.is_set_up,
        share=Share(row.offset_days, row.full_days, row.full_days) if is_part else None,
        discounts=books.discounts_of(subscription),
        price_id=row.price_id,
    )
    invoice_id = derived_id(row.starts_at, subscription.id.bytes, str(row.seq).encode())
    return NewInvoice(invoice_id, InvoiceKind.RECURRING, row.id, draft, now, takes_waiting=True)


def _write(session: Session, batch: Batch, opened: Sequence[Invoice]) -> None:
    batch.write(session)
    at_once = [invoice.id for invoice in opened if numbered_now(invoice)]
    number_invoices(session, batch, list(invoice_store.locked(session, at_once).values()))
    batch.write(session)
