"""A change of plan, quantity or interval: its direction, and what unused days give back (billing rules, section 4)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.changes import (
    DEFAULT_MODES,
    AdjustmentCredit,
    BilledSpan,
    ChangeMode,
    Direction,
    Terms,
    credits_for_change,
    direction,
    direction_of_price,
    seconds_between,
    unused_credit,
)
from billing.domain.credits import BilledLine
from billing.domain.errors import Invalid
from billing.domain.invoicing import charge_for_days
from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule, PriceItem, Recognize
from billing.domain.tax import TaxPosition, TaxTable, tax_included

STARTS_ON, CHANGED_ON, ENDS_ON = date(2027, 3, 31), date(2027, 4, 11), date(2027, 4, 30)
LINE = BilledLine(
    line_id=UUID(int=1),
    position=1,
    article_number="PLAN",
    name="Plan",
    quantity=1,
    unit_amount=2990,
    amount=2990,
    tax_amount=598,
    tax_rate=2500,
    credit_rule="time",
    recognize="time",
    credited_amount=0,
    credited_tax=0,
    credited_quantity=0,
)
NEW = PriceItem("PLAN", "Plan", 1, 4990, 2500, CreditRule.TIME, Recognize.TIME)
SWEDEN = TaxPosition("SE", False, TaxTable(()), CHANGED_ON)
OLD = BilledSpan(LINE, STARTS_ON, ENDS_ON)


def monthly(amount: int, count: int = 1) -> Terms:
    return Terms(amount, Interval.MONTH, count)


def change(old: Terms, new: Terms, *, same_price: bool = False, quantity_delta: int = 0) -> Direction:
    other = (old.interval, old.count) != (new.interval, new.count)
    return direction(old, new, same_price=same_price, quantity_delta=quantity_delta, interval_changed=other)


# March 31          April 11                    April 30
# |--- 11 days used ---|------ 19 days left ------|        N = 30, 25 % VAT included
#        old plan                new plan
def test_an_upgrade_after_11_of_30_days_costs_12_66() -> None:
    gross, tax = unused_credit(OLD, CHANGED_ON)
    assert (gross, tax, gross - tax) == (1894, 379, 1515)
    charge = charge_for_days(NEW, "EUR", SWEDEN, (STARTS_ON, ENDS_ON), 11, 30, None)
    assert (charge.amount, charge.tax_amount, charge.net_amount) == (3160, 632, 2528)
    assert (charge.amount - gross, charge.tax_amount - tax) == (1266, 253)
    assert charge.net_amount - (gross - tax) == 1013


# April 11       April 16                 April 30
# |-- 5 days used --|--- 14 days left ---|        of the adjustment's own 19 days
def test_a_second_change_credits_the_adjustment_over_its_own_days_and_the_old_line_no_more() -> None:
    old = replace(OLD, line=replace(LINE, adjusted_amount=1894, adjusted_tax=379))
    adjustment = BilledSpan(
        replace(LINE, line_id=UUID(int=2), amount=3160, tax_amount=632, unit_amount=3160), CHANGED_ON, ENDS_ON
    )
    given = credits_for_change([old, adjustment], date(2027, 4, 16))
    assert [(c.line_id, c.amount, c.tax_amount) for c in given] == [(UUID(int=2), 2328, 466)]
    assert unused_credit(old, date(2027, 4, 16)) == (0, 0)


# a goodwill credit of 15.00 was given before; of 18.94 unused only 14.90 is left
def test_a_credit_is_never_more_than_earlier_credits_left() -> None:
    given_before = replace(OLD, line=replace(LINE, credited_amount=1500, credited_tax=300))
    assert unused_credit(given_before, CHANGED_ON) == (1490, 298)
    all_given = replace(OLD, line=replace(LINE, credited_amount=2990, credited_tax=598))
    assert unused_credit(all_given, CHANGED_ON) == (0, 0)


@pytest.mark.parametrize(
    ("on", "credit"),
    [("2027-03-30", (2990, 598)), ("2027-03-31", (2990, 598)), ("2027-04-30", (0, 0)), ("2027-05-01", (0, 0))],
)
def test_before_its_days_a_line_is_unused_and_after_them_used_up(on: str, credit: tuple[int, int]) -> None:
    assert unused_credit(OLD, date.fromisoformat(on)) == credit


def test_only_lines_credited_by_time_give_back_on_a_change() -> None:
    lines = [replace(LINE, line_id=UUID(int=i), credit_rule=rule) for i, rule in enumerate(("quantity", "none"))]
    goods = [BilledSpan(line, STARTS_ON, ENDS_ON) for line in lines]
    assert [unused_credit(span, CHANGED_ON) for span in goods] == [(0, 0), (0, 0)]
    (credit,) = credits_for_change([goods[0], OLD, goods[1]], CHANGED_ON)
    assert isinstance(credit, AdjustmentCredit)
    assert (credit.line_id, credit.amount, credit.tax_amount, credit.net_amount) == (LINE.line_id, 1894, 379, 1515)
    assert credit.derivation == "19 of 30 days unused: 2990 - 1096 = 1894"


def test_a_line_that_lowered_an_invoice_is_not_given_back_again() -> None:
    lowering = BilledSpan(replace(LINE, amount=-1894, tax_amount=-379), CHANGED_ON, ENDS_ON)
    assert credits_for_change([lowering], date(2027, 4, 16)) == ()


def test_a_line_that_pays_for_no_day_is_refused() -> None:
    with pytest.raises(Invalid, match="pays for no day"):
        unused_credit(BilledSpan(LINE, ENDS_ON, ENDS_ON), ENDS_ON)


def test_a_cent_for_a_single_day_is_given_back_whole_on_that_day() -> None:
    day = BilledSpan(replace(LINE, amount=1, tax_amount=0), STARTS_ON, STARTS_ON + timedelta(days=1))
    assert unused_credit(day, STARTS_ON) == (1, 0)


# 00:00           06:00                                  24:00
# |--- 21,600 s used ---|----------- 64,800 s left ---------|      of a day of 86,400 s
MIDNIGHT = datetime(2027, 4, 1, tzinfo=UTC)
BY_SECONDS = BilledSpan(
    replace(LINE, amount=1000, tax_amount=200),
    date(2027, 4, 1),
    date(2027, 4, 2),
    MIDNIGHT,
    MIDNIGHT + timedelta(days=1),
)


def credited_at(at: datetime, span: BilledSpan = BY_SECONDS) -> list[tuple[int, int]]:
    return [(credit.amount, credit.tax_amount) for credit in credits_for_change([span], date(2027, 4, 1), at)]


def test_a_plan_priced_by_the_second_gives_the_seconds_from_the_change_on_back() -> None:
    (credit,) = credits_for_change([BY_SECONDS], date(2027, 4, 1), MIDNIGHT + timedelta(hours=6))
    assert (credit.amount, credit.tax_amount) == (750, 150)
    assert credit.derivation == "64800 of 86400 seconds unused: 1000 - 250 = 750"


@pytest.mark.parametrize(("hours", "credit"), [(-1, [(1000, 200)]), (0, [(1000, 200)]), (24, []), (25, [])])
def test_before_its_seconds_a_line_is_unused_and_after_them_used_up(hours: int, credit: list[tuple[int, int]]) -> None:
    assert credited_at(MIDNIGHT + timedelta(hours=hours)) == credit


def test_by_the_second_too_a_cent_is_given_back_and_what_lowered_an_invoice_is_not() -> None:
    assert credited_at(MIDNIGHT, replace(BY_SECONDS, line=replace(LINE, amount=1, tax_amount=0))) == [(1, 0)]
    assert credited_at(MIDNIGHT, replace(BY_SECONDS, line=replace(LINE, amount=-1000, tax_amount=-200))) == []


def test_a_span_of_one_second_is_priced_and_one_of_none_gives_nothing() -> None:
    assert credited_at(MIDNIGHT, replace(BY_SECONDS, ends_at=MIDNIGHT + timedelta(seconds=1))) == [(1000, 200)]
    assert credited_at(MIDNIGHT, replace(BY_SECONDS, ends_at=MIDNIGHT)) == []


@pytest.mark.parametrize("missing", ["starts_at", "ends_at"])
def test_a_span_priced_by_the_second_must_know_its_instants(missing: str) -> None:
    with pytest.raises(AssertionError, match="a span that is priced by the second knows"):
        credited_at(MIDNIGHT, replace(BY_SECONDS, **{missing: None}))


def test_only_whole_seconds_count_and_none_of_them_backwards() -> None:
    assert seconds_between(MIDNIGHT, MIDNIGHT + timedelta(seconds=1, microseconds=999_999)) == 1
    assert seconds_between(MIDNIGHT, MIDNIGHT - timedelta(seconds=5)) == 0


@given(st.integers(1, 10**7), st.integers(1, 366), st.lists(st.integers(1, 366), max_size=6))
def test_what_is_kept_and_given_back_sums_to_what_was_billed_under_any_chain_of_changes(
    amount: int, days: int, cuts: list[int]
) -> None:
    on, ends_on, billed, kept = STARTS_ON, STARTS_ON + timedelta(days=days), amount, 0
    for cut in cuts:
        if on + timedelta(days=cut) >= ends_on:
            break
        line = replace(LINE, amount=billed, tax_amount=tax_included(billed, 2500))
        gross, tax = unused_credit(BilledSpan(line, on, ends_on), on + timedelta(days=cut))
        assert 0 <= tax <= gross <= billed
        assert tax <= line.tax_amount
        kept += billed - gross
        # The next plan costs what was given back, so that the sum stays the amount that was paid.
        on, billed = on + timedelta(days=cut), gross
    assert kept + billed == amount


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (monthly(2990), monthly(4990), "upgrade"),
        (monthly(4990), monthly(2990), "downgrade"),
        (monthly(2990), monthly(2990), "upgrade"),
        (monthly(3000), Terms(36000, Interval.YEAR, 1), "upgrade"),  # equal, as 12 months
        (monthly(3000), Terms(35999, Interval.YEAR, 1), "downgrade"),
        (monthly(1000), monthly(2999, 3), "downgrade"),  # a quarter is 3 months
        (monthly(1000), monthly(3000, 3), "upgrade"),
        (Terms(1200, Interval.WEEK, 1), monthly(5200), "upgrade"),  # a week is 12/52 of a month
        (Terms(1200, Interval.WEEK, 1), monthly(5199), "downgrade"),
        (Terms(12, Interval.DAY, 1), monthly(365), "upgrade"),  # a day is 12/365
        (Terms(12, Interval.DAY, 1), monthly(364), "downgrade"),
        (Terms(700, Interval.DAY, 7), Terms(700, Interval.WEEK, 1), "downgrade"),  # 52 weeks are 364 days
        (Terms(0, Interval.YEAR, 1), monthly(0), "upgrade"),
    ],
)
def test_direction_compares_prices_by_nominal_month(old: Terms, new: Terms, expected: str) -> None:
    assert direction_of_price(old, new) == expected


@given(st.integers(0, 10**8), st.integers(0, 10**8), st.sampled_from(Interval), st.integers(1, 24))
def test_of_two_different_prices_one_way_is_up_and_the_other_down(
    first: int, second: int, interval: Interval, count: int
) -> None:
    old, new = Terms(first, Interval.MONTH, 1), Terms(second, interval, count)
    there, back = direction_of_price(old, new), direction_of_price(new, old)
    assert Direction.UPGRADE in (there, back)
    assert Direction.DOWNGRADE in (there, back) or there == back


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (Terms(29900, Interval.YEAR, 1), "longer_interval"),
        (monthly(8000, 3), "longer_interval"),
        (Terms(900, Interval.WEEK, 1), "shorter_interval"),
        (Terms(9900, Interval.DAY, 30), "shorter_interval"),  # 30 of 365 days are less than a twelfth of a year
        (Terms(3100, Interval.DAY, 31), "longer_interval"),
    ],
)
def test_another_interval_decides_before_the_price(new: Terms, expected: str) -> None:
    assert change(monthly(2990), new, quantity_delta=-1) == expected


def test_a_week_is_a_little_longer_than_seven_days() -> None:
    assert change(Terms(700, Interval.DAY, 7), Terms(700, Interval.WEEK, 1)) is Direction.LONGER_INTERVAL


def test_twelve_months_and_a_year_are_compared_by_price() -> None:
    assert change(monthly(30000, 12), Terms(29900, Interval.YEAR, 1)) is Direction.DOWNGRADE
    assert change(monthly(30000, 12), Terms(30000, Interval.YEAR, 1)) is Direction.UPGRADE


def test_a_change_of_units_alone_goes_by_units_and_with_another_price_by_price() -> None:
    assert change(monthly(2000), monthly(3000), same_price=True, quantity_delta=1) is Direction.QUANTITY_UP
    assert change(monthly(3000), monthly(2000), same_price=True, quantity_delta=-1) is Direction.QUANTITY_DOWN
    assert change(monthly(2000), monthly(3000), quantity_delta=-1) is Direction.UPGRADE
    assert change(monthly(3000), monthly(2000), quantity_delta=1) is Direction.DOWNGRADE
    # One article more and another less: as many units as before, another sum.
    assert change(monthly(3000), monthly(2000), same_price=True) is Direction.DOWNGRADE


def test_a_price_for_no_interval_is_refused() -> None:
    with pytest.raises(Invalid, match="0 intervals") as refused:
        Terms(2990, Interval.MONTH, 0)
    assert refused.value.where == "count"


def test_each_direction_has_its_published_default() -> None:
    assert {str(way): str(mode) for way, mode in DEFAULT_MODES.items()} == {
        "upgrade": "charge_now",
        "downgrade": "at_period_end",
        "quantity_up": "charge_now",
        "quantity_down": "at_period_end",
        "longer_interval": "full_and_reset",
        "shorter_interval": "at_period_end",
    }
    assert " ".join(ChangeMode) == "charge_now next_invoice at_period_end full_and_reset"
