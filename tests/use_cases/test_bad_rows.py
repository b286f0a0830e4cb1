"""One bad row in a batch: it is found by halving and goes to a person; everybody else's goes through."""

from datetime import time

from factories import GOODS, Shop
from reading import event_types, invoices, observations, operations, periods, subscription
from sqlalchemy import text

from billing.domain.ids import derived_id
from billing.domain.operations import OperationKind
from billing.domain.periods import instant_of
from billing.ports import Answer, Succeeded
from billing.store.invoices import Invoice


def occupy(shop: Shop, made) -> None:
    """Take the invoice id that this subscription's first period will need, so that the database refuses it."""
    other = invoices(shop)[0]
    starts_at = instant_of(made.anchor_date, time.min, made.zone)
    with shop.database.tx() as session:
        copied = other.model_dump() | {
            "id": derived_id(starts_at, made.id.bytes, b"1"),
            "kind": "manual",
            "number": None,
            "series_id": None,
            "status": "void",
        }
        session.add(Invoice(**copied))


def test_a_subscription_that_the_database_refuses_is_parked_and_the_other_six_are_billed(shop: Shop) -> None:
    price_id = shop.price()
    shop.subscription(price_id=price_id)
    shop.tick()
    made = [shop.subscription(price_id=price_id) for _ in range(7)]
    occupy(shop, made[3])
    shop.tick()
    reviewed = [subscription(shop, one.id).review_reason for one in made]
    assert [bool(reason) for reason in reviewed] == [False] * 3 + [True] + [False] * 3
    assert reviewed[3] == "renewal failed: IntegrityError"
    assert len(shop.gateway.effects_of(OperationKind.PURCHASE)) == 7
    assert periods(shop, made[3].id) == []
    assert event_types(shop).count("subscription.needs_review") == 1


def test_a_settlement_that_the_database_refuses_goes_to_a_person_and_the_others_are_settled(shop: Shop) -> None:
    price_id = shop.price()
    for _ in range(4):
        shop.subscription(price_id=price_id)
    same = Succeeded(Answer(200), "one-order-id", "authorized")
    shop.gateway.answer(OperationKind.PURCHASE, same, same)
    shop.tick()
    purchases = operations(shop, "purchase")
    assert sorted(op.status for op in purchases) == ["needs_operator", "succeeded", "succeeded", "succeeded"]
    (stuck,) = (op for op in purchases if op.status == "needs_operator")
    assert (stuck.answer_code, stuck.standing) == ("not_recorded", "live")
    assert [(o.outcome, o.provider_id) for o in observations(shop) if o.operation_id == stuck.id] == [
        ("succeeded", "one-order-id")
    ]


def test_a_price_that_went_wrong_sends_its_subscription_to_review_and_opens_no_period(shop: Shop) -> None:
    made = shop.subscription(price_id=shop.price(items=GOODS))
    with shop.database.tx() as session:
        session.execute(text("DELETE FROM price_items"))
    shop.tick()
    assert subscription(shop, made.id).review_reason
    assert periods(shop, made.id) == []
