"""What a price must be before it can be used."""

from dataclasses import replace

import pytest

from billing.domain.errors import EmptyInvoice, Invalid
from billing.domain.pricing import PROVIDER_AMOUNT_MAX, CreditRule, PriceItem, Recognize, check_items

BASE = PriceItem("BASE", "Base fee", 1, 1990, 2500, CreditRule.TIME, Recognize.TIME)
BOX = PriceItem("BOX", "Box", 2, 745, 1200, CreditRule.QUANTITY, Recognize.DISPATCH)


def test_an_items_amount_is_quantity_times_unit_amount() -> None:
    assert BOX.amount == 1490


def test_a_price_of_good_items_passes() -> None:
    check_items([BASE, BOX], "EUR")


def test_a_free_item_is_allowed() -> None:
    check_items([replace(BASE, unit_amount=0)], "EUR")


def test_a_price_without_items_is_refused() -> None:
    with pytest.raises(EmptyInvoice, match="at least one item"):
        check_items([], "EUR")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"quantity": 0}, "items[0].quantity"),
        ({"quantity": -1}, "items[0].quantity"),
        ({"article_number": ""}, "items[0].article_number"),
        ({"article_number": "x" * 256}, "items[0].article_number"),
        ({"name": " "}, "items[0].name"),
        ({"tax_rate": -1}, "items[0].tax_rate"),
        ({"tax_rate": 10_001}, "items[0].tax_rate"),
        ({"unit_amount": -1}, "items[0].unit_amount"),
        ({"unit_amount": PROVIDER_AMOUNT_MAX + 1}, "items[0].unit_amount"),
        ({"unit_amount": PROVIDER_AMOUNT_MAX, "quantity": 2}, "items[0]"),
    ],
)
def test_a_bad_field_is_refused_and_named(change: dict[str, int | str], where: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_items([replace(BASE, **change)], "EUR")  # type: ignore[arg-type]  # fields chosen by the table
    assert refused.value.where == where


def test_the_same_article_twice_is_refused() -> None:
    with pytest.raises(Invalid, match="article number stands twice"):
        check_items([BASE, BASE], "EUR")


def test_a_total_beyond_the_providers_limit_is_refused_though_each_line_is_within_it() -> None:
    large = replace(BASE, unit_amount=PROVIDER_AMOUNT_MAX)
    check_items([large], "EUR")
    with pytest.raises(Invalid, match="the total 100001490"):
        check_items([large, BOX], "EUR")


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(Invalid, match="ISO 4217"):
        check_items([BASE], "EURO")
