"""Amounts are whole minor units of one currency; every split sums to what was split."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iso4217 import Currency

from billing.domain.errors import CurrencyMismatch, Invalid
from billing.domain.money import AMOUNT_MAX, EXPONENTS, Money, divide_half_up, exponent, formatted, split

AMOUNTS = st.integers(-(10**9), 10**9)


def test_every_currency_of_iso_4217_has_its_exponent() -> None:
    published = {c.code: c.exponent for c in Currency if c.exponent is not None}
    assert published == EXPONENTS


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (2990, "EUR", "29.90 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (500, "JPY", "500 JPY"),
        (-500, "JPY", "-500 JPY"),
        (1234, "KWD", "1.234 KWD"),
        (10_001, "UYW", "1.0001 UYW"),
        (0, "SEK", "0.00 SEK"),
    ],
)
def test_an_amount_is_shown_with_the_digits_of_its_currency(amount: int, currency: str, text: str) -> None:
    assert formatted(Money(amount, currency)) == text


@pytest.mark.parametrize("amount", [True, 29.9, "2990", Decimal(2990), None])
def test_only_an_int_is_an_amount(amount: object) -> None:
    with pytest.raises(Invalid, match=f"whole number of minor units, not {type(amount).__name__}"):
        Money(amount, "EUR")  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize("currency", ["eur", "XXX", "XAU", "EURO", "", "DEM"])
def test_an_unknown_currency_is_refused_by_name(currency: str) -> None:
    with pytest.raises(Invalid, match=r"is not a currency code of ISO 4217"):
        exponent(currency)
    with pytest.raises(Invalid):
        Money(1, currency)


def test_an_amount_beyond_the_limit_is_refused_on_both_sides_of_zero() -> None:
    assert Money(AMOUNT_MAX, "EUR").amount == AMOUNT_MAX
    for amount in (AMOUNT_MAX + 1, -AMOUNT_MAX - 1):
        with pytest.raises(Invalid, match="beyond"):
            Money(amount, "EUR")


def test_amounts_of_one_currency_add_subtract_negate_and_compare() -> None:
    small, large = Money(745, "SEK"), Money(1490, "SEK")
    assert small + small == large
    assert large - small == small
    assert -small == Money(-745, "SEK")
    assert small < large
    assert small <= large
    assert large > small
    assert large >= small


def test_an_amount_is_neither_below_nor_above_its_equal() -> None:
    one, same = Money(745, "SEK"), Money(745, "SEK")
    assert (one < same, one <= same, one > same, one >= same) == (False, True, False, True)


@pytest.mark.parametrize("operation", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"])
def test_two_currencies_never_mix(operation: str) -> None:
    with pytest.raises(CurrencyMismatch, match="EUR and SEK"):
        getattr(Money(1, "EUR"), operation)(Money(1, "SEK"))


def test_equal_figures_of_two_currencies_are_not_equal() -> None:
    assert Money(1, "EUR") != Money(1, "SEK")


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(5, 2, 3), (-5, 2, -3), (1, 2, 1), (-1, 2, -1), (1, 3, 0), (2, 3, 1), (-2, 3, -1), (0, 7, 0), (55832, 10, 5583)],
)
def test_halves_round_away_from_zero_on_both_sides(numerator: int, denominator: int, rounded: int) -> None:
    assert divide_half_up(numerator, denominator) == rounded


@pytest.mark.parametrize("denominator", [0, -30])
def test_a_share_of_no_parts_is_refused(denominator: int) -> None:
    with pytest.raises(Invalid, match="not defined"):
        divide_half_up(1, denominator)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),  # ties go by line order
        (-100, [1, 1, 1], [-34, -33, -33]),
        (5, [0, 1, 0], [0, 5, 0]),
        (33500, [6833, 6833, 5750, 8500], [8200, 8200, 6900, 10200]),
        (10, [0, 0], [10, 0]),  # weights that sum to 0
        (10, [5, -5], [10, 0]),
        (-8, [100, -20], [-10, 2]),  # both signs: each by itself
        (8, [20, -100], [-2, 10]),
        (-8000, [100, 0, -20], [-10_000, 0, 2000]),  # nothing for no weight, whichever the sign
        (10, [3, -2], [30, -20]),
        (7, [-1, -2], [2, 5]),
        (0, [3, 4], [0, 0]),
    ],
)
def test_a_split_gives_missing_units_to_the_largest_remainders(
    total: int, weights: list[int], parts: list[int]
) -> None:
    assert split(total, weights) == parts


def test_a_split_over_no_lines_is_refused() -> None:
    with pytest.raises(Invalid, match="no line"):
        split(1, [])


@settings(max_examples=200, deadline=None)
@given(AMOUNTS, st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=8))
def test_every_split_sums_to_its_total(total: int, weights: list[int]) -> None:
    parts = split(total, weights)
    assert sum(parts) == total
    assert len(parts) == len(weights)


@settings(max_examples=200, deadline=None)
@given(AMOUNTS, st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any))
def test_every_part_lies_within_one_unit_of_its_exact_share(total: int, weights: list[int]) -> None:
    for part, weight in zip(split(total, weights), weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1


@settings(max_examples=100, deadline=None)
@given(AMOUNTS, st.lists(st.integers(-100, 100), min_size=1, max_size=6).filter(any))
def test_a_negative_total_splits_as_the_mirror_of_the_positive(total: int, weights: list[int]) -> None:
    if sum(weights) != 0:
        assert split(-total, weights) == [-part for part in split(total, weights)]
