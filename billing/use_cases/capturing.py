"""Planning a capture of some units of some lines: what is left of them, what they cost, and when it may be sent.

Shared by the verbs that capture, in their transaction. Amounts are minor units of the invoice's currency, tax
included; what is planned already counts as taken.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.domain.errors import Conflict, TransitionNotAllowed
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import Authorization, OperationKind, OperationStatus, Trigger, planned_capture_at
from billing.domain.proration import value_between
from billing.ports import Shipment
from billing.store.invoices import InvoiceLine, amount_due
from billing.store.operations import Operation
from billing.use_cases.lowering import check_nothing_under_way, live_purchase, moves_the_claim
from billing.use_cases.settle_scene import Scene


@dataclass(frozen=True, slots=True)
class CapturePlanned:
    """The operation that will take `amount`, not before `due_at`."""

    operation_id: UUID
    amount: int
    currency: str
    due_at: datetime


def capturable(scene: Scene) -> Operation:
    """The authorization of the invoice. Raises `Conflict` saying what stands in the way of a capture."""
    if scene.invoice.status != InvoiceStatus.OPEN:
        raise TransitionNotAllowed(f"the invoice is {scene.invoice.status}; only an open one is captured")
    check_nothing_under_way(scene)
    purchase = live_purchase(scene)
    if purchase is None or purchase.authorization not in (Authorization.AUTHORIZED, Authorization.PART_CAPTURED):
        raise Conflict("no money is authorized for this invoice now, so that nothing can be captured")
    amends = (op for op in scene.siblings if op.kind == OperationKind.AMEND and moves_the_claim(op))
    if any(op.status == OperationStatus.PLANNED for op in amends):
        raise Conflict("the amount of this invoice is being changed at the provider; try again once that is done")
    return purchase


def planned_captures(scene: Scene, purchase: Operation) -> list[Operation]:
    """The captures of `purchase` that were not sent yet, oldest first."""
    planned = (op for op in scene.siblings if op.kind == OperationKind.CAPTURE and op.purchase_id == purchase.id)
    return [op for op in planned if op.status == OperationStatus.PLANNED]


def units_left(lines: Sequence[InvoiceLine], planned: Sequence[Operation]) -> dict[UUID, int]:
    """Units of each line that are neither captured nor planned to be."""
    coming: Counter[str] = Counter()
    for operation in planned:
        for part in operation.details.get("lines", ()):
            coming[part["line"]] += part["units"]
    return {line.id: line.quantity - line.captured_quantity - coming[line.id.hex] for line in lines}


def parts_of(lines: Sequence[InvoiceLine], left: Mapping[UUID, int], units: Mapping[UUID, int]) -> list[dict[str, Any]]:
    """What so many units of each line cost, by C() over the units in the order captured, so that the parts sum."""
    parts = []
    for line in lines:
        wanted = units.get(line.id, 0)
        if wanted:
            start = line.quantity - left[line.id]
            amount = value_between(line.amount, start, start + wanted, line.quantity)
            tax = value_between(line.tax_amount, start, start + wanted, line.quantity)
            parts.append({"line": line.id.hex, "units": wanted, "amount": amount, "tax": tax})
    return parts


def plan_part(  # one planner for units of lines, whoever asked for them
    scene: Scene,
    purchase: Operation,
    planned: Sequence[Operation],
    parts: Sequence[Mapping[str, Any]],
    *,
    trigger: Trigger,
    details: Mapping[str, Any] | None = None,
) -> CapturePlanned:
    """Plan the capture of these parts. Raises `Conflict` where they cost more than what is still reserved."""
    # An order that could not be made smaller holds more than is owed.
    reserved = min(purchase.remaining or 0, amount_due(scene.invoice)) - sum(op.amount for op in planned)
    wanted = sum(part["amount"] for part in parts)
    invoice = scene.invoice
    not_reserved = invoice.balance_used + invoice.paid_outside + invoice.carried + invoice.credited_open
    if wanted - not_reserved > reserved or reserved <= 0 or wanted <= 0:
        raise Conflict(f"{wanted} minor units are to be captured; reserved are {reserved}")
    # What was paid in another way, or credited, is not authorized: the last capture is smaller by it.
    amount = min(wanted, reserved)
    due_at = planned_capture_at(scene.now, purchase.settled_at or scene.now)
    operation_id = scene.batch.plan(
        OperationKind.CAPTURE,
        invoice,
        subject=purchase.id,
        n=scene.next_n(OperationKind.CAPTURE, purchase.id),
        amount=amount,
        trigger=trigger,
        due_at=due_at,
        purchase=purchase.id,
        details={"lines": list(parts), **(details or {})},
    )
    return CapturePlanned(operation_id, amount, invoice.currency, due_at)


def parcels_as_details(parcels: Sequence[Shipment]) -> list[dict[str, Any]]:
    """Parcels as an operation keeps them."""
    return [asdict(parcel) for parcel in parcels]
