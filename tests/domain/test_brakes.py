"""When charging looks wrong enough to halt: figures in, a reason or None out."""

from datetime import UTC, date, datetime, timedelta

import pytest

from billing.domain.brakes import (
    Limits,
    RunTotals,
    expected_amount,
    has_more_periods_due,
    may_be_charged,
    run_excess,
)
from billing.domain.periods import BillingCycle, Interval

NOW = datetime(2028, 5, 1, 12, tzinfo=UTC)
WEEKLY = BillingCycle(Interval.WEEK, 1, date(2028, 1, 3), 3, False)


# next index 2 starts on 17 January; 24 January, 31 January and 7 February follow
@pytest.mark.parametrize(
    ("day", "too_many"), [(datetime(2028, 2, 6, tzinfo=UTC), False), (datetime(2028, 2, 7, tzinfo=UTC), True)]
)
def test_the_fourth_period_due_at_once_is_one_too_many(day: datetime, too_many: bool) -> None:
    assert has_more_periods_due(WEEKLY, 2, "UTC", day, 3) is too_many


def run(*invoices: tuple[int, int], currency: str = "SEK") -> RunTotals:
    totals = RunTotals()
    for expected, opened in invoices:
        totals.add(currency, expected, opened)
    return totals


@pytest.mark.parametrize(
    ("totals", "halts"),
    [
        (run(*[(100, 100)] * 1000), False),
        # 19 % more than expected, and just above 20 % with the slack of ten average invoices
        (run(*[(100, 119)] * 1000), False),
        (run(*[(100, 120)] * 10_000), False),
        (run(*[(100, 200)] * 25), False),
        (run(*[(100, 200)] * 26), True),
        (run(*[(100, 122)] * 500), False),
        (run(*[(100, 122)] * 1000), True),
        # nothing was to be expected
        (run(*[(0, 100)] * 10), False),
        (run(*[(0, 100)] * 11), True),
        (run(), False),
        (run(*[(0, 0)] * 50), False),
    ],
)
def test_a_run_halts_above_a_fifth_more_than_forecast_and_ten_invoices(totals: RunTotals, halts: bool) -> None:
    assert (run_excess(totals, Limits()) is not None) is halts


def test_each_currency_is_judged_by_itself_and_named() -> None:
    totals = run(*[(100, 100)] * 100)
    for _ in range(20):
        totals.add("EUR", 0, 5)
    assert run_excess(totals, Limits()) == ("20 invoices of 100 EUR in all, where 0 were to be expected (minor units)")


def test_a_forecast_is_what_was_billed_before_and_nothing_for_what_is_late() -> None:
    assert expected_amount(NOW - timedelta(hours=24), NOW, 3970, 5000) == 3970
    assert expected_amount(NOW - timedelta(hours=24), NOW, None, 5000) == 5000
    assert expected_amount(NOW - timedelta(hours=24, seconds=1), NOW, 3970, 5000) == 0


def test_the_copy_of_totals_is_independent() -> None:
    totals = run((100, 100))
    totals.copy().add("SEK", 1, 1)
    assert totals.as_json() == {"SEK": {"expected": 100, "opened": 100, "invoices": 1}}


def test_as_many_charges_as_the_limit_and_no_more() -> None:
    assert may_be_charged(9, Limits())
    assert not may_be_charged(10, Limits())
