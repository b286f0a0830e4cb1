"""Discounts of a subscription: percent or amount, for so many cycles, on a change too; and what a catalog refuses."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from factories import BASE_FEE, Shop
from reading import invoices, rows

from billing.domain.changes import ChangeMode
from billing.domain.errors import Conflict, CurrencyMismatch, Invalid, NotFound
from billing.domain.money import Money
from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule, Phase, PriceItem, Recognize
from billing.store.balances import Discount
from billing.store.plans import Plan, Price
from billing.use_cases.catalogue import NewPlan, NewPrice, create_plan, create_price
from billing.use_cases.change import ChangeRequest, change
from billing.use_cases.discount import NewDiscount, discounts, end_discount, grant_discount
from billing.use_cases.install import AccountTerms, admit


def granted(shop: Shop, subscription_id: UUID, **what: object) -> Discount:
    new = NewDiscount(**{"name": "Welcome"} | what)
    return grant_discount(shop.database, shop.ids, shop.clock.now(), subscription_id, new)


def fee(amount: int) -> PriceItem:
    return PriceItem("BASE", "Base fee", 1, amount, 2500, CreditRule.TIME, Recognize.TIME)


def monthly(shop: Shop, months: int) -> list[int]:
    for month, day in ((1, 31), (2, 29), (3, 31), (4, 30))[:months]:
        shop.at(datetime(2028, month, day, 12, tzinfo=UTC))
        shop.after(minutes=31)
    return [invoice.total for invoice in invoices(shop)]


def test_a_tenth_off_the_first_two_cycles(shop: Shop) -> None:
    made = shop.subscription(price_id=shop.price(items=(BASE_FEE,)))
    granted(shop, made.id, percent=1000, cycles=2)
    assert monthly(shop, 3) == [1791, 1791, 1990]


def test_an_amount_off_until_somebody_ends_it(shop: Shop) -> None:
    made = shop.subscription(price_id=shop.price(items=(BASE_FEE,)))
    row = granted(shop, made.id, amount=Money(490, "SEK"), article_number="BASE")
    monthly(shop, 2)
    end_discount(shop.database, shop.ids, shop.clock.now(), made.id, row.id)
    assert monthly(shop, 0) == [1500, 1500]
    shop.at(datetime(2028, 3, 31, 12, tzinfo=UTC))
    assert invoices(shop)[-1].total == 1990
    found, currency = discounts(shop.database, made.id)
    assert ([row.cycles_used for row in found], currency) == ([2], "SEK")
    with pytest.raises(Conflict):
        end_discount(shop.database, shop.ids, shop.clock.now(), made.id, row.id)


def test_a_change_inside_a_discounted_cycle_is_discounted_too(shop: Shop) -> None:
    # Mar 31 to Apr 30: half off 3000 and then half off 6000, changed when 15 of 30 days are left.
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    made = shop.subscription(price_id=shop.price(items=(fee(3000),)))
    granted(shop, made.id, percent=5000, cycles=1)
    shop.tick()
    shop.at(datetime(2028, 4, 15, 10, tzinfo=UTC))
    request = ChangeRequest(shop.price(items=(fee(6000),)), mode=ChangeMode.CHARGE_NOW)
    done = change(shop.database, shop.ids, shop.seller, shop.sign, shop.clock.now(), made.id, request)
    assert [line.amount for line in done.plan.lines] == [-750, 1500]
    assert done.plan.next_total == 6000


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({}, Invalid),
        ({"percent": 10_001}, Invalid),
        ({"percent": 100, "cycles": 0}, Invalid),
        ({"percent": 100, "amount": Money(1, "SEK")}, Invalid),
        ({"percent": 100, "article_number": "NO-SUCH"}, Invalid),
        ({"amount": Money(100, "EUR")}, CurrencyMismatch),
    ],
)
def test_a_discount_that_cannot_be_is_refused(shop: Shop, what: dict, error: type) -> None:
    made = shop.subscription()
    with pytest.raises(error):
        granted(shop, made.id, **what)
    assert not rows(shop, Discount)


def test_another_subscription_has_no_say_over_a_discount(shop: Shop) -> None:
    row = granted(shop, shop.subscription().id, percent=100)
    with pytest.raises(NotFound):
        end_discount(shop.database, shop.ids, shop.clock.now(), shop.subscription().id, row.id)


def test_a_price_with_phases_net_amounts_and_a_setup_fee_is_billed_as_it_says(shop: Shop) -> None:
    plan = create_plan(shop.database, shop.ids, shop.clock.now(), NewPlan("net", "Net"))
    setup = PriceItem("SETUP", "Setup", 1, 1000, 2500, CreditRule.NONE, Recognize.AT_CAPTURE, once=True)
    new = NewPrice(
        plan.id, "SEK", Interval.MONTH, 1, (fee(2000), setup), tax_included=False, phases=(Phase(1, {"BASE": 1000}),)
    )
    price = create_price(shop.database, shop.ids, shop.clock.now(), new)
    shop.subscription(price_id=price.id)
    # The first cycle at 1000 and once 1000, the second at 2000: 25 % on top of each.
    assert monthly(shop, 2) == [2500, 2500]
    assert rows(shop, Price)[0].phases == [{"cycles": 1, "unit_amounts": {"BASE": 1000}}]


@pytest.mark.parametrize(
    "rules",
    [
        {"capture_delay_minutes": 29},
        {"trial_days": 731},
        {"longer_interval_mode": ChangeMode.CHARGE_NOW},
        {"dunning_days": (3, 1)},
        {"term_cycles": 2, "minimum_cycles": 3},
        {"gate_hours": 0},
    ],
)
def test_a_plan_whose_rules_cannot_be_kept_is_refused(shop: Shop, rules: dict) -> None:
    with pytest.raises(Invalid):
        create_plan(shop.database, shop.ids, shop.clock.now(), NewPlan("p", "P", **rules))
    assert not rows(shop, Plan)


def test_a_currency_that_no_account_takes_is_refused_with_the_price_and_with_the_token(shop: Shop) -> None:
    admit(shop.database, shop.keyring, {"main": AccountTerms(currencies=("EUR",))}, "Europe/Stockholm")
    with pytest.raises(Invalid, match="configured: EUR"):
        shop.price(currency="SEK")
    customer_id = shop.customer()
    with pytest.raises(Invalid, match="EUR only"):
        shop.token(customer_id, currency="SEK")
