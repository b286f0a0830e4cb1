"""What the answer to an amendment or a release changes: how much the authorization holds. Called by `settle` alone."""

from billing.domain.operations import Authorization, OperationStatus, OrderChange
from billing.ports import Succeeded
from billing.store.operations import Operation, drop
from billing.use_cases.lowering import (
    ADDRESS,
    ORDER_NUMBER,
    captured_of,
    change_of,
    resume_captures,
    take_only_what_is_owed,
)
from billing.use_cases.settle_authorization import let_go
from billing.use_cases.settle_decline import bury
from billing.use_cases.settle_scene import Scene


def amend_succeeded(scene: Scene, amend: Operation, _outcome: Succeeded) -> None:
    """The order is about the new amount, and what is left of it is captured; or it has its new number or address."""
    amend.status = OperationStatus.SUCCEEDED.value
    purchase, change = scene.operation(amend.purchase_id), change_of(amend)
    if change is OrderChange.AMOUNT:
        purchase.remaining = amend.amount - captured_of(scene, purchase)
        resume_captures(scene, purchase)
        scene.tell("purchase.amended", invoice=scene.invoice.id.hex, amount=amend.amount)
        return
    if change is OrderChange.ORDER_NUMBER:
        # Later calls about this order carry it too: an activation would put the old one back.
        purchase.details = {**purchase.details, ORDER_NUMBER: amend.details[ORDER_NUMBER]}
    forget_address(amend)
    scene.tell("order.changed", invoice=scene.invoice.id.hex, operation=amend.id.hex, changes=change.value)


def amend_refused(scene: Scene, amend: Operation) -> None:
    """The order stays as it is. Its captures then take no more than is owed, and the rest is given back."""
    if amend.status == OperationStatus.PLANNED:
        drop(amend, "it could not be sent", scene.now)
    else:
        amend.status, amend.next_check_at, amend.settled_at = OperationStatus.DECLINED.value, None, scene.now
    change = change_of(amend)
    if change is OrderChange.AMOUNT:
        take_only_what_is_owed(scene, scene.operation(amend.purchase_id))
    forget_address(amend)
    about = {"operation": amend.id.hex, "changes": change.value, "code": amend.answer_code}
    scene.tell("order.not_changed", invoice=scene.invoice.id.hex, **about)


def forget_address(amend: Operation) -> None:
    """Where the customer lives is kept no longer than the question about it is open; the digest of the bytes stays."""
    if change_of(amend) is OrderChange.ADDRESS:
        amend.details = {name: value for name, value in amend.details.items() if name != ADDRESS}
        if amend.status not in (OperationStatus.SENDING, OperationStatus.UNKNOWN):
            amend.request = None


def release_succeeded(scene: Scene, release: Operation, _outcome: Succeeded) -> None:
    """What was not captured is given back; a purchase of which nothing was captured is dead."""
    release.status = OperationStatus.SUCCEEDED.value
    purchase = scene.operation(release.purchase_id)
    purchase.authorization, purchase.remaining = Authorization.RELEASED.value, 0
    let_go(scene, purchase, "the rest of the authorization is given back")
    if captured_of(scene, purchase) == 0:
        bury(purchase, f"released by operation {release.id.hex}")
    scene.tell("purchase.released", invoice=scene.invoice.id.hex, amount=release.amount)
