"""Subscriptions: the standing agreements, and the one question that drives renewals: whose period opens now?"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, bindparam, cast, event, func, or_, text
from sqlalchemy import select as sql_select
from sqlmodel import Field, Session, SQLModel, col, select

from billing.domain.periods import Interval
from billing.domain.subscriptions import SubscriptionStatus
from billing.store.bulk import table_of
from billing.store.engine import JSONX, UtcInstant, one_of

_DUE = "due_at IS NOT NULL AND review_reason IS NULL AND hold IS NULL"
_CHECKED = "token_check_at IS NOT NULL"
_PAUSE_MODES = ("freeze", "skip", "collection_only")
_ACCESS = ("full", "grace", "none")


class Subscription(SQLModel, table=True):
    __tablename__ = "subscriptions"
    __table_args__ = (
        one_of("status", SubscriptionStatus),
        one_of("interval", Interval),
        one_of("access", _ACCESS),
        one_of("pause_mode", _PAUSE_MODES, nullable=True),
        CheckConstraint("anchor_day BETWEEN 1 AND 31", name="anchor_day_bounded"),
        CheckConstraint("interval_count BETWEEN 1 AND 120", name="interval_count_bounded"),
        CheckConstraint("status <> 'ended' OR due_at IS NULL", name="ended_is_never_due"),
        Index(
            "ix_subscriptions_token_check",
            "token_check_at",
            sqlite_where=text(_CHECKED),
            postgresql_where=text(_CHECKED),
        ),
        Index("ix_subscriptions_due", "due_at", sqlite_where=text(_DUE), postgresql_where=text(_DUE)),
    )

    id: UUID = Field(primary_key=True)
    customer_id: UUID = Field(foreign_key="customers.id", index=True)
    plan_id: UUID = Field(foreign_key="plans.id")
    price_id: UUID = Field(foreign_key="prices.id", index=True)
    token_id: UUID | None = Field(default=None, foreign_key="tokens.id", index=True)
    """None while a trial runs without one."""
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
    """When the next period opens; a paused calendar that stands still has none."""
    due_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """The earliest instant at which the renewal loop must look: kept whenever the row is written."""
    starts_at: datetime = Field(sa_type=UtcInstant)
    trial_days: int = 0
    token_check_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """When its token is read at the provider next: three days before a charge, an hour before a trial ends."""
    quantities: dict[str, int] = Field(default_factory=dict, sa_type=JSONX)
    """Units by article number where they differ from the price's own."""
    is_set_up: bool = False
    """Whether items that are charged once were charged."""
    cycles_done: int = 0
    """Paid cycles that were opened: what phases, discounts and terms count."""
    term_cycles: int | None = None
    minimum_ends_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """The boundary before which the customer cannot end it."""
    notice_days: int = 0
    pending_change: dict[str, Any] | None = Field(default=None, sa_type=JSONX)
    """What becomes of the price or its quantities at the next boundary, and why it waits."""
    pending_zone: str | None = Field(default=None, max_length=64)
    """The customer's new zone, in force from the next period on."""
    pause_mode: str | None = Field(default=None, max_length=16)
    pause_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    resume_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    paused_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    pause_bills_stub: bool = False
    frozen_days: int | None = None
    """Days of a frozen period that are paid for and still to come."""
    frozen_of_days: int | None = None
    gate_expires_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """When a start that waits for its first payment is given up."""
    catch_up: dict[str, Any] | None = Field(default=None, sa_type=JSONX)
    """What was decided about periods that are late, by whom and why: `{"policy", "by", "reason"}`, until caught up."""
    not_before: datetime | None = Field(default=None, sa_type=UtcInstant)
    """The renewal loop leaves it alone until then: late periods are billed one per run."""
    access: str = Field(default="full", max_length=8)
    grace_ends_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    cancel_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    cancel_terms: dict[str, Any] | None = Field(default=None, sa_type=JSONX)
    """What an end inside a period gives back, decided when it was asked for: `{"credit", "unshipped", "note"}`."""
    ended_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    end_reason: str | None = Field(default=None, max_length=32)
    review_reason: str | None = Field(default=None, max_length=200)
    """Set: a person must look; out of every run until cleared."""
    hold: str | None = Field(default=None, max_length=200)
    event_seq: int = 0
    """The number of the newest event of this subscription; moves with the row under its lock."""
    created_at: datetime = Field(sa_type=UtcInstant)


@event.listens_for(Subscription, "before_insert")
@event.listens_for(Subscription, "before_update")
def _reschedule(_mapper: object, _connection: object, subscription: Subscription) -> None:
    """Keep when the renewal loop looks at this row next, whoever moved one of its instants."""
    instants = (
        subscription.next_period_at,
        subscription.cancel_at,
        subscription.pause_at,
        subscription.resume_at,
        subscription.gate_expires_at,
        subscription.grace_ends_at,
    )
    ended = subscription.status == SubscriptionStatus.ENDED
    first = None if ended else min((at for at in instants if at is not None), default=None)
    later = subscription.not_before
    subscription.due_at = max(first, later) if first is not None and later is not None else first


def _is_due(now: datetime) -> tuple[Any, ...]:
    return (
        col(Subscription.due_at).is_not(None),
        col(Subscription.due_at) <= now,
        col(Subscription.review_reason).is_(None),
        col(Subscription.hold).is_(None),
    )


def due_ids(session: Session, now: datetime, limit: int, *, after: datetime | None = None) -> Sequence[UUID]:
    """Up to `limit` subscriptions that must be looked at, at or before `now`; nothing is locked.

    What came due at `after` or before is left, since a halted run holds it; not what was made since, whose first
    period begins with its day.
    """
    query = select(Subscription.id).where(*_is_due(now)).order_by(col(Subscription.due_at))
    if after is not None:
        query = query.where(or_(col(Subscription.due_at) > after, col(Subscription.created_at) > after))
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


def claim_token_checks(session: Session, now: datetime, accounts: Sequence[str], limit: int) -> Sequence[Subscription]:
    """Lock subscriptions of `accounts` whose token is to be read at or before `now`; rows locked elsewhere are left."""
    query = (
        select(Subscription)
        .where(col(Subscription.token_check_at).is_not(None), col(Subscription.token_check_at) <= now)
        .where(col(Subscription.provider_account).in_(accounts))
        .order_by(col(Subscription.token_check_at), col(Subscription.id))
        .limit(limit)
    )
    return session.exec(query.with_for_update(skip_locked=True)).all()


def token_check_from() -> Any:
    """As a subquery: the earliest instant at which a token is to be read at its provider."""
    at = col(Subscription.token_check_at)
    return select(at).where(at.is_not(None)).order_by(at).limit(1).scalar_subquery()


def charged_through(session: Session, token_id: UUID) -> Sequence[UUID]:
    """The subscriptions that name this token, ended ones too."""
    query = select(Subscription.id).where(Subscription.token_id == token_id).order_by(col(Subscription.id))
    return session.exec(query).all()


def of_customer(session: Session, customer_id: UUID) -> Sequence[UUID]:
    """Every subscription of a customer, ended ones too."""
    query = select(Subscription.id).where(Subscription.customer_id == customer_id).order_by(col(Subscription.id))
    return session.exec(query).all()


def period_from() -> Any:
    """As a subquery: the earliest instant at which a subscription must be looked at."""
    due = (
        col(Subscription.due_at).is_not(None),
        col(Subscription.review_reason).is_(None),
        col(Subscription.hold).is_(None),
    )
    at = col(Subscription.due_at)
    return select(at).where(*due).order_by(at).limit(1).scalar_subquery()


def with_price(session: Session, price_id: UUID, after: UUID | None, limit: int) -> Sequence[UUID]:
    """Subscriptions that have not ended and have this price, in the order of ids after `after`."""
    query = select(Subscription.id).where(Subscription.price_id == price_id, Subscription.status != "ended")
    if after is not None:
        query = query.where(col(Subscription.id) > after)
    return session.exec(query.order_by(col(Subscription.id)).limit(limit)).all()


def quantities_with_price(session: Session, price_id: UUID) -> list[tuple[dict[str, int], int]]:
    """How many subscriptions that have not ended have this price with which quantities of their own."""
    table = table_of(Subscription)
    written = cast(table.c.quantities, String)
    query = sql_select(written, func.count()).where(table.c.price_id == price_id, table.c.status != "ended")
    return [(json.loads(text_), count) for text_, count in session.execute(query.group_by(written))]
