"""The command: many seeds, on both cores, with progress and the rate; a failure names the command that repeats it."""

import gc
import json
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
from lives.databases import fresh_sqlite, migrate_file
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from simulation.own_server import fresh_postgresql
from simulation.simulate import Result, simulate
from simulation.swarm import Swarm, swarm_of

from billing.store.engine import Database

MEMORY = Path("/dev/shm")
EXAMPLE = """\b
Examples:
  python tests/simulation/run.py --seeds 20
  python tests/simulation/run.py --first 4711 --seeds 1 --trace
"""


@click.command(epilog=EXAMPLE)
@click.option("--seeds", type=click.IntRange(1), default=20, show_default=True, help="Worlds to simulate.")
@click.option("--first", type=click.IntRange(0), default=1, show_default=True, help="The first world's seed.")
@click.option("--years", type=click.IntRange(1, 10), default=3, show_default=True, help="Years with faults in each.")
@click.option("--people", type=click.IntRange(1), help="Subscriptions in each world; its own number if left out.")
@click.option("--database", type=click.Choice(["sqlite", "postgres"]), default="sqlite", show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Worlds at a time.")
@click.option("--enough", type=click.IntRange(1), help="Stop once this many subscription-years are lived.")
@click.option("--trace", is_flag=True, help="Print what happened last in a world that fails.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write figures to this file, as JSON.")
@click.option("--keep-going", is_flag=True, help="Go on after a failure.")
def main(  # the command line
    seeds: int,
    first: int,
    years: int,
    people: int | None,
    database: str,
    jobs: int,
    enough: int | None,
    trace: bool,
    report: Path | None,
    keep_going: bool,
) -> None:
    """Live through worlds of subscriptions under faults, each drawn from its seed, and check every invariant.

    Ends with 1 at the first broken one, its seed and the command that repeats it exactly.
    """
    begun = time.monotonic()
    one = partial(run_seed, years=years, people=people, database=database)
    results, failed = [], 0
    for result in _with_progress(_results(one, range(first, first + seeds), jobs), seeds, begun):
        results.append(result)
        _write(report, results, time.monotonic() - begun)
        if result.breach is not None:
            failed += 1
            _tell(result, years, people, database, trace=trace)
            if not keep_going:
                break
        if enough is not None and sum(one.years for one in results) >= enough:
            break
    _summary(results, time.monotonic() - begun)
    raise SystemExit(1 if failed else 0)


def run_seed(seed: int, *, years: int, people: int | None = None, database: str = "sqlite") -> Result:
    """One world, on a database of its own that is gone afterwards."""
    # A world is objects by the million and hardly a cycle; looking for those takes a tenth of the time.
    gc.set_threshold(200_000, 50, 50)
    swarm = swarm_of(seed, people=people)
    with _fresh(database, swarm) as plain:
        return simulate(swarm, plain, 365 * years)


@contextmanager
def _fresh(database: str, swarm: Swarm) -> Iterator[Database]:
    """On SQLite in memory: no power fails here, and what a crash leaves is decided by commits alone."""
    if database == "postgres":
        with fresh_postgresql(f"simulation_{swarm.seed}_{os.getpid()}") as opened:
            yield opened
        return
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        template = Path(folder, "migrated.sqlite3")
        migrate_file(template)
        with fresh_sqlite(template, Path(folder, "world.sqlite3")) as opened:
            yield opened


def _results(one: Callable[[int], Result], seeds: range, jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(one, seeds)
        return
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=8) as pool:
        yield from pool.imap_unordered(one, seeds)


def _with_progress(results: Iterator[Result], seeds: int, begun: float) -> Iterator[Result]:
    columns = (TextColumn("worlds"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    lived = 0.0
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=seeds)
        for result in results:
            lived += result.years
            rate = lived / (time.monotonic() - begun)
            told = f"{lived:,.0f} subscription-years, {rate:.1f} a second"
            progress.update(bar, advance=1, description=told)
            if not console.is_terminal:
                click.echo(f"seed {result.seed} {result.generation}: {told}", err=True)
            yield result


def _tell(result: Result, years: int, people: int | None, database: str, *, trace: bool) -> None:
    again = f"python tests/simulation/run.py --first {result.seed} --seeds 1 --years {years} --database {database}"
    again += f" --people {people}" if people is not None else ""
    click.echo(f"\nseed {result.seed} ({result.generation}) fails: {result.breach}\n  again: {again} --trace\n")
    for line in result.last if trace else ():
        click.echo(f"  {line}")


def _write(report: Path | None, results: list[Result], seconds: float) -> None:
    """After each world, so that a run that is cut short has its figures too."""
    if report is None:
        return
    years = sum(result.years for result in results)
    figures = {
        "seeds": len(results),
        "failed_seeds": [result.seed for result in results if result.breach is not None],
        "subscription_years": round(years, 1),
        "seconds": round(seconds, 1),
        "subscription_years_per_second": round(years / seconds, 2),
        "counts": dict(sorted(_counted(results).items())),
        "digests": {str(result.seed): result.digest for result in results},
    }
    report.write_text(json.dumps(figures, indent=1) + "\n")


def _summary(results: list[Result], seconds: float) -> None:
    years = sum(result.years for result in results)
    failed = [result.seed for result in results if result.breach is not None]
    for name, times in sorted(_counted(results).items()):
        click.echo(f"{times:>10,}  {name}")
    click.echo(
        f"{len(results)} worlds, {years:,.0f} subscription-years in {seconds:,.0f} s,"
        f" {years / seconds:.1f} a second: {f'broken in {failed}' if failed else 'every invariant holds'}"
    )


def _counted(results: list[Result]) -> Counter[str]:
    return sum((result.counts for result in results), Counter())
