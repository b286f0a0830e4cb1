"""How an invoice line came about, in plain English: the sentence that is stored with it.

Amounts come in as minor units and are shown as people read them. Nothing is computed here that is not shown.
"""

from datetime import date

from billing.domain.money import Money, formatted
from billing.domain.pricing import PriceItem
from billing.domain.proration import value_of_days
from billing.domain.tax import TaxTreatment, shown_rate

_NO_TAX = {TaxTreatment.REVERSE_CHARGE: "reverse charge", TaxTreatment.OUTSIDE_SCOPE: "outside the scope of VAT"}


def period_charged(item: PriceItem, currency: str, dates: tuple[date, date]) -> str:
    """`2 x 7.45 EUR for 2027-03-31 to 2027-04-30`."""
    return f"{item.quantity} x {_shown(item.unit_amount, currency)} for {dates[0]} to {dates[1]}"


def once_charged(item: PriceItem, currency: str) -> str:
    """`1 x 49.00 EUR once`."""
    return f"{item.quantity} x {_shown(item.unit_amount, currency)} once"


def days_charged(
    item: PriceItem, currency: str, dates: tuple[date, date], days: tuple[int, int, int], unit: str = "days"
) -> str:
    """`10 of 30 days of 29.90 EUR (2027-06-20 to 2027-06-30): 29.90 - 19.93 = 9.97 EUR`.

    `days` (or another `unit` of time) are the first, the one after the last, and those of the full period; the two
    amounts are what the period costs up to each.
    """
    start, end, of_days = days
    until, before = value_of_days(item.amount, end, of_days), value_of_days(item.amount, start, of_days)
    each = _shown(item.unit_amount, currency)
    price = each if item.quantity == 1 else f"{item.quantity} x {each}"
    sum_ = f"{_bare(until, currency)} - {_bare(before, currency)} = {_shown(until - before, currency)}"
    return f"{end - start} of {of_days} {unit} of {price} ({dates[0]} to {dates[1]}): {sum_}"


def introductory(cycle_no: int, cycles: int) -> str:
    """`, introductory price, cycle 2 of 3`; `cycle_no` counts from 0."""
    return f", introductory price, cycle {cycle_no + 1} of {cycles}"


def discount_taken(name: str, amount: int, currency: str) -> str:
    """`, less 2.99 EUR for "Welcome"`."""
    return f', less {_shown(amount, currency)} for "{name}"'


def left_over(amount: int, currency: str) -> str:
    """` = 26.91 EUR`."""
    return f" = {_shown(amount, currency)}"


def tax_charged(
    currency: str, treatment: TaxTreatment, rate: int, contained: int | None, amounts: tuple[int, int]
) -> str:
    """What the tax does to the line: `, 25 % VAT included`, `, plus 25 % VAT 7.48 EUR = 37.38 EUR`, or why none is.

    `contained` is the rate that the stated price includes, None for a net price; `amounts` are what is paid and the
    tax in it.
    """
    amount, tax_amount = amounts
    if treatment is not TaxTreatment.STANDARD:
        less = f", less {shown_rate(contained)} VAT{left_over(amount, currency)}" if contained else ", no VAT"
        return f"{less} ({_NO_TAX[treatment]})"
    if contained is not None:
        return f", {shown_rate(rate)} VAT included"
    return f", plus {shown_rate(rate)} VAT {_shown(tax_amount, currency)}{left_over(amount, currency)}"


def _shown(amount: int, currency: str) -> str:
    return formatted(Money(amount, currency))


def _bare(amount: int, currency: str) -> str:
    return _shown(amount, currency).removesuffix(f" {currency}")
