"""Revenue: released at month ends, at a line's end and with the money, and exactly where a credit needs it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from factories import BASE_FEE, NumberOn, Shop
from reading import invoices, rows
from sqlmodel import col, select

from billing.domain.errors import Invalid
from billing.domain.invoicing import InvoiceStatus
from billing.domain.ledger import Posting, postings_for_void
from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.ports import Answer, Declined
from billing.store.batch import Batch
from billing.store.invoices import Invoice, InvoiceLine, lines_of
from billing.store.invoices import locked as locked_invoices
from billing.store.ledger import LedgerEntry, LedgerTransaction, entries_of
from billing.store.runs import due_from
from billing.use_cases.release_revenue import release_everything, release_revenue, release_up_to, take_back

FEE = (BASE_FEE,)
MAR_31 = datetime(2028, 3, 31, 8, tzinfo=UTC)


def paid(shop: Shop, day: datetime = MAR_31, **price: object) -> Invoice:
    """The worked example: a period of 30 days from 2028-03-31, paid after 31 minutes."""
    shop.clock.set(day)
    shop.subscription(price_id=shop.price(**price))
    shop.tick()
    shop.after(minutes=31)
    return invoices(shop)[0]


def released(shop: Shop, invoice: Invoice) -> list[tuple[date | None, str, int]]:
    """(booked on, kind of revenue, net) of everything that became revenue of an invoice, in order."""
    query = (
        select(LedgerTransaction.booked_on, LedgerEntry.detail, LedgerEntry.amount)
        .where(LedgerTransaction.id == LedgerEntry.transaction_id, LedgerEntry.account == "revenue")
        .where(LedgerTransaction.invoice_id == invoice.id)
    )
    with shop.database.tx() as session:
        found = session.exec(query.order_by(col(LedgerEntry.id))).all()
    return [(booked_on, detail, -amount) for booked_on, detail, amount in found]


def sums(shop: Shop, invoice: Invoice) -> dict[str, int]:
    found: dict[str, int] = {}
    with shop.database.tx() as session:
        ids = session.exec(select(LedgerTransaction.id).where(LedgerTransaction.invoice_id == invoice.id)).all()
    for entry in rows(shop, LedgerEntry):
        if entry.transaction_id in ids:
            found[entry.account] = found.get(entry.account, 0) + entry.amount
    return {account: amount for account, amount in found.items() if amount}


def dispatch(shop: Shop, invoice: Invoice, units: int) -> None:
    with shop.database.tx() as session:
        (box,) = (line for line in lines_of(session, [invoice.id])[invoice.id] if line.article_number == "BOX")
        box.dispatched_quantity = units


def release(shop: Shop, invoice: Invoice, on: date) -> None:
    with shop.database.tx() as session:
        batch = Batch(shop.ids, shop.clock.now())
        release_up_to(session, batch, locked_invoices(session, [invoice.id])[invoice.id], on)
        batch.write(session)


def credit(shop: Shop, invoice: Invoice, article: str, amount: int, tax: int) -> dict[str, int]:
    """What a credit note does to a line, and how much of it had been revenue."""
    with shop.database.tx() as session:
        row = locked_invoices(session, [invoice.id])[invoice.id]
        (line,) = (line for line in lines_of(session, [row.id])[row.id] if line.article_number == article)
        earned = take_back(session, row, {line.id: amount - tax})
        line.credited_amount += amount
        line.credited_tax += tax
    return earned


# Mar 31        Apr 11                Apr 30
# |-- 11 used --|---- 19 credited ----|
def test_the_canceled_period_recognizes_16_41_and_leaves_16_73_to_credit(shop: Shop) -> None:
    invoice = paid(shop)
    dispatch(shop, invoice, 1)
    shop.clock.set(datetime(2028, 4, 11, 10, tzinfo=UTC))
    release(shop, invoice, date(2028, 4, 11))
    by_kind: dict[str, int] = {}
    for _, kind, net in released(shop, invoice):
        by_kind[kind] = by_kind.get(kind, 0) + net
    assert by_kind == {"time": 584, "dispatch": 665, "at_capture": 392}
    assert sums(shop, invoice)["deferred_revenue"] == -1673
    assert credit(shop, invoice, "BASE", 1260, 252) == {}
    assert credit(shop, invoice, "BOX", 745, 80) == {}
    shop.at(datetime(2028, 5, 1, tzinfo=UTC))
    assert sums(shop, invoice)["revenue"] == -1641


def test_the_books_catch_up_from_the_periods_start_when_the_money_comes(shop: Shop) -> None:
    invoice = paid(shop)
    assert released(shop, invoice) == [(None, "at_capture", 392)]
    with shop.database.tx() as session:
        assert due_from(session).released == datetime(2028, 3, 31, 22, tzinfo=UTC)


def test_revenue_is_booked_for_the_month_that_ended_and_at_the_lines_end(shop: Shop) -> None:
    # Mar 31  Apr 1                   Apr 30
    # |-- 1 --|-------- 29 -----------|
    invoice = paid(shop, items=FEE)
    shop.at(datetime(2028, 5, 2, tzinfo=UTC))
    assert released(shop, invoice) == [(date(2028, 3, 31), "time", 53), (date(2028, 4, 29), "time", 1539)]
    assert "deferred_revenue" not in sums(shop, invoice)


def test_a_year_makes_one_posting_a_month_and_sums_to_its_net(shop: Shop) -> None:
    invoice = paid(shop, items=FEE, interval=Interval.YEAR)
    shop.at(datetime(2029, 3, 30, 23, tzinfo=UTC))
    found = released(shop, invoice)
    assert len(found) == 13
    assert sum(net for _, _, net in found) == 1592
    assert [on for on, _, _ in found][:3] == [date(2028, 3, 31), date(2028, 4, 30), date(2028, 5, 31)]


def test_a_service_that_stood_still_books_each_month_in_its_own(shop: Shop) -> None:
    invoice = paid(shop, items=FEE, interval=Interval.YEAR)
    shop.clock.set(datetime(2028, 6, 15, tzinfo=UTC))
    while release_revenue(shop.database, shop.ids, shop.clock.now()):
        pass
    assert [on for on, _, _ in released(shop, invoice)] == [date(2028, 3, 31), date(2028, 4, 30), date(2028, 5, 31)]


def test_a_release_that_comes_twice_books_once(shop: Shop) -> None:
    invoice = paid(shop)
    release(shop, invoice, date(2028, 4, 11))
    before = released(shop, invoice)
    release(shop, invoice, date(2028, 4, 11))
    release(shop, invoice, date(2028, 4, 2))
    assert released(shop, invoice) == before


def test_nothing_is_released_of_an_invoice_that_is_not_in_the_books(shop: Shop) -> None:
    shop.clock.set(MAR_31)
    shop.subscription()
    shop.tick()
    (invoice,) = invoices(shop)
    release(shop, invoice, date(2028, 4, 11))
    assert sums(shop, invoice) == {}


def test_a_credit_of_what_was_earned_comes_out_of_revenue(shop: Shop) -> None:
    invoice = paid(shop, items=FEE)
    release(shop, invoice, date(2028, 4, 11))
    assert credit(shop, invoice, "BASE", 1990, 398) == {"time": 584}
    (line,) = (line for line in rows(shop, InvoiceLine) if line.invoice_id == invoice.id)
    assert line.recognized_net == 0


def test_a_late_look_after_a_credit_takes_back_what_was_earned_too_much(shop: Shop) -> None:
    invoice = paid(shop, items=FEE)
    release(shop, invoice, date(2028, 4, 21))
    with shop.database.tx() as session:
        (line,) = lines_of(session, [invoice.id])[invoice.id]
        line.adjusted_amount, line.adjusted_tax = 1260, 252
    release(shop, invoice, date(2028, 4, 21))
    assert sum(net for _, _, net in released(shop, invoice)) == 584


def test_a_void_leaves_no_revenue(shop: Shop) -> None:
    shop.gateway.always(OperationKind.PURCHASE, Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft"))
    shop.clock.set(MAR_31)
    shop.subscription(price_id=shop.price(items=FEE, number_on=NumberOn.OPEN))
    shop.tick()
    (invoice,) = invoices(shop)
    release(shop, invoice, date(2028, 4, 11))
    with shop.database.tx() as session:
        batch = Batch(shop.ids, shop.clock.now())
        row = locked_invoices(session, [invoice.id])[invoice.id]
        row.status = InvoiceStatus.VOID.value
        opening = [Posting(e.account, e.amount, e.detail) for e in entries_of(session, row.id, "opening")]
        batch.post("void", row, postings_for_void(opening))
        batch.write(session)
    release_revenue(shop.database, shop.ids, shop.clock.now())
    assert sums(shop, invoice) == {}
    assert sum(net for _, _, net in released(shop, invoice)) == 0


def test_everything_can_be_released_up_to_today_for_a_report(shop: Shop) -> None:
    invoice = paid(shop, items=FEE)
    shop.clock.set(datetime(2028, 4, 11, 10, tzinfo=UTC))
    assert release_everything(shop.database, shop.ids, shop.clock.now()) == (1, date(2028, 4, 11))
    assert sum(net for _, _, net in released(shop, invoice)) == 584
    with pytest.raises(Invalid, match="not come yet"):
        release_everything(shop.database, shop.ids, shop.clock.now(), date(2028, 4, 12))


def test_releases_go_on_where_a_batch_ends(shop: Shop) -> None:
    shop.clock.set(MAR_31)
    shop.database.batch_size = 2
    for _ in range(5):
        shop.subscription(price_id=shop.price(items=FEE, interval=Interval.YEAR))
    shop.tick()
    shop.after(minutes=31)
    shop.clock.set(MAR_31 + timedelta(days=11))
    assert release_everything(shop.database, shop.ids, shop.clock.now())[0] == 5
    assert len({invoice.release_at for invoice in invoices(shop)}) == 1
