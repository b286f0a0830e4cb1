"""When net becomes revenue: by day, by what was sent, with the money (billing rules, sections 4, 5 and 9)."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.proration import value_of_days
from billing.domain.recognition import EarningLine, earned_net, next_release_on, taken_from_revenue

START, END = date(2027, 3, 31), date(2027, 4, 30)
BASE = EarningLine(1990, 398, "time", starts_on=START, ends_on=END)
BOXES = EarningLine(1490, 160, "dispatch", quantity=2)
FREIGHT = EarningLine(490, 98, "at_capture")


def on_day(used: int) -> date:
    return START + timedelta(days=used)


# Mar 31        Apr 11                Apr 30
# |-- 11 used --|---- 19 credited ----|
def test_the_canceled_period_recognizes_584_by_time_665_by_dispatch_and_392_at_capture() -> None:
    earned = [
        earned_net(BASE, on_day(11)),
        earned_net(replace(BOXES, dispatched_quantity=1), on_day(11)),
        earned_net(replace(FREIGHT, is_paid=True), on_day(11)),
    ]
    assert earned == [584, 665, 392]
    assert sum(earned) == 1641
    assert sum(earned) + 1673 == 3314


def test_after_the_full_time_credit_nothing_stays_deferred() -> None:
    used = replace(BASE, recognized_net=584)
    assert taken_from_revenue(used, 1008) == 0
    credited = replace(used, taken_amount=1260, taken_tax=252)
    assert credited.deferred_net == 0
    assert earned_net(credited, END) == 584


def test_nothing_is_earned_before_the_first_day_and_everything_after_the_last() -> None:
    assert [earned_net(BASE, on_day(day)) for day in (-5, 0, 1, 30, 400)] == [0, 0, 53, 1592, 1592]


def test_the_net_of_a_share_is_the_share_of_the_gross_less_that_of_the_tax_and_not_a_share_of_the_net() -> None:
    line = EarningLine(99, 20, "time", starts_on=START, ends_on=END)
    assert earned_net(line, on_day(1)) == 3 - 1
    assert value_of_days(79, 1, 30) == 3


def test_a_credit_of_what_was_earned_takes_what_is_deferred_first_and_the_rest_from_revenue() -> None:
    used = replace(BASE, recognized_net=584)
    assert (taken_from_revenue(used, 1000), taken_from_revenue(used, 1592)) == (0, 584)


def test_a_credit_unearns_what_is_more_than_can_be_kept() -> None:
    over = replace(BASE, recognized_net=1592, taken_amount=500, taken_tax=100)
    assert earned_net(over, END) == 1192


def test_a_look_from_where_it_is_still_yesterday_unearns_nothing() -> None:
    assert earned_net(replace(BASE, recognized_net=584), on_day(10)) == 584


def test_goods_that_come_back_after_they_were_sent_are_revenue_no_more() -> None:
    returned = replace(BOXES, dispatched_quantity=2, recognized_net=1330, taken_amount=745, taken_tax=80)
    assert earned_net(returned, END) == 665


def test_a_part_of_the_money_earns_its_part_and_all_of_it_the_rest() -> None:
    assert earned_net(replace(FREIGHT, captured_amount=245), START) == 196
    assert earned_net(replace(FREIGHT, captured_amount=245, is_paid=True), START) == 392


def test_a_line_of_time_without_days_is_earned_with_its_money() -> None:
    setup = EarningLine(1000, 200, "time")
    assert (earned_net(setup, END), earned_net(replace(setup, is_paid=True), START)) == (0, 800)
    assert (setup.revenue_kind, BASE.revenue_kind) == ("at_capture", "time")


# timeline      Mar 31   Apr 1            Apr 30   May 1
#               |--------|----------------|
@pytest.mark.parametrize(
    ("on", "following"),
    [
        (START - timedelta(days=40), date(2027, 4, 1)),
        (START, date(2027, 4, 1)),
        (date(2027, 4, 1), END),
        (date(2027, 4, 29), END),
    ],
)
def test_the_next_release_is_the_first_of_a_month_or_the_end_of_the_line(on: date, following: date) -> None:
    assert next_release_on([replace(BASE, recognized_net=10), BOXES], on) == following


def test_nothing_more_is_released_of_what_is_wholly_earned_or_not_earned_by_day() -> None:
    assert next_release_on([replace(BASE, recognized_net=1592), BOXES, FREIGHT], START) is None


def test_a_year_is_released_month_by_month() -> None:
    year, day, days = (
        EarningLine(12000, 2400, "time", starts_on=date(2028, 1, 15), ends_on=date(2029, 1, 15)),
        START,
        [],
    )
    day = date(2028, 1, 15)
    while (following := next_release_on([replace(year, recognized_net=earned_net(year, day))], day)) is not None:
        day = following
        days.append(day)
    assert days == [date(2028, month, 1) for month in range(2, 13)] + [date(2029, 1, 1), date(2029, 1, 15)]


LINES = st.builds(
    lambda gross, tax, days: EarningLine(
        gross, min(gross, tax), "time", starts_on=START, ends_on=START + timedelta(days=days)
    ),
    st.integers(0, 5000),
    st.integers(0, 1200),
    st.integers(1, 366),
)


@settings(max_examples=200, deadline=None)
@given(LINES, st.lists(st.integers(-10, 400), max_size=8))
def test_whenever_it_is_looked_at_the_whole_net_is_earned_once(line: EarningLine, looks: list[int]) -> None:
    for day in [*looks, 400]:
        earned = earned_net(line, on_day(day))
        assert 0 <= earned <= line.keepable_net
        line = replace(line, recognized_net=earned)
    assert line.deferred_net == 0


@settings(max_examples=200, deadline=None)
@given(LINES, st.integers(0, 366))
def test_used_days_and_a_full_time_credit_are_the_whole_line(line: EarningLine, used: int) -> None:
    assert line.ends_on is not None
    days = (line.ends_on - START).days
    used = min(used, days)
    gross, tax = (whole - value_of_days(whole, used, days) for whole in (line.amount, line.tax_amount))
    credited = replace(line, recognized_net=earned_net(line, on_day(used)), taken_amount=gross, taken_tax=tax)
    settled = replace(credited, recognized_net=earned_net(credited, on_day(used)))
    assert earned_net(settled, END) == settled.keepable_net
    assert settled.deferred_net == 0 or line.keepable_net < days


# Apr 11             Apr 21            Apr 30
# |-- 10 of 19 days --|------ 9 -------|      what an upgrade took back, below 0
def test_a_line_below_0_is_earned_by_day_too() -> None:
    taken_back = EarningLine(-1900, -380, "time", starts_on=date(2027, 4, 11), ends_on=END)
    assert earned_net(taken_back, date(2027, 4, 21)) == -800


def test_what_rounding_left_is_earned_with_the_last_day() -> None:
    line = replace(BASE, taken_tax=1)
    assert (earned_net(line, END - timedelta(days=1)), earned_net(line, END)) == (1539, 1593)


def test_a_credit_of_a_line_that_is_wholly_earned_comes_from_revenue_alone() -> None:
    assert taken_from_revenue(replace(BASE, recognized_net=1592), 500) == 500


def test_with_the_money_a_single_cent_is_earned_and_a_free_line_earns_nothing() -> None:
    assert earned_net(EarningLine(1, 0, "at_capture", captured_amount=1), START) == 1
    assert earned_net(EarningLine(0, 0, "at_capture"), START) == 0


def test_what_a_late_look_finds_still_deferred_is_released_on_the_next_day() -> None:
    assert next_release_on([BASE], date(2027, 5, 5)) == date(2027, 5, 6)
