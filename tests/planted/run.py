"""Puts each mistake of `bugs.toml` into a copy of the code, alone, and sees whether the tests notice.

    .venv/bin/python tests/planted/run.py            all of them, some 15 minutes
    .venv/bin/python tests/planted/run.py gate epoch  those whose name or mark holds one of these words

Exit codes: 0 every mistake turned a test red; 1 one was not noticed, or does not fit the code any more.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
    there = [name for name in tests if (root / name).exists()]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not postgres", *there]
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


def main(words: Sequence[str]) -> int:
    """Try the mistakes that `words` choose, all where there are none; the exit code."""
    chosen = [bug for bug in bugs() if not words or any(word in f"{bug.name} {bug.breaks}" for word in words)]
    if not is_green_without(chosen):
        sys.stdout.write("without any mistake the tests are not green: nothing can be told\n")
        return 1
    found = []
    for number, bug in enumerate(chosen, start=1):
        found.append(verdict(bug))
        sys.stdout.write(f"{number:3}/{len(chosen)}  {found[-1]:12}  {bug.breaks:12}  {bug.name}\n")
        sys.stdout.flush()
    red = found.count("red")
    sys.stdout.write(f"{red} of {len(chosen)} planted mistakes turned a test red\n")
    return 0 if chosen and red == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
