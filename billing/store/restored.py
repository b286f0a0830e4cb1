"""What waits while a restore is open: the operations that the database may have sent and forgotten, and the rows of the
provider's export that are nobody's yet.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_
from sqlalchemy import select as sql_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from billing.domain.operations import OperationKind, OperationStatus
from billing.domain.restores import HELD_KINDS, RESTORED
from billing.store.decisions import Decision
from billing.store.invoices import Invoice
from billing.store.operations import Operation
from billing.store.periods import PeriodRow
from billing.store.restores import Restore, RestoredRecord, open_restore
from billing.store.subscriptions import Subscription

ACCEPTED = "restore_accept"
"""The verb of a decision about a row of the export that is none of ours."""

_UNSETTLED = (OperationStatus.PLANNED, OperationStatus.SENDING, OperationStatus.UNKNOWN)
_CHUNK = 500


def held_ids(session: Session, operation_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Those of these operations that an open restore keeps from being sent; none where there is no open restore."""
    restore = open_restore(session)
    if restore is None or not operation_ids:
        return frozenset()
    query = sql_select(col(Operation.id)).where(_is_held(restore), col(Operation.id).in_(operation_ids))
    return frozenset(session.scalars(query))


def held(session: Session, restore: Restore, limit: int, ids: Sequence[UUID] | None = None) -> Sequence[Operation]:
    """Up to `limit` operations that wait because of this restore, or those among `ids`; in the order of ids."""
    query = select(Operation).where(_is_held(restore)).order_by(col(Operation.id)).limit(limit)
    return session.exec(query if ids is None else query.where(col(Operation.id).in_(ids))).all()


def count_held(session: Session, restore: Restore) -> int:
    """How many operations wait because of this restore."""
    return session.scalar(sql_select(func.count(col(Operation.id))).where(_is_held(restore))) or 0


def released(session: Session, limit: int) -> Sequence[Operation]:
    """Operations that were parked by a restore and that somebody has cleared since."""
    query = select(Operation).where(
        Operation.status == OperationStatus.NEEDS_OPERATOR.value,
        Operation.answer_code == RESTORED,
        col(Operation.cleared_at).is_not(None),
    )
    return session.exec(query.order_by(col(Operation.id)).limit(limit)).all()


def count_unopened(session: Session, restore: Restore) -> int:
    """How many subscriptions have a period in the lost stretch that is not opened yet: nothing can be matched to it."""
    query = sql_select(func.count(col(Subscription.id))).where(
        col(Subscription.status) != "ended", col(Subscription.next_period_at) < restore.lost_until
    )
    return session.scalar(query) or 0


def unmatched(
    session: Session, restore_id: UUID, kind: str | None = None, after: UUID | None = None, limit: int = _CHUNK
) -> Sequence[RestoredRecord]:
    """Rows of the export that are nobody's yet, in the order of ids after `after`."""
    query = select(RestoredRecord).where(
        RestoredRecord.restore_id == restore_id, col(RestoredRecord.operation_id).is_(None)
    )
    query = query if kind is None else query.where(RestoredRecord.kind == kind)
    query = query if after is None else query.where(col(RestoredRecord.id) > after)
    return session.exec(query.order_by(col(RestoredRecord.id)).limit(limit)).all()


def accepted(session: Session, records: Sequence[RestoredRecord]) -> set[UUID]:
    """Those of these rows of which somebody has said that they are none of ours."""
    by_hex = {record.id.hex: record.id for record in records}
    query = select(Decision.subject).where(col(Decision.verb) == ACCEPTED, col(Decision.subject).in_(by_hex))
    return {by_hex[subject] for subject in session.exec(query)}


def count_matched(session: Session, restore_id: UUID) -> int:
    """How many rows of the export were found among our operations."""
    query = sql_select(func.count(col(RestoredRecord.id))).where(
        col(RestoredRecord.restore_id) == restore_id, col(RestoredRecord.operation_id).is_not(None)
    )
    return session.scalar(query) or 0


def matched(session: Session, restore_id: UUID, limit: int) -> Sequence[RestoredRecord]:
    """Rows of the export that were found among our operations, in the order of ids."""
    query = select(RestoredRecord).where(
        RestoredRecord.restore_id == restore_id, col(RestoredRecord.operation_id).is_not(None)
    )
    return session.exec(query.order_by(col(RestoredRecord.id)).limit(limit)).all()


def named_by(session: Session, invoice_ids: Sequence[UUID], records: Sequence[RestoredRecord]) -> Sequence[Operation]:
    """Operations that these rows may be: of the invoices that they name, or of their orders by the provider's ids."""
    orders = select(Operation.invoice_id).where(
        Operation.kind == OperationKind.PURCHASE.value, col(Operation.provider_id).in_([r.order_id for r in records])
    )
    known = session.exec(orders).all()
    concerned = {*invoice_ids, *(id_ for id_ in known if id_ is not None)}
    query = select(Operation).where(col(Operation.invoice_id).in_(concerned)).order_by(col(Operation.id))
    return session.exec(query).all()


def _is_held(restore: Restore) -> ColumnElement[bool]:
    """The database may have sent it and forgotten so: it was here unsettled when the restore was opened, was due
    before that, or belongs to a period of the lost stretch; and nothing of its invoice was purchased since.
    """
    by_us = aliased(Operation)
    since: Any = sql_select(col(by_us.id)).where(
        col(by_us.invoice_id) == col(Operation.invoice_id),
        col(by_us.kind) == OperationKind.PURCHASE.value,
        col(by_us.id) != col(Operation.id),
        col(by_us.sent_at) >= restore.opened_at,
    )
    in_lost_period: Any = (
        sql_select(col(Invoice.id))
        .join(PeriodRow, col(PeriodRow.id) == col(Invoice.period_id))
        .join(Subscription, col(Subscription.id) == col(Invoice.subscription_id))
        .where(
            col(Invoice.id) == col(Operation.invoice_id),
            # A period begins with its day, and nothing can be lost of a subscription that is newer than the loss.
            col(Subscription.created_at) < restore.opened_at,
            col(PeriodRow.starts_at) >= restore.lost_from,
            col(PeriodRow.starts_at) < restore.lost_until,
        )
    )
    return and_(
        col(Operation.cleared_at).is_(None),
        col(Operation.kind).in_(HELD_KINDS),
        or_(
            col(Operation.status).in_(_UNSETTLED),
            and_(
                col(Operation.status) == OperationStatus.NEEDS_OPERATOR.value,
                func.coalesce(col(Operation.answer_code), "") == RESTORED,
            ),
        ),
        or_(
            col(Operation.created_at) < restore.opened_at,
            col(Operation.due_at) < restore.lost_until,
            in_lost_period.exists(),
        ),
        ~since.exists(),
    )
