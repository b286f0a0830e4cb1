"""Soak: many more lives than the tests run, until one breaks an invariant; its steps are then printed, made short."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import click
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from lives.databases import fresh_sqlite, migrate_file
from lives.turns import Turns
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from billing.store.engine import Database

EXAMPLE = """\b
Example, a few minutes' worth:
  python tests/lives/run.py --examples 300 --steps 50
"""


@click.command(epilog=EXAMPLE)
@click.option("--examples", type=click.IntRange(1), default=2000, show_default=True, help="Lives to live.")
@click.option("--steps", type=click.IntRange(1), default=50, show_default=True, help="Steps in a life, at most.")
@click.option("--seed", "start", type=int, help="Which lives; others each time if left out.")
@click.option("--shrink/--no-shrink", default=True, show_default=True, help="Look for the shortest failing life.")
def main(examples: int, steps: int, start: int | None, shrink: bool) -> None:
    """Live customers' lives on SQLite in every order that comes to mind, checking every invariant after each step.

    Ends with 1 and the steps of a failing life at the first broken invariant.
    """
    console = Console(stderr=True)
    columns = (TextColumn("lives"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with tempfile.TemporaryDirectory() as folder, Progress(*columns, console=console) as progress:
        bar = progress.add_task("lives", total=examples)
        template = Path(folder, "migrated.sqlite3")
        migrate_file(template)
        machine = _machine(template, lambda: progress.advance(bar))
        phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
        wanted = settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=phases,
        )
        run_state_machine_as_test(seed(start)(machine) if start is not None else machine, settings=wanted)
    click.echo(f"{examples} lives of up to {steps} steps: every invariant holds")


def _machine(template: Path, lived: object) -> type[Turns]:
    numbers = count(1)

    @contextmanager
    def new_database() -> Iterator[Database]:
        with fresh_sqlite(template, template.with_name(f"life-{next(numbers)}.sqlite3")) as database:
            yield database
        lived()

    return type("LivesOfCustomers", (Turns,), {"new_database": staticmethod(new_database)})
