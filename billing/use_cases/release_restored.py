"""Release: a person says that something which waits because of a restore was not done and may be sent, or that a row of
the export is none of ours. Each word stands in the audit log. And closing a restore, once nothing is left over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from billing.domain.errors import Conflict, Invalid, NotFound
from billing.ports import Ids
from billing.store import operations as operation_store
from billing.store.batch import Batch
from billing.store.decisions import Decision
from billing.store.engine import Database
from billing.store.operations import Operation
from billing.store.restored import (
    ACCEPTED,
    accepted,
    count_held,
    count_matched,
    count_unopened,
    held,
    matched,
    released,
    unmatched,
)
from billing.store.restores import Restore, RestoredRecord
from billing.use_cases.clone_guard import decided
from billing.use_cases.recording import Record, nothing

RELEASED = "restore_release"
LISTED_MAX = 200
"""Of each list at most so many are shown; the counts are of all."""

_CHUNK = 500
_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class Release:
    """What is cleared, by whom and why: single operations or all that wait; single rows of the export or all."""

    by: str
    reason: str
    operation_ids: Sequence[UUID] = ()
    record_ids: Sequence[UUID] = ()
    all_operations: bool = False
    all_records: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """How many operations may be sent now, and how many rows were taken for somebody else's."""

    restore: Restore
    operations: int
    records: int


@dataclass(frozen=True, slots=True)
class RestoreFound:
    """A restore, and what of it is matched and what is not; lists are cut at `LISTED_MAX`, counts are not."""

    restore: Restore
    matched: Sequence[RestoredRecord]
    matched_count: int
    unmatched_ours: Sequence[Operation]
    unmatched_ours_count: int
    unmatched_theirs: Sequence[RestoredRecord]
    unmatched_theirs_count: int
    unopened_count: int
    """Subscriptions with a period in the lost stretch that is not opened yet: a catch-up waits for a decision."""


def release_restored(
    database: Database, ids: Ids, now: datetime, restore_id: UUID, release: Release, record: Record[Released] = nothing
) -> Released:
    """Clear what is named; the loops send it afterwards.

    Raises `NotFound` for an unknown restore, `Conflict` for one that is closed, and `Invalid` for an operation or a
    row that does not wait because of it, or where nothing is named.
    """
    if not (release.operation_ids or release.record_ids or release.all_operations or release.all_records):
        raise Invalid("name operations or rows of the export, or say all", where="operation_ids")
    with database.tx() as session:
        restore = _open(session, restore_id)
        batch = Batch(ids, now)
        operations = _clear_operations(session, batch, restore, release)
        records = _accept_records(session, batch, restore, release)
        details = {"operations": operations, "records": records, "all": release.all_operations}
        decided(batch, restore.id, RELEASED, release.by, release.reason, details)
        batch.tell_all("restore.released", restore=restore.id.hex, operations=operations, records=records)
        batch.write(session)
        done = Released(restore, operations, records)
        record(session, done)
        return done


def close_restore(
    database: Database,
    ids: Ids,
    now: datetime,
    restore_id: UUID,
    by: str,
    reason: str,
    record: Record[RestoreFound] = nothing,
) -> RestoreFound:
    """End a restore. Raises `NotFound`, and `Conflict` while something of it is unmatched or not opened yet."""
    with database.tx() as session:
        restore = _open(session, restore_id)
        found = _found(session, restore)
        left = {
            "operations of ours": found.unmatched_ours_count,
            "rows of the export": found.unmatched_theirs_count,
            "subscriptions whose lost periods are not opened": found.unopened_count,
            "operations about to be put back": len(released(session, 1)),
        }
        if any(left.values()):
            said = ", ".join(f"{count} {what}" for what, count in left.items() if count)
            raise Conflict(f"something is unmatched: {said}")
        restore.closed_at = now
        batch = Batch(ids, now)
        decided(batch, restore.id, "restore_close", by, reason, {"matched": found.matched_count})
        batch.tell_all("restore.closed", restore=restore.id.hex)
        batch.write(session)
        record(session, found)
        return found


def find_restore(database: Database, restore_id: UUID) -> RestoreFound:
    """Raises `NotFound`."""
    with database.tx() as session:
        return restore_in(session, _one(session, restore_id))


def restore_in(session: Session, restore: Restore) -> RestoreFound:
    """A restore with what is matched and what is not, in the caller's transaction."""
    return _found(session, restore)


def restores(database: Database) -> Sequence[Restore]:
    """Every restore there ever was, oldest first."""
    with database.tx() as session:
        return session.exec(select(Restore).order_by(col(Restore.id))).all()


def _one(session: Session, restore_id: UUID) -> Restore:
    restore = session.get(Restore, restore_id)
    if restore is None:
        raise NotFound("there is no such restore")
    return restore


def _open(session: Session, restore_id: UUID) -> Restore:
    restore = session.get(Restore, restore_id, with_for_update=True, populate_existing=True)
    if restore is None:
        raise NotFound("there is no such restore")
    if restore.closed_at is not None:
        raise Conflict(f"this restore was closed at {restore.closed_at.isoformat()}")
    return restore


def _clear_operations(session: Session, batch: Batch, restore: Restore, release: Release) -> int:
    wanted = list(release.operation_ids)
    waiting = held(session, restore, _ALL, None if release.all_operations else wanted)
    strangers = set(wanted) - {operation.id for operation in waiting}
    if strangers:
        raise Invalid(
            f"{len(strangers)} of these operations do not wait because of this restore", where="operation_ids"
        )
    ids_ = [operation.id for operation in waiting]
    for start in range(0, len(ids_), _CHUNK):
        for operation in operation_store.locked(session, ids_[start : start + _CHUNK]).values():
            operation.cleared_at = batch.now
            batch.add(
                Decision,
                operation_id=operation.id,
                subject=operation.id.hex,
                verb=RELEASED,
                by=release.by[:200],
                reason=release.reason[:500],
                details={"restore": restore.id.hex, "status": operation.status},
                at=batch.now,
            )
    return len(ids_)


def _accept_records(session: Session, batch: Batch, restore: Restore, release: Release) -> int:
    waiting = {row.id: row for row in _nobodys(session, restore)}
    strangers = set(release.record_ids) - set(waiting)
    if strangers:
        raise Invalid(f"{len(strangers)} of these are no unmatched rows of this restore's export", where="record_ids")
    chosen = list(waiting) if release.all_records else list(release.record_ids)
    for record_id in chosen:
        row = waiting[record_id]
        details = {"restore": restore.id.hex, "kind": row.kind, "provider_id": row.provider_id, "amount": row.amount}
        decided(batch, record_id, ACCEPTED, release.by, release.reason, details)
    return len(chosen)


def _nobodys(session: Session, restore: Restore) -> list[RestoredRecord]:
    """Rows of the export that are none of our operations, and of which nobody has said so yet."""
    found: list[RestoredRecord] = []
    after: UUID | None = None
    while part := unmatched(session, restore.id, None, after, _CHUNK):
        known = accepted(session, part)
        found += [row for row in part if row.id not in known]
        after = part[-1].id
    return found


def _found(session: Session, restore: Restore) -> RestoreFound:
    theirs, is_open = _nobodys(session, restore), restore.closed_at is None
    return RestoreFound(
        restore,
        matched(session, restore.id, LISTED_MAX),
        count_matched(session, restore.id),
        held(session, restore, LISTED_MAX) if is_open else (),
        count_held(session, restore) if is_open else 0,
        theirs[:LISTED_MAX],
        len(theirs),
        count_unopened(session, restore) if is_open else 0,
    )
