"""Puts each mistake of `bugs.toml` into a copy of the code, alone, and sees whether the tests notice.

`.venv/bin/python tests/planted/run.py --help` says how.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("billing", "api", "config", "migrations", "tests", "pyproject.toml", "Makefile", "docs", "README.md")
TIME_MAX = 900
RED = 1
"""What pytest answers where tests ran and failed; anything above says that they could not run."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One mistake: `old` stands once in `file` and is replaced by `new`; one of `tests` must go red."""

    name: str
    breaks: str
    file: str
    old: str
    new: str
    tests: Sequence[str]

    def fits(self, root: Path) -> bool:
        """Whether the code still has the place that this mistake is about, once."""
        return (root / self.file).read_text().count(self.old) == 1

    def plant(self, root: Path) -> None:
        path = root / self.file
        path.write_text(path.read_text().replace(self.old, self.new))


def bugs() -> list[Bug]:
    """Every mistake of the list, in its order."""
    rows = tomllib.loads((Path(__file__).parent / "bugs.toml").read_text())["bug"]
    return [Bug(**row) for row in rows]


def copied(to: Path) -> Path:
    """The code and its tests in a folder of their own."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, to / name)
    return to


def verdict(bug: Bug) -> str:
    """`red` where a test noticed, `green` where none did, else what happened instead."""
    with tempfile.TemporaryDirectory() as folder:
        root = copied(Path(folder))
        if not bug.fits(root):
            return "does not fit the code"
        bug.plant(root)
        return verdict_of(bug.tests, root)


def verdict_of(tests: Sequence[str], root: Path) -> str:
    """`green` or `red`; or why the tests could not run. A run that hangs is red."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not postgres", *tests]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=TIME_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        return "red"
    return {0: "green", RED: "red"}.get(done.returncode, f"tests did not run: {done.stdout[-300:]}")


def is_green_without(chosen: Sequence[Bug]) -> bool:
    """Whether the tests that are to go red are green as long as nothing is planted."""
    tests = sorted({name for bug in chosen for name in bug.tests})
    with tempfile.TemporaryDirectory() as folder:
        return verdict_of(tests, copied(Path(folder))) == "green"


@click.command(epilog="Example: .venv/bin/python tests/planted/run.py gate epoch --jobs 2")
@click.argument("words", nargs=-1)
@click.option("--jobs", type=click.IntRange(1, 16), default=1, show_default=True, help="So many at a time.")
def main(words: Sequence[str], jobs: int) -> None:
    """Put each known mistake into a copy of the code, alone, and see whether a test goes red.

    WORDS choose those whose name or mark (an invariant, a step) holds one of them; all of them take some 15 minutes.
    Exit codes: 0 every mistake turned a test red; 1 one was not noticed, or does not fit the code any more; 2 nothing
    could be told, since no mistake is chosen or the tests are red without one.
    """
    chosen = [bug for bug in bugs() if not words or any(word in f"{bug.name} {bug.breaks}" for word in words)]
    if not chosen:
        raise click.UsageError(f"no mistake's name or mark holds {' or '.join(words)}")
    if not is_green_without(chosen):
        raise click.UsageError("without any mistake the tests are not green: nothing can be told")
    red = 0
    with ThreadPoolExecutor(jobs) as pool:
        for number, (bug, found) in enumerate(zip(chosen, pool.map(verdict, chosen), strict=True), start=1):
            click.echo(f"{number:3}/{len(chosen)}  {found:12}  {bug.breaks:12}  {bug.name}")
            red += found == "red"
    click.echo(f"{red} of {len(chosen)} planted mistakes turned a test red")
    sys.exit(0 if red == len(chosen) else 1)


if __name__ == "__main__":
    main()
