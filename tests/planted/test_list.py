"""The list of planted mistakes fits the code, and covers every invariant and every step."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from planted.run import ROOT, Bug, bugs, main

LEAST = 30
STEPS = {f"step {n}" for n in range(1, 8)}


@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)
def test_every_mistake_fits_the_code_once(bug: Bug) -> None:
    assert bug.fits(ROOT), f"{bug.file} does not have this text once: {bug.old!r}"


def test_there_are_mistakes_for_every_invariant_and_every_step() -> None:
    marks = " ".join(bug.breaks for bug in bugs())
    invariants = {f"I{n}" for n in range(1, 22)}
    assert len(bugs()) >= LEAST
    assert set(re.findall(r"I\d+", marks)) >= invariants
    assert set(re.findall(r"step \d", marks)) >= STEPS


def test_every_mistake_names_tests_that_exist() -> None:
    for bug in bugs():
        missing = [name for name in bug.tests if not Path(ROOT, name).exists()]
        assert not missing, (bug.name, missing)


def test_words_that_choose_no_mistake_are_refused() -> None:
    said = CliRunner().invoke(main, ["nothing-like-it"])
    assert said.exit_code == 2
    assert "no mistake's name or mark holds nothing-like-it" in said.stderr
