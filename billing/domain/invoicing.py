"""A period's invoice as lines with amounts, tax and a derivation in words; and what an invoice's status may become.

Numbers, dates and series belong to the store: nothing here knows which invoice this will be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from billing.domain.derivations import (
    days_charged,
    discount_taken,
    introductory,
    left_over,
    once_charged,
    period_charged,
    tax_charged,
)
from billing.domain.discounts import Discount, discount_parts
from billing.domain.errors import TransitionNotAllowed
from billing.domain.periods import Period
from billing.domain.pricing import CreditRule, Offer, PriceItem, check_offer, check_total
from billing.domain.proration import value_between
from billing.domain.tax import TaxPosition, TaxTreatment, tax_by_rate_group, tax_included


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


class LineKind(StrEnum):
    """An article of the cycle, one charged once, a plan change's charge, what was carried over, what a balance paid."""

    ITEM = "item"
    SETUP = "setup"
    ADJUSTMENT = "adjustment"
    CARRIED = "carried"
    BALANCE = "balance"


@dataclass(frozen=True, slots=True)
class Share:
    """Days `[start_day, end_day)` of a full period of `of_days` local days: what a stub is priced at."""

    start_day: int
    end_day: int
    of_days: int

    def of(self, amount: int) -> int:
        """C(end) - C(start) of an amount for the full period. Raises `Invalid` for days that are no share."""
        return value_between(amount, self.start_day, self.end_day, self.of_days)


@dataclass(frozen=True, slots=True)
class LineDraft:
    """One invoice line, in minor units of the invoice's currency.

    `amount` is what the customer pays and includes `tax_amount`; `unit_amount` and `discount_amount` are as the price
    states them, net where its tax is not included. The line covers the local dates `[starts_on, ends_on)`.
    """

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
    kind: LineKind = LineKind.ITEM
    discount_amount: int = 0
    starts_on: date | None = None
    ends_on: date | None = None
    adjusts_line_id: UUID | None = None
    tax_treatment: str = TaxTreatment.STANDARD.value
    price_id: UUID | None = None

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


@dataclass(frozen=True, slots=True)
class _Terms:
    """What all lines of an invoice have in common; `dates` are the local ones that they cover."""

    currency: str
    tax: TaxPosition
    tax_included: bool
    dates: tuple[date, date]
    price_id: UUID | None


@dataclass(frozen=True, slots=True)
class _Charge:
    """What a line charges before tax is looked at: `stated` minor units, discount taken off, and why in words."""

    item: PriceItem
    kind: LineKind
    stated: int
    words: str
    discount: int = 0


def invoice_for_period(
    offer: Offer,
    period: Period,
    tax: TaxPosition,
    *,
    cycle_no: int = 0,
    is_first: bool = False,
    share: Share | None = None,
    discounts: Sequence[Discount] = (),
    price_id: UUID | None = None,
) -> InvoiceDraft:
    """What paid cycle `cycle_no` (from 0) costs for `period`: one line an item, numbered from 1.

    With a `share` the lines credited by time cost their days of a full period, C(end) - C(start); goods, freight and
    what is charged once are charged in full (billing rules, sections 4 and 6). Then `discounts` apply in their order.
    Tax is that of what is left: inside each line, or by rate group on top of net prices. Where the customer accounts
    for the tax, the tax that a gross price would contain is not charged.
    Raises what `check_offer` raises, and `Invalid` for a missing tax rate, a total beyond the provider's limit, or a
    share that is none.
    """
    check_offer(offer)
    terms = _Terms(offer.currency, tax, offer.tax_included, (period.start_date, period.end_date), price_id)
    charges = _charges(offer, terms.dates, cycle_no, is_first, share)
    lines = _lines(_discounted(charges, discounts, offer.currency), terms)
    check_total(sum(line.amount for line in lines))
    return InvoiceDraft(offer.currency, lines)


def charge_for_days(
    item: PriceItem,
    currency: str,
    tax: TaxPosition,
    period: tuple[date, date],
    from_day: int,
    of_days: int,
    price_id: UUID | None,
    *,
    tax_included: bool = True,
    discounted: Sequence[tuple[str, int]] = (),
    seconds_from: date | None = None,
) -> LineDraft:
    """The charge of a plan change: C(of_days) - C(from_day) of the item's amount, with the tax of its own gross.

    `period` is the billed period's local `(start, end)`; the line covers its last `of_days - from_day` days. It comes
    as position 1; where it stands on the invoice is the caller's. `discounted` is what discounts, by name, take from
    the item's amount for a full period; they take the same share of it. With `seconds_from`, the local day of the
    change, the two counts are seconds. Raises `Invalid` for days that are no share and for a missing tax rate
    (billing rules, section 4).
    """
    start_date, end_date = period
    first = end_date - timedelta(days=of_days - from_day) if seconds_from is None else seconds_from
    dates = (max(start_date, first), end_date)
    share = Share(from_day, of_days, of_days)
    unit = "days" if seconds_from is None else "seconds"
    words = days_charged(item, currency, dates, (from_day, of_days, of_days), unit)
    charge = _Charge(item, LineKind.ADJUSTMENT, share.of(item.amount), words)
    terms = _Terms(currency, tax, tax_included, dates, price_id)
    return _lines([_less(charge, [(name, share.of(part)) for name, part in discounted], currency)], terms)[0]


def next_invoice_status(status: InvoiceStatus, wanted: InvoiceStatus) -> InvoiceStatus:
    """`wanted`, where an invoice in `status` may become that. Raises `TransitionNotAllowed` saying what it may."""
    possible = INVOICE_TRANSITIONS[status]
    if wanted not in possible:
        listed = ", ".join(sorted(possible)) or "nothing, that state is final"
        raise TransitionNotAllowed(f"an invoice that is {status} cannot become {wanted}; it may become: {listed}")
    return wanted


def _charges(
    offer: Offer, dates: tuple[date, date], cycle_no: int, is_first: bool, share: Share | None
) -> list[_Charge]:
    phase = offer.phase_of(cycle_no)
    charges = []
    for item in offer.items_in_cycle(cycle_no, is_first=is_first):
        charge = _charge(item, offer.currency, dates, share)
        if phase and item.article_number in phase[1].unit_amounts:
            charge = replace(charge, words=charge.words + introductory(phase[0], phase[1].cycles))
        charges.append(charge)
    return charges


def _charge(item: PriceItem, currency: str, dates: tuple[date, date], share: Share | None) -> _Charge:
    if item.once:
        return _Charge(item, LineKind.SETUP, item.amount, once_charged(item, currency))
    if share is None or item.credit_rule is not CreditRule.TIME:
        return _Charge(item, LineKind.ITEM, item.amount, period_charged(item, currency, dates))
    words = days_charged(item, currency, dates, (share.start_day, share.end_day, share.of_days))
    return _Charge(item, LineKind.ITEM, share.of(item.amount), words)


def _discounted(charges: Sequence[_Charge], discounts: Sequence[Discount], currency: str) -> list[_Charge]:
    taken = discount_parts([(charge.item.article_number, charge.stated) for charge in charges], discounts)
    return [
        _less(charge, [(discount.name, parts[at]) for discount, parts in zip(discounts, taken, strict=True)], currency)
        for at, charge in enumerate(charges)
    ]


def _less(charge: _Charge, parts: Sequence[tuple[str, int]], currency: str) -> _Charge:
    took = [(name, part) for name, part in parts if part]
    if not took:
        return charge
    discount = sum(part for _, part in took)
    words = "".join(discount_taken(name, part, currency) for name, part in took)
    words += left_over(charge.stated - discount, currency)
    return replace(charge, stated=charge.stated - discount, discount=discount, words=charge.words + words)


def _lines(charges: Sequence[_Charge], terms: _Terms) -> tuple[LineDraft, ...]:
    amounts = _amounts(charges, terms)
    return tuple(
        _line(position, charge, amount, tax_amount, terms)
        for position, (charge, (amount, tax_amount)) in enumerate(zip(charges, amounts, strict=True), start=1)
    )


def _amounts(charges: Sequence[_Charge], terms: _Terms) -> list[tuple[int, int]]:
    """What the customer pays for each charge, and the tax in it."""
    if terms.tax.treatment is not TaxTreatment.STANDARD:
        return [(charge.stated - _tax_stated(charge, terms), 0) for charge in charges]
    if terms.tax_included:
        return [(charge.stated, _tax_stated(charge, terms)) for charge in charges]
    taxes = [0] * len(charges)
    rates = [terms.tax.rate_of(charge.item) for charge in charges]
    for rate in set(rates):
        group = [at for at, its_rate in enumerate(rates) if its_rate == rate]
        for at, tax in zip(group, tax_by_rate_group([charges[i].stated for i in group], rate), strict=True):
            taxes[at] = tax
    return [(charge.stated + tax, tax) for charge, tax in zip(charges, taxes, strict=True)]


def _tax_stated(charge: _Charge, terms: _Terms) -> int:
    """The tax that the stated amount contains."""
    return tax_included(charge.stated, terms.tax.ordinary_rate_of(charge.item)) if terms.tax_included else 0


def _line(position: int, charge: _Charge, amount: int, tax_amount: int, terms: _Terms) -> LineDraft:
    item, tax = charge.item, terms.tax
    starts_on, ends_on = terms.dates
    contained = tax.ordinary_rate_of(item) if terms.tax_included else None
    rate = tax.rate_of(item)
    return LineDraft(
        position=position,
        article_number=item.article_number,
        name=item.name,
        quantity=item.quantity,
        unit_amount=item.unit_amount,
        amount=amount,
        tax_amount=tax_amount,
        tax_rate=rate,
        credit_rule=item.credit_rule.value,
        recognize=item.recognize.value,
        derivation=charge.words + tax_charged(terms.currency, tax.treatment, rate, contained, (amount, tax_amount)),
        kind=charge.kind,
        discount_amount=charge.discount,
        starts_on=starts_on,
        ends_on=ends_on,
        tax_treatment=tax.treatment.value,
        price_id=terms.price_id,
    )
