"""Restores: a database that came back from a backup, and what the provider says happened in the stretch it forgot."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from billing.store.engine import UtcInstant, one_of

RECORD_KINDS = ("purchase", "capture", "refund", "void")


class Restore(SQLModel, table=True):
    """One row per time that a person told us about a restore; while open, nothing of its interval is sent unasked."""

    __tablename__ = "restores"
    __table_args__ = (CheckConstraint("lost_from < lost_until", name="lost_a_while"),)

    id: UUID = Field(primary_key=True)
    lost_from: datetime = Field(sa_type=UtcInstant)
    """When the backup was made: what happened from here on is not known to this database."""
    lost_until: datetime = Field(sa_type=UtcInstant)
    """Not included: when the restored database was opened."""
    export_sha256: str | None = Field(default=None, max_length=64)
    """Of the provider's export as it was given; empty where there was none."""
    export_rows: int = 0
    by: str = Field(max_length=200)
    reason: str = Field(max_length=500)
    opened_at: datetime = Field(sa_type=UtcInstant)
    closed_at: datetime | None = Field(default=None, sa_type=UtcInstant)


class RestoredRecord(SQLModel, table=True):
    """What the provider's export lists, row by row, and the operation that it turned out to be."""

    __tablename__ = "restored_records"
    __table_args__ = (
        one_of("kind", RECORD_KINDS),
        UniqueConstraint("restore_id", "provider_account", "kind", "provider_id"),
        Index("ix_restored_records_reference1", "reference1"),
        Index("ix_restored_records_reference2", "reference2"),
    )

    id: UUID = Field(primary_key=True)
    restore_id: UUID = Field(foreign_key="restores.id")
    kind: str = Field(max_length=16)
    provider_account: str = Field(foreign_key="provider_accounts.name", max_length=64)
    provider_id: str = Field(max_length=255)
    order_id: str | None = Field(default=None, max_length=255)
    """The provider's id of the purchase that a capture, refund or void belongs to."""
    reference1: str | None = Field(default=None, max_length=255)
    """The invoice's public id, as it was sent."""
    reference2: str | None = Field(default=None, max_length=255)
    """The operation's own reference, as it was sent."""
    amount: int = Field(sa_type=BigInteger)
    """Minor units."""
    currency: str = Field(max_length=3)
    at: datetime = Field(sa_type=UtcInstant)
    operation_id: UUID | None = Field(default=None, foreign_key="operations.id")


def open_restore(session: Session, *, lock: bool = False) -> Restore | None:
    """The restore that is not settled yet, if there is one."""
    query = select(Restore).where(col(Restore.closed_at).is_(None)).order_by(col(Restore.id)).limit(1)
    return session.exec(query.with_for_update() if lock else query).first()


def restore_from() -> Any:
    """As a subquery: since when a restore is open."""
    return select(Restore.opened_at).where(col(Restore.closed_at).is_(None)).limit(1).scalar_subquery()


def records_of(session: Session, restore_id: UUID) -> Sequence[RestoredRecord]:
    """Everything that the export of a restore lists, oldest first."""
    query = select(RestoredRecord).where(RestoredRecord.restore_id == restore_id)
    return session.exec(query.order_by(col(RestoredRecord.at), col(RestoredRecord.id))).all()
