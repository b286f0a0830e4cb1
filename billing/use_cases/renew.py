"""Renewal: what has become due in the life of subscriptions, a batch at a time; above all the next period, its invoice
and a planned purchase.

Decides nothing about amounts or dates itself (the domain does) and calls nobody: what it writes is picked up by
`operate`. One pass over everything due is a run. One step of a subscription handles its earliest due instant.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import BillingError
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import Invoice
from billing.store.numbers import number_invoices
from billing.store.runs import Run
from billing.store.subscriptions import Subscription
from billing.use_cases.halving import in_halves
from billing.use_cases.opening import Seller, numbered_now, read_books
from billing.use_cases.renewal_pass import Pass, Renewed, send_to_review
from billing.use_cases.renewal_steps import step


def renew(database: Database, ids: Ids, now: datetime, passed: Callable[[str], None], seller: Seller) -> Renewed:
    """Take every step that is due at or before `now`; returns what was done. A pass that found nothing leaves none.

    `passed` is told of each step, so that a test can die there.
    """
    run = Renewed()
    run_id = ids.new()

    def open_all(chosen: Sequence[UUID]) -> None:
        _one_batch(database, Batch(ids, now), seller, run, run_id, chosen)
        passed("renew.committed")

    def park(subscription_id: UUID, reason: str) -> None:
        with database.tx() as session:
            found = subscription_store.locked(session, [subscription_id])
            batch = Batch(ids, now)
            send_to_review(batch, found[subscription_id], f"renewal failed: {reason}", run)
            batch.write(session)

    before = -1
    while run.seen + run.reviewed > before:
        # A pass that moved nothing met only rows that another worker holds.
        before = run.seen + run.reviewed
        with database.tx() as session:
            chosen = subscription_store.due_ids(session, now, database.batch_size)
        in_halves(chosen, open_all, park)
    return run


def _one_batch(
    database: Database, batch: Batch, seller: Seller, run: Renewed, run_id: UUID, chosen: Sequence[UUID]
) -> None:
    """Renew those of `chosen` that are still due, in one transaction; `run` counts them once it is committed."""
    counts = replace(run)
    with database.tx() as session:
        due = subscription_store.claim_due(session, batch.now, chosen)
        if not due:
            return
        here = Pass(session, batch, read_books(session, due, seller), counts)
        opened = [invoice for subscription in due for invoice in _renew_one(here, subscription)]
        counts.seen += len(due)
        _record_run(session, run_id, counts, batch.now)
        batch.write(session)
        at_once = [invoice.id for invoice in opened if numbered_now(invoice)]
        number_invoices(session, batch, list(invoice_store.locked(session, at_once).values()))
        batch.write(session)
    for field in fields(Renewed):
        setattr(run, field.name, getattr(counts, field.name))


def _renew_one(here: Pass, subscription: Subscription) -> list[Invoice]:
    """One subscription's step, its domain errors turned into a review so that they stop nobody else."""
    try:
        return step(here, subscription)
    except BillingError as wrong:
        send_to_review(here.batch, subscription, wrong.message, here.run)
        return []


def _record_run(session: Session, run_id: UUID, counts: Renewed, now: datetime) -> None:
    row = session.get(Run, run_id) or Run(id=run_id, started_at=now)
    row.finished_at = now
    row.subscriptions_seen, row.periods_opened, row.invoices_opened = counts.seen, counts.periods, counts.invoices
    row.subscriptions_ended, row.sent_to_review = counts.ended, counts.reviewed
    session.add(row)
