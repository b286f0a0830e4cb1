"""What the answer to an amendment or a release changes: how much the authorization holds. Called by `settle` alone."""

from billing.domain.operations import Authorization, OperationStatus
from billing.ports import Succeeded
from billing.store.operations import Operation
from billing.use_cases.lowering import captured_of, resume_captures
from billing.use_cases.settle_authorization import let_go
from billing.use_cases.settle_decline import bury
from billing.use_cases.settle_scene import Scene


def amend_succeeded(scene: Scene, amend: Operation, _outcome: Succeeded) -> None:
    """The order is about the new amount: what is left of it is captured."""
    amend.status = OperationStatus.SUCCEEDED.value
    purchase = scene.operation(amend.purchase_id)
    purchase.remaining = amend.amount - captured_of(scene, purchase)
    resume_captures(scene, purchase)
    scene.tell("purchase.amended", invoice=scene.invoice.id.hex, amount=amend.amount)


def release_succeeded(scene: Scene, release: Operation, _outcome: Succeeded) -> None:
    """What was not captured is given back; a purchase of which nothing was captured is dead."""
    release.status = OperationStatus.SUCCEEDED.value
    purchase = scene.operation(release.purchase_id)
    purchase.authorization, purchase.remaining = Authorization.RELEASED.value, 0
    let_go(scene, purchase, "the rest of the authorization is given back")
    if captured_of(scene, purchase) == 0:
        bury(purchase, f"released by operation {release.id.hex}")
    scene.tell("purchase.released", invoice=scene.invoice.id.hex, amount=release.amount)
