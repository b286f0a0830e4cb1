"""Brakes as they are set, asked about and let go; and the figures that they are judged by."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, func, or_, update
from sqlalchemy import select as sql_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from billing.domain.ids import derived_id
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import OperationKind
from billing.store.brakes import Brake, BrakeKind
from billing.store.bulk import table_of
from billing.store.invoices import Invoice, InvoiceKind
from billing.store.operations import Operation
from billing.store.periods import PeriodKind, PeriodRow
from billing.store.subscriptions import Subscription

DUE_UNTIL = "due_until"
"""In the figures of a halted run: what came due until then waits; what comes due later is another run."""


def set_brake(
    session: Session, now: datetime, kind: BrakeKind, subject: str, reason: str, figures: dict[str, Any]
) -> bool:
    """Halt a subject; False where it is halted by this brake already, be it by somebody else at this moment."""
    dialect: Any = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    written = session.execute(
        dialect.insert(table_of(Brake))
        .values(
            id=derived_id(now, kind.value.encode(), subject.encode()),
            kind=kind.value,
            subject=subject,
            reason=reason[:500],
            figures=figures,
            engaged_at=now,
        )
        .on_conflict_do_nothing()
        .returning(table_of(Brake).c.id)
    )
    return written.first() is not None


def let_go(session: Session, now: datetime, kind: BrakeKind, subject: str, by: str, because: str) -> None:
    """Release the brake of a subject, if it is set, since a person has decided about it elsewhere."""
    table = table_of(Brake)
    session.execute(
        update(table)
        .where(table.c.kind == kind.value, table.c.subject == subject, table.c.released_at.is_(None))
        .values(released_at=now, released_by=by[:200], released_because=because[:500])
    )


def standing(session: Session, now: datetime, kind: BrakeKind, subjects: Sequence[str] | None = None) -> list[Brake]:
    """Brakes of a kind that are set, or released with leave that still lasts; of all subjects or of these."""
    in_force = or_(col(Brake.released_at).is_(None), col(Brake.allowed_until) > now)
    query = select(Brake).where(Brake.kind == kind.value, in_force)
    return list(session.exec(query if subjects is None else query.where(col(Brake.subject).in_(subjects))))


def brakes(session: Session, *, released: bool, limit: int) -> Sequence[Brake]:
    """Brakes that are set, or the newest of all."""
    query = select(Brake).order_by(col(Brake.id).desc()).limit(limit)
    return session.exec(query if released else query.where(col(Brake.released_at).is_(None))).all()


def locked_brake(session: Session, brake_id: UUID) -> Brake | None:
    """A brake, held against everybody who would release it."""
    return session.get(Brake, brake_id, with_for_update=True, populate_existing=True)


# Built once; every step of it is one look into an index: the period before, and its invoice.
_BEFORE = (
    sql_select(col(Subscription.id), col(Invoice.total), col(Invoice.currency))
    .join(
        PeriodRow,
        and_(
            col(PeriodRow.subscription_id) == col(Subscription.id), col(PeriodRow.seq) == col(Subscription.next_seq) - 1
        ),
    )
    .join(Invoice, and_(col(Invoice.period_id) == col(PeriodRow.id), col(Invoice.kind) == InvoiceKind.RECURRING.value))
    .where(
        col(Subscription.id).in_(bindparam("ids", expanding=True)),
        col(PeriodRow.kind) == PeriodKind.REGULAR.value,
        col(Invoice.status) != InvoiceStatus.VOID.value,
    )
)


def billed_before(session: Session, subscription_ids: Sequence[UUID]) -> dict[UUID, tuple[int, str]]:
    """(total in minor units, currency) of the invoice of each subscription's last period, where that was whole."""
    return {row[0]: (row[1], row[2]) for row in session.execute(_BEFORE, {"ids": list(subscription_ids)})}


_CUSTOMERS = sql_select(col(Operation.id), col(Subscription.customer_id)).join(
    Subscription, col(Subscription.id) == col(Operation.subscription_id)
)


def customers_of(session: Session, operation_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Whom each of these operations charges."""
    found = session.execute(_CUSTOMERS.where(col(Operation.id).in_(operation_ids)))
    return {row[0]: row[1] for row in found}


def charges_since(session: Session, customer_ids: Sequence[UUID], now: datetime, span: timedelta) -> dict[UUID, int]:
    """How many purchases of each customer were sent within `span` before `now`; customers without one are left out."""
    query = (
        sql_select(col(Subscription.customer_id), func.count(col(Operation.id)))
        .join(Operation, col(Operation.subscription_id) == col(Subscription.id))
        .where(
            col(Subscription.customer_id).in_(customer_ids),
            col(Operation.kind) == OperationKind.PURCHASE.value,
            col(Operation.sent_at) > now - span,
        )
        .group_by(col(Subscription.customer_id))
    )
    return {row[0]: row[1] for row in session.execute(query)}
