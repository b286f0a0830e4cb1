"""Amounts: integer minor units with an ISO 4217 code, the one rounding rule, and the split by largest remainder.

Nothing here or above it ever holds money in a float.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from billing.domain.errors import CurrencyMismatch, Invalid

AMOUNT_MAX = 100_000_000_000_000
"""No single amount is larger, in minor units: it fits a 64-bit column and an exact JSON number."""

_CODES_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
          CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
          IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
          MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP
          SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG
          YER ZAR ZMW ZWG""",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

EXPONENTS: Mapping[str, int] = {code: digits for digits, codes in _CODES_BY_EXPONENT.items() for code in codes.split()}
"""Digits after the point of every ISO 4217 currency that has a minor unit (metals and test codes have none)."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of `currency` (upper case), at most `AMOUNT_MAX` either side of zero.

    Raises `Invalid` for anything but an int and for unknown currencies. Adding, subtracting and ordering raise
    `CurrencyMismatch` over two currencies; `==` answers False, as sets and dicts need it to.
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise Invalid(f"an amount is a whole number of minor units, not {type(self.amount).__name__}")
        if abs(self.amount) > AMOUNT_MAX:
            raise Invalid(f"the amount {self.amount} is beyond {AMOUNT_MAX} minor units")
        exponent(self.currency)

    def __add__(self, other: Self) -> "Money":
        return Money(self.amount + self._amount_of(other), self.currency)

    def __sub__(self, other: Self) -> "Money":
        return Money(self.amount - self._amount_of(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Self) -> bool:
        return self.amount < self._amount_of(other)

    def __le__(self, other: Self) -> bool:
        return self.amount <= self._amount_of(other)

    def __gt__(self, other: Self) -> bool:
        return self.amount > self._amount_of(other)

    def __ge__(self, other: Self) -> bool:
        return self.amount >= self._amount_of(other)

    def _amount_of(self, other: Self) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix")
        return other.amount


def exponent(currency: str) -> int:
    """How many digits of `currency` stand after the point. Raises `Invalid` for an unknown code."""
    if currency not in EXPONENTS:
        raise Invalid("this is not a currency code of ISO 4217 in upper case, such as 'EUR'")
    return EXPONENTS[currency]


def formatted(money: Money) -> str:
    """The amount as people write it in a log or a derivation: `29.90 EUR`, `-0.05 EUR`, `500 JPY`."""
    digits = exponent(money.currency)
    sign = "-" if money.amount < 0 else ""
    whole, rest = divmod(abs(money.amount), 10**digits)
    return f"{sign}{whole}.{rest:0{digits}} {money.currency}" if digits else f"{sign}{whole} {money.currency}"


def divide_half_up(numerator: int, denominator: int) -> int:
    """The quotient rounded to the nearest integer, halves away from zero on both sides of it.

    Raises `Invalid` unless the denominator is positive.
    """
    if denominator <= 0:
        raise Invalid(f"a share of {denominator} parts is not defined")
    rounded = (2 * abs(numerator) + denominator) // (2 * denominator)
    return rounded if numerator >= 0 else -rounded


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Parts of `total` in proportion to `weights` that sum to it exactly (billing rules, section 4).

    Each share is floored and the missing units go to the largest remainders, ties by position; a negative total
    mirrors. Weights of both signs are split separately for each sign; weights that sum to 0 give all to the first.
    Raises `Invalid` without weights.
    """
    if not weights:
        raise Invalid("there is no line to split over")
    weight = sum(weights)
    if weight == 0:
        return [total] + [0] * (len(weights) - 1)
    if min(weights) < 0 < max(weights):
        return _split_by_sign(total, weights, weight)
    return _split_one_sign(total, [abs(w) for w in weights])


def _split_by_sign(total: int, weights: Sequence[int], weight: int) -> list[int]:
    positive = [max(w, 0) for w in weights]
    negative = [max(-w, 0) for w in weights]
    mirrored = total if weight > 0 else -total
    share = divide_half_up(mirrored * sum(positive), abs(weight))
    parts = zip(_split_one_sign(share, positive), _split_one_sign(total - share, negative), strict=True)
    return [up + down for up, down in parts]


def _split_one_sign(total: int, weights: Sequence[int]) -> list[int]:
    weight = sum(weights)
    sign = 1 if total >= 0 else -1
    shares = [divmod(abs(total) * w, weight) for w in weights]
    parts = [floor for floor, _ in shares]
    by_remainder = sorted(range(len(weights)), key=lambda i: -shares[i][1])
    for i in by_remainder[: abs(total) - sum(parts)]:
        parts[i] += 1
    return [sign * part for part in parts]
