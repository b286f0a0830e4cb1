"""What the answer to a purchase changes: the authorization, the invoice's dunning, the next operation.

Called by `settle` alone. A decline kills the authorization and may plan purchase n+1; a success plans the capture, or
the void where the invoice is no longer wanted.
"""

from datetime import timedelta

from billing.domain.dunning import Ladder, next_attempt_at, next_local_morning, terminal_at
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import (
    CAPTURE_DELAY,
    Authorization,
    OperationKind,
    OperationStatus,
    Standing,
    Trigger,
)
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.ports import Declined, Succeeded
from billing.store.customers import TokenStatus, set_token_status
from billing.store.invoices import DunningState, PaymentState
from billing.store.operations import Operation
from billing.use_cases.settle_scene import Scene

REVIEW_POLLS = (timedelta(hours=1), timedelta(hours=4), timedelta(hours=8), timedelta(hours=24))
"""When an authorization under the provider's review is looked at again, after it was settled."""

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
    if scene.subscription.status == SubscriptionStatus.TRIALING:
        scene.subscription.status = next_status(SubscriptionStatus.TRIALING, SubscriptionEvent.TRIAL_ENDED).value
        scene.batch.event(scene.subscription, "subscription.activated")
    scene.plan_follow_up(
        OperationKind.CAPTURE, purchase, purchase.amount, scene.now + CAPTURE_DELAY, trigger=Trigger.FOLLOW_UP
    )
    scene.batch.event(scene.subscription, "purchase.authorized", invoice=scene.invoice.id.hex, amount=purchase.amount)


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
    """What reading an order under review said: accepted, rejected, or ask again; a person after 24 hours."""
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
        purchase.next_check_at = min(later) if later else None
        if not later:
            purchase.status, purchase.answer_code = OperationStatus.NEEDS_OPERATOR.value, "REVIEW_OVERDUE"
            scene.batch.event(
                scene.subscription, "operation.needs_operator", operation=purchase.id.hex, code=purchase.answer_code
            )


def bury(purchase: Operation, proof: str) -> None:
    """Free the invoice for another purchase; `proof` says why this one can never take money."""
    purchase.standing = Standing.DEAD.value
    purchase.dead_because = proof[:200]
    purchase.next_check_at = None


def climb(scene: Scene, purchase: Operation, reason: str, code: str | None) -> None:
    """The step on the dunning ladder after a dead purchase; `reason` is `soft`, `hard` or `suspended`."""
    invoice, subscription = scene.invoice, scene.subscription
    if invoice.status != InvoiceStatus.OPEN or subscription.status == SubscriptionStatus.ENDED:
        scene.close_if_nobody_collects()
        return
    _mark_past_due(scene)
    if purchase.trigger == Trigger.DUNNING and reason == "soft":
        invoice.dunning_step += 1
    if subscription.token_id != purchase.token_id:
        # A new token arrived while the old one was being charged: it gets its one attempt now.
        scene.plan_purchase(Trigger.NEW_TOKEN, scene.now)
    else:
        _next_attempt(scene, reason)
    scene.batch.event(
        subscription, "invoice.payment_failed", invoice=invoice.id.hex, reason=reason, code=code, attempt=purchase.n
    )


def _mark_past_due(scene: Scene) -> None:
    invoice, subscription = scene.invoice, scene.subscription
    invoice.payment_state = PaymentState.FAILED.value
    if invoice.first_declined_at is None:
        invoice.first_declined_at = scene.now
        invoice.exhausts_at = terminal_at(Ladder(), scene.now, subscription.zone)
    after = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.DECLINED)
    if after != subscription.status:
        subscription.status = after.value
        scene.batch.event(subscription, "subscription.past_due", invoice=invoice.id.hex)


def _next_attempt(scene: Scene, reason: str) -> None:
    invoice, subscription = scene.invoice, scene.subscription
    invoice.dunning_state = (DunningState.RETRYING if reason == "soft" else DunningState.AWAITING_TOKEN).value
    if reason == "hard":
        return
    if reason == "suspended":
        due_at = next_local_morning(scene.now, subscription.zone, invoice.id)
    else:
        assert invoice.first_declined_at is not None, "a ladder starts with its first decline"
        next_at = next_attempt_at(
            Ladder(), invoice.dunning_step, invoice.first_declined_at, scene.now, subscription.zone, invoice.id
        )
        if next_at is None:
            return
        due_at = next_at
    if subscription.cancel_at is None or due_at < subscription.cancel_at:
        scene.plan_purchase(Trigger.DUNNING, due_at, reads_token_first=reason == "suspended")
