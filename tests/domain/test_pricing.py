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

LARGE = PROVIDER_AMOUNT_MAX
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
    ("change", "where", "why"),
    [
        ({"quantity": 0}, "items[0].quantity", "a quantity of 0 sells nothing"),
        ({"quantity": -1}, "items[0].quantity", "a quantity of -1 sells nothing"),
        ({"article_number": ""}, "items[0].article_number", "^an article number has 1 to 255 characters"),
        ({"article_number": "x" * 256}, "items[0].article_number", "^an article number has 1 to 255 characters"),
        ({"name": " "}, "items[0].name", "^a name has 1 to 255 characters"),
        ({"tax_rate": -1}, "items[0].tax_rate", "-1 basis points"),
        ({"tax_code": ""}, "items[0].tax_code", "up to 32 lower-case letters"),
        ({"tax_code": "Standard"}, "items[0].tax_code", "up to 32 lower-case letters"),
        ({"tax_code": "x" * 33}, "items[0].tax_code", "up to 32 lower-case letters"),
        ({"tax_rate": 10_001}, "items[0].tax_rate", "10001 basis points"),
        ({"unit_amount": -1}, "items[0].unit_amount", "^the unit amount -1 lies outside"),
        ({"unit_amount": PROVIDER_AMOUNT_MAX + 1}, "items[0].unit_amount", "^the unit amount 100000001 lies outside"),
        ({"unit_amount": PROVIDER_AMOUNT_MAX, "quantity": 2}, "items[0]", "^the line's amount 200000000 lies outside"),
    ],
)
def test_a_bad_field_is_refused_and_named(change: dict[str, int | str], where: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        check_items([replace(BASE, **change)], "EUR")  # type: ignore[arg-type]  # fields chosen by the table
    assert refused.value.where == where


def test_the_same_article_twice_is_refused() -> None:
    with pytest.raises(Invalid, match="article number stands twice") as refused:
        check_items([BOX, BASE, BASE], "EUR")
    assert refused.value.where == "items[2]"


def test_an_article_number_and_a_name_may_have_255_characters() -> None:
    check_items([replace(BASE, article_number="x" * 255, name="y" * 255)], "EUR")


def test_a_total_beyond_the_providers_limit_is_refused_though_each_line_is_within_it() -> None:
    large = replace(BASE, unit_amount=PROVIDER_AMOUNT_MAX)
    check_items([large], "EUR")
    with pytest.raises(Invalid, match="the total 100001490") as refused:
        check_items([large, BOX], "EUR")
    assert refused.value.where == "items"


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


# cycle    0       | 1    2  | 3 ...
#          phase 1 | phase 2 | phase 3, and so on
def test_a_third_phase_begins_where_the_two_before_it_end() -> None:
    phases = (Phase(1, {"BASE": 1}), Phase(2, {"BASE": 2}), Phase(1, {"BASE": 3}))
    offer = replace(OFFER, phases=phases)
    assert [unit_amounts(offer, cycle_no)["BASE"] for cycle_no in range(5)] == [1, 2, 2, 3, 1990]


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
    ("change", "where", "why"),
    [
        ({"quantities": {"OTHER": 1}}, "quantities", "no such article"),
        ({"quantities": {"BOX": 0}}, "quantities", "a quantity of 0 sells nothing"),
        ({"quantities": {"BOX": LARGE}}, "phases[0].unit_amounts", "^the line's amount 74500000000 lies"),
        ({"quantities": {"BOX": LARGE}, "phases": ()}, "quantities", "^the line's amount 74500000000 lies"),
        ({"phases": (Phase(0, {}),)}, "phases[0].cycles", "a phase of 0 cycles never comes"),
        ({"phases": (Phase(1, {}), Phase(1, {"OTHER": 1}))}, "phases[1].unit_amounts", "no such article"),
        ({"phases": (Phase(1, {"BASE": -1}),)}, "phases[0].unit_amounts", "^the unit amount -1 lies"),
        ({"phases": (Phase(1, {"BASE": LARGE + 1}),)}, "phases[0].unit_amounts", "^the unit amount 100000001 lies"),
        ({"phases": (Phase(1, {"BASE": LARGE}),)}, "phases[0].unit_amounts", "^the total 100006390 lies"),
        ({"phases": (Phase(1, {}), Phase(1, {}), Phase(1, {"BASE": -1}))}, "phases[2].unit_amounts", "amount -1 lies"),
        ({"items": (SETUP,)}, "items", "every cycle"),
        ({"items": ()}, "items", "at least one item"),
    ],
)
def test_a_bad_offer_is_refused_and_the_field_named(change: dict[str, object], where: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        check_offer(replace(OFFER, **change))  # type: ignore[arg-type]  # fields chosen by the table
    assert refused.value.where == where


def test_every_article_of_a_price_may_have_its_own_quantity_and_phase() -> None:
    own = {"SETUP": 1, "BASE": 2, "BOX": 3}
    check_offer(replace(OFFER, quantities=own, phases=(Phase(1, dict.fromkeys(own, 100)),)))


def test_the_setup_fee_counts_for_the_dearest_invoice_of_a_phase() -> None:
    phase = Phase(1, {"BASE": LARGE - 4900 - 1490})
    check_offer(replace(OFFER, phases=(phase,)))
    with pytest.raises(Invalid, match="the total 100000001"):
        check_offer(replace(OFFER, phases=(Phase(1, {"BASE": LARGE - 4900 - 1490 + 1}),)))


# The items alone and each phase are within the limit; the tax on top of the regular price is not.
def test_a_net_offer_beyond_the_limit_is_refused_by_its_items_where_it_has_no_own_quantities() -> None:
    offer = Offer("EUR", (replace(BASE, unit_amount=LARGE),), tax_included=False, phases=(Phase(1, {"BASE": 1}),))
    with pytest.raises(Invalid, match="the total 125000000") as refused:
        check_offer(offer)
    assert refused.value.where == "items"


def test_an_offer_of_which_nothing_recurs_is_refused() -> None:
    with pytest.raises(EmptyInvoice, match="every cycle"):
        check_offer(Offer("EUR", (SETUP,)))


def test_a_net_price_must_stay_within_the_providers_limit_with_its_tax() -> None:
    large = Offer("EUR", (replace(BASE, unit_amount=PROVIDER_AMOUNT_MAX),))
    check_offer(large)
    with pytest.raises(Invalid, match="the total 125000000"):
        check_offer(replace(large, tax_included=False))
