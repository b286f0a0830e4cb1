"""Cancel: a subscription ends now, at the end of its period, or at a date; the last two can be undone until then.

Preview and cancel share one planner, so that what is shown is what is done. What may be happening at the provider when
it ends is undone once it is settled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.credits import CreditDraft
from billing.domain.errors import Conflict, Invalid, NotFound, TransitionNotAllowed
from billing.domain.pauses import PauseMode
from billing.domain.periods import instant_of, local_date
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.domain.terms import check_end
from billing.ports import Ids
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.subscriptions import Subscription
from billing.use_cases.ending import (
    CreditPolicy,
    EndCase,
    Ending,
    EndTerms,
    InvoiceCredit,
    carry_out_end,
    planned_end,
    read_end,
)
from billing.use_cases.quoting import Quote, Signer, check_same, effective, quote
from billing.use_cases.recording import Record, nothing
from billing.use_cases.renewal_pass import cycle_of

__all__ = [
    "CancelAt",
    "CancelRequest",
    "Cancellation",
    "CreditPolicy",
    "cancel",
    "preview_cancel",
    "undo_cancel",
]

WITHDRAWAL_DAYS = 14
"""How long a consumer in the EU may withdraw from a contract made at a distance (billing rules, section 5)."""

_VERB = "cancel"
_NOT_YET_BOUND = (SubscriptionStatus.PENDING, SubscriptionStatus.TRIALING)


class CancelAt(StrEnum):
    NOW = "now"
    PERIOD_END = "period_end"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """When, what of the paid days is given back (None: as the plan says), which units of goods were not shipped.

    `ends_at` or the local day `ends_on` go with `CancelAt.DATE`. A withdrawal gives back everything. An operator
    passes over minimum term, notice and the days of withdrawal with a reason, `override`.
    """

    at: CancelAt
    credit: CreditPolicy | None = None
    unshipped: Mapping[str, int] = field(default_factory=dict)
    note: str | None = None
    ends_at: datetime | None = None
    ends_on: date | None = None
    is_withdrawal: bool = False
    override: str | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What a cancel does or would do; an end that lies ahead computes its credit then, and shows none."""

    subscription_id: UUID
    at: CancelAt
    effective_at: datetime
    policy: CreditPolicy
    credits: tuple[InvoiceCredit, ...]
    used_days: int | None
    of_days: int | None
    voided_invoice_ids: Sequence[UUID]
    quote: Quote | None = None

    @property
    def credit(self) -> CreditDraft:
        """All that is given back, line by line."""
        return CreditDraft(tuple(line for credit in self.credits for line in credit.draft.lines))

    @property
    def money(self) -> dict[str, Any]:
        """What a quote of it freezes."""
        return {
            "total": self.credit.total,
            "lines": [(line.line_id, line.amount, line.tax_amount, line.quantity) for line in self.credit.lines],
            "effects": [(credit.invoice_id, credit.effect) for credit in self.credits],
            "void": list(self.voided_invoice_ids),
        }


class _NoIds:
    """A preview writes nothing, and so draws no ids."""

    def new(self) -> UUID:
        raise AssertionError("a preview drew an id")

    def secret(self, size: int) -> bytes:
        raise AssertionError(f"a preview drew {size} bytes")


def preview_cancel(
    database: Database, now: datetime, subscription_id: UUID, request: CancelRequest, sign: Signer | None = None
) -> Cancellation:
    """What `cancel` would do at `now`, with a quote where `sign` is given. Raises what `cancel` raises."""
    with database.tx() as session:
        case = _read(session, subscription_id, request)
        planned, _ = _plan(Batch(_NoIds(), now), case, request, now)
        if sign is None:
            return planned
        return replace(planned, quote=quote(sign, _VERB, subscription_id, request, now, planned.money))


def cancel(  # the same arguments as the preview, and what to record
    database: Database,
    ids: Ids,
    now: datetime,
    subscription_id: UUID,
    request: CancelRequest,
    record: Record[Cancellation] = nothing,
    *,
    sign: Signer | None = None,
    quote_id: str | None = None,
) -> Cancellation:
    """End a subscription.

    Raises `NotFound`; `TransitionNotAllowed` for one that has ended, inside minimum term and notice, and after the days
    of withdrawal; `OutcomeUnknown` while a capture may be under way; `Invalid` for the past, or `CreditExceedsLine`
    for units that cannot be credited; `QuoteInvalid`, `QuoteExpired` and `QuoteStale`.
    """
    assert sign is not None or quote_id is None, "a quote is read with what signed it"
    with database.tx() as session:
        at, quoted = effective(sign, quote_id, _VERB, subscription_id, request, now) if sign else (now, None)
        case = _read(session, subscription_id, request)
        batch = Batch(ids, now)
        planned, ending = _plan(batch, case, request, at)
        if quoted is not None:
            check_same(quoted, planned.money)
        if ending is None:
            _mark_end(batch, case, planned, request)
        else:
            terms = _terms(case, request)
            event = SubscriptionEvent.CANCEL_NOW
            planned = replace(planned, credits=carry_out_end(batch, case, terms, ending, event).credits)
            case.subscription.cancel_terms = None
        if request.override is not None:
            batch.event(case.subscription, "subscription.terms_overridden", reason=request.override)
        batch.write(session)
        record(session, planned)
        return planned


def undo_cancel(
    database: Database, ids: Ids, now: datetime, subscription_id: UUID, record: Record[Subscription] = nothing
) -> Subscription:
    """Let a subscription go on that was to end.

    Raises `NotFound`, `TransitionNotAllowed` where it has ended, and `Conflict` where no end lies ahead.
    """
    with database.tx() as session:
        subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
        if subscription is None:
            raise NotFound("there is no such subscription")
        after = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.UNDO_CANCEL)
        if subscription.cancel_at is None:
            raise Conflict("no end is scheduled, so there is nothing to undo")
        if subscription.cancel_at <= now:
            raise Conflict(f"the end was at {subscription.cancel_at.isoformat()}; subscribe again")
        batch = Batch(ids, now)
        subscription.status, subscription.cancel_at, subscription.cancel_terms = after.value, None, None
        batch.event(subscription, "subscription.cancel_undone")
        batch.write(session)
        record(session, subscription)
        return subscription


def _read(session: Session, subscription_id: UUID, request: CancelRequest) -> EndCase:
    subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
    if subscription is None:
        raise NotFound("there is no such subscription")
    return read_end(session, subscription, every_invoice=request.is_withdrawal)


def _plan(batch: Batch, case: EndCase, request: CancelRequest, now: datetime) -> tuple[Cancellation, Ending | None]:
    """The decision, from locked rows: nothing is changed here. No `Ending` where the end lies ahead."""
    _check_fields(request)
    ends_at = _ends_at(case, request, now)
    # A period that ended a moment ago is over, too: what would follow is not opened any more.
    is_ahead = ends_at is not None and (ends_at > now or request.at is CancelAt.PERIOD_END)
    event = SubscriptionEvent.CANCEL_AT_END if is_ahead else SubscriptionEvent.CANCEL_NOW
    next_status(SubscriptionStatus(case.subscription.status), event)
    _check_terms(case.subscription, request, max(ends_at or now, now), now)
    terms = _terms(case, request)
    if is_ahead:
        assert ends_at is not None, "what lies ahead has its instant"
        return Cancellation(case.subscription.id, request.at, ends_at, terms.credit, (), None, None, ()), None
    ending = planned_end(batch, case, terms, now)
    at = CancelAt.NOW if request.at is CancelAt.PERIOD_END else request.at
    shown = Cancellation(
        case.subscription.id, at, now, terms.credit, ending.credits, ending.used_days, ending.of_days, ending.voided
    )
    return shown, ending


def _check_fields(request: CancelRequest) -> None:
    given = (request.ends_at is not None) + (request.ends_on is not None)
    if given != (request.at is CancelAt.DATE):
        raise Invalid("an end at a date needs either `ends_at` or `ends_on`, and any other end neither", where="at")
    if request.is_withdrawal and request.at is not CancelAt.NOW:
        raise Invalid("a withdrawal is at once", where="at")
    if request.is_withdrawal and (request.unshipped or request.credit not in (None, CreditPolicy.REFUND)):
        raise Invalid("a withdrawal pays back everything, whatever else is asked for", where="withdrawal")
    credits_days = request.credit not in (None, CreditPolicy.NONE)
    if request.at is CancelAt.PERIOD_END and (request.unshipped or credits_days):
        raise Invalid("a period that is used to its end has nothing to credit", where="credit")


def _ends_at(case: EndCase, request: CancelRequest, now: datetime) -> datetime | None:
    """The instant asked for; None for at once. Before the first period, its end is at once, too."""
    if request.at is CancelAt.NOW:
        return None
    if request.at is CancelAt.DATE:
        zone = case.subscription.pending_zone or case.subscription.zone
        ends_at = request.ends_at or instant_of(request.ends_on or date.max, time.min, zone)
        if ends_at < now:
            raise Invalid("a subscription cannot end in the past; possible is now or later", where="at")
        return ends_at
    if case.subscription.status == SubscriptionStatus.PAUSED and case.subscription.pause_mode == PauseMode.FREEZE:
        raise TransitionNotAllowed("a frozen subscription has no period that ends; possible is now or a date")
    return case.period.ends_at if case.period is not None else None


def _check_terms(subscription: Subscription, request: CancelRequest, ends_at: datetime, now: datetime) -> None:
    if request.is_withdrawal:
        _check_withdrawal(subscription, request, now)
        return
    if request.override is not None or subscription.status in _NOT_YET_BOUND:
        return
    check_end(
        cycle_of(subscription),
        0,
        0,
        subscription.notice_days,
        now,
        subscription.zone,
        max(subscription.next_cycle_index - 1, 0),
        ends_at,
        subscription.minimum_ends_at,
    )


def _check_withdrawal(subscription: Subscription, request: CancelRequest, now: datetime) -> None:
    made_on = local_date(subscription.created_at, subscription.zone)
    last = made_on + timedelta(days=WITHDRAWAL_DAYS)
    if local_date(now, subscription.zone) > last and request.override is None:
        raise TransitionNotAllowed(
            f"a withdrawal was possible until {last}; a cancel with its credit is possible", where="withdrawal"
        )


def _terms(case: EndCase, request: CancelRequest) -> EndTerms:
    if request.is_withdrawal:
        return EndTerms(CreditPolicy.REFUND, {}, request.note, is_withdrawal=True)
    policy = request.credit if request.credit is not None else CreditPolicy(case.plan.cancel_credit)
    return EndTerms(policy, request.unshipped, request.note)


def _mark_end(batch: Batch, case: EndCase, planned: Cancellation, request: CancelRequest) -> None:
    subscription = case.subscription
    after = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.CANCEL_AT_END)
    subscription.status, subscription.cancel_at = after.value, planned.effective_at
    subscription.cancel_terms = _terms(case, request).as_json() if request.at is CancelAt.DATE else None
    batch.event(subscription, "subscription.cancel_scheduled", cancel_at=planned.effective_at.isoformat())
