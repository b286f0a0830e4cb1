"""What a provider says that it paid out: lines of captures, refunds and fees, and how each is matched with ours.

Owns the CSV form (documented in `docs/ledger.md`) and the comparison. Amounts are minor units of the payout's
currency and never negative: the kind of a line says which way it goes.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

from billing.domain.errors import Invalid
from billing.domain.money import exponent
from billing.domain.operations import OperationKind

LINES_MAX = 5000
COLUMNS = ("payout", "account", "paid_on", "currency", "kind", "provider_id", "reference", "amount", "fee")
TOTAL = "payout"
"""The kind of the CSV's one row that says what reached the bank."""


class LineKind(StrEnum):
    CAPTURE = "capture"
    REFUND = "refund"
    FEE = "fee"
    """Kept by the provider for its service, apart from any capture."""
    FEE_CREDIT = "fee_credit"
    DEBIT = "debit"
    """Kept for anything else: a dispute, a reserve."""
    CREDIT = "credit"
    """Paid for anything else: a dispute won, a reserve paid out."""


class Match(StrEnum):
    MATCHED = "matched"
    NOT_NEEDED = "not_needed"
    """A fee belongs to nothing of ours."""
    NOT_FOUND = "not_found"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    DOUBLE = "double"
    """It was paid out before, by this payout or an earlier one."""


_SIGNS = {LineKind.CAPTURE: 1, LineKind.CREDIT: 1, LineKind.REFUND: -1, LineKind.DEBIT: -1}
_FEES = {LineKind.FEE: 1, LineKind.FEE_CREDIT: -1}
_OPERATIONS = {LineKind.CAPTURE: OperationKind.CAPTURE, LineKind.REFUND: OperationKind.REFUND}


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One line. `provider_id` is the provider's id of a capture or refund, `reference` our operation's reference.

    `fee` was kept out of this line's amount.
    """

    kind: LineKind
    amount: int
    fee: int = 0
    provider_id: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """One payout: what reached the bank (below 0: was taken from it) and the lines it is made of."""

    reference: str
    provider_account: str
    paid_on: date
    currency: str
    amount: int
    lines: Sequence[SettlementLine]

    @property
    def fees(self) -> int:
        """All that the provider kept for its service."""
        return sum(line.fee + _FEES.get(line.kind, 0) * line.amount for line in self.lines)


@dataclass(frozen=True, slots=True)
class Movement:
    """A capture or refund of ours that succeeded. `is_paid_out` says that an earlier payout had it."""

    operation_id: UUID
    kind: OperationKind
    amount: int
    currency: str
    provider_id: str | None
    reference: str | None
    is_paid_out: bool = False


@dataclass(slots=True)
class Matcher:
    """Finds the movement behind each line, each movement once."""

    movements: Sequence[Movement]
    currency: str
    _taken: set[UUID] = field(default_factory=set)

    def match(self, line: SettlementLine) -> tuple[Match, UUID | None]:
        """How the line compares, and the operation that it names; only `MATCHED` takes that operation.

        The provider's id decides where there is one; else the reference.
        """
        if line.kind in _FEES:
            return Match.NOT_NEEDED, None
        found = self._named_by(line)
        if found is None:
            return Match.NOT_FOUND, None
        verdict = self._compared(line, found)
        if verdict is Match.MATCHED:
            self._taken.add(found.operation_id)
        return verdict, found.operation_id

    def _named_by(self, line: SettlementLine) -> Movement | None:
        wanted = _OPERATIONS.get(line.kind)
        named = [movement for movement in self.movements if movement.kind == wanted and _names(line, movement)]
        # Where a reference is shared, whatever fits and is still free comes first.
        named.sort(key=lambda movement: self._compared(line, movement) is not Match.MATCHED)
        return named[0] if named else None

    def _compared(self, line: SettlementLine, movement: Movement) -> Match:
        if movement.currency != self.currency:
            return Match.WRONG_CURRENCY
        if movement.amount != line.amount:
            return Match.WRONG_AMOUNT
        if movement.is_paid_out or movement.operation_id in self._taken:
            return Match.DOUBLE
        return Match.MATCHED


def check_settlement(settlement: Settlement) -> None:
    """Raises `Invalid` where the lines, less the fees, are not what reached the bank."""
    moved = sum(_SIGNS.get(line.kind, 0) * line.amount for line in settlement.lines)
    if moved - settlement.fees != settlement.amount:
        raise Invalid(
            f"the lines come to {moved} less {settlement.fees} of fees, not to the {settlement.amount} minor units"
            " that were paid",
            where="amount",
        )


def read_csv(text: str) -> Settlement:
    """The settlement in a CSV file of our form. Raises `Invalid` naming the row where it is not of that form."""
    rows = _rows(text.removeprefix("\ufeff"))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise Invalid(f"the first row names the columns: {','.join(COLUMNS)}")
    filled = [(number, _fields(number, row)) for number, row in enumerate(rows[1:], start=2) if any(row)]
    heads = {tuple(fields[name] for name in COLUMNS[:4]) for _, fields in filled}
    totals = [(number, fields) for number, fields in filled if fields["kind"] == TOTAL]
    if len(heads) != 1 or len(totals) != 1:
        raise Invalid("a file is one payout: one name, account, date and currency, and one row of the kind payout")
    number, total = totals[0]
    lines = [_line(number, fields) for number, fields in filled if fields["kind"] != TOTAL]
    amount = _minor_units(number, total["amount"], total["currency"], signed=True)
    paid_on = _date(number, total["paid_on"])
    return Settlement(total["payout"], total["account"], paid_on, total["currency"], amount, lines)


def _rows(text: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        raise Invalid("the file is not CSV: a quotation mark is not closed, or stands where none belongs") from None


def _names(line: SettlementLine, movement: Movement) -> bool:
    if line.provider_id is not None:
        return movement.provider_id == line.provider_id
    return line.reference is not None and movement.reference == line.reference


def _fields(number: int, row: Sequence[str]) -> Mapping[str, str]:
    if len(row) != len(COLUMNS):
        raise Invalid(f"row {number} has {len(row)} fields instead of {len(COLUMNS)}")
    return dict(zip(COLUMNS, (value.strip() for value in row), strict=True))


def _line(number: int, fields: Mapping[str, str]) -> SettlementLine:
    if fields["kind"] not in set(LineKind):
        raise Invalid(f"row {number} has no kind of {', '.join(LineKind)} or {TOTAL}")
    return SettlementLine(
        LineKind(fields["kind"]),
        _minor_units(number, fields["amount"], fields["currency"]),
        _minor_units(number, fields["fee"] or "0", fields["currency"]),
        fields["provider_id"] or None,
        fields["reference"] or None,
    )


def _minor_units(number: int, text: str, currency: str, *, signed: bool = False) -> int:
    digits = exponent(currency)
    sign = -1 if signed and text.startswith("-") else 1
    whole, _, rest = (text[1:] if sign < 0 else text).partition(".")
    if not (whole + rest).isascii() or not (whole + rest).isdigit() or not whole or len(rest) > digits:
        raise Invalid(f"row {number} needs amounts such as {_example(digits)}, with a point")
    if len(whole) > 12:
        raise Invalid(f"row {number} has an amount that is too large")
    return sign * int(whole + rest.ljust(digits, "0"))


def _example(digits: int) -> str:
    return f"39.{'7'.ljust(digits, '0')}" if digits else "3970"


def _date(number: int, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(f"row {number} needs a date such as 2028-04-30") from None
