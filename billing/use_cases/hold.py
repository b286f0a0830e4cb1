"""Hold: a person takes a subscription out of every run, or lets it, or an invoice, go on. Each word stands in the audit
log; nothing is sent for what is held (charging rules, section 2, step 4).
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from billing.domain.errors import Conflict, NotFound, TransitionNotAllowed, UnderDispute
from billing.domain.operations import OperationStatus
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Ids
from billing.store import operations as operation_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import DunningState, Invoice
from billing.store.operations import Operation
from billing.store.payments import open_disputes
from billing.store.subscriptions import Subscription
from billing.use_cases.clone_guard import decided
from billing.use_cases.invoice_scene import close_scene, open_scene
from billing.use_cases.recording import Record, nothing

HELD_MAX = 200
"""Characters of a reason that stay with the subscription; the audit log has all of it."""


def hold(  # the verb's arguments
    database: Database,
    ids: Ids,
    now: datetime,
    subscription_id: UUID,
    by: str,
    reason: str,
    record: Record[Subscription] = nothing,
) -> Subscription:
    """Nothing of the subscription is opened or purchased until it is let go; what was sent before is settled.

    Raises `NotFound`, `TransitionNotAllowed` for one that has ended, `Conflict` for one that is held already.
    """
    with database.tx() as session:
        subscription = _locked(session, subscription_id)
        if subscription.status == SubscriptionStatus.ENDED:
            raise TransitionNotAllowed("the subscription has ended; there is nothing to hold")
        if subscription.hold is not None:
            raise Conflict("the subscription is held already")
        subscription.hold = reason[:HELD_MAX]
        return _told(session, Batch(ids, now), subscription, "hold", by, reason, record)


def unhold(  # the verb's arguments
    database: Database,
    ids: Ids,
    now: datetime,
    subscription_id: UUID,
    by: str,
    reason: str,
    record: Record[Subscription] = nothing,
) -> Subscription:
    """Let a subscription go on: what came due meanwhile is done at once. Raises `NotFound`, `Conflict`."""
    with database.tx() as session:
        subscription = _locked(session, subscription_id)
        if subscription.hold is None:
            raise Conflict("nobody holds this subscription")
        subscription.hold = None
        query = select(Operation.id).where(
            Operation.subscription_id == subscription_id, Operation.status == OperationStatus.PLANNED.value
        )
        waiting = operation_store.locked(session, session.exec(query.order_by(col(Operation.id))).all())
        _go_on(waiting.values(), now)
        return _told(session, Batch(ids, now), subscription, "unhold", by, reason, record)


def unhold_invoice(  # the verb's arguments
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    by: str,
    reason: str,
    record: Record[Invoice] = nothing,
) -> Invoice:
    """Let an invoice go on that is held because money may have been taken twice.

    Raises `NotFound`, `Conflict` for one that is not held, `UnderDispute` while a dispute holds it.
    """
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        invoice = scene.invoice
        if invoice.held_because is None:
            raise Conflict("nobody holds this invoice")
        if open_disputes(session, [invoice_id]):
            raise UnderDispute("a dispute over this invoice is open; decide it, and the invoice goes on")
        was, invoice.held_because = invoice.held_because, None
        if invoice.dunning_state == DunningState.HELD:
            in_dunning = invoice.first_declined_at is not None
            invoice.dunning_state = (DunningState.RETRYING if in_dunning else DunningState.NONE).value
        _go_on(scene.siblings, now)
        decided(scene.batch, invoice_id, "unhold_invoice", by, reason, {"was": was})
        scene.tell("invoice.unheld", invoice=invoice_id.hex, by=by, reason=reason)
        close_scene(scene)
        record(session, invoice)
        return invoice


def _locked(session: Session, subscription_id: UUID) -> Subscription:
    subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
    if subscription is None:
        raise NotFound("there is no such subscription")
    return subscription


def _told(
    session: Session,
    batch: Batch,
    subscription: Subscription,
    verb: str,
    by: str,
    reason: str,
    record: Record[Subscription],
) -> Subscription:
    decided(batch, subscription.id, verb, by, reason, {})
    batch.event(subscription, f"subscription.{verb}", by=by, reason=reason)
    batch.write(session)
    record(session, subscription)
    return subscription


def _go_on(operations: Iterable[Operation], now: datetime) -> None:
    """What the gate put back meanwhile need not wait for its next look."""
    for operation in operations:
        if operation.status == OperationStatus.PLANNED and operation.answer_code == "gate" and operation.due_at:
            operation.due_at = now
