"""Extend a running trial: its end moves, and with it where the paid calendar begins; with a preview."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Invalid, NotFound, TransitionNotAllowed
from billing.domain.periods import instant_of
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.ports import Ids
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.periods import PeriodKind, PeriodRow, latest_period
from billing.store.subscriptions import Subscription
from billing.use_cases.next_period import TOKEN_CHECK_BEFORE, next_span, period_draft
from billing.use_cases.opening import Books, Seller, read_books
from billing.use_cases.pausing import anchor_after_trial
from billing.use_cases.quoting import Quote, Signer, check_same, effective, quote
from billing.use_cases.recording import Record, nothing

TRIAL_DAYS_MAX = 730

_VERB = "extend_trial"


@dataclass(frozen=True, slots=True)
class TrialExtended:
    """The trial's new end, and the first period that is paid for; `first_total` in minor units of `currency`."""

    subscription_id: UUID
    ends_on: date
    ends_at: datetime
    first_starts_on: date
    first_ends_on: date
    first_total: int
    currency: str
    quote: Quote | None = None

    @property
    def money(self) -> dict[str, Any]:
        """What a quote of it freezes."""
        return {"total": self.first_total, "first": (self.first_starts_on, self.first_ends_on)}


def preview_extend_trial(
    database: Database, seller: Seller, sign: Signer, now: datetime, subscription_id: UUID, until: date
) -> TrialExtended:
    """What `extend_trial` would do at `now`, with a quote for it, and nothing of it done. Raises what it raises."""
    with database.tx() as session:
        subscription = _locked(session, subscription_id)
        trial = _running_trial(session, subscription, now)
        planned = _plan(read_books(session, [subscription], seller), subscription, trial, until)
        return replace(planned, quote=quote(sign, _VERB, subscription_id, until, now, planned.money))


def extend_trial(
    database: Database,
    ids: Ids,
    seller: Seller,
    sign: Signer,
    now: datetime,
    subscription_id: UUID,
    until: date,
    quote_id: str | None = None,
    record: Record[TrialExtended] = nothing,
) -> TrialExtended:
    """Let a running trial end on the local day `until` (not included) instead.

    Raises `NotFound`; `TransitionNotAllowed` where no trial runs or the subscription ends before; `Invalid` for a day
    that is no later than the present end, or more than two years of trial; what a quote raises.
    """
    with database.tx() as session:
        at, quoted = effective(sign, quote_id, _VERB, subscription_id, until, now)
        subscription = _locked(session, subscription_id)
        trial = _running_trial(session, subscription, max(at, now))
        books = read_books(session, [subscription], seller)
        planned = _plan(books, subscription, trial, until)
        if quoted is not None:
            check_same(quoted, planned.money)
        batch = Batch(ids, now)
        trial.end_date, trial.ends_at = planned.ends_on, planned.ends_at
        trial.full_days = trial.offset_days + (trial.end_date - trial.start_date).days
        _anchor(books, subscription, planned.ends_on, planned.ends_at)
        subscription.token_check_at = max(now, planned.ends_at - TOKEN_CHECK_BEFORE)
        batch.event(subscription, "subscription.trial_extended", ends_on=until.isoformat())
        batch.write(session)
        record(session, planned)
        return planned


def _locked(session: Session, subscription_id: UUID) -> Subscription:
    subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
    if subscription is None:
        raise NotFound("there is no such subscription")
    return subscription


def _running_trial(session: Session, subscription: Subscription, now: datetime) -> PeriodRow:
    next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.EXTEND_TRIAL)
    trial = latest_period(session, subscription.id)
    if trial is None or trial.kind != PeriodKind.TRIAL or trial.ends_at <= now:
        raise TransitionNotAllowed("the trial is over; only one that still runs can be extended")
    return trial


def _plan(books: Books, subscription: Subscription, trial: PeriodRow, until: date) -> TrialExtended:
    if until <= trial.end_date:
        raise Invalid(f"the trial ends on {trial.end_date}; a later day is needed", where="until")
    latest = trial.start_date + timedelta(days=TRIAL_DAYS_MAX - trial.offset_days)
    if until > latest:
        raise Invalid(f"a trial has at most {TRIAL_DAYS_MAX} days, to {latest}", where="until")
    ends_at = instant_of(until, time.min, subscription.zone)
    if subscription.cancel_at is not None and subscription.cancel_at < ends_at:
        raise TransitionNotAllowed(f"the subscription ends at {subscription.cancel_at.isoformat()}; undo that first")
    after = Subscription(**subscription.model_dump())
    _anchor(books, after, until, ends_at)
    span = next_span(after)
    return TrialExtended(
        subscription.id,
        until,
        ends_at,
        span.period.start_date,
        span.period.end_date,
        period_draft(books, after, span).total,
        books.offers[subscription.price_id].currency,
    )


def _anchor(books: Books, subscription: Subscription, ends_on: date, ends_at: datetime) -> None:
    anchor_after_trial(subscription, books.plans[subscription.plan_id].anchor_policy, ends_on, ends_at)
