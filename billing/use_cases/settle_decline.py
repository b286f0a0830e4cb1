"""What follows a dead purchase: past due, the plan's ladder, a sleeping token, the customer asked for another one.

Called by `settle` alone. Only a soft decline climbs the ladder; a start that waits for its first payment has none.
"""

from datetime import datetime

from billing.domain.dunning import (
    next_attempt_at,
    next_local_morning,
    reminders_at,
    suspended_ask_at,
    terminal_at,
)
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import Standing, Trigger
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, end_reason, next_status
from billing.store.invoices import DunningState, PaymentState
from billing.store.operations import Operation
from billing.use_cases.access import follow_state, withdraw
from billing.use_cases.settle_scene import Scene
from billing.use_cases.voiding import void


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
    was_waiting_for_its_start = subscription.status == SubscriptionStatus.PENDING
    _mark_declined(scene)
    if purchase.trigger == Trigger.DUNNING and reason == "soft":
        invoice.dunning_step += 1
    scene.tell("invoice.payment_failed", invoice=invoice.id.hex, reason=reason, code=code, attempt=purchase.n)
    if subscription.token_id != purchase.token_id:
        # A new token arrived while the old one was being charged: it gets its one attempt now.
        scene.plan_purchase(Trigger.NEW_TOKEN, scene.now)
    elif was_waiting_for_its_start:
        _not_started(scene, reason)
    else:
        _next_attempt(scene, reason)


def _mark_declined(scene: Scene) -> None:
    invoice, subscription = scene.invoice, scene.subscription
    invoice.payment_state = PaymentState.FAILED.value
    if invoice.first_declined_at is None:
        invoice.first_declined_at = scene.now
        invoice.overdue_at = invoice.overdue_at or scene.now
        if subscription.status != SubscriptionStatus.PENDING:
            invoice.exhausts_at = terminal_at(scene.ladder, scene.now, subscription.zone)
    after = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.DECLINED)
    if after != subscription.status:
        subscription.status = after.value
        scene.tell("subscription.past_due", invoice=invoice.id.hex)
        withdraw(scene.batch, subscription, scene.plan.grace_days)


def _not_started(scene: Scene, reason: str) -> None:
    """A start that waits for its first payment: a hard decline ends it, else its gate does (billing rules, 9)."""
    invoice, subscription = scene.invoice, scene.subscription
    if reason != "hard":
        invoice.dunning_state = DunningState.AWAITING_TOKEN.value
        return
    event = SubscriptionEvent.EXHAUSTED_CANCEL
    why = end_reason(SubscriptionStatus(subscription.status), event)
    subscription.status = next_status(SubscriptionStatus(subscription.status), event).value
    subscription.ended_at, subscription.end_reason = scene.now, why.value
    subscription.next_period_at = subscription.gate_expires_at = subscription.token_check_at = None
    scene.tell("subscription.ended", reason=why.value)
    follow_state(scene.batch, subscription)
    void(scene.session, scene.batch, subscription, invoice, scene.siblings, "the first payment was refused")


def _next_attempt(scene: Scene, reason: str) -> None:
    invoice = scene.invoice
    was_asked = invoice.dunning_state == DunningState.AWAITING_TOKEN
    if invoice.held_because is None:
        invoice.dunning_state = (DunningState.RETRYING if reason == "soft" else DunningState.AWAITING_TOKEN).value
    invoice.remind_at = invoice.remind_at if was_asked else None
    due_at = None
    if reason == "hard":
        _ask_for_a_token(scene)
    elif reason == "suspended":
        due_at = next_local_morning(scene.now, scene.subscription.zone, invoice.id)
        if not was_asked:
            invoice.remind_at = suspended_ask_at(scene.now, scene.subscription.zone, invoice.id)
    else:
        due_at = _rung(scene)
    if due_at is not None and (scene.subscription.cancel_at is None or due_at < scene.subscription.cancel_at):
        # While dunning is paused the attempt waits for the end of the pause.
        attempt_at = None if scene.dunning_is_paused else due_at
        scene.plan_purchase(Trigger.DUNNING, attempt_at, reads_token_first=reason == "suspended")


def _ask_for_a_token(scene: Scene) -> None:
    """At once, and again on days of the ladder that are still to come; nobody is charged meanwhile."""
    invoice, subscription = scene.invoice, scene.subscription
    assert invoice.first_declined_at is not None, "dunning starts with its first decline"
    asks = reminders_at(invoice.first_declined_at, subscription.zone, invoice.id, scene.plan.dunning_terminal_day)
    invoice.remind_at = min((at for at in asks if at > scene.now), default=None)
    scene.tell("invoice.token_requested", invoice=invoice.id.hex, reason="hard")


def _rung(scene: Scene) -> datetime | None:
    invoice = scene.invoice
    assert invoice.first_declined_at is not None, "a ladder starts with its first decline"
    return next_attempt_at(
        scene.ladder, invoice.dunning_step, invoice.first_declined_at, scene.now, scene.subscription.zone, invoice.id
    )
