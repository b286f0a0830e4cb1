"""The steps of a subscription's life that the clock takes: an end, a pause, a new period. One step a call, the earliest
due instant first; at the same instant a cancel or a pause comes before the period that would open.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from operator import itemgetter

from billing.domain.ids import derived_id
from billing.domain.invoicing import InvoiceDraft, Share, invoice_for_period
from billing.domain.operations import MAY_BE_HAPPENING
from billing.domain.periods import (
    BillingCycle,
    Interval,
    Period,
    collect_at,
    jitter,
    local_date,
    nth_period,
    period_after_zone_change,
    period_containing,
    stub_of,
)
from billing.domain.subscriptions import EndReason, SubscriptionEvent, SubscriptionStatus, next_status
from billing.domain.terms import CatchUp, is_last_cycle
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store.customers import StoredToken, TokenStatus
from billing.store.invoices import Invoice, InvoiceKind
from billing.store.periods import PeriodKind
from billing.store.plans import AnchorPolicy, MissingToken, ZeroInvoices
from billing.store.subscriptions import Subscription
from billing.use_cases.access import grace_over, withdraw
from billing.use_cases.change_later import take_up_change
from billing.use_cases.opening import Books, NewInvoice, open_invoice
from billing.use_cases.renewal_pass import Pass, Span, cycle_of, end, move, send_to_review, write_period
from billing.use_cases.voiding import void

UNPAID_MAX = 2
"""With this many unpaid invoices, further periods are withheld instead of billed (billing rules, section 8)."""

TOKEN_CHECK_BEFORE = timedelta(days=3)
LATE_EACH = timedelta(minutes=1)
"""Between two late periods of one subscription: one per run, so that the oldest is collected first."""

Step = Callable[[Pass, Subscription], list[Invoice]]


def step(here: Pass, subscription: Subscription) -> list[Invoice]:
    """Take the earliest step that is due; returns the invoices it opened."""
    order: list[tuple[datetime | None, Step]] = [
        (subscription.cancel_at, _end),
        (subscription.gate_expires_at, _give_up_start),
        (subscription.next_period_at, _boundary),
        (subscription.grace_ends_at, _grace_over),
    ]
    due = [(at, take) for at, take in order if at is not None and at <= here.now]
    if not due:
        # Its instant was only held back; looking was all there was to do.
        assert subscription.not_before is not None, "an instant of a subscription is due that no step handles"
        subscription.not_before = None
        return []
    return min(due, key=itemgetter(0))[1](here, subscription)


def _end(here: Pass, subscription: Subscription) -> list[Invoice]:
    assert subscription.cancel_at is not None, "an end needs its instant"
    end(here.batch, subscription, SubscriptionEvent.END_REACHED, EndReason.CANCELED, subscription.cancel_at)
    here.run.ended += 1
    return []


def _grace_over(here: Pass, subscription: Subscription) -> list[Invoice]:
    grace_over(here.batch, subscription)
    return []


def _give_up_start(here: Pass, subscription: Subscription) -> list[Invoice]:
    """The first payment never came: void what was billed, unless an answer is still awaited."""
    unpaid = invoice_store.open_invoices(here.session, [subscription.id]).get(subscription.id, [])
    operations = operation_store.of_invoices(here.session, [invoice.id for invoice in unpaid], lock=True)
    if any(op.status in MAY_BE_HAPPENING for op in operations):
        subscription.gate_expires_at = here.now + timedelta(hours=1)
        return []
    end(here.batch, subscription, SubscriptionEvent.GATE_EXPIRED, EndReason.NEVER_STARTED, here.now)
    subscription.gate_expires_at = None
    for invoice in invoice_store.locked(here.session, [invoice.id for invoice in unpaid]).values():
        own = [op for op in operations if op.invoice_id == invoice.id]
        void(here.session, here.batch, subscription, invoice, own, "the first payment never came")
    here.run.ended += 1
    return []


def _boundary(here: Pass, subscription: Subscription) -> list[Invoice]:
    if subscription.status == SubscriptionStatus.PENDING and subscription.trial_days and not subscription.next_seq > 1:
        return _open_trial(here, subscription)
    if is_last_cycle(subscription.cycles_done, subscription.term_cycles):
        return _complete(here, subscription)
    take_up_change(here, subscription)
    if subscription.status == SubscriptionStatus.TRIALING and not _token_is_there(here, subscription):
        return _end_trial_without_token(here, subscription)
    span = next_span(subscription)
    if span.period.ends_at <= here.now and not span.period.is_empty:
        return _late(here, subscription, span)
    choice, subscription.catch_up, subscription.not_before = subscription.catch_up, None, None
    if choice is not None and choice["policy"] == CatchUp.FORGIVE:
        span = _forgiven(span, choice)
    return open_period(here, subscription, span)


def _complete(here: Pass, subscription: Subscription) -> list[Invoice]:
    """The limited term is over; with a debt it ends when the debt is settled, and opens nothing until then."""
    after = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.CYCLES_DONE)
    if after is not SubscriptionStatus.ENDED:
        subscription.next_period_at = None
        return []
    end(here.batch, subscription, SubscriptionEvent.CYCLES_DONE, EndReason.COMPLETED, here.now)
    here.run.ended += 1
    return []


def next_span(subscription: Subscription) -> Span:
    """The period that opens next: whole, or the rest of one where it starts inside (billing rules, sections 3, 6)."""
    cycle, n, starts_at = cycle_of(subscription), subscription.next_cycle_index, subscription.next_period_at
    assert starts_at is not None, "a subscription without a next period was claimed"
    if subscription.pending_zone is not None:
        subscription.zone, subscription.pending_zone = subscription.pending_zone, None
        subscription.next_cycle_index, moved = period_after_zone_change(cycle, n, starts_at, subscription.zone)
        return Span(PeriodKind.REGULAR, moved, subscription.next_cycle_index, moved.days)
    whole = nth_period(cycle, n, subscription.zone)
    first_part = stub_of(cycle) if n == 0 else None
    if first_part is not None:
        days = (first_part[1] - first_part[0]).days
        return Span(PeriodKind.STUB, whole, None, days, (whole.start_date - first_part[0]).days)
    start = local_date(starts_at, subscription.zone)
    if start > whole.start_date:
        rest = Period(start, whole.end_date, starts_at, whole.ends_at)
        return Span(PeriodKind.STUB, rest, None, whole.days, (start - whole.start_date).days)
    return Span(PeriodKind.SKIPPED if whole.is_empty else PeriodKind.REGULAR, whole, n, whole.days)


def open_period(here: Pass, subscription: Subscription, span: Span, *, at_once: bool = False) -> list[Invoice]:
    """Write the period, and its invoice where it costs something: collected `at_once`, or at the hour of collection."""
    if (
        span.kind in (PeriodKind.REGULAR, PeriodKind.STUB)
        and len(here.books.in_arrears.get(subscription.id, [])) >= UNPAID_MAX
    ):
        span = replace(span, kind=PeriodKind.WITHHELD, reason="two invoices are unpaid")
    is_billed = span.kind in (PeriodKind.REGULAR, PeriodKind.STUB)
    new = _invoice(here, subscription, span, at_once=at_once) if is_billed else None
    period_id = write_period(here.batch, subscription, span)
    _start(here, subscription)
    subscription.next_cycle_index += 1
    subscription.next_period_at = span.period.ends_at
    _check_token_before(here, subscription)
    here.run.periods += 1
    if new is None:
        here.batch.event(subscription, f"period.{span.kind.value}", start_date=span.period.start_date.isoformat())
        return []
    subscription.is_set_up = True
    if span.kind is PeriodKind.REGULAR:
        subscription.cycles_done += 1
    return _bill(here, subscription, new(period_id))


def period_draft(books: Books, subscription: Subscription, span: Span) -> InvoiceDraft:
    """What a period costs, before anything of it is written: what can be wrong with a row shows here."""
    period = span.period
    whole = span.offset_days == 0 and span.kind is PeriodKind.REGULAR
    return invoice_for_period(
        books.offer(subscription),
        period,
        books.tax(subscription, period.start_date),
        cycle_no=subscription.cycles_done,
        is_first=not subscription.is_set_up,
        share=None if whole else Share(span.offset_days, span.full_days, span.full_days),
        discounts=books.discounts_of(subscription),
        price_id=subscription.price_id,
    )


def _invoice(here: Pass, subscription: Subscription, span: Span, *, at_once: bool) -> Callable[..., NewInvoice]:
    period = span.period
    draft = period_draft(here.books, subscription, span)
    is_first = subscription.next_seq == 1
    hour = collect_at(period.start_date, subscription.zone, subscription.id)
    collected_at = here.now if is_first or at_once else hour
    invoice_id = derived_id(period.starts_at, subscription.id.bytes, str(subscription.next_seq).encode())
    return lambda period_id: NewInvoice(
        invoice_id, InvoiceKind.RECURRING, period_id, draft, collected_at, takes_waiting=True
    )


def _bill(here: Pass, subscription: Subscription, new: NewInvoice) -> list[Invoice]:
    nothing = new.draft.total == 0 and not here.books.waiting.get(subscription.id)
    is_free_trial_end = subscription.status == SubscriptionStatus.TRIALING
    if nothing and here.books.plans[subscription.plan_id].zero_invoices == ZeroInvoices.SUPPRESSED:
        invoices = []
    else:
        here.run.invoices += 1
        invoices = [open_invoice(here.session, here.batch, here.books, subscription, new)]
    if is_free_trial_end and all(invoice.status != "open" for invoice in invoices):
        # Nothing has to be authorized for a period that is free or paid by the balance.
        move(here.batch, subscription, SubscriptionEvent.TRIAL_ENDED, "subscription.activated")
    return invoices


def _start(here: Pass, subscription: Subscription) -> None:
    if subscription.status != SubscriptionStatus.PENDING:
        return
    plan = here.books.plans[subscription.plan_id]
    if plan.payment_gated:
        subscription.gate_expires_at = here.now + timedelta(hours=plan.gate_hours)
    else:
        move(here.batch, subscription, SubscriptionEvent.START, "subscription.started")


def _check_token_before(here: Pass, subscription: Subscription) -> None:
    """Ask the provider for the token's state some days before the next charge, spread over a day."""
    subscription.token_check_at = None
    if subscription.next_period_at is not None and subscription.token_id is not None:
        at = subscription.next_period_at - TOKEN_CHECK_BEFORE - jitter(subscription.id, 86_400)
        subscription.token_check_at = at if at > here.now else None


def _open_trial(here: Pass, subscription: Subscription) -> list[Invoice]:
    """The trial is a period of its own. The paid calendar is anchored where it ends, or where it began (`signup`)."""
    days = BillingCycle(Interval.DAY, subscription.trial_days, subscription.anchor_date, 1)
    trial = nth_period(days, 0, subscription.zone)
    write_period(here.batch, subscription, Span(PeriodKind.TRIAL, trial, None, trial.days))
    if here.books.plans[subscription.plan_id].anchor_policy == AnchorPolicy.CONVERSION:
        subscription.anchor_no += 1
        subscription.anchor_date, subscription.anchor_day = trial.end_date, trial.end_date.day
        subscription.next_cycle_index = 0
    else:
        subscription.next_cycle_index, _ = period_containing(cycle_of(subscription), trial.ends_at, subscription.zone)
    subscription.next_period_at = trial.ends_at
    subscription.token_check_at = max(here.now, trial.ends_at - TOKEN_CHECK_BEFORE)
    here.run.periods += 1
    move(here.batch, subscription, SubscriptionEvent.START_TRIAL, "subscription.trial_started")
    return []


def _token_is_there(here: Pass, subscription: Subscription) -> bool:
    token = here.session.get(StoredToken, subscription.token_id) if subscription.token_id else None
    return token is not None and token.status in (TokenStatus.ACTIVE, TokenStatus.SUSPENDED)


def _end_trial_without_token(here: Pass, subscription: Subscription) -> list[Invoice]:
    """What the plan says about a trial that ends with nothing to charge (billing rules, section 6)."""
    policy = here.books.plans[subscription.plan_id].missing_token
    if policy == MissingToken.CANCEL:
        end(here.batch, subscription, SubscriptionEvent.TRIAL_ENDED_CANCEL, EndReason.CANCELED, here.now)
        here.run.ended += 1
        return []
    if policy == MissingToken.PAUSE:
        subscription.next_period_at, subscription.paused_at, subscription.pause_mode = None, here.now, "freeze"
        move(here.batch, subscription, SubscriptionEvent.TRIAL_ENDED_PAUSE, "subscription.paused")
        return []
    move(here.batch, subscription, SubscriptionEvent.TRIAL_ENDED_INVOICE_ONLY, "subscription.past_due")
    withdraw(here.batch, subscription, here.books.plans[subscription.plan_id].grace_days)
    subscription.token_id = None
    return open_period(here, subscription, next_span(subscription))


def _late(here: Pass, subscription: Subscription, span: Span) -> list[Invoice]:
    """More than one period is late: a person decides, or has decided (billing rules, section 2, catch-up)."""
    choice = subscription.catch_up
    if choice is None:
        # Nothing is forgiven, and nothing is billed in a heap, by a machine.
        send_to_review(here.batch, subscription, "catch_up", here.run)
        return []
    if choice["policy"] == CatchUp.BILL_EACH:
        subscription.not_before = here.now + LATE_EACH
        return open_period(here, subscription, span)
    return open_period(here, subscription, _forgiven(span, choice))


def _forgiven(span: Span, choice: dict[str, str]) -> Span:
    return replace(span, kind=PeriodKind.FORGIVEN, reason=choice["reason"], decided_by=choice["by"])
