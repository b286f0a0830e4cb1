"""Resume a paused subscription, now or at an instant; with a preview from the same planner."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Invalid, NotFound, TransitionNotAllowed
from billing.domain.invoicing import InvoiceDraft
from billing.domain.pauses import PauseMode, check_resume, resume_due_at
from billing.domain.periods import local_date
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.domain.terms import is_last_cycle
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import Invoice
from billing.store.numbers import number_invoices
from billing.store.periods import PeriodKind, latest_period
from billing.store.subscriptions import Subscription
from billing.use_cases.next_period import next_span, period_draft
from billing.use_cases.opening import Books, Seller, numbered_now, read_books
from billing.use_cases.pausing import (
    anchor_after_trial,
    anchor_at,
    check_token,
    end_pause,
    stub_span,
    thawed,
)
from billing.use_cases.quoting import Quote, Signer, check_same, effective, quote
from billing.use_cases.recording import Record, nothing
from billing.use_cases.renewal_pass import Pass, Renewed, Span

_VERB = "resume"


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """When to go on (None: now). `collects_all`: with more than one invoice open no person has to look first."""

    at: datetime | None = None
    collects_all: bool = False


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a resume does or would do. `resumed` is the row of days that were kept, `charge` what is billed at once.

    `next_on` and `next_total` are the next period's local first day and what it costs, as far as it is known; amounts
    in minor units of `currency`.
    """

    subscription_id: UUID
    mode: PauseMode
    effective_at: datetime
    currency: str
    resumed: Span | None
    charge: InvoiceDraft | None
    next_on: date | None
    next_total: int | None
    open_invoice_ids: tuple[UUID, ...]
    needs_approval: bool
    quote: Quote | None = None

    @property
    def money(self) -> dict[str, Any]:
        """What a quote of it freezes."""
        lines = self.charge.lines if self.charge else ()
        return {
            "total": self.charge.total if self.charge else 0,
            "lines": [(line.article_number, line.amount, line.tax_amount) for line in lines],
            "resumed": self.resumed and (self.resumed.period.start_date, self.resumed.period.end_date),
            "next": (self.next_on, self.next_total),
        }


def preview_resume(
    database: Database, seller: Seller, sign: Signer, now: datetime, subscription_id: UUID, request: ResumeRequest
) -> Resumption:
    """What `resume` would do at `now`, with a quote for it, and nothing of it done. Raises what `resume` raises."""
    with database.tx() as session:
        subscription = _locked(session, subscription_id)
        planned = _plan(session, read_books(session, [subscription], seller), subscription, request, now)
        return replace(planned, quote=quote(sign, _VERB, subscription_id, request, now, planned.money))


def resume(
    database: Database,
    ids: Ids,
    seller: Seller,
    sign: Signer,
    now: datetime,
    subscription_id: UUID,
    request: ResumeRequest,
    quote_id: str | None = None,
    record: Record[Resumption] = nothing,
) -> Resumption:
    """End a pause; at a later instant the renewal loop does it.

    Raises `NotFound`; `TransitionNotAllowed` for what is not paused, from the end of the subscription on, and for a
    trial that is over without a token; `Invalid` for the past and beyond the plan's longest pause; `QuoteInvalid`,
    `QuoteExpired` and `QuoteStale`.
    """
    with database.tx() as session:
        at, quoted = effective(sign, quote_id, _VERB, subscription_id, request, now)
        subscription = _locked(session, subscription_id)
        books = read_books(session, [subscription], seller)
        planned = _plan(session, books, subscription, request, at)
        if quoted is not None:
            check_same(quoted, planned.money)
        here = Pass(session, Batch(ids, now), books, Renewed())
        if request.at is not None and request.at > at:
            subscription.resume_at = request.at
            here.batch.event(subscription, "subscription.resume_scheduled", resume_at=request.at.isoformat())
            here.batch.write(session)
        else:
            opened = end_pause(here, subscription, planned.effective_at, collects_all=request.collects_all)
            _write(here, opened)
        record(session, planned)
        return planned


def _locked(session: Session, subscription_id: UUID) -> Subscription:
    subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
    if subscription is None:
        raise NotFound("there is no such subscription")
    return subscription


def _write(here: Pass, opened: list[Invoice]) -> None:
    here.batch.write(here.session)
    at_once = [invoice.id for invoice in opened if numbered_now(invoice)]
    number_invoices(here.session, here.batch, list(invoice_store.locked(here.session, at_once).values()))
    here.batch.write(here.session)


def _plan(
    session: Session, books: Books, subscription: Subscription, request: ResumeRequest, now: datetime
) -> Resumption:
    """The decision, from locked rows: nothing is changed here."""
    next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.RESUME)
    at = request.at or now
    check_resume(at, now, subscription.cancel_at)
    plan = books.plans[subscription.plan_id]
    latest = latest_period(session, subscription.id)
    assert latest is not None, "what is paused has begun"
    assert subscription.paused_at is not None, "what is paused knows since when"
    if at > now:
        resume_due_at(subscription.paused_at, at, plan.pause_days_max, subscription.zone)
        if request.collects_all:
            raise Invalid("what will be open then is not known yet; say so with a resume now", where="collect_open")
    mode = PauseMode(subscription.pause_mode or PauseMode.FREEZE)
    if mode is not PauseMode.FREEZE and at <= now and subscription.next_period_at is not None:
        _check_no_period_is_due(subscription, at)
    if mode is PauseMode.FREEZE:
        check_token(session, subscription, latest)
    unpaid = invoice_store.open_invoices(session, [subscription.id]).get(subscription.id, [])
    needs_approval = mode is PauseMode.COLLECTION_ONLY and len(unpaid) > 1 and not request.collects_all
    bills_stub = mode is PauseMode.SKIP and subscription.pause_bills_stub
    stub = stub_span(latest, subscription.zone, at) if bills_stub else None
    charge = period_draft(books, subscription, stub) if stub is not None else None
    resumed = thawed(subscription, latest, at) if mode is PauseMode.FREEZE else None
    shown = Resumption(
        subscription.id,
        mode,
        at,
        books.offers[subscription.price_id].currency,
        resumed,
        charge,
        None,
        None,
        tuple(invoice.id for invoice in unpaid),
        needs_approval,
    )
    return _with_next(books, subscription, shown)


def _check_no_period_is_due(subscription: Subscription, at: datetime) -> None:
    assert subscription.next_period_at is not None, "the calendar goes on"
    if subscription.next_period_at < at:
        raise TransitionNotAllowed("a period that starts before is about to be written; try again in a moment")


def _with_next(books: Books, subscription: Subscription, shown: Resumption) -> Resumption:
    """With the date and the amount of the period that follows, found on a copy of the row."""
    after = Subscription(**subscription.model_dump())
    after.next_seq += 1
    if shown.mode is PauseMode.FREEZE:
        _anchor(books, after, shown)
    ends = after.cancel_at is not None and after.next_period_at is not None and after.cancel_at <= after.next_period_at
    if after.next_period_at is None or ends or is_last_cycle(after.cycles_done, after.term_cycles):
        return shown
    span = next_span(after)
    return replace(shown, next_on=span.period.start_date, next_total=period_draft(books, after, span).total)


def _anchor(books: Books, after: Subscription, shown: Resumption) -> None:
    if shown.resumed is None:
        anchor_at(after, local_date(shown.effective_at, after.zone), shown.effective_at)
    elif shown.resumed.kind is PeriodKind.TRIAL:
        period = shown.resumed.period
        anchor_after_trial(after, books.plans[after.plan_id].anchor_policy, period.end_date, period.ends_at)
    else:
        anchor_at(after, shown.resumed.period.end_date, shown.resumed.period.ends_at)
