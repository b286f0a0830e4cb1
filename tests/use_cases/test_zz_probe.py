"""Probe."""
from datetime import UTC, date, datetime, timedelta
from threading import Thread, Barrier
import pytest
from books import account_sums, assert_books_agree, held, the_invoice
from dataclasses import replace
from factories import *
from factories import BASE_FEE, BOXES, FREIGHT, Shop
from reading import *
from sqlmodel import select
from sqlalchemy import update
from billing.domain.credits import GiveAs
from billing.domain.errors import *
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.domain.dispatches import SentArticle
from billing.ports import Answer, Declined, Refused, Unknown, Succeeded
from billing.store.invoices import InvoiceLine
from billing.store.balances import PendingLine
from billing.store.plans import Plan, Exhausted, NumberOn
from billing.store.subscriptions import Subscription
from billing.store.payments import DisputeStatus
from billing.use_cases.adjust_balance import adjust_balance
from billing.use_cases.cancel import *
from billing.use_cases.capture import capture
from billing.use_cases.credit_invoice import CreditBy, NewCredit, credit_invoice
from billing.use_cases.dispatch import Dispatch, dispatch
from billing.use_cases.dispute import NewDispute, close_dispute, open_dispute
from billing.use_cases.erase import erase
from billing.use_cases.pause_dunning import pause_dunning, resume_dunning
from billing.use_cases.record_payment import NewPayment, record_payment
from billing.use_cases.renew import renew
from billing.use_cases.sending import nothing
from billing.use_cases.void_invoice import void_invoice
from billing.use_cases.write_off import relieve_vat, write_off
from billing.use_cases.change import change, preview_change
from billing.use_cases.change_case import ChangeRequest
from billing.use_cases.resolve_credit import ResolveAs, resolve_credit

PURCHASE, CAPTURE, VOID, REFUND, AMEND = (OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND, OperationKind.AMEND)
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")

def sek(n): return Money(n, "SEK")
def now(shop): return shop.clock.now()
def credit(shop, invoice_id, by=CreditBy.AMOUNT, **what):
    return credit_invoice(shop.database, shop.ids, now(shop), NewCredit(invoice_id, "goodwill", by, **what))
def lines(shop, invoice_id=None):
    return [l for l in rows(shop, InvoiceLine) if invoice_id in (None, l.invoice_id)]
def begin(shop, **plan):
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    mode = plan.pop("mode", "automatic")
    price = shop.price(**plan)
    with shop.database.tx() as s:
        s.execute(update(Plan).values(capture=mode))
    return shop.subscription(price_id=price)

@pytest.mark.parametrize("mode", ["manual", "on_dispatch"])
def test_capture_after_credit(shop, mode):
    begin(shop, mode=mode); shop.tick()
    i = invoices(shop)[0].id
    credit(shop, i, amount=sek(970)); shop.tick()
    shop.after(hours=1)
    if mode == "manual":
        capture(shop.database, shop.ids, now(shop), i)
    else:
        dispatch(shop.database, shop.ids, now(shop), [Dispatch(i, [SentArticle("BOX", 2, "x")], ())])
    shop.tick()
    assert invoices(shop)[0].status == "paid"
    assert_books_agree(shop)

def test_part_capture_then_credit_then_capture(shop):
    begin(shop, mode="manual"); shop.tick()
    i = invoices(shop)[0].id
    shop.after(hours=1)
    box = next(l for l in lines(shop) if l.article_number == "BOX")
    capture(shop.database, shop.ids, now(shop), i, {box.id: 1}); shop.tick()
    credit(shop, i, amount=sek(300)); shop.tick()
    capture(shop.database, shop.ids, now(shop), i); shop.tick()
    assert invoices(shop)[0].status == "paid"
    print(shop.gateway.prepared[-1])
    assert_books_agree(shop)

def test_part_capture_tax_exclusive(shop):
    from billing.domain.tax import TaxTable
    from billing.use_cases.catalogue import NewPrice, NewPlan, create_plan, create_price
    from billing.domain.periods import Interval
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    p = create_plan(shop.database, shop.ids, now(shop), NewPlan("p", "P"))
    import inspect; print(inspect.signature(NewPrice))
    pr = create_price(shop.database, shop.ids, now(shop), NewPrice(p.id, "SEK", Interval.MONTH, 1, (BASE_FEE, BOXES, FREIGHT), False, tax_included=False))
    with shop.database.tx() as s: s.execute(update(Plan).values(capture="on_dispatch"))
    shop.subscription(price_id=pr.id); shop.tick()
    i = invoices(shop)[0].id
    dispatch(shop.database, shop.ids, now(shop), [Dispatch(i, [SentArticle("BOX", 1, "x")], ())])
    shop.after(hours=1)
    o = shop.gateway.prepared[-1]
    print(o)
    for l in o.lines: assert l.quantity * l.unit_amount == l.amount, l

@pytest.mark.parametrize("how", ["void", "credit", "cancel"])
def test_undone_upgrade(shop, how):
    import inspect
    from billing.use_cases import change_case
    base = replace(BASE_FEE, unit_amount=2990)
    made = begin(shop, items=(base,)); shop.tick(); shop.after(minutes=31)
    with shop.database.tx() as s:
        plan = s.exec(select(Plan)).first()
    from billing.use_cases.catalogue import NewPrice, create_price
    from billing.domain.periods import Interval
    dear = create_price(shop.database, shop.ids, now(shop), NewPrice(plan.id, "SEK", Interval.MONTH, 1, (replace(BASE_FEE, unit_amount=4990),), False))
    shop.clock.set(datetime(2028, 4, 11, 8, tzinfo=UTC)); shop.tick()
    done = change(shop.database, shop.ids, shop.seller, shop.sign, now(shop), made.id, ChangeRequest(price_id=dear.id))
    inv = invoices(shop)[-1]
    print(inv.kind, inv.total, inv.status, inv.number_on, inv.number)
    if how == "void":
        void_invoice(shop.database, shop.ids, now(shop), inv.id, "mistake")
    elif how == "credit":
        shop.tick(); shop.after(minutes=31)
        credit(shop, inv.id, CreditBy.WHOLE)
    else:
        c = cancel(shop.database, shop.ids, now(shop), made.id, CancelRequest(CancelAt.NOW, CreditPolicy.CREDIT))
        print(c.credit.total)
        assert c.credit.total == 1894
    shop.tick()
    shop.at(datetime(2028, 5, 1, tzinfo=UTC)) if how == "cancel" else shop.at(datetime(2028, 4, 29, 23, tzinfo=UTC))
    for l in lines(shop): print(l.article_number, l.amount, l.credited_amount, l.adjusted_amount, l.recognized_net)
    assert_books_agree(shop)
    from billing.use_cases.release_revenue import release_everything
    release_everything(shop.database, shop.ids, now(shop))
    print(account_sums(shop))
    if how != "cancel":
        base_line = lines(shop)[0]
        assert base_line.adjusted_amount == 0
    else:
        assert "deferred_revenue" not in account_sums(shop)

def test_uncollectible_with_balance(shop):
    made = begin(shop, number_on=NumberOn.CAPTURE)
    adjust_balance(shop.database, shop.ids, now(shop), made.customer_id, sek(1000), "gift")
    shop.gateway.always(PURCHASE, SOFT)
    shop.tick()
    write_off(shop.database, shop.ids, now(shop), invoices(shop)[0].id, "x")
    print(account_sums(shop), held(shop))
    assert_books_agree(shop)

def test_exhausted_with_balance(shop):
    made = begin(shop, number_on=NumberOn.CAPTURE)
    adjust_balance(shop.database, shop.ids, now(shop), made.customer_id, sek(1000), "gift")
    shop.gateway.always(PURCHASE, SOFT)
    shop.tick()
    for _ in range(25): shop.after(days=1)
    print([ (i.status, i.number) for i in invoices(shop)], account_sums(shop), held(shop))
    assert_books_agree(shop)

@pytest.mark.parametrize("at", [CancelAt.NOW])
def test_cancel_with_part_outside(shop, at):
    made = begin(shop)
    shop.gateway.always(PURCHASE, SOFT); shop.tick()
    i = invoices(shop)[0].id
    record_payment(shop.database, shop.ids, now(shop), i, NewPayment(sek(970), date(2028,3,31), "r"))
    cancel(shop.database, shop.ids, now(shop), made.id, CancelRequest(at))
    shop.tick()
    print([ (i.status, i.number) for i in invoices(shop)], account_sums(shop), held(shop))
    assert_books_agree(shop)

@pytest.mark.parametrize("how", ["outside", "credit"])
def test_pending_paid_outside(shop, how):
    shop.gateway.always(PURCHASE, SOFT)
    import inspect
    from billing.use_cases.catalogue import NewPlan
    print(inspect.signature(NewPlan))
    made = begin(shop, payment_gated=True)
    shop.tick()
    i = invoices(shop)[0].id
    print(subscription(shop, made.id).status)
    if how == "outside":
        record_payment(shop.database, shop.ids, now(shop), i, NewPayment(sek(3970), date(2028,3,31), "r"))
    else:
        credit(shop, i, CreditBy.WHOLE)
    shop.after(days=2)
    assert subscription(shop, made.id).status == "active"

def test_trialing_paid_outside(shop):
    made = begin(shop, trial_days=7)
    shop.tick()
    shop.gateway.always(PURCHASE, Unknown(Answer(message="x")))
    shop.gateway.always(PURCHASE, None)
    shop.clock.set(datetime(2028, 4, 6, 22, 30, tzinfo=UTC))
    renew(shop.database, shop.ids, now(shop), nothing, shop.seller)
    print([i.status for i in invoices(shop)], subscription(shop, made.id).status)
    i = invoices(shop)[0].id
    record_payment(shop.database, shop.ids, now(shop), i, NewPayment(sek(3970), date(2028,4,6), "r"))
    assert subscription(shop, made.id).status == "active"

def test_void_gives_back_waiting(database):
    shop = Shop(database, minimum_amount=500)
    small = replace(BASE_FEE, unit_amount=300)
    made = begin(shop, items=(small,))
    shop.tick(); shop.after(days=35)
    print([(i.total, i.status, i.carried) for i in invoices(shop)])
    second = [i for i in invoices(shop) if i.status != "paid" or i.captured][0]

    shop2 = shop
    assert_books_agree(shop)

def test_erased_while_paused(shop):
    made = begin(shop)
    shop.gateway.always(PURCHASE, SOFT); shop.tick()
    pause_dunning(shop.database, shop.ids, now(shop), made.customer_id, "x")
    cancel(shop.database, shop.ids, now(shop), made.id, CancelRequest(CancelAt.PERIOD_END))
    for _ in range(33): shop.after(days=1)
    print(subscription(shop, made.id).status, [i.status for i in invoices(shop)])
    erase(shop.database, shop.ids, now(shop), made.customer_id)
    for _ in range(33): shop.after(days=1)
    assert [i.status for i in invoices(shop)] == ["uncollectible"]

def test_first_balance_race(shop):
    customer = shop.customer()
    wrong, b = [], Barrier(8)
    def ask():
        b.wait()
        try: adjust_balance(shop.database, shop.ids, now(shop), customer, sek(100), "x")
        except Exception as e: wrong.append(type(e).__name__)
    ts = [Thread(target=ask) for _ in range(8)]
    [t.start() for t in ts]; [t.join() for t in ts]
    assert wrong == []
    assert held(shop) == 800

def test_dispute_and_cancel_at_date(shop):
    made = begin(shop); shop.tick(); shop.after(minutes=31)
    i = invoices(shop)[0].id
    cancel(shop.database, shop.ids, now(shop), made.id, CancelRequest(CancelAt.DATE, CreditPolicy.REFUND, ends_on=date(2028,4,11)))
    d = open_dispute(shop.database, shop.ids, now(shop), i, NewDispute(sek(1000)))
    shop.at(datetime(2028,4,12,tzinfo=UTC))
    s = subscription(shop, made.id)
    print(s.status, s.review_reason)
    assert s.status == "ended" or s.review_reason
    close_dispute(shop.database, shop.ids, now(shop), i, d.id, DisputeStatus.WON)
    shop.after(days=1)
    print(subscription(shop, made.id).status)

def test_possible_never_negative(shop):
    begin(shop); shop.tick(); shop.after(minutes=31)
    i = invoices(shop)[0].id
    credit(shop, i, amount=sek(1000), give_as=GiveAs.BALANCE)
    d = open_dispute(shop.database, shop.ids, now(shop), i, NewDispute(sek(3970)))
    close_dispute(shop.database, shop.ids, now(shop), i, d.id, DisputeStatus.LOST)
    with pytest.raises(RefundExceedsCapture) as e: credit(shop, i, amount=sek(1))
    print(e.value.message)
    assert e.value.facts["possible"] == 0
    assert_books_agree(shop)

def test_refunded_at(shop):
    begin(shop, mode="manual"); shop.tick(); shop.after(hours=1)
    i = invoices(shop)[0].id
    box = next(l for l in lines(shop) if l.article_number == "BOX")
    capture(shop.database, shop.ids, now(shop), i, {box.id: 1}); shop.tick()
    capture(shop.database, shop.ids, now(shop), i); shop.tick()
    shop.gateway.answer(REFUND, Refused(Answer(403, "REFUND_NOT_ALLOWED")))
    note = credit(shop, i, CreditBy.WHOLE).credit_note
    shop.tick()
    print([(o.amount, o.status) for o in operations(shop, "refund")])
    resolve_credit(shop.database, shop.ids, now(shop), note.id, ResolveAs.BALANCE)
    assert_books_agree(shop)
    assert credit_notes(shop)[0].refunded_at is not None

def test_amend_refused_keeps_alive(shop):
    begin(shop); shop.tick()
    shop.gateway.answer(AMEND, Refused(Answer(403, "X")))
    credit(shop, invoices(shop)[0].id, amount=sek(100)); shop.tick()
    shop.after(days=1)
    assert [o.kind for o in operations(shop) if o.status == "planned"] == ["capture", "extend"]
