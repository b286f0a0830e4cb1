"""The reader that holds our books against the provider's, on small files made by hand."""

import io
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from billing.demo.books import Comparison, compare, frozen_clock, opened
from billing.demo.catalogue import Customer
from billing.demo.figures import NOBODY, Figures, read_figures
from billing.demo.tables import show

SERVICE = """
CREATE TABLE customers (id, reference);
CREATE TABLE subscriptions (id, customer_id, status, end_reason);
CREATE TABLE invoices (id TEXT PRIMARY KEY, customer_id, kind, total, status, first_declined_at);
CREATE TABLE operations (id TEXT PRIMARY KEY, kind, invoice_id, status, authorization, amount, currency, key,
  merchant_reference, provider_id, purchase_id);
CREATE TABLE ledger_transactions (id, kind, invoice_id, operation_id);
CREATE TABLE ledger_entries (id, transaction_id, account, amount, currency);
CREATE TABLE credit_notes (id, invoice_id);
CREATE TABLE credit_note_lines (id, credit_note_id, how);
"""
SANDBOX = """
CREATE TABLE clock (id, frozen_at);
CREATE TABLE orders (order_id TEXT PRIMARY KEY, merchant_reference1, merchant_reference2, currency, order_amount,
  captured_amount, refunded_amount, status);
CREATE TABLE captures (capture_id, order_id, amount, reference);
CREATE TABLE refunds (refund_id, order_id, amount, reference);
CREATE TABLE send_outs (id, order_id, capture_id, cause);
CREATE TABLE declines (id, merchant_reference1, idempotency_key);
CREATE TABLE faults (id, fault, idempotency_key);
"""
MOVEMENTS = {
    "capture": (
        "INSERT INTO captures VALUES (?, ?, ?, ?)",
        "UPDATE orders SET captured_amount = captured_amount + ? WHERE order_id = ?",
    ),
    "refund": (
        "INSERT INTO refunds VALUES (?, ?, ?, ?)",
        "UPDATE orders SET refunded_amount = refunded_amount + ? WHERE order_id = ?",
    ),
}


class Files:
    """Two files with one paid invoice on which both sides agree: 29.90 EUR taken, 5.00 EUR of it given back."""

    def __init__(self, folder: Path) -> None:
        self.service, self.sandbox = folder / "service file.sqlite3", folder / "sandbox.sqlite3"
        for path, schema in ((self.service, SERVICE), (self.sandbox, SANDBOX)):
            with closing(sqlite3.connect(path)) as made:
                made.executescript("PRAGMA journal_mode=WAL;" + schema)
        self.sell("a1", "EUR", 2990)
        self.give_back("a1", "EUR", 500)

    def ours(self, sql: str, *values: Any) -> None:
        _run(self.service, sql, values)

    def theirs(self, sql: str, *values: Any) -> None:
        _run(self.sandbox, sql, values)

    def sell(self, invoice: str, currency: str, amount: int, *, total: int | None = None) -> None:
        """A purchase and its capture on both sides."""
        self.ours("INSERT INTO customers VALUES (?, ?)", f"cus{invoice}", f"customer-{invoice}")
        self.ours(
            "INSERT INTO invoices VALUES (?, ?, 'recurring', ?, 'paid', NULL)",
            invoice,
            f"cus{invoice}",
            amount if total is None else total,
        )
        self.operation(invoice, "purchase", currency, amount, f"ord{invoice}")
        self.theirs(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, 0, 0, 'CAPTURED')",
            f"ord{invoice}",
            f"inv_{invoice}",
            f"ref-purchase-{invoice}",
            currency,
            amount,
        )
        self.move(invoice, "capture", currency, amount)

    def give_back(self, invoice: str, currency: str, amount: int) -> None:
        self.move(invoice, "refund", currency, amount)

    def move(self, invoice: str, kind: str, currency: str, amount: int) -> None:
        self.operation(invoice, kind, currency, amount, f"{kind}{invoice}")
        self.ours("INSERT INTO ledger_transactions VALUES (?1, ?2, ?3, ?1)", f"{kind}-{invoice}", kind, invoice)
        signed = amount if kind == "capture" else -amount
        for account, part in (("provider_clearing", signed), ("receivable", -signed)):
            self.ours("INSERT INTO ledger_entries VALUES (1, ?, ?, ?, ?)", f"{kind}-{invoice}", account, part, currency)
        values = (f"{kind}{invoice}", f"ord{invoice}", amount, f"ref-{kind}-{invoice}")
        insert, update = MOVEMENTS[kind]
        self.theirs(insert, *values)
        self.theirs(update, amount, f"ord{invoice}")

    def operation(self, invoice: str, kind: str, currency: str, amount: int, provider_id: str) -> None:
        self.ours(
            "INSERT INTO operations VALUES (?, ?, ?, 'succeeded', ?, ?, ?, ?, ?, ?, ?)",
            f"{kind}-{invoice}",
            kind,
            invoice,
            "captured" if kind == "purchase" else "none",
            amount,
            currency,
            f"key{kind}{invoice}",
            f"ref-{kind}-{invoice}",
            provider_id,
            None if kind == "purchase" else f"purchase-{invoice}",
        )

    def compared(self) -> Comparison:
        with opened(self.service, self.sandbox) as books:
            return compare(books)

    def figures(self, *references: str) -> Figures:
        return read_figures(self.service, self.sandbox, [customer(reference) for reference in references])


def _run(path: Path, sql: str, values: tuple[Any, ...]) -> None:
    with closing(sqlite3.connect(path)) as books, books:
        books.execute(sql, values)


def customer(reference: str, behaviour: str = "always_ok") -> Customer:
    return Customer(reference, "Somebody", "", "DE", "Europe/Berlin", "de-DE", "plan", None, behaviour, "")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_books_that_agree_have_no_difference(files):
    compared = files.compared()
    assert compared.difference == {}
    assert compared.differences == ()
    assert {(row.what, row.ours, row.theirs) for row in compared.summary} == {
        ("order authorized", 2990, 2990),
        ("order taken", 2990, 2990),
        ("order given back", 500, 500),
        ("capture", 2990, 2990),
        ("refund", 500, 500),
    }


EDITED_ROWS: list[tuple[str, dict[str, int]]] = [
    ("UPDATE captures SET amount = amount + 1", {"EUR": 1}),
    ("UPDATE refunds SET amount = amount - 1", {"EUR": 1}),
    ("UPDATE orders SET captured_amount = captured_amount - 7", {"EUR": 7}),
    ("UPDATE orders SET refunded_amount = 0", {"EUR": 500}),
    ("UPDATE orders SET order_amount = order_amount + 10", {"EUR": 10}),
    ("UPDATE orders SET status = 'CANCELLED'", {"EUR": 2990}),
    ("UPDATE orders SET merchant_reference1 = 'inv_b2'", {"EUR": 2 * 2990}),
    ("UPDATE captures SET reference = NULL", {"EUR": 2 * 2990}),
    ("UPDATE captures SET order_id = 'another'", {"EUR": 2990, "XXX": 2990}),
    ("DELETE FROM captures", {"EUR": 2990}),
    ("DELETE FROM refunds", {"EUR": 500}),
    ("INSERT INTO captures VALUES ('more', 'orda1', 2990, 'ref-capture-a1')", {"EUR": 2990}),
    ("INSERT INTO orders VALUES ('more', 'inv_a1', 'x', 'SEK', 990, 0, 0, 'AUTHORIZED')", {"SEK": 990}),
    ("UPDATE orders SET currency = 'SEK'", {"EUR": 2990, "SEK": 2990}),
]


@pytest.mark.parametrize(("edit", "difference"), EDITED_ROWS)
def test_one_edited_row_of_the_provider_is_a_difference_of_that_much(files, edit, difference):
    files.theirs(edit)
    assert files.compared().difference == difference


OWN_MISTAKES = [
    "DELETE FROM ledger_entries WHERE transaction_id = 'capture-a1'",
    "UPDATE ledger_entries SET amount = amount + 1 WHERE account = 'provider_clearing'",
    "UPDATE ledger_transactions SET operation_id = NULL WHERE kind = 'refund'",
    "UPDATE operations SET amount = 1 WHERE kind = 'purchase'",
]


@pytest.mark.parametrize("mistake", OWN_MISTAKES)
def test_a_mistake_in_our_own_books_is_a_difference_too(files, mistake):
    files.ours(mistake)
    assert files.compared().difference.keys() == {"EUR"}


def test_differences_that_cancel_out_in_the_sum_are_still_differences(files):
    files.sell("b2", "EUR", 1000)
    files.theirs("UPDATE captures SET amount = amount + 5 WHERE order_id = 'orda1'")
    files.theirs("UPDATE captures SET amount = amount - 5 WHERE order_id = 'ordb2'")
    assert files.compared().difference == {"EUR": 10}


def test_currencies_are_never_added_up(files):
    files.sell("b2", "SEK", 1000)
    files.theirs("UPDATE captures SET amount = amount + 5")
    assert files.compared().difference == {"EUR": 5, "SEK": 5}


def test_a_voided_order_is_no_difference(files):
    files.operation("c3", "purchase", "EUR", 1500, "ordc3")
    files.ours("UPDATE operations SET authorization = 'voided' WHERE invoice_id = 'c3'")
    files.theirs("INSERT INTO orders VALUES ('ordc3', 'inv_c3', 'ref-purchase-c3', 'EUR', 1500, 0, 0, 'CANCELLED')")
    assert files.compared().difference == {}


def test_reading_changes_neither_file(files):
    before = [path.read_bytes() for path in (files.service, files.sandbox)]
    files.figures("customer-a1")
    assert [path.read_bytes() for path in (files.service, files.sandbox)] == before


def test_a_free_invoice_is_no_renewal(files):
    files.sell("b2", "EUR", 100, total=0)
    assert files.figures("customer-a1", "customer-b2").total.renewals == 1


def test_every_send_out_counts_and_a_replayed_decline_counts_once(files):
    for number, cause in enumerate(["capture", "trigger"]):
        files.theirs("INSERT INTO send_outs VALUES (?, 'orda1', 'capturea1', ?)", number, cause)
    for number, key in enumerate(["k1", "k1", "k2"]):
        files.theirs("INSERT INTO declines VALUES (?, 'inv_a1', ?)", number, key)
    total = files.figures("customer-a1").total
    assert (total.captured, total.emailed, total.declined) == (1, 2, 2)


def test_only_a_declined_invoice_that_was_paid_is_recovered(files):
    files.sell("b2", "EUR", 100)
    files.ours("UPDATE invoices SET first_declined_at = '2028-03-01 06:00:00.000000'")
    files.ours("UPDATE invoices SET status = 'uncollectible' WHERE id = 'b2'")
    assert files.figures("customer-a1").total.recovered == 1


def test_ends_are_counted_by_their_reason(files):
    for number, reason in enumerate(["unpaid", "canceled", "canceled", None]):
        files.ours("INSERT INTO subscriptions VALUES (?, 'cusa1', 'ended', ?)", number, reason)
    total = files.figures("customer-a1").total
    assert (total.ended_unpaid, total.canceled) == (1, 2)


def test_a_credit_note_with_units_counts_as_one_by_article(files):
    for note, how in (("n1", "time"), ("n1", "quantity"), ("n1", "quantity"), ("n2", "time")):
        files.ours("INSERT INTO credit_note_lines VALUES (1, ?, ?)", note, how)
    for note in ("n1", "n2"):
        files.ours("INSERT INTO credit_notes VALUES (?, 'a1')", note)
    total = files.figures("customer-a1").total
    assert (total.credited, total.credited_by_article) == (2, 1)


FAULTS = [("silence_after", "key-purchase-a1"), ("silence_before", "key-purchase-a1"), ("500_after", "key-capture-a1")]


def test_a_spoilt_call_is_known_once_its_operation_is_settled(files):
    for number, (fault, key) in enumerate(FAULTS):
        files.theirs("INSERT INTO faults VALUES (?, ?, ?)", number, fault, key)
    files.ours("UPDATE operations SET status = 'unknown' WHERE id = 'capture-a1'")
    total = files.figures("customer-a1").total
    assert (total.unknown, total.replayed, total.silences, total.five_hundreds) == (2, 1, 1, 0)


def test_a_call_that_no_operation_of_ours_knows_stays_unknown(files):
    files.theirs("INSERT INTO faults VALUES (1, 'silence_after', 'a-key-of-nobody')")
    figures = files.figures("customer-a1")
    assert (figures.by_behaviour[NOBODY].unknown, figures.total.replayed) == (1, 0)


def test_what_belongs_to_nobody_in_the_catalogue_is_counted_all_the_same(files):
    figures = files.figures()
    assert figures.total.renewals == figures.by_behaviour[NOBODY].renewals == 1


def test_operations_that_need_a_person_are_counted(files):
    files.ours("UPDATE operations SET status = 'needs_operator' WHERE kind = 'refund'")
    assert files.figures("customer-a1").total.needs_operator == 1


def test_the_json_has_the_thirteen_keys_in_their_order(files):
    keys = "renewals captured emailed declined recovered ended_unpaid canceled credited unknown replayed"
    assert list(files.figures().as_json()) == [*keys.split(), "needs_operator", "ledger_difference", "seconds"]


@pytest.fixture
def shown(files) -> Callable[[], SimpleNamespace]:
    def printed() -> SimpleNamespace:
        figures, text = files.figures("customer-a1"), io.StringIO()
        show(Console(file=text, width=80), figures, {"always_ok": 1})
        return SimpleNamespace(text=text.getvalue(), figures=figures)

    return printed


def test_the_tables_say_that_the_books_agree(shown):
    text = shown().text
    assert "The books equal the provider's to the cent." in text
    assert "29.90" in text
    assert "…" not in text


def test_the_tables_name_the_order_that_differs(files, shown):
    files.theirs("UPDATE captures SET amount = amount + 1")
    text = " ".join(shown().text.split())
    assert "capture orda1: 29.90 EUR in our books, 29.91 EUR at the provider" in text
    assert "The books DIFFER from the provider's by 0.01 EUR." in text


def test_a_clock_that_was_never_set_is_no_place_to_go_on_from(files):
    assert frozen_clock(files.sandbox) is None
    files.theirs("INSERT INTO clock VALUES (1, '2028-05-01T10:00:00.000Z')")
    found = frozen_clock(files.sandbox)
    assert found is not None
    assert found.isoformat() == "2028-05-01T10:00:00+00:00"
