"""A person decides about a purchase whose review by the provider is overdue."""

from datetime import timedelta

from deciding import PRICE, PURCHASE, order, said
from factories import Shop
from reading import event_types, invoices, operations

from billing.domain.decisions import Then, Verb
from billing.ports import Answer, Succeeded
from billing.store.operations import Operation


def reviewed_too_long(shop: Shop) -> Operation:
    shop.gateway.answer(PURCHASE, Succeeded(Answer(200), "order-1", "pending_review"))
    shop.subscription()
    shop.tick()
    shop.gateway.unreadable_orders.add("order-1")
    for hours in (1, 4, 8, 24):
        shop.at(operations(shop)[0].settled_at + timedelta(hours=hours))
    return operations(shop)[0]


def test_a_review_that_is_overdue_leaves_the_call_a_success_and_is_looked_at_daily(shop: Shop) -> None:
    purchase = reviewed_too_long(shop)
    assert (purchase.status, purchase.authorization, purchase.answer_code) == (
        "succeeded",
        "pending_review",
        "REVIEW_OVERDUE",
    )
    assert purchase.next_check_at - purchase.settled_at == timedelta(hours=48)
    shop.gateway.unreadable_orders.clear()
    shop.gateway.orders["order-1"] = order(purchase)
    shop.at(purchase.next_check_at)
    assert operations(shop)[0].authorization == "captured"
    assert event_types(shop).count("purchase.review_overdue") == 1


def test_a_person_says_that_a_review_was_accepted_or_rejected(shop: Shop) -> None:
    purchase = reviewed_too_long(shop)
    said(shop, purchase.id, Verb.RETIRE, then=Then.PURCHASE_AGAIN, unverified=True)
    first, second = operations(shop, "purchase")
    assert (first.status, first.authorization, first.standing, second.n) == ("succeeded", "rejected", "dead", 2)


def test_an_accepted_review_is_captured(shop: Shop) -> None:
    purchase = reviewed_too_long(shop)
    said(shop, purchase.id, Verb.LINK, amount=PRICE, unverified=True)
    shop.after(minutes=31)
    assert invoices(shop)[0].status == "paid"
