"""For every start day, interval and zone: periods tile, and boundary n needs no other boundary."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import available_timezones

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
ZONES = st.one_of(
    st.sampled_from(STRANGE_ZONES), st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))
)
DATES = st.dates(date(1990, 1, 1), date(2040, 12, 31))
CYCLES = st.builds(
    BillingCycle, st.sampled_from(Interval), st.integers(1, 13), DATES, st.integers(1, 31), st.booleans()
)


def on_its_day(cycle: BillingCycle) -> BillingCycle:
    return BillingCycle(cycle.interval, cycle.count, cycle.anchor_date, cycle.anchor_date.day)


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
    n = boundary_after(cycle, at, zone)
    period = nth_period(cycle, n - 1, zone)
    assert period.starts_at <= at < period.ends_at


@settings(max_examples=100, deadline=None)
@given(CYCLES, ZONES, ZONES, st.integers(0, 20))
def test_periods_tile_across_a_change_of_zone(cycle: BillingCycle, old: str, new: str, n: int) -> None:
    moved_at = nth_period(cycle, n, old).ends_at
    index, moved = period_after_zone_change(cycle, n + 1, moved_at, new)
    assert moved_at == moved.starts_at < moved.ends_at
    assert nth_period(cycle, index + 1, new).starts_at == moved.ends_at
    assert index in (n + 1, n + 2, n + 3)


@settings(max_examples=100, deadline=None)
@given(st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)), ZONES)  # noqa: DTZ001  # made aware in the test
def test_a_local_time_becomes_the_first_instant_that_shows_it_or_moves_forward(naive: datetime, zone: str) -> None:
    instant = instant_of(naive.date(), naive.time(), zone)
    assert instant.tzinfo is UTC
    assert local_date(instant, zone) in (naive.date(), naive.date() + timedelta(days=1))
