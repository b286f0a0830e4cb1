"""Tax of a line and of a rate group; which rate holds where and when. Rates are basis points: 2500 is 25 %.

The tax inside a gross amount is the formula that the provider checks a line against, rounded half up. Which articles a
tax code is right for is the seller's decision: the table only says what the code means in a country on a date.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Protocol

from billing.domain.errors import Invalid
from billing.domain.money import divide_half_up, split

RATE_MAX = 10_000

EU_MEMBERS: frozenset[str] = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES",
    "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU",
    "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
})  # fmt: skip
"""ISO 3166 codes of the members of the European Union; Greece is GR here, though its VAT ids begin with EL."""


class TaxTreatment(StrEnum):
    """Why a line carries the tax it does: the country's own, the customer's to account for, or none of ours at all."""

    STANDARD = "standard"
    REVERSE_CHARGE = "reverse_charge"
    OUTSIDE_SCOPE = "outside_scope"


class Taxed(Protocol):
    """What has a tax rate: a code to look up, or else a fixed rate in basis points."""

    @property
    def tax_code(self) -> str | None: ...

    @property
    def tax_rate(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TaxRow:
    """The `rate` that `code` means in `country` from `valid_from` until before `valid_until`; None is no end yet."""

    country: str
    code: str
    rate: int
    valid_from: date
    valid_until: date | None

    def holds_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


@dataclass(frozen=True, slots=True)
class TaxTable:
    """Every rate of every country with its dates.

    Raises `Invalid` for a rate outside 0 to 100 %, for a row without a day, and where two rows of one code overlap.
    """

    rows: tuple[TaxRow, ...]
    _by_code: dict[tuple[str, str], list[TaxRow]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[tuple[str, str], list[TaxRow]] = {}
        for row in sorted(self.rows, key=lambda row: row.valid_from):
            earlier = found.setdefault((row.country, row.code), [])
            _check_row(row, earlier[-1] if earlier else None)
            earlier.append(row)
        object.__setattr__(self, "_by_code", found)

    def rate(self, country: str, code: str, on: date) -> int:
        """The rate in force on that local date. Raises `Invalid` naming country, code and date where there is none."""
        for row in self._by_code.get((country, code), ()):
            if row.holds_on(on):
                return row.rate
        raise Invalid(f"there is no tax rate {code!r} for {country} on {on}", where="tax_code")


@dataclass(frozen=True, slots=True)
class TaxPosition:
    """Whose tax an invoice carries: the customer's country, on the date of supply.

    `reverse_charge` leaves the tax to the customer to account for; `outside_scope` is a supply that is none of the
    table's countries' to tax. Either way the customer pays the net price and no tax is booked.
    """

    country: str
    reverse_charge: bool
    table: TaxTable
    on: date
    outside_scope: bool = False

    @property
    def treatment(self) -> TaxTreatment:
        if self.reverse_charge:
            return TaxTreatment.REVERSE_CHARGE
        return TaxTreatment.OUTSIDE_SCOPE if self.outside_scope else TaxTreatment.STANDARD

    def rate_of(self, item: Taxed) -> int:
        """The rate that `item` is taxed at; 0 where the treatment is not `STANDARD`. Raises as `TaxTable.rate`."""
        return self.ordinary_rate_of(item) if self.treatment is TaxTreatment.STANDARD else 0

    def ordinary_rate_of(self, item: Taxed) -> int:
        """The rate that `item` would carry if tax were charged: of its code on the date of supply, or its fixed one.

        This is what a price that includes tax contains, and what is taken out of it where none is charged. A code
        contains nothing where the country's tax does not reach.
        """
        if item.tax_code is None:
            return item.tax_rate
        return 0 if self.outside_scope else self.table.rate(self.country, item.tax_code, self.on)


def reverse_charge_applies(seller_country: str, customer_country: str, vat_id_checked: bool) -> bool:
    """Whether the customer accounts for the tax: both in the EU, in different countries, with a checked VAT id."""
    return vat_id_checked and seller_country != customer_country and {seller_country, customer_country} <= EU_MEMBERS


def tax_included(gross: int, rate: int) -> int:
    """The tax inside a gross amount in minor units, half up, mirrored for negatives. Raises as `check_rate` does."""
    check_rate(rate)
    return divide_half_up(gross * rate, 10_000 + rate)


def tax_on_net(net: int, rate: int) -> int:
    """The tax that a net amount in minor units carries, half up, mirrored for negatives."""
    check_rate(rate)
    return divide_half_up(net * rate, 10_000)


def tax_by_rate_group(nets: Sequence[int], rate: int) -> list[int]:
    """The tax of each net line of one rate, so that they sum to the tax of the group (billing rules, section 4)."""
    # Inside one rate the exact taxes stand in the same proportion as the nets, so that these serve as weights.
    return split(tax_on_net(sum(nets), rate), nets) if nets else []


def check_rate(rate: int, where: str | None = None) -> None:
    """Raises `Invalid` unless the rate lies in 0 to 100 %."""
    if not 0 <= rate <= RATE_MAX:
        raise Invalid(f"a tax rate of {rate} basis points lies outside 0 to {RATE_MAX}", where=where)


def shown_rate(rate: int) -> str:
    """The rate as people read it: `25 %`, `5.5 %`, `0 %`."""
    whole, hundredths = divmod(rate, 100)
    return f"{whole}.{hundredths:02}".rstrip("0").rstrip(".") + " %"


def _check_row(row: TaxRow, before: TaxRow | None) -> None:
    """`before` is the row of the same country and code that starts last before this one."""
    name = f"the tax rate {row.code!r} for {row.country} from {row.valid_from}"
    check_rate(row.rate, f"{row.country} {row.code}")
    if row.valid_until is not None and row.valid_until <= row.valid_from:
        raise Invalid(f"{name} ends before it starts")
    if before is not None and before.holds_on(row.valid_from):
        raise Invalid(f"{name} overlaps the one from {before.valid_from}")
