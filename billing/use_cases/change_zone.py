"""Change the zone of a subscription: the running period ends as written, the next one is the first of the new zone.

A customer who moves does not take running subscriptions along by that alone: this is the one way to do it.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import NotFound, TransitionNotAllowed
from billing.domain.periods import check_zone, instant_of, local_date
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.ports import Ids
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.periods import latest_period
from billing.store.subscriptions import Subscription
from billing.use_cases.next_period import next_span
from billing.use_cases.quoting import Quote, Signer, check_same, effective, quote
from billing.use_cases.recording import Record, nothing
from billing.use_cases.renewal_pass import Span

_VERB = "zone"


@dataclass(frozen=True, slots=True)
class ZoneChanged:
    """From when the new zone rules (UTC), and the first period that it makes, in its own local dates.

    Both are None while the calendar stands still: then the zone rules from the next period, whenever that is.
    """

    subscription_id: UUID
    zone: str
    from_at: datetime | None
    first: Span | None
    quote: Quote | None = None

    @property
    def money(self) -> dict[str, Any]:
        """What a quote of it freezes: the whole price is due as ever, only its dates move."""
        period = self.first.period if self.first else None
        return {"total": 0, "first": period and (period.starts_at, period.ends_at)}


def preview_change_zone(
    database: Database, sign: Signer, now: datetime, subscription_id: UUID, zone: str
) -> ZoneChanged:
    """What `change_zone` would do at `now`, with a quote for it, and nothing of it done. Raises what it raises."""
    check_zone(zone)
    with database.tx() as session:
        after = Subscription(**_locked(session, subscription_id).model_dump())
        _move(session, after, zone, now)
        planned = _shown(after, zone)
        return replace(planned, quote=quote(sign, _VERB, subscription_id, zone, now, planned.money))


def change_zone(
    database: Database,
    ids: Ids,
    sign: Signer,
    now: datetime,
    subscription_id: UUID,
    zone: str,
    quote_id: str | None = None,
    record: Record[ZoneChanged] = nothing,
) -> ZoneChanged:
    """Let `zone` rule from the next period on; naming the zone in force again forgets a change that is pending.

    Raises `NotFound`, `Invalid` for what is no zone, `TransitionNotAllowed` for an ended subscription; what a quote
    raises.
    """
    check_zone(zone)
    with database.tx() as session:
        at, quoted = effective(sign, quote_id, _VERB, subscription_id, zone, now)
        subscription = _locked(session, subscription_id)
        _move(session, subscription, zone, at)
        planned = _shown(Subscription(**subscription.model_dump()), zone)
        if quoted is not None:
            check_same(quoted, planned.money)
        batch = Batch(ids, now)
        from_at = planned.from_at.isoformat() if planned.from_at is not None else None
        batch.event(subscription, "subscription.zone_changed", zone=zone, from_at=from_at)
        batch.write(session)
        record(session, planned)
        return planned


def _locked(session: Session, subscription_id: UUID) -> Subscription:
    subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
    if subscription is None:
        raise NotFound("there is no such subscription")
    if subscription.status == SubscriptionStatus.ENDED:
        raise TransitionNotAllowed("an ended subscription has no next period; subscribe again")
    return subscription


def _move(session: Session, subscription: Subscription, zone: str, now: datetime) -> None:
    next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.CHANGE_LATER)
    if latest_period(session, subscription.id) is not None:
        subscription.pending_zone = zone if zone != subscription.zone else None
        return
    # Nothing is written yet, so that the calendar is still free to begin in the new zone.
    anchor: date = local_date(subscription.starts_at, zone)
    subscription.zone, subscription.anchor_date, subscription.anchor_day = zone, anchor, anchor.day
    if subscription.starts_at <= now:
        subscription.next_period_at = instant_of(anchor, time.min, zone)


def _shown(after: Subscription, zone: str) -> ZoneChanged:
    starts_at = after.next_period_at
    if starts_at is None:
        return ZoneChanged(after.id, zone, None, None)
    return ZoneChanged(after.id, zone, starts_at, next_span(after))
