"""Billing periods: the nth boundary from the anchor, half-open periods, local dates and times to UTC instants.

Boundary n is a function of the anchor in force and n alone, never of boundary n-1 (billing rules, section 1). When a
period is collected is a separate number from when it starts.
"""

import hashlib
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from itertools import count as counting
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from billing.domain.errors import Invalid

COLLECTION_TIME = time(6)
"""Local time from which a period is collected, spread over the hour that follows."""


class Interval(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class BillingCycle:
    """Every `count` intervals from the local `anchor_date`, on `anchor_day` (1 to 31) or on each month's last day.

    Days and weeks have no use for `anchor_day` and `month_end`. Raises `Invalid` for a count below 1 or a day that
    no month has.
    """

    interval: Interval
    count: int
    anchor_date: date
    anchor_day: int
    month_end: bool = False

    def __post_init__(self) -> None:
        if self.count < 1:
            raise Invalid(f"a cycle of {self.count} intervals does not move; at least 1 is needed", where="count")
        if not 1 <= self.anchor_day <= 31:
            raise Invalid(f"{self.anchor_day} is not a day of any month", where="anchor_day")


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open span: `[start_date, end_date)` in local dates, `[starts_at, ends_at)` in UTC.

    The two instants are equal where the zone skipped the whole span (Pacific/Apia had no 2011-12-30).
    """

    start_date: date
    end_date: date
    starts_at: datetime
    ends_at: datetime

    @property
    def days(self) -> int:
        """Local calendar days; a day of 23 or 25 hours is one day."""
        return (self.end_date - self.start_date).days

    @property
    def is_empty(self) -> bool:
        return self.starts_at == self.ends_at


def nth_boundary(cycle: BillingCycle, n: int) -> date:
    """The local date on which period n starts; n = 0 is the anchor itself.

    Where the anchor is not on its own anchor day, boundary 1 is the first matching day after it and the intervals
    count from there, so that period 0 is a stub. Raises `Invalid` for n below 0 and past the year 9999.
    """
    if n < 0:
        raise Invalid(f"there is no period {n}")
    try:
        return _boundary(cycle, n)
    except (ValueError, OverflowError):
        raise Invalid("the calendar ends with the year 9999") from None


def nth_period(cycle: BillingCycle, n: int, zone: str) -> Period:
    """Period n: from boundary n to boundary n + 1, each at local 00:00."""
    return _period(nth_boundary(cycle, n), nth_boundary(cycle, n + 1), zone)


def stub_of(cycle: BillingCycle) -> tuple[date, date] | None:
    """The full period `[from, to)` that period 0 is the tail of, or None where the anchor stands on its own day.

    The days between the two dates are the N over which a stub's price is taken (billing rules, section 6).
    """
    if not _has_months(cycle) or _day_in_month(cycle, 0) == cycle.anchor_date:
        return None
    first = _first_match(cycle)
    return _day_in_month(cycle, first - _months(cycle)), _day_in_month(cycle, first)


def boundary_after(cycle: BillingCycle, at: datetime, zone: str) -> int:
    """The lowest n whose boundary lies strictly after the instant `at`, with local midnights of `zone`."""
    start = max(0, _cycles_elapsed(cycle, local_date(at, zone)) - 1)
    return next(n for n in counting(start) if instant_of(nth_boundary(cycle, n), time.min, zone) > at)


def period_containing(cycle: BillingCycle, at: datetime, zone: str) -> tuple[int, Period]:
    """The period that holds the instant `at`, with its index. Raises `Invalid` for an instant before the anchor."""
    n = boundary_after(cycle, at, zone) - 1
    if n < 0:
        raise Invalid(f"the first period starts on {cycle.anchor_date}, after that instant")
    return n, nth_period(cycle, n, zone)


def period_after_zone_change(cycle: BillingCycle, n: int, starts_at: datetime, zone: str) -> tuple[int, Period]:
    """Period n where the one before ended at `starts_at` in another zone, with the cycle index that it fills.

    It ends at boundary n + 1 of the new `zone`, or at the next one that lies after its start (a daily cycle that moves
    across the date line), and is billed as a whole period (billing rules, section 3). The regular periods of the new
    zone go on from the index returned, plus 1.
    """
    after = max(n + 1, boundary_after(cycle, starts_at, zone))
    end_date = nth_boundary(cycle, after)
    return after - 1, Period(local_date(starts_at, zone), end_date, starts_at, instant_of(end_date, time.min, zone))


def instant_of(day: date, at: time, zone: str) -> datetime:
    """The UTC instant of a local wall time. One that happens twice is its first; one that a gap skips moves forward
    by the gap. Raises `Invalid` for an unknown zone.
    """
    # In a gap, fold 0 reads the time with the offset before the gap, which is exactly "moved forward by the gap".
    return datetime.combine(day, at, _zone(zone)).replace(fold=0).astimezone(UTC)


def local_date(at: datetime, zone: str) -> date:
    """The date on the wall in `zone` at the aware instant `at`. Raises `Invalid` for a naive one."""
    if at.tzinfo is None:
        raise Invalid("an instant without a time zone is refused")
    return at.astimezone(_zone(zone)).date()


def collect_at(day: date, zone: str, subscription_id: UUID) -> datetime:
    """When the period that starts on the local `day` is collected: 06:00 local and up to an hour, by subscription."""
    return instant_of(day, COLLECTION_TIME, zone) + jitter(subscription_id, 3600)


def jitter(key: UUID, below_seconds: int) -> timedelta:
    """A delay of 0 to `below_seconds` - 1 whole seconds, always the same for the same key."""
    digest = hashlib.sha256(key.bytes).digest()
    return timedelta(seconds=int.from_bytes(digest, "big") % below_seconds)


def check_zone(zone: str) -> None:
    """Raises `Invalid` unless `zone` is a name of the IANA time zone database, in its exact spelling."""
    if zone not in _zones():
        # What was sent is never repeated: it may be a token in the wrong field.
        raise Invalid("this is not a time zone of the IANA database, such as 'Europe/Stockholm'", where="zone")


def _boundary(cycle: BillingCycle, n: int) -> date:
    if not _has_months(cycle):
        width = 7 if cycle.interval is Interval.WEEK else 1
        return cycle.anchor_date + timedelta(days=n * width * cycle.count)
    if n == 0:
        return cycle.anchor_date
    if _day_in_month(cycle, 0) == cycle.anchor_date:
        return _day_in_month(cycle, n * _months(cycle))
    return _day_in_month(cycle, _first_match(cycle) + (n - 1) * _months(cycle))


def _cycles_elapsed(cycle: BillingCycle, day: date) -> int:
    """How many cycles of whole days or of calendar months lie between the anchor and `day`, to at most one too many."""
    if not _has_months(cycle):
        width = 7 if cycle.interval is Interval.WEEK else 1
        return (day - cycle.anchor_date).days // (width * cycle.count)
    anchor = cycle.anchor_date
    return ((day.year - anchor.year) * 12 + day.month - anchor.month) // _months(cycle)


def _has_months(cycle: BillingCycle) -> bool:
    return cycle.interval in (Interval.MONTH, Interval.YEAR)


def _months(cycle: BillingCycle) -> int:
    return cycle.count * (12 if cycle.interval is Interval.YEAR else 1)


def _first_match(cycle: BillingCycle) -> int:
    return 0 if _day_in_month(cycle, 0) > cycle.anchor_date else 1


def _day_in_month(cycle: BillingCycle, months_on: int) -> date:
    year, month_index = divmod(cycle.anchor_date.year * 12 + cycle.anchor_date.month - 1 + months_on, 12)
    last = monthrange(year, month_index + 1)[1]
    return date(year, month_index + 1, last if cycle.month_end else min(cycle.anchor_day, last))


def _period(start: date, end: date, zone: str) -> Period:
    return Period(start, end, instant_of(start, time.min, zone), instant_of(end, time.min, zone))


def _zone(zone: str) -> ZoneInfo:
    check_zone(zone)
    return ZoneInfo(zone)


@cache
def _zones() -> frozenset[str]:
    # "localtime" is this machine's own zone and "Factory" is a placeholder; neither names a place.
    return frozenset(available_timezones() - {"localtime", "Factory"})
