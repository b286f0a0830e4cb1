"""Mutation testing of the domain: mutmut changes one expression at a time, and a test of tests/domain must go red.

It works on a copy in a temporary directory and leaves nothing behind. What survives gets a test or, where nothing can
tell it apart, a line in survivors.md.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from verdicts import Mutant, entry, explained, mutants_of

ROOT = Path(__file__).resolve().parents[2]
Reasons = Mapping[tuple[str, str, str], str]
KEPT = Path(__file__).with_name("survivors.md")
MODULES = sorted(path.stem for path in (ROOT / "billing" / "domain").glob("*.py") if path.stem != "__init__")
PERCENT_MIN = 95
# mutmut's clock signals a process number long after its mutant is done, whoever has the number by then. A limit on
# processor time, which it sets as well, ends mutants that loop for ever, so that the clock is left out.
START = """
from mutmut.workers import isolation
isolation.register_timeout = lambda pid, timeout_s: None
from mutmut.__main__ import cli
cli()
"""
EXAMPLE = """\b
Example, one module:
  python tests/mutants/report.py --module money
\b
Exit codes: 0 each survivor is explained and, of all modules, enough were killed, 1 not so, 2 a wrong option,
3 mutmut did not run to its end.
"""


@click.command(epilog=EXAMPLE)
@click.option("--module", "wanted", type=click.Choice(MODULES), multiple=True, help="Only this one; may be repeated.")
@click.option("--children", type=click.IntRange(1), default=1, show_default=True, help="Processes that test mutants.")
def main(wanted: tuple[str, ...], children: int) -> None:
    """Change the domain's code a little at a time and see whether a test notices, at least 95 times of 100.

    Prints a table of the modules and every survivor; compares those with tests/mutants/survivors.md.
    """
    modules = wanted or MODULES
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="perennial-mutants-") as folder:
        copy = Path(folder)
        copied(copy, modules)
        run(copy, children, console)
        found = {module: mutants_of(copy, module) for module in modules}
    reasons = explained(KEPT.read_text())
    click.echo()
    Console(width=100).print(table(found, reasons))
    unexplained = listed(found, reasons)
    total, alive = sum(count for count, _ in found.values()), sum(len(mutants) for _, mutants in found.values())
    click.echo(f"{shown_share(total, alive)} % of {total:,} mutants killed, {unexplained} survivors without a reason")
    # A small module may have more changes that nothing can tell apart than one in twenty: the share is for all of them.
    falls_short = not wanted and 100 * (total - alive) < PERCENT_MIN * total
    sys.exit(1 if unexplained or falls_short else 0)


def copied(copy: Path, modules: Sequence[str]) -> None:
    """The domain and its tests alone, with settings under which only `modules` are changed."""
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("billing/domain", "tests/domain"):
        shutil.copytree(ROOT / part, copy / part, ignore=ignored)
    shutil.copy(ROOT / "billing" / "__init__.py", copy / "billing")
    shutil.copy(Path(__file__).with_name("quick.py"), copy / "tests" / "conftest.py")
    settings = (ROOT / "pyproject.toml").read_text()
    every = '"billing/domain/*"'
    assert every in settings, "the table [tool.mutmut] names what is mutated"
    only = ", ".join(f'"billing/domain/{module}.py"' for module in modules)
    (copy / "pyproject.toml").write_text(settings.replace(every, only))


def run(copy: Path, children: int, console: Console) -> None:
    """mutmut in `copy`, its count as a bar. Ends with 3 and mutmut's own words where it does not come to the end."""
    command = [sys.executable, "-c", START, "run", "--max-children", str(children)]
    said = ""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        subprocess.Popen(command, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as mutmut,
        Progress(*columns, console=console) as progress,
    ):
        assert mutmut.stdout is not None, "its output is a pipe"
        bar = progress.add_task("mutants", total=None)
        while chunk := os.read(mutmut.stdout.fileno(), 65536):
            said = (said + chunk.decode(errors="replace"))[-4000:]
            if counts := re.findall(r"(\d+)/(\d+)  ", said):
                progress.update(bar, completed=int(counts[-1][0]), total=int(counts[-1][1]))
    if mutmut.returncode or "mutations/second" not in said:
        console.print(f"{said.replace(chr(13), chr(10))}\nmutmut ended with {mutmut.returncode}", markup=False)
        sys.exit(3)


def table(found: Mapping[str, tuple[int, list[Mutant]]], reasons: Reasons) -> Table:
    """A row a module: mutants, killed, survived, and of those the explained ones."""
    shown = Table("module", title="Mutants of billing/domain")
    for name in ("mutants", "killed", "survived", "explained", "killed %"):
        shown.add_column(name, justify="right")
    for module, (total, alive) in found.items():
        shown.add_row(module, *figures(total, alive, reasons))
    shown.add_section()
    everything = [mutant for _, alive in found.values() for mutant in alive]
    shown.add_row("all", *figures(sum(total for total, _ in found.values()), everything, reasons))
    return shown


def figures(total: int, alive: Sequence[Mutant], reasons: Reasons) -> list[str]:
    known = sum(mutant.why(reasons) is not None for mutant in alive)
    return [*(f"{count:,}" for count in (total, total - len(alive), len(alive), known)), shown_share(total, len(alive))]


def shown_share(total: int, survived: int) -> str:
    """The percentage killed to one digit, never rounded up."""
    tenths = 1000 * (total - survived) // total if total else 1000
    return f"{tenths // 10}.{tenths % 10}"


def listed(found: Mapping[str, tuple[int, list[Mutant]]], reasons: Reasons) -> int:
    """Prints every survivor with its reason, and those lines of the kept list that nothing survives for any more.

    Returns how many survivors have no reason: they come last, in the form in which survivors.md would hold them.
    """
    alive = [mutant for _, mutants in found.values() for mutant in mutants]
    for mutant in alive:
        if why := mutant.why(reasons):
            click.echo(entry(mutant, why))
    gone = {key for key in reasons if key[0].split(".")[0] in found} - {mutant.key for mutant in alive}
    for place, before, after in sorted(gone):
        click.echo(f"no longer survives, strike it from survivors.md: `{place}`: `{before}` → `{after}`")
    unexplained = [mutant for mutant in alive if mutant.why(reasons) is None]
    for mutant in unexplained:
        click.echo(entry(mutant, f"({mutant.verdict}: write a test, or say here why none can tell it apart)"))
    return len(unexplained)


if __name__ == "__main__":
    main()
