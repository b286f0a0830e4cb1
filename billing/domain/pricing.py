"""What a price is made of: article lines with quantity, unit amount, tax rate and the rules that follow the article.

`check_items` holds every limit that a price must meet before it can be used; a used price never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from billing.domain.errors import EmptyInvoice, Invalid
from billing.domain.money import exponent
from billing.domain.tax import check_rate

PROVIDER_AMOUNT_MAX = 100_000_000
"""The provider takes no unit, line or total above this, in minor units (customer token document, order lines)."""

TEXT_MAX = 255
"""The provider takes no longer article number or name."""


class CreditRule(StrEnum):
    """How a line of a canceled period is credited: by days, by units not yet shipped, or not at all."""

    TIME = "time"
    QUANTITY = "quantity"
    NONE = "none"


class Recognize(StrEnum):
    """When a line becomes revenue: day by day, when its goods are sent, or with the capture."""

    TIME = "time"
    DISPATCH = "dispatch"
    AT_CAPTURE = "at_capture"


@dataclass(frozen=True, slots=True)
class PriceItem:
    """One article line of a price. `unit_amount` is in minor units, tax included; `tax_rate` in basis points."""

    article_number: str
    name: str
    quantity: int
    unit_amount: int
    tax_rate: int
    credit_rule: CreditRule
    recognize: Recognize

    @property
    def amount(self) -> int:
        """The line's amount in minor units, tax included."""
        return self.quantity * self.unit_amount


def check_items(items: Sequence[PriceItem], currency: str) -> None:
    """Raises `EmptyInvoice` without items and `Invalid`, naming the field, where one breaks a rule or a limit."""
    exponent(currency)
    if not items:
        raise EmptyInvoice("a price needs at least one item", where="items")
    seen: set[str] = set()
    for index, item in enumerate(items):
        _check_item(item, f"items[{index}]")
        if item.article_number in seen:
            raise Invalid("this article number stands twice", where=f"items[{index}]")
        seen.add(item.article_number)
    _check_amount(sum(item.amount for item in items), "the total", "items")


def _check_item(item: PriceItem, where: str) -> None:
    _check_text(item.article_number, "an article number", f"{where}.article_number")
    _check_text(item.name, "a name", f"{where}.name")
    if item.quantity < 1:
        raise Invalid(f"a quantity of {item.quantity} sells nothing; at least 1 is needed", where=f"{where}.quantity")
    check_rate(item.tax_rate, f"{where}.tax_rate")
    _check_amount(item.unit_amount, "the unit amount", f"{where}.unit_amount")
    _check_amount(item.amount, "the line's amount", where)


def _check_text(text: str, what: str, where: str) -> None:
    if not text.strip() or len(text) > TEXT_MAX:
        raise Invalid(f"{what} has 1 to {TEXT_MAX} characters", where=where)


def _check_amount(amount: int, what: str, where: str) -> None:
    if not 0 <= amount <= PROVIDER_AMOUNT_MAX:
        raise Invalid(f"{what} {amount} lies outside 0 to {PROVIDER_AMOUNT_MAX} minor units", where=where)
