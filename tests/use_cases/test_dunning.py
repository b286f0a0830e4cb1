"""Declines: the ladder, its end, a new token, a sleeping token; and what waits its turn meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest
from factories import Exhausted, Shop
from reading import entries, event_types, invoices, operations, periods, subscription

from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Answer, Declined
from billing.store.customers import StoredToken
from billing.store.subscriptions import Subscription
from billing.use_cases.replace_token import Attempt, replace_token

SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")
HARD = Declined(Answer(403, "TOKEN_CANCELLED"), "hard")
ASLEEP = Declined(Answer(403, "TOKEN_SUSPENDED"), "suspended")
PURCHASE = OperationKind.PURCHASE


def attempt_dates(shop: Shop) -> list[str]:
    return [op.sent_at.date().isoformat() for op in operations(shop, "purchase") if op.sent_at]


def through(shop: Shop, until: datetime) -> None:
    """Hour by hour to `until`."""
    while shop.clock.now() < until:
        shop.after(hours=1)


def test_a_soft_decline_is_tried_again_on_days_1_3_7_and_14_and_ends_on_day_21(shop: Shop) -> None:
    # Jan 31  Feb 1  Feb 3  Feb 7  Feb 14   Feb 21
    #   x       x      x      x      x      ended
    shop.gateway.always(PURCHASE, SOFT)
    made = shop.subscription()
    through(shop, datetime(2028, 2, 21, 12, tzinfo=UTC))
    assert attempt_dates(shop) == ["2028-01-31", "2028-02-01", "2028-02-03", "2028-02-07", "2028-02-14"]
    ended = subscription(shop, made.id)
    assert (ended.status, ended.end_reason, ended.ended_at.date().isoformat()) == ("ended", "unpaid", "2028-02-21")
    (invoice,) = invoices(shop)
    assert (invoice.status, invoice.number, invoice.dunning_step) == ("uncollectible", None, 4)


def test_a_recovered_charge_makes_the_subscription_active_again_on_its_old_calendar(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, SOFT, SOFT)
    made = shop.subscription()
    shop.tick()
    assert subscription(shop, made.id).status == "past_due"
    through(shop, datetime(2028, 2, 4, tzinfo=UTC))
    recovered = subscription(shop, made.id)
    assert (recovered.status, recovered.anchor_day) == ("active", 31)
    assert invoices(shop)[0].status == "paid"
    assert event_types(shop).count("subscription.recovered") == 1


def test_each_attempt_carries_a_key_of_its_own(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, SOFT, SOFT)
    shop.subscription()
    through(shop, datetime(2028, 2, 4, tzinfo=UTC))
    keys = [call.key for call in shop.gateway.calls_of(PURCHASE)]
    assert len(keys) == len(set(keys)) == 3


def test_the_plan_may_keep_an_exhausted_subscription_as_unpaid(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SOFT)
    made = shop.subscription(price_id=shop.price(exhausted=Exhausted.UNPAID))
    through(shop, datetime(2028, 2, 21, 12, tzinfo=UTC))
    kept = subscription(shop, made.id)
    assert (kept.status, kept.next_period_at) == ("unpaid", None)


def test_a_hard_decline_is_not_tried_again_and_a_new_token_is_charged_at_once(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, HARD)
    made = shop.subscription()
    through(shop, datetime(2028, 2, 3, tzinfo=UTC))
    assert len(shop.gateway.calls_of(PURCHASE)) == 1
    token_id = shop.token(made.customer_id)
    replaced = replace_token(shop.database, shop.ids, shop.clock.now(), made.id, token_id)
    shop.tick()
    assert replaced.attempt is Attempt.PLANNED_NOW
    assert len(shop.gateway.effects_of(PURCHASE)) == 1
    shop.after(minutes=31)
    paid = invoices(shop)[0]
    assert (paid.status, paid.dunning_step) == ("paid", 0)
    assert subscription(shop, made.id).status == "active"


def test_a_hard_declined_token_is_revoked_here_too(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, HARD)
    made = shop.subscription()
    shop.tick()
    with shop.database.tx() as session:
        assert session.get_one(StoredToken, made.token_id).status == "revoked"


def test_a_sleeping_token_is_read_each_morning_and_charged_when_it_is_awake(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, ASLEEP)
    shop.gateway.default_token_status = "suspended"
    shop.subscription()
    through(shop, datetime(2028, 2, 4, tzinfo=UTC))
    assert len(shop.gateway.calls_of(PURCHASE)) == 1
    shop.gateway.default_token_status = "active"
    through(shop, datetime(2028, 2, 5, tzinfo=UTC))
    assert len(shop.gateway.effects_of(PURCHASE)) == 1
    assert invoices(shop)[0].status == "paid"


def test_a_token_that_died_in_its_sleep_asks_for_a_new_one(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, ASLEEP)
    shop.gateway.default_token_status = "revoked"
    shop.subscription()
    through(shop, datetime(2028, 2, 2, tzinfo=UTC))
    last = operations(shop, "purchase")[-1]
    assert (last.status, last.standing) == ("dropped", "dead")
    assert invoices(shop)[0].dunning_state == "awaiting_token"


def test_the_oldest_invoice_is_collected_first_and_the_third_period_is_withheld(shop: Shop) -> None:
    # Jan 31    Feb 7     Feb 14     Feb 21
    # declined  waits     withheld   ended
    shop.gateway.always(PURCHASE, SOFT)
    made = shop.subscription(price_id=shop.price(interval=Interval.WEEK))
    through(shop, datetime(2028, 2, 15, tzinfo=UTC))
    first, second = invoices(shop)
    assert (first.dunning_state, second.dunning_state) == ("retrying", "waiting_turn")
    assert [p.kind for p in periods(shop, made.id)] == ["regular", "regular", "withheld"]
    assert {call.operation_id for call in shop.gateway.calls_of(PURCHASE)} == {
        op.id for op in operations(shop, "purchase") if op.invoice_id == first.id and op.sent_at
    }
    through(shop, datetime(2028, 2, 22, tzinfo=UTC))
    assert {i.status for i in invoices(shop)} == {"uncollectible"}
    assert subscription(shop, made.id).status == SubscriptionStatus.ENDED


def test_the_next_invoice_has_its_turn_when_the_oldest_is_paid(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, SOFT, SOFT, SOFT, SOFT)
    made = shop.subscription(price_id=shop.price(interval=Interval.WEEK))
    through(shop, datetime(2028, 2, 14, 0, tzinfo=UTC) - timedelta(hours=8))
    assert [i.status for i in invoices(shop)] == ["open", "open"]
    shop.gateway.always(PURCHASE, None)
    with shop.database.tx() as session:
        # The third week would be withheld; this test is about the second invoice alone.
        session.get_one(Subscription, made.id).hold = "test"
    replace_token(shop.database, shop.ids, shop.clock.now(), made.id, shop.token(made.customer_id))
    with shop.database.tx() as session:
        session.get_one(Subscription, made.id).hold = None
    shop.tick()
    shop.after(minutes=31)
    shop.after(minutes=31)
    assert [i.status for i in invoices(shop)][:2] == ["paid", "paid"]
    assert subscription(shop, made.id).status == "active"


@pytest.mark.parametrize("reason", ["soft", "hard"])
def test_nothing_is_booked_and_no_number_taken_for_a_declined_renewal(shop: Shop, reason: str) -> None:

    shop.gateway.always(PURCHASE, Declined(Answer(403, "X"), reason))
    shop.subscription()
    shop.tick()
    assert entries(shop) == []
    assert invoices(shop)[0].number is None
