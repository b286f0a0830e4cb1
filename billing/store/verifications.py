"""Verifications: what the checker found each night."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from billing.store.engine import JSONX, UtcInstant


class Verification(SQLModel, table=True):
    __tablename__ = "verifications"
    __table_args__ = (CheckConstraint("breaches >= 0", name="breaches_positive"),)

    id: UUID = Field(primary_key=True)
    started_at: datetime = Field(sa_type=UtcInstant)
    finished_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    breaches: int = 0
    results: dict[str, Any] = Field(default_factory=dict, sa_type=JSONX)
    """By invariant: rows looked at, rows that offend."""


def last_verification(session: Session) -> Verification | None:
    """The newest finished one."""
    query = select(Verification).where(col(Verification.finished_at).is_not(None))
    return session.exec(query.order_by(col(Verification.id).desc()).limit(1)).first()


def last_begun(session: Session) -> Verification | None:
    """The newest one, finished or not."""
    return session.exec(select(Verification).order_by(col(Verification.started_at).desc()).limit(1)).first()
