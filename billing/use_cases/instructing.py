"""What the verbs share by which an operator asks the provider for something: who asks and why, and what was planned.

Called in the verbs' transaction, under the invoice's lock. Who and why are kept with the operation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from billing.domain.errors import Conflict, OutcomeUnknown
from billing.domain.operations import MAY_BE_HAPPENING, OperationKind, OperationStatus, Trigger
from billing.store.operations import Operation
from billing.use_cases.lowering import live_purchase
from billing.use_cases.settle_scene import Scene


@dataclass(frozen=True, slots=True)
class Instruction:
    """Whose instruction it is, and why it is given."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Instructed:
    """The operation that carries it out."""

    operation_id: UUID
    kind: OperationKind


def planned(
    scene: Scene,
    kind: OperationKind,
    purchase: Operation,
    instruction: Instruction,
    *,
    amount: int = 0,
    capture: Operation | None = None,
    details: Mapping[str, Any] | None = None,
) -> Instructed:
    """Plan the operation for now; `amount` is minor units of the invoice's currency, 0 for what moves no money."""
    operation_id = scene.batch.plan(
        kind,
        scene.invoice,
        subject=purchase.id,
        n=scene.next_n(kind, purchase.id),
        amount=amount,
        trigger=Trigger.ADMIN,
        due_at=scene.now,
        purchase=purchase.id,
        capture=capture.id if capture is not None else None,
        details={**(details or {}), "by": instruction.by, "reason": instruction.reason},
    )
    scene.tell("operation.instructed", operation=operation_id.hex, kind=kind.value, by=instruction.by)
    return Instructed(operation_id, kind)


def standing_authorization(scene: Scene) -> Operation:
    """The purchase of the invoice that may still take money. Raises `Conflict` where there is none."""
    purchase = live_purchase(scene)
    if purchase is None or purchase.provider_id is None:
        raise Conflict("no money is authorized for this invoice, so that there is no order to act upon")
    return purchase


def check_not_asked_already(scene: Scene, kind: OperationKind, about: Operation) -> None:
    """Raises `Conflict` where the same is planned for this purchase or capture, and `OutcomeUnknown` where it may be
    happening.
    """
    for operation in scene.siblings:
        if operation.kind != kind or about.id not in (operation.purchase_id, operation.capture_id):
            continue
        if operation.status == OperationStatus.PLANNED and operation.trigger == Trigger.ADMIN:
            raise Conflict(f"this {kind} was asked for already and is about to be sent")
        if operation.status in MAY_BE_HAPPENING:
            raise OutcomeUnknown(f"a {kind} of this invoice may be under way; try again once it is known")
