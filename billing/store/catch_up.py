"""Standing approvals: what a person has decided beforehand about periods that are late, for a stretch of time."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from billing.domain.terms import CatchUp
from billing.store.engine import UtcInstant, one_of


class CatchUpApproval(SQLModel, table=True):
    __tablename__ = "catch_up_approvals"
    __table_args__ = (
        one_of("policy", CatchUp),
        CheckConstraint("valid_from < valid_until", name="valid_for_a_while"),
    )

    id: UUID = Field(primary_key=True)
    policy: str = Field(max_length=16)
    valid_from: datetime = Field(sa_type=UtcInstant)
    valid_until: datetime = Field(sa_type=UtcInstant)
    """Not included; an approval without an end would be a machine that decides."""
    by: str = Field(max_length=200)
    reason: str = Field(max_length=500)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    created_at: datetime = Field(sa_type=UtcInstant)


def approval_at(session: Session, now: datetime) -> CatchUpApproval | None:
    """The newest approval that is valid at `now`."""
    query = select(CatchUpApproval).where(
        col(CatchUpApproval.valid_from) <= now,
        col(CatchUpApproval.valid_until) > now,
        col(CatchUpApproval.revoked_at).is_(None),
    )
    return session.exec(query.order_by(col(CatchUpApproval.id).desc()).limit(1)).first()


def approvals(session: Session) -> Sequence[CatchUpApproval]:
    """Every approval there ever was, oldest first."""
    return session.exec(select(CatchUpApproval).order_by(col(CatchUpApproval.id))).all()
