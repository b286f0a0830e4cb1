"""What an operator asks of the provider about an authorization: a later end, or to give it back, whole or its rest."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from billing.domain.errors import Conflict, Invalid, TransitionNotAllowed
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import WITHOUT_A_KEY, Authorization, OperationKind, OperationStatus
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import amount_due
from billing.store.operations import Operation, drop
from billing.use_cases.instructing import (
    Instructed,
    Instruction,
    check_not_asked_already,
    planned,
    standing_authorization,
)
from billing.use_cases.invoice_scene import close_scene, open_scene
from billing.use_cases.lowering import check_nothing_under_way, moves_the_claim
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_authorization import let_go
from billing.use_cases.settle_follow_up import THEN
from billing.use_cases.settle_scene import Scene

_OPEN = (Authorization.AUTHORIZED, Authorization.PART_CAPTURED)


class AfterVoid(StrEnum):
    """What becomes of an open invoice whose authorization is given back."""

    CHARGE_AGAIN = "charge_again"
    """The subscription's present token is charged at once."""
    REVIEW = "review"
    """Nobody is charged; the subscription waits for a person."""


def extend_authorization(
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    instruction: Instruction,
    record: Record[Instructed] = nothing,
) -> Instructed:
    """Ask for a later end of the invoice's authorization; an expired one comes back in the older generation only.

    Raises `NotFound`, `TransitionNotAllowed` for an invoice that is not open, `Conflict` where nothing is left to
    extend, `OutcomeUnknown`.
    """
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        done = _extension(scene, instruction)
        close_scene(scene)
        record(session, done)
        return done


def void_authorization(
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    then: AfterVoid | None,
    instruction: Instruction,
    record: Record[Instructed] = nothing,
) -> Instructed:
    """Give back an authorization of which nothing is captured; the invoice stays as it is.

    Of an open invoice `then` says what follows. Raises `NotFound`, `Invalid` without it, `Conflict` where nothing is
    authorized or something is captured, `OutcomeUnknown`.
    """
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        done = _void(scene, then, instruction)
        close_scene(scene)
        record(session, done)
        return done


def release_authorization(
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    instruction: Instruction,
    record: Record[Instructed] = nothing,
) -> Instructed:
    """Give back what is left of an authorization after a capture, where nothing more is owed.

    Raises `NotFound`; `Conflict` where nothing is captured, nothing is left, or the rest is still owed: that is
    credited first, which releases it in the same transaction (billing rules, section 5); `OutcomeUnknown`.
    """
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        done = _release(scene, instruction)
        close_scene(scene)
        record(session, done)
        return done


def _extension(scene: Scene, instruction: Instruction) -> Instructed:
    if scene.invoice.status != InvoiceStatus.OPEN:
        raise TransitionNotAllowed(
            f"the invoice is {scene.invoice.status}; only what an open one waits for is extended"
        )
    purchase = standing_authorization(scene)
    if purchase.authorization not in _OPEN:
        raise Conflict(f"the authorization is {purchase.authorization}; there is nothing to extend")
    ends_at = purchase.expires_at or scene.now
    if scene.generation != WITHOUT_A_KEY and purchase.expires_at is not None and ends_at <= scene.now:
        raise Conflict(f"the authorization ended at {ends_at.isoformat()}; this provider brings none back")
    check_not_asked_already(scene, OperationKind.EXTEND, purchase)
    let_go(scene, purchase, "an operator asks for a later end now")
    details = {"ends_at": ends_at.isoformat()}
    return planned(scene, OperationKind.EXTEND, purchase, instruction, details=details)


def _void(scene: Scene, then: AfterVoid | None, instruction: Instruction) -> Instructed:
    check_nothing_under_way(scene)
    purchase = standing_authorization(scene)
    if purchase.authorization == Authorization.PART_CAPTURED:
        raise Conflict("a part of it is captured: what is left is released, and what was taken refunded")
    if purchase.authorization not in (Authorization.AUTHORIZED, Authorization.PENDING_REVIEW):
        raise Conflict(f"the authorization is {purchase.authorization}; there is nothing to give back")
    is_open = scene.invoice.status == InvoiceStatus.OPEN
    if is_open and then is None:
        raise Invalid(f"the invoice is open: say what follows, one of {', '.join(AfterVoid)}", where="then")
    check_not_asked_already(scene, OperationKind.VOID, purchase)
    _forget_what_waits(scene, purchase)
    details = {THEN: then.value} if is_open and then is not None else {}
    return planned(scene, OperationKind.VOID, purchase, instruction, amount=purchase.amount, details=details)


def _release(scene: Scene, instruction: Instruction) -> Instructed:
    check_nothing_under_way(scene)
    purchase = standing_authorization(scene)
    if purchase.authorization != Authorization.PART_CAPTURED:
        raise Conflict(f"the authorization is {purchase.authorization}; what is released is the rest after a capture")
    due = amount_due(scene.invoice) if scene.invoice.status == InvoiceStatus.OPEN else 0
    if due:
        raise Conflict(
            f"{due} minor units of this invoice are still owed; credit them, which releases them in the same step"
        )
    check_not_asked_already(scene, OperationKind.RELEASE, purchase)
    _forget_what_waits(scene, purchase)
    return planned(scene, OperationKind.RELEASE, purchase, instruction, amount=purchase.remaining or 0)


def _forget_what_waits(scene: Scene, purchase: Operation) -> None:
    """What was planned of this authorization is not wanted any more."""
    let_go(scene, purchase, "an operator gives the authorization back")
    for operation in scene.siblings:
        is_planned = operation.status == OperationStatus.PLANNED and operation.purchase_id == purchase.id
        if is_planned and moves_the_claim(operation):
            drop(operation, "an operator gives the authorization back", scene.now)
