"""Seal: put what was written to the audit log into blocks, each with the hash of the one before (charging rules, I18).

Apart from those who open tokens, so that no charge ever waits for it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from billing.domain.seals import FIRST, SealedReveal, audit_block_hash
from billing.store.audit import AuditBlock, AuditBlockMember
from billing.store.audit_seals import last_audit_block, unsealed_reveals
from billing.store.bulk import insert_rows
from billing.store.engine import Database
from billing.use_cases.answer_once import is_doubled
from billing.use_cases.seal_ledger import SEAL_AFTER


def seal_audit(database: Database, now: datetime) -> int:
    """Seal every reveal older than a minute that is in no block; returns how many.

    Where another process seals at the same moment, one of the two does it.
    """
    sealed = 0
    while True:
        try:
            with database.tx() as session:
                found = unsealed_reveals(session, now - SEAL_AFTER, database.batch_size)
                if not found:
                    return sealed
                _seal(session, now, found)
        except IntegrityError as error:
            if not is_doubled(error):
                raise
            return sealed
        sealed += len(found)


def _seal(session: Session, now: datetime, found: Sequence[SealedReveal]) -> None:
    before = last_audit_block(session)
    previous = before.sha256 if before is not None else FIRST
    seq = before.seq + 1 if before is not None else 1
    block = AuditBlock(
        seq=seq,
        reveals=len(found),
        previous_sha256=previous,
        sha256=audit_block_hash(previous, found),
        # Never lower than before: the search for what is not sealed yet starts from here.
        last_id=max(found[-1].id, before.last_id) if before is not None else found[-1].id,
        sealed_at=now,
    )
    session.add(block)
    session.flush()
    insert_rows(session, AuditBlockMember, [{"reveal_id": reveal.id, "seq": seq} for reveal in found])
