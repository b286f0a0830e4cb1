"""The ledger: rows are written once and never changed; every transaction sums to zero per currency."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from billing.domain.ledger import Account
from billing.store.engine import UtcInstant, one_of


class LedgerTransaction(SQLModel, table=True):
    __tablename__ = "ledger_transactions"

    id: UUID = Field(primary_key=True)
    kind: str = Field(max_length=24)
    invoice_id: UUID = Field(foreign_key="invoices.id", index=True)
    operation_id: UUID | None = Field(default=None, foreign_key="operations.id", index=True)
    """The settled operation that this books, for captures and refunds."""
    credit_note_id: UUID | None = Field(default=None, foreign_key="credit_notes.id")
    currency: str = Field(max_length=3)
    at: datetime = Field(sa_type=UtcInstant)


class LedgerEntry(SQLModel, table=True):
    __tablename__ = "ledger_entries"
    __table_args__ = (
        UniqueConstraint("transaction_id", "position"),
        one_of("account", Account),
        CheckConstraint("amount <> 0", name="amount_moves_something"),
    )

    id: UUID = Field(primary_key=True)
    transaction_id: UUID = Field(foreign_key="ledger_transactions.id")
    position: int
    account: str = Field(max_length=32)
    detail: str = Field(default="", max_length=64)
    amount: int
    """Minor units; debits are positive."""
    currency: str = Field(max_length=3)


def entries_of(session: Session, invoice_id: UUID, kind: str) -> list[LedgerEntry]:
    """The entries of an invoice's transactions of one kind, in their order."""
    query = (
        select(LedgerEntry)
        .join(LedgerTransaction, col(LedgerTransaction.id) == col(LedgerEntry.transaction_id))
        .where(LedgerTransaction.invoice_id == invoice_id, LedgerTransaction.kind == kind)
        .order_by(col(LedgerEntry.id))
    )
    return list(session.exec(query).all())
