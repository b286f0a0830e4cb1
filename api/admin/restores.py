"""After a restore from a backup: what the database has forgotten, what the provider's export shows of it, and what a
person lets go again.
"""

from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import Field

from api.answers import ListOut, MoneyOut, Out, shown_or_none
from api.bodies import In, Instant, Note, OperationId, RecordId, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import Reading
from billing.domain.errors import Invalid
from billing.domain.ids import Prefix, shown
from billing.domain.operations import OperationKind, OperationStatus
from billing.store.operations import Operation
from billing.store.restores import Restore, RestoredRecord
from billing.use_cases.open_restore import NewRestore, begin_restore
from billing.use_cases.release_restored import (
    Release,
    Released,
    RestoreFound,
    close_restore,
    find_restore,
    release_restored,
    restore_in,
    restores,
)

By = Annotated[Note | None, Field(description="Who decided, where that is not the holder of the key.")]


class RestoreIn(In):
    """What was lost, and what the provider did meanwhile: its export as text, or `without_export`."""

    model_config = described(
        "New restore",
        {
            "lost_from": "2028-03-01T04:00:00Z",
            "lost_until": "2028-03-02T09:00:00Z",
            "without_export": True,
            "reason": "the disk died",
        },
    )

    lost_from: Instant
    lost_until: Instant
    export: Annotated[str | None, Field(description="CSV or the sandbox's JSON; larger ones go by command.")] = None
    without_export: bool = False
    provider_account: Annotated[str | None, Field(max_length=64)] = None
    by: By = None
    reason: Note

    def new(self, holder: str) -> NewRestore:
        """What the use case takes. Raises `Invalid` unless there is either an export or the word that there is none."""
        if (self.export is None) != self.without_export:
            raise Invalid("either an export is needed, or without_export", where="export")
        by = said_by(self.by, holder)
        return NewRestore(self.lost_from, self.lost_until, self.export, by, self.reason, self.provider_account)


class RestoreReleaseIn(In):
    """What was not done and may be sent, or is none of ours; one by one or all."""

    model_config = described("Release", {"all": True, "reason": "none of them is in the portal"})

    operation_ids: list[OperationId] = Field(default_factory=list, max_length=1000)
    record_ids: list[RecordId] = Field(default_factory=list, max_length=1000)
    all: bool = False
    all_records: bool = False
    by: By = None
    reason: Note

    def release(self, holder: str) -> Release:
        """What the use case takes."""
        by = said_by(self.by, holder)
        return Release(by, self.reason, self.operation_ids, self.record_ids, self.all, self.all_records)


class CloseIn(In):
    """Why it is over."""

    model_config = described("Close a restore", {"reason": "everything is matched"})

    by: By = None
    reason: Note


class RestoreOut(Out):
    """A stretch that the database has forgotten; while `closed_at` is empty, nothing of it is sent unasked."""

    id: str
    lost_from: datetime
    lost_until: datetime
    export_sha256: str | None
    export_rows: int
    by: str
    reason: str
    opened_at: datetime
    closed_at: datetime | None


class ExportRowOut(Out):
    """A row of the provider's export, and the operation that it is."""

    id: str
    kind: str
    provider_account: str
    provider_id: str
    order_id: str | None
    amount: MoneyOut
    at: datetime
    operation_id: str | None


class WaitingOut(Out):
    """An operation that waits because nobody knows whether it was done."""

    id: str
    kind: OperationKind
    status: OperationStatus
    amount: MoneyOut
    invoice_id: str | None


class RestoreFoundOut(RestoreOut):
    """A restore with what is matched and what is not. Each list shows 200 at most; the counts are of all."""

    matched_count: int
    matched: list[ExportRowOut]
    unmatched_ours_count: int
    unmatched_ours: list[WaitingOut]
    unmatched_theirs_count: int
    unmatched_theirs: list[ExportRowOut]
    not_opened_count: int
    """Subscriptions with a lost period that is not opened yet."""


class ReleasedOut(Out):
    """How much was cleared."""

    restore_id: str
    operations: int
    records: int


class RestoreList(ListOut):
    """Every restore, oldest first."""

    data: list[RestoreOut]


def said_by(by: str | None, holder: str) -> str:
    """Who decided; beside them whose key it was, which nobody can make up."""
    return holder if by is None or by == holder else f"{by} (key {holder})"


def _columns(row: Restore) -> dict[str, object]:
    fields = ("lost_from", "lost_until", "export_sha256", "export_rows", "by", "reason", "opened_at", "closed_at")
    return {"id": shown(Prefix.RESTORE, row.id), **{name: getattr(row, name) for name in fields}}


def restore_out(row: Restore) -> RestoreOut:
    return RestoreOut.model_validate(_columns(row))


def _row_out(row: RestoredRecord) -> ExportRowOut:
    return ExportRowOut(
        id=shown(Prefix.RESTORED_RECORD, row.id),
        kind=row.kind,
        provider_account=row.provider_account,
        provider_id=row.provider_id,
        order_id=row.order_id,
        amount=MoneyOut(amount=row.amount, currency=row.currency),
        at=row.at,
        operation_id=shown_or_none(Prefix.OPERATION, row.operation_id),
    )


def _waiting_out(row: Operation) -> WaitingOut:
    return WaitingOut(
        id=shown(Prefix.OPERATION, row.id),
        kind=OperationKind(row.kind),
        status=OperationStatus(row.status),
        amount=MoneyOut(amount=row.amount, currency=row.currency),
        invoice_id=shown_or_none(Prefix.INVOICE, row.invoice_id),
    )


def found_out(found: RestoreFound) -> RestoreFoundOut:
    return RestoreFoundOut.model_validate(
        {
            **_columns(found.restore),
            "matched_count": found.matched_count,
            "matched": [_row_out(row) for row in found.matched],
            "unmatched_ours_count": found.unmatched_ours_count,
            "unmatched_ours": [_waiting_out(row) for row in found.unmatched_ours],
            "unmatched_theirs_count": found.unmatched_theirs_count,
            "unmatched_theirs": [_row_out(row) for row in found.unmatched_theirs],
            "not_opened_count": found.unopened_count,
        }
    )


def _released_out(done: Released) -> ReleasedOut:
    restore_id = shown(Prefix.RESTORE, done.restore.id)
    return ReleasedOut(restore_id=restore_id, operations=done.operations, records=done.records)


class Restores(Controller):
    path = "/restores"

    @get(sync_to_thread=True, responses=problems())
    def list_restores(self, database: Reading) -> RestoreList:
        """List restores, closed ones too."""
        return RestoreList(data=[restore_out(row) for row in restores(database)], next=None)

    @post(sync_to_thread=True, responses=problems(409, 413))
    def open_restore(self, data: JSONBody[RestoreIn], write: Write) -> Response[RestoreFoundOut]:
        """Open a restore.

        The database is armed again. What the export shows is linked by the loops; what may have been sent and
        forgotten waits. A bad line of the export is named, and nothing is written then.
        """
        wiring, new = write.wiring, data.new(write.holder.name)
        return write.answer(
            201,
            lambda record: begin_restore(wiring.database, wiring.ids, wiring.guard, write.now, new, record),
            lambda session, row: found_out(restore_in(session, row)),
        )

    @get("/{restore_id:str}", sync_to_thread=True, responses=problems(404))
    def get_restore(self, database: Reading, restore_id: FromPath[str]) -> RestoreFoundOut:
        """Get a restore: what is matched, what of ours waits, and what of the provider's is nobody's."""
        return found_out(find_restore(database, in_path(Prefix.RESTORE, restore_id)))

    @post("/{restore_id:str}/releases", sync_to_thread=True, responses=problems(404, 409, 413))
    def release_restored(
        self, restore_id: FromPath[str], data: JSONBody[RestoreReleaseIn], write: Write
    ) -> Response[ReleasedOut]:
        """Let operations be sent that were not done, or take rows of the export for somebody else's."""
        wiring, wanted = write.wiring, in_path(Prefix.RESTORE, restore_id)
        release = data.release(write.holder.name)
        return write.answer(
            201,
            lambda record: release_restored(wiring.database, wiring.ids, write.now, wanted, release, record),
            lambda _, done: _released_out(done),
        )

    @post("/{restore_id:str}/close", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def close_restore(
        self, restore_id: FromPath[str], data: JSONBody[CloseIn], write: Write
    ) -> Response[RestoreFoundOut]:
        """End a restore once nothing is unmatched."""
        wiring, wanted = write.wiring, in_path(Prefix.RESTORE, restore_id)
        by = said_by(data.by, write.holder.name)
        return write.answer(
            200,
            lambda record: close_restore(wiring.database, wiring.ids, write.now, wanted, by, data.reason, record),
            lambda _, found: found_out(found),
        )
