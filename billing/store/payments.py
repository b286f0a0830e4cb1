"""Money that did not come through an operation of ours: payments made outside, and disputes over captured money."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, Session, SQLModel, col, select

from billing.store.engine import UtcInstant, one_of

_OPEN = "status = 'open'"


class OutsidePayment(SQLModel, table=True):
    """A payment that a person recorded: a bank transfer, cash."""

    __tablename__ = "outside_payments"
    __table_args__ = (
        UniqueConstraint("invoice_id", "reference"),
        CheckConstraint("amount > 0", name="amount_positive"),
    )

    id: UUID = Field(primary_key=True)
    invoice_id: UUID = Field(foreign_key="invoices.id", index=True)
    amount: int
    currency: str = Field(max_length=3)
    paid_on: date
    reference: str = Field(max_length=200)
    note: str | None = Field(default=None, max_length=500)
    created_at: datetime = Field(sa_type=UtcInstant)


class DisputeStatus(StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Dispute(SQLModel, table=True):
    """The customer disputes captured money; while one is open nothing is refunded, captured or dunned."""

    __tablename__ = "disputes"
    __table_args__ = (
        one_of("status", DisputeStatus),
        CheckConstraint("amount > 0", name="amount_positive"),
        Index(
            "ix_disputes_one_open", "invoice_id", unique=True, sqlite_where=text(_OPEN), postgresql_where=text(_OPEN)
        ),
    )

    id: UUID = Field(primary_key=True)
    invoice_id: UUID = Field(foreign_key="invoices.id", index=True)
    status: str = Field(max_length=8)
    amount: int
    currency: str = Field(max_length=3)
    reference: str | None = Field(default=None, max_length=200)
    note: str | None = Field(default=None, max_length=500)
    opened_at: datetime = Field(sa_type=UtcInstant)
    closed_at: datetime | None = Field(default=None, sa_type=UtcInstant)


def open_disputes(session: Session, invoice_ids: Sequence[UUID]) -> dict[UUID, Dispute]:
    """The open dispute of each invoice that has one."""
    query = select(Dispute).where(col(Dispute.invoice_id).in_(invoice_ids), Dispute.status == DisputeStatus.OPEN.value)
    return {row.invoice_id: row for row in session.exec(query)}


def payment_named(session: Session, invoice_id: UUID, reference: str) -> OutsidePayment | None:
    """The payment of an invoice that was recorded under this reference."""
    query = select(OutsidePayment).where(OutsidePayment.invoice_id == invoice_id, OutsidePayment.reference == reference)
    return session.exec(query).first()


def payments_of(session: Session, invoice_id: UUID) -> Sequence[OutsidePayment]:
    """What was paid outside of an invoice, as it was recorded."""
    query = select(OutsidePayment).where(OutsidePayment.invoice_id == invoice_id).order_by(col(OutsidePayment.id))
    return session.exec(query).all()


def disputes_of(session: Session, invoice_id: UUID) -> Sequence[Dispute]:
    """Every dispute over an invoice, oldest first."""
    return session.exec(select(Dispute).where(Dispute.invoice_id == invoice_id).order_by(col(Dispute.id))).all()
