"""When authorized money is taken: by itself, with what was sent, by a person's call; in parts that sum to the whole."""

from datetime import timedelta
from uuid import UUID

import pytest
from factories import GOODS, Shop
from reading import event_types, invoices, operations, rows
from sqlalchemy import update

from billing.domain.dispatches import SentArticle
from billing.domain.errors import BadRows, Conflict, Invalid
from billing.domain.operations import OperationKind
from billing.ports import Answer, Shipment, Succeeded
from billing.store.invoices import InvoiceLine
from billing.store.plans import Plan
from billing.use_cases.capture import capture
from billing.use_cases.dispatch import Dispatch, dispatch
from billing.use_cases.ship import ship

CAPTURE, SHIP = OperationKind.CAPTURE, OperationKind.SHIP
PARCEL = Shipment("PostNord", "UU123456789SE")


def authorized(shop: Shop, **plan: object) -> UUID:
    """An invoice of 39.70 whose purchase was just authorized, under a plan with these rules."""
    price_id = shop.price(items=GOODS)
    with shop.database.tx() as session:
        session.execute(update(Plan).values(**{"capture": "automatic", **plan}))
    shop.subscription(price_id=price_id)
    shop.tick()
    return invoices(shop)[0].id


def sent(shop: Shop, invoice_id: UUID, quantity: int, *parcels: Shipment, article: str = "BOX") -> object:
    one = Dispatch(invoice_id, [SentArticle(article, quantity, "line 2")], parcels)
    return dispatch(shop.database, shop.ids, shop.clock.now(), [one])


def line(shop: Shop, article: str) -> InvoiceLine:
    return next(row for row in rows(shop, InvoiceLine) if row.article_number == article)


@pytest.mark.parametrize(("minutes", "waits"), [(31, 31), (0, 31), (180, 180)])
def test_an_automatic_capture_waits_as_the_plan_says_but_never_less_than_31_minutes(
    shop: Shop, minutes: int, waits: int
) -> None:
    authorized(shop, capture_delay_minutes=minutes)
    (purchase,), (planned,) = operations(shop, "purchase"), operations(shop, "capture")
    assert planned.due_at - purchase.settled_at == timedelta(minutes=waits)


def test_a_dispatch_takes_its_units_and_everything_that_is_not_sent_in_parcels(shop: Shop) -> None:
    invoice_id = authorized(shop, capture="on_dispatch")
    assert operations(shop, "capture") == []
    sent(shop, invoice_id, 1, PARCEL)
    shop.after(minutes=31)
    (call,) = shop.gateway.effects_of(CAPTURE)
    assert call.amount == 1990 + 745 + 490
    assert shop.gateway.prepared[-1].shipments == (PARCEL,)
    assert (line(shop, "BOX").captured_quantity, line(shop, "BOX").dispatched_quantity) == (1, 1)
    assert [i.status for i in invoices(shop)] == ["open"]


def test_the_last_dispatch_pays_the_invoice_to_the_cent(shop: Shop) -> None:
    invoice_id = authorized(shop, capture="on_dispatch")
    sent(shop, invoice_id, 1)
    sent(shop, invoice_id, 1)
    shop.after(minutes=31)
    assert [call.amount for call in shop.gateway.effects_of(CAPTURE)] == [3225, 745]
    (invoice,) = invoices(shop)
    assert (invoice.status, invoice.captured, line(shop, "BOX").dispatched_quantity) == ("paid", 3970, 2)


def test_every_bad_row_is_named_and_nothing_of_the_others_is_written(shop: Shop) -> None:
    good, other = authorized(shop, capture="on_dispatch"), UUID(int=7)
    all_of_them = [
        Dispatch(good, [SentArticle("BOX", 1, "line 2"), SentArticle("HAT", 1, "line 3")]),
        Dispatch(other, [SentArticle("BOX", 1, "line 4")], where="line 4"),
    ]
    with pytest.raises(BadRows) as bad:
        dispatch(shop.database, shop.ids, shop.clock.now(), all_of_them)
    assert sorted(where for where, _ in bad.value.faults) == ["line 3", "line 4"]
    assert operations(shop, "capture") == []


def test_more_units_than_are_left_cannot_be_sent(shop: Shop) -> None:
    invoice_id = authorized(shop, capture="on_dispatch")
    sent(shop, invoice_id, 2)
    with pytest.raises(BadRows):
        sent(shop, invoice_id, 1)


def test_parcels_of_a_captured_invoice_are_told_to_the_provider(shop: Shop) -> None:
    invoice_id = authorized(shop)
    shop.after(minutes=31)
    sent(shop, invoice_id, 2, PARCEL)
    shop.tick()
    assert len(shop.gateway.effects_of(SHIP)) == 1
    assert line(shop, "BOX").dispatched_quantity == 2
    assert "invoice.shipped" in event_types(shop)


def test_a_return_label_is_added_to_the_newest_capture(shop: Shop) -> None:
    invoice_id = authorized(shop)
    with pytest.raises(Conflict, match="captured"):
        ship(shop.database, shop.ids, shop.clock.now(), invoice_id, [PARCEL])
    shop.after(minutes=31)
    ship(shop.database, shop.ids, shop.clock.now(), invoice_id, [PARCEL])
    shop.tick()
    assert shop.gateway.prepared[-1].capture_id == "capture-1"


def test_a_person_takes_units_of_a_line_and_later_the_rest(shop: Shop) -> None:
    invoice_id = authorized(shop, capture="manual")
    shop.after(hours=2)
    capture(shop.database, shop.ids, shop.clock.now(), invoice_id, {line(shop, "BOX").id: 1})
    shop.tick()
    capture(shop.database, shop.ids, shop.clock.now(), invoice_id)
    shop.tick()
    assert [call.amount for call in shop.gateway.effects_of(CAPTURE)] == [745, 3225]
    assert invoices(shop)[0].status == "paid"


def test_a_capture_by_hand_is_not_sent_in_the_first_30_minutes(shop: Shop) -> None:
    invoice_id = authorized(shop, capture="manual")
    planned = capture(shop.database, shop.ids, shop.clock.now(), invoice_id)
    assert planned.due_at == shop.clock.now() + timedelta(minutes=31)


def test_units_that_a_line_does_not_have_are_not_captured(shop: Shop) -> None:
    invoice_id = authorized(shop, capture="manual")
    with pytest.raises(Invalid, match="2 are left"):
        capture(shop.database, shop.ids, shop.clock.now(), invoice_id, {line(shop, "BOX").id: 3})


def test_a_capture_without_the_providers_risk_is_told(shop: Shop) -> None:
    shop.gateway.answer(CAPTURE, Succeeded(Answer(200), "c-1", facts={"risk": "no_risk"}))
    authorized(shop)
    shop.after(minutes=31)
    assert operations(shop, "capture")[0].risk == "no_risk"
    assert event_types(shop).count("capture.no_risk") == 1
