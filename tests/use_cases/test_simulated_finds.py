"""Defects that the simulation has found, each as a plain story."""

from dataclasses import replace
from datetime import UTC, date, datetime

from deciding import CAPTURE, WRONG, said
from factories import Shop
from reading import invoices, operations, periods, subscription

from billing.domain.changes import ChangeMode
from billing.domain.decisions import Verb
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.ports import Answer, Declined, Refused
from billing.use_cases.adjust_balance import adjust_balance
from billing.use_cases.change import change
from billing.use_cases.change_case import ChangeRequest
from billing.use_cases.change_zone import change_zone


def asked_for(shop: Shop, made, quantities, mode=ChangeMode.NEXT_INVOICE) -> None:
    request = ChangeRequest(None, quantities, mode)
    change(shop.database, shop.ids, shop.seller, shop.sign, shop.clock.now(), made.id, request)


def test_an_invoice_that_the_balance_pays_as_it_opens_waits_for_nobody(shop: Shop) -> None:
    # Jan 31    Feb 7
    # declined  paid by the balance, while the first is still collected
    shop.gateway.always(OperationKind.PURCHASE, Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft"))
    made = shop.subscription(price_id=shop.price(interval=Interval.WEEK))
    shop.tick()
    shop.after(days=3)
    adjust_balance(shop.database, shop.ids, shop.clock.now(), made.customer_id, Money(50_000, "SEK"), "goodwill")
    shop.after(days=4, hours=1)
    states = [(invoice.status, invoice.dunning_state) for invoice in invoices(shop)]
    assert states == [("open", "retrying"), ("paid", "none")]


def test_what_a_person_had_captured_again_is_asked_once_of_the_next_authorization(shop: Shop) -> None:
    shop.gateway.answer(CAPTURE, WRONG, Refused(Answer(403, "CAPTURE_NOT_ALLOWED")))
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    said(shop, operations(shop, "capture")[0].id, Verb.ALLOW_AGAIN)
    shop.gateway.orders["order-1"] = replace(shop.gateway.orders["order-1"], authorization="expired")
    shop.tick()
    next_purchase = operations(shop, "purchase")[-1]
    assert (next_purchase.n, next_purchase.status) == (2, "succeeded")
    assert [op.amount for op in operations(shop, "capture") if op.purchase_id == next_purchase.id] == [3970]


def test_a_reset_late_in_the_evening_with_a_move_of_zone_pending_bills_one_month(shop: Shop) -> None:
    # Stockholm  Feb 15, 00:30: closed here
    # New York   Feb 14, 18:30                the month ends Mar 15
    made = shop.subscription()
    shop.tick()
    shop.after(minutes=40)
    change_zone(shop.database, shop.ids, shop.sign, shop.clock.now(), made.id, "America/New_York")
    shop.clock.set(datetime(2028, 2, 14, 23, 30, tzinfo=UTC))
    asked_for(shop, made, {"BASE": 2}, ChangeMode.FULL_AND_RESET)
    closed, opened = periods(shop, made.id)
    assert (closed.end_date, opened.end_date) == (date(2028, 2, 15), date(2028, 3, 15))
    assert subscription(shop, made.id).anchor_date == date(2028, 2, 15)
