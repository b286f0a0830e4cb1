"""What the calendar and the sums cost: microseconds a call, and that the 10,000th period costs what the first does.

The last line of stdout is one JSON object; `ratio_to_floor` is the next boundary over one addition of a date.
"""

import json
from collections.abc import Callable
from datetime import date, timedelta
from time import perf_counter_ns

import click
from rich.console import Console
from rich.table import Table

from billing.domain.invoicing import invoice_for_period
from billing.domain.periods import BillingCycle, Interval, nth_boundary, nth_period, period_containing
from billing.domain.pricing import CreditRule, Offer, PriceItem, Recognize
from billing.domain.proration import value_between
from billing.domain.tax import TaxPosition, TaxTable

ZONE = "Europe/Stockholm"
# Ten thousand months are 833 years, which the calendar holds; so many years it does not.
FAR = 9_999
DAY = date(2027, 1, 31)
MONTHLY = BillingCycle(Interval.MONTH, 1, DAY, 31)
DAILY = BillingCycle(Interval.DAY, 1, DAY, 31)
OFFER = Offer("EUR", (PriceItem("BASE", "Base fee", 1, 1990, 2500, CreditRule.TIME, Recognize.TIME),))
TAX = TaxPosition("SE", False, TaxTable(()), DAY)
ONE_DAY = timedelta(days=1)


@click.command(epilog="Example: python tests/benchmarks/domain.py --calls 20000")
@click.option("--calls", type=click.IntRange(100), default=20_000, show_default=True, help="Calls in each of 7 rounds.")
def main(calls: int) -> None:
    """Print what the decisions of a renewal cost, in microseconds a call (the best of seven rounds)."""
    cost = {name: microseconds(call, calls) for name, call in subjects().items()}
    floor = cost["floor: a date and a day"]
    table = Table("call", "µs", "times the floor")
    for name, value in cost.items():
        table.add_row(name, f"{value:.3f}", f"{value / floor:.1f}")
    Console().print(table)
    click.echo(json.dumps(summary(cost, floor)))


def subjects() -> dict[str, Callable[[], object]]:
    far = nth_period(MONTHLY, FAR, ZONE)
    near = nth_period(MONTHLY, 0, ZONE)
    return {
        "floor: a date and a day": lambda: DAY + ONE_DAY,
        "floor: an empty call": lambda: None,
        "boundary 1": lambda: nth_boundary(MONTHLY, 1),
        "boundary 10,000": lambda: nth_boundary(MONTHLY, FAR + 1),
        "period 1": lambda: nth_period(MONTHLY, 0, ZONE),
        "period 10,000": lambda: nth_period(MONTHLY, FAR, ZONE),
        "daily period 1": lambda: nth_period(DAILY, 0, ZONE),
        "daily period 10,000": lambda: nth_period(DAILY, FAR, ZONE),
        "period 1 by its instant": lambda: period_containing(MONTHLY, near.starts_at, ZONE),
        "period 10,000 by its instant": lambda: period_containing(MONTHLY, far.starts_at, ZONE),
        "proration": lambda: value_between(4990, 11, 30, 30),
        "invoice draft, one line": lambda: invoice_for_period(OFFER, near, TAX),
    }


def microseconds(call: Callable[[], object], calls: int, rounds: int = 7) -> float:
    """The best round, since whatever disturbs a round only makes it slower."""
    return min(one_round(call, calls) for _ in range(rounds)) / calls / 1000


def one_round(call: Callable[[], object], calls: int) -> int:
    started = perf_counter_ns()
    for _ in range(calls):
        call()
    return perf_counter_ns() - started


def summary(cost: dict[str, float], floor: float) -> dict[str, object]:
    return {
        "benchmark": "domain",
        "ratio_to_floor": round(cost["boundary 1"] / floor, 2),
        "floor": "datetime.date + timedelta",
        "period_10000_over_1": {
            "boundary": ratio(cost, "boundary 10,000", "boundary 1"),
            # Past 2037 the zone database gives a rule instead of a table, which costs a little more.
            "period": ratio(cost, "period 10,000", "period 1"),
            "daily period": ratio(cost, "daily period 10,000", "daily period 1"),
            "period by its instant": ratio(cost, "period 10,000 by its instant", "period 1 by its instant"),
        },
        "microseconds": {name: round(value, 4) for name, value in cost.items()},
    }


def ratio(cost: dict[str, float], of: str, to: str) -> float:
    return round(cost[of] / cost[to], 2)


if __name__ == "__main__":
    main()
