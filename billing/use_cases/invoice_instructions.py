"""What an operator asks of the provider about a captured invoice: email it again, post it, move its due date.

Nothing here takes or gives back money; posting and a later due date are charged by the older generation, which is why
they are never planned by a machine and never sent twice (charging rules, section 3).
"""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from billing.domain.errors import Conflict, Invalid
from billing.domain.operations import WITHOUT_A_KEY, OperationKind, OperationStatus
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.customers import Customer
from billing.store.engine import Database
from billing.store.operations import Operation
from billing.use_cases.instructing import Instructed, Instruction, check_not_asked_already, planned
from billing.use_cases.invoice_scene import close_scene, open_scene
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_scene import Scene
from billing.use_cases.ship import last_capture

DUE_DAYS_MAX = 365


def email_invoice(
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    instruction: Instruction,
    capture_id: UUID | None = None,
    record: Record[Instructed] = nothing,
) -> Instructed:
    """Have the provider email the invoice of a capture (the newest unless said) once more.

    Raises `NotFound`; `Invalid` for a capture that is not the invoice's; `Conflict` where nothing is captured, or the
    older generation knows no address and would post it for money; `OutcomeUnknown`.
    """

    def plan(scene: Scene, capture: Operation) -> Instructed:
        email = scene.session.get_one(Customer, scene.invoice.customer_id).email
        if scene.generation == WITHOUT_A_KEY and not email:
            raise Conflict("the customer has no email address: this provider would post the invoice, which is charged")
        return _planned(scene, OperationKind.EMAIL_INVOICE, capture, instruction)

    return _about_a_capture(database, Batch(ids, now), invoice_id, capture_id, plan, record)


def post_invoice(
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    instruction: Instruction,
    capture_id: UUID | None = None,
    *,
    again: bool = False,
    record: Record[Instructed] = nothing,
) -> Instructed:
    """Have the provider post the invoice on paper, which it charges for; `again` where that was done before.

    Raises `NotFound`; `Invalid` for a capture that is not the invoice's; `Conflict` where nothing is captured, the
    provider posts nothing (the current generation), or it was posted already; `OutcomeUnknown`.
    """

    def plan(scene: Scene, capture: Operation) -> Instructed:
        if scene.generation != WITHOUT_A_KEY:
            raise Conflict("this provider posts no invoices; it can email one again")
        if not again and _was_done(scene, OperationKind.POST_INVOICE, capture):
            raise Conflict("this invoice was posted already; each letter is charged, so say `again` to send another")
        return _planned(scene, OperationKind.POST_INVOICE, capture, instruction)

    return _about_a_capture(database, Batch(ids, now), invoice_id, capture_id, plan, record)


def move_due_date(
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    days: int,
    instruction: Instruction,
    capture_id: UUID | None = None,
    record: Record[Instructed] = nothing,
) -> Instructed:
    """Give the customer `days` (1 to 365) more to pay the provider, which costs the seller a fee.

    Raises `NotFound`; `Invalid` for other days or a capture that is not the invoice's; `Conflict` where nothing is
    captured or the date was moved before; `OutcomeUnknown`.
    """
    if not 1 <= days <= DUE_DAYS_MAX:
        raise Invalid(f"1 to {DUE_DAYS_MAX} days are possible", where="days")

    def plan(scene: Scene, capture: Operation) -> Instructed:
        if _was_done(scene, OperationKind.EXTEND_DUE_DATE, capture):
            raise Conflict("the due date of this invoice was moved before; each time costs a fee")
        return _planned(scene, OperationKind.EXTEND_DUE_DATE, capture, instruction, days=days)

    return _about_a_capture(database, Batch(ids, now), invoice_id, capture_id, plan, record)


def _about_a_capture(
    database: Database,
    batch: Batch,
    invoice_id: UUID,
    capture_id: UUID | None,
    plan: Callable[[Scene, Operation], Instructed],
    record: Record[Instructed],
) -> Instructed:
    with database.tx() as session:
        scene = open_scene(session, batch, invoice_id)
        done = plan(scene, _captured(scene, capture_id))
        close_scene(scene)
        record(session, done)
        return done


def _captured(scene: Scene, capture_id: UUID | None) -> Operation:
    if capture_id is None:
        newest = last_capture(scene)
        if newest is None:
            raise Conflict("nothing of this invoice has been captured yet: the provider has no invoice of it")
        return newest
    captures = (op for op in scene.siblings if op.kind == OperationKind.CAPTURE and op.id == capture_id)
    found = next(captures, None)
    if found is None:
        raise Invalid("the invoice has no such capture", where="capture_id")
    if found.status != OperationStatus.SUCCEEDED:
        raise Conflict(f"this capture is {found.status}; the provider has no invoice of it")
    return found


def _was_done(scene: Scene, kind: OperationKind, capture: Operation) -> bool:
    done = (op for op in scene.siblings if op.kind == kind and op.capture_id == capture.id)
    return any(op.status == OperationStatus.SUCCEEDED for op in done)


def _planned(
    scene: Scene, kind: OperationKind, capture: Operation, instruction: Instruction, **details: int
) -> Instructed:
    check_not_asked_already(scene, kind, capture)
    purchase = scene.operation(capture.purchase_id)
    return planned(scene, kind, purchase, instruction, capture=capture, details=details)
