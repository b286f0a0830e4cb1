"""What customers have with us: credit that pays their next invoices, and lines that wait for the next invoice."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Field, Session, SQLModel, col, select

from billing.store.bulk import table_of
from billing.store.engine import UtcInstant

_WAITING = "invoice_id IS NULL"


class CustomerBalance(SQLModel, table=True):
    """One row per customer and currency: the sum of its entries, held locked while it is used."""

    __tablename__ = "customer_balances"
    __table_args__ = (CheckConstraint("amount >= 0", name="never_negative"),)

    customer_id: UUID = Field(primary_key=True, foreign_key="customers.id")
    currency: str = Field(primary_key=True, max_length=3)
    amount: int = 0
    """Minor units that we owe the customer."""


class BalanceEntry(SQLModel, table=True):
    """One movement of a balance; written once."""

    __tablename__ = "balance_entries"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount_moves_something"),
        Index("ix_balance_entries_customer", "customer_id", "currency"),
    )

    id: UUID = Field(primary_key=True)
    customer_id: UUID = Field(foreign_key="customers.id")
    currency: str = Field(max_length=3)
    amount: int
    """Positive: the customer has more with us."""
    reason: str = Field(max_length=200)
    invoice_id: UUID | None = Field(default=None, foreign_key="invoices.id", index=True)
    credit_note_id: UUID | None = Field(default=None, foreign_key="credit_notes.id")
    created_at: datetime = Field(sa_type=UtcInstant)


class PendingLine(SQLModel, table=True):
    """A line for the subscription's next invoice: the money of a change, or an amount too small to charge."""

    __tablename__ = "pending_lines"
    __table_args__ = (
        Index(
            "ix_pending_lines_waiting", "subscription_id", sqlite_where=text(_WAITING), postgresql_where=text(_WAITING)
        ),
    )

    id: UUID = Field(primary_key=True)
    subscription_id: UUID = Field(foreign_key="subscriptions.id")
    invoice_id: UUID | None = Field(default=None, foreign_key="invoices.id")
    """The invoice that took it up."""
    currency: str = Field(max_length=3)
    position: int
    kind: str = Field(max_length=16)
    article_number: str = Field(max_length=255)
    name: str = Field(max_length=255)
    quantity: int
    unit_amount: int
    amount: int
    tax_amount: int
    tax_rate: int
    tax_treatment: str = Field(default="standard", max_length=16)
    credit_rule: str = Field(max_length=16)
    recognize: str = Field(max_length=16)
    derivation: str
    price_id: UUID | None = Field(default=None, foreign_key="prices.id")
    starts_on: date | None = None
    ends_on: date | None = None
    adjusts_line_id: UUID | None = Field(default=None, foreign_key="invoice_lines.id")
    created_at: datetime = Field(sa_type=UtcInstant)


class Discount(SQLModel, table=True):
    """A reduction of a subscription's invoices, for all or for its first cycles."""

    __tablename__ = "discounts"
    __table_args__ = (
        CheckConstraint("(percent IS NULL) <> (amount IS NULL)", name="percent_or_amount"),
        CheckConstraint("percent IS NULL OR percent BETWEEN 1 AND 10000", name="percent_bounded"),
        CheckConstraint("cycles IS NULL OR cycles >= 1", name="cycles_positive"),
    )

    id: UUID = Field(primary_key=True)
    subscription_id: UUID = Field(foreign_key="subscriptions.id", index=True)
    name: str = Field(max_length=255)
    percent: int | None = None
    """Basis points."""
    amount: int | None = None
    """Minor units of the price's currency, off each invoice."""
    cycles: int | None = None
    cycles_used: int = 0
    article_number: str | None = Field(default=None, max_length=255)
    ended_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    created_at: datetime = Field(sa_type=UtcInstant)


def locked_balance(session: Session, customer_id: UUID, currency: str) -> CustomerBalance:
    """The balance, held locked; made with 0 where there is none. Lock it after the operations."""
    query = select(CustomerBalance).where(
        CustomerBalance.customer_id == customer_id, CustomerBalance.currency == currency
    )
    row = session.exec(query.with_for_update(), execution_options={"populate_existing": True}).first()
    if row is not None:
        return row
    # Whoever else makes it at the same moment wins, or waits for us: one row, and no error.
    make = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    first = {"customer_id": customer_id, "currency": currency, "amount": 0}
    session.execute(make(table_of(CustomerBalance)).values(first).on_conflict_do_nothing())
    return session.exec(query.with_for_update(), execution_options={"populate_existing": True}).one()


def move_balance(
    session: Session,
    entry_id: UUID,
    now: datetime,
    customer_id: UUID,
    currency: str,
    amount: int,
    reason: str,
    *,
    invoice_id: UUID | None = None,
    credit_note_id: UUID | None = None,
) -> BalanceEntry:
    """Move a customer's balance by `amount` minor units and write why. Locks it; it must not go below 0."""
    locked_balance(session, customer_id, currency).amount += amount
    entry = BalanceEntry(
        id=entry_id,
        customer_id=customer_id,
        currency=currency,
        amount=amount,
        reason=reason,
        invoice_id=invoice_id,
        credit_note_id=credit_note_id,
        created_at=now,
    )
    session.add(entry)
    return entry


def balances_of(session: Session, customer_ids: Sequence[UUID]) -> dict[tuple[UUID, str], int]:
    """What each customer has with us by currency; only where there is something. Nothing is locked."""
    query = select(CustomerBalance).where(
        col(CustomerBalance.customer_id).in_(customer_ids), CustomerBalance.amount > 0
    )
    return {(row.customer_id, row.currency): row.amount for row in session.exec(query)}


def waiting_lines(session: Session, subscription_ids: Sequence[UUID]) -> dict[UUID, list[PendingLine]]:
    """The lines that wait for each subscription's next invoice, in their order."""
    query = (
        select(PendingLine)
        .where(col(PendingLine.subscription_id).in_(subscription_ids), col(PendingLine.invoice_id).is_(None))
        .order_by(col(PendingLine.id))
    )
    found: dict[UUID, list[PendingLine]] = {}
    for row in session.exec(query):
        found.setdefault(row.subscription_id, []).append(row)
    return found


def taken_up_by(session: Session, invoice_id: UUID) -> Sequence[PendingLine]:
    """The lines that waited for this invoice."""
    return session.exec(select(PendingLine).where(PendingLine.invoice_id == invoice_id)).all()


def discounts_of(session: Session, subscription_ids: Sequence[UUID]) -> dict[UUID, list[Discount]]:
    """The discounts in force of each subscription, oldest first."""
    query = (
        select(Discount)
        .where(col(Discount.subscription_id).in_(subscription_ids), col(Discount.ended_at).is_(None))
        .order_by(col(Discount.id))
    )
    found: dict[UUID, list[Discount]] = {}
    for row in session.exec(query):
        if row.cycles is None or row.cycles_used < row.cycles:
            found.setdefault(row.subscription_id, []).append(row)
    return found


def discounts_since(session: Session, subscription_id: UUID, opened_at: datetime) -> Sequence[Discount]:
    """The discounts that an invoice opened at `opened_at` took, and that nobody has ended since; oldest first.

    One whose last cycle that invoice was still counts for it.
    """
    query = select(Discount).where(
        Discount.subscription_id == subscription_id,
        col(Discount.created_at) <= opened_at,
        col(Discount.ended_at).is_(None) | (col(Discount.cycles_used) == col(Discount.cycles)),
        col(Discount.ended_at).is_(None) | (col(Discount.ended_at) >= opened_at),
        col(Discount.cycles_used) >= 1,
    )
    return session.exec(query.order_by(col(Discount.id))).all()
