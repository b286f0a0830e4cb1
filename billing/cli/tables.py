"""Rows as a table of text, as wide as what stands in them."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import click


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print the rows under their columns; the last column may be as long as it likes."""
    shown = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(len(row[place]) for row in shown) for place in range(len(columns) - 1)]
    for row in shown:
        head = [f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=True)]
        click.echo("  ".join([*head, row[-1]]).rstrip())


def age_text(seconds: int) -> str:
    """An age as people say it, by its largest unit: `3 d`, `5 h`, `12 m`, `40 s`."""
    age = timedelta(seconds=seconds)
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "m")):
        if age >= unit:
            return f"{age // unit} {name}"
    return f"{max(seconds, 0)} s"
