"""Report: what the books say by the seller's days: balances, VAT, and every entry as CSV or as a plain-text journal.

Revenue is in them as far as it has been released: to the end of the last month, or to today after
`release_everything`. Nothing is changed here.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from billing.domain.errors import Invalid
from billing.domain.hledger import JournalEntry, account_name, decimal_text, journal
from billing.domain.ids import Prefix, shown
from billing.domain.ledger import Posting
from billing.domain.periods import local_date
from billing.store.engine import Database
from billing.store.ledger import LedgerTransaction
from billing.store.ledger_reports import (
    Balance,
    Booked,
    Days,
    TaxedSum,
    balances,
    booked,
    credited,
    invoiced,
    vat_booked,
)
from billing.store.releases import seller_zone

CSV_COLUMNS = ("date", "transaction", "kind", "reference", "account", "detail", "amount", "currency", "risk")


@dataclass(frozen=True, slots=True)
class VatRow:
    """VAT of one country, rate (basis points), treatment and currency in a month, in minor units, owed positive.

    `net` and `tax` are what documents say; `relief` is tax that the accountant decided is not owed.
    """

    country: str
    rate: int
    treatment: str
    currency: str
    net: int
    tax: int
    relief: int


@dataclass(frozen=True, slots=True)
class VatReport:
    """A month's VAT. `differences` are details of the ledger (`SE:2500`, currency) that disagree with the documents,
    with what the ledger has more; none, unless somebody changed rows.
    """

    month: date
    rows: tuple[VatRow, ...]
    differences: dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Span:
    """The seller's local days `[start, end)`."""

    start: date
    end: date


def trial_balance(database: Database, on: date) -> list[Balance]:
    """Every account's balance at the end of the seller's day `on`; per currency they sum to 0."""
    with database.tx() as session:
        found = balances(session, Days(None, _day_after(on), seller_zone(session)))
    return [row for row in found if row.amount]


def vat_report(database: Database, month: date) -> VatReport:
    """The VAT of the month that begins on the day `month`, by country, rate and treatment."""
    with database.tx() as session:
        days = Days(month, month_after(month), seller_zone(session))
        documents = [*invoiced(session, days), *credited(session, days)]
        ledger = vat_booked(session, days)
    rows: dict[tuple[str, int, str, str], list[int]] = {}
    for one in documents:
        _add(rows, one, (one.net, one.tax, 0))
    for is_relief, row in ledger:
        if is_relief:
            country, _, rate = row.detail.partition(":")
            _add(rows, TaxedSum(country, int(rate), "standard", row.currency, 0, 0), (0, 0, row.amount))
    found = tuple(VatRow(*key, *sums) for key, sums in sorted(rows.items()) if any(sums))
    return VatReport(month, found, _differences(documents, (row for is_relief, row in ledger if not is_relief)))


def span(first: date, last: date) -> Span:
    """The days from `first` to `last`, both included. Raises `Invalid` where they run backwards."""
    if last < first:
        raise Invalid("the last day lies before the first", where="to")
    return Span(first, _day_after(last))


def journal_text(database: Database, span: Span) -> Iterator[str]:
    """Every transaction of `span` as a journal that hledger reads, piece by piece."""
    with database.tx() as session:
        zone = seller_zone(session)
        found = balances(session, Days(span.start, span.end, zone))
    accounts = {account_name(row.account, row.detail) for row in found}
    currencies = {row.currency for row in found}
    return journal((_journal_entry(one, zone) for one in _all(database, span, zone)), accounts, currencies)


def journal_csv(database: Database, span: Span) -> Iterator[str]:
    """Every entry of `span` as CSV, one row each; amounts are decimal, debits positive."""
    with database.tx() as session:
        zone = seller_zone(session)
    yield _row(CSV_COLUMNS)
    for one in _all(database, span, zone):
        entry = _journal_entry(one, zone)
        for posting in entry.postings:
            amount = decimal_text(posting.amount, entry.currency)
            about = (entry.on.isoformat(), entry.id.hex, entry.kind, entry.reference)
            yield _row((*about, posting.account, posting.detail, amount, entry.currency, entry.risk))


def month_after(month: date) -> date:
    """The first day of the next month."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def today(database: Database, now: datetime) -> date:
    """The seller's local day at `now`."""
    with database.tx() as session:
        return local_date(now, seller_zone(session))


def _day_after(day: date) -> date:
    try:
        return day + timedelta(days=1)
    except OverflowError:
        raise Invalid("the calendar ends with the year 9999") from None


def _add(rows: dict[tuple[str, int, str, str], list[int]], one: TaxedSum, sums: tuple[int, int, int]) -> None:
    row = rows.setdefault((one.country, one.rate, one.treatment, one.currency), [0, 0, 0])
    for index, amount in enumerate(sums):
        row[index] += amount


def _differences(documents: Iterable[TaxedSum], ledger: Iterable[Balance]) -> dict[tuple[str, str], int]:
    # VAT payable is a debt: what is owed stands there below 0.
    rest: dict[tuple[str, str], int] = {(row.detail, row.currency): -row.amount for row in ledger}
    for one in documents:
        key = (f"{one.country}:{one.rate}", one.currency)
        rest[key] = rest.get(key, 0) - one.tax
    return {key: amount for key, amount in rest.items() if amount}


def _all(database: Database, span: Span, zone: str) -> Iterator[Booked]:
    after: UUID | None = None
    while True:
        with database.tx() as session:
            found = booked(session, Days(span.start, span.end, zone), after, database.batch_size)
        yield from found
        if not found:
            return
        after = found[-1].transaction.id


def _journal_entry(one: Booked, zone: str) -> JournalEntry:
    row = one.transaction
    on = row.booked_on or local_date(row.at, zone)
    postings = [Posting(entry.account, entry.amount, entry.detail) for entry in one.entries]
    return JournalEntry(row.id, on, row.kind, _reference(one, row), row.currency, postings, one.risk or "")


def _reference(one: Booked, row: LedgerTransaction) -> str:
    if one.series_id is not None and one.number is not None:
        return f"{one.series_id}-{one.number:06d}"
    if row.invoice_id is not None:
        return shown(Prefix.INVOICE, row.invoice_id)
    return one.payout or ""


def _row(values: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(values)
    return written.getvalue()
