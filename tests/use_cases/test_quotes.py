"""Quotes: what was shown is what is done, to the cent, for 30 minutes."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from factories import Shop
from reading import rows
from sqlmodel import select

from billing.store.customers import StoredToken
from billing.store.subscriptions import Subscription
from billing.use_cases.preview_subscription import hold_to_quote, preview_subscription
from billing.use_cases.quoting import (
    QuoteExpired,
    QuoteInvalid,
    QuoteStale,
    accepted,
    check_same,
    quote,
)
from billing.use_cases.subscribe import NewSubscription

NOW = datetime(2028, 4, 11, 10, tzinfo=UTC)
SUBJECT = UUID(int=7)


@dataclass(frozen=True)
class Asked:
    price: UUID
    on: date


REQUEST = Asked(UUID(int=9), date(2028, 4, 11))


def given(shop: Shop) -> str:
    return quote(shop.sign, "change", SUBJECT, REQUEST, NOW, {"total": 1266, "lines": [-1894, 3160]}).quote_id


def test_a_quote_holds_its_instant_and_its_cents_for_30_minutes(shop: Shop) -> None:
    later = NOW + timedelta(minutes=29, seconds=59)
    found = accepted(shop.sign, given(shop), "change", SUBJECT, REQUEST, later)
    assert found.effective_at == NOW
    check_same(found, {"total": 1266, "lines": (-1894, 3160)})
    with pytest.raises(QuoteExpired):
        accepted(shop.sign, given(shop), "change", SUBJECT, REQUEST, NOW + timedelta(minutes=30))


def test_other_cents_are_refused_with_both_sums(shop: Shop) -> None:
    found = accepted(shop.sign, given(shop), "change", SUBJECT, REQUEST, NOW)
    with pytest.raises(QuoteStale, match=r"1266 .* 1300"):
        check_same(found, {"total": 1300, "lines": [-1894, 3194]})


@pytest.mark.parametrize(
    ("verb", "subject", "request_"),
    [("cancel", SUBJECT, REQUEST), ("change", UUID(int=8), REQUEST), ("change", SUBJECT, Asked(UUID(int=1), NOW))],
)
def test_a_quote_is_for_one_request_only(shop: Shop, verb: str, subject: UUID, request_: object) -> None:
    with pytest.raises(QuoteInvalid):
        accepted(shop.sign, given(shop), verb, subject, request_, NOW)


def test_no_letter_of_a_quote_can_be_changed(shop: Shop) -> None:
    text = given(shop)
    for place in range(len(text)):
        other = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(QuoteInvalid):
            accepted(shop.sign, other, "change", SUBJECT, REQUEST, NOW)
    for nonsense in ("", "quo_", "quo_é", "sub_1", text[:-1], text + "A"):
        with pytest.raises(QuoteInvalid):
            accepted(shop.sign, nonsense, "change", SUBJECT, REQUEST, NOW)


def test_each_purpose_has_a_key_of_its_own(shop: Shop) -> None:
    assert shop.keyring.mac(b"quote", b"x") != shop.keyring.mac(b"page", b"x")


def wanted(shop: Shop, price_id: UUID) -> NewSubscription:
    customer_id = shop.customer()
    return NewSubscription(customer_id, price_id, shop.token(customer_id))


def test_the_preview_of_a_subscription_bills_its_first_period_and_leaves_nothing(shop: Shop) -> None:
    new = wanted(shop, shop.price())
    seen = preview_subscription(shop.database, shop.ids, shop.seller, shop.sign, shop.clock.now(), new)
    assert (seen.total, seen.due, seen.collect_at) == (3970, 3970, shop.clock.now())
    assert (seen.next_on, seen.next_total) == (date(2028, 2, 29), 3970)
    assert [line.article_number for line in seen.lines] == ["BASE", "BOX", "FREIGHT"]
    with shop.database.tx() as session:
        assert not session.exec(select(Subscription)).all()
    assert len(rows(shop, StoredToken)) == 1


def test_the_preview_of_a_trial_shows_when_it_is_charged_first(shop: Shop) -> None:
    new = wanted(shop, shop.price(trial_days=7))
    seen = preview_subscription(shop.database, shop.ids, shop.seller, shop.sign, shop.clock.now(), new)
    assert [(period.kind, period.start_date) for period in seen.periods] == [
        ("trial", date(2028, 1, 31)),
        ("regular", date(2028, 2, 7)),
    ]
    assert seen.total == 3970


def test_a_subscription_can_be_held_to_its_quote(shop: Shop) -> None:
    new = wanted(shop, shop.price())
    now = shop.clock.now()
    seen = preview_subscription(shop.database, shop.ids, shop.seller, shop.sign, now, new)
    later = now + timedelta(minutes=5)
    args = (shop.database, shop.ids, shop.seller, shop.sign, later, new, seen.quote.quote_id)
    assert hold_to_quote(*args) == now
