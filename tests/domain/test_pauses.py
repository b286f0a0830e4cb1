"""Pause and resume: which days are kept, when the calendar goes on, what is refused (billing rules, section 7)."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.errors import Invalid, TransitionNotAllowed
from billing.domain.invoicing import Share
from billing.domain.pauses import (
    PauseMode,
    check_pause,
    check_resume,
    freeze,
    opens_at,
    resume_due_at,
    resumed_period,
    skip_stub,
)
from billing.domain.periods import BillingCycle, Interval, instant_of, nth_boundary, nth_period

STOCKHOLM = "Europe/Stockholm"
STARTS_ON, ENDS_ON = date(2027, 3, 31), date(2027, 4, 30)
NOW = datetime(2027, 4, 11, 9, tzinfo=UTC)
CYCLE = BillingCycle(Interval.MONTH, 1, STARTS_ON, 31)


# freeze    Mar 31     Apr 11              Jun 20       Jul 9          Aug 9
#           |- 11 days -|..... paused .......|- 19 days -|- period 0 --|
def test_a_freeze_on_11_april_keeps_19_of_30_days_to_9_july() -> None:
    frozen = freeze(STARTS_ON, ENDS_ON, date(2027, 4, 11))
    assert (frozen.used_days, frozen.left_days, frozen.of_days) == (11, 19, 30)
    resumed = resumed_period(date(2027, 6, 20), frozen.left_days, STOCKHOLM)
    assert (resumed.start_date, resumed.end_date, resumed.days) == (date(2027, 6, 20), date(2027, 7, 9), 19)
    assert resumed.ends_at == datetime(2027, 7, 8, 22, tzinfo=UTC)
    anchored = BillingCycle(Interval.MONTH, 1, resumed.end_date, resumed.end_date.day)
    assert (anchored.anchor_day, nth_boundary(anchored, 1)) == (9, date(2027, 8, 9))


# resumed   Jun 20   Jun 25            Aug 1        Aug 15
#           |- 5 ----|.... paused .....|-- 14 days --|
def test_a_second_freeze_keeps_what_is_left_of_the_same_30_days() -> None:
    frozen = freeze(date(2027, 6, 20), date(2027, 7, 9), date(2027, 6, 25), of_days=30)
    assert frozen == (16, 14, 30)
    assert resumed_period(date(2027, 8, 1), frozen.left_days, STOCKHOLM).end_date == date(2027, 8, 15)


@given(st.integers(1, 366), st.lists(st.integers(0, 366), max_size=5))
def test_freezes_in_any_number_use_exactly_the_paid_days(days: int, cuts: list[int]) -> None:
    used, on, left = 0, STARTS_ON, days
    for cut in cuts:
        pause_on = on + timedelta(days=min(cut, left))
        used += (pause_on - on).days
        frozen = freeze(on, on + timedelta(days=left), pause_on, days)
        assert frozen == (used, days - used, days)
        on, left = pause_on + timedelta(days=40), frozen.left_days


def test_a_freeze_on_the_first_day_keeps_all_and_on_the_end_date_nothing() -> None:
    assert freeze(STARTS_ON, ENDS_ON, STARTS_ON) == (0, 30, 30)
    assert freeze(STARTS_ON, ENDS_ON, ENDS_ON) == (30, 0, 30)


@pytest.mark.parametrize("on", [date(2027, 3, 30), date(2027, 5, 1)])
def test_a_freeze_outside_the_period_is_refused(on: date) -> None:
    with pytest.raises(Invalid, match="is not in the period from 2027-03-31 to 2027-04-30") as refused:
        freeze(STARTS_ON, ENDS_ON, on)
    assert refused.value.where == "at"


def test_a_period_with_more_days_left_than_it_has_is_refused() -> None:
    with pytest.raises(Invalid, match="a period of 10 days has no 19 days left"):
        freeze(STARTS_ON, ENDS_ON, date(2027, 4, 11), of_days=10)


def test_a_resumed_row_tiles_with_a_pause_that_ends_in_the_middle_of_a_day() -> None:
    resumed_at = datetime(2027, 6, 20, 13, 5, tzinfo=UTC)
    resumed = resumed_period(date(2027, 6, 20), 19, STOCKHOLM, resumed_at)
    assert (resumed.starts_at, resumed.end_date) == (resumed_at, date(2027, 7, 9))
    assert resumed_period(date(2027, 6, 20), 0, STOCKHOLM, resumed_at).is_empty


def test_a_resumed_row_never_starts_on_another_day_nor_runs_backwards() -> None:
    with pytest.raises(Invalid, match="cannot start at"):
        resumed_period(date(2027, 6, 20), 19, STOCKHOLM, datetime(2027, 6, 20, 22, 5, tzinfo=UTC))
    with pytest.raises(Invalid, match="-1 days cannot be left"):
        resumed_period(date(2027, 6, 20), -1, STOCKHOLM)


# skip   Mar 31   Apr 11   Apr 30        May 31      Jun 20   Jun 30        Jul 31
#        |---- 0 --(pause)--|-- skipped --|-- skipped --(resume)|---- 3 ------|
def test_a_skipped_calendar_goes_on_at_30_june_and_bills_10_of_30_days_if_wanted() -> None:
    periods = [nth_period(CYCLE, n, STOCKHOLM) for n in range(4)]
    assert [str(p.start_date) for p in periods] == ["2027-03-31", "2027-04-30", "2027-05-31", "2027-06-30"]
    assert all(before.ends_at == after.starts_at for before, after in pairwise(periods))
    share = skip_stub(periods[2], date(2027, 6, 20))
    assert share == Share(20, 30, 30)
    assert share.of(2990) == 997


def test_a_stub_is_a_part_of_the_skipped_period_only() -> None:
    june = nth_period(CYCLE, 2, STOCKHOLM)
    assert skip_stub(june, june.start_date) == Share(0, 30, 30)
    for outside in (june.start_date - timedelta(days=1), june.end_date):
        with pytest.raises(Invalid, match="is not in the period") as refused:
            skip_stub(june, outside)
        assert refused.value.where == "at"


def test_a_pause_in_the_past_is_refused() -> None:
    check_pause(NOW, NOW)
    with pytest.raises(Invalid, match="past") as refused:
        check_pause(NOW - timedelta(seconds=1), NOW)
    assert refused.value.where == "at"


def test_a_pause_at_the_end_of_the_subscription_is_refused() -> None:
    cancel_at = NOW + timedelta(days=5)
    check_pause(cancel_at - timedelta(seconds=1), NOW, cancel_at)
    with pytest.raises(TransitionNotAllowed, match="the subscription ends at 2027-04-16"):
        check_pause(cancel_at, NOW, cancel_at)


def test_a_pause_inside_the_minimum_term_needs_the_plans_leave() -> None:
    minimum = NOW + timedelta(days=5)
    check_pause(NOW, NOW, minimum_ends_at=minimum, is_allowed_in_minimum_term=True)
    check_pause(minimum, NOW, minimum_ends_at=minimum)
    with pytest.raises(TransitionNotAllowed, match="minimum term runs until 2027-04-16"):
        check_pause(NOW, NOW, minimum_ends_at=minimum)


def test_a_resume_in_the_past_or_from_the_end_on_is_refused() -> None:
    cancel_at = NOW + timedelta(days=5)
    check_resume(NOW, NOW, cancel_at)
    with pytest.raises(Invalid, match="past") as refused:
        check_resume(NOW - timedelta(seconds=1), NOW)
    assert refused.value.where == "resume_at"
    for late in (cancel_at, cancel_at + timedelta(days=1)):
        with pytest.raises(TransitionNotAllowed, match="nothing to resume"):
            check_resume(late, NOW, cancel_at)


# paused Apr 11 11:00 ...... 90 local days ...... Jul 10 00:00
def test_a_pause_ends_by_itself_when_the_plan_allows_no_longer_one() -> None:
    latest = instant_of(date(2027, 7, 10), time.min, STOCKHOLM)
    asked = datetime(2027, 6, 20, 4, tzinfo=UTC)
    assert resume_due_at(NOW, None, 90, STOCKHOLM) == latest
    assert resume_due_at(NOW, asked, 90, STOCKHOLM) == asked
    assert resume_due_at(NOW, latest, 90, STOCKHOLM) == latest
    assert resume_due_at(NOW, None, None, STOCKHOLM) is None
    assert resume_due_at(NOW, asked, None, STOCKHOLM) == asked


def test_a_pause_that_is_too_long_or_backwards_is_refused() -> None:
    with pytest.raises(Invalid, match="at most 30 days") as refused:
        resume_due_at(NOW, datetime(2027, 6, 20, tzinfo=UTC), 30, STOCKHOLM)
    assert refused.value.where == "resume_at"
    with pytest.raises(Invalid, match="after it begins") as backwards:
        resume_due_at(NOW, NOW, None, STOCKHOLM)
    assert backwards.value.where == "resume_at"


# ... period 0 ---| Apr 30: pause or cancel, then no period 1
def test_a_pause_or_cancel_on_a_boundary_comes_before_the_period_opens() -> None:
    boundary_at = nth_period(CYCLE, 1, STOCKHOLM).starts_at
    later = boundary_at + timedelta(seconds=1)
    assert opens_at(boundary_at, None, None)
    assert opens_at(boundary_at, later, later)
    assert not opens_at(boundary_at, boundary_at, None)
    assert not opens_at(boundary_at, later, boundary_at)


def test_the_modes_are_the_published_words() -> None:
    assert " ".join(PauseMode) == "freeze skip collection_only"
