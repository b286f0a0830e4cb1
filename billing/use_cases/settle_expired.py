"""A capture that came too late where no order can be read: the older generation's reservations, which can be brought
back. Called by `settle` alone, under the invoice's lock.

The refusal does not say whether the reservation expired, was canceled or was activated by somebody else. One extension
tells (charging rules, section 2): granted, the capture goes out again; declined for credit, the authorization is over;
refused in any other way a person looks, since money may have been taken in the provider's own portal.
"""

from collections.abc import Sequence
from typing import Any

from billing.domain.operations import (
    MAY_BE_HAPPENING,
    WITHOUT_A_KEY,
    Authorization,
    OperationKind,
    OperationStatus,
    Trigger,
)
from billing.ports import Declined, Refused, Succeeded
from billing.store.operations import Operation, drop
from billing.use_cases.lowering import RESUMES_AT, WAITS_FOR_EXTENSION, captured_of, moves_the_claim
from billing.use_cases.settle_authorization import LOST, REPLACED, extend_refused, extend_succeeded
from billing.use_cases.settle_decline import bury, climb
from billing.use_cases.settle_scene import Scene

WAS_EXTENDED = "was_extended"
"""Where a capture remembers that its reservation was extended for it: that is done once."""


def may_be_extended(scene: Scene, capture: Operation, news: Declined | Refused) -> bool:
    """Whether a refused capture goes out again after an extension: once, and only where it was sent once."""
    if scene.generation != WITHOUT_A_KEY or not isinstance(news, Refused) or not news.may_have_ended:
        return False
    if capture.kind != OperationKind.CAPTURE or capture.sends != 1 or WAS_EXTENDED in capture.details:
        return False
    extensions = _extensions(scene, scene.operation(capture.purchase_id))
    return all(op.status != OperationStatus.NEEDS_OPERATOR for op in extensions)


def extend_first(scene: Scene, capture: Operation) -> None:
    """Plan the refused capture once more, behind one extension of its reservation that is planned for now."""
    purchase = scene.operation(capture.purchase_id)
    capture.status, capture.settled_at, capture.next_check_at = OperationStatus.DECLINED.value, scene.now, None
    marks = {WAITS_FOR_EXTENSION: True, WAS_EXTENDED: True}
    scene.plan_follow_up(
        OperationKind.CAPTURE,
        purchase,
        capture.amount,
        None,
        trigger=Trigger.FOLLOW_UP,
        details={**capture.details, **marks},
    )
    capture.details = {**capture.details, REPLACED: True}
    scene.tell("authorization.may_have_ended", invoice=scene.invoice.id.hex, code=capture.answer_code)
    _extend_now(scene, purchase)


def extension_succeeded(scene: Scene, extend: Operation, outcome: Succeeded) -> None:
    """The authorization ends later now; the captures that waited for that go out again."""
    extend_succeeded(scene, extend, outcome)
    purchase = scene.operation(extend.purchase_id)
    amended = any(
        op.kind == OperationKind.AMEND and op.status == OperationStatus.PLANNED and moves_the_claim(op)
        for op in scene.siblings
    )
    for capture in _waiting(scene, purchase):
        capture.status = OperationStatus.PLANNED.value
        capture.details = {**_without_marks(capture), WAS_EXTENDED: True}
        if amended:
            capture.details = {**capture.details, RESUMES_AT: scene.now.isoformat()}
        else:
            capture.due_at = scene.now


def extension_refused(scene: Scene, extend: Operation, news: Declined | Refused) -> None:
    """The end stays where it is. Where a capture waited, a credit decline ends the authorization: a soft decline."""
    extend_refused(scene, extend)
    purchase = scene.operation(extend.purchase_id)
    waiting = _waiting(scene, purchase)
    if not waiting:
        return
    if not isinstance(news, Declined) or captured_of(scene, purchase):
        # Canceled or captured by somebody else, or taken in part: no machine may charge again.
        ask_a_person_about(scene, waiting)
        return
    for capture in waiting:
        capture.details = _without_marks(capture)
        if capture.status == OperationStatus.PLANNED:
            drop(capture, "the authorization has expired", scene.now)
    purchase.authorization, purchase.remaining = Authorization.EXPIRED.value, 0
    bury(purchase, f"{LOST}expired; operation {extend.id.hex} to bring it back was declined: {news.answer.code}")
    scene.tell("authorization.lost", invoice=scene.invoice.id.hex, authorization=purchase.authorization)
    climb(scene, purchase, "soft", news.answer.code)


def give_up_waiting(scene: Scene, extend: Operation) -> None:
    """Nobody knows what became of the extension: what waited for it goes to a person with it."""
    ask_a_person_about(scene, _waiting(scene, scene.operation(extend.purchase_id)))


def ask_a_person_about(scene: Scene, captures: Sequence[Operation]) -> None:
    """Each of these captures needs a person's word."""
    for capture in captures:
        if capture.status == OperationStatus.PLANNED:
            capture.status, capture.due_at = OperationStatus.NEEDS_OPERATOR.value, None
            about = {"operation": capture.id.hex, "kind": capture.kind, "code": capture.answer_code}
            scene.tell("operation.needs_operator", **about)


def _extend_now(scene: Scene, purchase: Operation) -> None:
    coming = [op for op in _extensions(scene, purchase) if op.status in (OperationStatus.PLANNED, *MAY_BE_HAPPENING)]
    for extend in coming:
        if extend.status == OperationStatus.PLANNED:
            extend.due_at = scene.now
    # Another capture of the same reservation may have been refused a moment ago.
    gathered = scene.batch.rows.get(Operation, ())
    if coming or any(row["kind"] == OperationKind.EXTEND and row["purchase_id"] == purchase.id for row in gathered):
        return
    details = {"ends_at": (purchase.expires_at or scene.now).isoformat()}
    scene.plan_follow_up(OperationKind.EXTEND, purchase, 0, scene.now, trigger=Trigger.FOLLOW_UP, details=details)


def _without_marks(capture: Operation) -> dict[str, Any]:
    return {name: value for name, value in capture.details.items() if name not in (WAITS_FOR_EXTENSION, WAS_EXTENDED)}


def _extensions(scene: Scene, purchase: Operation) -> list[Operation]:
    return [op for op in scene.siblings if op.kind == OperationKind.EXTEND and op.purchase_id == purchase.id]


def _waiting(scene: Scene, purchase: Operation) -> list[Operation]:
    open_ones = (OperationStatus.PLANNED, OperationStatus.NEEDS_OPERATOR)
    captures = (op for op in scene.siblings if op.kind == OperationKind.CAPTURE and op.purchase_id == purchase.id)
    return [op for op in captures if op.status in open_ones and WAITS_FOR_EXTENSION in op.details]
