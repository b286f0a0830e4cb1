"""`make faults`: thousands of workers killed with SIGKILL, and both books compared after every hundred or so."""

import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import click
from faults.killing.killer import Killer, Tally
from faults.killing.mark import STEPS
from faults.killing.worlds import fresh_world

COMBINATIONS = [(database, generation) for database in ("sqlite", "postgresql") for generation in ("rest", "legacy")]
KILLS_A_WORLD = 120
LATE_SHARE = 0.6


@click.command(epilog="Example: python tests/faults/run.py --kills 400 --each 5 --jobs 2 --seed 7")
@click.option("--kills", type=click.IntRange(1), default=2000, show_default=True, help="So many at least, in all.")
@click.option("--each", type=click.IntRange(0), default=20, show_default=True, help="So many in every cell.")
@click.option("--minutes", type=click.FloatRange(0.1), default=60, show_default=True, help="Give up after so long.")
@click.option("--jobs", type=click.IntRange(1, 16), default=2, show_default=True, help="Combinations at a time.")
@click.option("--seed", type=int, default=1, show_default=True, help="Everything is drawn from it.")
@click.option("--only", multiple=True, help="database/generation, such as sqlite/rest; all four unless said.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Leave every world's files here.")
def main(kills: int, each: int, minutes: float, jobs: int, seed: int, only: tuple[str, ...], keep: Path | None) -> None:
    """Kill workers with SIGKILL at drawn moments, on each database and with each generation of the provider.

    A cell is a step of the protocol and the kind of the operation that is in it. Exit codes: 0 every promise was kept;
    1 a charge was made twice, something was lost, a rule is broken, or a cell is short of kills; 2 wrong command line.
    """
    chosen = [one for one in COMBINATIONS if not only or "/".join(one) in only]
    if not chosen:
        raise click.UsageError(f"none of {', '.join('/'.join(one) for one in COMBINATIONS)} is {', '.join(only)}")
    folder = keep or Path(tempfile.mkdtemp(prefix="perennial-kills-"))
    share, end = -(-kills // len(chosen)), time.time() + 60 * minutes
    tallies: dict[tuple[str, str], Tally] = {}
    click.echo(f"seed {seed}, files under {folder}")
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        work = {
            pool.submit(run, *one, seed, share, each, end, folder / "-".join(one), keep is not None): one
            for one in chosen
        }
        for done in as_completed(work):
            tallies[work[done]] = done.result()
    for generation in ("rest", "legacy"):
        show(generation, {one: tally for one, tally in tallies.items() if one[1] == generation})
    sys.exit(0 if all(is_good(tally, share, each) for tally in tallies.values()) else 1)


def run(
    database: str, generation: str, seed: int, kills: int, each: int, end: float, folder: Path, keep: bool
) -> Tally:
    """Worlds of one combination until there are enough kills, a promise is broken, or the time is over."""
    tally, draw = Tally(), random.Random(f"{seed} {database} {generation}")
    while not tally.breaches and time.time() < end and (tally.kills.total() < kills or tally.lacking(each)):
        directory = folder / f"world-{tally.worlds}"
        with fresh_world(database, generation, directory, keep=True) as world:
            killer = Killer(world, draw, tally)
            for _ in range(KILLS_A_WORLD):
                if time.time() >= end:
                    break
                killer.kill_one(each)
            killer.judge()
        told = f"{database:10} {generation:6} {tally.kills.total():6} kills, {tally.charges} charges"
        click.echo(f"{told}, {len(tally.lacking(each))} cells short, {len(tally.breaches)} breaches")
    return tally


def is_good(tally: Tally, kills: int, each: int) -> bool:
    """Whether every promise was kept and enough was killed, where it matters most too."""
    enough = tally.kills.total() >= kills and not tally.lacking(each) and tally.after_the_gate() >= LATE_SHARE
    return enough and not (tally.breaches or tally.duplicates or tally.lost)


def show(generation: str, tallies: dict[tuple[str, str], Tally]) -> None:
    """The tables of one generation."""
    if not tallies:
        return
    click.echo(f"\n{generation}")
    click.echo(f"  {'':38}" + "".join(f"{database:>12}" for database, _ in tallies))
    rows = {
        "kills": [tally.kills.total() for tally in tallies.values()],
        "of these between gate and settlement": [f"{tally.after_the_gate():.0%}" for tally in tallies.values()],
        "worlds": [tally.worlds for tally in tallies.values()],
        "charges": [tally.charges for tally in tallies.values()],
        "duplicates": [tally.duplicates for tally in tallies.values()],
        "lost periods": [tally.lost for tally in tallies.values()],
        "outcomes unknown after a kill": [tally.unknown for tally in tallies.values()],
        "of these settled without a person": [tally.unknown - tally.by_person for tally in tallies.values()],
        "of these decided by a person": [tally.by_person for tally in tallies.values()],
        "longest recovery, virtual hours": [f"{tally.longest_seconds / 3600:.1f}" for tally in tallies.values()],
        "breaches": [len(tally.breaches) for tally in tallies.values()],
    }
    for name, figures in rows.items():
        click.echo(f"  {name:38}" + "".join(f"{figure!s:>12}" for figure in figures))
    for (database, _), tally in tallies.items():
        _show_cells(database, tally)
        for breach in tally.breaches:
            click.echo(f"  BREACH {breach}")


def _show_cells(database: str, tally: Tally) -> None:
    steps = [step for step in STEPS if any(cell.step == step for cell in tally.kills)]
    click.echo(f"\n  {database:18}" + "".join(f"{step:>8}" for step in steps))
    kinds = Counter(cell.kind for cell in tally.kills.elements())
    for kind in sorted(kinds):
        counts = [sum(n for c, n in tally.kills.items() if (c.step, c.kind) == (step, kind)) for step in steps]
        click.echo(f"  {kind:18}" + "".join(f"{count or '-':>8}" for count in counts))
