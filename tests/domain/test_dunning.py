"""When a declined charge is tried again, and when trying ends (billing rules, section 8)."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.dunning import (
    LADDER,
    REMINDER_DAYS,
    TERMINAL_DAY,
    Ladder,
    next_attempt_at,
    next_local_morning,
    reminders_at,
    resumed_attempt_at,
    suspended_ask_at,
    terminal_at,
)
from billing.domain.errors import Invalid
from billing.domain.periods import instant_of, jitter, local_date

STOCKHOLM = "Europe/Stockholm"
KEY = UUID("0190c0de-0000-7000-8000-000000000001")
DECLINED_AT = datetime(2027, 3, 31, 4, 30, tzinfo=UTC)  # 06:30 in Stockholm


def attempts(declined_at: datetime, zone: str, ladder: Ladder | None = None) -> list[datetime]:
    """Every attempt of a ladder on which each is made when it is due."""
    made: list[datetime] = []
    last = declined_at
    while due := next_attempt_at(ladder or Ladder(), len(made), declined_at, last, zone, KEY):
        made.append(due)
        last = due
    return made


# declined Mar 31   Apr 1   Apr 3   Apr 7          Apr 14                 Apr 21
#          |--------|-------|-------|--------------|----------------------| terminal
#          day 0    +1      +3      +7             +14                    +21
def test_a_decline_on_31_march_is_tried_on_1_3_7_and_14_april_and_ends_on_the_21st() -> None:
    days = [local_date(at, STOCKHOLM) for at in attempts(DECLINED_AT, STOCKHOLM)]
    assert days == [date(2027, 4, 1), date(2027, 4, 3), date(2027, 4, 7), date(2027, 4, 14)]
    assert terminal_at(Ladder(), DECLINED_AT, STOCKHOLM) == datetime(2027, 4, 21, 8, tzinfo=UTC)


def test_the_default_ladder_is_1_3_7_14_and_21() -> None:
    assert (LADDER, TERMINAL_DAY) == ((1, 3, 7, 14), 21)
    assert Ladder() == Ladder(LADDER, TERMINAL_DAY)


def test_an_attempt_is_made_within_half_an_hour_after_10_local() -> None:
    for at in attempts(DECLINED_AT, STOCKHOLM):
        ten = instant_of(local_date(at, STOCKHOLM), time(10), STOCKHOLM)
        assert at - ten == jitter(KEY, 1800)
        assert timedelta(0) <= at - ten < timedelta(minutes=30)


def test_the_attempts_of_many_customers_spread_over_half_an_hour_and_no_more() -> None:
    ten = datetime(2027, 4, 1, 8, tzinfo=UTC)
    due = [next_attempt_at(Ladder(), 0, DECLINED_AT, DECLINED_AT, STOCKHOLM, UUID(int=i)) for i in range(500)]
    assert {(at - ten) // timedelta(minutes=1) for at in due if at} == set(range(30))


def test_a_used_up_ladder_has_no_next_attempt() -> None:
    assert next_attempt_at(Ladder(), 4, DECLINED_AT, DECLINED_AT, STOCKHOLM, KEY) is None


# declined Mar 31 20:00      Apr 1 10:00 is 14 h later      Apr 2 10:00
def test_less_than_20_hours_after_the_last_attempt_moves_to_the_next_local_10_00() -> None:
    declined_at = datetime(2027, 3, 31, 18, tzinfo=UTC)
    due = next_attempt_at(Ladder(), 0, declined_at, declined_at, STOCKHOLM, KEY)
    assert due == datetime(2027, 4, 2, 8, tzinfo=UTC) + jitter(KEY, 1800)


# the customer tried by hand on Apr 3 at 00:05; the ladder would try on Apr 3 at 10:00
def test_an_attempt_on_the_same_local_day_moves_to_the_next_day() -> None:
    by_hand_at = datetime(2027, 4, 2, 22, 5, tzinfo=UTC)
    due = next_attempt_at(Ladder(), 1, DECLINED_AT, by_hand_at, STOCKHOLM, KEY)
    assert due is not None
    assert local_date(due, STOCKHOLM) == date(2027, 4, 4)


# the service stood still from Apr 1 to Apr 9: step 1 (Apr 3) is long past
def test_a_late_ladder_goes_on_after_the_last_attempt_and_not_in_the_past() -> None:
    last_at = datetime(2027, 4, 9, 8, 10, tzinfo=UTC)
    due = next_attempt_at(Ladder(), 1, DECLINED_AT, last_at, STOCKHOLM, KEY)
    assert due == datetime(2027, 4, 10, 8, tzinfo=UTC) + jitter(KEY, 1800)


def test_exactly_20_hours_after_the_last_attempt_is_late_enough() -> None:
    due = datetime(2027, 4, 3, 8, tzinfo=UTC) + jitter(KEY, 1800)
    assert next_attempt_at(Ladder(), 1, DECLINED_AT, due - timedelta(hours=20), STOCKHOLM, KEY) == due


# by hand on Apr 20 at 09:00; the next morning is the terminal one, to the second for a customer without delay
def test_an_attempt_at_the_very_instant_of_the_end_is_not_made() -> None:
    on_the_hour = UUID(int=939)
    assert jitter(on_the_hour, 1800) == timedelta(0)
    by_hand_at = datetime(2027, 4, 20, 9, tzinfo=UTC)
    assert next_attempt_at(Ladder(), 3, DECLINED_AT, by_hand_at, STOCKHOLM, on_the_hour) is None


# declined Mar 31 06:30   Apr 3                  Apr 7
#          |--------------|--- own day, step 1 --|--- own day, step 2
MORNING = timedelta(hours=8) + jitter(KEY, 1800)


def resumed(step: int, last: datetime | None, resumed_at: datetime, ladder: Ladder | None = None) -> datetime:
    return resumed_attempt_at(ladder or Ladder(), step, DECLINED_AT, last, resumed_at, STOCKHOLM, KEY)


def on(day: int) -> datetime:
    return datetime(2027, 4, day, tzinfo=UTC)


def test_after_a_pause_an_attempt_waits_for_its_own_day_of_the_ladder() -> None:
    assert resumed(1, DECLINED_AT, on(1)) == on(3) + MORNING
    assert resumed(2, None, on(1)) == on(7) + MORNING


def test_an_attempt_whose_day_passed_in_the_pause_is_made_on_the_next_morning() -> None:
    assert resumed(1, DECLINED_AT, on(9)) == on(9) + MORNING
    assert resumed(0, None, on(3) + MORNING) == on(4) + MORNING


def test_after_a_pause_too_an_attempt_is_20_hours_from_the_last_or_from_the_decline() -> None:
    assert resumed(1, on(2) + timedelta(hours=20), on(3)) == on(4) + MORNING
    late = datetime(2027, 3, 31, 20, tzinfo=UTC)
    assert resumed_attempt_at(Ladder(), 0, late, None, late, STOCKHOLM, KEY) == on(2) + MORNING


def test_an_own_morning_that_is_just_the_earliest_instant_moves_on_by_a_day() -> None:
    assert resumed(1, None, on(3) + MORNING) == on(4) + MORNING


def test_a_used_up_or_empty_ladder_tries_once_more_after_a_pause() -> None:
    assert resumed(9, DECLINED_AT, on(2)) == on(14) + MORNING
    assert resumed(0, None, on(9), Ladder((), 21)) == on(9) + MORNING


def test_no_attempt_is_made_on_or_after_the_terminal_day() -> None:
    last_at = datetime(2027, 4, 20, 9, tzinfo=UTC)
    assert next_attempt_at(Ladder(), 3, DECLINED_AT, last_at, STOCKHOLM, KEY) is None


# declined Mar 27    Mar 28: clocks go forward; 10:00 is 08:00Z from then on
def test_the_ladder_keeps_10_local_across_a_clock_change() -> None:
    declined_at = datetime(2027, 3, 26, 5, 30, tzinfo=UTC)
    hours = [(at - jitter(KEY, 1800)).hour for at in attempts(declined_at, STOCKHOLM)]
    assert hours == [9, 8, 8, 8]


# 23:30Z on Mar 31 is already Apr 1 in Stockholm and still Mar 31 in New York
def test_days_count_from_the_local_day_of_the_decline() -> None:
    declined_at = datetime(2027, 3, 31, 23, 30, tzinfo=UTC)
    assert local_date(attempts(declined_at, STOCKHOLM)[1], STOCKHOLM) == date(2027, 4, 4)
    assert local_date(attempts(declined_at, "America/New_York")[1], "America/New_York") == date(2027, 4, 3)


def test_a_plan_may_have_its_own_ladder() -> None:
    ladder = Ladder((2, 5), 10)
    days = [local_date(at, STOCKHOLM) for at in attempts(DECLINED_AT, STOCKHOLM, ladder)]
    assert days == [date(2027, 4, 2), date(2027, 4, 5)]
    assert local_date(terminal_at(ladder, DECLINED_AT, STOCKHOLM), STOCKHOLM) == date(2027, 4, 10)


def test_a_ladder_without_steps_ends_without_an_attempt() -> None:
    assert attempts(DECLINED_AT, STOCKHOLM, Ladder((), 7)) == []


@pytest.mark.parametrize(("days", "terminal"), [((0, 3), 7), ((3, 3), 7), ((5, 3), 7), ((1, 7), 7), ((), 0)])
def test_a_ladder_that_does_not_rise_is_refused(days: tuple[int, ...], terminal: int) -> None:
    with pytest.raises(Invalid, match="must rise") as refused:
        Ladder(days, terminal)
    assert refused.value.where == "ladder"
    assert str(refused.value).endswith(f"unlike {(*days, terminal)}")


def test_a_step_below_zero_is_refused() -> None:
    with pytest.raises(Invalid, match="-1 dunning attempts"):
        next_attempt_at(Ladder(), -1, DECLINED_AT, DECLINED_AT, STOCKHOLM, KEY)


@pytest.mark.parametrize(("hour_utc", "day"), [(7, 31), (9, 1)])
def test_a_suspended_token_is_read_on_the_next_local_morning(hour_utc: int, day: int) -> None:
    morning = next_local_morning(datetime(2027, 3, 31, hour_utc, tzinfo=UTC), STOCKHOLM, KEY)
    assert local_date(morning, STOCKHOLM).day == day
    assert morning.hour == 8


def test_the_next_morning_is_strictly_later() -> None:
    morning = next_local_morning(DECLINED_AT, STOCKHOLM, KEY)
    assert next_local_morning(morning, STOCKHOLM, KEY) == morning + timedelta(days=1)


# declined Mar 31   Apr 3         Apr 7          Apr 14                 Apr 21
#          ask      ask           ask            ask                    terminal
#          |--------|-------------|--------------|----------------------|
def test_a_hard_decline_on_31_march_asks_at_once_and_on_3_7_and_14_april() -> None:
    asked = reminders_at(DECLINED_AT, STOCKHOLM, KEY)
    assert asked[0] == DECLINED_AT
    mornings = [datetime(2027, 4, day, 8, tzinfo=UTC) + jitter(KEY, 1800) for day in (3, 7, 14)]
    assert list(asked[1:]) == mornings
    assert asked[-1] < terminal_at(Ladder(), DECLINED_AT, STOCKHOLM)


def test_nobody_is_asked_for_a_token_on_the_terminal_day_or_after_it() -> None:
    asked = reminders_at(DECLINED_AT, STOCKHOLM, KEY, terminal_day=7)
    assert [local_date(at, STOCKHOLM) for at in asked] == [date(2027, 3, 31), date(2027, 4, 3)]
    assert REMINDER_DAYS == (3, 7, 14)


# suspended Mar 31   Apr 1   Apr 2   Apr 3
#           read     read    read    read, and the customer is asked
def test_the_customer_of_a_suspended_token_is_asked_on_day_3() -> None:
    assert suspended_ask_at(DECLINED_AT, STOCKHOLM, KEY) == datetime(2027, 4, 3, 8, tzinfo=UTC) + jitter(KEY, 1800)


@pytest.mark.parametrize(
    ("day", "on"), [(0, "2027-04-01"), (1, "2027-04-03"), (2, "2027-04-07"), (3, "2027-04-14"), (None, "2027-04-21")]
)
def test_each_step_of_the_published_ladder_is_on_its_day(day: int | None, on: str) -> None:
    if day is None:
        due = terminal_at(Ladder(), DECLINED_AT, STOCKHOLM)
    else:
        due = next_attempt_at(Ladder(), day, DECLINED_AT, DECLINED_AT, STOCKHOLM, KEY) or DECLINED_AT
    assert local_date(due, STOCKHOLM).isoformat() == on


@settings(max_examples=100, deadline=None)
@given(
    st.datetimes(datetime(1993, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # made aware here
    st.sampled_from([STOCKHOLM, "Pacific/Apia", "Pacific/Kiritimati", "America/Sao_Paulo", "Australia/Lord_Howe"]),
)
def test_attempts_lie_20_hours_and_a_local_day_apart_and_before_the_end(declined_at: datetime, zone: str) -> None:
    made = [declined_at, *attempts(declined_at, zone)]
    for earlier, later in pairwise(made):
        assert later - earlier >= timedelta(hours=20)
        assert local_date(later, zone) != local_date(earlier, zone)
    assert len(made) == 5
    assert made[-1] < terminal_at(Ladder(), declined_at, zone)
