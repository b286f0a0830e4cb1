"""What the steps of a renewal pass share: their transaction, their counts, and the rows that every step may write."""

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from uuid import UUID

from sqlmodel import Session

from billing.domain.brakes import DEFAULT_LIMITS, Limits
from billing.domain.periods import BillingCycle, Interval, Period
from billing.domain.subscriptions import EndReason, SubscriptionEvent, SubscriptionStatus, next_status
from billing.store.batch import Batch
from billing.store.periods import PeriodKind, PeriodRow
from billing.store.subscriptions import Subscription
from billing.use_cases.access import follow_state
from billing.use_cases.opening import Books

_TZDATA = version("tzdata")


@dataclass(slots=True)
class Renewed:
    """Counts of one run."""

    seen: int = 0
    periods: int = 0
    invoices: int = 0
    ended: int = 0
    reviewed: int = 0


@dataclass(frozen=True, slots=True)
class Pass:
    """One transaction of a renewal run: its session, what it writes, what it knows and what it counts."""

    session: Session
    batch: Batch
    books: Books
    run: Renewed
    limits: Limits = DEFAULT_LIMITS

    @property
    def now(self) -> datetime:
        return self.batch.now


@dataclass(frozen=True, slots=True)
class Span:
    """A period row about to be written. It starts on day `offset_days` of a whole of `full_days` local days."""

    kind: PeriodKind
    period: Period
    cycle_index: int | None
    full_days: int
    offset_days: int = 0
    reason: str | None = None
    decided_by: str | None = None
    zone: str | None = None
    """The customer's new zone, where this row is the first that it rules."""


def cycle_of(subscription: Subscription) -> BillingCycle:
    """The calendar in force."""
    return BillingCycle(
        Interval(subscription.interval),
        subscription.interval_count,
        subscription.anchor_date,
        subscription.anchor_day,
        subscription.month_end,
    )


def write_period(batch: Batch, subscription: Subscription, span: Span) -> UUID:
    """The next period row of a subscription, which the caller holds locked."""
    seq = subscription.next_seq
    subscription.next_seq += 1
    return batch.add(
        PeriodRow,
        subscription_id=subscription.id,
        seq=seq,
        anchor_no=subscription.anchor_no,
        cycle_index=span.cycle_index,
        kind=span.kind.value,
        start_date=span.period.start_date,
        end_date=span.period.end_date,
        starts_at=span.period.starts_at,
        ends_at=span.period.ends_at,
        full_days=span.full_days,
        offset_days=span.offset_days,
        original_ends_at=None,
        price_id=subscription.price_id,
        zone=subscription.zone,
        tzdata_version=_TZDATA,
        reason=span.reason,
        decided_by=span.decided_by,
        created_at=batch.now,
    )


def move(batch: Batch, subscription: Subscription, event: SubscriptionEvent, type_: str) -> None:
    """Take a transition and say so. Raises `TransitionNotAllowed`."""
    subscription.status = next_status(SubscriptionStatus(subscription.status), event).value
    batch.event(subscription, type_)
    follow_state(batch, subscription)


def end(batch: Batch, subscription: Subscription, event: SubscriptionEvent, reason: EndReason, at: datetime) -> None:
    """End a subscription for good. Raises `TransitionNotAllowed` where its state cannot end like that."""
    subscription.status = next_status(SubscriptionStatus(subscription.status), event).value
    subscription.ended_at, subscription.end_reason = at, reason.value
    subscription.next_period_at = subscription.token_check_at = subscription.pending_change = None
    subscription.pause_at = subscription.resume_at = None
    batch.event(subscription, "subscription.ended", reason=reason.value)
    follow_state(batch, subscription)


def send_to_review(batch: Batch, subscription: Subscription, reason: str, run: Renewed) -> None:
    """Out of every run until a person has looked."""
    subscription.review_reason = reason[:200]
    run.reviewed += 1
    batch.event(subscription, "subscription.needs_review", reason=reason[:200])
