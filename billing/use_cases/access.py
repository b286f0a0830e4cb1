"""What a customer may use, kept beside the subscription's state: full, grace for a while, none.

The rule is the domain's (`access_after`); here it is written, with one event a transition, in the caller's transaction.
"""

from datetime import timedelta

from billing.domain.pauses import PauseMode
from billing.domain.subscriptions import Access, SubscriptionStatus, access_after
from billing.store.batch import Batch
from billing.store.subscriptions import Subscription


def withdraw(batch: Batch, subscription: Subscription, grace_days: int) -> None:
    """The subscription has just become past due: grace for `grace_days` from now, then nothing."""
    if subscription.grace_ends_at is None and subscription.access == Access.FULL and grace_days > 0:
        subscription.grace_ends_at = batch.now + timedelta(days=grace_days)
    follow_state(batch, subscription)


def grant(batch: Batch, subscription: Subscription) -> None:
    """The subscription is in order again: whatever its state allows, and no grace that runs."""
    subscription.grace_ends_at = None
    follow_state(batch, subscription)


def grace_over(batch: Batch, subscription: Subscription) -> None:
    """The grace has run out: called by whoever finds `grace_ends_at` due. A recovered subscription keeps its access."""
    follow_state(batch, subscription)
    subscription.grace_ends_at = None


def follow_state(batch: Batch, subscription: Subscription) -> None:
    """Bring access in line with the state and the grace; an event where it changes. The caller holds the row locked."""
    status = SubscriptionStatus(subscription.status)
    pause = PauseMode(subscription.pause_mode) if subscription.pause_mode else None
    after = access_after(status, subscription.grace_ends_at, batch.now, pause)
    if after is Access.NONE:
        subscription.grace_ends_at = None
    if after != subscription.access:
        before, subscription.access = subscription.access, after.value
        batch.event(subscription, "subscription.access_changed", before=before, access=after.value)
