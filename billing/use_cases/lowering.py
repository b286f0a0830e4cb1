"""What a smaller claim means for what is planned, authorized or captured of an invoice.

Called by the verbs that lower what is open, in their transaction. Nothing may change under a call whose outcome is not
known; a planned call takes the new amount, an authorization is amended or given back.
"""

from datetime import datetime
from typing import Any

from billing.domain.errors import AuthorizationStands, OutcomeUnknown
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import (
    MAY_BE_HAPPENING,
    WITHOUT_A_KEY,
    Authorization,
    OperationKind,
    OperationStatus,
    OrderChange,
    Standing,
    Trigger,
)
from billing.store.invoices import amount_due
from billing.store.operations import Operation, drop
from billing.use_cases.settle_authorization import let_go
from billing.use_cases.settle_follow_up import paid
from billing.use_cases.settle_scene import Scene

RESUMES_AT = "resumes_at"
"""Where a capture that waits for an amendment keeps the instant at which it was due."""

CHANGES = "changes"
"""Where an amendment says what it is about, unless that is the amount."""

ORDER_NUMBER, ADDRESS = "order_number", "address"
"""Where an amendment keeps what the order's number or address becomes."""

WAITS_FOR_EXTENSION = "waits_for_extension"
"""Where a capture that may have come too late keeps the extension that it waits for."""

_MOVES_THE_CLAIM = frozenset(
    {
        OperationKind.PURCHASE,
        OperationKind.CAPTURE,
        OperationKind.VOID,
        OperationKind.RELEASE,
        OperationKind.AMEND,
    }
)
_HOLDS_MONEY = (Authorization.PENDING_REVIEW, Authorization.AUTHORIZED, Authorization.PART_CAPTURED)


def check_nothing_under_way(scene: Scene) -> None:
    """Raises `OutcomeUnknown` while a call that moves the invoice's money may be happening."""
    for operation in scene.siblings:
        if moves_the_claim(operation) and operation.status in MAY_BE_HAPPENING:
            needs_a_person = operation.status == OperationStatus.NEEDS_OPERATOR
            then = "a person must decide about it first" if needs_a_person else "try again once it is known"
            raise OutcomeUnknown(f"a {operation.kind} of this invoice may be under way; {then}")
        if waits_for_an_extension(operation):
            raise OutcomeUnknown("the authorization may have expired and is being extended; try again once it is known")


def moves_the_claim(operation: Operation) -> bool:
    """Whether it changes what is reserved or taken; an order number or an address does not."""
    return operation.kind in _MOVES_THE_CLAIM and change_of(operation) is OrderChange.AMOUNT


def change_of(operation: Operation) -> OrderChange:
    """What an amendment is about; every other kind is about money."""
    return OrderChange(operation.details.get(CHANGES, OrderChange.AMOUNT))


def waits_for_an_extension(operation: Operation) -> bool:
    """Whether a capture was refused because it may have come too late, and waits for a later end."""
    return operation.status == OperationStatus.PLANNED and WAITS_FOR_EXTENSION in operation.details


def check_may_lower(scene: Scene) -> None:
    """Raises `OutcomeUnknown` where the claim cannot be lowered now: a call is under way, or the provider reviews."""
    check_nothing_under_way(scene)
    purchase = live_purchase(scene)
    if purchase is None:
        return
    if purchase.authorization == Authorization.PENDING_REVIEW:
        raise OutcomeUnknown("the provider still reviews the purchase of this invoice; try again once it has decided")
    captures = _planned(scene, OperationKind.CAPTURE, purchase)
    if any(capture.amount != purchase.remaining for capture in captures):
        raise OutcomeUnknown("a capture of a part of this invoice is planned; try again once it is done")


def check_nothing_authorized(scene: Scene) -> None:
    """Raises `AuthorizationStands` where the provider holds money for this invoice, so that it would be paid twice."""
    purchase = live_purchase(scene)
    if purchase is not None and purchase.authorization in _HOLDS_MONEY:
        raise AuthorizationStands(
            f"{purchase.remaining} minor units are authorized for this invoice and would be captured too; credit what"
            " was paid outside, or wait for the capture and refund it"
        )


def live_purchase(scene: Scene) -> Operation | None:
    """The one purchase of the invoice that may still take money."""
    purchases = (op for op in scene.siblings if op.kind == OperationKind.PURCHASE)
    return next((op for op in purchases if op.standing == Standing.LIVE), None)


def follow_the_claim(scene: Scene, reason: str) -> None:
    """Bring plans and authorization in line with what is now due, and close the invoice where that is nothing.

    Call it after `check_may_lower`, once the invoice's figures are changed.
    """
    due, purchase = amount_due(scene.invoice), live_purchase(scene)
    if purchase is not None and purchase.status == OperationStatus.PLANNED:
        if due == 0:
            drop(purchase, reason, scene.now)
        else:
            purchase.amount = due
    elif purchase is not None and purchase.authorization in (Authorization.AUTHORIZED, Authorization.PART_CAPTURED):
        _follow_authorized(scene, purchase, due, reason)
    if due == 0 and scene.invoice.status in (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE):
        paid(scene)


def resume_captures(scene: Scene, purchase: Operation) -> None:
    """The amended authorization stands: what waited for it goes on, with what is left of it."""
    for capture in _planned(scene, OperationKind.CAPTURE, purchase):
        resumes_at = capture.details.get(RESUMES_AT)
        if resumes_at is not None:
            assert purchase.remaining is not None, "an authorization has a remaining amount"
            capture.amount = purchase.remaining
            capture.due_at = max(datetime.fromisoformat(resumes_at), scene.now)
            capture.details = _without(capture.details, RESUMES_AT)


def take_only_what_is_owed(scene: Scene, purchase: Operation) -> None:
    """The order could not be made smaller: its captures take what is due, and the rest is given back after them."""
    due = amount_due(scene.invoice)
    for capture in _planned(scene, OperationKind.CAPTURE, purchase):
        resumes_at = capture.details.get(RESUMES_AT)
        if resumes_at is not None:
            capture.amount = due
            capture.due_at = max(datetime.fromisoformat(resumes_at), scene.now)
            capture.details = _without(capture.details, RESUMES_AT)


def _follow_authorized(scene: Scene, purchase: Operation, due: int, reason: str) -> None:
    captures = _planned(scene, OperationKind.CAPTURE, purchase)
    amends = [op for op in _planned(scene, OperationKind.AMEND, purchase) if moves_the_claim(op)]
    if due == 0:
        for operation in (*captures, *amends):
            drop(operation, reason, scene.now)
        let_go(scene, purchase, reason)
        nothing_captured = purchase.authorization == Authorization.AUTHORIZED
        kind = OperationKind.VOID if nothing_captured else OperationKind.RELEASE
        scene.plan_follow_up(kind, purchase, purchase.remaining or 0, scene.now, trigger=Trigger.ADMIN)
        return
    for capture in captures:
        if capture.due_at is not None:
            capture.details = {**capture.details, RESUMES_AT: capture.due_at.isoformat()}
            capture.due_at = None
            # Whoever holds it would let the old amount through.
            capture.lease_owner = capture.lease_until = None
    if scene.generation == WITHOUT_A_KEY and captured_of(scene, purchase):
        # What is activated in part cannot be updated any more (the user's document: reservations only).
        take_only_what_is_owed(scene, purchase)
        return
    order_amount = due + captured_of(scene, purchase)
    if amends:
        amends[0].amount, amends[0].lease_owner, amends[0].lease_until = order_amount, None, None
        return
    scene.plan_follow_up(OperationKind.AMEND, purchase, order_amount, scene.now, trigger=Trigger.ADMIN)


def captured_of(scene: Scene, purchase: Operation) -> int:
    """What was captured of this purchase, in minor units."""
    captures = (op for op in scene.siblings if op.kind == OperationKind.CAPTURE and op.purchase_id == purchase.id)
    return sum(op.amount for op in captures if op.status == OperationStatus.SUCCEEDED)


def _planned(scene: Scene, kind: OperationKind, purchase: Operation) -> list[Operation]:
    planned = (op for op in scene.siblings if op.kind == kind and op.status == OperationStatus.PLANNED)
    return [op for op in planned if op.purchase_id == purchase.id]


def _without(details: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in details.items() if key != name}
