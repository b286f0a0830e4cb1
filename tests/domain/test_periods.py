"""Boundaries come from the anchor alone; periods tile in local days of every zone (billing rules, sections 1 to 3)."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest

from billing.domain.errors import Invalid
from billing.domain.periods import (
    BillingCycle,
    Interval,
    boundary_after,
    check_zone,
    collect_at,
    instant_of,
    jitter,
    local_date,
    nth_boundary,
    nth_period,
    period_after_zone_change,
    period_containing,
    stub_of,
)

STOCKHOLM = "Europe/Stockholm"
SUBSCRIPTION = UUID("0190c0de-0000-7000-8000-000000000001")


def cycle_from(
    start: date, interval: Interval = Interval.MONTH, count: int = 1, *, month_end: bool = False
) -> BillingCycle:
    return BillingCycle(interval, count, start, start.day, month_end)


def boundaries(cycle: BillingCycle, last: int) -> list[str]:
    return [nth_boundary(cycle, n).isoformat() for n in range(last + 1)]


# anchor 31     Jan 31          Feb 28         Mar 31          Apr 30
#               |--- period 0 ---|-- period 1 --|--- period 2 --|
def test_renewal_on_31_january_bills_to_28_february_and_back_to_31_march() -> None:
    dates = boundaries(cycle_from(date(2027, 1, 31)), 13)
    assert dates[:5] == ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]
    assert dates[12:] == ["2028-01-31", "2028-02-29"]


# leap year     Jan 31          Feb 29         Mar 31
#               |--- period 0 ---|-- period 1 --|
def test_renewal_on_31_january_of_a_leap_year_bills_to_29_february() -> None:
    dates = boundaries(cycle_from(date(2028, 1, 31)), 13)
    assert dates[:4] == ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]
    assert dates[12:] == ["2029-01-31", "2029-02-28"]


# anchor 30     Jan 30          Feb 28         Mar 30          Apr 30          May 30
#               |--- period 0 ---|-- period 1 --|--- period 2 --|--- period 3 --|
def test_renewal_on_the_30th_returns_to_the_30th_after_february() -> None:
    dates = boundaries(cycle_from(date(2027, 1, 30)), 4)
    assert dates == ["2027-01-30", "2027-02-28", "2027-03-30", "2027-04-30", "2027-05-30"]


# anchor 30     Apr 30          May 30          Jun 30
#               |--- period 0 ---|--- period 1 --|
def test_a_start_on_30_april_stays_on_the_30th() -> None:
    assert boundaries(cycle_from(date(2027, 4, 30)), 2) == ["2027-04-30", "2027-05-30", "2027-06-30"]


# month end     Apr 30          May 31          Jun 30          Jul 31
#               |--- period 0 ---|--- period 1 --|--- period 2 --|
def test_a_month_end_cycle_from_30_april_moves_to_the_31st() -> None:
    dates = boundaries(cycle_from(date(2027, 4, 30), month_end=True), 3)
    assert dates == ["2027-04-30", "2027-05-31", "2027-06-30", "2027-07-31"]


# quarters      Aug 31          Nov 30          Feb 28          May 31          Aug 31
#               |--- period 0 ---|--- period 1 --|--- period 2 --|--- period 3 --|
def test_a_quarter_from_31_august_clamps_to_november_and_february() -> None:
    dates = boundaries(cycle_from(date(2026, 8, 31), count=3), 4)
    assert dates == ["2026-08-31", "2026-11-30", "2027-02-28", "2027-05-31", "2027-08-31"]


# years         2028-02-29      2029-02-28      2030-02-28      2031-02-28      2032-02-29
#               |--- 365 days --|--- 365 days --|--- 365 days --|--- 366 days --|
def test_a_year_from_a_leap_day_returns_to_the_leap_day_after_four_years() -> None:
    cycle = cycle_from(date(2028, 2, 29), Interval.YEAR)
    assert boundaries(cycle, 4) == ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]
    assert [nth_period(cycle, n, STOCKHOLM).days for n in range(4)] == [365, 365, 365, 366]


# fortnights    Mar 20 (Sat)    Apr 3 (Sat)     Apr 17 (Sat)     DST starts on Mar 28
#               |--- 14 days ---|--- 14 days ---|
def test_weeks_and_days_count_local_calendar_days_across_a_clock_change() -> None:
    fortnights = cycle_from(date(2027, 3, 20), Interval.WEEK, 2)
    assert boundaries(fortnights, 2) == ["2027-03-20", "2027-04-03", "2027-04-17"]
    first = nth_period(fortnights, 0, STOCKHOLM)
    assert (first.days, first.ends_at - first.starts_at) == (14, timedelta(days=14, hours=-1))
    assert boundaries(cycle_from(date(2027, 2, 27), Interval.DAY, 10), 1) == ["2027-02-27", "2027-03-09"]


# anchor day 28, from a trial's end     Apr 28     May 5                May 28          Jun 28
#                                       :          |--- stub, 23 days ---|--- period 1 --|
def test_an_anchor_off_its_own_day_begins_with_a_stub_to_the_first_matching_day() -> None:
    cycle = BillingCycle(Interval.MONTH, 1, date(2027, 5, 5), 28)
    assert boundaries(cycle, 2) == ["2027-05-05", "2027-05-28", "2027-06-28"]
    assert nth_period(cycle, 0, STOCKHOLM).days == 23
    assert stub_of(cycle) == (date(2027, 4, 28), date(2027, 5, 28))


# anchor day 1  Apr 10           May 1          Aug 1
#               |--- stub --------|-- quarter ---|
def test_a_stub_may_end_in_the_next_month_and_the_count_holds_from_there() -> None:
    cycle = BillingCycle(Interval.MONTH, 3, date(2027, 4, 10), 1)
    assert boundaries(cycle, 2) == ["2027-04-10", "2027-05-01", "2027-08-01"]
    assert stub_of(cycle) == (date(2027, 2, 1), date(2027, 5, 1))


# month end     Apr 20    Apr 30          May 31
#               |- stub ---|--- period 1 --|
def test_a_month_end_cycle_from_the_middle_of_a_month_begins_with_a_stub() -> None:
    cycle = cycle_from(date(2027, 4, 20), month_end=True)
    assert boundaries(cycle, 2) == ["2027-04-20", "2027-04-30", "2027-05-31"]


@pytest.mark.parametrize(
    "cycle",
    [
        cycle_from(date(2027, 4, 30)),
        cycle_from(date(2027, 4, 30), month_end=True),
        BillingCycle(Interval.MONTH, 1, date(2027, 2, 28), 31),
        BillingCycle(Interval.WEEK, 1, date(2027, 2, 26), 1),
    ],
)
def test_an_anchor_on_its_own_day_has_no_stub(cycle: BillingCycle) -> None:
    assert stub_of(cycle) is None


# trial of 7 days   Apr 28   May 5            Jun 5           Jul 5
#                   |- trial -|--- period 0 ---|--- period 1 --|       anchor = conversion
def test_a_conversion_on_5_may_bills_from_the_5th_on() -> None:
    assert boundaries(cycle_from(date(2027, 5, 5)), 2) == ["2027-05-05", "2027-06-05", "2027-07-05"]


# freeze    Mar 31     Apr 11              Jun 20       Jul 9          Aug 9
#           |- 11 days -|..... paused .......|- 19 days -|- period 0 --|
def test_the_19_frozen_days_end_on_9_july_which_is_the_new_anchor() -> None:
    resumed_until = date(2027, 6, 20) + timedelta(days=30 - 11)
    assert boundaries(cycle_from(resumed_until), 1) == ["2027-07-09", "2027-08-09"]


@pytest.mark.parametrize(
    ("day", "at", "utc"),
    [
        ("2027-02-28", "06:00", "2027-02-28T05:00"),
        ("2027-03-28", "06:00", "2027-03-28T04:00"),
        ("2027-03-31", "06:00", "2027-03-31T04:00"),
        ("2027-10-31", "06:00", "2027-10-31T05:00"),
        ("2027-03-28", "02:30", "2027-03-28T01:30"),  # does not exist: 03:30 CEST
        ("2027-10-31", "02:30", "2027-10-31T00:30"),  # happens twice: the first
    ],
)
def test_a_local_time_in_stockholm_as_utc(day: str, at: str, utc: str) -> None:
    instant = instant_of(date.fromisoformat(day), time.fromisoformat(at), STOCKHOLM)
    assert instant == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert instant.tzinfo is UTC


def test_a_second_fold_asked_for_is_still_the_first() -> None:
    asked = instant_of(date(2027, 10, 31), time(2, 30, fold=1), STOCKHOLM)
    assert asked == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


def test_days_of_23_and_25_hours_are_one_day_each() -> None:
    for day, hours in ((date(2027, 3, 28), 23), (date(2027, 10, 31), 25)):
        period = nth_period(cycle_from(day, Interval.DAY), 0, STOCKHOLM)
        assert (period.days, period.ends_at - period.starts_at) == (1, timedelta(hours=hours))


# Sao Paulo's clocks went from Nov 3 24:00 straight to Nov 4 01:00: that day has no midnight.
def test_a_day_without_a_midnight_starts_at_its_first_minute() -> None:
    starts_at = instant_of(date(2018, 11, 4), time.min, "America/Sao_Paulo")
    assert starts_at == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert local_date(starts_at, "America/Sao_Paulo") == date(2018, 11, 4)


# Apia        Dec 29       (Dec 30)      Dec 31
#             |--- 24 h ---|-- empty --|--- 24 h ---|
@pytest.mark.parametrize(
    ("zone", "skipped"),
    [
        ("Pacific/Apia", date(2011, 12, 30)),
        ("Pacific/Fakaofo", date(2011, 12, 30)),
        ("Pacific/Kiritimati", date(1994, 12, 31)),
        ("Pacific/Kanton", date(1994, 12, 31)),
        ("Pacific/Kwajalein", date(1993, 8, 21)),
    ],
)
def test_a_local_day_that_a_zone_skipped_is_an_empty_period_between_tiling_neighbours(zone: str, skipped: date) -> None:
    cycle = cycle_from(skipped - timedelta(days=1), Interval.DAY)
    before, empty, after = (nth_period(cycle, n, zone) for n in range(3))
    assert empty.start_date == skipped
    assert empty.starts_at == empty.ends_at
    assert [p.is_empty for p in (before, empty, after)] == [False, True, False]
    assert (before.ends_at, empty.ends_at) == (empty.starts_at, after.starts_at)


# Stockholm, then New York       Mar 31        Apr 30 00:00 +02       May 31 00:00 -04
#                                |-- period 0 --|------ period 1 ------|
def test_a_customer_who_moves_west_gets_a_period_6_hours_longer() -> None:
    cycle = cycle_from(date(2027, 3, 31))
    moved_at = nth_period(cycle, 0, STOCKHOLM).ends_at
    index, period = period_after_zone_change(cycle, 1, moved_at, "America/New_York")
    assert (index, period.start_date, period.end_date) == (1, date(2027, 4, 29), date(2027, 5, 31))
    assert (period.starts_at, period.ends_at) == (moved_at, datetime(2027, 5, 31, 4, tzinfo=UTC))
    assert nth_period(cycle, index + 1, "America/New_York").starts_at == period.ends_at


# Stockholm, then Tokyo          Mar 31        Apr 30 00:00 +02       May 31 00:00 +09
#                                |-- period 0 --|------ period 1 ------|
def test_a_customer_who_moves_east_gets_a_period_7_hours_shorter() -> None:
    cycle = cycle_from(date(2027, 3, 31))
    moved_at = nth_period(cycle, 0, STOCKHOLM).ends_at
    index, period = period_after_zone_change(cycle, 1, moved_at, "Asia/Tokyo")
    assert (index, period.start_date, period.end_date) == (1, date(2027, 4, 30), date(2027, 5, 31))
    assert period.ends_at - moved_at == timedelta(days=31, hours=-7)


# A daily cycle from Pago Pago (-11) to Kiritimati (+14): boundary 1 of the new zone lies before the old period's end.
def test_a_daily_cycle_across_the_date_line_ends_at_the_next_boundary_after_its_start() -> None:
    cycle = cycle_from(date(2027, 6, 1), Interval.DAY)
    moved_at = nth_period(cycle, 0, "Pacific/Pago_Pago").ends_at
    index, period = period_after_zone_change(cycle, 1, moved_at, "Pacific/Kiritimati")
    assert index == 2
    assert timedelta(0) < period.ends_at - period.starts_at <= timedelta(hours=50)
    assert nth_period(cycle, index + 1, "Pacific/Kiritimati").starts_at == period.ends_at


# anchor 31     Jan 31 ......... Feb 28 ......... Mar 31
#                  now = the boundary itself ^
def test_the_boundary_after_an_instant_is_strictly_after_it() -> None:
    cycle = cycle_from(date(2027, 1, 31))
    february = nth_period(cycle, 1, STOCKHOLM).starts_at
    assert boundary_after(cycle, february, STOCKHOLM) == 2
    assert boundary_after(cycle, february - timedelta(seconds=1), STOCKHOLM) == 1
    assert boundary_after(cycle, datetime(2020, 1, 1, tzinfo=UTC), STOCKHOLM) == 0


# anchor 31     Jan 31          Feb 28          Mar 31
#               |--- period 0 ---|--- period 1 --|
def test_an_instant_lies_in_the_period_that_starts_at_or_before_it() -> None:
    cycle = cycle_from(date(2027, 1, 31))
    february = nth_period(cycle, 1, STOCKHOLM)
    assert period_containing(cycle, february.starts_at, STOCKHOLM) == (1, february)
    assert period_containing(cycle, february.ends_at - timedelta(seconds=1), STOCKHOLM) == (1, february)
    assert period_containing(cycle, february.ends_at, STOCKHOLM)[0] == 2


# Apia        Dec 29       (Dec 30)      Dec 31
#             |--- 0 ------|-- empty --|--- 2 ---
def test_no_instant_lies_in_a_day_that_the_zone_skipped() -> None:
    cycle = cycle_from(date(2011, 12, 29), Interval.DAY)
    skipped_at = nth_period(cycle, 1, "Pacific/Apia").starts_at
    assert period_containing(cycle, skipped_at, "Pacific/Apia")[0] == 2
    assert period_containing(cycle, skipped_at - timedelta(seconds=1), "Pacific/Apia")[0] == 0


def test_an_instant_before_the_anchor_lies_in_no_period() -> None:
    cycle = cycle_from(date(2027, 1, 31))
    before = nth_period(cycle, 0, STOCKHOLM).starts_at - timedelta(seconds=1)
    with pytest.raises(Invalid, match="the first period starts on 2027-01-31"):
        period_containing(cycle, before, STOCKHOLM)


@pytest.mark.parametrize(("day", "hour_utc"), [(date(2027, 2, 28), 5), (date(2027, 3, 31), 4)])
def test_a_period_is_collected_between_6_and_7_local_not_at_its_boundary(day: date, hour_utc: int) -> None:
    collected_at = collect_at(day, STOCKHOLM, SUBSCRIPTION)
    earliest = datetime.combine(day, time(hour_utc), UTC)
    assert earliest <= collected_at < earliest + timedelta(hours=1)
    assert collected_at == collect_at(day, STOCKHOLM, SUBSCRIPTION)


def test_the_delay_of_a_collection_is_less_than_an_hour_for_every_subscription() -> None:
    # Modulo 3601 this id's hash would be 3600 seconds.
    assert collect_at(date(2027, 3, 31), STOCKHOLM, UUID(int=2578)) < datetime(2027, 3, 31, 5, tzinfo=UTC)


def test_the_jitter_of_a_key_never_changes_and_spreads_over_the_hour() -> None:
    assert jitter(UUID(int=0), 3600) == timedelta(seconds=1131)  # sha256 of 16 zero bytes, modulo 3600
    minutes = {jitter(UUID(int=i), 3600) // timedelta(minutes=1) for i in range(1000)}
    assert minutes == set(range(60))


def test_the_local_date_turns_at_local_midnight() -> None:
    before = datetime(2027, 3, 30, 21, 59, 59, tzinfo=UTC)
    assert local_date(before, STOCKHOLM) == date(2027, 3, 30)
    assert local_date(before + timedelta(seconds=1), STOCKHOLM) == date(2027, 3, 31)


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(Invalid, match="without a time zone"):
        local_date(datetime(2027, 3, 31), STOCKHOLM)  # noqa: DTZ001  # the naive instant is what is refused


@pytest.mark.parametrize("zone", ["Europe", "", "europe/stockholm", "+02:00", "../../etc/passwd", "localtime", "CEST"])
def test_only_names_of_the_zone_database_are_zones(zone: str) -> None:
    with pytest.raises(Invalid, match="is not a time zone of the IANA database") as refused:
        check_zone(zone)
    assert refused.value.where == "zone"


@pytest.mark.parametrize("zone", ["UTC", STOCKHOLM, "Pacific/Apia", "America/Argentina/Buenos_Aires"])
def test_names_of_the_zone_database_pass(zone: str) -> None:
    check_zone(zone)


@pytest.mark.parametrize(
    ("count", "day", "where", "why"),
    [
        (0, 1, "count", "a cycle of 0 intervals does not move"),
        (-1, 1, "count", "a cycle of -1 intervals does not move"),
        (1, 0, "anchor_day", "0 is not a day of any month"),
        (1, 32, "anchor_day", "32 is not a day of any month"),
    ],
)
def test_a_cycle_that_cannot_move_or_match_is_refused(count: int, day: int, where: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        BillingCycle(Interval.MONTH, count, date(2027, 1, 31), day)
    assert refused.value.where == where


@pytest.mark.parametrize("interval", list(Interval))
def test_boundaries_before_the_anchor_and_past_the_calendar_are_refused(interval: Interval) -> None:
    cycle = cycle_from(date(2027, 1, 31), interval)
    with pytest.raises(Invalid, match="no period -1"):
        nth_boundary(cycle, -1)
    with pytest.raises(Invalid, match="year 9999"):
        nth_boundary(cycle, 4_000_000)
