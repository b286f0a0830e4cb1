"""The lines of a change: what the rest of the running period gives back of what was billed, and costs anew.

Reads the lines that pay for the running period and writes what a change takes of them; the amounts are the domain's.
Only articles that change are touched: what stays the same is neither credited nor charged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlmodel import Session

from billing.domain.changes import AdjustmentCredit, BilledSpan, credits_for_change, seconds_between
from billing.domain.credits import BilledLine
from billing.domain.discounts import Discount, discount_parts
from billing.domain.invoicing import LineDraft, LineKind, charge_for_days
from billing.domain.periods import instant_of, local_date
from billing.domain.pricing import CreditRule, Offer
from billing.domain.proration import value_of_days
from billing.domain.tax import TaxPosition
from billing.store.balances import PendingLine
from billing.store.invoices import Invoice, InvoiceKind, InvoiceLine
from billing.store.periods import PeriodKind, PeriodRow, periods_of
from billing.store.plans import Proration

_SELLS = (LineKind.ITEM, LineKind.ADJUSTMENT)


@dataclass(frozen=True, slots=True)
class Running:
    """The period that runs, and the earlier rows whose invoices pay for its days: a frozen period goes on later."""

    period: PeriodRow
    paid_by: Sequence[PeriodRow]
    by_second: bool

    @property
    def is_counted(self) -> bool:
        """Whether it is one of the paid cycles that were counted."""
        return self.paid_by[0].kind == PeriodKind.REGULAR

    def days_at(self, at: datetime) -> tuple[int, int]:
        """How much of the full period has passed before `at`, and of how much: whole days, or seconds."""
        period = self.period
        if not self.by_second:
            on = local_date(at, period.zone)
            return period.offset_days + (on - period.start_date).days, period.full_days
        whole_from = period.starts_at
        if period.offset_days:
            whole_from = instant_of(period.start_date - timedelta(days=period.offset_days), time.min, period.zone)
        return seconds_between(whole_from, at), seconds_between(whole_from, period.ends_at)


def running_period(session: Session, period: PeriodRow, proration: str) -> Running:
    """The latest period with the rows that pay for it; `proration` is the plan's grain."""
    rows = [period]
    if period.kind == PeriodKind.RESUMED:
        rows = []
        for row in reversed(periods_of(session, period.subscription_id)):
            rows.append(row)
            if row.kind in (PeriodKind.REGULAR, PeriodKind.STUB):
                break
        rows = [row for row in reversed(rows) if row.kind != PeriodKind.PAUSED]
    # The seconds of a period that stood still in between are not counted: its days are.
    return Running(period, rows, by_second=proration == Proration.SECOND and period.kind != PeriodKind.RESUMED)


def credited(
    running: Running,
    invoices: Sequence[Invoice],
    lines: Mapping[UUID, Sequence[InvoiceLine]],
    articles: frozenset[str],
    at: datetime,
) -> list[tuple[InvoiceLine, LineDraft]]:
    """Each line that gives back its unused time from `at` on, with the negative line that does it."""
    on = local_date(at, running.period.zone)
    rows = {row.id: row for invoice in invoices for row in lines.get(invoice.id, ()) if row.article_number in articles}
    spans = [
        _span(running, invoice, row)
        for invoice in invoices
        for row in lines.get(invoice.id, ())
        if row.id in rows and _pays_for_time(row, _shift(running, invoice))
    ]
    found = credits_for_change(spans, on, at if running.by_second else None)
    ends = {span.line.line_id: span.ends_on for span in spans}
    return [
        (rows[credit.line_id], _negative(rows[credit.line_id], credit, on, ends[credit.line_id])) for credit in found
    ]


def charged(
    running: Running,
    offer: Offer,
    price_id: UUID,
    tax: TaxPosition,
    articles: frozenset[str],
    at: datetime,
    cycle_no: int,
    discounts: Sequence[Discount],
) -> list[LineDraft]:
    """A line for the rest of the running period of each article credited by time; goods come with the next period."""
    period = running.period
    passed, whole = running.days_at(at)
    items = offer.items_in_cycle(cycle_no, is_first=False)
    taken = discount_parts([(item.article_number, item.amount) for item in items], discounts)
    drafts = [
        charge_for_days(
            item,
            offer.currency,
            tax,
            (period.start_date, period.end_date),
            passed,
            whole,
            price_id,
            tax_included=offer.tax_included,
            discounted=[(discount.name, parts[place]) for discount, parts in zip(discounts, taken, strict=True)],
            seconds_from=local_date(at, period.zone) if running.by_second else None,
        )
        for place, item in enumerate(items)
        if item.article_number in articles and item.credit_rule is CreditRule.TIME
    ]
    return [draft for draft in drafts if draft.amount]


def changed_articles(old: Offer, new: Offer, cycle_no: int) -> frozenset[str]:
    """The articles that are not the same before and after, in the cycle that runs."""
    before = {item.article_number: item for item in old.items_in_cycle(cycle_no, is_first=False)}
    after = {item.article_number: item for item in new.items_in_cycle(cycle_no, is_first=False)}
    if old.tax_included != new.tax_included:
        return frozenset(before) | frozenset(after)
    return frozenset(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def shortened(
    running: Running, waiting: Sequence[PendingLine], articles: frozenset[str], at: datetime
) -> list[tuple[PendingLine, int, int]]:
    """Charges that wait for the next invoice and end with this change: `(line, what stays of it, the tax of that)`.

    They are on no document yet, so that they are made shorter instead of being credited.
    """
    on, found = local_date(at, running.period.zone), []
    for row in waiting:
        is_charge = row.kind == LineKind.ADJUSTMENT and row.amount > 0 and row.article_number in articles
        if not is_charge or row.starts_on is None or row.ends_on is None or row.ends_on <= on:
            continue
        used, whole = (on - row.starts_on).days, (row.ends_on - row.starts_on).days
        if running.by_second:
            whole = seconds_between(row.created_at, running.period.ends_at)
            used = min(seconds_between(row.created_at, at), whole)
        found.append((row, value_of_days(row.amount, used, whole), value_of_days(row.tax_amount, used, whole)))
    return found


def _pays_for_time(row: InvoiceLine, shift: timedelta | None) -> bool:
    return shift is not None and row.kind in _SELLS and row.amount > 0 and row.credit_rule == CreditRule.TIME


def _shift(running: Running, invoice: Invoice) -> timedelta | None:
    """By how many days the time that an invoice pays for has moved since: a pause lay between."""
    row = next((row for row in running.paid_by if row.id == invoice.period_id), None)
    return _virtual_start(running.period) - _virtual_start(row) if row is not None else None


def _virtual_start(row: PeriodRow) -> date:
    return row.start_date - timedelta(days=row.offset_days)


def _span(running: Running, invoice: Invoice, row: InvoiceLine) -> BilledSpan:
    period = next(period for period in running.paid_by if period.id == invoice.period_id)
    shift = _virtual_start(running.period) - _virtual_start(period)
    starts_on = (row.starts_on or period.start_date) + shift
    ends_on = (row.ends_on or period.end_date) + shift
    line = replace(_billed(row), starts_on=starts_on, ends_on=ends_on)
    # A change's invoice is collected from the instant of the change: there its lines begin.
    starts_at = invoice.collect_at if invoice.kind == InvoiceKind.CHANGE else period.starts_at
    ends_at = period.original_ends_at or period.ends_at
    if starts_on < period.start_date:
        # It came with this invoice and paid for time before.
        starts_at, ends_at = period.starts_at, period.starts_at
    return BilledSpan(line, starts_on, ends_on, starts_at, ends_at)


def _billed(row: InvoiceLine) -> BilledLine:
    return BilledLine(
        row.id,
        row.position,
        row.article_number,
        row.name,
        row.quantity,
        row.unit_amount,
        row.amount,
        row.tax_amount,
        row.tax_rate,
        row.credit_rule,
        row.recognize,
        row.credited_amount,
        row.credited_tax,
        row.credited_quantity,
        row.adjusted_amount,
        row.adjusted_tax,
    )


def _negative(row: InvoiceLine, credit: AdjustmentCredit, on: date, ends_on: date) -> LineDraft:
    return LineDraft(
        position=1,
        article_number=row.article_number,
        name=row.name,
        quantity=1,
        unit_amount=-credit.amount,
        amount=-credit.amount,
        tax_amount=-credit.tax_amount,
        tax_rate=row.tax_rate,
        credit_rule=CreditRule.NONE.value,
        recognize=row.recognize,
        derivation=credit.derivation,
        kind=LineKind.ADJUSTMENT,
        starts_on=on,
        ends_on=ends_on,
        adjusts_line_id=row.id,
        tax_treatment=row.tax_treatment,
        price_id=row.price_id,
    )
