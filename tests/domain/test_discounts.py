"""What discounts take: in their order, to the last minor unit, and never more than is there."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.discounts import Discount, check_discount, discount_parts, discounts_of
from billing.domain.errors import Invalid
from billing.domain.money import AMOUNT_MAX

TENTH = Discount(UUID(int=1), "Welcome", percent=1000, amount=None, cycles_left=None, article_number=None)
FIVER = Discount(UUID(int=2), "Sorry", percent=None, amount=500, cycles_left=None, article_number=None)
LINES = [("BASE", 1990), ("BOX", 1490), ("FREIGHT", 490)]


def test_a_percentage_is_rounded_once_on_the_sum_and_spread_by_largest_remainder() -> None:
    # 10 % of 39.70 is 3.97; each line for itself would give 1.99 + 1.49 + 0.49.
    assert discounts_of(LINES, [TENTH]) == [199, 149, 49]
    # 5 % of 0.10 is half a cent: it goes up, once.
    assert discounts_of([("A", 5), ("B", 5)], [replace(TENTH, percent=500)]) == [1, 0]


def test_an_amount_is_spread_by_largest_remainder() -> None:
    assert discounts_of(LINES, [replace(FIVER, amount=100)]) == [50, 38, 12]


def test_an_amount_takes_at_most_what_is_there() -> None:
    assert discounts_of(LINES, [replace(FIVER, amount=5000)]) == [1990, 1490, 490]
    assert discounts_of(LINES, [replace(FIVER, amount=0)]) == [0, 0, 0]


def test_a_discount_on_one_article_leaves_the_others_alone() -> None:
    assert discounts_of(LINES, [replace(TENTH, article_number="BOX")]) == [0, 149, 0]
    assert discounts_of(LINES, [replace(FIVER, article_number="FREIGHT")]) == [0, 0, 490]
    assert discounts_of(LINES, [replace(FIVER, article_number="OTHER")]) == [0, 0, 0]


def test_each_discount_applies_to_what_those_before_it_left() -> None:
    lines = [("BASE", 2000)]
    assert discount_parts(lines, [TENTH, FIVER]) == [[200], [500]]
    assert discount_parts(lines, [FIVER, TENTH]) == [[500], [150]]


def test_a_discount_that_is_used_up_takes_nothing() -> None:
    assert discounts_of(LINES, [replace(TENTH, cycles_left=0)]) == [0, 0, 0]
    assert discounts_of(LINES, [replace(TENTH, cycles_left=1)]) == [199, 149, 49]


def test_without_lines_or_discounts_nothing_is_taken() -> None:
    assert discounts_of([], [TENTH]) == []
    assert discounts_of(LINES, []) == [0, 0, 0]


@pytest.mark.parametrize(
    ("change", "where", "why"),
    [
        ({"name": " "}, "name", "1 to 255 characters"),
        ({"name": "x" * 256}, "name", "1 to 255 characters"),
        ({"percent": None}, "percent", "either a percentage or an amount"),
        ({"amount": 100}, "percent", "either a percentage or an amount"),
        ({"percent": 0}, "percent", "0 basis points lie outside 1 to 10000"),
        ({"percent": 10_001}, "percent", "10001 basis points lie outside"),
        ({"percent": None, "amount": 0}, "amount", "0 minor units lie outside 1 to"),
        ({"percent": None, "amount": 10**15}, "amount", "minor units lie outside"),
        ({"cycles_left": 0}, "cycles_left", "0 cycles takes nothing"),
    ],
)
def test_a_discount_that_cannot_be_granted_is_refused_and_the_field_named(
    change: dict[str, object], where: str, why: str
) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        check_discount(replace(TENTH, **change))  # type: ignore[arg-type]  # fields chosen by the table
    assert refused.value.where == where


def test_good_discounts_pass() -> None:
    check_discount(replace(TENTH, percent=10_000, cycles_left=1))
    check_discount(replace(FIVER, amount=1, article_number="BOX"))


def test_the_smallest_and_the_largest_discount_are_granted() -> None:
    check_discount(replace(TENTH, percent=1, name="x" * 255))
    check_discount(replace(FIVER, amount=AMOUNT_MAX))


articles = st.sampled_from(["A", "B", "C"])
discounts = st.builds(
    lambda percent, amount, article: Discount(UUID(int=1), "D", percent, None if percent else amount, None, article),
    st.none() | st.integers(1, 10_000),
    st.integers(1, 10**6),
    st.none() | articles,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(articles, st.integers(0, 10**6)), max_size=6), st.lists(discounts, max_size=4))
def test_no_line_falls_below_0_and_the_parts_of_the_discounts_sum(
    lines: list[tuple[str, int]], granted: list[Discount]
) -> None:
    taken, parts = discounts_of(lines, granted), discount_parts(lines, granted)
    assert all(0 <= take <= amount for take, (_, amount) in zip(taken, lines, strict=True))
    assert all(part >= 0 for of_one in parts for part in of_one)
    assert sum(taken) == sum(sum(of_one) for of_one in parts)
