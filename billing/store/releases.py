"""Which invoices have revenue to release, and when the next one has."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from billing.store.invoices import Invoice, Series
from billing.store.numbers import INVOICES


def due_releases(session: Session, now: datetime, limit: int) -> Sequence[UUID]:
    """Invoices of which more is earned at or before `now`, the longest due first; nothing is locked."""
    query = (
        select(Invoice.id)
        .where(col(Invoice.release_at).is_not(None), col(Invoice.release_at) <= now)
        .order_by(col(Invoice.release_at))
        .limit(limit)
    )
    return session.exec(query).all()


def unfinished_releases(session: Session, after: UUID | None, limit: int) -> Sequence[UUID]:
    """Invoices that have revenue left to release, whenever that is due, in the order of ids after `after`."""
    query = select(Invoice.id).where(col(Invoice.release_at).is_not(None))
    if after is not None:
        query = query.where(col(Invoice.id) > after)
    return session.exec(query.order_by(col(Invoice.id)).limit(limit)).all()


def release_from() -> Any:
    """As a subquery: the earliest instant at which an invoice has revenue to release."""
    at = col(Invoice.release_at)
    return select(at).where(at.is_not(None)).order_by(at).limit(1).scalar_subquery()


def seller_zone(session: Session) -> str:
    """The zone by whose days the books are kept."""
    return session.get_one(Series, INVOICES).zone
