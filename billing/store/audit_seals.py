"""Sealed blocks over the audit log of opened tokens."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from billing.domain.seals import SealedReveal
from billing.store.audit import AuditBlock, AuditBlockMember, Reveal

LATE_MAX = timedelta(minutes=10)
"""No transaction stays open this long (both time-outs of the database are a minute): older ids are all committed."""


def last_audit_block(session: Session) -> AuditBlock | None:
    return session.exec(select(AuditBlock).order_by(col(AuditBlock.seq).desc()).limit(1)).first()


def unsealed_reveals(session: Session, before: datetime, limit: int) -> Sequence[SealedReveal]:
    """Reveals written before `before` that no block holds, in the order of ids.

    One may be committed after younger ones: the search goes back behind the last block for as long as that can happen.
    """
    is_sealed = select(AuditBlockMember.reveal_id).where(AuditBlockMember.reveal_id == Reveal.id)
    query = select(Reveal).where(col(Reveal.at) <= before, ~is_sealed.exists())
    last = last_audit_block(session)
    if last is not None:
        query = query.where(col(Reveal.id) > _earlier(last.last_id))
    return [sealed_reveal(row) for row in session.exec(query.order_by(col(Reveal.id)).limit(limit))]


def sealed_reveal(row: Reveal) -> SealedReveal:
    """A row of the audit log as it is sealed."""
    return SealedReveal(row.id, row.operation_id, row.epoch, row.token_id, row.purpose, row.worker, row.at)


def _earlier(id_: UUID) -> UUID:
    """The lowest id that could have been made `LATE_MAX` before this one: a UUIDv7 begins with its milliseconds."""
    milliseconds = max((id_.int >> 80) - LATE_MAX // timedelta(milliseconds=1), 0)
    return UUID(int=milliseconds << 80)
