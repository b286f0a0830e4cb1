"""Periods: one half-open span `[starts_at, ends_at)` of a subscription each, written when it opens."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, Session, SQLModel, col, select

from billing.store.engine import UtcInstant, one_of

_REGULAR = "kind = 'regular'"


class PeriodKind(StrEnum):
    TRIAL = "trial"
    STUB = "stub"
    REGULAR = "regular"
    PAUSED = "paused"
    SKIPPED = "skipped"
    RESUMED = "resumed"
    WITHHELD = "withheld"
    FORGIVEN = "forgiven"


class PeriodRow(SQLModel, table=True):
    __tablename__ = "periods"
    __table_args__ = (
        UniqueConstraint("subscription_id", "seq"),
        one_of("kind", PeriodKind),
        CheckConstraint("starts_at <= ends_at", name="starts_before_it_ends"),
        CheckConstraint("offset_days >= 0 AND full_days >= 0", name="days_not_negative"),
        Index(
            "ix_periods_cycle",
            "subscription_id",
            "anchor_no",
            "cycle_index",
            unique=True,
            sqlite_where=text(_REGULAR),
            postgresql_where=text(_REGULAR),
        ),
    )

    id: UUID = Field(primary_key=True)
    subscription_id: UUID = Field(foreign_key="subscriptions.id")
    seq: int
    anchor_no: int
    cycle_index: int | None = None
    kind: str = Field(max_length=16)
    start_date: date
    end_date: date
    starts_at: datetime = Field(sa_type=UtcInstant)
    ends_at: datetime = Field(sa_type=UtcInstant)
    full_days: int
    """Local days of the whole period: the denominator of every share, kept when the row is closed early."""
    offset_days: int = 0
    """Where in the whole period this row starts: a stub or the rest of a frozen period starts inside one."""
    original_ends_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """The end as it was written, once the row has been closed early."""
    price_id: UUID = Field(foreign_key="prices.id")
    zone: str = Field(max_length=64)
    tzdata_version: str = Field(max_length=16)
    """A newer zone database never moves a written row; this tells which one wrote it."""
    reason: str | None = Field(default=None, max_length=200)
    decided_by: str | None = Field(default=None, max_length=200)
    """Who withheld or forgave it."""
    created_at: datetime = Field(sa_type=UtcInstant)


def periods_of(session: Session, subscription_id: UUID) -> Sequence[PeriodRow]:
    query = select(PeriodRow).where(PeriodRow.subscription_id == subscription_id).order_by(col(PeriodRow.seq))
    return session.exec(query).all()


def latest_period(session: Session, subscription_id: UUID) -> PeriodRow | None:
    query = select(PeriodRow).where(PeriodRow.subscription_id == subscription_id).order_by(col(PeriodRow.seq).desc())
    return session.exec(query.limit(1)).first()
