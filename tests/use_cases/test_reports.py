"""What the accountant reads: balances, VAT, the journal; hledger reads the same from it."""

import csv
import io
import shutil
import subprocess
from datetime import UTC, date, datetime

import pytest
from factories import BASE_FEE, NumberOn, Shop
from reading import invoices, operations
from sqlalchemy import text
from sqlmodel import select

from billing.domain.errors import Invalid
from billing.domain.hledger import account_name, decimal_text
from billing.domain.ledger import Posting, postings_for_balance_used, postings_for_vat_relief, postings_for_void
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.domain.settlements import LineKind, Settlement, SettlementLine
from billing.ports import Answer, Declined
from billing.store.batch import Batch
from billing.store.invoices import Invoice
from billing.store.ledger import entries_of
from billing.use_cases.record_payout import record_payout
from billing.use_cases.refund import NewRefund, refund
from billing.use_cases.report_ledger import (
    CSV_COLUMNS,
    VatRow,
    journal_csv,
    journal_text,
    span,
    today,
    trial_balance,
    vat_report,
)
from billing.use_cases.subscribe import NewSubscription, subscribe

MARCH, APRIL = date(2028, 3, 1), date(2028, 4, 1)
YEAR = span(date(2028, 1, 1), date(2028, 12, 31))


@pytest.fixture
def books(shop: Shop) -> Shop:
    """Captured on 31 March, part of it refunded on 3 April and paid out on the 5th; a purchase in yen beside it."""
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    shop.subscription()
    tokyo = shop.customer(zone="Asia/Tokyo", country="JP")
    yen = shop.price(items=(BASE_FEE,), currency="JPY")
    subscribe_in_yen(shop, tokyo, yen)
    shop.tick()
    shop.after(minutes=31)
    shop.at(datetime(2028, 4, 3, 8, tzinfo=UTC))
    (in_kronor,) = (invoice for invoice in invoices(shop) if invoice.currency == "SEK")
    new = NewRefund(in_kronor.id, "goodwill", amount=Money(500, "SEK"))
    refund(shop.database, shop.ids, shop.clock.now(), new)
    shop.tick()
    shop.at(datetime(2028, 4, 5, 8, tzinfo=UTC))
    pay_out(shop)
    return shop


def subscribe_in_yen(shop: Shop, customer_id: object, price_id: object) -> None:
    token_id = shop.token(customer_id, currency="JPY")
    subscribe(shop.database, shop.ids, shop.clock.now(), NewSubscription(customer_id, price_id, token_id, None))


def pay_out(shop: Shop) -> None:
    (capture,) = (op for op in operations(shop, "capture") if op.currency == "SEK")
    (back,) = operations(shop, "refund")
    lines = [
        SettlementLine(LineKind.CAPTURE, capture.amount, 75, capture.provider_id),
        SettlementLine(LineKind.REFUND, back.amount, 0, back.provider_id),
    ]
    paid = Settlement("po;1", "main", date(2028, 4, 4), "SEK", 3970 - 75 - 500, lines)
    record_payout(shop.database, shop.ids, shop.clock.now(), paid)


def hledger(journal: str, *arguments: str) -> str:
    """What the real program says; its absence is a reason to skip."""
    program = shutil.which("hledger")
    if program is None:
        pytest.skip("hledger is not installed (Debian has it)")
    said = subprocess.run([program, "-f", "-", *arguments], input=journal, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return said.stdout


def shown(shop: Shop, on: date) -> dict[str, str]:
    """The trial balance as hledger writes it: accounts with amounts in all their currencies."""
    found: dict[str, list[str]] = {}
    for row in trial_balance(shop.database, on):
        name = account_name(row.account, row.detail)
        found.setdefault(name, []).append(f"{decimal_text(row.amount, row.currency)} {row.currency}")
    return {name: ", ".join(sorted(amounts)) for name, amounts in found.items()}


def test_the_trial_balance_sums_to_zero_in_each_currency(books: Shop) -> None:
    sums: dict[str, int] = {}
    for row in trial_balance(books.database, date(2028, 4, 5)):
        sums[row.currency] = sums.get(row.currency, 0) + row.amount
    assert sums == {"SEK": 0, "JPY": 0}


def test_the_trial_balance_of_a_day_knows_nothing_of_the_days_after(books: Shop) -> None:
    def clearing(on: date) -> int:
        rows = trial_balance(books.database, on)
        return sum(row.amount for row in rows if (row.account, row.currency) == ("provider_clearing", "SEK"))

    assert [clearing(date(2028, *day)) for day in [(3, 30), (3, 31), (4, 3), (4, 4)]] == [0, 3970, 3470, 0]


def test_a_months_revenue_counts_for_the_month_though_it_is_written_after_it(books: Shop) -> None:
    revenue = {
        row.detail: -row.amount
        for row in trial_balance(books.database, date(2028, 3, 31))
        if (row.account, row.currency) == ("revenue", "SEK")
    }
    assert revenue == {"time": 53, "at_capture": 392}


def test_hledger_finds_the_same_balances(books: Shop) -> None:
    journal = "".join(journal_text(books.database, YEAR))
    said = csv.reader(io.StringIO(hledger(journal, "balance", "--flat", "--no-total", "-O", "csv")))
    next(said)
    found = {name: ", ".join(sorted(amounts.split(", "))) for name, amounts in said}
    assert found == shown(books, date(2028, 12, 31))


def test_hledger_finds_the_same_balances_at_the_end_of_a_day(books: Shop) -> None:
    journal = "".join(journal_text(books.database, YEAR))
    said = csv.reader(io.StringIO(hledger(journal, "balance", "-e", "2028-04-01", "--flat", "--no-total", "-O", "csv")))
    next(said)
    found = {name: ", ".join(sorted(amounts.split(", "))) for name, amounts in said}
    assert found == shown(books, date(2028, 3, 31))


def test_hledger_has_nothing_to_object_to(books: Shop) -> None:
    hledger("".join(journal_text(books.database, YEAR)), "check", "--strict")


def test_the_journal_in_pieces_is_the_journal(books: Shop) -> None:
    whole = "".join(journal_text(books.database, YEAR))
    books.database.batch_size = 1
    assert "".join(journal_text(books.database, YEAR)) == whole
    assert "payout | po 1\n" in whole


def test_the_csv_has_every_entry_with_its_document(books: Shop) -> None:
    rows = list(csv.DictReader(io.StringIO("".join(journal_csv(books.database, YEAR)))))
    assert tuple(rows[0]) == CSV_COLUMNS
    paid_out = [(row["date"], row["reference"], row["amount"]) for row in rows if row["account"] == "bank"]
    assert paid_out == [("2028-04-04", "po;1", "33.95")]
    opened = [row for row in rows if (row["kind"], row["account"], row["currency"]) == ("opening", "receivable", "SEK")]
    assert [(row["reference"][:8], row["amount"]) for row in opened] == [("invoice-", "39.70")]


def test_the_csv_of_some_days_has_those_days(books: Shop) -> None:
    days = span(date(2028, 4, 4), date(2028, 4, 4))
    rows = list(csv.DictReader(io.StringIO("".join(journal_csv(books.database, days)))))
    assert {row["kind"] for row in rows} == {"payout"}


def test_days_that_run_backwards_are_refused() -> None:
    with pytest.raises(Invalid, match="before the first"):
        span(APRIL, MARCH)


def test_vat_is_told_by_country_rate_and_month_with_its_base(books: Shop) -> None:
    report = vat_report(books.database, MARCH)
    kronor = [row for row in report.rows if row.currency == "SEK"]
    assert kronor == [
        VatRow("SE", 1200, "standard", "SEK", 1330, 160, 0),
        VatRow("SE", 2500, "standard", "SEK", 1984, 496, 0),
    ]
    assert report.differences == {}


def test_a_credit_note_lowers_the_vat_of_its_own_month(books: Shop) -> None:
    report = vat_report(books.database, APRIL)
    assert sum(row.net + row.tax for row in report.rows) == -500
    assert all(row.tax < 0 for row in report.rows)
    assert report.differences == {}


def test_relief_that_the_accountant_decided_stands_apart(books: Shop) -> None:
    with books.database.tx() as session:
        batch = Batch(books.ids, books.clock.now())
        batch.post("vat_relief", None, postings_for_vat_relief({2500: 98}, "SE"), currency="SEK")
        batch.write(session)
    report = vat_report(books.database, APRIL)
    (relieved,) = (row for row in report.rows if row.rate == 2500)
    assert relieved.relief == 98
    assert report.differences == {}


def test_a_ledger_that_disagrees_with_the_documents_is_told(books: Shop) -> None:
    with books.database.tx() as session:
        session.execute(text("UPDATE invoice_lines SET tax_amount = tax_amount - 1 WHERE article_number = 'BOX'"))
    assert vat_report(books.database, MARCH).differences == {("SE:1200", "SEK"): 1}


def test_a_month_without_documents_has_no_vat(books: Shop) -> None:
    assert vat_report(books.database, date(2028, 2, 1)).rows == ()


def test_today_is_the_sellers(shop: Shop) -> None:
    assert today(shop.database, datetime(2028, 3, 31, 22, 30, tzinfo=UTC)) == APRIL


def test_a_void_takes_its_vat_back_once_though_it_returns_a_balance_too(shop: Shop) -> None:
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    shop.gateway.always(OperationKind.PURCHASE, Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft"))
    shop.subscription(price_id=shop.price(number_on=NumberOn.OPEN))
    shop.tick()
    assert sum(row.tax for row in vat_report(shop.database, MARCH).rows) == 656
    with shop.database.tx() as session:
        batch = Batch(shop.ids, shop.clock.now())
        row = session.exec(select(Invoice)).one()
        opening = [Posting(e.account, e.amount, e.detail) for e in entries_of(session, row.id, "opening")]
        for booked in (opening, postings_for_balance_used(500)):
            batch.post("void", row, postings_for_void(booked))
        batch.write(session)
    report = vat_report(shop.database, MARCH)
    assert (report.rows, report.differences) == ((), {})
