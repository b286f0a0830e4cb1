"""Prices over time: a price is followed by another; who has the old one is told once and moves at a boundary."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from factories import BASE_FEE, Shop
from reading import event_types, invoices, rows, subscription

from billing.domain.errors import AlreadyExists, Conflict, EmptyInvoice, Invalid, NotFound
from billing.store.plans import Consent, Price, Whom
from billing.store.subscriptions import Subscription
from billing.use_cases.change import ChangeRequest, answer_change, change
from billing.use_cases.quoting import QuoteStale
from billing.use_cases.replace_price import (
    NewReplacement,
    Replacement,
    preview_replace_price,
    replace_price,
    replacement,
    tell_of_replacements,
)

DEARER = replace(BASE_FEE, unit_amount=2490)


def following(**terms: object) -> NewReplacement:
    return NewReplacement(**{"items": (DEARER,), "from_date": date(2028, 4, 1)} | terms)


def replaced(shop: Shop, price_id: UUID, *, quote_id: str | None = None, **terms: object) -> Replacement:
    done = replace_price(shop.database, shop.ids, shop.sign, shop.clock.now(), price_id, following(**terms), quote_id)
    while tell_of_replacements(shop.database, shop.ids, shop.clock.now()):
        pass
    return done


def subscribed(shop: Shop) -> Subscription:
    return shop.subscription(price_id=shop.price(items=(BASE_FEE,)))


def test_the_new_price_holds_from_the_first_boundary_after_its_date(shop: Shop) -> None:
    # Jan 31       Feb 29       Mar 31   (Apr 1)   Apr 30
    # |--- 1990 ---|--- 1990 ---|------ 1990 ------|--- 2490 ---|
    made = subscribed(shop)
    shop.tick()
    done = replaced(shop, made.price_id)
    for month, day in ((2, 29), (3, 31), (4, 30)):
        shop.at(datetime(2028, month, day, 12, tzinfo=UTC))
        shop.after(minutes=31)
    assert [invoice.total for invoice in invoices(shop)] == [1990, 1990, 1990, 2490]
    assert subscription(shop, made.id).price_id == done.new_price_id


def test_everybody_is_told_once_and_the_old_price_is_closed(shop: Shop) -> None:
    made = subscribed(shop)
    replaced(shop, made.price_id)
    assert tell_of_replacements(shop.database, shop.ids, shop.clock.now()) == 0
    assert event_types(shop).count("subscription.price_change_announced") == 1
    found = replacement(shop.database, made.price_id)
    assert (found.scheduled, found.passed_over, found.is_done) == (1, 0, True)
    other = shop.subscription(price_id=shop.price(items=(BASE_FEE,)))
    with pytest.raises(Conflict, match="replaced"):
        change(shop.database, shop.ids, shop.seller, shop.sign, shop.clock.now(), other.id,
               ChangeRequest(made.price_id))  # fmt: skip


def test_a_batch_that_was_interrupted_goes_on_where_it_stopped(shop: Shop) -> None:
    price_id = shop.price(items=(BASE_FEE,))
    made = [shop.subscription(price_id=price_id).id for _ in range(5)]
    shop.database.batch_size = 2
    replace_price(shop.database, shop.ids, shop.sign, shop.clock.now(), price_id, following())
    assert tell_of_replacements(shop.database, shop.ids, shop.clock.now()) == 2
    assert replacement(shop.database, price_id).scheduled == 2
    while tell_of_replacements(shop.database, shop.ids, shop.clock.now()):
        pass
    assert all(subscription(shop, id_).pending_change for id_ in made)
    assert event_types(shop).count("subscription.price_change_announced") == 5


def test_only_new_subscriptions_leave_the_others_alone(shop: Shop) -> None:
    made = subscribed(shop)
    assert replaced(shop, made.price_id, whom=Whom.NEW_ONLY).is_done
    assert subscription(shop, made.id).pending_change is None


def test_notice_puts_the_date_off(shop: Shop) -> None:
    made = subscribed(shop)
    replaced(shop, made.price_id, from_date=date(2028, 2, 1), notice_days=30)
    # 30 local days after January 31 is March 1; CET is an hour ahead.
    assert subscription(shop, made.id).pending_change["from"] == "2028-02-29T23:00:00+00:00"


def test_a_price_that_needs_a_yes_waits_for_it(shop: Shop) -> None:
    made = subscribed(shop)
    shop.tick()
    replaced(shop, made.price_id, from_date=date(2028, 2, 1), consent=Consent.OPT_IN)
    shop.at(datetime(2028, 2, 29, 12, tzinfo=UTC))
    shop.after(minutes=31)
    answer_change(shop.database, shop.ids, shop.clock.now(), made.id, accepts=True)
    shop.at(datetime(2028, 3, 31, 12, tzinfo=UTC))
    assert [invoice.total for invoice in invoices(shop)][-2:] == [1990, 2490]


def test_who_says_no_keeps_the_old_price(shop: Shop) -> None:
    made = subscribed(shop)
    shop.tick()
    replaced(shop, made.price_id, from_date=date(2028, 2, 1), consent=Consent.OPT_OUT)
    answer_change(shop.database, shop.ids, shop.clock.now(), made.id, accepts=False)
    with pytest.raises(Conflict, match="consent"):
        answer_change(shop.database, shop.ids, shop.clock.now(), made.id, accepts=True)
    shop.at(datetime(2028, 2, 29, 12, tzinfo=UTC))
    assert invoices(shop)[-1].total == 1990


def test_the_dry_run_counts_people_and_money_and_writes_nothing(shop: Shop) -> None:
    price_id = shop.price(items=(BASE_FEE,))
    made = [shop.subscription(price_id=price_id).id for _ in range(3)]
    with shop.database.tx() as session:
        session.get_one(Subscription, made[0]).quantities = {"BASE": 4}
    seen = preview_replace_price(shop.database, shop.sign, shop.clock.now(), price_id, following())
    assert (seen.subscriptions, seen.amount_before, seen.amount_after) == (3, 6 * 1990, 6 * 2490)
    assert len(rows(shop, Price)) == 1
    shop.subscription(price_id=price_id)
    with pytest.raises(QuoteStale):
        replaced(shop, price_id, quote_id=seen.quote.quote_id)


def test_a_change_that_was_pending_to_the_replaced_price_goes_on_to_the_next(shop: Shop) -> None:
    made = subscribed(shop)
    shop.tick()
    shop.after(minutes=31)
    cheaper = shop.price(items=(replace(BASE_FEE, unit_amount=990),))
    change(shop.database, shop.ids, shop.seller, shop.sign, shop.clock.now(), made.id, ChangeRequest(cheaper))
    replaced(shop, cheaper, items=(replace(BASE_FEE, unit_amount=1090),), from_date=date(2028, 2, 1))
    for month, day in ((2, 29), (3, 31)):
        shop.at(datetime(2028, month, day, 12, tzinfo=UTC))
        shop.after(minutes=31)
    assert [invoice.total for invoice in invoices(shop)] == [1990, 990, 1090]


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"from_date": date(2027, 1, 1)}, Invalid),
        ({"notice_days": -1}, Invalid),
        ({"items": ()}, EmptyInvoice),
        ({"whom": Whom.NEW_ONLY, "consent": Consent.OPT_IN}, Invalid),
    ],
)
def test_an_impossible_replacement_is_refused_and_writes_nothing(shop: Shop, terms: dict, error: type) -> None:
    price_id = shop.price()
    with pytest.raises(error):
        replaced(shop, price_id, **terms)
    assert len(rows(shop, Price)) == 1


def test_a_price_is_replaced_once(shop: Shop) -> None:
    price_id = shop.price()
    replaced(shop, price_id)
    with pytest.raises(AlreadyExists):
        replaced(shop, price_id)
    with pytest.raises(NotFound):
        replacement(shop.database, shop.price())


def test_no_subscription_can_be_made_with_a_replaced_price(shop: Shop) -> None:
    price_id = shop.price()
    replaced(shop, price_id, from_date=(shop.clock.now() + timedelta(days=1)).date())
    with pytest.raises(Conflict, match="replaced"):
        shop.subscription(price_id=price_id)
