"""What the accountant takes away: journal, entries, balances, VAT. Read from a copy, so that a running service is
neither stopped nor waited for.
"""

import csv
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime

import click

from billing.adapters.clock import SystemClock
from billing.cli.copies import read_only
from billing.domain.hledger import account_name, decimal_text
from billing.store.engine import Database
from billing.use_cases import report_ledger
from billing.use_cases.report_ledger import Span

_DAY = click.DateTime(["%Y-%m-%d"])
FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)

_first = click.option("--from", "first", type=_DAY, default=FIRST_DAY, help="First of the seller's days.")
_last = click.option("--to", "last", type=_DAY, help="Last of the seller's days; today unless said.")


@click.group()
def export() -> None:
    """The books, written to standard output.

    \b
    Example: billing export journal > books.journal && hledger -f books.journal balance
    Exit codes: 0 done, 2 wrong command line, 3 the database is not migrated or cannot be reached.
    """


@export.command("journal")
@_first
@_last
def export_journal(first: datetime, last: datetime | None) -> None:
    """Every transaction as a plain-text journal that hledger reads.

    \b
    Example: billing export journal --from 2028-01-01 --to 2028-12-31
    Exit codes: 0 done, 2 wrong command line, 3 the database is not migrated or cannot be reached.
    """
    with read_only() as database:
        _write(report_ledger.journal_text(database, _span(database, first, last)))


@export.command("csv")
@_first
@_last
def export_csv(first: datetime, last: datetime | None) -> None:
    """Every entry as a row of CSV: debits positive, amounts decimal.

    \b
    Example: billing export csv --from 2028-03-01 --to 2028-03-31
    Exit codes: 0 done, 2 wrong command line, 3 the database is not migrated or cannot be reached.
    """
    with read_only() as database:
        _write(report_ledger.journal_csv(database, _span(database, first, last)))


@export.command("trial-balance")
@click.option("--on", type=_DAY, help="The seller's day whose end is shown; today unless said.")
def export_trial_balance(on: datetime | None) -> None:
    """Every account that is not at zero, as CSV; per currency they sum to 0.

    \b
    Example: billing export trial-balance --on 2028-03-31
    Exit codes: 0 done, 2 wrong command line, 3 the database is not migrated or cannot be reached.
    """
    with read_only() as database:
        rows = report_ledger.trial_balance(database, _day(database, on))
    _table(
        ("account", "balance", "currency"),
        ((account_name(row.account, row.detail), decimal_text(row.amount, row.currency), row.currency) for row in rows),
    )


@export.command("vat")
@click.option("--month", type=click.DateTime(["%Y-%m"]), required=True, help="The seller's month.")
def export_vat(month: datetime) -> None:
    """A month's VAT per country and rate, as CSV.

    \b
    Example: billing export vat --month 2028-03
    Exit codes: 0 done, 1 the ledger and the documents disagree (told on standard error), 2 wrong command line,
    3 the database is not migrated or cannot be reached.
    """
    with read_only() as database:
        report = report_ledger.vat_report(database, month.date())
    _table(
        ("month", "country", "rate", "treatment", "net", "tax", "relief", "currency"),
        (
            (
                f"{month:%Y-%m}",
                row.country,
                decimal_text(row.rate, "EUR"),
                row.treatment,
                *(decimal_text(amount, row.currency) for amount in (row.net, row.tax, row.relief)),
                row.currency,
            )
            for row in report.rows
        ),
    )
    for (detail, currency), amount in sorted(report.differences.items()):
        click.echo(f"the ledger has {decimal_text(amount, currency)} {currency} more for {detail}", err=True)
    if report.differences:
        raise SystemExit(1)


def _span(database: Database, first: datetime, last: datetime | None) -> Span:
    return report_ledger.span(first.date(), _day(database, last))


def _day(database: Database, given: datetime | None) -> date:
    return given.date() if given is not None else report_ledger.today(database, SystemClock().now())


def _write(pieces: Iterable[str]) -> None:
    for piece in pieces:
        click.echo(piece, nl=False)


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows(rows)
