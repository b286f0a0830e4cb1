"""Tokens are read before they are charged: what a provider says is kept, and told where it changed."""

from datetime import timedelta

from factories import Shop
from reading import event_types, rows, subscription

from billing.store.audit import Reveal
from billing.store.customers import StoredToken
from billing.store.subscriptions import Subscription
from billing.use_cases.check_tokens import check_tokens


def due(shop: Shop) -> Subscription:
    made = shop.subscription()
    shop.tick()
    with shop.database.tx() as session:
        session.get_one(Subscription, made.id).token_check_at = shop.clock.now()
    return made


def test_a_token_found_suspended_is_kept_so_and_told_once(shop: Shop) -> None:
    made = due(shop)
    shop.gateway.default_token_status = "suspended"
    assert check_tokens(shop.sending) == 1
    (token,) = rows(shop, StoredToken)
    assert (token.status, token.read_at) == ("suspended", shop.clock.now())
    assert event_types(shop).count("token.status_changed") == 1
    assert subscription(shop, made.id).token_check_at is None


def test_each_look_has_its_audit_row(shop: Shop) -> None:
    due(shop)
    check_tokens(shop.sending)
    assert [(row.purpose, row.operation_id is None) for row in rows(shop, Reveal)][-1] == ("check", True)


def test_a_token_that_could_not_be_read_is_read_an_hour_later(shop: Shop) -> None:
    made = due(shop)
    shop.gateway.default_token_status = "unknown"
    check_tokens(shop.sending)
    assert subscription(shop, made.id).token_check_at == shop.clock.now() + timedelta(hours=1)
    assert rows(shop, StoredToken)[0].status == "active"


def test_a_trial_is_looked_at_once_more_in_its_last_hour(shop: Shop) -> None:
    made = shop.subscription(price_id=shop.price(trial_days=7))
    shop.tick()
    first = subscription(shop, made.id)
    shop.at(first.token_check_at)
    second = subscription(shop, made.id)
    left = first.next_period_at - second.token_check_at
    assert timedelta(hours=1) <= left <= timedelta(hours=1, minutes=10)
