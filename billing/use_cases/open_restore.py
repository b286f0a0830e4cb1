"""Open a restore: a person says which stretch a database has forgotten, and hands over what the provider did in it.

Everything is checked before anything is written. The database is armed anew; what it may have sent and forgotten
waits at the gate until the export or a person clears it (charging rules, section 3, "After a restore").
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from billing.domain.errors import Conflict, Invalid
from billing.domain.restores import ExportRow, read_export
from billing.ports import Ids
from billing.store.accounts import ProviderAccount
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.restores import Restore, RestoredRecord, open_restore
from billing.use_cases.clone_guard import Guard, decided, rearmed
from billing.use_cases.recording import Record, nothing

_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class NewRestore:
    """`lost_from` is when the backup was made, `lost_until` (not included) when the database was put back.

    `export` is the text of the provider's export, None where there is none; `account` is whose it is, where its rows
    do not say so.
    """

    lost_from: datetime
    lost_until: datetime
    export: str | None
    by: str
    reason: str
    account: str | None = None


def begin_restore(
    database: Database, ids: Ids, guard: Guard, now: datetime, new: NewRestore, record: Record[Restore] = nothing
) -> Restore:
    """Write the restore and the rows of its export, and arm the database.

    Raises `BadRows` with every line of the export that cannot be right, `Invalid` for a stretch that ends before it
    begins or in the future, and `Conflict` while another restore is open.
    """
    if not new.lost_from < new.lost_until <= now:
        raise Invalid("the lost stretch begins before it ends, and ends not in the future", where="lost_until")
    with database.tx() as session:
        rows = [] if new.export is None else read_export(new.export, _generations(session), new.account)
        if open_restore(session, lock=True) is not None:
            raise Conflict("another restore is open; close it first")
        seen = None if guard.notes is None else rearmed(session, ids, guard.notes)
        restore = _written(session, ids, now, new, rows)
        record(session, restore)
    if seen is not None and guard.notes is not None:
        guard.notes.note(seen)
    guard.check(now)
    return restore


def _generations(session: Session) -> Mapping[str, str]:
    return dict(session.exec(select(ProviderAccount.name, ProviderAccount.generation)).all())


def _written(session: Session, ids: Ids, now: datetime, new: NewRestore, rows: Sequence[ExportRow]) -> Restore:
    digest = None if new.export is None else hashlib.sha256(new.export.encode()).hexdigest()
    restore = Restore(
        id=ids.new(),
        lost_from=new.lost_from,
        lost_until=new.lost_until,
        export_sha256=digest,
        export_rows=len(rows),
        by=new.by[:200],
        reason=new.reason[:500],
        opened_at=now,
    )
    session.add(restore)
    batch = Batch(ids, now)
    for start in range(0, len(rows), _CHUNK):
        for row in rows[start : start + _CHUNK]:
            _add_record(batch, restore, row)
        batch.write(session)
    details = {"lost_from": new.lost_from.isoformat(), "lost_until": new.lost_until.isoformat(), "rows": len(rows)}
    decided(batch, restore.id, "restore_open", new.by, new.reason, details)
    batch.tell_all("restore.opened", restore=restore.id.hex, rows=len(rows), has_export=new.export is not None)
    batch.write(session)
    return restore


def _add_record(batch: Batch, restore: Restore, row: ExportRow) -> None:
    batch.add(
        RestoredRecord,
        restore_id=restore.id,
        kind=row.kind,
        provider_account=row.provider_account,
        provider_id=row.provider_id,
        order_id=row.order_id,
        reference1=row.reference1,
        reference2=row.reference2,
        amount=row.amount,
        currency=row.currency,
        at=row.at,
        operation_id=None,
    )
