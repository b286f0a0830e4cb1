"""What was sent to customers: articles and parcels by invoice, and the CSV form that a warehouse writes them in.

Owns the form (documented in `docs/captures.md`); which lines that captures, and whether there are so many, is decided
in the use case.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from billing.domain.errors import BadRows, Invalid

PARCEL_COLUMNS = (
    "carrier",
    "tracking_number",
    "tracking_url",
    "return_carrier",
    "return_tracking_number",
    "return_tracking_url",
)
COLUMNS = ("invoice_id", "article_number", "quantity", *PARCEL_COLUMNS)
ROWS_MAX = 5000
_QUANTITY_DIGITS_MAX = 6

Row = tuple[int, dict[str, str]]


@dataclass(frozen=True, slots=True)
class SentArticle:
    """Units of an article that left the house; `where` is how a fault names it."""

    article_number: str
    quantity: int
    where: str


def read_csv(text: str) -> list[Row]:
    """`(line of the file, its fields by column)` of each row. Raises `Invalid` where it is no file of this form, and
    `BadRows` naming every row that is not.
    """
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        lines = [(reader.line_num, row) for row in reader if row]
    except csv.Error:
        raise Invalid("the file is not CSV: a quotation mark is not closed, or stands where none belongs") from None
    if not lines or lines[0][1] != list(COLUMNS):
        raise Invalid(f"the first row names the columns: {','.join(COLUMNS)}")
    if not 2 <= len(lines) <= ROWS_MAX + 1:
        raise Invalid(f"a file has 1 to {ROWS_MAX} rows, not {len(lines) - 1}")
    faults = [(f"line {number}", fault) for number, row in lines[1:] for fault in _faults(row)]
    if faults:
        raise BadRows(faults)
    return [(number, dict(zip(COLUMNS, row, strict=True))) for number, row in lines[1:]]


def _faults(row: Sequence[str]) -> list[str]:
    if len(row) != len(COLUMNS):
        return [f"{len(row)} fields instead of {len(COLUMNS)}"]
    fields = dict(zip(COLUMNS, row, strict=True))
    faults = [f"{name} is missing" for name in ("invoice_id", "article_number") if not fields[name].strip()]
    quantity = fields["quantity"]
    is_whole = quantity.isascii() and quantity.isdigit() and len(quantity) <= _QUANTITY_DIGITS_MAX
    if not (is_whole and int(quantity) > 0):
        faults.append("quantity is not a whole number from 1 to 999999")
    return faults
