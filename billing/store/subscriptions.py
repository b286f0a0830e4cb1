"""Subscriptions: the standing agreements, and the one question that drives renewals: whose period opens now?"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, bindparam, text
from sqlmodel import Field, Session, SQLModel, col, select

from billing.domain.periods import Interval
from billing.domain.subscriptions import SubscriptionStatus
from billing.store.engine import UtcInstant, one_of

_DUE = "next_period_at IS NOT NULL AND review_reason IS NULL AND hold IS NULL"


class Subscription(SQLModel, table=True):
    __tablename__ = "subscriptions"
    __table_args__ = (
        one_of("status", SubscriptionStatus),
        one_of("interval", Interval),
        CheckConstraint("anchor_day BETWEEN 1 AND 31", name="anchor_day_bounded"),
        CheckConstraint("interval_count BETWEEN 1 AND 120", name="interval_count_bounded"),
        CheckConstraint("status <> 'ended' OR next_period_at IS NULL", name="ended_is_never_due"),
        Index("ix_subscriptions_due", "next_period_at", sqlite_where=text(_DUE), postgresql_where=text(_DUE)),
    )

    id: UUID = Field(primary_key=True)
    customer_id: UUID = Field(foreign_key="customers.id", index=True)
    plan_id: UUID = Field(foreign_key="plans.id")
    price_id: UUID = Field(foreign_key="prices.id")
    token_id: UUID = Field(foreign_key="tokens.id", index=True)
    provider_account: str = Field(foreign_key="provider_accounts.name")
    status: str = Field(max_length=16)
    zone: str = Field(max_length=64)
    """Copied from the customer: moving there must not move this calendar."""
    anchor_no: int = 0
    anchor_date: date
    anchor_day: int
    month_end: bool = False
    interval: str = Field(max_length=8)
    interval_count: int
    next_cycle_index: int = 0
    """Which cycle of the anchor in force opens next."""
    next_seq: int = 1
    next_period_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    starts_at: datetime = Field(sa_type=UtcInstant)
    trial_days: int = 0
    cancel_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    ended_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    end_reason: str | None = Field(default=None, max_length=32)
    review_reason: str | None = Field(default=None, max_length=200)
    """Set: a person must look; out of every run until cleared."""
    hold: str | None = Field(default=None, max_length=200)
    event_seq: int = 0
    """The number of the newest event of this subscription; moves with the row under its lock."""
    created_at: datetime = Field(sa_type=UtcInstant)


def _is_due(now: datetime) -> tuple[Any, ...]:
    return (
        col(Subscription.next_period_at).is_not(None),
        col(Subscription.next_period_at) <= now,
        col(Subscription.review_reason).is_(None),
        col(Subscription.hold).is_(None),
    )


def due_ids(session: Session, now: datetime, limit: int) -> Sequence[UUID]:
    """Up to `limit` subscriptions whose next period opens at or before `now`; nothing is locked."""
    query = select(Subscription.id).where(*_is_due(now)).order_by(col(Subscription.next_period_at))
    return session.exec(query.limit(limit)).all()


def claim_due(session: Session, now: datetime, chosen: Sequence[UUID]) -> Sequence[Subscription]:
    """Lock those of `chosen` that are still due at `now`; rows locked elsewhere are left."""
    query = select(Subscription).where(col(Subscription.id).in_(chosen), *_is_due(now)).order_by(col(Subscription.id))
    return session.exec(query.with_for_update(skip_locked=True)).all()


_BY_ID = (
    select(Subscription)
    .where(col(Subscription.id).in_(bindparam("ids", expanding=True)))
    .order_by(col(Subscription.id))
    .with_for_update()
)


def locked(session: Session, ids: Sequence[UUID]) -> dict[UUID, Subscription]:
    """Lock these subscriptions, always in id order: every writer locks subscription, then invoice, then operation."""
    rows = session.exec(_BY_ID, params={"ids": list(set(ids))}, execution_options={"populate_existing": True})
    return {row.id: row for row in rows}


def lock_shared(session: Session, ids: Sequence[UUID]) -> None:
    """Hold these subscriptions as they are until commit, beside other readers (PostgreSQL; SQLite has one writer)."""
    query = select(Subscription.id).where(col(Subscription.id).in_(set(ids))).order_by(col(Subscription.id))
    session.exec(query.with_for_update(read=True)).all()


def period_from() -> Any:
    """As a subquery: the earliest instant at which a period opens."""
    due = (
        col(Subscription.next_period_at).is_not(None),
        col(Subscription.review_reason).is_(None),
        col(Subscription.hold).is_(None),
    )
    at = col(Subscription.next_period_at)
    return select(at).where(*due).order_by(at).limit(1).scalar_subquery()
