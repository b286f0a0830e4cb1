"""When a subscription may end, when it is complete, and which cycles are late (billing rules, sections 2 and 9)."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.errors import Invalid, TransitionNotAllowed
from billing.domain.periods import BillingCycle, Interval, instant_of, nth_boundary, nth_period
from billing.domain.terms import CatchUp, check_end, earliest_end, is_last_cycle, overdue_cycles

STOCKHOLM = "Europe/Stockholm"
CYCLE = BillingCycle(Interval.MONTH, 1, date(2027, 1, 31), 31)
IN_MARCH = datetime(2027, 3, 10, 9, tzinfo=UTC)  # period 1, Feb 28 to Mar 31


def midnight(on: str) -> datetime:
    return instant_of(date.fromisoformat(on), time.min, STOCKHOLM)


# anchor 31   Jan 31   Feb 28 (now)   Mar 31   Apr 30
#             |-- 0 ---|-- 1 --^------|-- 2 ---|
def test_without_terms_the_earliest_end_is_that_of_the_running_period() -> None:
    earliest = earliest_end(CYCLE, 0, 0, 0, IN_MARCH, STOCKHOLM, 1)
    assert earliest == (2, date(2027, 3, 31), midnight("2027-03-31"))


# three cycles   Jan 31   Feb 28   Mar 31   Apr 30
#                |-- 0 ---|-- 1 ---|-- 2 ---| first end
def test_a_minimum_of_three_cycles_from_31_january_ends_on_30_april() -> None:
    assert earliest_end(CYCLE, 0, 3, 0, IN_MARCH, STOCKHOLM, 1)[:2] == (3, date(2027, 4, 30))


# anchor day 28   May 5     May 28    Jun 28    Jul 28
#                 |- stub --|--- 1 ---|--- 2 ---|
def test_a_stub_does_not_count_for_the_minimum_term() -> None:
    cycle = BillingCycle(Interval.MONTH, 1, date(2027, 5, 5), 28)
    now = datetime(2027, 5, 10, tzinfo=UTC)
    assert earliest_end(cycle, 1, 2, 0, now, STOCKHOLM, 0)[:2] == (3, date(2027, 7, 28))


# 30 days of notice from Mar 10 10:00 local end on Apr 9 10:00
def test_a_notice_of_30_days_on_10_march_passes_over_31_march() -> None:
    assert earliest_end(CYCLE, 0, 0, 30, IN_MARCH, STOCKHOLM, 1).on == date(2027, 4, 30)


@pytest.mark.parametrize(("seconds", "on"), [(0, "2027-03-31"), (1, "2027-04-30"), (-1, "2027-03-31")])
def test_notice_is_whole_days_to_the_second(seconds: int, on: str) -> None:
    # Mar 28 has 23 hours: days are local days.
    now = midnight("2027-03-21") + timedelta(seconds=seconds)
    earliest = earliest_end(CYCLE, 0, 0, 10, now, STOCKHOLM, 1)
    assert earliest.on.isoformat() == on


def test_a_minimum_term_fixed_under_an_earlier_anchor_still_binds() -> None:
    bound = midnight("2027-05-15")
    assert earliest_end(CYCLE, 0, 0, 0, IN_MARCH, STOCKHOLM, 1, bound).on == date(2027, 5, 31)
    with pytest.raises(TransitionNotAllowed, match="no end before 2027-05-31"):
        check_end(CYCLE, 0, 0, 0, IN_MARCH, STOCKHOLM, 1, midnight("2027-04-30"), bound)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 24), st.integers(0, 400), st.integers(0, 24 * 365), st.sampled_from(Interval))
def test_no_earlier_boundary_would_have_been_allowed(minimum: int, notice: int, hours: int, interval: Interval) -> None:
    cycle = BillingCycle(interval, 1, date(2027, 1, 31), 31)
    now = midnight("2027-01-31") + timedelta(hours=hours)
    earliest = earliest_end(cycle, 0, minimum, notice, now, STOCKHOLM, 0)
    check_end(cycle, 0, minimum, notice, now, STOCKHOLM, 0, earliest.at)
    before = nth_period(cycle, earliest.cycle_index - 1, STOCKHOLM).starts_at
    if earliest.cycle_index > 1 and before >= now:
        with pytest.raises(TransitionNotAllowed, match=str(earliest.on)):
            check_end(cycle, 0, minimum, notice, now, STOCKHOLM, 0, before)


def test_a_refused_end_says_the_earliest_possible_date() -> None:
    with pytest.raises(TransitionNotAllowed, match="no end before 2027-04-30") as refused:
        check_end(CYCLE, 0, 3, 0, IN_MARCH, STOCKHOLM, 1, midnight("2027-03-31"))
    assert (refused.value.where, refused.value.facts) == ("at", {"earliest": "2027-04-30"})
    check_end(CYCLE, 0, 3, 0, IN_MARCH, STOCKHOLM, 1, midnight("2027-04-30"))


def test_a_cancel_at_once_needs_no_boundary_but_respects_term_and_notice() -> None:
    check_end(CYCLE, 0, 0, 0, IN_MARCH, STOCKHOLM, 1, IN_MARCH)
    check_end(CYCLE, 0, 1, 0, IN_MARCH, STOCKHOLM, 1, IN_MARCH)
    for minimum, notice in ((3, 0), (0, 30), (0, 1)):
        with pytest.raises(TransitionNotAllowed):
            check_end(CYCLE, 0, minimum, notice, IN_MARCH, STOCKHOLM, 1, IN_MARCH)


def test_an_end_in_the_past_is_refused() -> None:
    with pytest.raises(Invalid, match="past") as refused:
        check_end(CYCLE, 0, 0, 0, IN_MARCH, STOCKHOLM, 1, IN_MARCH - timedelta(seconds=1))
    assert refused.value.where == "at"


# minimum over Feb 1     Feb 28 (open)      Mar 31, noon: period 2 is late by twelve hours
#                          |---- 1 ----------|--^-- 2 --
def test_a_late_period_and_a_minimum_long_over_allow_no_end_in_the_past() -> None:
    now = midnight("2027-03-31") + timedelta(hours=12)
    assert earliest_end(CYCLE, 0, 0, 0, now, STOCKHOLM, 1, midnight("2027-02-01")).on == date(2027, 4, 30)


def test_a_term_of_three_cycles_has_exactly_three() -> None:
    assert [is_last_cycle(done, 3) for done in range(5)] == [False, False, False, True, True]
    assert not is_last_cycle(10_000, None)


# next is 2 (Mar 31)   Mar 31   Apr 30   May 31
#                      |   now: one late   | two late
@pytest.mark.parametrize(
    ("now", "late"),
    [("2027-03-30", []), ("2027-03-31", [2]), ("2027-04-29", [2]), ("2027-04-30", [2, 3]), ("2027-06-01", [2, 3, 4])],
)
def test_a_cycle_is_late_from_its_own_boundary_on(now: str, late: list[int]) -> None:
    assert overdue_cycles(CYCLE, 2, STOCKHOLM, midnight(now)) == late


# Apia        Dec 29       (Dec 30)      Dec 31
#             |--- 0 ------|-- empty --|--- 2 ---
def test_a_day_that_the_zone_skipped_is_not_a_late_one() -> None:
    cycle = BillingCycle(Interval.DAY, 1, date(2011, 12, 29), 29)
    now = nth_period(cycle, 2, "Pacific/Apia").starts_at
    assert overdue_cycles(cycle, 1, "Pacific/Apia", now) == [2]


def test_years_of_standstill_are_listed_oldest_first() -> None:
    late = overdue_cycles(CYCLE, 2, STOCKHOLM, midnight("2037-02-01"))
    assert late == list(range(2, 121))
    assert nth_boundary(CYCLE, late[-1]) == date(2037, 1, 31)


def test_the_choices_for_late_cycles_are_the_published_words() -> None:
    assert " ".join(CatchUp) == "bill_each bill_current forgive"
