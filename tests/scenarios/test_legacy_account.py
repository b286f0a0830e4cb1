"""An account of the older generation as somebody configures it: settings, secret, loops, one renewal."""

from datetime import UTC, datetime

import pytest
from both_books import BothBooks
from installed import Installed

from billing.adapters.klarna_legacy.gateway import KlarnaLegacy
from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule, PriceItem, Recognize
from billing.domain.tokens import Token
from billing.use_cases.catalogue import NewCustomer, NewPlan, NewPrice, create_customer, create_plan, create_price
from billing.use_cases.save_token import save_token
from billing.use_cases.subscribe import NewSubscription, subscribe

START, LATER = datetime(2028, 1, 31, 8, tzinfo=UTC), datetime(2028, 1, 31, 9, tzinfo=UTC)


@pytest.fixture
def legacy(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> Installed:
    address = installed.sandbox.url
    installed.config_file.write_text(
        f"""
        [[provider_accounts]]
        name = "old"
        generation = "legacy"
        order_management_url = "{address}"
        checkout_url = "{address}"
        eid = 4711
        password_env = "OLD_SECRET"
        """
    )
    monkeypatch.setenv("OLD_SECRET", "sharedSecret")
    installed.sandbox.freeze(START.isoformat()).raise_for_status()
    return installed


def subscribed(installed: Installed) -> None:
    installed.tokens.append(installed.sandbox.new_token("legacy", currency="SEK"))
    fee = PriceItem("BASE", "Grundavgift", 1, 1990, 2500, CreditRule.TIME, Recognize.TIME)
    with installed.at(START) as (wiring, _, _):
        assert isinstance(wiring.accounts["old"].gateway, KlarnaLegacy)
        assert (wiring.accounts["old"].generation, wiring.accounts["old"].window) == ("legacy", 8)
        assert wiring.accounts["old"].status_sees_recurring is False
        here = (wiring.database, wiring.ids, START)
        plan = create_plan(*here, NewPlan("monthly", "Plant of the month"))
        price = create_price(*here, NewPrice(plan.id, "SEK", Interval.MONTH, 1, (fee,)))
        person = NewCustomer("c-1", "Kim", "kim@example.com", "SE", "Europe/Stockholm", "sv-SE")
        customer = create_customer(*here, person)
        token = save_token(
            wiring.database,
            wiring.keyring,
            *here[1:],
            customer_id=customer.id,
            provider_account="old",
            currency="SEK",
            token=Token(installed.tokens[-1]),
        )
        subscribe(*here, NewSubscription(customer.id, price.id, token.id, None))


def test_the_configuration_says_that_the_order_status_sees_recurring_orders(legacy: Installed) -> None:
    with legacy.config_file.open("a") as file:
        file.write("status_sees_recurring = true\n")
    with legacy.at(START) as (wiring, _, _):
        assert wiring.accounts["old"].status_sees_recurring is True


def test_a_configured_legacy_account_is_charged_captured_and_agrees_with_klarnas_books(legacy: Installed) -> None:
    subscribed(legacy)
    with legacy.at(START) as (_, loops, clock):
        loops.until_idle()
        legacy.sandbox.freeze(LATER.isoformat()).raise_for_status()
        clock.set(LATER)
        loops.until_idle()
    books = BothBooks(legacy)
    assert [op.risk for op in books.of_kind("capture")] == ["ok"]
    books.assert_agree()
    legacy.sandbox.settle_down()
