"""For every start day, interval and zone: periods tile, and boundary n needs no other boundary."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.periods import (
    BillingCycle,
    Interval,
    boundary_after,
    instant_of,
    local_date,
    nth_boundary,
    nth_period,
    period_after_zone_change,
    period_containing,
)

STRANGE_ZONES = [
    "Europe/Stockholm",
    "America/New_York",
    "America/Sao_Paulo",  # no midnight on the day its summer began
    "America/Havana",  # midnight twice
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Pacific/Kiritimati",
    "Africa/Casablanca",  # summer time with a break
    "Asia/Gaza",
    "America/St_Johns",
    "Antarctica/Troll",  # two hours
]
SKIPPED_DAYS = {
    "Pacific/Apia": date(2011, 12, 30),
    "Pacific/Fakaofo": date(2011, 12, 30),
    "Pacific/Kiritimati": date(1994, 12, 31),
    "Pacific/Kanton": date(1994, 12, 31),
    "Pacific/Kwajalein": date(1993, 8, 21),
}
ZONES = st.one_of(
    st.sampled_from(STRANGE_ZONES), st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))
)
DATES = st.dates(date(1990, 1, 1), date(2040, 12, 31))
CYCLES = st.builds(
    BillingCycle, st.sampled_from(Interval), st.integers(1, 13), DATES, st.integers(1, 31), st.booleans()
)


def on_its_day(cycle: BillingCycle) -> BillingCycle:
    return BillingCycle(cycle.interval, cycle.count, cycle.anchor_date, cycle.anchor_date.day)


def walked(start: date, interval: Interval) -> Iterator[date]:
    """The boundaries from `start` as somebody with a paper calendar finds them, one after the other."""
    if interval in (Interval.DAY, Interval.WEEK):
        step = timedelta(days=7 if interval is Interval.WEEK else 1)
        while True:
            yield start
            start += step
    year, month = start.year, start.month
    while True:
        yield date(year, month, min(start.day, monthrange(year, month)[1]))
        month += 1 if interval is Interval.MONTH else 12
        year, month = year + (month - 1) // 12, (month - 1) % 12 + 1


# Every day of the six years begins 1,000 cycles; each ends where the next one starts and where a paper calendar says.
@pytest.mark.parametrize("interval", list(Interval))
def test_a_thousand_cycles_tile_from_every_day_of_2027_to_2032(interval: Interval) -> None:
    start = date(2027, 1, 1)
    while start.year <= 2032:
        cycle = BillingCycle(interval, 1, start, start.day)
        found = [nth_boundary(cycle, n) for n in range(1001)]
        assert all(before < after for before, after in pairwise(found)), start
        assert all(map(date.__eq__, found, walked(start, interval))), start
        start += timedelta(days=1)


@pytest.mark.parametrize("zone", sorted({*STRANGE_ZONES, *SKIPPED_DAYS}))
def test_every_local_day_from_1990_to_2040_tiles_and_only_a_skipped_one_is_empty(zone: str) -> None:
    daily = BillingCycle(Interval.DAY, 1, date(1990, 1, 1), 1)
    days = (date(2041, 1, 1) - daily.anchor_date).days
    periods = [nth_period(daily, n, zone) for n in range(days)]
    assert all(before.ends_at == after.starts_at for before, after in pairwise(periods))
    assert all(period.starts_at <= period.ends_at for period in periods)
    assert [p.start_date for p in periods if p.is_empty] == [day for z, day in SKIPPED_DAYS.items() if z == zone]


@settings(max_examples=150, deadline=None)
@given(CYCLES, ZONES, st.integers(0, 40))
def test_neighbouring_periods_tile_in_dates_and_in_instants(cycle: BillingCycle, zone: str, n: int) -> None:
    before, after = nth_period(cycle, n, zone), nth_period(cycle, n + 1, zone)
    assert (before.end_date, before.ends_at) == (after.start_date, after.starts_at)
    assert before.start_date < before.end_date
    assert before.starts_at <= before.ends_at


# A day starts where its date starts on the wall, except for the days that a zone has skipped.
@settings(max_examples=300, deadline=None)
@given(DATES, ZONES)
def test_each_local_day_is_a_period_of_21_to_27_hours_or_empty(day: date, zone: str) -> None:
    period = nth_period(BillingCycle(Interval.DAY, 1, day, day.day), 0, zone)
    if period.is_empty:
        assert local_date(period.starts_at, zone) == day + timedelta(days=1)
    else:
        assert local_date(period.starts_at, zone) == day
        assert local_date(period.ends_at - timedelta(microseconds=1), zone) == day
        assert timedelta(hours=21) <= period.ends_at - period.starts_at <= timedelta(hours=27)


@settings(max_examples=150, deadline=None)
@given(CYCLES, st.integers(1, 60))
def test_a_monthly_boundary_falls_on_the_anchor_day_or_the_months_last(cycle: BillingCycle, n: int) -> None:
    boundary = nth_boundary(cycle, n)
    is_last = (boundary + timedelta(days=1)).day == 1
    if cycle.interval in (Interval.MONTH, Interval.YEAR):
        assert is_last or (boundary.day == cycle.anchor_day and not cycle.month_end)


@settings(max_examples=100, deadline=None)
@given(CYCLES, st.integers(0, 30))
def test_twelve_months_are_a_year_and_seven_days_a_week(cycle: BillingCycle, n: int) -> None:
    regular = on_its_day(cycle)
    widths = {Interval.YEAR: (Interval.MONTH, 12), Interval.WEEK: (Interval.DAY, 7)}
    interval, width = widths.get(regular.interval, (regular.interval, 1))
    finer = BillingCycle(interval, regular.count * width, regular.anchor_date, regular.anchor_day)
    assert nth_boundary(regular, n) == nth_boundary(finer, n)


@settings(max_examples=100, deadline=None)
@given(CYCLES, ZONES, st.integers(0, 400 * 366))
def test_the_boundary_after_an_instant_is_the_end_of_the_period_that_holds_it(
    cycle: BillingCycle, zone: str, hours: int
) -> None:
    at = instant_of(cycle.anchor_date, time.min, zone) + timedelta(hours=hours)
    n, period = period_containing(cycle, at, zone)
    assert period.starts_at <= at < period.ends_at
    assert boundary_after(cycle, at, zone) == n + 1


@settings(max_examples=100, deadline=None)
@given(CYCLES, ZONES, ZONES, st.integers(0, 20))
def test_periods_tile_across_a_change_of_zone(cycle: BillingCycle, old: str, new: str, n: int) -> None:
    moved_at = nth_period(cycle, n, old).ends_at
    index, moved = period_after_zone_change(cycle, n + 1, moved_at, new)
    assert moved_at == moved.starts_at < moved.ends_at
    assert nth_period(cycle, index + 1, new).starts_at == moved.ends_at
    assert index in (n + 1, n + 2, n + 3)


@settings(max_examples=100, deadline=None)
@given(DATES, ZONES, ZONES, st.integers(0, 20))
def test_a_period_after_a_change_of_zone_is_at_most_26_hours_longer_or_shorter(
    start: date, old: str, new: str, n: int
) -> None:
    monthly = BillingCycle(Interval.MONTH, 1, start, start.day)
    index, moved = period_after_zone_change(monthly, n + 1, nth_period(monthly, n, old).ends_at, new)
    nominal = nth_period(monthly, index, new)
    assert abs((moved.ends_at - moved.starts_at) - (nominal.ends_at - nominal.starts_at)) <= timedelta(hours=26)


@settings(max_examples=100, deadline=None)
@given(st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)), ZONES)  # noqa: DTZ001  # made aware in the test
def test_a_local_time_becomes_the_first_instant_that_shows_it_or_moves_forward(naive: datetime, zone: str) -> None:
    instant = instant_of(naive.date(), naive.time(), zone)
    assert instant.tzinfo is UTC
    assert local_date(instant, zone) in (naive.date(), naive.date() + timedelta(days=1))
