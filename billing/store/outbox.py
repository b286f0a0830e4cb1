"""Events: what happened, written in the transaction that made it happen; they are handed out from here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from billing.store.engine import JSONX, UtcInstant


class Event(SQLModel, table=True):
    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("subscription_id", "seq"),
        CheckConstraint("(subscription_id IS NULL) = (seq IS NULL)", name="counted_per_subscription"),
    )

    id: UUID = Field(primary_key=True)
    subscription_id: UUID | None = Field(default=None, foreign_key="subscriptions.id")
    """Empty for what happened to an account or to the whole service."""
    seq: int | None = None
    """1, 2, 3 ... per subscription, so that a receiver can put them in order."""
    type: str = Field(max_length=64)
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=JSONX)
    at: datetime = Field(sa_type=UtcInstant)
