"""Renewal: what has become due in the life of subscriptions, a batch at a time; above all the next period, its invoice
and a planned purchase.

Decides nothing about amounts or dates itself (the domain does) and calls nobody: what it writes is picked up by
`operate`. One pass over everything due is a run. One step of a subscription handles its earliest due instant.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.brakes import DEFAULT_LIMITS, Limits, RunTotals, run_excess
from billing.domain.errors import BillingError
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.braking import billed_before
from billing.store.engine import Database
from billing.store.invoices import Invoice
from billing.store.numbers import number_invoices
from billing.store.restores import open_restore
from billing.store.runs import Run
from billing.store.subscriptions import Subscription
from billing.use_cases.brake import count_batch, halt_run, halted_until
from billing.use_cases.halving import in_halves
from billing.use_cases.opening import Seller, numbered_now, read_books
from billing.use_cases.renewal_pass import Pass, Renewed, send_to_review
from billing.use_cases.renewal_steps import step


def renew(  # what a run is given, and what it must not exceed
    database: Database,
    ids: Ids,
    now: datetime,
    passed: Callable[[str], None],
    seller: Seller,
    limits: Limits = DEFAULT_LIMITS,
) -> Renewed:
    """Take every step that is due at or before `now`; returns what was done. A pass that found nothing leaves none.

    A run that opens far more than its forecast halts, and what was due then waits for a person. `passed` is told of
    each step, so that a test can die there.
    """
    run = Renewed()
    with database.tx() as session:
        held_until, is_allowed = halted_until(session, now)
        restore = open_restore(session)
    watch = Watch(ids.new(), limits, judges=not is_allowed, remembered=restore.lost_until if restore else None)

    def open_all(chosen: Sequence[UUID]) -> None:
        if watch.excess is None:
            _one_batch(database, Batch(ids, now), seller, run, watch, chosen)
            passed("renew.committed")

    def park(subscription_id: UUID, reason: str) -> None:
        with database.tx() as session:
            found = subscription_store.locked(session, [subscription_id])
            batch = Batch(ids, now)
            send_to_review(batch, found[subscription_id], f"renewal failed: {reason}", run)
            batch.write(session)

    before = -1
    while run.seen + run.reviewed > before and watch.excess is None:
        # A pass that moved nothing met only rows that another worker holds.
        before = run.seen + run.reviewed
        with database.tx() as session:
            chosen = subscription_store.due_ids(session, now, database.batch_size, after=held_until)
        in_halves(chosen, open_all, park)
    if watch.excess is not None:
        halt_run(database, ids, now, watch.run_id, watch.totals, watch.excess)
    return run


@dataclass(slots=True)
class Watch:
    """What a run has opened so far against its forecast; with an `excess` it halts."""

    run_id: UUID
    limits: Limits
    judges: bool
    remembered: datetime | None
    totals: RunTotals = field(default_factory=RunTotals)
    excess: str | None = None


def _one_batch(
    database: Database, batch: Batch, seller: Seller, run: Renewed, watch: Watch, chosen: Sequence[UUID]
) -> None:
    """Renew those of `chosen` that are still due, in one transaction; `run` counts them once it is committed.

    Where that would be far more than the run's forecast, nothing of it is kept.
    """
    counts, totals = replace(run), watch.totals.copy()
    with database.tx() as session:
        due = subscription_store.claim_due(session, batch.now, chosen)
        if not due:
            return
        here = Pass(session, batch, read_books(session, due, seller), counts, watch.limits)
        started = {subscription.id: subscription.next_period_at for subscription in due}
        before = _billed_before(session, watch, started)
        opened = [invoice for subscription in due for invoice in _renew_one(here, subscription)]
        count_batch(totals, batch.now, opened, started, before, watch.remembered)
        watch.excess = run_excess(totals, watch.limits) if watch.judges else None
        if watch.excess is not None:
            watch.totals = totals
            session.rollback()
            return
        counts.seen += len(due)
        _record_run(session, watch.run_id, counts, totals, batch.now)
        batch.write(session)
        at_once = [invoice.id for invoice in opened if numbered_now(invoice)]
        number_invoices(session, batch, list(invoice_store.locked(session, at_once).values()))
        batch.write(session)
    watch.totals = totals
    for one in fields(Renewed):
        setattr(run, one.name, getattr(counts, one.name))


def _billed_before(
    session: Session, watch: Watch, started: Mapping[UUID, datetime | None]
) -> dict[UUID, tuple[int, str]]:
    """What each was billed last; not read for so few that they could not halt a run."""
    is_small = watch.totals.invoices + len(started) <= watch.limits.run_slack_invoices
    return {} if is_small or not watch.judges else billed_before(session, list(started))


def _renew_one(here: Pass, subscription: Subscription) -> list[Invoice]:
    """One subscription's step, its domain errors turned into a review so that they stop nobody else."""
    try:
        return step(here, subscription)
    except BillingError as wrong:
        send_to_review(here.batch, subscription, wrong.message, here.run)
        return []


def _record_run(session: Session, run_id: UUID, counts: Renewed, totals: RunTotals, now: datetime) -> None:
    row = session.get(Run, run_id) or Run(id=run_id, started_at=now)
    row.finished_at, row.forecast = now, totals.as_json()
    row.subscriptions_seen, row.periods_opened, row.invoices_opened = counts.seen, counts.periods, counts.invoices
    row.subscriptions_ended, row.sent_to_review = counts.ended, counts.reviewed
    session.add(row)
