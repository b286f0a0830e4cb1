"""Looks: when the order of a purchase is next read, in case somebody acted in the provider's own portal."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from billing.store.operations import Operation

_DUE = (
    select(Operation)
    .where(
        col(Operation.look_at).is_not(None),
        col(Operation.look_at) <= bindparam("at"),
        col(Operation.provider_account).in_(bindparam("spoken", expanding=True)),
    )
    .order_by(col(Operation.look_at), col(Operation.id))
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_FRESH = {"populate_existing": True}


def claim_looks(session: Session, now: datetime, accounts: Sequence[str], limit: int) -> Sequence[Operation]:
    """Lock up to `limit` purchases of `accounts` whose order is to be read at `now`, the one that waited longest first;
    the caller moves their `look_at` on. What somebody else works on is left for the next pass.
    """
    values = {"at": now, "most": limit, "spoken": list(accounts)}
    return session.exec(_DUE, params=values, execution_options=_FRESH).all()


def looked_from() -> Any:
    """As a subquery: the earliest instant at which the order of a purchase is to be read."""
    at = col(Operation.look_at)
    return select(Operation.look_at).where(at.is_not(None)).order_by(at).limit(1).scalar_subquery()
