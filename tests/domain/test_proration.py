"""Shares of a period by days: neighbours sum, whatever happened before (billing rules, section 4)."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.errors import Invalid
from billing.domain.proration import value_between, value_of_days
from billing.domain.tax import tax_included


# March 31          April 11                    April 30
# |--- 11 days used ---|------ 19 days left ------|        N = 30, 25 % VAT included
#        old plan                new plan
def test_an_upgrade_after_11_of_30_days_costs_12_66() -> None:
    kept, credit = value_of_days(2990, 11, 30), value_between(2990, 11, 30, 30)
    charge = value_between(4990, 11, 30, 30)
    assert (kept, credit, charge) == (1096, 1894, 3160)
    assert kept + credit == 2990
    assert value_of_days(4990, 11, 30) == 1830
    assert charge - credit == 1266


def test_the_upgrades_credit_takes_a_share_of_the_booked_tax_and_its_charge_the_tax_of_its_own_gross() -> None:
    assert value_of_days(598, 11, 30) == 219
    credit_tax, charge_tax = value_between(598, 11, 30, 30), tax_included(3160, 2500)
    assert (credit_tax, charge_tax, charge_tax - credit_tax) == (379, 632, 253)
    assert (1894 - credit_tax, 3160 - charge_tax, 1266 - 253) == (1515, 2528, 1013)


# April 11       April 16                 April 30
# |-- 5 days used --|--- 14 days left ---|        of the adjustment's own 19 days
def test_a_second_change_credits_the_adjustment_over_its_own_days() -> None:
    kept, credit = value_of_days(3160, 5, 19), value_between(3160, 5, 19, 19)
    assert (kept, credit, kept + credit) == (832, 2328, 3160)
    assert value_of_days(632, 5, 19) + value_between(632, 5, 19, 19) == 632


def test_a_downgrade_now_is_the_upgrade_with_its_signs_turned() -> None:
    credit, charge = value_between(4990, 11, 30, 30), value_between(2990, 11, 30, 30)
    assert charge - credit == -1266
    assert value_between(-4990, 11, 30, 30) == -credit


# April 28   May 5               May 28
# |- trial -|---- stub, 23 days ---|     N = 30
def test_the_stub_after_a_trial_of_7_days_costs_22_92() -> None:
    assert value_of_days(2990, 7, 30) == 698
    assert value_between(2990, 7, 30, 30) == 2292


def test_resuming_a_skipped_subscription_with_10_of_30_days_left_costs_9_97() -> None:
    assert value_of_days(2990, 20, 30) == 1993
    assert value_between(2990, 20, 30, 30) == 997


@pytest.mark.parametrize(
    ("gross", "tax", "credit_gross", "credit_tax"),
    [(1990, 398, 1260, 252), (2990, 598, 1894, 379)],
)
def test_a_time_credit_of_19_of_30_days(gross: int, tax: int, credit_gross: int, credit_tax: int) -> None:
    assert value_between(gross, 11, 30, 30) == credit_gross
    assert value_between(tax, 11, 30, 30) == credit_tax


def test_no_days_are_worth_nothing_and_all_days_everything() -> None:
    assert value_of_days(2990, 0, 30) == 0
    assert value_of_days(2990, 30, 30) == 2990


def test_a_negative_amount_mirrors_the_positive() -> None:
    assert value_of_days(-1, 15, 30) == -1
    assert value_of_days(1, 15, 30) == 1


@pytest.mark.parametrize(("days", "of_days"), [(31, 30), (-1, 30), (0, 0), (1, -1)])
def test_days_outside_the_period_are_refused(days: int, of_days: int) -> None:
    with pytest.raises(Invalid, match="no share of a period"):
        value_of_days(100, days, of_days)


def test_days_that_run_backwards_are_refused() -> None:
    with pytest.raises(Invalid, match="backwards"):
        value_between(100, 5, 4, 30)


@settings(max_examples=300, deadline=None)
@given(st.integers(-(10**8), 10**8), st.integers(1, 366), st.data())
def test_any_partition_of_a_period_sums_to_the_amount(amount: int, of_days: int, data: st.DataObject) -> None:
    inner = data.draw(st.lists(st.integers(0, of_days), max_size=12))
    cuts = sorted([0, *inner, of_days])
    parts = [value_between(amount, start, end, of_days) for start, end in pairwise(cuts)]
    assert sum(parts) == amount


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**7), st.integers(0, 10_000), st.integers(1, 366), st.data())
def test_the_net_of_consecutive_shares_sums_to_the_net_of_the_line(
    gross: int, rate: int, of_days: int, data: st.DataObject
) -> None:
    tax = tax_included(gross, rate)
    nets = [value_between(gross, d, d + 1, of_days) - value_between(tax, d, d + 1, of_days) for d in range(of_days)]
    assert sum(nets) == gross - tax
    assert min(nets) >= -1
    day = data.draw(st.integers(0, of_days))
    assert sum(nets[:day]) == value_of_days(gross, day, of_days) - value_of_days(tax, day, of_days)
