"""Decision records keep their form: numbered without gaps, five headings, short enough to be read."""

from pathlib import Path

RECORDS = sorted((Path(__file__).resolve().parents[2] / "docs" / "decisions").glob("*.md"))
HEADINGS = ["## Context", "## Decision", "## Consequences", "## Alternatives", "## Enforced by"]
LINES_MAX = 50


def test_decisions_are_numbered_without_gaps() -> None:
    assert [path.name[:4] for path in RECORDS] == [f"{number:04}" for number in range(len(RECORDS))]


def test_every_decision_has_its_five_headings_and_fits_on_a_page() -> None:
    for path in RECORDS:
        lines = path.read_text().splitlines()
        assert lines[0].startswith(f"# {path.name[:4]} "), path.name
        assert [line for line in lines if line.startswith("## ")] == HEADINGS, path.name
        assert len(lines) <= LINES_MAX, path.name
