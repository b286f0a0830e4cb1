"""Plans, their prices and the article lines of a price. A price in use is never changed."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint, bindparam
from sqlmodel import Field, Session, SQLModel, col, select

from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule, PriceItem, Recognize
from billing.store.engine import UtcInstant, one_of


class NumberOn(StrEnum):
    CAPTURE = "capture"
    OPEN = "open"


class Emailing(StrEnum):
    PROVIDER_DEFAULT = "provider_default"
    PROVIDER_AGAIN = "provider_again"
    NONE = "none"


class Exhausted(StrEnum):
    CANCEL = "cancel"
    UNPAID = "unpaid"


class Plan(SQLModel, table=True):
    __tablename__ = "plans"
    __table_args__ = (
        one_of("number_on", NumberOn),
        one_of("emailing", Emailing),
        one_of("exhausted", Exhausted),
        CheckConstraint("trial_days BETWEEN 0 AND 730", name="trial_days_bounded"),
    )

    id: UUID = Field(primary_key=True)
    reference: str = Field(max_length=200, unique=True)
    name: str = Field(max_length=255)
    number_on: str = Field(max_length=16)
    """When an invoice takes its number: charged by token at capture, so that a declined renewal takes none."""
    emailing: str = Field(max_length=24)
    exhausted: str = Field(max_length=16)
    """What the end of the dunning ladder does to the subscription."""
    trial_days: int = 0
    archived_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    created_at: datetime = Field(sa_type=UtcInstant)


class Price(SQLModel, table=True):
    __tablename__ = "prices"
    __table_args__ = (
        one_of("interval", Interval),
        CheckConstraint("interval_count BETWEEN 1 AND 120", name="interval_count_bounded"),
    )

    id: UUID = Field(primary_key=True)
    plan_id: UUID = Field(foreign_key="plans.id", index=True)
    currency: str = Field(max_length=3)
    interval: str = Field(max_length=8)
    interval_count: int
    month_end: bool = False
    """Bill to the last day of every month instead of the anchor day."""
    created_at: datetime = Field(sa_type=UtcInstant)


class PriceItemRow(SQLModel, table=True):
    __tablename__ = "price_items"
    __table_args__ = (
        UniqueConstraint("price_id", "position"),
        one_of("credit_rule", CreditRule),
        one_of("recognize", Recognize),
        CheckConstraint("quantity >= 1", name="quantity_positive"),
        CheckConstraint("unit_amount >= 0", name="unit_amount_positive"),
    )

    id: UUID = Field(primary_key=True)
    price_id: UUID = Field(foreign_key="prices.id")
    position: int
    article_number: str = Field(max_length=255)
    name: str = Field(max_length=255)
    quantity: int
    unit_amount: int
    tax_rate: int
    """Basis points: 2500 is 25 %."""
    credit_rule: str = Field(max_length=16)
    recognize: str = Field(max_length=16)


_PLANS = select(Plan).where(col(Plan.id).in_(bindparam("ids", expanding=True)))


def items_of(session: Session, price_ids: Sequence[UUID]) -> dict[UUID, tuple[PriceItem, ...]]:
    """The article lines of each price, in their order."""
    query = select(PriceItemRow).where(col(PriceItemRow.price_id).in_(price_ids)).order_by(col(PriceItemRow.position))
    found: dict[UUID, list[PriceItem]] = {}
    for row in session.exec(query):
        found.setdefault(row.price_id, []).append(
            PriceItem(
                row.article_number,
                row.name,
                row.quantity,
                row.unit_amount,
                row.tax_rate,
                CreditRule(row.credit_rule),
                Recognize(row.recognize),
            )
        )
    return {price_id: tuple(items) for price_id, items in found.items()}


def plans_by_id(session: Session, ids: Sequence[UUID]) -> dict[UUID, Plan]:
    return {row.id: row for row in session.exec(_PLANS, params={"ids": list(set(ids))})}


def prices_of(session: Session, plan_id: UUID) -> Sequence[Price]:
    return session.exec(select(Price).where(Price.plan_id == plan_id).order_by(col(Price.id))).all()


def currencies_of(session: Session, price_ids: Sequence[UUID]) -> dict[UUID, str]:
    return {row.id: row.currency for row in session.exec(select(Price).where(col(Price.id).in_(price_ids)))}
