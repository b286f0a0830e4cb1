"""What an operator asks of the provider: sent once, refused by us where state or generation forbids, and shown."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from factories import GOODS, Shop
from reading import event_types, invoices, operations, rows, subscription
from sqlalchemy import update

from billing.domain.errors import BillingError, Conflict, Invalid, OutcomeUnknown, TransitionNotAllowed
from billing.domain.money import Money
from billing.domain.operations import OperationKind, OrderChange
from billing.ports import Address, Answer, Refused, Succeeded, Unknown
from billing.store.customers import Customer
from billing.store.engine import Database
from billing.store.invoices import InvoiceLine
from billing.store.plans import Plan
from billing.use_cases.authorization_instructions import (
    AfterVoid,
    extend_authorization,
    release_authorization,
    void_authorization,
)
from billing.use_cases.cancel import CancelAt, CancelRequest, cancel
from billing.use_cases.capture import capture
from billing.use_cases.credit_invoice import CreditBy, NewCredit, credit_invoice
from billing.use_cases.erase import erase
from billing.use_cases.instructing import Instruction
from billing.use_cases.invoice_instructions import email_invoice, move_due_date, post_invoice
from billing.use_cases.order_instructions import readdress_order, renumber_order

EMAIL, POST, LATER = OperationKind.EMAIL_INVOICE, OperationKind.POST_INVOICE, OperationKind.EXTEND_DUE_DATE
AMEND, EXTEND, VOID, CAPTURE = OperationKind.AMEND, OperationKind.EXTEND, OperationKind.VOID, OperationKind.CAPTURE
WHY = Instruction("Operator", "asked by phone")
HOME = Address("Ada", "Example", "Storgatan 1", postal_code="12345", city="Ankeborg", country="SE")


@pytest.fixture
def legacy(database: Database) -> Shop:
    return Shop(database, generation="legacy")


def authorized(shop: Shop, mode: str = "manual") -> UUID:
    price_id = shop.price(items=GOODS)
    with shop.database.tx() as session:
        session.execute(update(Plan).values(capture=mode))
    shop.subscription(price_id=price_id)
    shop.tick()
    return invoices(shop)[0].id


def captured(shop: Shop) -> UUID:
    invoice_id = authorized(shop, "automatic")
    shop.after(minutes=31)
    return invoice_id


def asked(shop: Shop, act: Callable[..., object], invoice_id: UUID, *about: object, **more: object) -> None:
    act(shop.database, shop.ids, shop.clock.now(), invoice_id, *about, WHY, **more)
    shop.tick()


def mail(shop: Shop, address: str | None) -> None:
    with shop.database.tx() as session:
        session.execute(update(Customer).values(email=address))


def test_an_invoice_is_emailed_again_as_often_as_an_operator_asks(shop: Shop) -> None:
    invoice_id = captured(shop)
    asked(shop, email_invoice, invoice_id)
    asked(shop, email_invoice, invoice_id)
    assert [op.status for op in operations(shop, "email_invoice")] == ["succeeded", "succeeded"]
    assert shop.gateway.prepared[-1].capture_id == "capture-1"
    assert operations(shop, "email_invoice")[0].details["by"] == "Operator"


def test_nothing_is_emailed_posted_or_moved_before_a_capture(legacy: Shop) -> None:
    invoice_id = authorized(legacy)
    for act, about in ((email_invoice, ()), (post_invoice, ()), (move_due_date, (14,))):
        with pytest.raises(Conflict, match="captured"):
            asked(legacy, act, invoice_id, *about)


def test_a_legacy_invoice_of_a_customer_without_an_address_is_not_emailed(legacy: Shop) -> None:
    invoice_id = captured(legacy)
    mail(legacy, None)
    with pytest.raises(Conflict, match="post the invoice, which is charged"):
        asked(legacy, email_invoice, invoice_id)


def test_a_legacy_capture_of_a_customer_without_an_address_plans_no_email(legacy: Shop) -> None:
    authorized(legacy, "automatic")
    mail(legacy, None)
    legacy.after(minutes=31)
    assert (operations(legacy, "email_invoice"), invoices(legacy)[0].status) == ([], "paid")
    assert "invoice.not_emailed" in event_types(legacy)


def test_a_letter_is_sent_once_and_again_only_where_that_is_said(legacy: Shop) -> None:
    invoice_id = captured(legacy)
    asked(legacy, post_invoice, invoice_id)
    with pytest.raises(Conflict, match="posted already"):
        asked(legacy, post_invoice, invoice_id)
    asked(legacy, post_invoice, invoice_id, again=True)
    assert len(legacy.gateway.effects_of(POST)) == 2
    assert event_types(legacy).count("invoice.posted") == 2


def test_the_current_generation_posts_nothing(shop: Shop) -> None:
    with pytest.raises(Conflict, match="posts no invoices"):
        asked(shop, post_invoice, captured(shop))


@pytest.mark.parametrize(("act", "about", "kind"), [(post_invoice, (), POST), (move_due_date, (14,), LATER)])
def test_what_costs_money_is_never_sent_twice_without_a_key(
    legacy: Shop, act: Callable[..., object], about: tuple[object, ...], kind: OperationKind
) -> None:
    invoice_id = captured(legacy)
    legacy.gateway.always(kind, Unknown(Answer(message="silence")))
    asked(legacy, act, invoice_id, *about)
    legacy.after(days=1)
    with pytest.raises(OutcomeUnknown):
        asked(legacy, act, invoice_id, *about)
    (only,) = operations(legacy, kind.value)
    assert (only.status, only.sends, len(legacy.gateway.calls_of(kind))) == ("needs_operator", 1, 1)


def test_a_later_due_date_is_kept_with_what_it_costs(legacy: Shop) -> None:
    invoice_id = captured(legacy)
    legacy.gateway.answer(LATER, Succeeded(Answer(200), facts={"cost": "1900", "due_on": "2028-03-15"}))
    asked(legacy, move_due_date, invoice_id, 14)
    details = operations(legacy, "extend_due_date")[0].details
    assert (details["days"], details["cost"], details["due_on"]) == (14, 1900, "2028-03-15")
    assert legacy.gateway.prepared[-1].days == 14
    with pytest.raises(Conflict, match="moved before"):
        asked(legacy, move_due_date, invoice_id, 14)


@pytest.mark.parametrize("days", [0, -1, 366])
def test_other_days_than_1_to_365_are_refused(shop: Shop, days: int) -> None:
    with pytest.raises(Invalid, match="1 to 365"):
        asked(shop, move_due_date, captured(shop), days)


def test_a_capture_of_another_invoice_is_named(shop: Shop) -> None:
    with pytest.raises(Invalid, match="no such capture"):
        asked(shop, email_invoice, captured(shop), capture_id=UUID(int=7))


def test_an_order_number_is_changed_and_kept_by_later_calls(shop: Shop) -> None:
    invoice_id = authorized(shop)
    asked(shop, renumber_order, invoice_id, "SHOP-17")
    order = shop.gateway.prepared[-1]
    assert (order.changes, order.invoice_reference, order.lines) == (OrderChange.ORDER_NUMBER, "SHOP-17", ())
    shop.after(minutes=31)
    capture(shop.database, shop.ids, shop.clock.now(), invoice_id)
    shop.tick()
    assert (shop.gateway.prepared[-1].kind, shop.gateway.prepared[-1].invoice_reference) == (CAPTURE, "SHOP-17")
    assert invoices(shop)[0].status == "paid"


def test_an_address_is_told_and_kept_no_longer_than_its_question_is_open(shop: Shop) -> None:
    asked(shop, readdress_order, authorized(shop), HOME)
    assert shop.gateway.prepared[-1].address == HOME
    (amend,) = operations(shop, "amend")
    assert (amend.status, amend.request, "Storgatan" in str(amend.details)) == ("succeeded", None, False)


def test_an_erased_customer_leaves_no_address_behind(shop: Shop) -> None:
    invoice_id = authorized(shop)
    shop.gateway.always(AMEND, Unknown(Answer(message="silence")))
    asked(shop, readdress_order, invoice_id, HOME)
    (amend,), made = operations(shop, "amend"), invoices(shop)[0]
    assert "Storgatan" in str(amend.details)
    cancel(shop.database, shop.ids, shop.clock.now(), made.subscription_id, CancelRequest(CancelAt.NOW))
    shop.tick()
    erase(shop.database, shop.ids, shop.clock.now(), made.customer_id)
    assert "Storgatan" not in str(operations(shop, "amend")[0].details)


def test_a_refused_change_of_an_order_stands_in_nobodys_way(shop: Shop) -> None:
    invoice_id = authorized(shop)
    shop.gateway.answer(AMEND, Refused(Answer(403, "NOT_ALLOWED")))
    asked(shop, renumber_order, invoice_id, "SHOP-17")
    assert operations(shop, "amend")[0].status == "declined"
    shop.after(minutes=31)
    capture(shop.database, shop.ids, shop.clock.now(), invoice_id)
    shop.tick()
    assert (invoices(shop)[0].status, event_types(shop).count("order.not_changed")) == ("paid", 1)


@pytest.mark.parametrize(("act", "about"), [(renumber_order, ("SHOP-17",)), (readdress_order, (HOME,))])
def test_an_order_is_not_changed_after_its_capture(
    shop: Shop, act: Callable[..., object], about: tuple[object, ...]
) -> None:
    with pytest.raises(Conflict):
        asked(shop, act, captured(shop), *about)
    assert operations(shop, "amend") == []


def test_an_address_needs_a_street(shop: Shop) -> None:
    with pytest.raises(Invalid) as wrong:
        asked(shop, readdress_order, authorized(shop), replace(HOME, street_address=""))
    assert wrong.value.where == "address.street_address"


def test_an_authorization_is_extended_now_where_an_operator_asks(shop: Shop) -> None:
    invoice_id, (purchase,) = authorized(shop), operations(shop, "purchase")
    later = purchase.expires_at + timedelta(days=5)
    shop.gateway.orders["order-1"] = replace(shop.gateway.orders["order-1"], expires_at=later)
    asked(shop, extend_authorization, invoice_id)
    assert operations(shop, "purchase")[0].expires_at == later
    assert [op.status for op in operations(shop, "extend")] == ["dropped", "succeeded", "planned"]


def test_an_expired_authorization_comes_back_in_the_older_generation_only(database: Database) -> None:
    shop = Shop(database, generation="legacy")
    invoice_id, (purchase,) = authorized(shop), operations(shop, "purchase")
    shop.clock.set(purchase.expires_at + timedelta(days=1))
    later = shop.clock.now() + timedelta(days=28)
    shop.gateway.answer(EXTEND, Succeeded(Answer(200), expires_at=later))
    extend_authorization(shop.database, shop.ids, shop.clock.now(), invoice_id, WHY)
    shop.tick()
    assert operations(shop, "purchase")[0].expires_at == later


def test_an_expired_authorization_of_the_current_generation_is_not_extended(shop: Shop) -> None:
    invoice_id, (purchase,) = authorized(shop), operations(shop, "purchase")
    shop.clock.set(purchase.expires_at + timedelta(days=1))
    with pytest.raises(Conflict, match="brings none back"):
        extend_authorization(shop.database, shop.ids, shop.clock.now(), invoice_id, WHY)


def test_a_paid_invoice_has_nothing_to_extend(shop: Shop) -> None:
    with pytest.raises(TransitionNotAllowed):
        asked(shop, extend_authorization, captured(shop))


def test_an_authorization_given_back_is_charged_again_where_that_is_said(shop: Shop) -> None:
    invoice_id = authorized(shop)
    asked(shop, void_authorization, invoice_id, AfterVoid.CHARGE_AGAIN)
    first, second = operations(shop, "purchase")
    assert (first.authorization, first.standing, second.trigger) == ("voided", "dead", "admin")
    assert (second.authorization, invoices(shop)[0].status) == ("authorized", "open")


def test_an_authorization_given_back_leaves_the_rest_to_a_person(shop: Shop) -> None:
    invoice_id = authorized(shop, "automatic")
    asked(shop, void_authorization, invoice_id, AfterVoid.REVIEW)
    shop.after(hours=1)
    made = subscription(shop, invoices(shop)[0].subscription_id)
    assert (made.review_reason, len(operations(shop, "purchase"))) == ("authorization_given_back", 1)
    assert [op.status for op in operations(shop, "capture")] == ["dropped"]


def test_the_authorization_of_an_open_invoice_is_not_given_back_without_a_word_on_what_follows(shop: Shop) -> None:
    with pytest.raises(Invalid) as wrong:
        asked(shop, void_authorization, authorized(shop), None)
    assert (wrong.value.where, shop.gateway.calls_of(VOID)) == ("then", [])


@pytest.mark.parametrize("act", [void_authorization, release_authorization])
def test_nothing_is_given_back_after_the_whole_capture(shop: Shop, act: Callable[..., object]) -> None:
    about = (AfterVoid.REVIEW,) if act is void_authorization else ()
    with pytest.raises(BillingError):
        asked(shop, act, captured(shop), *about)


def test_a_rest_that_is_still_owed_is_credited_and_not_just_released(shop: Shop) -> None:
    invoice_id = authorized(shop)
    shop.after(minutes=31)
    box = next(row for row in rows(shop, InvoiceLine) if row.article_number == "BOX")
    capture(shop.database, shop.ids, shop.clock.now(), invoice_id, {box.id: 1})
    shop.tick()
    with pytest.raises(Conflict, match="3225 minor units of this invoice are still owed"):
        asked(shop, release_authorization, invoice_id)


def test_a_change_of_an_order_whose_outcome_is_unknown_does_not_hold_up_a_credit(shop: Shop) -> None:
    invoice_id = authorized(shop)
    shop.gateway.answer(AMEND, Unknown(Answer(message="silence")))
    asked(shop, renumber_order, invoice_id, "SHOP-17")
    new = NewCredit(invoice_id, "goodwill", CreditBy.AMOUNT, amount=Money(970, "SEK"))
    credit_invoice(shop.database, shop.ids, shop.clock.now(), new)
    shop.tick()
    assert [call.amount for call in shop.gateway.effects_of(AMEND)] == [3000]


def test_nothing_is_captured_while_an_authorization_is_being_given_back(shop: Shop) -> None:
    invoice_id = authorized(shop, "automatic")
    shop.gateway.always(VOID, Unknown(Answer(message="silence")))
    asked(shop, void_authorization, invoice_id, AfterVoid.REVIEW)
    shop.after(minutes=40)
    assert shop.gateway.calls_of(CAPTURE) == []
