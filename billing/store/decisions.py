"""What persons decided about operations, restores and brakes: the audit log of their acts. Written once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, Session, SQLModel, col, select

from billing.store.engine import JSONX, UtcInstant


class Decision(SQLModel, table=True):
    __tablename__ = "decisions"
    __table_args__ = (Index("ix_decisions_operation", "operation_id"), Index("ix_decisions_subject", "subject"))

    id: UUID = Field(primary_key=True)
    operation_id: UUID | None = Field(default=None, foreign_key="operations.id")
    subject: str = Field(max_length=64)
    """What it is about: the hex id of an operation, subscription, restore or brake, or an account's name."""
    verb: str = Field(max_length=32)
    by: str = Field(max_length=200)
    reason: str = Field(max_length=500)
    details: dict[str, Any] = Field(default_factory=dict, sa_type=JSONX)
    at: datetime = Field(sa_type=UtcInstant)


def decisions_about(session: Session, operation_id: UUID) -> Sequence[Decision]:
    """What was decided about an operation, oldest first."""
    return session.exec(select(Decision).where(Decision.operation_id == operation_id).order_by(col(Decision.id))).all()
