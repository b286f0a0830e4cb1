"""What the answer to a purchase changes: the authorization, the subscription's state, the way to its capture.

Called by `settle` alone. A success plans the capture, or the void where the invoice is no longer wanted; a decline
kills the authorization, and what follows is dunning (`settle_decline.py`).
"""

from datetime import timedelta

from billing.domain.decisions import REVIEW_OVERDUE
from billing.domain.invoicing import InvoiceStatus
from billing.domain.looks import first_look_at
from billing.domain.operations import Authorization, OperationKind, OperationStatus, Trigger
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Declined, Succeeded
from billing.store.customers import TokenStatus, set_token_status
from billing.store.invoices import PaymentState
from billing.store.operations import Operation
from billing.use_cases.settle_authorization import plan_captures
from billing.use_cases.settle_decline import bury, climb
from billing.use_cases.settle_follow_up import start
from billing.use_cases.settle_scene import Scene

REVIEW_POLLS = (timedelta(hours=1), timedelta(hours=4), timedelta(hours=8), timedelta(hours=24))
"""When an authorization under the provider's review is looked at again, after it was settled."""

OVERDUE_POLL = timedelta(days=1)
"""How often it is looked at after that."""

AUTHORIZATION_LIFE = timedelta(days=28)
"""The provider's default life of an authorization; its own date replaces this when the order is read."""


def purchase_succeeded(scene: Scene, purchase: Operation, outcome: Succeeded) -> None:
    """The provider holds an authorization for us: `authorized`, or `pending_review`."""
    purchase.status = OperationStatus.SUCCEEDED.value
    purchase.provider_id = outcome.provider_id
    purchase.authorization = outcome.authorization or Authorization.AUTHORIZED.value
    purchase.remaining = purchase.amount
    purchase.expires_at = outcome.expires_at or scene.now + AUTHORIZATION_LIFE
    if purchase.authorization == Authorization.PENDING_REVIEW:
        purchase.next_check_at = scene.now + REVIEW_POLLS[0]
        scene.invoice.payment_state = PaymentState.PENDING.value
        return
    authorized(scene, purchase)


def authorized(scene: Scene, purchase: Operation) -> None:
    """The authorization stands: take the money later, or give it back where nobody wants it any more."""
    purchase.authorization = Authorization.AUTHORIZED.value
    unwanted = scene.invoice.status != InvoiceStatus.OPEN or scene.subscription.status == SubscriptionStatus.ENDED
    if unwanted:
        scene.plan_follow_up(OperationKind.VOID, purchase, purchase.amount, scene.now, trigger=Trigger.CANCEL)
        return
    scene.invoice.payment_state = PaymentState.PENDING.value
    scene.invoice.remind_at = None
    start(scene)
    plan_captures(scene, purchase)
    purchase.look_at = first_look_at(purchase.id, scene.now)
    scene.tell("purchase.authorized", invoice=scene.invoice.id.hex, amount=purchase.amount)


def purchase_declined(scene: Scene, purchase: Operation, outcome: Declined) -> None:
    """A documented refusal: this authorization is dead, and the ladder says what follows."""
    purchase.status = OperationStatus.DECLINED.value
    bury(purchase, f"declined: {outcome.answer.code}")
    if outcome.reason == "hard" and outcome.answer.code != "UNAVAILABLE_PAYMENT_METHOD" and purchase.token_id:
        set_token_status(scene.session, [purchase.token_id], TokenStatus.REVOKED)
    if outcome.reason == "suspended" and purchase.token_id:
        set_token_status(scene.session, [purchase.token_id], TokenStatus.SUSPENDED)
    climb(scene, purchase, outcome.reason, outcome.answer.code)


def under_review(purchase: Operation) -> bool:
    """Whether the provider took the purchase but has not yet decided to honor it."""
    return purchase.authorization == Authorization.PENDING_REVIEW and purchase.status == OperationStatus.SUCCEEDED


def reviewed(scene: Scene, purchase: Operation, news: object) -> None:
    """What reading an order under review said: accepted, rejected, or ask again; daily, and beside a person, after
    24 hours.
    """
    if isinstance(news, Succeeded | Declined) and purchase.answer_code == REVIEW_OVERDUE:
        purchase.answer_code = None
    if isinstance(news, Succeeded):
        purchase.next_check_at, purchase.expires_at = None, news.expires_at or purchase.expires_at
        authorized(scene, purchase)
    elif isinstance(news, Declined):
        purchase.authorization = Authorization.REJECTED.value
        bury(purchase, "rejected by the provider's review")
        climb(scene, purchase, news.reason, news.answer.code)
    else:
        settled_at = purchase.settled_at or scene.now
        later = [settled_at + wait for wait in REVIEW_POLLS if settled_at + wait > scene.now]
        purchase.next_check_at = min(later) if later else scene.now + OVERDUE_POLL
        if not later and purchase.answer_code != REVIEW_OVERDUE:
            # The call is a success and stays one; that nobody decides about it is for a person to hear.
            purchase.answer_code = REVIEW_OVERDUE
            scene.tell("purchase.review_overdue", invoice=scene.invoice.id.hex, operation=purchase.id.hex)
