"""What a change is and what it costs: read from locked rows, decided here, carried out by `change.py`.

Preview and change call the same `planned_change`, so that what is shown is what is done. Amounts are minor units of
the subscription's currency, tax included.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlmodel import Session

from billing.domain.changes import ChangeMode, Direction, Terms, direction, direction_of_price
from billing.domain.discounts import Discount
from billing.domain.errors import Conflict, CurrencyMismatch, Invalid, PlanArchived, TransitionNotAllowed
from billing.domain.invoicing import InvoiceDraft, InvoiceStatus, LineDraft, invoice_for_period
from billing.domain.operations import Authorization, OperationKind, Standing
from billing.domain.periods import Interval, Period, instant_of, local_date
from billing.domain.pricing import Offer, check_offer
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.domain.terms import is_last_cycle
from billing.store import balances as balance_store
from billing.store.balances import PendingLine
from billing.store.invoices import Invoice, InvoiceKind, InvoiceLine
from billing.store.operations import Operation
from billing.store.periods import PeriodKind
from billing.store.plans import Price, Proration
from billing.store.subscriptions import Subscription
from billing.use_cases.change_case import Case, ChangeRequest
from billing.use_cases.change_later import WaitsFor, put_terms, same_calendar, token_covers
from billing.use_cases.change_lines import changed_articles, charged, credited, shortened
from billing.use_cases.next_period import next_span, period_draft
from billing.use_cases.renewal_pass import Span

_WITH_MONEY = (ChangeMode.CHARGE_NOW, ChangeMode.NEXT_INVOICE, ChangeMode.FULL_AND_RESET)
_BILLED = (PeriodKind.REGULAR, PeriodKind.STUB, PeriodKind.RESUMED)
_AUTHORIZED = (Authorization.AUTHORIZED, Authorization.PART_CAPTURED, Authorization.CAPTURED)
_PAST_EVERY_PHASE = 10**6


@dataclass(frozen=True, slots=True)
class Planned:
    """A change as it would be carried out at `at`: `credits` and `charges` are the lines that pay for the rest of the
    running period; `span` and `draft` the new period of a full price with a new anchor.
    """

    direction: Direction
    mode: ChangeMode
    at: datetime
    effective_at: datetime | None
    waits_for: WaitsFor | None = None
    credits: Sequence[tuple[InvoiceLine, LineDraft]] = ()
    charges: Sequence[LineDraft] = ()
    shortened: Sequence[tuple[PendingLine, int, int]] = ()
    span: Span | None = None
    draft: InvoiceDraft | None = None
    next_on: date | None = None
    next_total: int | None = None

    @property
    def is_later(self) -> bool:
        """Whether nothing happens but that the change is written down."""
        return self.mode is ChangeMode.AT_PERIOD_END or self.waits_for is not None

    @property
    def lines(self) -> tuple[LineDraft, ...]:
        """Everything that is billed for the change, in order."""
        own = (*(line for _, line in self.credits), *self.charges)
        lines = (*(self.draft.lines if self.draft else ()), *own)
        return tuple(replace(line, position=position) for position, line in enumerate(lines, start=1))

    @property
    def total(self) -> int:
        """What is billed for the change, now or on the next invoice."""
        return sum(line.amount for line in self.lines)

    @property
    def shortened_by(self) -> int:
        """By how much the next invoice falls, since charges that wait for it end with the change."""
        return sum(row.amount - amount for row, amount, _ in self.shortened)

    @property
    def tax_total(self) -> int:
        return sum(line.tax_amount for line in self.lines)

    @property
    def money(self) -> dict[str, Any]:
        """What a quote of it freezes."""
        return {
            "mode": self.mode,
            "total": self.total,
            "tax": self.tax_total,
            "lines": [(line.article_number, line.amount, line.tax_amount) for line in self.lines],
            "next": (self.next_on, self.next_total),
        }


def planned_change(session: Session, case: Case, request: ChangeRequest, at: datetime) -> Planned:
    """The decision, from locked rows: nothing is changed here.

    Raises `TransitionNotAllowed` for an ended subscription or inside the minimum term, `PlanArchived`,
    `CurrencyMismatch`, `Invalid` for a change that changes nothing or cannot be carried out in this mode, and
    `Conflict` where the state allows a later change only.
    """
    next_status(SubscriptionStatus(case.subscription.status), SubscriptionEvent.CHANGE_LATER)
    _check_price(case)
    way, falls = _direction(case, at)
    mode = _mode(case, request, way)
    waits_for = None if token_covers(session, case.subscription, case.price) else WaitsFor.TOKEN
    if mode is ChangeMode.AT_PERIOD_END or waits_for is not None:
        planned = _later(case, way, mode, at, waits_for)
    else:
        _check_money_can_move(case, mode, at)
        planned = _now(session, case, way, mode, at)
    if falls and request.override is None:
        _check_minimum_term(case.subscription, planned)
    return planned


def _check_price(case: Case) -> None:
    subscription, price = case.subscription, case.price
    is_same = price.id == subscription.price_id
    if price.currency != case.old_price.currency:
        raise CurrencyMismatch(
            f"the subscription is in {case.old_price.currency}, the price in {price.currency}", where="price_id"
        )
    if not is_same and price.replaced_by_id is not None:
        raise Conflict("this price was replaced and takes no new subscriptions", where="price_id")
    if price.plan_id != subscription.plan_id and case.books.plans[price.plan_id].archived_at is not None:
        raise PlanArchived(where="price_id")
    check_offer(case.offer)
    if is_same and case.offer.items_in_cycle(0, is_first=True) == case.old_offer.items_in_cycle(0, is_first=True):
        raise Invalid("this is what the subscription has: neither the price nor a quantity would change")


def _direction(case: Case, at: datetime) -> tuple[Direction, bool]:
    """Which way it goes, and whether it lowers what a nominal month costs."""
    on = local_date(at, case.subscription.zone)
    old, new = _terms(case, case.old_price, case.old_offer, on), _terms(case, case.price, case.offer, on)
    delta = new.amount - old.amount or _units(case.offer) - _units(case.old_offer)
    way = direction(
        old,
        new,
        same_price=case.price.id == case.subscription.price_id,
        quantity_delta=delta,
        interval_changed=not same_calendar(case.old_price, case.price),
    )
    falls = direction_of_price(old, new) is Direction.DOWNGRADE
    return way, falls and way is not Direction.LONGER_INTERVAL


def _terms(case: Case, price: Price, offer: Offer, on: date) -> Terms:
    """The regular price with its tax, whether it states it or not."""
    midnight = instant_of(on, time.min, case.subscription.zone)
    any_period = Period(on, on + timedelta(days=1), midnight, midnight + timedelta(days=1))
    tax = case.books.tax(case.subscription, on)
    total = invoice_for_period(offer, any_period, tax, cycle_no=_PAST_EVERY_PHASE).total
    return Terms(total, Interval(price.interval), price.interval_count)


def _units(offer: Offer) -> int:
    return sum(item.quantity for item in offer.items_in_cycle(_PAST_EVERY_PHASE, is_first=False))


def _mode(case: Case, request: ChangeRequest, way: Direction) -> ChangeMode:
    """The mode asked for or the plan's, as far as state and calendar leave a choice."""
    plan = case.books.plans[case.subscription.plan_id]
    has_choice = case.subscription.status not in (SubscriptionStatus.PENDING, SubscriptionStatus.TRIALING)
    other_calendar = not same_calendar(case.old_price, case.price) or case.old_price.month_end != case.price.month_end
    mode = request.mode
    if not has_choice:
        if mode not in (None, ChangeMode.AT_PERIOD_END):
            raise Invalid("nothing is paid yet: the change takes effect with the first paid period", where="mode")
        return ChangeMode.AT_PERIOD_END
    if mode is None:
        mode = ChangeMode(getattr(plan, f"{way.value}_mode"))
        if other_calendar and mode in (ChangeMode.CHARGE_NOW, ChangeMode.NEXT_INVOICE):
            mode = ChangeMode.AT_PERIOD_END
    if other_calendar and mode in (ChangeMode.CHARGE_NOW, ChangeMode.NEXT_INVOICE):
        raise Invalid("another interval starts afresh (full_and_reset) or at the period's end", where="mode")
    if plan.proration == Proration.NONE and mode is not ChangeMode.FULL_AND_RESET:
        return ChangeMode.AT_PERIOD_END
    return mode


def _later(case: Case, way: Direction, mode: ChangeMode, at: datetime, waits_for: WaitsFor | None) -> Planned:
    subscription = case.subscription
    boundary = subscription.next_period_at
    ends = subscription.cancel_at is not None and boundary is not None and subscription.cancel_at <= boundary
    if ends or is_last_cycle(subscription.cycles_done, subscription.term_cycles):
        raise Conflict("the subscription ends before the change could take effect; undo the end first")
    planned = Planned(way, mode, at, boundary, waits_for)
    if boundary is None or waits_for is not None:
        return planned
    after = _copy(subscription)
    put_terms(after, case.price, case.quantities, local_date(boundary, subscription.zone))
    return _with_next(case, planned, after)


def _now(session: Session, case: Case, way: Direction, mode: ChangeMode, at: datetime) -> Planned:
    subscription, running = case.subscription, case.running
    assert running is not None, "money moves in a running period"
    on = local_date(at, running.period.zone)
    after = _copy(subscription)
    is_reset = mode is ChangeMode.FULL_AND_RESET
    articles = _every_article(case) if is_reset else changed_articles(case.old_offer, case.offer, case.cycle_no)
    gives = case.books.plans[subscription.plan_id].proration != Proration.NONE
    # A new period starts at midnight, also where parts of a period are priced by the second.
    from_at = max(instant_of(on, time.min, running.period.zone), running.period.starts_at) if is_reset else at
    given = credited(running, case.invoices, case.lines, articles, from_at) if gives else []
    ending = shortened(running, case.waiting, articles, from_at) if gives else []
    planned = Planned(way, mode, at, from_at, None, given, shortened=ending)
    put_terms(after, case.price, case.quantities, on, new_anchor=is_reset)
    if is_reset:
        return _reset(case, planned, after)
    tax = case.books.tax(subscription, on)
    discounts = _running_discounts(session, case)
    charges = charged(running, case.offer, case.price.id, tax, articles, at, case.cycle_no, discounts)
    return _with_next(case, replace(planned, charges=charges), after)


def _every_article(case: Case) -> frozenset[str]:
    billed = {row.article_number for rows in case.lines.values() for row in rows}
    return frozenset(billed | {row.article_number for row in case.waiting})


def _reset(case: Case, planned: Planned, after: Subscription) -> Planned:
    """A whole new period from the day of the change on; the running one closes where it starts."""
    assert planned.effective_at is not None, "a new period starts at an instant"
    after.next_period_at = planned.effective_at
    span = next_span(after)
    span = replace(span, period=replace(span.period, starts_at=planned.effective_at))
    planned = replace(planned, span=span, draft=period_draft(case.books, after, span))
    after.next_cycle_index, after.next_period_at, after.is_set_up = 1, span.period.ends_at, True
    after.cycles_done += span.kind is PeriodKind.REGULAR
    return _with_next(case, planned, after, discounts_used=1)


def _running_discounts(session: Session, case: Case) -> list[Discount]:
    """Those that the running period's own invoice took."""
    billed = next((invoice for invoice in case.invoices if invoice.kind == InvoiceKind.RECURRING), None)
    if billed is None:
        return case.books.discounts_of(case.subscription)
    return [
        Discount(row.id, row.name, row.percent, row.amount, None, row.article_number)
        for row in balance_store.discounts_since(session, case.subscription.id, billed.opened_at)
    ]


def _with_next(case: Case, planned: Planned, after: Subscription, discounts_used: int = 0) -> Planned:
    """The plan with the date and the amount of the period that follows; none where the subscription ends before."""
    boundary = after.next_period_at
    ends = after.cancel_at is not None and boundary is not None and after.cancel_at <= boundary
    if boundary is None or ends or is_last_cycle(after.cycles_done, after.term_cycles):
        return planned
    left = [
        row
        for row in case.books.discounts.get(after.id, [])
        if row.cycles is None or row.cycles_used + discounts_used < row.cycles
    ]
    span = next_span(after)
    draft = period_draft(replace(case.books, discounts={after.id: left}), after, span)
    total = draft.total
    if planned.draft is None:
        total += sum(row.amount for row in case.waiting) - planned.shortened_by
    if planned.mode is ChangeMode.NEXT_INVOICE:
        total += sum(line.amount for line in planned.lines)
    return replace(planned, next_on=span.period.start_date, next_total=max(total, 0))


def _copy(subscription: Subscription) -> Subscription:
    """The row as a value of its own, in no session: what it would become is tried on it."""
    return Subscription(**subscription.model_dump())


def _check_money_can_move(case: Case, mode: ChangeMode, at: datetime) -> None:
    """Raises `TransitionNotAllowed` or `Conflict` where only a later change is possible."""
    subscription, running = case.subscription, case.running
    next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.CHANGE)
    if running is None or not running.period.starts_at <= at < running.period.ends_at:
        raise Conflict("no period that was billed is running; at_period_end is possible", where="mode")
    for invoice in case.invoices:
        if not _is_paid_for(invoice, case.operations):
            raise Conflict(
                "the running period is not paid yet; the change is possible once it is, or at_period_end", where="mode"
            )
    if mode is ChangeMode.FULL_AND_RESET:
        if subscription.cancel_at is not None:
            raise Conflict("the subscription is to end; undo that before a new period starts", where="mode")
        if is_last_cycle(subscription.cycles_done, subscription.term_cycles):
            raise Conflict("the last cycle of the term is running; no new period starts", where="mode")


def _is_paid_for(invoice: Invoice, operations: Sequence[Operation]) -> bool:
    return invoice.status == InvoiceStatus.PAID or any(
        operation.invoice_id == invoice.id
        and operation.kind == OperationKind.PURCHASE
        and operation.standing == Standing.LIVE
        and operation.authorization in _AUTHORIZED
        for operation in operations
    )


def _check_minimum_term(subscription: Subscription, planned: Planned) -> None:
    until = subscription.minimum_ends_at
    if until is None:
        return
    takes_effect = planned.effective_at or planned.at
    if takes_effect < until:
        on = local_date(until, subscription.zone).isoformat()
        raise TransitionNotAllowed(
            f"the minimum term allows no lower price before {on}; an override needs a reason", earliest=on
        )
