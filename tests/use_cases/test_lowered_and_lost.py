"""Captures that cannot go as planned: an order that could not be made smaller, a reservation that may have expired."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from books import assert_books_agree
from factories import BASE_FEE, GOODS, Shop
from reading import event_types, invoices, operations, rows
from sqlalchemy import update

from billing.domain.dispatches import SentArticle
from billing.domain.errors import OutcomeUnknown
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined, Refused, Shipment, Succeeded, Unknown
from billing.store.engine import Database
from billing.store.invoices import InvoiceLine
from billing.store.outbox import Event
from billing.store.plans import Plan
from billing.use_cases.capture import capture
from billing.use_cases.credit_invoice import CreditBy, NewCredit, credit_invoice
from billing.use_cases.dispatch import Dispatch, dispatch
from billing.use_cases.refund import NewRefund, refund
from billing.use_cases.ship import ship

AMEND, CAPTURE, EXTEND = OperationKind.AMEND, OperationKind.CAPTURE, OperationKind.EXTEND
PURCHASE, RELEASE, REFUND, SHIP = (
    OperationKind.PURCHASE,
    OperationKind.RELEASE,
    OperationKind.REFUND,
    OperationKind.SHIP,
)
NOT_ALLOWED = Refused(Answer(403, "NOT_ALLOWED"))
TOO_LATE = Refused(Answer(200, "8104"), may_have_ended=True)
ASLEEP = Declined(Answer(200, "2106"), "soft")
PARCEL = Shipment("PostNord", "UU123456789SE")


@pytest.fixture
def legacy(database: Database) -> Shop:
    return Shop(database, generation="legacy")


def authorized(shop: Shop, mode: str = "automatic", **price: object) -> UUID:
    price_id = shop.price(**{"items": GOODS, **price})
    with shop.database.tx() as session:
        session.execute(update(Plan).values(capture=mode))
    shop.subscription(price_id=price_id)
    shop.tick()
    return invoices(shop)[0].id


def credit(shop: Shop, invoice_id: UUID, article: str = "BOX", units: int = 1) -> None:
    new = NewCredit(invoice_id, "goodwill", CreditBy.QUANTITY, units={line(shop, article).id: units})
    credit_invoice(shop.database, shop.ids, shop.clock.now(), new)


def line(shop: Shop, article: str) -> InvoiceLine:
    return next(row for row in rows(shop, InvoiceLine) if row.article_number == article)


def take(shop: Shop, invoice_id: UUID, **units: int) -> None:
    wanted = {line(shop, article).id: count for article, count in units.items()} or None
    capture(shop.database, shop.ids, shop.clock.now(), invoice_id, wanted)
    shop.tick()


# --- an order that could not be made smaller -------------------------------------------------------------------


@pytest.mark.parametrize("generation", ["rest", "legacy"])
def test_of_an_order_that_cannot_be_made_smaller_only_what_is_owed_is_taken_and_the_rest_given_back(
    database: Database, generation: str
) -> None:
    shop = Shop(database, generation=generation)
    invoice_id = authorized(shop)
    shop.gateway.answer(AMEND, NOT_ALLOWED)
    credit(shop, invoice_id)
    shop.after(minutes=31)
    (taken,) = shop.gateway.effects_of(CAPTURE)
    order = next(order for order in shop.gateway.prepared if order.kind is CAPTURE)
    assert (taken.amount, order.is_whole) == (3970 - 745, False)
    assert [(article.reference, article.quantity) for article in order.lines] == [
        ("BASE", 1),
        ("BOX", 1),
        ("FREIGHT", 1),
    ]
    assert [call.amount for call in shop.gateway.effects_of(RELEASE)] == [745]
    assert (invoices(shop)[0].status, operations(shop, "purchase")[0].authorization) == ("paid", "released")
    assert [op.status for op in operations(shop, "amend")] == ["declined"]
    assert_books_agree(shop)


def test_a_person_who_captures_after_a_refused_amendment_takes_no_more_than_is_owed(shop: Shop) -> None:
    invoice_id = authorized(shop, "manual")
    shop.gateway.answer(AMEND, NOT_ALLOWED)
    credit(shop, invoice_id)
    shop.after(minutes=31)
    take(shop, invoice_id)
    assert [call.amount for call in shop.gateway.effects_of(CAPTURE)] == [3225]
    assert [call.amount for call in shop.gateway.effects_of(RELEASE)] == [745]
    assert (invoices(shop)[0].status, invoices(shop)[0].captured) == ("paid", 3225)


def test_a_legacy_order_that_is_captured_in_part_is_not_amended_at_all(legacy: Shop) -> None:
    invoice_id = authorized(legacy, "manual")
    legacy.after(minutes=31)
    take(legacy, invoice_id, BASE=1)
    credit(legacy, invoice_id)
    take(legacy, invoice_id)
    assert legacy.gateway.calls_of(AMEND) == []
    assert [call.amount for call in legacy.gateway.effects_of(CAPTURE)] == [1990, 1235]
    assert [call.amount for call in legacy.gateway.effects_of(RELEASE)] == [745]
    assert invoices(legacy)[0].status == "paid"


def test_an_amendment_that_happened_in_silence_is_read_and_not_sent_again(shop: Shop) -> None:
    invoice_id = authorized(shop)
    shop.gateway.answer(AMEND, Unknown(Answer(message="silence")))
    credit(shop, invoice_id)
    shop.tick()
    shop.gateway.orders["order-1"] = replace(shop.gateway.orders["order-1"], amount=3225)
    shop.after(seconds=5)
    (amend,) = operations(shop, "amend")
    assert (amend.status, amend.sends, len(shop.gateway.calls_of(AMEND))) == ("succeeded", 1, 1)


def test_an_amendment_that_did_not_happen_is_sent_again_under_its_key(shop: Shop) -> None:
    invoice_id = authorized(shop)
    shop.gateway.answer(AMEND, Unknown(Answer(message="silence")))
    credit(shop, invoice_id)
    shop.tick()
    shop.after(seconds=5)
    first, second = shop.gateway.calls_of(AMEND)
    assert (operations(shop, "amend")[0].status, first.key) == ("succeeded", second.key)


@pytest.mark.parametrize(("answer", "sends"), [(Unknown(Answer(message="silence")), 1), (NOT_ALLOWED, 1)])
def test_a_release_is_done_where_the_order_says_that_nothing_is_left(
    shop: Shop, answer: Unknown | Refused, sends: int
) -> None:
    invoice_id = authorized(shop, "manual")
    shop.after(minutes=31)
    take(shop, invoice_id, BASE=1)
    new = NewCredit(invoice_id, "goodwill", CreditBy.AMOUNT, amount=Money(1980, "SEK"))
    shop.gateway.orders["order-1"] = replace(shop.gateway.orders["order-1"], authorization="captured")
    shop.gateway.answer(RELEASE, answer)
    credit_invoice(shop.database, shop.ids, shop.clock.now(), new)
    shop.tick()
    shop.after(seconds=5)
    (release,) = operations(shop, "release")
    assert (release.status, release.sends) == ("succeeded", sends)


# --- a reservation that may have expired -----------------------------------------------------------------------


def test_a_legacy_capture_that_came_too_late_goes_out_again_after_one_extension(legacy: Shop) -> None:
    authorized(legacy)
    later = legacy.clock.now() + timedelta(days=60)
    legacy.gateway.answer(CAPTURE, TOO_LATE)
    legacy.gateway.answer(EXTEND, Succeeded(Answer(200), expires_at=later))
    legacy.after(minutes=31)
    assert [op.status for op in operations(legacy, "capture")] == ["declined", "succeeded"]
    assert operations(legacy, "purchase")[0].expires_at == later
    assert [call.kind for call in legacy.gateway.calls[1:4]] == [CAPTURE, EXTEND, CAPTURE]
    assert (invoices(legacy)[0].status, invoices(legacy)[0].dunning_step) == ("paid", 0)


def test_an_extension_that_is_declined_is_a_soft_decline_and_the_next_purchase_takes_the_money(legacy: Shop) -> None:
    invoice_id = authorized(legacy, "manual")
    legacy.after(minutes=31)
    legacy.gateway.answer(CAPTURE, TOO_LATE)
    legacy.gateway.answer(EXTEND, ASLEEP)
    take(legacy, invoice_id)
    (first, second), (invoice,) = operations(legacy, "purchase"), invoices(legacy)
    assert (first.authorization, first.standing, second.trigger) == ("expired", "dead", "dunning")
    assert (invoice.dunning_state, invoice.payment_state) == ("retrying", "failed")
    legacy.at(second.due_at)
    legacy.after(minutes=31)
    assert (invoices(legacy)[0].status, len(legacy.gateway.effects_of(CAPTURE))) == ("paid", 1)


@pytest.mark.parametrize("answer", [Refused(Answer(200, "8104")), Refused(Answer(200, "9109"))])
def test_a_reservation_that_cannot_be_extended_goes_to_a_person_and_is_not_purchased_again(
    legacy: Shop, answer: Refused
) -> None:
    authorized(legacy)
    legacy.gateway.answer(CAPTURE, TOO_LATE)
    legacy.gateway.answer(EXTEND, answer)
    legacy.after(minutes=31)
    legacy.after(days=5)
    (purchase,), (refused, waiting) = operations(legacy, "purchase"), operations(legacy, "capture")
    assert (purchase.standing, refused.answer_code, waiting.status) == ("live", "8104", "needs_operator")


def test_a_reservation_is_extended_once_for_a_capture(legacy: Shop) -> None:
    authorized(legacy)
    legacy.gateway.answer(CAPTURE, TOO_LATE, TOO_LATE)
    legacy.after(minutes=31)
    assert [op.status for op in operations(legacy, "capture")] == ["declined", "needs_operator"]
    assert len(legacy.gateway.calls_of(EXTEND)) == 1


def test_what_waits_for_an_extension_of_unknown_outcome_goes_to_a_person_with_it(legacy: Shop) -> None:
    authorized(legacy)
    legacy.gateway.answer(CAPTURE, TOO_LATE)
    legacy.gateway.always(EXTEND, Unknown(Answer(message="silence")))
    legacy.after(minutes=31)
    for hours in (1, 6, 24):
        legacy.after(hours=hours)
    found = [(op.kind, op.status) for op in operations(legacy)][1:]
    assert found == [("capture", "declined"), ("capture", "needs_operator"), ("extend", "needs_operator")]


def test_nothing_is_credited_while_a_reservation_is_being_brought_back(legacy: Shop) -> None:
    invoice_id = authorized(legacy)
    legacy.gateway.answer(CAPTURE, TOO_LATE)
    legacy.gateway.always(EXTEND, Unknown(Answer(message="silence")))
    legacy.after(minutes=31)
    with pytest.raises(OutcomeUnknown, match="being extended"):
        credit(legacy, invoice_id)


def test_a_capture_of_the_rest_that_came_too_late_and_is_declined_goes_to_a_person(legacy: Shop) -> None:
    invoice_id = authorized(legacy, "manual")
    legacy.after(minutes=31)
    take(legacy, invoice_id, BASE=1)
    legacy.gateway.answer(CAPTURE, TOO_LATE)
    legacy.gateway.answer(EXTEND, ASLEEP)
    take(legacy, invoice_id)
    assert [op.status for op in operations(legacy, "capture")] == ["succeeded", "declined", "needs_operator"]
    assert len(operations(legacy, "purchase")) == 1


# --- parcels after a whole capture -----------------------------------------------------------------------------


def dispatched(shop: Shop, invoice_id: UUID) -> object:
    one = Dispatch(invoice_id, [SentArticle("BOX", 2, "line 2")], (PARCEL,))
    return dispatch(shop.database, shop.ids, shop.clock.now(), [one])


def shipped(shop: Shop, invoice_id: UUID) -> object:
    return ship(shop.database, shop.ids, shop.clock.now(), invoice_id, [PARCEL])


@pytest.mark.parametrize("act", [dispatched, shipped])
def test_parcels_after_a_legacy_capture_are_kept_and_not_sent(
    legacy: Shop, act: Callable[[Shop, UUID], object]
) -> None:
    invoice_id = authorized(legacy)
    legacy.after(minutes=31)
    act(legacy, invoice_id)
    legacy.tick()
    (kept,) = operations(legacy, "ship")
    assert (kept.status, kept.answer_code, kept.sends) == ("dropped", "kept_here", 0)
    assert kept.details["shipments"][0]["tracking_number"] == "UU123456789SE"
    assert legacy.gateway.calls_of(SHIP) == []
    assert line(legacy, "BOX").dispatched_quantity == (2 if act is dispatched else 0)
    assert "invoice.shipped" in event_types(legacy)


# --- refunds over several captures -----------------------------------------------------------------------------


def test_a_whole_credit_over_two_captures_gives_back_each_of_them_whole(legacy: Shop) -> None:
    invoice_id = authorized(legacy, "manual")
    legacy.after(minutes=31)
    take(legacy, invoice_id, BASE=1)
    take(legacy, invoice_id)
    refund(legacy.database, legacy.ids, legacy.clock.now(), NewRefund(invoice_id, "goodwill"))
    legacy.tick()
    given = [order for order in legacy.gateway.prepared if order.kind is REFUND]
    assert [(order.amount, order.is_whole) for order in given] == [(1990, True), (1980, True)]


def test_a_refund_by_amount_over_two_captures_of_one_rate_says_its_rate(legacy: Shop) -> None:
    extra = replace(BASE_FEE, article_number="EXTRA", unit_amount=1000)
    invoice_id = authorized(legacy, "manual", items=(BASE_FEE, extra))
    legacy.after(minutes=31)
    take(legacy, invoice_id, BASE=1)
    take(legacy, invoice_id)
    new = NewRefund(invoice_id, "goodwill", amount=Money(2500, "SEK"))
    refund(legacy.database, legacy.ids, legacy.clock.now(), new)
    legacy.tick()
    given = [order for order in legacy.gateway.prepared if order.kind is REFUND]
    assert [(order.amount, order.is_whole, order.tax_rate) for order in given] == [
        (1990, True, 2500),
        (510, False, 2500),
    ]


# --- what a capture tells --------------------------------------------------------------------------------------


def test_every_capture_is_told_with_its_risk(shop: Shop) -> None:
    shop.gateway.answer(CAPTURE, Succeeded(Answer(200), "c-1", facts={"risk": "ok"}))
    authorized(shop)
    shop.after(minutes=31)
    (told,) = [event for event in rows(shop, Event) if event.type == "capture.succeeded"]
    assert (told.payload["risk"], told.payload["amount"]) == ("ok", 3970)
    assert "capture.no_risk" not in event_types(shop)
