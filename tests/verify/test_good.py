"""What is in order is left in peace, whatever it has been through."""

from datetime import timedelta

import pytest
from factories import NumberOn, Shop
from lifecycle import FEE, cancel_at, pause_now
from verify.scene import Lived, checked, count

from billing.domain.pauses import PauseMode
from billing.domain.pricing import CreditRule, PriceItem, Recognize
from billing.store.engine import Database
from billing.use_cases.cancel import CancelAt
from billing.use_cases.ending import CreditPolicy


def test_a_shop_that_has_seen_a_bit_of_everything_holds(shop: Lived) -> None:
    report = checked(shop)
    assert report.holds, report.as_text()
    assert set(report.breaches) == {
        *(f"I{number}" for number in range(1, 13)),
        *("I14", "I18", "I19"),
    }


def test_it_has_indeed_seen_something_of_everything(shop: Lived) -> None:
    for found in (
        "operations WHERE kind = 'purchase' AND n > 1",
        "operations WHERE kind = 'refund' AND status = 'succeeded'",
        "operations WHERE status = 'unknown'",
        "periods WHERE kind = 'resumed'",
        "periods WHERE kind = 'trial'",
        "subscriptions WHERE status = 'ended'",
        "subscriptions WHERE anchor_no > 0",
        "credit_notes",
        "ledger_blocks",
    ):
        assert count(shop, found), found


def test_a_look_leaves_no_trace(shop: Lived) -> None:
    before = checked(shop)
    assert checked(shop) == before


def test_an_empty_shop_holds(database: Database) -> None:
    shop = Shop(database)
    assert checked(shop).holds


@pytest.mark.parametrize("mode", PauseMode)
def test_a_pause_of_any_mode_holds_while_it_lasts(database: Database, mode: PauseMode) -> None:
    shop = Shop(database)
    made = shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    pause_now(shop, made, mode)
    for _ in range(3):
        shop.after(days=25)
        assert checked(shop).holds, checked(shop).as_text()


def test_a_free_price_whose_invoices_are_suppressed_loses_no_period(database: Database) -> None:
    shop = Shop(database)
    free = (PriceItem("FREE", "Free", 1, 0, 2500, CreditRule.NONE, Recognize.AT_CAPTURE),)
    shop.subscription(price_id=shop.price(items=free, zero_invoices="suppressed"))
    shop.tick()
    shop.after(days=31)
    assert count(shop, "invoices") == 0
    assert checked(shop).holds, checked(shop).as_text()


def test_what_is_too_little_to_charge_and_what_costs_nothing_hold(database: Database) -> None:
    shop = Shop(database, minimum_amount=5000)
    free = (PriceItem("FREE", "Free", 1, 0, 2500, CreditRule.NONE, Recognize.AT_CAPTURE),)
    shop.subscription(price_id=shop.price(items=FEE, number_on=NumberOn.OPEN.value))
    shop.subscription(price_id=shop.price(items=free))
    for _ in range(3):
        shop.tick()
        shop.after(minutes=31)
        shop.after(days=31)
    assert count(shop, "invoices WHERE carried > 0")
    assert checked(shop).holds, checked(shop).as_text()


def test_a_start_that_lies_ahead_and_one_that_was_canceled_before_it_hold(database: Database) -> None:
    shop = Shop(database)
    ahead = shop.clock.now() + timedelta(days=9)
    shop.subscription(start_at=ahead)
    canceled = shop.subscription(start_at=ahead)
    cancel_at(shop, canceled, CancelAt.NOW)
    shop.tick()
    assert checked(shop).holds, checked(shop).as_text()


def test_a_credit_over_a_settled_invoice_holds(database: Database) -> None:
    shop = Shop(database)
    made = shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    shop.after(days=3)
    cancel_at(shop, made, CancelAt.NOW, credit=CreditPolicy.CREDIT)
    assert checked(shop).holds, checked(shop).as_text()
