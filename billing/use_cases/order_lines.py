"""The lines of a request: what is left of an invoice's lines, or what a credit note gives back.

The lines of a charge always sum to its amount: what was paid in another way (balance, outside, carried) is one negative
line. Amounts are minor units, tax included.
"""

from collections.abc import Sequence

from billing.ports import OrderLine
from billing.store.invoices import CreditNoteLine, InvoiceLine

PAID_OTHERWISE = "BALANCE"


def lines_left(lines: Sequence[InvoiceLine], amount: int, *, after_captures: bool = False) -> tuple[OrderLine, ...]:
    """What is charged of an invoice: each line less what was credited, and one line for what was paid otherwise.

    `after_captures` leaves out what earlier captures took of each line. None where the lines cannot say the amount: a
    capture may then go without them.
    """
    left = [found for line in lines if (found := _left(line, after_captures=after_captures)) is not None]
    otherwise = amount - sum(line.amount for line in left)
    if otherwise > 0:
        return ()
    if otherwise == 0:
        return tuple(left)
    return (*left, OrderLine(PAID_OTHERWISE, "Paid otherwise", 1, otherwise, otherwise, 0, 0))


def lines_credited(lines: Sequence[CreditNoteLine], amount: int) -> tuple[OrderLine, ...]:
    """What a refund gives back; none where it pays out a part of its credit note only."""
    if sum(line.amount for line in lines) != amount:
        return ()
    return tuple(_credited(line) for line in lines)


def shares_kept(credited: Sequence[CreditNoteLine], lines: Sequence[InvoiceLine]) -> tuple[OrderLine, ...] | None:
    """The used part of each line that is credited by time, with its article's own quantity and unit amount.

    For a provider that takes back whole articles and charges what was used (billing rules, section 5). None where the
    credit cannot be said like that: it is by amount, or a second one of a line.
    """
    by_id = {line.id: line for line in lines}
    kept = []
    for credit in credited:
        line = by_id[credit.line_id]
        units = credit.quantity if credit.how == "quantity" else line.quantity
        article = units * line.unit_amount
        is_only = line.credited_amount == credit.amount or credit.how == "quantity"
        if credit.how == "amount" or not is_only or line.amount != line.quantity * line.unit_amount:
            return None
        if credit.amount < article:
            used, tax = article - credit.amount, line.tax_amount - credit.tax_amount
            kept.append(OrderLine(line.article_number, line.name, units, line.unit_amount, used, tax, line.tax_rate))
    return tuple(kept)


def _left(line: InvoiceLine, *, after_captures: bool) -> OrderLine | None:
    amount = line.amount - line.credited_amount
    tax = line.tax_amount - line.credited_tax
    units = line.quantity - line.credited_quantity
    if after_captures and line.captured_amount and line.amount:
        taken = min(line.captured_amount, amount)
        tax -= tax * taken // amount if amount else 0
        amount, units = amount - taken, max(units - line.captured_quantity, 0)
    if amount == 0:
        return None
    if units <= 0 or amount != units * line.unit_amount:
        # A share of a line is one piece at its amount.
        units, unit_amount = 1, amount
    else:
        unit_amount = line.unit_amount
    return OrderLine(line.article_number, line.name, units, unit_amount, amount, tax, line.tax_rate)


def _credited(line: CreditNoteLine) -> OrderLine:
    """Whole units where units are credited, else one unit of the share."""
    units = line.quantity if line.quantity and line.amount % line.quantity == 0 else 1
    return OrderLine(
        line.article_number, line.name, units, line.amount // units, line.amount, line.tax_amount, line.tax_rate
    )
