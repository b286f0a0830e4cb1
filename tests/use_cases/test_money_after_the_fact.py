"""Verbs on an invoice in orders that nobody planned: what was credited, undone or paid elsewhere is counted once."""

from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from books import account_sums, assert_books_agree, held
from factories import BASE_FEE, GOODS, NumberOn, Shop
from reading import credit_notes, invoices, operations, rows, subscription
from sqlalchemy import update
from sqlmodel import select

from billing.domain.credits import GiveAs
from billing.domain.dispatches import SentArticle
from billing.domain.errors import RefundExceedsCapture
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.ports import Answer, Declined, Refused, Shipment, Unknown
from billing.store.balances import PendingLine
from billing.store.engine import Database
from billing.store.invoices import InvoiceLine
from billing.store.payments import DisputeStatus
from billing.store.plans import CaptureMode, Plan
from billing.use_cases.adjust_balance import adjust_balance
from billing.use_cases.cancel import CancelAt, CancelRequest, CreditPolicy, cancel
from billing.use_cases.capture import capture
from billing.use_cases.catalogue import NewPrice, create_price
from billing.use_cases.change import change
from billing.use_cases.change_case import ChangeRequest
from billing.use_cases.credit_invoice import CreditBy, NewCredit, credit_invoice
from billing.use_cases.dispatch import Dispatch, dispatch
from billing.use_cases.dispute import NewDispute, close_dispute, open_dispute
from billing.use_cases.erase import erase
from billing.use_cases.pause_dunning import pause_dunning
from billing.use_cases.record_payment import NewPayment, record_payment
from billing.use_cases.release_revenue import release_everything
from billing.use_cases.renew import renew
from billing.use_cases.resolve_credit import ResolveAs, resolve_credit
from billing.use_cases.sending import nothing
from billing.use_cases.void_invoice import void_invoice
from billing.use_cases.write_off import write_off

PURCHASE, CAPTURE, REFUND, AMEND = (
    OperationKind.PURCHASE,
    OperationKind.CAPTURE,
    OperationKind.REFUND,
    OperationKind.AMEND,
)
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")
REFUSED = Refused(Answer(403, "NOT_ALLOWED"))
MAR_31 = datetime(2028, 3, 31, 8, tzinfo=UTC)
APR_11 = datetime(2028, 4, 11, 8, tzinfo=UTC)


def started(shop: Shop, mode: CaptureMode = CaptureMode.AUTOMATIC, **plan: object):
    """39.70 for the 30 days from 2028-03-31, under a plan that captures so."""
    shop.clock.set(MAR_31)
    price_id = shop.price(**plan)
    with shop.database.tx() as session:
        session.execute(update(Plan).values(capture=mode.value))
    return shop.subscription(price_id=price_id)


def authorized(shop: Shop, mode: CaptureMode = CaptureMode.AUTOMATIC):
    made = started(shop, mode)
    shop.tick()
    return made


def declined(shop: Shop, **plan: object):
    shop.gateway.always(PURCHASE, SOFT)
    made = started(shop, **plan)
    shop.tick()
    return made


def credit(shop: Shop, amount: int | None = None, *, give_as: GiveAs = GiveAs.REFUND):
    """Of the newest invoice, an amount or all that is left."""
    by, money = (CreditBy.WHOLE, None) if amount is None else (CreditBy.AMOUNT, Money(amount, "SEK"))
    new = NewCredit(invoices(shop)[-1].id, "goodwill", by, give_as, amount=money)
    return credit_invoice(shop.database, shop.ids, shop.clock.now(), new).credit_note


def pay(shop: Shop, amount: int) -> None:
    new = NewPayment(Money(amount, "SEK"), shop.clock.now().date(), "transfer 1")
    record_payment(shop.database, shop.ids, shop.clock.now(), invoices(shop)[0].id, new)


def take(shop: Shop, **units: int) -> None:
    """Capture units by article, or everything that is left."""
    by_line = {line(shop, article).id: count for article, count in units.items()}
    capture(shop.database, shop.ids, shop.clock.now(), invoices(shop)[0].id, by_line or None)
    shop.tick()


def sent(shop: Shop, units: int, *parcels: Shipment) -> None:
    one = Dispatch(invoices(shop)[0].id, [SentArticle("BOX", units, "line 2")], parcels)
    dispatch(shop.database, shop.ids, shop.clock.now(), [one])
    shop.tick()


def line(shop: Shop, article: str) -> InvoiceLine:
    return next(row for row in rows(shop, InvoiceLine) if row.article_number == article)


def test_what_is_left_after_a_credit_can_be_captured_by_hand(shop: Shop) -> None:
    authorized(shop, CaptureMode.MANUAL)
    credit(shop, 970)
    shop.after(hours=1)
    take(shop, BOX=1)
    take(shop)
    assert [call.amount for call in shop.gateway.effects_of(CAPTURE)] == [745, 2255]
    assert invoices(shop)[0].status == "paid"
    assert_books_agree(shop)


def test_a_credit_between_two_captures_makes_the_second_smaller(shop: Shop) -> None:
    authorized(shop, CaptureMode.MANUAL)
    shop.after(hours=1)
    take(shop, BOX=1)
    credit(shop, 300)
    shop.tick()
    take(shop)
    assert [call.amount for call in shop.gateway.effects_of(CAPTURE)] == [745, 2925]
    assert_books_agree(shop)


def test_units_sent_after_everything_is_paid_earn_their_revenue(shop: Shop) -> None:
    authorized(shop, CaptureMode.ON_DISPATCH)
    credit(shop, 970)
    shop.after(hours=1)
    sent(shop, 1)
    assert [call.amount for call in shop.gateway.effects_of(CAPTURE)] == [3000]
    sent(shop, 1, Shipment("PostNord", "UU123456789SE"))
    assert line(shop, "BOX").dispatched_quantity == 2
    assert_books_agree(shop)


def test_a_part_capture_of_a_net_price_multiplies_to_its_amount(shop: Shop) -> None:
    plan_price = shop.price()
    with shop.database.tx() as session:
        plan_id = session.exec(select(Plan.id)).one()
        session.execute(update(Plan).values(capture=CaptureMode.ON_DISPATCH.value))
    new = NewPrice(plan_id, "SEK", Interval.MONTH, 1, GOODS, tax_included=False)
    net = create_price(shop.database, shop.ids, shop.clock.now(), new).id
    assert net != plan_price
    shop.subscription(price_id=net)
    shop.tick()
    sent(shop, 1)
    shop.after(hours=1)
    order = shop.gateway.prepared[-1]
    assert [row.quantity * row.unit_amount for row in order.lines] == [row.amount for row in order.lines]
    assert sum(row.amount for row in order.lines) == order.amount


# Mar 31        Apr 11                Apr 30
# |-- 29.90 ----|-- 49.90, 12.66 due --|
def upgraded(shop: Shop):
    """29.90 a month, paid, and on 2028-04-11 an upgrade to 49.90 whose 12.66 are not collected yet."""
    made = started(shop, items=(replace(BASE_FEE, unit_amount=2990),))
    shop.tick()
    shop.after(minutes=31)
    with shop.database.tx() as session:
        plan_id = session.exec(select(Plan.id)).one()
    dear = NewPrice(plan_id, "SEK", Interval.MONTH, 1, (replace(BASE_FEE, unit_amount=4990),))
    price_id = create_price(shop.database, shop.ids, shop.clock.now(), dear).id
    shop.clock.set(APR_11)
    change(shop.database, shop.ids, shop.seller, shop.sign, APR_11, made.id, ChangeRequest(price_id=price_id))
    return made


def test_a_void_upgrade_gives_its_days_back_to_the_line_that_paid_for_them(shop: Shop) -> None:
    upgraded(shop)
    void_invoice(shop.database, shop.ids, shop.clock.now(), invoices(shop)[1].id, "a mistake")
    assert line(shop, "BASE").adjusted_amount == 0
    shop.at(datetime(2028, 4, 29, 22, tzinfo=UTC))
    release_everything(shop.database, shop.ids, shop.clock.now())
    assert account_sums(shop)["revenue"] == -2392
    assert "deferred_revenue" not in account_sums(shop)


def test_a_credited_upgrade_gives_its_days_back_to_the_line_that_paid_for_them(shop: Shop) -> None:
    upgraded(shop)
    shop.tick()
    shop.after(minutes=31)
    credit(shop)
    shop.at(datetime(2028, 4, 29, 22, tzinfo=UTC))
    release_everything(shop.database, shop.ids, shop.clock.now())
    sums = account_sums(shop)
    assert (sums["revenue"], sums["vat_payable"], "deferred_revenue" in sums) == (-2392, -598, False)
    assert_books_agree(shop)


def test_a_cancel_credits_the_days_that_an_uncollected_upgrade_had_taken(shop: Shop) -> None:
    made = upgraded(shop)
    request = CancelRequest(CancelAt.NOW, CreditPolicy.CREDIT)
    done = cancel(shop.database, shop.ids, APR_11, made.id, request)
    assert done.credit.total == 1894
    shop.tick()
    assert held(shop) == 1894
    assert "deferred_revenue" not in account_sums(shop)
    assert_books_agree(shop)


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_balance_that_paid_a_part_of_a_debt_given_up_is_booked(shop: Shop, *, by_hand: bool) -> None:
    shop.gateway.always(PURCHASE, SOFT)
    made = started(shop, number_on=NumberOn.CAPTURE)
    adjust_balance(shop.database, shop.ids, shop.clock.now(), made.customer_id, Money(1000, "SEK"), "a gift")
    shop.tick()
    if by_hand:
        write_off(shop.database, shop.ids, shop.clock.now(), invoices(shop)[0].id, "moved away")
    else:
        for _ in range(23):
            shop.after(days=1)
    (invoice,) = invoices(shop)
    assert (invoice.status, invoice.number, account_sums(shop)["bad_debt"]) == ("uncollectible", 1, 2970)
    assert_books_agree(shop)


def test_what_was_paid_outside_of_a_canceled_invoice_is_the_customers_balance(shop: Shop) -> None:
    made = declined(shop)
    pay(shop, 970)
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.NOW))
    assert (invoices(shop)[0].status, held(shop)) == ("void", 970)
    assert account_sums(shop) == {"bank": 970, "customer_balance": -970}
    assert_books_agree(shop)


def test_a_start_that_waits_for_its_first_payment_is_active_once_it_is_made_outside(shop: Shop) -> None:
    made = declined(shop, payment_gated=True)
    assert subscription(shop, made.id).status == "pending"
    pay(shop, 3970)
    shop.after(days=2)
    assert subscription(shop, made.id).status == "active"


def test_a_trial_whose_first_invoice_is_paid_outside_is_active(shop: Shop) -> None:
    made = started(shop, trial_days=7)
    shop.tick()
    shop.clock.set(datetime(2028, 4, 6, 22, 30, tzinfo=UTC))
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    pay(shop, 3970)
    assert subscription(shop, made.id).status == "active"


def test_what_waited_for_a_void_invoice_waits_for_the_next_one(database: Database) -> None:
    shop = Shop(database, minimum_amount=500)
    made = started(shop, items=(replace(BASE_FEE, unit_amount=300),))
    shop.tick()
    shop.clock.set(subscription(shop, made.id).next_period_at)
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    assert [(invoice.total, invoice.carried) for invoice in invoices(shop)] == [(300, 300), (600, 0)]
    void_invoice(shop.database, shop.ids, shop.clock.now(), invoices(shop)[1].id, "a mistake")
    (waiting,) = rows(shop, PendingLine)
    assert (waiting.kind, waiting.amount, waiting.invoice_id) == ("carried", 300, None)


def test_what_an_erased_customer_owes_is_given_up_though_dunning_was_paused(shop: Shop) -> None:
    made = declined(shop)
    pause_dunning(shop.database, shop.ids, shop.clock.now(), made.customer_id, "a complaint")
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.PERIOD_END))
    for _ in range(4):
        shop.after(days=8)
    assert [invoice.status for invoice in invoices(shop)] == ["open"]
    erase(shop.database, shop.ids, shop.clock.now(), made.customer_id)
    shop.after(days=1)
    assert [invoice.status for invoice in invoices(shop)] == ["uncollectible"]


def test_the_first_movements_of_a_balance_at_once_all_count(shop: Shop) -> None:
    customer, wrong, together = shop.customer(), [], Barrier(8)

    def ask() -> None:
        together.wait()
        try:
            adjust_balance(shop.database, shop.ids, shop.clock.now(), customer, Money(100, "SEK"), "a gift")
        except Exception as error:
            # Whatever it is, the test names it.
            wrong.append(type(error).__name__)

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, held(shop)) == ([], 800)


def test_what_is_possible_is_never_below_0(shop: Shop) -> None:
    authorized(shop)
    shop.after(minutes=31)
    credit(shop, 1000, give_as=GiveAs.BALANCE)
    at, invoice_id = shop.clock.now(), invoices(shop)[0].id
    opened = open_dispute(shop.database, shop.ids, at, invoice_id, NewDispute(Money(3970, "SEK")))
    close_dispute(shop.database, shop.ids, at, invoice_id, opened.id, DisputeStatus.LOST)
    with pytest.raises(RefundExceedsCapture) as refused:
        credit(shop, 1)
    assert refused.value.facts == {"requested": 1, "possible": 0}
    assert_books_agree(shop)


def test_a_credit_is_paid_out_once_its_refused_part_became_balance(shop: Shop) -> None:
    authorized(shop, CaptureMode.MANUAL)
    shop.after(hours=1)
    take(shop, BOX=1)
    take(shop)
    shop.gateway.answer(REFUND, REFUSED)
    note = credit(shop)
    shop.tick()
    resolve_credit(shop.database, shop.ids, shop.clock.now(), note.id, ResolveAs.BALANCE)
    (note,) = credit_notes(shop)
    assert (note.effect_balance, note.effect_refund, note.refunded_at) == (745, 3225, shop.clock.now())
    assert_books_agree(shop)


def test_an_authorization_whose_amendment_needs_a_person_is_kept_alive(shop: Shop) -> None:
    authorized(shop)
    shop.gateway.always(AMEND, Unknown(Answer(message="silence")))
    shop.gateway.unreadable_orders.add("order-1")
    credit(shop, 100)
    for _ in range(30):
        shop.after(hours=1)
    assert {op.kind for op in operations(shop) if op.status == "planned"} == {"capture", "extend"}
