"""The next period of a subscription: which it is, what it costs, and opening it with its invoice and purchase.

Shared by the steps of a renewal, by changes that start a period at once, and by what goes on after a pause.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta

from billing.domain.ids import derived_id
from billing.domain.invoicing import InvoiceDraft, Share, invoice_for_period
from billing.domain.periods import (
    BillingCycle,
    Period,
    collect_at,
    instant_of,
    jitter,
    local_date,
    nth_boundary,
    nth_period,
    period_after_zone_change,
    stub_of,
)
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus
from billing.store.invoices import Invoice, InvoiceKind
from billing.store.periods import PeriodKind
from billing.store.plans import ZeroInvoices
from billing.store.subscriptions import Subscription
from billing.use_cases.opening import Books, NewInvoice, open_invoice
from billing.use_cases.renewal_pass import Pass, Span, cycle_of, move, write_period

UNPAID_MAX = 2
"""With this many unpaid invoices, further periods are withheld instead of billed (billing rules, section 8)."""

TOKEN_CHECK_BEFORE = timedelta(days=3)


def next_span(subscription: Subscription) -> Span:
    """The period that opens next: whole, or the rest of one where it starts inside (billing rules, sections 3, 6).

    A new zone takes effect with the next whole period; the row itself is not touched.
    """
    cycle, n, starts_at = cycle_of(subscription), subscription.next_cycle_index, subscription.next_period_at
    assert starts_at is not None, "a subscription without a next period was claimed"
    span = _span(cycle, n, starts_at, subscription)
    if subscription.pending_zone is None or span.kind is PeriodKind.STUB:
        return span
    index, moved = period_after_zone_change(cycle, n, starts_at, subscription.pending_zone)
    return Span(PeriodKind.REGULAR, moved, index, moved.days, zone=subscription.pending_zone)


def _span(cycle: BillingCycle, n: int, starts_at: datetime, subscription: Subscription) -> Span:
    whole = nth_period(cycle, n, subscription.zone)
    if subscription.next_seq > 1 and not whole.is_empty and starts_at < whole.ends_at:
        # It starts where the last row ended: at a resume in the middle of a day, or where the zone's rules have moved.
        whole = replace(whole, starts_at=starts_at)
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
    if span.zone is not None:
        subscription.zone, subscription.pending_zone = span.zone, None
    if span.cycle_index is not None:
        # Across the date line a day may fall out of the count.
        subscription.next_cycle_index = span.cycle_index
    is_billed = span.kind in (PeriodKind.REGULAR, PeriodKind.STUB)
    new = _invoice(here, subscription, span, at_once=at_once) if is_billed else None
    period_id = write_period(here.batch, subscription, span)
    _start(here, subscription)
    subscription.next_cycle_index += 1
    subscription.next_period_at = span.period.ends_at
    check_token_before(here, subscription)
    here.run.periods += 1
    if new is None:
        here.batch.event(subscription, f"period.{span.kind.value}", start_date=span.period.start_date.isoformat())
        return []
    subscription.is_set_up = True
    _begin_minimum_term(here, subscription, span)
    if span.kind is PeriodKind.REGULAR:
        subscription.cycles_done += 1
    return _bill(here, subscription, new(period_id))


def check_token_before(here: Pass, subscription: Subscription) -> None:
    """Ask the provider for the token's state some days before the next charge, spread over a day."""
    subscription.token_check_at = None
    if subscription.next_period_at is not None and subscription.token_id is not None:
        at = subscription.next_period_at - TOKEN_CHECK_BEFORE - jitter(subscription.id, 86_400)
        subscription.token_check_at = at if at > here.now else None


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


def _begin_minimum_term(here: Pass, subscription: Subscription, span: Span) -> None:
    """The minimum term is counted in whole cycles from the first paid period; a first part is none."""
    cycles = here.books.plans[subscription.plan_id].minimum_cycles
    if not cycles or subscription.minimum_ends_at is not None or subscription.cycles_done:
        return
    first = subscription.next_cycle_index - (1 if span.kind is PeriodKind.REGULAR else 0)
    ends_on = nth_boundary(cycle_of(subscription), first + cycles)
    subscription.minimum_ends_at = instant_of(ends_on, time.min, subscription.zone)
