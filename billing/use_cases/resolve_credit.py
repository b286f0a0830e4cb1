"""Decide what becomes of a credit whose money is not where it should be.

A refund that the provider refused becomes the customer's balance or is tried again; what became balance is refunded
where the customer asks for it. The credit note itself stays as it was granted (billing rules, section 5).
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Session, col, select

from billing.domain.errors import (
    BalanceTooLow,
    NotFound,
    OutcomeUnknown,
    RefundExceedsCapture,
    TransitionNotAllowed,
    UnderDispute,
)
from billing.domain.ledger import postings_for_balance_given, postings_for_balance_owed
from billing.domain.operations import OperationKind, OperationStatus, Trigger
from billing.ports import Ids
from billing.store.balances import locked_balance, move_balance
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import CreditNote
from billing.store.operations import Observation, Operation
from billing.store.payments import open_disputes
from billing.use_cases.credit_invoice import Credited
from billing.use_cases.crediting import plan_refunds
from billing.use_cases.invoice_scene import close_scene, left_of_captures, open_scene
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_scene import Scene

HTTP_CONFLICT = 409


class ResolveAs(StrEnum):
    """What becomes of it: balance instead of the refused refund, the refund tried again, or balance paid out."""

    BALANCE = "balance"
    RETRY = "retry"
    REFUND = "refund"


def resolve_credit(
    database: Database,
    ids: Ids,
    now: datetime,
    credit_note_id: UUID,
    resolve_as: ResolveAs,
    record: Record[Credited] = nothing,
) -> Credited:
    """Carry out a person's decision about a credit note.

    Raises `NotFound`; `TransitionNotAllowed` where there is nothing to decide; `OutcomeUnknown` for a refund that may
    have been paid out; for a refund of balance `BalanceTooLow`, `RefundExceedsCapture` and `UnderDispute`.
    """
    with database.tx() as session:
        known = session.get(CreditNote, credit_note_id)
        if known is None:
            raise NotFound("there is no such credit note")
        scene = open_scene(session, Batch(ids, now), known.invoice_id)
        note = session.get_one(CreditNote, credit_note_id, populate_existing=True)
        if resolve_as is ResolveAs.REFUND:
            operation_ids = _refund_balance(scene, note)
        else:
            operation_ids = _redo(scene, note, resolve_as)
        scene.tell("credit_note.resolved", credit_note=note.id.hex, resolved_as=resolve_as.value)
        close_scene(scene)
        done = Credited(note, operation_ids)
        record(session, done)
        return done


def to_balance(scene: Scene, note: CreditNote, amount: int, why: str) -> None:
    """`amount` minor units that were to be refunded are the customer's balance instead; the refund is dropped."""
    note.effect_refund -= amount
    note.effect_balance += amount
    scene.invoice.credited_balance += amount
    if note.effect_refund and _is_paid_out(scene, note):
        note.refunded_at = scene.now
    scene.batch.post("refund_to_balance", scene.invoice, postings_for_balance_given(amount), credit_note_id=note.id)
    _move(scene, note, amount, why)


def _redo(scene: Scene, note: CreditNote, resolve_as: ResolveAs) -> list[UUID]:
    refused = [
        op
        for op in scene.siblings
        if op.kind == OperationKind.REFUND and op.subject == note.id and op.status == OperationStatus.NEEDS_OPERATOR
    ]
    if not refused:
        raise TransitionNotAllowed("no refund of this credit note was refused; there is nothing to decide")
    for operation in refused:
        _check_surely_refused(scene.session, operation)
    amount = sum(operation.amount for operation in refused)
    for operation in refused:
        operation.status, operation.settled_at = OperationStatus.DROPPED.value, scene.now
    if resolve_as is ResolveAs.RETRY:
        return plan_refunds(scene, note, amount, Trigger.ADMIN)
    to_balance(scene, note, amount, "a refund could not be paid out")
    return []


def _is_paid_out(scene: Scene, note: CreditNote) -> bool:
    refunds = (op for op in scene.siblings if op.kind == OperationKind.REFUND and op.subject == note.id)
    return all(op.status in (OperationStatus.SUCCEEDED, OperationStatus.DROPPED) for op in refunds)


def _check_surely_refused(session: Session, operation: Operation) -> None:
    """A refund goes another way only where the provider itself refused it, or where it was never sent."""
    if operation.sent_at is None:
        return
    query = (
        select(Observation)
        .where(Observation.operation_id == operation.id, col(Observation.settled))
        .order_by(col(Observation.id).desc())
    )
    last = session.exec(query.limit(1)).first()
    refused = last is not None and last.outcome in ("refused", "declined")
    if last is None or not refused or last.http_status in (None, HTTP_CONFLICT):
        raise OutcomeUnknown("nobody knows whether this refund was paid out; that must be decided first")


def _refund_balance(scene: Scene, note: CreditNote) -> list[UUID]:
    amount = note.effect_balance
    if amount == 0:
        raise TransitionNotAllowed("nothing of this credit note became balance; there is nothing to refund")
    if open_disputes(scene.session, [scene.invoice.id]):
        raise UnderDispute("a dispute over this invoice is open; decide it first")
    possible = sum(left for _, left in left_of_captures(scene.invoice, scene.siblings))
    if amount > possible:
        raise RefundExceedsCapture(
            f"{amount} is more than the {possible} minor units that the captures of this invoice still hold",
            requested=amount,
            possible=possible,
        )
    held = locked_balance(scene.session, scene.invoice.customer_id, scene.invoice.currency).amount
    if amount > held:
        raise BalanceTooLow(
            f"the balance holds {held} minor units, less than {amount}: the rest was used already",
            requested=amount,
            possible=held,
        )
    note.effect_balance, note.effect_refund = 0, note.effect_refund + amount
    note.refunded_at = None
    scene.invoice.credited_balance -= amount
    scene.batch.post("balance_to_refund", scene.invoice, postings_for_balance_owed(amount), credit_note_id=note.id)
    _move(scene, note, -amount, "paid out as a refund")
    return plan_refunds(scene, note, amount, Trigger.ADMIN)


def _move(scene: Scene, note: CreditNote, amount: int, reason: str) -> None:
    move_balance(
        scene.session,
        scene.batch.ids.new(),
        scene.now,
        scene.invoice.customer_id,
        scene.invoice.currency,
        amount,
        reason,
        invoice_id=scene.invoice.id,
        credit_note_id=note.id,
    )
