"""When a line's net becomes revenue: by day, by what was sent, or with the money (billing rules, sections 4 and 9).

The net of a share is always the share of the gross less the share of the tax, as a credit of the other days takes it;
so that after a full time credit nothing stays deferred. Amounts are minor units of the invoice's currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from billing.domain.pricing import Recognize
from billing.domain.proration import value_of_days


@dataclass(frozen=True, slots=True)
class EarningLine:
    """An invoice line as revenue sees it.

    `taken_amount` and `taken_tax` are what credit notes and adjustment lines took back. `starts_on` and `ends_on` are
    local dates, the end not included. `is_paid` says that the whole invoice is.
    """

    amount: int
    tax_amount: int
    recognize: str
    taken_amount: int = 0
    taken_tax: int = 0
    starts_on: date | None = None
    ends_on: date | None = None
    quantity: int = 1
    dispatched_quantity: int = 0
    captured_amount: int = 0
    is_paid: bool = False
    recognized_net: int = 0

    @property
    def keepable_net(self) -> int:
        """All the revenue that it can ever be."""
        return (self.amount - self.taken_amount) - (self.tax_amount - self.taken_tax)

    @property
    def deferred_net(self) -> int:
        return self.keepable_net - self.recognized_net

    @property
    def is_by_day(self) -> bool:
        """A line without a span of days is earned with its money, whatever its rule."""
        return self.recognize == Recognize.TIME and self.starts_on is not None and self.starts_on != self.ends_on

    @property
    def revenue_kind(self) -> str:
        """Which revenue it becomes."""
        is_without_days = self.recognize == Recognize.TIME and not self.is_by_day
        return (Recognize.AT_CAPTURE if is_without_days else Recognize(self.recognize)).value


def earned_net(line: EarningLine, on: date) -> int:
    """The net that is revenue when the local day `on` begins: the days before it are earned, `on` itself is not.

    Never more than is left after credits, and never less than was recognized already unless a credit took that back:
    a look from a zone where it is still yesterday unearns nothing.
    """
    bounds = (0, line.keepable_net)
    earned = _within(max(_share_of(line, on), line.recognized_net, key=abs), bounds)
    return line.keepable_net if _is_over(line, on) else earned


def taken_from_revenue(line: EarningLine, net: int) -> int:
    """How much of a credit of `net` had become revenue already: what is still deferred is taken first."""
    return net - _within(net, (0, line.deferred_net))


def next_release_on(lines: Sequence[EarningLine], on: date) -> date | None:
    """The next local day on which more of `lines` is to be booked after `on`: the first of a month, or a line's end.

    None where nothing that is earned by day is left.
    """
    open_lines = [line for line in lines if line.is_by_day and line.deferred_net]
    return min((_next_day(line, on) for line in open_lines), default=None)


def _share_of(line: EarningLine, on: date) -> int:
    if line.is_by_day:
        assert line.starts_on is not None, "a line by day has a start"
        assert line.ends_on is not None, "a line by day has an end"
        days = (line.ends_on - line.starts_on).days
        return _net_share(line, min(max((on - line.starts_on).days, 0), days), days)
    if line.recognize == Recognize.DISPATCH:
        return _net_share(line, line.dispatched_quantity, line.quantity)
    if line.is_paid:
        return line.amount - line.tax_amount
    return _net_share(line, line.captured_amount, line.amount) if line.amount > 0 else 0


def _net_share(line: EarningLine, part: int, whole: int) -> int:
    return value_of_days(line.amount, part, whole) - value_of_days(line.tax_amount, part, whole)


def _within(value: int, bounds: tuple[int, int]) -> int:
    low, high = sorted(bounds)
    return min(max(value, low), high)


def _is_over(line: EarningLine, on: date) -> bool:
    """All its days have passed: whatever rounding left is earned too."""
    return line.is_by_day and line.ends_on is not None and on >= line.ends_on


def _next_day(line: EarningLine, on: date) -> date:
    assert line.starts_on is not None, "a line by day has a start"
    assert line.ends_on is not None, "a line by day has an end"
    after = max(on, line.starts_on)
    month_start = (after.replace(day=1) + timedelta(days=32)).replace(day=1)
    return min(month_start, max(line.ends_on, on + timedelta(days=1)))
