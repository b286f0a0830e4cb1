"""What tests look at afterwards: rows, in the order in which they came to be."""

from collections.abc import Sequence
from uuid import UUID

from factories import Shop
from sqlmodel import col, select

from billing.store.invoices import CreditNote, CreditNoteLine, Invoice
from billing.store.ledger import LedgerEntry, LedgerTransaction
from billing.store.operations import Observation, Operation
from billing.store.outbox import Event
from billing.store.periods import PeriodRow
from billing.store.subscriptions import Subscription


def rows(shop: Shop, model: type) -> list:
    with shop.database.tx() as session:
        return list(session.exec(select(model).order_by(model.id)).all())


def operations(shop: Shop, kind: str | None = None) -> list[Operation]:
    return [op for op in rows(shop, Operation) if kind in (None, op.kind)]


def invoices(shop: Shop) -> list[Invoice]:
    return sorted(rows(shop, Invoice), key=lambda invoice: (invoice.opened_at, invoice.id))


def credit_notes(shop: Shop) -> list[CreditNote]:
    return rows(shop, CreditNote)


def credit_lines(shop: Shop) -> list[CreditNoteLine]:
    return sorted(rows(shop, CreditNoteLine), key=lambda line: line.position)


def observations(shop: Shop) -> list[Observation]:
    return rows(shop, Observation)


def event_types(shop: Shop) -> list[str]:
    return [event.type for event in sorted(rows(shop, Event), key=lambda e: (e.subscription_id, e.seq))]


def subscription(shop: Shop, subscription_id: UUID) -> Subscription:
    with shop.database.tx() as session:
        return session.get_one(Subscription, subscription_id)


def periods(shop: Shop, subscription_id: UUID) -> Sequence[PeriodRow]:
    with shop.database.tx() as session:
        query = select(PeriodRow).where(PeriodRow.subscription_id == subscription_id)
        return session.exec(query.order_by(col(PeriodRow.seq))).all()


def entries(shop: Shop) -> list[tuple[str, str, str, int]]:
    """(transaction kind, account, detail, amount) of everything booked."""
    with shop.database.tx() as session:
        query = select(LedgerTransaction, LedgerEntry).where(LedgerTransaction.id == LedgerEntry.transaction_id)
        found = session.exec(query.order_by(col(LedgerEntry.id))).all()
    return [(tx.kind, entry.account, entry.detail, entry.amount) for tx, entry in found]
