"""Brakes: something was about to be charged that looks wrong; it stays halted until a person approves."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, Session, SQLModel, col, select

from billing.store.engine import JSONX, UtcInstant, one_of

_ENGAGED = "released_at IS NULL"


class BrakeKind(StrEnum):
    PERIODS_AT_ONCE = "periods_at_once"
    RUN_TOTAL = "run_total"
    DECLINE_RATE = "decline_rate"
    CUSTOMER_CHARGES = "customer_charges"


class Brake(SQLModel, table=True):
    __tablename__ = "brakes"
    __table_args__ = (
        one_of("kind", BrakeKind),
        CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name="somebody_released_it"),
        Index(
            "ix_brakes_engaged",
            "kind",
            "subject",
            unique=True,
            sqlite_where=text(_ENGAGED),
            postgresql_where=text(_ENGAGED),
        ),
        Index("ix_brakes_subject", "subject"),
    )

    id: UUID = Field(primary_key=True)
    kind: str = Field(max_length=24)
    subject: str = Field(max_length=64)
    """Hex id of the subscription, customer or run, or the name of the account, that is halted; nothing wider is."""
    reason: str = Field(max_length=500)
    figures: dict[str, Any] = Field(default_factory=dict, sa_type=JSONX)
    """What was counted and what would have been right, as it stood then."""
    engaged_at: datetime = Field(sa_type=UtcInstant)
    released_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    released_by: str | None = Field(default=None, max_length=200)
    released_because: str | None = Field(default=None, max_length=500)
    allowed_until: datetime | None = Field(default=None, sa_type=UtcInstant)
    """Until when, not included, the same brake does not engage again for this subject."""


def engaged(session: Session) -> Sequence[Brake]:
    """Every brake that waits for a person, oldest first."""
    return session.exec(select(Brake).where(col(Brake.released_at).is_(None)).order_by(col(Brake.id))).all()
