"""Starts: later, in the past, in the middle of a month, behind a first payment, and again after the end."""

from datetime import date

import pytest
from lifecycle import at, cancel_at, fee, shop_at, spans, through
from reading import event_types, invoices, operations, subscription
from sqlalchemy import update

from billing.domain.errors import Conflict, Invalid
from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.domain.terms import CatchUp
from billing.ports import Answer, Declined, Unknown
from billing.store.customers import StoredToken
from billing.store.engine import Database
from billing.store.plans import Price
from billing.use_cases.cancel import CancelAt
from billing.use_cases.subscribe import NewSubscription, resubscribe, subscribe

PURCHASE = OperationKind.PURCHASE
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")


# Apr 10   Apr 30       May 31
# |- stub -|-- period 1 --|     20 of 30 days of the month that ends on April 30
def test_a_month_end_price_that_starts_on_10_april_bills_20_of_30_days_first(database: Database) -> None:
    shop = shop_at(database, at(4, 10))
    made = shop.subscription(price_id=fee(shop, month_end=True))
    through(shop, at(5, 1), days=2)
    assert spans(shop, made) == [("stub", "2027-04-10", "2027-04-30"), ("regular", "2027-04-30", "2027-05-31")]
    assert [invoice.total for invoice in invoices(shop)] == [1993, 2990]


def test_a_later_start_has_no_access_before_it(database: Database) -> None:
    shop = shop_at(database, at(4, 10))
    made = shop.subscription(price_id=fee(shop), start_at=at(4, 20, 10))
    shop.at(at(4, 20, 9))
    assert (subscription(shop, made.id).status, subscription(shop, made.id).access) == ("pending", "none")
    shop.at(at(4, 20, 10))
    assert (subscription(shop, made.id).status, subscription(shop, made.id).access) == ("active", "full")
    assert spans(shop, made) == [("regular", "2027-04-20", "2027-05-20")]


# Jan 31   Feb 28   Mar 31   Apr 30   May 31
# |- over -|- over -|- over -|- now --|
def test_a_start_in_the_past_bills_each_period_that_is_over_oldest_first(database: Database) -> None:
    shop = shop_at(database, at(5, 10))
    customer_id = shop.customer()
    new = NewSubscription(customer_id, fee(shop), shop.token(customer_id), at(1, 31))
    with pytest.raises(Invalid, match="say with `catch_up`"):
        subscribe(shop.database, shop.ids, shop.clock.now(), new)
    backdated = NewSubscription(customer_id, new.price_id, new.token_id, at(1, 31), catch_up=CatchUp.BILL_EACH)
    made = subscribe(shop.database, shop.ids, shop.clock.now(), backdated)
    for _ in range(6):
        shop.after(minutes=2)
    assert [(kind, start) for kind, start, _ in spans(shop, made)] == [
        ("regular", "2027-01-31"),
        ("regular", "2027-02-28"),
        ("regular", "2027-03-31"),
        ("regular", "2027-04-30"),
    ]
    assert [call.amount for call in shop.gateway.effects_of(PURCHASE)] == [2990] * 4
    assert subscription(shop, made.id).catch_up is None


def test_a_start_in_the_past_may_bill_only_the_period_that_runs(database: Database) -> None:
    shop = shop_at(database, at(5, 10))
    customer_id = shop.customer()
    new = NewSubscription(customer_id, fee(shop), shop.token(customer_id), at(1, 31), catch_up=CatchUp.BILL_CURRENT)
    made = subscribe(shop.database, shop.ids, shop.clock.now(), new)
    shop.tick()
    assert [kind for kind, _, _ in spans(shop, made)] == ["forgiven", "forgiven", "forgiven", "regular"]
    assert [invoice.total for invoice in invoices(shop)] == [2990]


def test_a_start_now_has_nothing_to_catch_up(database: Database) -> None:
    shop = shop_at(database, at(5, 10))
    customer_id = shop.customer()
    new = NewSubscription(customer_id, fee(shop), shop.token(customer_id), catch_up=CatchUp.FORGIVE)
    with pytest.raises(Invalid, match="nothing to catch up"):
        subscribe(shop.database, shop.ids, shop.clock.now(), new)


def test_a_start_behind_its_first_payment_is_active_with_the_authorization(database: Database) -> None:
    shop = shop_at(database, at(5, 10))
    made = shop.subscription(price_id=fee(shop, payment_gated=True))
    assert (made.status, made.access) == ("pending", "none")
    shop.tick()
    assert (subscription(shop, made.id).status, subscription(shop, made.id).access) == ("active", "full")


def test_a_start_whose_first_payment_never_comes_ends_never_started_with_its_invoice_void(database: Database) -> None:
    shop = shop_at(database, at(5, 10))
    shop.gateway.always(PURCHASE, SOFT)
    made = shop.subscription(price_id=fee(shop, payment_gated=True))
    shop.tick()
    shop.after(hours=23)
    assert subscription(shop, made.id).status == "pending"
    shop.after(hours=1)
    ended = subscription(shop, made.id)
    assert (ended.status, ended.end_reason, ended.access) == ("ended", "never_started", "none")
    assert invoices(shop)[0].status == "void"


def test_the_gate_does_not_time_out_while_an_answer_is_awaited(database: Database) -> None:
    shop = shop_at(database, at(5, 10))
    shop.gateway.always(PURCHASE, Unknown(Answer(message="silence")))
    made = shop.subscription(price_id=fee(shop, payment_gated=True))
    shop.tick()
    through(shop, at(5, 11, 12))
    assert (subscription(shop, made.id).status, operations(shop, "purchase")[0].status) == ("pending", "needs_operator")


def test_quantities_are_the_subscriptions_own_and_of_articles_that_the_price_has(database: Database) -> None:
    shop = shop_at(database, at(5, 10))
    customer_id, price_id = shop.customer(), fee(shop)
    token_id, now = shop.token(customer_id), shop.clock.now()
    for units in ({"OTHER": 1}, {"BASE": 0}):
        wrong = NewSubscription(customer_id, price_id, token_id, quantities=units)
        with pytest.raises(Invalid) as refused:
            subscribe(shop.database, shop.ids, now, wrong)
        assert refused.value.where == "quantities"
    subscribe(shop.database, shop.ids, now, NewSubscription(customer_id, price_id, token_id, quantities={"BASE": 3}))
    shop.tick()
    assert [invoice.total for invoice in invoices(shop)] == [3 * 2990]


def test_a_price_that_was_replaced_takes_nobody_new(database: Database) -> None:
    shop = shop_at(database, at(5, 10))
    old, new = fee(shop), fee(shop)
    with shop.database.tx() as session:
        session.execute(update(Price).where(Price.id == old).values(replaced_by_id=new))
    with pytest.raises(Conflict, match=f"take price_{new.hex}"):
        shop.subscription(price_id=old)
    assert event_types(shop) == []


def test_a_token_signed_for_months_does_not_start_a_yearly_price(database: Database) -> None:
    shop = shop_at(database, at(5, 10))
    customer_id = shop.customer()
    token_id = shop.token(customer_id)
    with shop.database.tx() as session:
        signed = {"signed_interval": "month", "signed_interval_count": 1}
        session.execute(update(StoredToken).where(StoredToken.id == token_id).values(**signed))
    new = NewSubscription(customer_id, fee(shop, interval=Interval.YEAR), token_id)
    with pytest.raises(Invalid, match="another interval than 1 year"):
        subscribe(shop.database, shop.ids, shop.clock.now(), new)


def test_what_has_ended_is_taken_again_as_a_new_subscription_without_a_trial(database: Database) -> None:
    shop = shop_at(database, at(4, 28))
    made = shop.subscription(price_id=fee(shop, trial_days=7))
    shop.tick()
    with pytest.raises(Conflict, match="trialing"):
        resubscribe(shop.database, shop.ids, shop.clock.now(), made.id)
    cancel_at(shop, made, CancelAt.NOW)
    again = resubscribe(shop.database, shop.ids, shop.clock.now(), made.id)
    shop.tick()
    assert subscription(shop, again.id).status == "active"
    assert spans(shop, again) == [("regular", "2027-04-28", "2027-05-28")]
    assert subscription(shop, made.id).status == "ended"
    assert subscription(shop, again.id).anchor_date == date(2027, 4, 28)
