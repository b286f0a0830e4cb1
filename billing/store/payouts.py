"""Payouts: what a provider says that it paid to the bank, line by line, and which capture or refund each line is."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, Session, SQLModel, col, or_, select

from billing.domain.operations import OperationKind, OperationStatus
from billing.domain.settlements import LineKind, Match, Movement
from billing.store.engine import UtcInstant, one_of
from billing.store.operations import Operation

_MATCHED = "match = 'matched'"
_MOVING = (OperationKind.CAPTURE.value, OperationKind.REFUND.value)


class Payout(SQLModel, table=True):
    __tablename__ = "payouts"
    __table_args__ = (UniqueConstraint("provider_account", "reference"),)

    id: UUID = Field(primary_key=True)
    provider_account: str = Field(foreign_key="provider_accounts.name")
    reference: str = Field(max_length=200)
    """The provider's name for it: a payout that comes twice is recorded once."""
    sha256: str = Field(max_length=64)
    """Of everything that was said: the same name for something else is refused."""
    paid_on: date
    currency: str = Field(max_length=3)
    amount: int = Field(sa_type=BigInteger)
    """What reached the bank, in minor units; below 0 where it was taken from it."""
    fees: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UtcInstant)


class PayoutLine(SQLModel, table=True):
    __tablename__ = "payout_lines"
    __table_args__ = (
        UniqueConstraint("payout_id", "position"),
        one_of("kind", LineKind),
        one_of("match", Match),
        CheckConstraint("amount >= 0 AND fee >= 0", name="amounts_not_negative"),
        CheckConstraint("match <> 'matched' OR operation_id IS NOT NULL", name="a_match_has_its_operation"),
        Index(
            "ix_payout_lines_once",
            "operation_id",
            unique=True,
            sqlite_where=text(_MATCHED),
            postgresql_where=text(_MATCHED),
        ),
    )

    id: UUID = Field(primary_key=True)
    payout_id: UUID = Field(foreign_key="payouts.id")
    position: int
    kind: str = Field(max_length=16)
    provider_id: str | None = Field(default=None, max_length=255)
    reference: str | None = Field(default=None, max_length=255)
    amount: int = Field(sa_type=BigInteger)
    fee: int = Field(default=0, sa_type=BigInteger)
    match: str = Field(max_length=16)
    operation_id: UUID | None = Field(default=None, foreign_key="operations.id")
    """What the line names, whether or not it fits; each operation fits one line at most."""


def payout_named(session: Session, provider_account: str, reference: str) -> Payout | None:
    query = select(Payout).where(Payout.provider_account == provider_account, Payout.reference == reference)
    return session.exec(query).first()


def payouts_after(session: Session, after: UUID | None, limit: int) -> Sequence[Payout]:
    query = select(Payout)
    if after is not None:
        query = query.where(col(Payout.id) > after)
    return session.exec(query.order_by(col(Payout.id)).limit(limit)).all()


def payout_lines(session: Session, payout_id: UUID) -> Sequence[PayoutLine]:
    query = select(PayoutLine).where(PayoutLine.payout_id == payout_id).order_by(col(PayoutLine.position))
    return session.exec(query).all()


def movements_named(
    session: Session, provider_account: str, provider_ids: Sequence[str], references: Sequence[str]
) -> list[Movement]:
    """The captures and refunds of an account that succeeded and have one of these ids or references."""
    named = or_(col(Operation.provider_id).in_(provider_ids), col(Operation.merchant_reference).in_(references))
    query = (
        select(Operation, PayoutLine.id)
        .join(PayoutLine, _its_line(), isouter=True)
        .where(*_moved_money(), Operation.provider_account == provider_account, named)
        .order_by(col(Operation.id))
    )
    return [
        Movement(
            row.id,
            OperationKind(row.kind),
            row.amount,
            row.currency,
            row.provider_id,
            row.merchant_reference,
            line_id is not None,
        )
        for row, line_id in session.exec(query)
    ]


def not_paid_out(session: Session, after: UUID | None, limit: int) -> Sequence[Operation]:
    """Captures and refunds that succeeded and that no payout has, oldest first, after the id `after`."""
    query = select(Operation).join(PayoutLine, _its_line(), isouter=True)
    query = query.where(*_moved_money(), col(PayoutLine.id).is_(None))
    if after is not None:
        query = query.where(col(Operation.id) > after)
    return session.exec(query.order_by(col(Operation.id)).limit(limit)).all()


def _moved_money() -> tuple[Any, ...]:
    return (
        col(Operation.kind).in_(_MOVING),
        Operation.status == OperationStatus.SUCCEEDED.value,
        Operation.amount > 0,
    )


def _its_line() -> Any:
    return (col(PayoutLine.operation_id) == col(Operation.id)) & (col(PayoutLine.match) == Match.MATCHED.value)
