"""A pending change: kept with its subscription until a boundary on or after its date, then the terms in force.

It may wait longer: for a token that was signed for the new interval, or for the customer's consent. Its own money,
if it had any, was dealt with when it was asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.periods import Interval, instant_of, local_date
from billing.store.accounts import ProviderAccount
from billing.store.batch import Batch
from billing.store.customers import StoredToken
from billing.store.plans import Consent, Price, PriceReplacement, Whom, items_of, replacement_of
from billing.store.subscriptions import Subscription
from billing.use_cases.renewal_pass import Pass

REPLACE = "replace"
"""The mode of a pending change that a replaced price brought about."""

_MONTHS = {Interval.MONTH: 1, Interval.YEAR: 12}
_DAYS = {Interval.DAY: 1, Interval.WEEK: 7}


class WaitsFor(StrEnum):
    """Why a change does not take effect though its date has come."""

    TOKEN = "token"  # noqa: S105  (a reason, not a secret)
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class PendingChange:
    """The price and quantities that a subscription has from the first boundary on or after `from_at` (UTC).

    `mode` is what was asked for, or `replace` where the price itself was replaced; `consent` what the customer is
    asked then.
    """

    price_id: UUID
    plan_id: UUID
    quantities: Mapping[str, int]
    from_at: datetime
    mode: str
    waits_for: WaitsFor | None = None
    consent: str = "none"

    def as_json(self) -> dict[str, Any]:
        """The form in which it stands in the subscription's row."""
        return {
            "price_id": self.price_id.hex,
            "plan_id": self.plan_id.hex,
            "quantities": dict(self.quantities),
            "from": self.from_at.isoformat(),
            "mode": self.mode,
            "reason": self.waits_for.value if self.waits_for else None,
            "consent": self.consent,
        }


@dataclass(frozen=True, slots=True)
class Follower:
    """The price that takes the place of another for everybody, with its articles."""

    replacement: PriceReplacement
    price: Price
    articles: frozenset[str]


def pending_change(subscription: Subscription) -> PendingChange | None:
    """What the row says, as a value."""
    row = subscription.pending_change
    if row is None:
        return None
    return PendingChange(
        UUID(row["price_id"]),
        UUID(row["plan_id"]),
        row["quantities"],
        datetime.fromisoformat(row["from"]),
        row["mode"],
        WaitsFor(row["reason"]) if row["reason"] else None,
        row["consent"],
    )


def take_up_change(here: Pass, subscription: Subscription) -> None:
    """Make a pending change that is due at this boundary the terms in force, unless it has to wait."""
    if subscription.pending_change is None:
        return
    pending, at = pending_change(subscription), subscription.next_period_at
    assert pending is not None, "a pending change was read"
    assert at is not None, "a boundary has its instant"
    if pending.from_at > at or pending.waits_for is WaitsFor.CONSENT:
        return
    price = here.session.get_one(Price, pending.price_id)
    if not token_covers(here.session, subscription, price):
        subscription.pending_change = {**subscription.pending_change, "reason": WaitsFor.TOKEN.value}
        return
    before = subscription.price_id
    put_terms(subscription, price, pending.quantities, local_date(at, subscription.zone))
    subscription.pending_change = None
    follower = following(here.session, price.id) if price.replaced_by_id is not None else None
    if follower is not None:
        announce(here.batch, subscription, follower)
    here.batch.event(
        subscription, "subscription.changed", mode=pending.mode, from_price=before.hex, to_price=price.id.hex
    )


def following(session: Session, price_id: UUID) -> Follower | None:
    """What takes the place of this price for everybody who has it, if anything does."""
    found = replacement_of(session, price_id)
    if found is None or found.whom != Whom.ALL:
        return None
    price = session.get_one(Price, found.new_price_id)
    return Follower(found, price, frozenset(item.article_number for item in items_of(session, [price.id])[price.id]))


def announce(batch: Batch, subscription: Subscription, follower: Follower) -> None:
    """Tell a subscription, which the caller holds locked, that its price will be replaced: the event is the notice.

    The new price holds from the first boundary on or after the replacement's date and the end of its notice, both local
    midnights.
    """
    found, price = follower.replacement, follower.price
    heard = local_date(batch.now, subscription.zone) + timedelta(days=found.notice_days)
    from_at = instant_of(max(found.from_date, heard), time.min, subscription.zone)
    quantities = {name: units for name, units in subscription.quantities.items() if name in follower.articles}
    waits_for = WaitsFor.CONSENT if found.consent == Consent.OPT_IN else None
    pending = PendingChange(price.id, price.plan_id, quantities, from_at, REPLACE, waits_for, found.consent)
    subscription.pending_change = pending.as_json()
    batch.event(
        subscription,
        "subscription.price_change_announced",
        from_price=found.price_id.hex,
        to_price=price.id.hex,
        from_date=found.from_date.isoformat(),
        effective_at=from_at.isoformat(),
        consent=found.consent,
    )


def put_terms(
    subscription: Subscription, price: Price, quantities: Mapping[str, int], on: date, *, new_anchor: bool = False
) -> None:
    """Set what the subscription has from now on; another calendar, or `new_anchor`, starts at the local day `on`."""
    moves = new_anchor or not same_calendar(subscription, price) or subscription.month_end != price.month_end
    subscription.plan_id, subscription.price_id = price.plan_id, price.id
    subscription.quantities = dict(quantities)
    subscription.interval, subscription.interval_count = price.interval, price.interval_count
    subscription.month_end = price.month_end
    if moves:
        subscription.anchor_no += 1
        subscription.anchor_date, subscription.anchor_day = on, on.day
        subscription.next_cycle_index = 0


def same_calendar(one: Subscription | Price, other: Price) -> bool:
    """Whether the boundaries of both fall on the same days: a year is 12 months, a week 7 days."""
    return _length(one.interval, one.interval_count) == _length(other.interval, other.interval_count)


def token_covers(session: Session, subscription: Subscription, price: Price) -> bool:
    """Whether the token was signed for this price's interval, or is not held to it.

    A token that came without its interval is taken at the merchant's word.
    """
    token = session.get(StoredToken, subscription.token_id) if subscription.token_id else None
    if token is None or token.signed_interval is None:
        return True
    signed = _length(token.signed_interval, token.signed_interval_count or 1)
    if signed == _length(price.interval, price.interval_count):
        return True
    return session.get_one(ProviderAccount, token.provider_account).token_covers_any_interval


def _length(interval: str, count: int) -> tuple[str, int]:
    unit = Interval(interval)
    return ("months", count * _MONTHS[unit]) if unit in _MONTHS else ("days", count * _DAYS[unit])
