"""What a price must be before it can be used."""

from dataclasses import replace

import pytest

from billing.domain.errors import EmptyInvoice, Invalid
from billing.domain.pricing import (
    PROVIDER_AMOUNT_MAX,
    CreditRule,
    Offer,
    Phase,
    PriceItem,
    Recognize,
    check_items,
    check_offer,
)

BASE = PriceItem("BASE", "Base fee", 1, 1990, 2500, CreditRule.TIME, Recognize.TIME)
BOX = PriceItem("BOX", "Box", 2, 745, 1200, CreditRule.QUANTITY, Recognize.DISPATCH)
SETUP = PriceItem("SETUP", "Setup", 1, 4900, 2500, CreditRule.NONE, Recognize.AT_CAPTURE, once=True)
OFFER = Offer("EUR", (SETUP, BASE, BOX), phases=(Phase(2, {"BASE": 0}), Phase(3, {"BASE": 990, "BOX": 500})))


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
        ({"tax_code": ""}, "items[0].tax_code"),
        ({"tax_code": "Standard"}, "items[0].tax_code"),
        ({"tax_code": "x" * 33}, "items[0].tax_code"),
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


def unit_amounts(offer: Offer, cycle_no: int) -> dict[str, int]:
    return {item.article_number: item.unit_amount for item in offer.items_in_cycle(cycle_no, is_first=False)}


# cycle    0    1  |  2    3    4  |  5 ...
#          phase 1 |    phase 2    | the regular price
@pytest.mark.parametrize(
    ("cycle_no", "base", "box"),
    [(0, 0, 745), (1, 0, 745), (2, 990, 500), (4, 990, 500), (5, 1990, 745), (10_000, 1990, 745)],
)
def test_phases_follow_each_other_and_then_the_regular_price_holds(cycle_no: int, base: int, box: int) -> None:
    assert unit_amounts(OFFER, cycle_no) == {"BASE": base, "BOX": box}


def test_a_cycle_knows_its_phase_and_its_place_in_it() -> None:
    assert OFFER.phase_of(1) == (1, OFFER.phases[0])
    assert OFFER.phase_of(2) == (0, OFFER.phases[1])
    assert OFFER.phase_of(5) is None


def test_what_is_charged_once_stands_on_the_first_paid_period_only() -> None:
    assert [item.article_number for item in OFFER.items_in_cycle(0, is_first=True)] == ["SETUP", "BASE", "BOX"]
    assert [item.article_number for item in OFFER.items_in_cycle(0, is_first=False)] == ["BASE", "BOX"]


def test_a_subscriptions_own_quantities_replace_those_of_the_price() -> None:
    offer = replace(OFFER, quantities={"BOX": 7, "BASE": 3})
    assert [(item.quantity, item.amount) for item in offer.items_in_cycle(9, is_first=False)] == [(3, 5970), (7, 5215)]


def test_the_amount_per_cycle_is_the_regular_one_with_quantities_and_without_setup() -> None:
    assert OFFER.amount_per_cycle() == 1990 + 2 * 745
    assert replace(OFFER, quantities={"BOX": 1}).amount_per_cycle() == 1990 + 745


def test_a_good_offer_passes() -> None:
    check_offer(OFFER)
    check_offer(replace(OFFER, quantities={"BOX": 1}, tax_included=False))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"quantities": {"OTHER": 1}}, "quantities"),
        ({"quantities": {"BOX": 0}}, "quantities"),
        ({"quantities": {"BOX": PROVIDER_AMOUNT_MAX}}, "phases[0].unit_amounts"),
        ({"quantities": {"BOX": PROVIDER_AMOUNT_MAX}, "phases": ()}, "quantities"),
        ({"phases": (Phase(0, {}),)}, "phases[0].cycles"),
        ({"phases": (Phase(1, {}), Phase(1, {"OTHER": 1}))}, "phases[1].unit_amounts"),
        ({"phases": (Phase(1, {"BASE": -1}),)}, "phases[0].unit_amounts"),
        ({"phases": (Phase(1, {"BASE": PROVIDER_AMOUNT_MAX + 1}),)}, "phases[0].unit_amounts"),
        ({"phases": (Phase(1, {"BASE": PROVIDER_AMOUNT_MAX}),)}, "phases[0].unit_amounts"),
        ({"items": (SETUP,)}, "items"),
        ({"items": ()}, "items"),
    ],
)
def test_a_bad_offer_is_refused_and_the_field_named(change: dict[str, object], where: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_offer(replace(OFFER, **change))  # type: ignore[arg-type]  # fields chosen by the table
    assert refused.value.where == where


def test_an_offer_of_which_nothing_recurs_is_refused() -> None:
    with pytest.raises(EmptyInvoice, match="every cycle"):
        check_offer(Offer("EUR", (SETUP,)))


def test_a_net_price_must_stay_within_the_providers_limit_with_its_tax() -> None:
    large = Offer("EUR", (replace(BASE, unit_amount=PROVIDER_AMOUNT_MAX),))
    check_offer(large)
    with pytest.raises(Invalid, match="the total 125000000"):
        check_offer(replace(large, tax_included=False))
