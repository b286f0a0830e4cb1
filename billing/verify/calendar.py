"""The calendar, written once more: boundary n of an anchor (billing rules, sections 1 to 3)."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_MONTHS = {"month": 1, "year": 12}
_DAYS = {"day": 1, "week": 7}


@dataclass(frozen=True, slots=True)
class Anchor:
    """What the boundaries of a subscription hang on: its local day, and the length of a cycle."""

    on: date
    interval: str
    count: int
    month_end: bool

    @property
    def in_months(self) -> bool:
        return self.interval in _MONTHS


@lru_cache(maxsize=200_000)
def boundary(anchor: Anchor, n: int) -> date:
    """The local day on which cycle n begins; where the anchor is no boundary itself, cycle 0 is what is left of one."""
    if not anchor.in_months:
        return anchor.on + timedelta(days=n * anchor.count * _DAYS[anchor.interval])
    if n == 0:
        return anchor.on
    step = anchor.count * _MONTHS[anchor.interval]
    if _in_month(anchor, 0) == anchor.on:
        return _in_month(anchor, n * step)
    first = 0 if _in_month(anchor, 0) > anchor.on else 1
    return _in_month(anchor, first + (n - 1) * step)


def is_boundary(anchor: Anchor, day: date) -> bool:
    """Whether some cycle of this anchor begins on `day`."""
    if day < anchor.on:
        return False
    if not anchor.in_months:
        return (day - anchor.on).days % (anchor.count * _DAYS[anchor.interval]) == 0
    step = anchor.count * _MONTHS[anchor.interval]
    months = (day.year - anchor.on.year) * 12 + day.month - anchor.on.month
    return any(boundary(anchor, n) == day for n in range(max(0, months // step - 1), months // step + 3))


@lru_cache(maxsize=200_000)
def midnight(day: date, zone: str) -> datetime:
    """Local 00:00 of `day` as a UTC instant: the first of two, and moved forward by a gap where there is none."""
    return datetime.combine(day, time.min, ZoneInfo(zone)).replace(fold=0).astimezone(UTC)


@lru_cache(maxsize=200_000)
def day_at(at: datetime, zone: str) -> date:
    """The day on the wall of `zone` at the aware instant `at`."""
    return at.astimezone(ZoneInfo(zone)).date()


def _in_month(anchor: Anchor, months_on: int) -> date:
    year, month = divmod(anchor.on.year * 12 + anchor.on.month - 1 + months_on, 12)
    last = monthrange(year, month + 1)[1]
    return date(year, month + 1, last if anchor.month_end else min(anchor.on.day, last))
