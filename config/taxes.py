"""The VAT rates that come with the service, read from `tax_rates.csv`.

The table starts with 2020 and dates are half-open: a rate holds from `valid_from` until before `valid_until`. Reduced
rates are `reduced`, `reduced_2`, `super_reduced`, the highest first, Luxembourg's `parking` and Switzerland's `special`
(lodging); where a country merged two, both codes go on. Which one an article takes is the seller's decision.
"""

import csv
from datetime import date
from pathlib import Path

from billing.domain.errors import Invalid
from billing.domain.tax import TaxRow, TaxTable

TAX_RATES = Path(__file__).parent / "tax_rates.csv"
COLUMNS = ["country", "code", "rate_basis_points", "valid_from", "valid_until"]


def load_tax_table(path: Path = TAX_RATES) -> TaxTable:
    """The table of a CSV file with the columns of `COLUMNS`; an empty `valid_until` is no end yet.

    Raises `Invalid` naming file and line for one that cannot be read, and what `TaxTable` raises.
    """
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file)
        if lines.fieldnames != COLUMNS:
            raise Invalid(f"the columns are not {', '.join(COLUMNS)}", where=path.name)
        return TaxTable(tuple(_row(line, f"{path.name}:{lines.line_num}") for line in lines))


def _row(line: dict[str, str], where: str) -> TaxRow:
    try:
        return TaxRow(
            line["country"],
            line["code"],
            int(line["rate_basis_points"]),
            date.fromisoformat(line["valid_from"]),
            date.fromisoformat(line["valid_until"]) if line["valid_until"] else None,
        )
    except (TypeError, ValueError) as wrong:
        raise Invalid(f"the row cannot be read: {wrong}", where=where) from None
