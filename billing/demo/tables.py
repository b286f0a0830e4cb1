"""The end of the demo on the screen: what happened by scripted behaviour, and the books against the provider."""

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from billing.demo.books import Compared
from billing.demo.figures import Counts, Figures

_ROWS = {
    "renewals": "renewals",
    "captured": "captured",
    "emailed": "emailed",
    "declined": "declined",
    "recovered": "recovered",
    "ended_unpaid": "ended unpaid",
    "canceled": "canceled",
    "credited": "credited",
    "credited_by_article": "  by article",
    "unknown": "unknown",
    "replayed": "  known now",
    "needs_operator": "need a person",
}
_DIFFERENCES_SHOWN = 20
_CENTS = 100
"""Every currency of the demo has two decimals."""


def show(console: Console, figures: Figures, customers: Mapping[str, int]) -> None:
    """Print both tables and the verdict; `customers` counts them by behaviour."""
    console.print(_by_behaviour(figures, customers))
    console.print(_books(figures.books.summary))
    for difference in figures.books.differences[:_DIFFERENCES_SHOWN]:
        console.print(
            f"{difference.what} {difference.order_id}: {_amount(difference.ours)} {difference.currency} in our books,"
            f" {_amount(difference.theirs)} {difference.currency} at the provider"
        )
    console.print(_verdict(figures))


def _by_behaviour(figures: Figures, customers: Mapping[str, int]) -> Table:
    table = Table(
        title="What happened, by what the tokens were told to do",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("")
    for behaviour in figures.by_behaviour:
        table.add_column(behaviour.replace("_", "\n"), justify="right")
    table.add_column("total", justify="right", style="bold")
    everybody = [customers.get(behaviour, 0) for behaviour in figures.by_behaviour]
    table.add_row("customers", *_cells([*everybody, sum(everybody)]))
    columns: list[Counts] = [*figures.by_behaviour.values(), figures.total]
    for name, heading in _ROWS.items():
        table.add_row(heading, *_cells([getattr(counts, name) for counts in columns]))
    return table


def _cells(counts: list[int]) -> list[str]:
    return [f"{count:,}" if count else "-" for count in counts]


def _books(summary: tuple[Compared, ...]) -> Table:
    table = Table(title="The books against the provider", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("")
    table.add_column("compared")
    for heading in ("rows", "our books", "the provider's", "differ"):
        table.add_column(heading, justify="right")
    shown = ""
    for row in summary:
        currency = row.currency if row.currency != shown else ""
        table.add_row(
            currency, row.what, f"{row.rows:,}", _amount(row.ours), _amount(row.theirs), *_cells([row.differing])
        )
        shown = row.currency
    return table


def _verdict(figures: Figures) -> str:
    told = f"Told in {figures.seconds:.1f} s."
    if not figures.books.difference:
        return f"{told} The books equal the provider's to the cent."
    sums = ", ".join(f"{_amount(amount)} {currency}" for currency, amount in figures.books.difference.items())
    return f"{told} The books DIFFER from the provider's by {sums}."


def _amount(minor_units: int) -> str:
    sign, units = "-" if minor_units < 0 else "", abs(minor_units)
    return f"{sign}{units // _CENTS:,}.{units % _CENTS:02d}"
