"""A period's invoice as lines with amounts, tax and a derivation in words; and what an invoice's status may become.

Numbers, dates and series belong to the store: nothing here knows which invoice this will be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from billing.domain.errors import TransitionNotAllowed
from billing.domain.money import Money, formatted
from billing.domain.periods import Period
from billing.domain.pricing import PriceItem, check_items
from billing.domain.tax import shown_rate, tax_included


class InvoiceStatus(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"
    DISCARDED = "discarded"


INVOICE_TRANSITIONS: dict[InvoiceStatus, frozenset[InvoiceStatus]] = {
    InvoiceStatus.DRAFT: frozenset({InvoiceStatus.OPEN, InvoiceStatus.DISCARDED}),
    InvoiceStatus.OPEN: frozenset({InvoiceStatus.PAID, InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE}),
    InvoiceStatus.UNCOLLECTIBLE: frozenset({InvoiceStatus.PAID, InvoiceStatus.VOID}),
    InvoiceStatus.PAID: frozenset(),
    InvoiceStatus.VOID: frozenset(),
    InvoiceStatus.DISCARDED: frozenset(),
}
"""Which status may follow which (billing rules, section 9); a paid, void or discarded invoice is final."""


@dataclass(frozen=True, slots=True)
class LineDraft:
    """One invoice line. `amount` includes `tax_amount`; both in minor units of the invoice's currency."""

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
    derivation: str

    @property
    def net_amount(self) -> int:
        return self.amount - self.tax_amount


@dataclass(frozen=True, slots=True)
class InvoiceDraft:
    """The lines of an invoice that has no number yet, in minor units of `currency`."""

    currency: str
    lines: tuple[LineDraft, ...]

    @property
    def total(self) -> int:
        """What is to be paid, tax included."""
        return sum(line.amount for line in self.lines)

    @property
    def tax_total(self) -> int:
        return sum(line.tax_amount for line in self.lines)


def invoice_for_period(items: Sequence[PriceItem], currency: str, period: Period) -> InvoiceDraft:
    """The whole price for the whole `period`, one line an item, numbered from 1. Raises what `check_items` raises."""
    check_items(items, currency)
    lines = (_line(position, item, currency, period) for position, item in enumerate(items, start=1))
    return InvoiceDraft(currency, tuple(lines))


def next_invoice_status(status: InvoiceStatus, wanted: InvoiceStatus) -> InvoiceStatus:
    """`wanted`, where an invoice in `status` may become that. Raises `TransitionNotAllowed` saying what it may."""
    possible = INVOICE_TRANSITIONS[status]
    if wanted not in possible:
        listed = ", ".join(sorted(possible)) or "nothing, that state is final"
        raise TransitionNotAllowed(f"an invoice that is {status} cannot become {wanted}; it may become: {listed}")
    return wanted


def _line(position: int, item: PriceItem, currency: str, period: Period) -> LineDraft:
    return LineDraft(
        position=position,
        article_number=item.article_number,
        name=item.name,
        quantity=item.quantity,
        unit_amount=item.unit_amount,
        amount=item.amount,
        tax_amount=tax_included(item.amount, item.tax_rate),
        tax_rate=item.tax_rate,
        credit_rule=item.credit_rule.value,
        recognize=item.recognize.value,
        derivation=_derivation(item, currency, period),
    )


def _derivation(item: PriceItem, currency: str, period: Period) -> str:
    price = formatted(Money(item.unit_amount, currency))
    dates = f"{period.start_date} to {period.end_date}"
    return f"{item.quantity} x {price} for {dates}, {shown_rate(item.tax_rate)} VAT included"
