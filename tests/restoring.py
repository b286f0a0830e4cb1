"""Backups: a copy of a database as it stands, put in its place again later; and what its provider shows of it."""

import csv
import io
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from billing.domain.ids import Prefix, shown
from billing.store.engine import Database, open_database
from billing.store.operations import Operation

COLUMNS = (
    "kind",
    "id",
    "order_id",
    "amount",
    "currency",
    "merchant_reference1",
    "merchant_reference2",
    "reference",
    "at",
)


class Backup:
    """A database as it stood once; `put_back` makes it stand so again."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._file = Path(self._url.database or "") if self._url.get_backend_name() == "sqlite" else None
        self._kept = f"{self._url.database}_kept"
        self._copy(self._url.database or "", self._kept)

    def put_back(self) -> None:
        """Nobody may be connected."""
        place = self._url.database or ""
        if self._file is not None:
            # Beside the old file until the copy is there: a file system gives a freed number to the next file.
            self._file.rename(f"{place}_gone")
        self._forget(place)
        self._copy(self._kept, place)
        self._forget(f"{place}_gone")

    def forget(self) -> None:
        self._forget(self._kept)

    def _copy(self, source: str, target: str) -> None:
        if self._file is not None:
            database = open_database(f"sqlite:///{source}")
            with database.engine.connect() as connection:
                connection.exec_driver_sql("COMMIT")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            database.close()
            shutil.copy(source, target)
            return
        self._administer(f'CREATE DATABASE "{target}" TEMPLATE "{source}" STRATEGY FILE_COPY')

    def _forget(self, name: str) -> None:
        if self._file is not None:
            for ending in ("", "-wal", "-shm"):
                Path(name + ending).unlink(missing_ok=True)
            return
        self._administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _administer(self, statement: str) -> None:
        engine = create_engine(self._url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@contextmanager
def backup_of(url: str) -> Iterator[Backup]:
    """A backup of the database at `url`, to which nobody may be connected."""
    kept = Backup(url)
    try:
        yield kept
    finally:
        kept.forget()


def address_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


def export_of(operations: Iterable[Operation]) -> str:
    """What a provider shows of these operations, in our form of an export: those that it made ids for, and voids."""
    known = {operation.id: operation for operation in operations}
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS)
    writer.writeheader()
    for operation in known.values():
        order = known[operation.purchase_id] if operation.purchase_id else operation
        if operation.status != "succeeded" or operation.kind not in ("purchase", "capture", "refund", "void"):
            continue
        writer.writerow(
            {
                "kind": operation.kind,
                "id": operation.provider_id or operation.id.hex,
                "order_id": order.provider_id,
                "amount": operation.amount,
                "currency": operation.currency,
                "merchant_reference1": shown(Prefix.INVOICE, operation.invoice_id),
                "merchant_reference2": order.merchant_reference,
                "reference": operation.merchant_reference,
                "at": operation.sent_at.isoformat(),
            }
        )
    return written.getvalue()
