"""Pause dunning for one customer: what was declined is not tried again, and its end does not come, until it goes on."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.dunning import Ladder, resumed_attempt_at
from billing.domain.errors import Conflict, NotFound
from billing.domain.operations import OperationKind, OperationStatus, Trigger
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.customers import Customer, lock_customer
from billing.store.engine import Database
from billing.store.invoices import Invoice
from billing.store.operations import Operation
from billing.store.plans import Plan
from billing.store.subscriptions import Subscription
from billing.use_cases.recording import Record, nothing


@dataclass(frozen=True, slots=True)
class DunningPause:
    """Whether dunning of a customer is paused, since when and why; and how many attempts that concerns."""

    customer_id: UUID
    paused_at: datetime | None
    reason: str | None
    attempts: int


def pause_dunning(  # the verb's arguments
    database: Database,
    ids: Ids,
    now: datetime,
    customer_id: UUID,
    reason: str,
    record: Record[DunningPause] = nothing,
) -> DunningPause:
    """Let every planned dunning attempt of a customer wait; renewals, and what the customer does, go on.

    Raises `NotFound`, and `Conflict` where it is paused already.
    """
    with database.tx() as session:
        subscriptions, customer = _locked(session, customer_id)
        if customer.dunning_paused_at is not None:
            raise Conflict(f"dunning is paused already, since {customer.dunning_paused_at.isoformat()}")
        customer.dunning_paused_at, customer.dunning_paused_because = now, reason
        batch = Batch(ids, now)
        attempts = 0
        for subscription, invoice in _in_dunning(session, subscriptions):
            for operation in _attempts(session, invoice):
                # Whoever holds it would send it.
                operation.due_at = operation.lease_owner = operation.lease_until = None
                attempts += 1
            batch.event(subscription, "invoice.dunning_paused", invoice=invoice.id.hex)
        batch.write(session)
        done = DunningPause(customer_id, now, reason, attempts)
        record(session, done)
        return done


def resume_dunning(
    database: Database, ids: Ids, now: datetime, customer_id: UUID, record: Record[DunningPause] = nothing
) -> DunningPause:
    """Go on: what waited is tried on its own day of the ladder or on the next local morning, the end comes later by
    the length of the pause.

    Raises `NotFound`, and `Conflict` where it is not paused.
    """
    with database.tx() as session:
        subscriptions, customer = _locked(session, customer_id)
        paused_at = customer.dunning_paused_at
        if paused_at is None:
            raise Conflict("dunning of this customer is not paused")
        customer.dunning_paused_at = customer.dunning_paused_because = None
        batch = Batch(ids, now)
        attempts = 0
        for subscription, invoice in _in_dunning(session, subscriptions):
            _move_the_end(invoice, paused_at, now)
            for operation in _attempts(session, invoice):
                operation.due_at = _goes_on_at(session, subscription, invoice, now)
                attempts += 1
            batch.event(subscription, "invoice.dunning_resumed", invoice=invoice.id.hex)
        batch.write(session)
        done = DunningPause(customer_id, None, None, attempts)
        record(session, done)
        return done


def _locked(session: Session, customer_id: UUID) -> tuple[dict[UUID, Subscription], Customer]:
    subscriptions = subscription_store.locked(session, subscription_store.of_customer(session, customer_id))
    customer = lock_customer(session, customer_id)
    if customer is None:
        raise NotFound("there is no such customer")
    return subscriptions, customer


def _in_dunning(session: Session, subscriptions: dict[UUID, Subscription]) -> list[tuple[Subscription, Invoice]]:
    found = invoice_store.open_invoices(session, list(subscriptions))
    declined = [invoice.id for rows in found.values() for invoice in rows if invoice.first_declined_at is not None]
    return [(subscriptions[row.subscription_id], row) for row in invoice_store.locked(session, declined).values()]


def _attempts(session: Session, invoice: Invoice) -> list[Operation]:
    """The planned attempts of the ladder; what a customer or a new token asked for waits for nobody."""
    planned = operation_store.of_invoices(session, [invoice.id], lock=True)
    return [
        op
        for op in planned
        if op.kind == OperationKind.PURCHASE and op.status == OperationStatus.PLANNED and op.trigger == Trigger.DUNNING
    ]


def _move_the_end(invoice: Invoice, paused_at: datetime, now: datetime) -> None:
    assert invoice.first_declined_at is not None, "only what was declined is in dunning"
    length = now - max(paused_at, invoice.first_declined_at)
    invoice.exhausts_at = invoice.exhausts_at and invoice.exhausts_at + length
    invoice.remind_at = invoice.remind_at and invoice.remind_at + length


def _goes_on_at(session: Session, subscription: Subscription, invoice: Invoice, now: datetime) -> datetime:
    plan = session.get_one(Plan, subscription.plan_id)
    ladder = Ladder(tuple(plan.dunning_days), plan.dunning_terminal_day)
    sent = [op.sent_at for op in operation_store.of_invoices(session, [invoice.id]) if op.sent_at is not None]
    assert invoice.first_declined_at is not None, "only what was declined is in dunning"
    return resumed_attempt_at(
        ladder,
        invoice.dunning_step,
        invoice.first_declined_at,
        max(sent, default=None),
        now,
        subscription.zone,
        invoice.id,
    )
