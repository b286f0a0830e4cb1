"""Trials: without a token, extended, and where the paid calendar begins (billing rules, section 6)."""

from datetime import date

import pytest
from factories import Shop
from lifecycle import at, cancel_at, fee, shop_at, spans, through
from reading import invoices, subscription
from sqlalchemy import update

from billing.domain.errors import CurrencyMismatch, Invalid, TransitionNotAllowed
from billing.store.accounts import ProviderAccount
from billing.store.engine import Database
from billing.use_cases.cancel import CancelAt
from billing.use_cases.extend_trial import TrialExtended, extend_trial, preview_extend_trial
from billing.use_cases.subscribe import NewSubscription, subscribe


def extended(shop: Shop, made, until: date) -> TrialExtended:
    return extend_trial(shop.database, shop.ids, shop.seller, shop.sign, shop.clock.now(), made.id, until)


# Apr 28   May 5          Jun 5
# |- trial -|--- period 0 ---|
def test_a_trial_of_7_days_converts_to_a_whole_month(database: Database) -> None:
    shop = shop_at(database, at(4, 28))
    made = shop.subscription(price_id=fee(shop, trial_days=7))
    through(shop, at(5, 6))
    assert spans(shop, made) == [("trial", "2027-04-28", "2027-05-05"), ("regular", "2027-05-05", "2027-06-05")]
    assert [invoice.total for invoice in invoices(shop)] == [2990]


# Apr 28   May 5         May 28         Jun 28
# |- trial -|--- stub ----|--- period 1 ---|    23 of 30 days: 22.92
def test_a_trial_anchored_at_signup_bills_a_stub_of_2292_first(database: Database) -> None:
    shop = shop_at(database, at(4, 28))
    made = shop.subscription(price_id=fee(shop, trial_days=7, anchor_policy="signup"))
    through(shop, at(5, 29))
    assert spans(shop, made) == [
        ("trial", "2027-04-28", "2027-05-05"),
        ("stub", "2027-05-05", "2027-05-28"),
        ("regular", "2027-05-28", "2027-06-28"),
    ]
    assert [invoice.total for invoice in invoices(shop)] == [2292, 2990]


def test_an_extension_moves_the_end_and_the_anchor_and_nothing_else(database: Database) -> None:
    # Apr 28          May 12         Jun 12
    # |----- trial -----|--- period 0 ---|
    shop = shop_at(database, at(4, 28))
    made = shop.subscription(price_id=fee(shop, trial_days=7))
    shop.tick()
    shown = preview_extend_trial(shop.database, shop.seller, shop.sign, shop.clock.now(), made.id, date(2027, 5, 12))
    assert spans(shop, made) == [("trial", "2027-04-28", "2027-05-05")]
    assert extended(shop, made, date(2027, 5, 12)).money == shown.money
    through(shop, at(5, 13))
    assert spans(shop, made) == [("trial", "2027-04-28", "2027-05-12"), ("regular", "2027-05-12", "2027-06-12")]


def test_an_extended_trial_anchored_at_signup_keeps_its_day(database: Database) -> None:
    # Apr 28      May 12     May 28
    # |-- trial --|-- stub --|   16 of 30 days
    shop = shop_at(database, at(4, 28))
    made = shop.subscription(price_id=fee(shop, trial_days=7, anchor_policy="signup"))
    shop.tick()
    done = extended(shop, made, date(2027, 5, 12))
    assert (done.first_starts_on, done.first_ends_on, done.first_total) == (date(2027, 5, 12), date(2027, 5, 28), 1595)
    assert extended(shop, made, date(2027, 6, 1)).first_ends_on == date(2027, 6, 28)


def test_what_is_no_extension_is_refused(database: Database) -> None:
    shop = shop_at(database, at(4, 28))
    made = shop.subscription(price_id=fee(shop, trial_days=7))
    with pytest.raises(TransitionNotAllowed, match="pending"):
        extended(shop, made, date(2027, 5, 12))
    shop.tick()
    with pytest.raises(Invalid, match="later day"):
        extended(shop, made, date(2027, 5, 5))
    with pytest.raises(Invalid, match="at most 730 days"):
        extended(shop, made, date(2029, 5, 1))
    cancel_at(shop, made, CancelAt.PERIOD_END)
    with pytest.raises(TransitionNotAllowed, match="undo that first"):
        extended(shop, made, date(2027, 5, 12))
    assert spans(shop, made) == [("trial", "2027-04-28", "2027-05-05")]


def test_a_trial_that_is_over_is_not_extended(database: Database) -> None:
    shop = shop_at(database, at(4, 28))
    made = shop.subscription(price_id=fee(shop, trial_days=7))
    shop.tick()
    shop.clock.set(at(5, 5))
    with pytest.raises(TransitionNotAllowed, match="over"):
        extended(shop, made, date(2027, 5, 12))


def test_a_trial_may_start_without_a_token_and_has_access_while_it_runs(database: Database) -> None:
    shop = shop_at(database, at(4, 28))
    new = NewSubscription(shop.customer(), fee(shop, trial_days=7), None, provider_account="main")
    made = subscribe(shop.database, shop.ids, shop.clock.now(), new)
    assert (made.status, made.access) == ("pending", "none")
    shop.tick()
    assert (subscription(shop, made.id).status, subscription(shop, made.id).access) == ("trialing", "full")


def test_without_a_trial_a_token_is_needed_and_without_a_token_an_account(database: Database) -> None:
    shop = shop_at(database, at(4, 28))
    customer_id, now = shop.customer(), shop.clock.now()
    with pytest.raises(Invalid, match="a token is needed"):
        subscribe(shop.database, shop.ids, now, NewSubscription(customer_id, fee(shop), None))
    with pytest.raises(Invalid, match="the account that will charge"):
        subscribe(shop.database, shop.ids, now, NewSubscription(customer_id, fee(shop, trial_days=7), None))
    nowhere = NewSubscription(customer_id, fee(shop, trial_days=7), None, provider_account="nowhere")
    with pytest.raises(Invalid, match="no such provider account"):
        subscribe(shop.database, shop.ids, now, nowhere)


def test_a_currency_that_the_account_does_not_take_is_refused_when_it_is_attached(database: Database) -> None:
    shop = shop_at(database, at(4, 28))
    new = NewSubscription(shop.customer(), fee(shop, trial_days=7), None, provider_account="main")
    with shop.database.tx() as session:
        session.execute(update(ProviderAccount).values(currencies=["EUR"]))
    with pytest.raises(CurrencyMismatch, match="charges EUR"):
        subscribe(shop.database, shop.ids, shop.clock.now(), new)
