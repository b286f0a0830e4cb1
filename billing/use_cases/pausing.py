"""What a pause and its end do to a subscription's rows, in the caller's transaction (billing rules, section 7).

Shared by the verbs and by the steps of the renewal loop. A freeze closes the running row; what was paused is a row of
its own, written when it is over, so that rows tile at every moment. While it lasts nothing is collected: what was
planned waits, in the order in which it was owed.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlmodel import Session

from billing.domain.dunning import Ladder, resumed_attempt_at
from billing.domain.errors import TransitionNotAllowed
from billing.domain.operations import OperationKind, OperationStatus, Trigger
from billing.domain.pauses import FrozenDays, PauseMode, freeze, resumed_period, skip_stub
from billing.domain.periods import Period, local_date, period_containing
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store.batch import Batch
from billing.store.customers import Customer, StoredToken, TokenStatus
from billing.store.invoices import DunningState, Invoice
from billing.store.operations import Operation
from billing.store.periods import PeriodKind, PeriodRow, latest_period
from billing.store.plans import AnchorPolicy, Plan
from billing.store.subscriptions import Subscription
from billing.use_cases.access import follow_state
from billing.use_cases.next_period import TOKEN_CHECK_BEFORE, check_token_before, open_period
from billing.use_cases.renewal_pass import Pass, Span, cycle_of, move, write_period

COLLECT_AFTER_PAUSE = "collect_after_pause"
"""Why a person must look: more than one invoice came due while nothing was collected."""


def kept_days(period: PeriodRow, at: datetime) -> FrozenDays:
    """The days of `period` that a freeze at `at` keeps; that day is one of them."""
    return freeze(period.start_date, period.end_date, local_date(at, period.zone), period.full_days)


def begin_pause(session: Session, batch: Batch, subscription: Subscription, mode: PauseMode, at: datetime) -> None:
    """Pause from `at` (UTC) on. Every period that starts before is open, and the subscription is locked.

    Raises `TransitionNotAllowed`.
    """
    if mode is PauseMode.FREEZE:
        period = latest_period(session, subscription.id)
        assert period is not None, "what is paused has begun"
        frozen = kept_days(period, at)
        subscription.frozen_days, subscription.frozen_of_days = frozen.left_days, frozen.of_days
        close_early(period, at, "paused")
        subscription.next_period_at = subscription.token_check_at = None
    subscription.paused_at, subscription.pause_mode, subscription.pause_at = at, mode.value, None
    for _, operation in _planned(session, subscription):
        # Whoever holds it would send it.
        operation.due_at = operation.lease_owner = operation.lease_until = None
    move(batch, subscription, SubscriptionEvent.PAUSE, "subscription.paused")


def end_pause(here: Pass, subscription: Subscription, at: datetime, *, collects_all: bool = False) -> list[Invoice]:
    """Go on from `at` (UTC): write what was paused and what is left, set the calendar, collect what is owed.

    Where several invoices came due and `collects_all` was not said, a person must look first. Returns the invoices
    that it opens. Raises `TransitionNotAllowed`, also for a trial that is over while there is no token.
    """
    latest = latest_period(here.session, subscription.id)
    assert latest is not None, "what is paused has begun"
    paused_at, mode = subscription.paused_at, PauseMode(subscription.pause_mode or PauseMode.FREEZE)
    unpaid = invoice_store.open_invoices(here.session, [subscription.id]).get(subscription.id, [])
    event = event_of_resume(subscription, latest, unpaid, at)
    bills_stub, waits_for_term = subscription.pause_bills_stub, subscription.next_period_at is None
    if mode is PauseMode.FREEZE:
        check_token(here.session, subscription, latest)
        _thaw(here, subscription, latest, at)
    elif waits_for_term:
        subscription.next_period_at = latest.ends_at
    _clear(subscription)
    subscription.status = next_status(SubscriptionStatus(subscription.status), event).value
    here.batch.event(subscription, "subscription.resumed", mode=mode.value)
    _give_grace(here, subscription, unpaid, paused_at or at, at)
    if mode is PauseMode.COLLECTION_ONLY and len(unpaid) > 1 and not collects_all:
        subscription.review_reason = COLLECT_AFTER_PAUSE
        here.batch.event(subscription, "subscription.needs_review", reason=COLLECT_AFTER_PAUSE)
    _go_on_collecting(here.session, subscription, paused_at or at, at)
    span = stub_span(latest, subscription.zone, at) if mode is PauseMode.SKIP and bills_stub else None
    return _bill_stub(here, subscription, latest, span, at) if span is not None else []


def event_of_resume(
    subscription: Subscription, latest: PeriodRow, unpaid: Sequence[Invoice], at: datetime
) -> SubscriptionEvent:
    """By which event it goes on: a pause is no way out of a debt, nor out of a trial."""
    days_left = bool(subscription.frozen_days) if subscription.pause_mode == PauseMode.FREEZE else latest.ends_at > at
    if latest.kind == PeriodKind.TRIAL and days_left:
        return SubscriptionEvent.RESUME_TRIAL
    owes = any(invoice.first_declined_at is not None for invoice in unpaid)
    return SubscriptionEvent.RESUME_OWING if owes else SubscriptionEvent.RESUME


def check_token(session: Session, subscription: Subscription, latest: PeriodRow) -> None:
    """Raises `TransitionNotAllowed` for a frozen trial that is over where nothing can be charged."""
    if latest.kind != PeriodKind.TRIAL or subscription.frozen_days:
        return
    token = session.get(StoredToken, subscription.token_id) if subscription.token_id else None
    if token is None or token.status != TokenStatus.ACTIVE:
        raise TransitionNotAllowed("the trial is over and there is no active token to charge; set one, then resume")


def thawed(subscription: Subscription, latest: PeriodRow, at: datetime) -> Span | None:
    """The row of the days that a freeze has kept, from `at` on; None where none are left."""
    left, of_days = subscription.frozen_days, subscription.frozen_of_days
    if not left or of_days is None:
        return None
    on = local_date(at, subscription.zone)
    kind = PeriodKind.TRIAL if latest.kind == PeriodKind.TRIAL else PeriodKind.RESUMED
    return Span(kind, resumed_period(on, left, subscription.zone, at), None, of_days, of_days - left)


def anchor_at(subscription: Subscription, on: date, at: datetime) -> None:
    """Start the calendar anew: period 0 begins at `at`, on the local day `on`."""
    subscription.anchor_no += 1
    subscription.anchor_date, subscription.anchor_day = on, on.day
    subscription.next_cycle_index, subscription.next_period_at = 0, at


def anchor_after_trial(subscription: Subscription, policy: str, ends_on: date, ends_at: datetime) -> None:
    """Where the paid calendar begins after a trial that ends at `ends_at`: there, or on the day of the sign-up."""
    if policy == AnchorPolicy.CONVERSION:
        anchor_at(subscription, ends_on, ends_at)
        return
    subscription.next_cycle_index, _ = period_containing(cycle_of(subscription), ends_at, subscription.zone)
    subscription.next_period_at = ends_at


def stub_span(latest: PeriodRow, zone: str, at: datetime) -> Span | None:
    """The rest of a skipped period from `at` on, to be billed; None where the running period is none that was."""
    if latest.kind != PeriodKind.SKIPPED or not latest.starts_at <= at < latest.ends_at:
        return None
    on = local_date(at, zone)
    share = skip_stub(Period(latest.start_date, latest.end_date, latest.starts_at, latest.ends_at), on)
    rest = Period(on, latest.end_date, at, latest.ends_at)
    return Span(PeriodKind.STUB, rest, None, latest.full_days, latest.offset_days + share.start_day)


def release_oldest(session: Session, subscription: Subscription, now: datetime) -> None:
    """Collect what waits, oldest first: its turn has come; the others follow as each is paid."""
    unpaid = _unpaid(session, subscription)
    if len(unpaid) > 1:
        for invoice in unpaid:
            if invoice.dunning_state == DunningState.NONE:
                invoice.dunning_state = DunningState.WAITING_TURN.value
    is_stopped = session.get_one(Customer, subscription.customer_id).dunning_paused_at is not None
    oldest = unpaid[0].id if unpaid else None
    for invoice, operation in _planned(session, subscription):
        is_dunning = operation.trigger == Trigger.DUNNING
        if invoice.id == oldest and operation.due_at is None and not (is_dunning and is_stopped):
            operation.due_at = (
                _rung(session, subscription, invoice, now) if is_dunning else max(now, invoice.collect_at)
            )


def close_early(period: PeriodRow, at: datetime, reason: str) -> None:
    """End a written row at `at` instead; its end as it was written is kept."""
    if period.ends_at <= at:
        return
    period.original_ends_at = period.original_ends_at or period.ends_at
    period.ends_at = max(at, period.starts_at)
    period.end_date = max(local_date(at, period.zone), period.start_date)
    period.reason = reason


def _thaw(here: Pass, subscription: Subscription, latest: PeriodRow, at: datetime) -> None:
    zone, on = subscription.zone, local_date(at, subscription.zone)
    span = thawed(subscription, latest, at)
    if at > latest.ends_at:
        began_on = local_date(latest.ends_at, zone)
        stood = Period(began_on, on, latest.ends_at, at)
        write_period(here.batch, subscription, Span(PeriodKind.PAUSED, stood, None, stood.days))
    if span is None:
        anchor_at(subscription, on, at)
        return
    write_period(here.batch, subscription, span)
    ends_on, ends_at = span.period.end_date, span.period.ends_at
    if span.kind is PeriodKind.TRIAL:
        policy = here.books.plans[subscription.plan_id].anchor_policy
        anchor_after_trial(subscription, policy, ends_on, ends_at)
        subscription.token_check_at = max(at, ends_at - TOKEN_CHECK_BEFORE)
    else:
        anchor_at(subscription, ends_on, ends_at)
        check_token_before(here, subscription)


def _bill_stub(here: Pass, subscription: Subscription, latest: PeriodRow, span: Span, at: datetime) -> list[Invoice]:
    close_early(latest, at, "resumed")
    # The stub is the tail of the cycle that was skipped, which was counted when its row was written.
    subscription.next_cycle_index -= 1
    return open_period(here, subscription, span, at_once=True)


def _clear(subscription: Subscription) -> None:
    subscription.paused_at = subscription.pause_mode = subscription.pause_at = subscription.resume_at = None
    subscription.frozen_days = subscription.frozen_of_days = None
    subscription.pause_bills_stub = False


def _give_grace(
    here: Pass, subscription: Subscription, unpaid: Sequence[Invoice], paused_at: datetime, at: datetime
) -> None:
    """What was left of the grace when the pause began is left when it ends."""
    declined = [invoice.first_declined_at for invoice in unpaid if invoice.first_declined_at is not None]
    if subscription.status == SubscriptionStatus.PAST_DUE and declined:
        days = here.books.plans[subscription.plan_id].grace_days
        ends_at = min(declined) + timedelta(days=days) + max(at - max(paused_at, min(declined)), timedelta(0))
        subscription.grace_ends_at = ends_at if ends_at > here.now else None
    follow_state(here.batch, subscription)


def _go_on_collecting(session: Session, subscription: Subscription, paused_at: datetime, at: datetime) -> None:
    for invoice in _unpaid(session, subscription):
        if invoice.first_declined_at is not None:
            stood = max(at - max(paused_at, invoice.first_declined_at), timedelta(0))
            invoice.exhausts_at = invoice.exhausts_at and invoice.exhausts_at + stood
            invoice.remind_at = invoice.remind_at and invoice.remind_at + stood
    if subscription.review_reason != COLLECT_AFTER_PAUSE:
        release_oldest(session, subscription, at)


def _unpaid(session: Session, subscription: Subscription) -> list[Invoice]:
    """The open invoices, locked, oldest first."""
    unpaid = invoice_store.open_invoices(session, [subscription.id]).get(subscription.id, [])
    invoice_store.locked(session, [invoice.id for invoice in unpaid])
    return unpaid


def _planned(session: Session, subscription: Subscription) -> list[tuple[Invoice, Operation]]:
    """Purchases that nobody has sent yet, with their invoices."""
    invoices = {invoice.id: invoice for invoice in _unpaid(session, subscription)}
    found = operation_store.of_invoices(session, list(invoices), lock=True) if invoices else ()
    return [
        (invoices[op.invoice_id], op)
        for op in found
        if op.invoice_id is not None and op.kind == OperationKind.PURCHASE and op.status == OperationStatus.PLANNED
    ]


def _rung(session: Session, subscription: Subscription, invoice: Invoice, now: datetime) -> datetime:
    plan = session.get_one(Plan, subscription.plan_id)
    sent = [op.sent_at for op in operation_store.of_invoices(session, [invoice.id]) if op.sent_at is not None]
    assert invoice.first_declined_at is not None, "dunning starts with its first decline"
    return resumed_attempt_at(
        Ladder(tuple(plan.dunning_days), plan.dunning_terminal_day),
        invoice.dunning_step,
        invoice.first_declined_at,
        max(sent, default=None),
        now,
        subscription.zone,
        invoice.id,
    )
