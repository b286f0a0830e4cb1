"""Pause a subscription, now or at an instant, until a resume or by itself; with a preview from the same planner."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Conflict, Invalid, NotFound
from billing.domain.pauses import FrozenDays, PauseMode, check_pause, check_resume, resume_due_at
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.periods import PeriodRow, latest_period
from billing.store.plans import Plan
from billing.store.subscriptions import Subscription
from billing.use_cases.pausing import begin_pause, kept_days
from billing.use_cases.quoting import Quote, Signer, check_same, effective, quote
from billing.use_cases.recording import Record, nothing

_VERB = "pause"


@dataclass(frozen=True, slots=True)
class PauseRequest:
    """How to pause, from when (None: now) until when (None: until resumed, or as long as the plan allows).

    `bills_stub` is for `skip`: on resume the rest of the period that was skipped is billed.
    """

    mode: PauseMode = PauseMode.FREEZE
    at: datetime | None = None
    resume_at: datetime | None = None
    bills_stub: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """What a pause does or would do: no money moves. `frozen` are the days that are kept, as far as they are known.

    `starts_now` is False where the renewal loop begins it: later, or once what is due before it is done.
    """

    subscription_id: UUID
    mode: PauseMode
    effective_at: datetime
    starts_now: bool
    resume_at: datetime | None
    frozen: FrozenDays | None
    waiting_invoice_ids: tuple[UUID, ...]
    quote: Quote | None = None

    @property
    def money(self) -> dict[str, Any]:
        """What a quote of it freezes."""
        return {"total": 0, "mode": self.mode, "frozen": self.frozen and list(self.frozen)}


def preview_pause(
    database: Database, sign: Signer, now: datetime, subscription_id: UUID, request: PauseRequest
) -> Pause:
    """What `pause` would do at `now`, with a quote for it, and nothing of it done. Raises what `pause` raises."""
    with database.tx() as session:
        planned = _plan(session, _locked(session, subscription_id), request, now)
        return replace(planned, quote=quote(sign, _VERB, subscription_id, request, now, planned.money))


def pause(
    database: Database,
    ids: Ids,
    sign: Signer,
    now: datetime,
    subscription_id: UUID,
    request: PauseRequest,
    quote_id: str | None = None,
    record: Record[Pause] = nothing,
) -> Pause:
    """Pause a subscription; one that was scheduled before is replaced.

    Raises `NotFound`; `Invalid` for the past, for an end before the beginning and beyond the plan's longest pause;
    `TransitionNotAllowed` in a state that cannot pause, inside the minimum term, and from its end on; `Conflict` before
    its first period; `QuoteInvalid`, `QuoteExpired` and `QuoteStale`.
    """
    with database.tx() as session:
        at, quoted = effective(sign, quote_id, _VERB, subscription_id, request, now)
        subscription = _locked(session, subscription_id)
        planned = _plan(session, subscription, request, at)
        if quoted is not None:
            check_same(quoted, planned.money)
        batch = Batch(ids, now)
        subscription.pause_at, subscription.pause_mode = planned.effective_at, planned.mode.value
        subscription.resume_at, subscription.pause_bills_stub = planned.resume_at, request.bills_stub
        if planned.starts_now:
            begin_pause(session, batch, subscription, planned.mode, planned.effective_at)
        else:
            batch.event(subscription, "subscription.pause_scheduled", pause_at=planned.effective_at.isoformat())
        batch.write(session)
        record(session, planned)
        return planned


def undo_pause(
    database: Database, ids: Ids, now: datetime, subscription_id: UUID, record: Record[Subscription] = nothing
) -> Subscription:
    """Forget a pause that has not begun. Raises `NotFound`, and `Conflict` where none is scheduled."""
    with database.tx() as session:
        subscription = _locked(session, subscription_id)
        if subscription.pause_at is None:
            raise Conflict("no pause is scheduled; one that has begun is ended with resume")
        batch = Batch(ids, now)
        subscription.pause_at = subscription.resume_at = subscription.pause_mode = None
        subscription.pause_bills_stub = False
        batch.event(subscription, "subscription.pause_undone")
        batch.write(session)
        record(session, subscription)
        return subscription


def _locked(session: Session, subscription_id: UUID) -> Subscription:
    subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
    if subscription is None:
        raise NotFound("there is no such subscription")
    return subscription


def _plan(session: Session, subscription: Subscription, request: PauseRequest, now: datetime) -> Pause:
    """The decision, from locked rows: nothing is changed here."""
    next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.PAUSE)
    if request.bills_stub and request.mode is not PauseMode.SKIP:
        raise Invalid(f"a pause of mode {request.mode} skips no period; only skip can bill a part", where="bill_stub")
    at = request.at or now
    plan = session.get_one(Plan, subscription.plan_id)
    check_pause(at, now, subscription.cancel_at, subscription.minimum_ends_at, plan.pause_in_minimum_term)
    resume_at = resume_due_at(at, request.resume_at, plan.pause_days_max, subscription.zone)
    if request.resume_at is not None:
        check_resume(request.resume_at, now, subscription.cancel_at)
    period = latest_period(session, subscription.id)
    if period is None:
        raise Conflict("the first period has not begun; a pause is possible from then on")
    return Pause(
        subscription.id,
        request.mode,
        at,
        _starts_now(subscription, at, now),
        resume_at,
        _frozen(period, request.mode, at),
        tuple(row.id for row in invoice_store.open_invoices(session, [subscription.id]).get(subscription.id, [])),
    )


def _starts_now(subscription: Subscription, at: datetime, now: datetime) -> bool:
    """A period that should be open by then is opened first, by the renewal loop; on its boundary the pause wins."""
    return at <= now and (subscription.next_period_at is None or subscription.next_period_at >= at)


def _frozen(period: PeriodRow, mode: PauseMode, at: datetime) -> FrozenDays | None:
    inside = period.starts_at <= at <= period.ends_at
    return kept_days(period, at) if mode is PauseMode.FREEZE and inside else None
