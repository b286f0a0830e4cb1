"""A change of plan, quantity or interval: its direction, when it is charged, what unused days give back (section 4).

A credit is taken from the line as it was billed, over that line's own days, never computed anew from a catalog. What
the rest of the period costs at the new price is `invoicing.charge_for_days`.
Amounts are minor units of the subscription's currency, tax included; days are local days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from billing.domain.credits import BilledLine, CreditLine, credit_unused
from billing.domain.errors import Invalid
from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule


class ChangeMode(StrEnum):
    """When a change takes effect and is paid; `full_and_reset` is the full new price and a new anchor today."""

    CHARGE_NOW = "charge_now"
    NEXT_INVOICE = "next_invoice"
    AT_PERIOD_END = "at_period_end"
    FULL_AND_RESET = "full_and_reset"


class Direction(StrEnum):
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    QUANTITY_UP = "quantity_up"
    QUANTITY_DOWN = "quantity_down"
    LONGER_INTERVAL = "longer_interval"
    SHORTER_INTERVAL = "shorter_interval"


DEFAULT_MODES: Mapping[Direction, ChangeMode] = MappingProxyType(
    {
        Direction.UPGRADE: ChangeMode.CHARGE_NOW,
        Direction.DOWNGRADE: ChangeMode.AT_PERIOD_END,
        Direction.QUANTITY_UP: ChangeMode.CHARGE_NOW,
        Direction.QUANTITY_DOWN: ChangeMode.AT_PERIOD_END,
        Direction.LONGER_INTERVAL: ChangeMode.FULL_AND_RESET,
        Direction.SHORTER_INTERVAL: ChangeMode.AT_PERIOD_END,
    }
)
"""What a plan does unless it says otherwise."""

_SECOND = timedelta(seconds=1)

# A nominal month is 1/12 of a year for every interval; a day is 12/365 of a month as a week is 12/52.
_IN_A_YEAR = {Interval.DAY: 365, Interval.WEEK: 52, Interval.MONTH: 12, Interval.YEAR: 1}


@dataclass(frozen=True, slots=True)
class Terms:
    """A price of `amount` minor units every `count` intervals. Raises `Invalid` for a count below 1."""

    amount: int
    interval: Interval
    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise Invalid(f"a price for {self.count} intervals has no month to compare", where="count")


@dataclass(frozen=True, slots=True)
class BilledSpan:
    """A billed line and the local days `[starts_on, ends_on)` that it pays for: its own denominator.

    What earlier changes took back of the line stands on it as adjusted: it is not given back again. `starts_at` and
    `ends_at` (UTC) are given where a plan prices parts of a period by the second.
    """

    line: BilledLine
    starts_on: date
    ends_on: date
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AdjustmentCredit:
    """What the unused days of one line give back: `amount` > 0, of which `tax_amount` is tax."""

    line_id: UUID
    amount: int
    tax_amount: int
    derivation: str

    @property
    def net_amount(self) -> int:
        return self.amount - self.tax_amount


def direction(old: Terms, new: Terms, *, same_price: bool, quantity_delta: int, interval_changed: bool) -> Direction:
    """Which of the six a change is.

    Another interval decides first, by its nominal length; then the quantity, where the price is the same; else the
    price. Two spellings of one length (12 months and a year) are compared by price.
    """
    longer = _nominal_length(new, old) - _nominal_length(old, new)
    if interval_changed and longer:
        return Direction.LONGER_INTERVAL if longer > 0 else Direction.SHORTER_INTERVAL
    if same_price and quantity_delta:
        return Direction.QUANTITY_UP if quantity_delta > 0 else Direction.QUANTITY_DOWN
    return direction_of_price(old, new)


def direction_of_price(old: Terms, new: Terms) -> Direction:
    """Upgrade or downgrade by price per nominal month; equal is an upgrade.

    A year has 12 nominal months, a month 1, a week 12/52, a day 12/365; compared by cross-multiplication in integers.
    """
    rises = new.amount * _nominal_length(old, new) >= old.amount * _nominal_length(new, old)
    return Direction.UPGRADE if rises else Direction.DOWNGRADE


def unused_credit(span: BilledSpan, on: date) -> tuple[int, int]:
    """Gross and tax of the days of the line from `on` to its end, never more than earlier credits left of it.

    The day of the change belongs to what follows. Before the line's own days all of it is unused, after them nothing.
    """
    line = _credit_line(span, on)
    return (line.amount, line.tax_amount) if line else (0, 0)


def credits_for_change(
    spans: Sequence[BilledSpan], on: date, at: datetime | None = None
) -> tuple[AdjustmentCredit, ...]:
    """The credits of a change on the local day `on`: of lines credited by time, without those that give nothing.

    With `at` (UTC) the seconds from that instant on are given back instead of the days, of spans that know theirs.
    Shipped or consumed articles are not given back by a change of plan.
    """
    timed = (span for span in spans if span.line.credit_rule == CreditRule.TIME)
    lines = (_credit_line(span, on) if at is None else _credit_seconds(span, at) for span in timed)
    return tuple(
        AdjustmentCredit(line.line_id, line.amount, line.tax_amount, line.derivation) for line in lines if line
    )


def _nominal_length(terms: Terms, other: Terms) -> int:
    """The length of one cycle, in a unit that the two share."""
    return terms.count * _IN_A_YEAR[other.interval]


def seconds_between(start: datetime, end: datetime) -> int:
    """Whole seconds from `start` to `end`; 0 where that comes first."""
    return max((end - start) // _SECOND, 0)


def _credit_line(span: BilledSpan, on: date) -> CreditLine | None:
    """The time credit of one line, or None where nothing is given back: a line that lowers an invoice never is."""
    of_days = (span.ends_on - span.starts_on).days
    if of_days < 1:
        raise Invalid(f"a line from {span.starts_on} to {span.ends_on} pays for no day")
    used_days = min(max((on - span.starts_on).days, 0), of_days)
    if span.line.amount <= 0 or span.line.credit_rule != CreditRule.TIME:
        return None
    return next(iter(credit_unused([span.line], used_days, of_days, {}).lines), None)


def _credit_seconds(span: BilledSpan, at: datetime) -> CreditLine | None:
    """As `_credit_line`, over the seconds of the line."""
    assert span.starts_at is not None, "a span that is priced by the second knows its start"
    assert span.ends_at is not None, "a span that is priced by the second knows its end"
    of_seconds = seconds_between(span.starts_at, span.ends_at)
    if span.line.amount <= 0 or not of_seconds:
        return None
    used = min(seconds_between(span.starts_at, at), of_seconds)
    line = next(iter(credit_unused([span.line], used, of_seconds, {}).lines), None)
    return line and replace(line, derivation=line.derivation.replace(" days unused", " seconds unused"))
