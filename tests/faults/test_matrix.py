"""The page on reliability names a test, or a reason why there is none, for every fault; and the tests are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
ABSENT = "not shown:"
ABSENT_MAX = 4
NEVER_ABSENT = ("kill -9", "SIGSTOP", "parallel", "COMMIT", "then found")


def rows() -> list[tuple[str, str]]:
    """(fault, what shows it) of each row of the matrix."""
    matrix = PAGE.split("## The matrix", 1)[1].split("\n## ", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in matrix.splitlines() if line[:1] == "|"]
    return [(cell[0], cell[1]) for cell in cells[2:]]


def named(text: str) -> list[str]:
    return re.findall(r"`(tests/[\w/]+\.py::\w+)`", text)


@pytest.mark.parametrize(("fault", "shown"), rows(), ids=[fault[:40] for fault, _ in rows()])
def test_every_fault_has_a_test_that_is_there_or_a_reason(fault: str, shown: str) -> None:
    assert named(shown) or ABSENT in shown, fault
    for name in named(shown):
        path, _, function = name.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert function in functions, name


def test_few_faults_are_not_shown_and_none_of_those_that_matter_most() -> None:
    absent = [fault for fault, shown in rows() if ABSENT in shown]
    assert len(absent) <= ABSENT_MAX, absent
    assert not [fault for fault in absent if any(word in fault for word in NEVER_ABSENT)]
    for word in NEVER_ABSENT:
        assert any(word in fault for fault, _ in rows()), word
