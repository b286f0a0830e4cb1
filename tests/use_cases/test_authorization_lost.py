"""Authorizations that end before their money is taken: extended in time, replaced once, then for a person."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from factories import GOODS, Shop
from reading import event_types, invoices, operations
from sqlalchemy import update

from billing.domain.operations import OperationKind
from billing.ports import Answer, Movement, Refused
from billing.store.plans import Plan
from billing.use_cases.capture import capture

PURCHASE, CAPTURE, EXTEND = OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.EXTEND
NOT_ALLOWED = Refused(Answer(403, "CAPTURE_NOT_ALLOWED"))


def authorized(shop: Shop, mode: str = "automatic") -> UUID:
    price_id = shop.price(items=GOODS)
    with shop.database.tx() as session:
        session.execute(update(Plan).values(capture=mode))
    shop.subscription(price_id=price_id)
    shop.tick()
    return invoices(shop)[0].id


def seen(shop: Shop, number: int, **facts: object) -> None:
    """What the provider says about an order from now on."""
    shop.gateway.orders[f"order-{number}"] = replace(shop.gateway.orders[f"order-{number}"], **facts)


def test_a_lost_authorization_is_purchased_again_at_once_without_a_dunning_step(shop: Shop) -> None:
    authorized(shop)
    seen(shop, 1, authorization="expired")
    shop.gateway.answer(CAPTURE, NOT_ALLOWED)
    shop.after(minutes=31)
    first, second = operations(shop, "purchase")
    assert (first.standing, first.authorization, second.trigger) == ("dead", "expired", "authorization_lost")
    assert first.dead_because.startswith("lost: expired with nothing captured")
    shop.after(minutes=31)
    (invoice,) = invoices(shop)
    assert (invoice.status, invoice.dunning_step, invoice.authorizations_lost) == ("paid", 0, 1)


def test_the_second_lost_authorization_goes_to_a_person_and_stays_live(shop: Shop) -> None:
    authorized(shop)
    shop.gateway.answer(CAPTURE, NOT_ALLOWED, NOT_ALLOWED)
    seen(shop, 1, authorization="expired")
    shop.after(minutes=31)
    seen(shop, 2, authorization="voided")
    shop.after(minutes=31)
    assert [op.standing for op in operations(shop, "purchase")] == ["dead", "live"]
    assert operations(shop, "capture")[-1].status == "needs_operator"


def test_what_was_asked_of_the_lost_authorization_is_asked_of_the_next(shop: Shop) -> None:
    invoice_id = authorized(shop, "manual")
    capture(shop.database, shop.ids, shop.clock.now(), invoice_id)
    seen(shop, 1, authorization="expired")
    shop.gateway.answer(CAPTURE, NOT_ALLOWED)
    shop.after(minutes=31)
    shop.after(minutes=31)
    assert invoices(shop)[0].status == "paid"


def test_money_that_somebody_took_in_the_portal_is_linked_and_not_taken_again(shop: Shop) -> None:
    authorized(shop)
    taken = Movement("portal-1", "by hand", 3970)
    seen(shop, 1, authorization="captured", captured_amount=3970, captures=(taken,))
    shop.gateway.answer(CAPTURE, NOT_ALLOWED)
    shop.after(minutes=31)
    (linked,) = operations(shop, "capture")
    assert (linked.status, linked.provider_id, linked.origin) == ("succeeded", "portal-1", "external")
    assert invoices(shop)[0].status == "paid"


def test_a_refused_capture_of_a_standing_order_goes_to_a_person(shop: Shop) -> None:
    authorized(shop)
    shop.gateway.answer(CAPTURE, NOT_ALLOWED)
    shop.after(minutes=31)
    assert operations(shop, "capture")[0].status == "needs_operator"
    assert [op.kind for op in operations(shop) if op.status == "planned"] == ["extend"]


def test_an_authorization_that_is_waited_for_is_extended_three_days_before_its_end(shop: Shop) -> None:
    authorized(shop, "manual")
    (purchase,), (planned,) = operations(shop, "purchase"), operations(shop, "extend")
    assert purchase.expires_at - planned.due_at == timedelta(days=3)
    later = purchase.expires_at + timedelta(days=26)
    seen(shop, 1, expires_at=later)
    shop.at(planned.due_at)
    assert operations(shop, "purchase")[0].expires_at == later
    assert [op.status for op in operations(shop, "extend")] == ["succeeded", "planned"]


def test_a_refused_extension_is_left_and_told(shop: Shop) -> None:
    authorized(shop, "manual")
    shop.gateway.answer(EXTEND, Refused(Answer(403, "NOT_ALLOWED")))
    shop.at(operations(shop, "extend")[0].due_at)
    assert operations(shop, "extend")[0].status == "declined"
    assert event_types(shop).count("authorization.not_extended") == 1
    assert operations(shop, "purchase")[0].standing == "live"
