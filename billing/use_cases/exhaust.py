"""Exhaust: the end of the dunning ladder. What the plan says happens to the subscription and its open invoices."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session

from billing.domain.invoicing import InvoiceStatus, next_invoice_status
from billing.domain.ledger import postings_for_write_off
from billing.domain.operations import MAY_BE_HAPPENING, OperationKind, OperationStatus, Standing
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, end_reason, next_status
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import DunningState, Invoice, amount_due
from billing.store.numbers import number_invoices
from billing.store.operations import Operation, drop
from billing.store.plans import Exhausted, Plan
from billing.store.subscriptions import Subscription
from billing.use_cases.access import follow_state
from billing.use_cases.halving import in_halves

LOOK_AGAIN = timedelta(days=1)
LOOK_AGAIN_SOON = timedelta(hours=1)


def exhaust(database: Database, ids: Ids, now: datetime) -> int:
    """Close what has been unpaid for the whole ladder at `now`; returns how many invoices were dealt with.

    An invoice with a purchase that may be happening, or an authorization that stands, is left alone until that is
    settled: nothing unknown is ever timed out.
    """
    with database.tx() as session:
        found = invoice_store.exhausted(session, now, database.batch_size)
    in_halves(
        found,
        lambda part: _exhaust_batch(database, ids, now, part),
        lambda pair, reason: _park(database, ids, now, pair, reason),
    )
    return len(found)


def _exhaust_batch(database: Database, ids: Ids, now: datetime, found: Sequence[tuple[UUID, UUID]]) -> None:
    with database.tx() as session:
        batch = Batch(ids, now)
        subscriptions = subscription_store.locked(session, [subscription_id for _, subscription_id in found])
        invoices = invoice_store.locked(session, [invoice_id for invoice_id, _ in found])
        given_up: list[Invoice] = []
        for invoice in invoices.values():
            if invoice.status == InvoiceStatus.OPEN and invoice.exhausts_at is not None:
                given_up += _exhaust_one(session, batch, subscriptions[invoice.subscription_id], invoice)
        batch.write(session)
        number_invoices(session, batch, [unpaid for unpaid in given_up if is_booked(unpaid)])
        batch.write(session)


def _park(database: Database, ids: Ids, now: datetime, pair: tuple[UUID, UUID], reason: str) -> None:
    """An end that could not be carried out: the subscription goes to a person, the invoice is left open."""
    invoice_id, subscription_id = pair
    with database.tx() as session:
        batch = Batch(ids, now)
        subscription = subscription_store.locked(session, [subscription_id])[subscription_id]
        invoice_store.locked(session, [invoice_id])[invoice_id].exhausts_at = None
        subscription.review_reason = f"the end of dunning failed: {reason}"
        batch.event(subscription, "subscription.needs_review", reason=subscription.review_reason)
        batch.write(session)


def _exhaust_one(session: Session, batch: Batch, subscription: Subscription, invoice: Invoice) -> list[Invoice]:
    """Returns the invoices given up."""
    operations = operation_store.of_invoices(session, [invoice.id], lock=True)
    ending = subscription.cancel_at is not None and subscription.cancel_at <= batch.now
    if ending and subscription.status != SubscriptionStatus.ENDED:
        # The renewal loop is about to end it; the invoice is closed after that.
        invoice.exhausts_at = batch.now + LOOK_AGAIN_SOON
        return []
    if invoice.held_because is not None or any(_still_open(op) for op in operations):
        invoice.exhausts_at = batch.now + LOOK_AGAIN
        return []
    invoice.exhausts_at = invoice.remind_at = None
    if subscription.status not in (SubscriptionStatus.ENDED, SubscriptionStatus.UNPAID):
        plan = session.get_one(Plan, subscription.plan_id)
        if plan.exhausted == Exhausted.MANUAL:
            _ask_a_person(batch, subscription, invoice)
            return []
        _close_subscription(batch, subscription, plan)
    # Ended, the whole debt is given up; kept as unpaid, only what has run out.
    ended = subscription.status == SubscriptionStatus.ENDED
    others = invoice_store.open_invoices(session, [subscription.id]).get(subscription.id, []) if ended else [invoice]
    given_up = []
    for unpaid in others:
        ops = operation_store.of_invoices(session, [unpaid.id], lock=True)
        if not any(_still_open(op) for op in ops):
            give_up(batch, subscription, unpaid, [op for op in ops if op.status == OperationStatus.PLANNED])
            given_up.append(unpaid)
    if not ended:
        _give_the_next_its_turn(session, batch.now, subscription)
    return given_up


def _give_the_next_its_turn(session: Session, now: datetime, subscription: Subscription) -> None:
    """With the oldest given up, the next one that waited behind it is collected, and runs out by its own ladder."""
    session.flush()
    waiting = invoice_store.in_arrears(invoice_store.open_invoices(session, [subscription.id]).get(subscription.id, []))
    for operation in operation_store.of_invoices(session, [row.id for row in waiting[:1]], lock=True):
        if operation.status == OperationStatus.PLANNED and operation.due_at is None:
            operation.due_at = now


def _still_open(operation: Operation) -> bool:
    if operation.kind != OperationKind.PURCHASE:
        return False
    authorized = operation.status == OperationStatus.SUCCEEDED and operation.standing == Standing.LIVE
    return authorized or operation.status in MAY_BE_HAPPENING


def _close_subscription(batch: Batch, subscription: Subscription, plan: Plan) -> None:
    keeps = plan.exhausted == Exhausted.UNPAID and subscription.status != SubscriptionStatus.PENDING
    event = SubscriptionEvent.EXHAUSTED_UNPAID if keeps else SubscriptionEvent.EXHAUSTED_CANCEL
    before = SubscriptionStatus(subscription.status)
    subscription.status = next_status(before, event).value
    subscription.next_period_at = subscription.token_check_at = None
    if subscription.status == SubscriptionStatus.ENDED:
        reason = end_reason(before, event).value
        subscription.ended_at, subscription.end_reason = batch.now, reason
        batch.event(subscription, "subscription.ended", reason=reason)
    else:
        batch.event(subscription, "subscription.unpaid")
    follow_state(batch, subscription)


def _ask_a_person(batch: Batch, subscription: Subscription, invoice: Invoice) -> None:
    """The plan leaves the end to a person: the invoice stays open, and nothing more is attempted by itself."""
    event = SubscriptionEvent.EXHAUSTED_MANUAL
    subscription.status = next_status(SubscriptionStatus(subscription.status), event).value
    invoice.dunning_state = DunningState.EXHAUSTED.value
    batch.event(subscription, "invoice.dunning_exhausted", invoice=invoice.id.hex)
    if subscription.review_reason is None:
        subscription.review_reason = "dunning_exhausted"
        batch.event(subscription, "subscription.needs_review", reason=subscription.review_reason)


def is_booked(invoice: Invoice) -> bool:
    """Whether an invoice that is given up stands in the books: it has its number, or takes it now, since the
    customer's balance paid a part of it.
    """
    return invoice.number is not None or invoice.balance_used > 0


def give_up(batch: Batch, subscription: Subscription, invoice: Invoice, planned: list[Operation]) -> None:
    """An open invoice becomes uncollectible; what was planned for it is dropped, and its booked claim written off."""
    for operation in planned:
        drop(operation, "dunning ended", batch.now)
    invoice.status = next_invoice_status(InvoiceStatus(invoice.status), InvoiceStatus.UNCOLLECTIBLE).value
    invoice.dunning_state, invoice.closed_at, invoice.exhausts_at = DunningState.EXHAUSTED.value, batch.now, None
    if is_booked(invoice):
        left = amount_due(invoice)
        batch.post("write_off", invoice, postings_for_write_off(left))
    batch.event(subscription, "invoice.uncollectible", invoice=invoice.id.hex, total=invoice.total)
