"""Questions asked of the ledger by days: balances, VAT with its base, and the entries themselves.

A transaction counts for its `booked_on`, or else for the seller's local day of its instant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, or_
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from billing.domain.ledger import Account
from billing.domain.periods import instant_of
from billing.store.invoices import CreditNote, CreditNoteLine, Invoice, InvoiceLine
from billing.store.ledger import LedgerEntry, LedgerTransaction
from billing.store.operations import Operation
from billing.store.payouts import Payout

RELIEF = "vat_relief"
_CLAIMS = {"opening": 1, "void": -1}
_NO_SALE = ("carried", "balance")


@dataclass(frozen=True, slots=True)
class Days:
    """The local days `[start, end)` of the seller's `zone`; without a start, all before the end."""

    start: date | None
    end: date
    zone: str


@dataclass(frozen=True, slots=True)
class Balance:
    """The sum of an account's entries in minor units, debits positive."""

    account: str
    detail: str
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class TaxedSum:
    """What documents say of one country, rate (basis points) and treatment, in minor units."""

    country: str
    rate: int
    treatment: str
    currency: str
    net: int
    tax: int


@dataclass(frozen=True, slots=True)
class Booked:
    """A transaction with its entries and what it is about."""

    transaction: LedgerTransaction
    entries: Sequence[LedgerEntry]
    series_id: str | None
    number: int | None
    payout: str | None
    risk: str | None
    """What the provider said of a capture."""


def balances(session: Session, days: Days) -> list[Balance]:
    """Every account with entries in `days`, by currency, account and detail."""
    columns = (LedgerEntry.currency, LedgerEntry.account, LedgerEntry.detail)
    query = (
        select(*columns, func.sum(LedgerEntry.amount))
        .join(LedgerTransaction, col(LedgerTransaction.id) == col(LedgerEntry.transaction_id))
        .where(_in(days))
        .group_by(*columns)
        .order_by(*columns)
    )
    return [Balance(account, detail, code, int(total)) for code, account, detail, total in session.exec(query)]


def vat_booked(session: Session, days: Days) -> list[tuple[bool, Balance]]:
    """What VAT payable moved by in `days`, by detail, apart for reliefs (True) and documents (False)."""
    is_relief = case((col(LedgerTransaction.kind) == RELIEF, 1), else_=0)
    query = (
        select(is_relief, LedgerEntry.currency, LedgerEntry.detail, func.sum(LedgerEntry.amount))
        .join(LedgerTransaction, col(LedgerTransaction.id) == col(LedgerEntry.transaction_id))
        .where(_in(days), LedgerEntry.account == Account.VAT_PAYABLE.value)
        .group_by(is_relief, col(LedgerEntry.currency), col(LedgerEntry.detail))
    )
    return [
        (bool(relief), Balance(Account.VAT_PAYABLE.value, detail, code, int(total)))
        for relief, code, detail, total in session.exec(query)
    ]


def invoiced(session: Session, days: Days) -> list[TaxedSum]:
    """What invoices claimed in `days`, less what voids took back."""
    sign = case(*((col(LedgerTransaction.kind) == kind, factor) for kind, factor in _CLAIMS.items()), else_=0)
    query = (
        select(*_per(InvoiceLine, sign))
        .select_from(LedgerTransaction)
        .join(Invoice, col(Invoice.id) == col(LedgerTransaction.invoice_id))
        .join(InvoiceLine, col(InvoiceLine.invoice_id) == col(Invoice.id))
        .where(_in(days), col(LedgerTransaction.kind).in_(_CLAIMS), col(InvoiceLine.kind).not_in(_NO_SALE))
        .where(_is_a_sale())
        .group_by(*_grouped(InvoiceLine))
    )
    return _sums(session.exec(query))


def credited(session: Session, days: Days) -> list[TaxedSum]:
    """What credit notes took back in `days`, below 0."""
    query = (
        select(*_per(CreditNoteLine, -1))
        .select_from(LedgerTransaction)
        .join(CreditNote, col(CreditNote.id) == col(LedgerTransaction.credit_note_id))
        .join(Invoice, col(Invoice.id) == col(CreditNote.invoice_id))
        .join(CreditNoteLine, col(CreditNoteLine.credit_note_id) == col(CreditNote.id))
        .join(InvoiceLine, col(InvoiceLine.id) == col(CreditNoteLine.line_id))
        .where(_in(days), LedgerTransaction.kind == "credit_note")
        .group_by(*_grouped(CreditNoteLine))
    )
    return _sums(session.exec(query))


def booked(session: Session, days: Days, after: UUID | None, limit: int) -> list[Booked]:
    """Transactions of `days` with their entries, in the order of ids after `after`."""
    query: Any = (
        sql_select(
            LedgerTransaction, col(Invoice.series_id), col(Invoice.number), col(Payout.reference), col(Operation.risk)
        )
        .join(Invoice, col(Invoice.id) == col(LedgerTransaction.invoice_id), isouter=True)
        .join(Payout, col(Payout.id) == col(LedgerTransaction.payout_id), isouter=True)
        .join(Operation, col(Operation.id) == col(LedgerTransaction.operation_id), isouter=True)
        .where(_in(days))
    )
    if after is not None:
        query = query.where(col(LedgerTransaction.id) > after)
    found = session.execute(query.order_by(col(LedgerTransaction.id)).limit(limit)).all()
    entries: dict[UUID, list[LedgerEntry]] = {}
    wanted = select(LedgerEntry).where(col(LedgerEntry.transaction_id).in_([row[0].id for row in found]))
    for entry in session.exec(wanted.order_by(col(LedgerEntry.position))):
        entries.setdefault(entry.transaction_id, []).append(entry)
    return [Booked(row[0], entries[row[0].id], *row[1:]) for row in found]


def _sums(rows: Any) -> list[TaxedSum]:
    return [
        TaxedSum(country, rate, treatment, code, int(net), int(tax))
        for country, rate, treatment, code, net, tax in rows
    ]


def _in(days: Days) -> Any:
    transaction = LedgerTransaction
    counted = [col(transaction.booked_on) < days.end]
    written = [col(transaction.booked_on).is_(None), col(transaction.at) < instant_of(days.end, time.min, days.zone)]
    if days.start is not None:
        counted.append(col(transaction.booked_on) >= days.start)
        written.append(col(transaction.at) >= instant_of(days.start, time.min, days.zone))
    return or_(and_(*counted), and_(*written))


def _is_a_sale() -> Any:
    """Apart from what a void returns of a balance: that claims nothing."""
    sold = (Account.DEFERRED_REVENUE.value, Account.VAT_PAYABLE.value)
    mine = col(LedgerEntry.transaction_id) == col(LedgerTransaction.id)
    return select(LedgerEntry.id).where(mine, col(LedgerEntry.account).in_(sold)).exists()


def _grouped(line: Any) -> tuple[Any, ...]:
    return (col(Invoice.country), line.tax_rate, col(InvoiceLine.tax_treatment), col(Invoice.currency))


def _per(line: Any, sign: Any) -> tuple[Any, ...]:
    return (
        *_grouped(line),
        func.sum(sign * (line.amount - line.tax_amount)),
        func.sum(sign * line.tax_amount),
    )
