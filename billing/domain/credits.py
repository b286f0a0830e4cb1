"""What of an invoice's lines is given back: unused days, unshipped units, an amount, or all that is left.

Every way ends in `_credited`, which keeps gross and tax inside what is left of the line, so that credits of all kinds
stack in any order and the last one empties the line exactly (billing rules, sections 4 and 5). Amounts are minor
units of the invoice's currency, tax included; tax is a share of the tax that was booked, at the original rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from uuid import UUID

from billing.domain.errors import CreditExceedsLine, Invalid, RefundExceedsCapture
from billing.domain.ledger import CreditEffect
from billing.domain.money import split
from billing.domain.pricing import CreditRule
from billing.domain.proration import value_between


class GiveAs(StrEnum):
    """What becomes of a credit beyond what was still open."""

    BALANCE = "balance"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Settled:
    """What an invoice's money has done so far, in minor units; each figure is a sum over its whole life.

    `due` is still open. `captured` was taken through the provider, `paid_otherwise` with the customer's balance,
    outside or on the next invoice. `given_back` is what credits returned, as balance or refund; `refundable` what the
    captures still hold and no dispute took.
    """

    due: int
    captured: int
    paid_otherwise: int
    given_back: int
    lost: int
    refundable: int

    @property
    def possible(self) -> int:
        """The most that a credit may give: what is open and what was paid, less what went back or was lost."""
        return max(0, self.due + self.captured + self.paid_otherwise - self.given_back - self.lost)


@dataclass(frozen=True, slots=True)
class BilledLine:
    """A line as it was invoiced, and what earlier credit notes took from it.

    `adjusted_amount` is what negative lines of later invoices took back. `starts_on` and `ends_on` are the local days
    that it pays for, the end not included.
    """

    line_id: UUID
    position: int
    article_number: str
    name: str
    quantity: int
    unit_amount: int
    amount: int
    tax_amount: int
    tax_rate: int
    credit_rule: str
    recognize: str
    credited_amount: int
    credited_tax: int
    credited_quantity: int
    adjusted_amount: int = 0
    adjusted_tax: int = 0
    starts_on: date | None = None
    ends_on: date | None = None

    @property
    def left_amount(self) -> int:
        return self.amount - self.credited_amount - self.adjusted_amount

    @property
    def left_tax(self) -> int:
        return self.tax_amount - self.credited_tax - self.adjusted_tax

    @property
    def left_quantity(self) -> int:
        return self.quantity - self.credited_quantity


@dataclass(frozen=True, slots=True)
class CreditLine:
    """One line of a credit note; `amount` > 0 lowers the invoice, below 0 it takes back a negative line of it.

    `quantity` is the units credited, 0 for a share. `by` says how it came about: "time", "quantity", "amount" or
    "whole".
    """

    line_id: UUID
    article_number: str
    name: str
    quantity: int
    amount: int
    tax_amount: int
    tax_rate: int
    derivation: str
    by: str

    @property
    def net_amount(self) -> int:
        return self.amount - self.tax_amount


@dataclass(frozen=True, slots=True)
class CreditDraft:
    """The lines of a credit note that has no number yet; it may have none where nothing is to be given back."""

    lines: tuple[CreditLine, ...]

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def tax_total(self) -> int:
        return sum(line.tax_amount for line in self.lines)


def credit_unused(
    lines: Sequence[BilledLine], used_days: int, of_days: int, unshipped: Mapping[str, int]
) -> CreditDraft:
    """The credit for a period canceled after `used_days` of `of_days`: each line by its own rule.

    Time lines give the unused days, never more than is left; quantity lines the `unshipped` units by article number;
    the others nothing. Raises `Invalid` for an article that is not credited by units, and `CreditExceedsLine` where
    more units are named than are left.
    """
    units = _units_by_line(lines, unshipped)
    drafts = []
    for line in lines:
        if line.credit_rule == CreditRule.TIME:
            drafts.append(_time_credit(line, used_days, of_days))
        elif units.get(line.line_id):
            drafts.append(_quantity_credit(line, units[line.line_id]))
    return _draft(drafts)


def credit_from(lines: Sequence[BilledLine], on: date, unshipped: Mapping[str, int]) -> CreditDraft:
    """As `credit_unused`, each time line over its own days: those from the local day `on` are not used.

    A day before a line's first credits all of it, one after its last nothing; a line that pays for no days credits
    nothing. Raises what `credit_unused` raises.
    """
    units = _units_by_line(lines, unshipped)
    drafts = []
    for line in lines:
        if line.credit_rule == CreditRule.TIME and line.amount > 0 and line.starts_on and line.ends_on:
            of_days = (line.ends_on - line.starts_on).days
            if of_days > 0:
                drafts.append(_time_credit(line, min(max((on - line.starts_on).days, 0), of_days), of_days))
        elif units.get(line.line_id):
            drafts.append(_quantity_credit(line, units[line.line_id]))
    return _draft(drafts)


def credit_quantities(lines: Sequence[BilledLine], units: Mapping[UUID, int]) -> CreditDraft:
    """The credit for so many units of each line, by line id, whatever the line's own rule.

    Raises `Invalid` for a line that is not of this invoice or fewer than 0 units, `CreditExceedsLine` for too many.
    """
    by_id = {line.line_id: line for line in lines}
    for line_id, wanted in units.items():
        if line_id not in by_id:
            raise Invalid(f"the invoice has no line {line_id}", where="lines")
        _check_units(wanted, by_id[line_id].left_quantity, by_id[line_id].article_number)
    return _draft([_quantity_credit(line, units[line.line_id]) for line in lines if units.get(line.line_id)])


def credit_amount(lines: Sequence[BilledLine], amount: int) -> CreditDraft:
    """The credit of a gross `amount`, split over what is left on each line by largest remainder.

    Raises `Invalid` unless it is positive and `RefundExceedsCapture` where the lines have less left.
    """
    if amount <= 0:
        raise Invalid(f"a credit of {amount} gives nothing back", where="amount")
    left = [line.left_amount for line in lines]
    if amount > sum(left):
        raise RefundExceedsCapture(
            f"{amount} is more than the {sum(left)} minor units that are left", requested=amount, possible=sum(left)
        )
    parts = zip(lines, split(amount, left), strict=True)
    return _draft([_credited(line, part, 0, "amount", f"{part} of {line.left_amount} left") for line, part in parts])


def credit_whole(lines: Sequence[BilledLine]) -> CreditDraft:
    """All that is left of every line, negative ones included; without lines where nothing is."""
    whole = "the whole line"
    rest = "all that earlier credits left"
    return _draft(
        [
            _credited(
                line, line.left_amount, line.left_quantity, "whole", whole if line.left_amount == line.amount else rest
            )
            for line in lines
        ]
    )


def credit_effect(total: int, settled: Settled, give_as: GiveAs) -> CreditEffect:
    """What a credit of `total` does: it lowers what is open; the rest is paid back or becomes balance.

    A refund never exceeds what the captures still hold: what was paid with balance or outside becomes balance. Raises
    `RefundExceedsCapture` where more would be given than is open or was paid and is left.
    """
    if total > settled.possible:
        raise RefundExceedsCapture(
            f"a credit of {total} is more than the {settled.possible} minor units that are open or were paid and are"
            " left",
            requested=total,
            possible=settled.possible,
        )
    lowered = min(total, settled.due)
    rest = total - lowered
    paid_back = min(rest, settled.refundable) if give_as is GiveAs.REFUND else 0
    return CreditEffect(lowered, rest - paid_back, paid_back)


def _units_by_line(lines: Sequence[BilledLine], unshipped: Mapping[str, int]) -> dict[UUID, int]:
    """Which line gives how many of the units named by article; lines of one article are used up in their order."""
    units: dict[UUID, int] = {}
    for article, wanted in unshipped.items():
        sold = [line for line in lines if line.article_number == article and line.credit_rule == CreditRule.QUANTITY]
        if not sold:
            raise Invalid("no line of the invoice credits this article by units", where="unshipped")
        _check_units(wanted, sum(line.left_quantity for line in sold), article)
        rest = wanted
        for line in sold:
            units[line.line_id] = min(rest, line.left_quantity)
            rest -= units[line.line_id]
    return units


def _check_units(wanted: int, possible: int, article: str) -> None:
    if wanted < 0:
        raise Invalid(f"{wanted} units of {article!r} cannot be credited")
    if wanted > possible:
        raise CreditExceedsLine(
            f"{wanted} units of {article!r} are more than the {possible} that are left",
            requested=wanted,
            possible=possible,
        )


def _time_credit(line: BilledLine, used_days: int, of_days: int) -> CreditLine:
    share = value_between(line.amount, used_days, of_days, of_days)
    tax = value_between(line.tax_amount, used_days, of_days, of_days)
    words = f"{of_days - used_days} of {of_days} days unused: {line.amount} - {line.amount - share} = {share}"
    if line.adjusted_amount:
        # A change of plan took the days from its own on; only those before it can still be credited.
        share, tax = max(0, share - line.adjusted_amount), max(0, tax - line.adjusted_tax)
        words += f", of which a later change took {line.adjusted_amount}"
    if share > line.left_amount:
        words += f", of which {line.left_amount} is left"
    return _credited(line, min(share, line.left_amount), 0, "time", words, tax)


def _quantity_credit(line: BilledLine, units: int) -> CreditLine:
    share = value_between(line.amount, line.credited_quantity, line.credited_quantity + units, line.quantity)
    words = f"{units} of {line.quantity} units: {share}"
    if share > line.left_amount:
        words += f", of which {line.left_amount} is left"
    return _credited(line, min(share, line.left_amount), units, "quantity", words)


def _credited(
    line: BilledLine, amount: int, quantity: int, by: str, derivation: str, tax: int | None = None
) -> CreditLine:
    """The credit line; its tax is `tax`, or else the cumulative share of the booked tax less what was given before."""
    if line.amount < 0:
        return _negated(_credited(_mirrored(line), -amount, quantity, by, derivation))
    if tax is None:
        taken, taken_tax = line.credited_amount + line.adjusted_amount, line.credited_tax + line.adjusted_tax
        tax = _tax_so_far(line, taken + amount) - taken_tax
    # Kinds of credit that mix on one line may round apart by a cent: neither this credit's net nor the net that stays
    # may fall below 0, and the last credit takes all the tax that is left.
    least = max(0, line.left_tax - (line.left_amount - amount))
    most = min(line.left_tax, amount)
    return CreditLine(
        line_id=line.line_id,
        article_number=line.article_number,
        name=line.name,
        quantity=quantity,
        amount=amount,
        tax_amount=max(least, min(tax, most)),
        tax_rate=line.tax_rate,
        derivation=derivation,
        by=by,
    )


def _tax_so_far(line: BilledLine, credited: int) -> int:
    return value_between(line.tax_amount, 0, credited, line.amount) if line.amount else 0


def _mirrored(line: BilledLine) -> BilledLine:
    return replace(
        line,
        amount=-line.amount,
        tax_amount=-line.tax_amount,
        credited_amount=-line.credited_amount,
        credited_tax=-line.credited_tax,
        adjusted_amount=-line.adjusted_amount,
        adjusted_tax=-line.adjusted_tax,
    )


def _negated(credit: CreditLine) -> CreditLine:
    return replace(credit, amount=-credit.amount, tax_amount=-credit.tax_amount)


def _draft(lines: Sequence[CreditLine]) -> CreditDraft:
    return CreditDraft(tuple(line for line in lines if line.amount))
