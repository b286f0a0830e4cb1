"""Brake: halt what looks wrong, no wider, and say so; each brake stays set until a person releases it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.brakes import (
    CHARGES_WINDOW,
    Limits,
    RunTotals,
    expected_amount,
    has_more_periods_due,
    may_be_charged,
)
from billing.domain.operations import OperationKind
from billing.domain.periods import BillingCycle
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.brakes import BrakeKind
from billing.store.braking import DUE_UNTIL, charges_since, customers_of, set_brake, standing
from billing.store.engine import Database
from billing.store.invoices import Invoice
from billing.store.operations import Operation
from billing.store.runs import Run
from billing.store.subscriptions import Subscription

ENGAGED = "brake.engaged"


def halted_until(session: Session, now: datetime) -> tuple[datetime | None, bool]:
    """Until when what came due waits because of a halted run, and whether runs are let go whatever they open."""
    found = standing(session, now, BrakeKind.RUN_TOTAL)
    halted = [datetime.fromisoformat(row.figures[DUE_UNTIL]) for row in found if row.released_at is None]
    # Once a clock that was ahead is right again, what is due by it is no part of that run.
    return max((until for until in halted if until <= now), default=None), any(
        row.released_at is not None for row in found
    )


def count_batch(
    totals: RunTotals,
    now: datetime,
    opened: Sequence[Invoice],
    started: dict[UUID, datetime | None],
    before: dict[UUID, tuple[int, str]],
    remembered: datetime | None,
) -> None:
    """Add what a batch opened to the run's totals. What starts before `remembered` is watched by an open restore."""
    for invoice in opened:
        total, currency = before.get(invoice.subscription_id, (invoice.total, invoice.currency))
        starts_at = started[invoice.subscription_id] or now
        if remembered is not None and starts_at < remembered:
            starts_at = now
        promised = total if currency == invoice.currency else None
        totals.add(invoice.currency, expected_amount(starts_at, now, promised, invoice.total), invoice.total)


def halt_run(database: Database, ids: Ids, now: datetime, run_id: UUID, totals: RunTotals, reason: str) -> None:
    """The run stops here: of what came due until now nothing more is opened; what comes due later is another run."""
    with database.tx() as session:
        run = session.get(Run, run_id) or Run(id=run_id, started_at=now)
        run.finished_at = run.halted_at = now
        run.halted_reason, run.forecast = reason[:500], totals.as_json()
        session.add(run)
        session.flush()
        figures = {DUE_UNTIL: now.isoformat(), "totals": totals.as_json()}
        if set_brake(session, now, BrakeKind.RUN_TOTAL, run_id.hex, reason, figures):
            batch = Batch(ids, now)
            batch.tell_all(ENGAGED, kind=BrakeKind.RUN_TOTAL.value, subject=run_id.hex, reason=reason)
            batch.write(session)


def brake_periods(session: Session, batch: Batch, subscription: Subscription, limits: Limits) -> None:
    """Set the brake of a subscription of which too many periods are due."""
    subject, kind = subscription.id.hex, BrakeKind.PERIODS_AT_ONCE
    reason = f"more than {limits.periods_at_once} periods are due at once"
    starts_at = subscription.next_period_at
    figures = {"limit": limits.periods_at_once, "due_since": starts_at.isoformat() if starts_at else None}
    if set_brake(session, batch.now, kind, subject, reason, figures):
        batch.event(subscription, ENGAGED, kind=kind.value, subject=subject, reason=reason)


def periods_are_braked(
    session: Session, subscription: Subscription, cycle: BillingCycle, now: datetime, limits: Limits
) -> bool:
    """Whether so many periods are due that only a person may let them be billed, and none has."""
    index = subscription.next_cycle_index
    if not has_more_periods_due(cycle, index, subscription.zone, now, limits.periods_at_once):
        return False
    found = standing(session, now, BrakeKind.PERIODS_AT_ONCE, [subscription.id.hex])
    return not any(row.released_at is not None for row in found)


def braked_charges(
    session: Session, ids: Ids, now: datetime, operations: Sequence[Operation], limits: Limits
) -> frozenset[UUID]:
    """Those purchases that would charge a customer once too often within a day; that sets the customer's brake.

    Counted are calls that left us, whatever became of them.
    """
    purchases = [op.id for op in operations if op.kind == OperationKind.PURCHASE]
    if not purchases:
        return frozenset()
    customers = customers_of(session, purchases)
    charges = charges_since(session, list(set(customers.values())), now, CHARGES_WINDOW)
    in_force = standing(session, now, BrakeKind.CUSTOMER_CHARGES, [id_.hex for id_ in set(customers.values())])
    halted = {row.subject for row in in_force if row.released_at is None}
    allowed = {row.subject for row in in_force if row.released_at is not None} - halted
    braked: set[UUID] = set()
    for operation_id in purchases:
        customer_id = customers[operation_id]
        count = charges.get(customer_id, 0)
        if customer_id.hex in halted:
            braked.add(operation_id)
        elif customer_id.hex in allowed or may_be_charged(count, limits):
            charges[customer_id] = count + 1
        else:
            braked.add(operation_id)
            halted.add(customer_id.hex)
            _halt_customer(session, ids, now, customer_id, count, limits)
    return frozenset(braked)


def _halt_customer(session: Session, ids: Ids, now: datetime, customer_id: UUID, count: int, limits: Limits) -> None:
    reason = f"{count} charges within a day, and another one was due"
    figures = {"charges": count, "limit": limits.charges_per_customer}
    if set_brake(session, now, BrakeKind.CUSTOMER_CHARGES, customer_id.hex, reason, figures):
        batch = Batch(ids, now)
        batch.tell_all(ENGAGED, kind=BrakeKind.CUSTOMER_CHARGES.value, subject=customer_id.hex, reason=reason)
        batch.write(session)
