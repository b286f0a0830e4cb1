"""The life of an authorization between purchase and capture: when it is captured by itself, how its end is moved,
and what follows where it ends too early. Called by `settle` alone, under the invoice's lock.
"""

from datetime import timedelta

from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import (
    EXTEND_BEFORE,
    MAY_BE_HAPPENING,
    Authorization,
    OperationKind,
    OperationStatus,
    Standing,
    Trigger,
    planned_capture_at,
)
from billing.domain.pricing import Recognize
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Succeeded
from billing.store.invoices import lines_of
from billing.store.operations import Operation, drop
from billing.store.plans import CaptureMode
from billing.use_cases.settle_scene import Scene

AUTHORIZATIONS_LOST_MAX = 1
"""One lost authorization is replaced by a machine; the next goes to a person (charging rules, section 2)."""

LOST = "lost: "
"""How the proof begins where captures that were asked of a dead authorization are asked of the next one."""

REPLACED = "replaced"
"""Where a refused capture says that another one of the same was planned after it."""

_CAPTURABLE = (Authorization.AUTHORIZED, Authorization.PART_CAPTURED)


def plan_captures(scene: Scene, purchase: Operation) -> None:
    """What is to be taken of a fresh authorization, as the plan says; and a later end where it will be waited for."""
    wanted = _captures_of_the_lost_one(scene, purchase)
    settled_at = purchase.settled_at or scene.now
    for capture in wanted:
        due_at = planned_capture_at(scene.now, settled_at)
        scene.plan_follow_up(
            OperationKind.CAPTURE,
            purchase,
            capture.amount if capture.details.get("lines") else purchase.amount,
            due_at,
            trigger=Trigger.AUTHORIZATION_LOST,
            details=capture.details,
        )
    if wanted:
        return
    if _captures_by_itself(scene):
        delay = timedelta(minutes=scene.plan.capture_delay_minutes)
        due_at = planned_capture_at(scene.now, settled_at, delay)
        scene.plan_follow_up(OperationKind.CAPTURE, purchase, purchase.amount, due_at, trigger=Trigger.FOLLOW_UP)
        if purchase.expires_at is None or due_at < purchase.expires_at - EXTEND_BEFORE:
            return
    keep_alive(scene, purchase)


def keep_alive(scene: Scene, purchase: Operation) -> None:
    """Plan to ask for a later end, three days before the present one, unless that is planned already."""
    asked = (OperationStatus.PLANNED, *MAY_BE_HAPPENING)
    coming = any(
        op.kind == OperationKind.EXTEND and op.purchase_id == purchase.id and op.status in asked
        for op in scene.siblings
    )
    if coming or purchase.expires_at is None or purchase.expires_at <= scene.now:
        return
    due_at = max(scene.now, purchase.expires_at - EXTEND_BEFORE)
    details = {"ends_at": purchase.expires_at.isoformat()}
    scene.plan_follow_up(OperationKind.EXTEND, purchase, 0, due_at, trigger=Trigger.FOLLOW_UP, details=details)


def let_go(scene: Scene, purchase: Operation, reason: str) -> None:
    """Nothing of this authorization is awaited any more: a planned extension of it is dropped."""
    for operation in scene.siblings:
        is_planned = operation.kind == OperationKind.EXTEND and operation.status == OperationStatus.PLANNED
        if is_planned and operation.purchase_id == purchase.id:
            drop(operation, reason, scene.now)


def extend_succeeded(scene: Scene, extend: Operation, outcome: Succeeded) -> None:
    """The authorization ends later now; the next extension is planned before that end."""
    extend.status = OperationStatus.SUCCEEDED.value
    purchase = scene.operation(extend.purchase_id)
    before, purchase.expires_at = purchase.expires_at, outcome.expires_at or purchase.expires_at
    ends_at = purchase.expires_at.isoformat() if purchase.expires_at else None
    scene.tell("authorization.extended", invoice=scene.invoice.id.hex, expires_at=ends_at)
    # A provider that gives no later end has given all there is: asking again would ask for ever.
    moved = before is not None and purchase.expires_at is not None and purchase.expires_at > before
    if moved and purchase.authorization in _CAPTURABLE:
        keep_alive(scene, purchase)


def extend_refused(scene: Scene, extend: Operation) -> None:
    """The end stays where it is; whoever waits with the capture is told."""
    extend.status, extend.next_check_at, extend.settled_at = OperationStatus.DECLINED.value, None, scene.now
    scene.tell("authorization.not_extended", invoice=scene.invoice.id.hex, code=extend.answer_code)


def authorization_lost(scene: Scene, capture: Operation, authorization: Authorization) -> None:
    """A capture was refused, and the order says that its authorization ended with nothing captured.

    The first time the authorization is given up and purchased again at once, without a dunning step; after that, or
    where money was taken of it, a person decides and it stays live until then (charging rules, section 2).
    """
    purchase, invoice = scene.operation(capture.purchase_id), scene.invoice
    purchase.authorization, purchase.remaining = authorization.value, 0
    capture.next_check_at = None
    let_go(scene, purchase, "the authorization has ended")
    invoice.authorizations_lost += 1
    scene.tell("authorization.lost", invoice=invoice.id.hex, authorization=authorization.value)
    wanted = invoice.status == InvoiceStatus.OPEN and scene.subscription.status != SubscriptionStatus.ENDED
    if wanted and invoice.authorizations_lost > AUTHORIZATIONS_LOST_MAX:
        capture.status = OperationStatus.NEEDS_OPERATOR.value
        scene.tell("operation.needs_operator", operation=capture.id.hex, kind=capture.kind, code=capture.answer_code)
        return
    capture.status, capture.settled_at = OperationStatus.DECLINED.value, scene.now
    purchase.standing = Standing.DEAD.value
    purchase.dead_because = f"{LOST}{authorization} with nothing captured, read for operation {capture.id.hex}"
    for other in scene.siblings:
        if other.kind == OperationKind.CAPTURE and other.status == OperationStatus.PLANNED:
            drop(other, "the authorization has ended", scene.now)
    if wanted:
        scene.plan_purchase(Trigger.AUTHORIZATION_LOST, scene.now)
    else:
        scene.close_if_nobody_collects()


def _captures_by_itself(scene: Scene) -> bool:
    """Automatic, or on dispatch where there is nothing to be dispatched."""
    if scene.plan.capture == CaptureMode.ON_DISPATCH:
        lines = lines_of(scene.session, [scene.invoice.id]).get(scene.invoice.id, [])
        return not any(line.recognize == Recognize.DISPATCH for line in lines)
    return scene.plan.capture == CaptureMode.AUTOMATIC


def _captures_of_the_lost_one(scene: Scene, purchase: Operation) -> list[Operation]:
    """The captures that somebody asked of the authorization which this purchase replaces: they are still wanted."""
    lost = [
        op
        for op in scene.siblings
        if op.kind == OperationKind.PURCHASE and op.n < purchase.n and (op.dead_because or "").startswith(LOST)
    ]
    if not lost:
        return []
    ended = (OperationStatus.DECLINED, OperationStatus.DROPPED)
    captures = [op for op in scene.siblings if op.kind == OperationKind.CAPTURE and op.purchase_id == lost[-1].id]
    return [op for op in captures if op.status in ended and REPLACED not in op.details]
