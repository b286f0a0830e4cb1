"""The steps of a subscription's life that the clock takes: an end, a pause, a new period. One step a call, the earliest
due instant first; at the same instant a cancel or a pause comes before the period that would open.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from operator import itemgetter

from billing.domain.errors import OutcomeUnknown
from billing.domain.operations import MAY_BE_HAPPENING
from billing.domain.pauses import PauseMode
from billing.domain.periods import (
    BillingCycle,
    Interval,
    nth_period,
)
from billing.domain.subscriptions import TRANSITIONS, EndReason, SubscriptionEvent, SubscriptionStatus, next_status
from billing.domain.terms import CatchUp, is_last_cycle
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store.catch_up import approval_at
from billing.store.customers import StoredToken, TokenStatus
from billing.store.invoices import Invoice
from billing.store.periods import PeriodKind
from billing.store.plans import MissingToken
from billing.store.subscriptions import Subscription
from billing.use_cases.access import grace_over, withdraw
from billing.use_cases.brake import brake_periods, periods_are_braked
from billing.use_cases.change_later import take_up_change
from billing.use_cases.ending import carry_out_end, planned_end, read_end, terms_from
from billing.use_cases.next_period import TOKEN_CHECK_BEFORE, next_span, open_period
from billing.use_cases.pausing import anchor_after_trial, begin_pause, end_pause
from billing.use_cases.renewal_pass import Pass, Span, cycle_of, end, move, send_to_review, write_period
from billing.use_cases.voiding import void

LOOK_AGAIN = timedelta(minutes=10)
"""When an end is tried again that waits for the outcome of a capture."""

LATE_EACH = timedelta(minutes=1)
"""Between two late periods of one subscription: one per run, so that the oldest is collected first."""

Step = Callable[[Pass, Subscription], list[Invoice]]


def step(here: Pass, subscription: Subscription) -> list[Invoice]:
    """Take the earliest step that is due; returns the invoices it opened."""
    order: list[tuple[datetime | None, Step]] = [
        (subscription.cancel_at, _end),
        (subscription.pause_at, _pause),
        (subscription.resume_at, _resume),
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
    """On a boundary nothing is left to give back; inside a period it ends like a cancel at that instant."""
    at = subscription.cancel_at
    assert at is not None, "an end needs its instant"
    case = read_end(here.session, subscription)
    if case.period is None or (case.period.ends_at <= at and not subscription.frozen_days):
        end(here.batch, subscription, SubscriptionEvent.END_REACHED, EndReason.CANCELED, at)
        here.run.ended += 1
        return []
    terms = terms_from(subscription.cancel_terms, case.plan)
    try:
        ending = planned_end(here.batch, case, terms, at)
    except OutcomeUnknown:
        subscription.not_before = here.now + LOOK_AGAIN
        return []
    carry_out_end(here.batch, case, terms, ending, SubscriptionEvent.END_REACHED)
    here.run.ended += 1
    return []


def _pause(here: Pass, subscription: Subscription) -> list[Invoice]:
    assert subscription.pause_at is not None, "a pause needs its instant"
    if (SubscriptionStatus(subscription.status), SubscriptionEvent.PAUSE) not in TRANSITIONS:
        # It became unpaid, or never started: there is nothing to pause any more.
        subscription.pause_at = subscription.resume_at = subscription.pause_mode = None
        here.batch.event(subscription, "subscription.pause_dropped", status=subscription.status)
        return []
    mode = PauseMode(subscription.pause_mode or PauseMode.FREEZE)
    begin_pause(here.session, here.batch, subscription, mode, subscription.pause_at)
    return []


def _resume(here: Pass, subscription: Subscription) -> list[Invoice]:
    assert subscription.resume_at is not None, "a resume needs its instant"
    return end_pause(here, subscription, subscription.resume_at)


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
    if subscription.status == SubscriptionStatus.PAUSED and subscription.pause_mode == PauseMode.SKIP:
        return open_period(here, subscription, replace(span, kind=PeriodKind.SKIPPED, reason="paused"))
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


def _open_trial(here: Pass, subscription: Subscription) -> list[Invoice]:
    """The trial is a period of its own. The paid calendar is anchored where it ends, or where it began (`signup`)."""
    days = BillingCycle(Interval.DAY, subscription.trial_days, subscription.anchor_date, 1)
    trial = nth_period(days, 0, subscription.zone)
    write_period(here.batch, subscription, Span(PeriodKind.TRIAL, trial, None, trial.days))
    policy = here.books.plans[subscription.plan_id].anchor_policy
    anchor_after_trial(subscription, policy, trial.end_date, trial.ends_at)
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
    """More than one period is late: a person decides, or has decided (billing rules, section 2, catch-up).

    With too many of them a standing approval does not suffice: the brake asks about this very subscription.
    """
    cycle = cycle_of(subscription)
    if subscription.catch_up is None and periods_are_braked(here.session, subscription, cycle, here.now, here.limits):
        brake_periods(here.session, here.batch, subscription, here.limits)
        send_to_review(here.batch, subscription, "catch_up", here.run)
        return []
    choice = subscription.catch_up or _standing_approval(here)
    if choice is None:
        # Nothing is forgiven, and nothing is billed in a heap, by a machine.
        send_to_review(here.batch, subscription, "catch_up", here.run)
        return []
    subscription.catch_up = choice
    if choice["policy"] == CatchUp.BILL_EACH:
        subscription.not_before = here.now + LATE_EACH
        return open_period(here, subscription, span)
    return open_period(here, subscription, _forgiven(span, choice))


def _standing_approval(here: Pass) -> dict[str, str] | None:
    """What a person has decided beforehand for this time."""
    row = approval_at(here.session, here.now)
    return None if row is None else {"policy": row.policy, "by": row.by, "reason": row.reason}


def _forgiven(span: Span, choice: dict[str, str]) -> Span:
    return replace(span, kind=PeriodKind.FORGIVEN, reason=choice["reason"], decided_by=choice["by"])
