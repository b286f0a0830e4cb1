"""Subscriptions that a person must look at: the list, and one click that lets one run again."""

from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from billing.domain.errors import Conflict, NotFound
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.ports import Ids
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.subscriptions import Subscription
from billing.use_cases.catch_up import CATCH_UP, has_withheld
from billing.use_cases.look_up import Page, Slice
from billing.use_cases.pausing import COLLECT_AFTER_PAUSE, release_oldest
from billing.use_cases.recording import Record, nothing


def reviews(database: Database, part: Slice) -> Page[Subscription]:
    """The subscriptions that are out of every run until a person has looked."""
    query = select(Subscription).where(col(Subscription.review_reason).is_not(None)).order_by(col(Subscription.id))
    if part.after is not None:
        query = query.where(col(Subscription.id) > part.after)
    with database.tx() as session:
        rows = list(session.exec(query.limit(part.limit + 1)).all())
        following = rows[part.limit - 1].id if len(rows) > part.limit else None
        return Page(rows[: part.limit], following)


def clear_review(  # the verb's arguments
    database: Database,
    ids: Ids,
    now: datetime,
    subscription_id: UUID,
    reason: str,
    by: str,
    record: Record[Subscription] = nothing,
) -> Subscription:
    """Let a subscription run again; what failed is tried again at once.

    Raises `NotFound`, and `Conflict` where nothing is to be looked at or where periods that were withheld need a
    decision of their own.
    """
    with database.tx() as session:
        subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
        if subscription is None:
            raise NotFound("there is no such subscription")
        was = subscription.review_reason
        if was is None:
            raise Conflict("nobody has to look at this subscription")
        if was == CATCH_UP and has_withheld(session, subscription):
            raise Conflict("periods were withheld: decide with catch-up, by bill_each, bill_current or forgive")
        after = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.REVIEWED)
        subscription.status, subscription.review_reason, subscription.not_before = after.value, None, None
        batch = Batch(ids, now)
        if was == COLLECT_AFTER_PAUSE:
            release_oldest(session, subscription, now)
        batch.event(subscription, "subscription.reviewed", was=was, reason=reason, by=by)
        batch.write(session)
        record(session, subscription)
        return subscription
