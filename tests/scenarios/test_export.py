"""`billing export`: the books of a service that is running, written to standard output."""

import csv
import io

import pytest
from click.testing import CliRunner
from factories import Shop

from billing.cli import main
from billing.store.engine import Database


@pytest.fixture
def books(database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A paid invoice of 31 January 2028, in a database that this process keeps open."""
    monkeypatch.setenv("BILLING_DATABASE__URL", database_url)
    shop = Shop(database)
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    return shop


def said(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["export", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_balances_are_exported_while_somebody_else_writes(books: Shop) -> None:
    with books.database.tx():
        rows = list(csv.DictReader(io.StringIO(said("trial-balance", "--on", "2028-01-31"))))
    assert {"account": "assets:provider_clearing", "balance": "39.70", "currency": "SEK"} in rows


def test_the_journal_and_the_entries_are_exported(books: Shop) -> None:
    days = ("--from", "2028-01-01", "--to", "2028-01-31")
    assert "2028-01-31 * capture | invoice-000001" in said("journal", *days)
    assert said("csv", *days).splitlines()[0] == "date,transaction,kind,reference,account,detail,amount,currency,risk"


def test_vat_is_exported_by_month(books: Shop) -> None:
    lines = said("vat", "--month", "2028-01").splitlines()
    assert lines[1] == "2028-01,SE,12.00,standard,13.30,1.60,0.00,SEK"


def test_a_month_that_cannot_be_is_a_wrong_command_line(books: Shop) -> None:
    assert CliRunner().invoke(main, ["export", "vat", "--month", "2028-13"]).exit_code == 2


def test_a_database_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("BILLING_DATABASE__URL", f"sqlite:///{tmp_path}/nowhere.sqlite3")
    result = CliRunner().invoke(main, ["export", "journal"])
    assert (result.exit_code, "billing migrate" in result.output) == (3, True)
