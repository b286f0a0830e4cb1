"""What a customer may use: all, grace for a while after a decline, nothing after it, all again on recovery."""

from datetime import UTC, datetime, timedelta

import pytest
from factories import Shop
from reading import event_types, invoices, operations, subscription
from sqlalchemy import update

from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined
from billing.store.batch import Batch
from billing.store.plans import Plan
from billing.store.subscriptions import Subscription
from billing.use_cases.access import grace_over

PURCHASE = OperationKind.PURCHASE
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")
HARD = Declined(Answer(403, "TOKEN_CANCELLED"), "hard")


def test_a_declined_customer_keeps_access_for_seven_days(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, SOFT)
    made = shop.subscription()
    shop.tick()
    found = subscription(shop, made.id)
    assert (found.access, found.grace_ends_at - shop.clock.now()) == ("grace", timedelta(days=7))


def test_access_ends_with_the_grace_and_comes_back_with_the_money_one_event_each(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, SOFT)
    made = shop.subscription()
    shop.tick()
    shop.clock.set(datetime(2028, 2, 7, 9, tzinfo=UTC))
    with shop.database.tx() as session:
        batch = Batch(shop.ids, shop.clock.now())
        grace_over(batch, session.get_one(Subscription, made.id))
        batch.write(session)
    assert subscription(shop, made.id).access == "none"
    shop.after(hours=30)
    shop.after(hours=1)
    assert (subscription(shop, made.id).access, invoices(shop)[0].status) == ("full", "paid")
    assert event_types(shop).count("subscription.access_changed") == 3


def gated(shop: Shop) -> Subscription:
    """A subscription that waits for its first payment; its start lies a moment ahead."""
    price_id = shop.price()
    with shop.database.tx() as session:
        session.execute(update(Plan).values(payment_gated=True))
    return shop.subscription(price_id=price_id, start_at=shop.clock.now() + timedelta(minutes=1))


def test_a_gated_start_is_active_with_its_first_authorization(shop: Shop) -> None:
    made = gated(shop)
    shop.after(minutes=1)
    started = subscription(shop, made.id)
    assert (started.status, started.gate_expires_at) == ("active", None)
    assert event_types(shop).count("subscription.activated") == 1


def test_a_hard_decline_ends_a_gated_start_and_voids_its_invoice(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, HARD)
    made = gated(shop)
    shop.after(minutes=1)
    ended = subscription(shop, made.id)
    assert (ended.status, ended.end_reason, ended.access) == ("ended", "never_started", "none")
    assert [i.status for i in invoices(shop)] == ["void"]


def test_a_soft_decline_of_a_gated_start_waits_for_the_gates_end(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, SOFT)
    made = gated(shop)
    shop.after(minutes=1)
    assert subscription(shop, made.id).status == "pending"
    assert [op.status for op in operations(shop)] == ["declined"]
    shop.after(hours=25)
    assert (subscription(shop, made.id).status, invoices(shop)[0].status) == ("ended", "void")


@pytest.mark.parametrize(("days", "access"), [(0, "none"), (3, "grace")])
def test_the_plan_says_how_long_the_grace_is(shop: Shop, days: int, access: str) -> None:
    price_id = shop.price()
    with shop.database.tx() as session:
        session.execute(update(Plan).values(grace_days=days))
    shop.gateway.answer(PURCHASE, SOFT)
    made = shop.subscription(price_id=price_id)
    shop.tick()
    assert subscription(shop, made.id).access == access
