"""What a price is made of: article lines with quantity, unit amount and tax, and what a subscription makes of them.

`check_items` and `check_offer` hold every limit that must be met before anything is billed; a used price never changes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from billing.domain.errors import EmptyInvoice, Invalid
from billing.domain.money import exponent
from billing.domain.tax import check_rate, tax_on_net

PROVIDER_AMOUNT_MAX = 100_000_000
"""The provider takes no unit, line or total above this, in minor units (customer token document, order lines)."""

TEXT_MAX = 255
"""The provider takes no longer article number or name."""

_TAX_CODE = re.compile(r"[a-z][a-z0-9_]{0,31}")


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
    """One article line of a price. `unit_amount` is in minor units, tax as the offer states it.

    The tax rate is that of `tax_code` in the customer's country on the day, or else `tax_rate` in basis points. What
    is charged `once` (a setup fee) stands on the first paid period's invoice only.
    """

    article_number: str
    name: str
    quantity: int
    unit_amount: int
    tax_rate: int
    credit_rule: CreditRule
    recognize: Recognize
    tax_code: str | None = None
    once: bool = False

    @property
    def amount(self) -> int:
        """The line's amount in minor units, tax as the offer states it."""
        return self.quantity * self.unit_amount


@dataclass(frozen=True, slots=True)
class Phase:
    """For so many paid `cycles` these articles cost that many minor units each; others keep their price."""

    cycles: int
    unit_amounts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Offer:
    """A price as one subscription has it: its items, introductory `phases` one after the other, own `quantities`.

    `tax_included` says whether unit amounts are gross or net. `quantities` stand in place of those of the items, by
    article number.
    """

    currency: str
    items: tuple[PriceItem, ...]
    tax_included: bool = True
    phases: tuple[Phase, ...] = ()
    quantities: Mapping[str, int] = field(default_factory=dict)

    def items_in_cycle(self, cycle_no: int, *, is_first: bool) -> tuple[PriceItem, ...]:
        """What is charged in paid cycle `cycle_no`, counted from 0: quantities and phase applied.

        What is charged once belongs to the first paid period alone (`is_first`), whichever cycle that is.
        """
        phase = self.phase_of(cycle_no)
        amounts = phase[1].unit_amounts if phase else {}
        return tuple(self._item(item, amounts) for item in self.items if is_first or not item.once)

    def phase_of(self, cycle_no: int) -> tuple[int, Phase] | None:
        """The phase that paid cycle `cycle_no` belongs to, after its own count from 0; None at the regular price."""
        before = 0
        for phase in self.phases:
            if cycle_no < before + phase.cycles:
                return cycle_no - before, phase
            before += phase.cycles
        return None

    def amount_per_cycle(self) -> int:
        """The regular amount of one cycle in minor units, tax as stated: no phases, nothing that is charged once."""
        return sum(self._item(item, {}).amount for item in self.items if not item.once)

    def _item(self, item: PriceItem, unit_amounts: Mapping[str, int]) -> PriceItem:
        article = item.article_number
        quantity, unit_amount = self.quantities.get(article), unit_amounts.get(article)
        if quantity is None and unit_amount is None:
            return item
        return replace(
            item,
            quantity=item.quantity if quantity is None else quantity,
            unit_amount=item.unit_amount if unit_amount is None else unit_amount,
        )


def check_offer(offer: Offer) -> None:
    """Raises `EmptyInvoice` where nothing recurs and `Invalid`, naming the field, where a rule or a limit is broken.

    The limits hold for the dearest invoice of each phase and of the time after them, with what is charged once.
    """
    check_items(offer.items, offer.currency)
    if all(item.once for item in offer.items):
        raise EmptyInvoice("a price needs at least one item that is charged every cycle", where="items")
    articles = {item.article_number for item in offer.items}
    _check_quantities(offer.quantities, articles)
    first = 0
    for index, phase in enumerate(offer.phases):
        _check_phase(phase, articles, f"phases[{index}]")
        _check_cycle(offer, first, f"phases[{index}].unit_amounts")
        first += phase.cycles
    _check_cycle(offer, first, "quantities" if offer.quantities else "items")


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
    check_total(sum(item.amount for item in items), "items")


def check_total(total: int, where: str | None = None) -> None:
    """Raises `Invalid` where a total in minor units is negative or more than the provider takes."""
    _check_amount(total, "the total", where)


def _check_item(item: PriceItem, where: str) -> None:
    _check_text(item.article_number, "an article number", f"{where}.article_number")
    _check_text(item.name, "a name", f"{where}.name")
    if item.quantity < 1:
        raise Invalid(f"a quantity of {item.quantity} sells nothing; at least 1 is needed", where=f"{where}.quantity")
    check_rate(item.tax_rate, f"{where}.tax_rate")
    if item.tax_code is not None and not _TAX_CODE.fullmatch(item.tax_code):
        raise Invalid("a tax code is up to 32 lower-case letters, digits and '_'", where=f"{where}.tax_code")
    _check_amount(item.unit_amount, "the unit amount", f"{where}.unit_amount")
    _check_amount(item.amount, "the line's amount", where)


def _check_quantities(quantities: Mapping[str, int], articles: set[str]) -> None:
    if not quantities.keys() <= articles:
        raise Invalid("the price has no such article", where="quantities")
    for quantity in quantities.values():
        if quantity < 1:
            raise Invalid(f"a quantity of {quantity} sells nothing; at least 1 is needed", where="quantities")


def _check_phase(phase: Phase, articles: set[str], where: str) -> None:
    if phase.cycles < 1:
        raise Invalid(f"a phase of {phase.cycles} cycles never comes; at least 1 is needed", where=f"{where}.cycles")
    if not phase.unit_amounts.keys() <= articles:
        raise Invalid("the price has no such article", where=f"{where}.unit_amounts")


def _check_cycle(offer: Offer, cycle_no: int, where: str) -> None:
    items = offer.items_in_cycle(cycle_no, is_first=True)
    for item in items:
        _check_amount(item.unit_amount, "the unit amount", where)
        _check_amount(item.amount, "the line's amount", where)
    stated = sum(item.amount for item in items)
    # The tax of a code is not known before the country is: the invoice itself is checked again.
    tax = (
        0 if offer.tax_included else sum(tax_on_net(item.amount, item.tax_rate) for item in items if not item.tax_code)
    )
    check_total(stated + tax, where)


def _check_text(text: str, what: str, where: str) -> None:
    if not text.strip() or len(text) > TEXT_MAX:
        raise Invalid(f"{what} has 1 to {TEXT_MAX} characters", where=where)


def _check_amount(amount: int, what: str, where: str | None) -> None:
    if not 0 <= amount <= PROVIDER_AMOUNT_MAX:
        raise Invalid(f"{what} {amount} lies outside 0 to {PROVIDER_AMOUNT_MAX} minor units", where=where)
