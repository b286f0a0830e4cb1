"""Remind: the customer of a token that cannot be charged is asked for another one, on mornings of the ladder."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.dunning import reminders_at
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import OperationKind, OperationStatus
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import DunningState, Invoice
from billing.store.plans import Plan
from billing.store.subscriptions import Subscription
from billing.use_cases.halving import in_halves


def remind(database: Database, ids: Ids, now: datetime) -> int:
    """Ask everybody who is to be asked at `now`; returns how many invoices were looked at. Nothing is attempted."""
    with database.tx() as session:
        found = invoice_store.to_be_reminded(session, now, database.batch_size)
    in_halves(
        found,
        lambda part: _remind_batch(database, ids, now, part),
        lambda pair, _: _leave(database, pair[0]),
    )
    return len(found)


def _remind_batch(database: Database, ids: Ids, now: datetime, found: Sequence[tuple[UUID, UUID]]) -> None:
    with database.tx() as session:
        batch = Batch(ids, now)
        subscriptions = subscription_store.locked(session, [subscription_id for _, subscription_id in found])
        for invoice in invoice_store.locked(session, [invoice_id for invoice_id, _ in found]).values():
            if invoice.remind_at is not None and invoice.remind_at <= now:
                _remind_one(session, batch, subscriptions[invoice.subscription_id], invoice)
        batch.write(session)


def _leave(database: Database, invoice_id: UUID) -> None:
    """A reminder that cannot be written must not stop the others; the end of the ladder comes all the same."""
    with database.tx() as session:
        invoice_store.locked(session, [invoice_id])[invoice_id].remind_at = None


def _remind_one(session: Session, batch: Batch, subscription: Subscription, invoice: Invoice) -> None:
    invoice.remind_at = None
    declined_at = invoice.first_declined_at
    still_waits = invoice.status == InvoiceStatus.OPEN and invoice.dunning_state == DunningState.AWAITING_TOKEN
    if not still_waits or declined_at is None:
        return
    operations = operation_store.of_invoices(session, [invoice.id])
    # A sleeping token is read every morning by the purchase that waits for it; its customer is asked once.
    sleeps = any(op.kind == OperationKind.PURCHASE and op.status == OperationStatus.PLANNED for op in operations)
    if not sleeps:
        terminal_day = session.get_one(Plan, subscription.plan_id).dunning_terminal_day
        asks = reminders_at(declined_at, subscription.zone, invoice.id, terminal_day)
        invoice.remind_at = min((at for at in asks if at > batch.now), default=None)
    reason = "suspended" if sleeps else "hard"
    batch.event(subscription, "invoice.token_requested", invoice=invoice.id.hex, reason=reason)
