"""A purchase that proved never to have been received: it is dead, and the next one takes its place. Called by `settle`
alone.
"""

from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import OperationStatus, Trigger
from billing.domain.subscriptions import SubscriptionStatus
from billing.store.invoices import PaymentState
from billing.store.operations import Operation
from billing.use_cases.settle_decline import bury
from billing.use_cases.settle_scene import Scene


def never_received(scene: Scene, purchase: Operation) -> None:
    """Purchase n+1 at once, in the place of this one: nobody declined anything, so that no dunning step is spent.

    The proof stands in the observations (charging rules, section 3).
    """
    invoice = scene.invoice
    purchase.status, purchase.settled_at = OperationStatus.DECLINED.value, scene.now
    bury(purchase, "never received: not found twice, while another one that was accepted was found")
    invoice.payment_state = (PaymentState.FAILED if invoice.first_declined_at else PaymentState.NONE).value
    scene.tell("purchase.never_received", invoice=invoice.id.hex, operation=purchase.id.hex)
    scene.close_if_nobody_collects()
    is_over = scene.subscription.cancel_at is not None and scene.subscription.cancel_at <= scene.now
    if invoice.status == InvoiceStatus.OPEN and scene.subscription.status != SubscriptionStatus.ENDED and not is_over:
        scene.plan_purchase(Trigger(purchase.trigger), None if scene.dunning_is_paused else scene.now)
