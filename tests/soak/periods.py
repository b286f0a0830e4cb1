"""Tiling of every cycle in every zone of the IANA database: minutes of work that no ordinary test run should do."""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date, timedelta
from zoneinfo import available_timezones

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from billing.domain.errors import Invalid
from billing.domain.periods import BillingCycle, Interval, Period, check_zone, local_date, nth_period

INSTANT = timedelta(microseconds=1)
EXAMPLE = """\b
Example, a minute's worth:
  python tests/soak/periods.py --from 2010 --to 2030 --zones 100
"""


@click.command(epilog=EXAMPLE)
@click.option("--from", "first", type=click.IntRange(1970, 9000), default=1990, show_default=True, help="First year.")
@click.option("--to", "last", type=click.IntRange(1970, 9000), default=2040, show_default=True, help="Last year.")
@click.option("--zones", "wanted", type=click.IntRange(1), help="Only so many zones, evenly spread; all if left out.")
@click.option("--workers", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="Processes.")
def main(first: int, last: int, wanted: int | None, workers: int) -> None:
    """Check that the periods of day, week, month and year cycles tile in every IANA zone.

    Cycles start on every day of a week, a month and a year. Ends with 1 at the first gap, overlap or misplaced start.
    """
    if last < first:
        raise click.BadParameter("the last year lies before the first", param_hint="--to")
    zones = spread(wanted)
    console = Console(stderr=True)
    periods, broken = in_processes(zones, first, last, workers, console)
    if broken:
        console.print(f"[red]{broken}")
        sys.exit(1)
    click.echo(f"{len(zones)} zones, {first} to {last}: {periods:,} periods tile")


def spread(wanted: int | None) -> list[str]:
    """So many zones of the database, evenly spread over the sorted names."""
    zones = sorted(zone for zone in available_timezones() if is_a_place(zone))
    count = min(wanted or len(zones), len(zones))
    return [zones[i * len(zones) // count] for i in range(count)]


def is_a_place(zone: str) -> bool:
    try:
        check_zone(zone)
    except Invalid:
        return False
    return True


def in_processes(zones: Sequence[str], first: int, last: int, workers: int, console: Console) -> tuple[int, str | None]:
    """How many periods were looked at, and the first break that any process found."""
    columns = (
        TextColumn("zones"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[zone]}"),
    )
    total = 0
    with ProcessPoolExecutor(workers) as pool, Progress(*columns, console=console) as progress:
        bar = progress.add_task("zones", total=len(zones), zone="")
        waiting = {pool.submit(check_one, zone, first, last): zone for zone in zones}
        for done in as_completed(waiting):
            periods, broken = done.result()
            total += periods
            if broken:
                pool.shutdown(wait=False, cancel_futures=True)
                return total, broken
            progress.update(bar, advance=1, zone=waiting[done])
    return total, None


def check_one(zone: str, first: int, last: int) -> tuple[int, str | None]:
    """How many periods of all cycles were looked at in `zone`, and the first break."""
    looked_at = 0
    for cycle in cycles(first):
        periods, broken = walk(cycle, zone, last)
        looked_at += periods
        if broken:
            return looked_at, f"{zone}: {cycle}: {broken}"
    return looked_at, None


def cycles(first: int) -> Iterator[BillingCycle]:
    """Cycles that start on every day of a week, on every day of a month and at its end, on every day of a year."""
    new_year = date(first, 1, 1)
    yield BillingCycle(Interval.DAY, 1, new_year, 1)
    for day in range(7):
        yield BillingCycle(Interval.WEEK, 1, new_year + timedelta(days=day), 1)
    for day in range(1, 32):
        yield BillingCycle(Interval.MONTH, 1, date(first, 1, day), day)
    yield BillingCycle(Interval.MONTH, 1, date(first, 1, 31), 31, month_end=True)
    leap = first + -first % 4
    for day in range(366):
        start = date(leap, 1, 1) + timedelta(days=day)
        yield BillingCycle(Interval.YEAR, 1, start, start.day)


def walk(cycle: BillingCycle, zone: str, last: int) -> tuple[int, str | None]:
    """How many periods start up to the end of the year `last`, and the first one that is out of place."""
    n, period = 0, nth_period(cycle, 0, zone)
    while period.start_date.year <= last:
        following = nth_period(cycle, n + 1, zone)
        if wrong := what_is_wrong(cycle, zone, period, following):
            return n, f"period {n} ({period.start_date} to {period.end_date}) {wrong}"
        n, period = n + 1, following
    return n, None


def what_is_wrong(cycle: BillingCycle, zone: str, period: Period, following: Period) -> str | None:
    if (period.end_date, period.ends_at) != (following.start_date, following.starts_at):
        return "does not end where the next one starts"
    if period.start_date >= period.end_date or period.starts_at > period.ends_at:
        return "runs backwards"
    if local_date(period.starts_at - INSTANT, zone) >= period.start_date:
        return "starts after its local day has begun"
    if local_date(period.starts_at, zone) == period.start_date:
        return None
    # The zone skipped the whole day: a period of that day alone is empty, a longer one starts with the next day.
    is_day = cycle.interval is Interval.DAY
    began_on = local_date(period.starts_at, zone)
    if began_on == period.start_date + timedelta(days=1) and period.is_empty == is_day:
        return None
    return f"starts on {began_on} of the wall calendar"


if __name__ == "__main__":
    main()
