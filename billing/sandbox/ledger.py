"""The provider's own books: one SQLite file that anybody may read with plain SQL.

Answers that arrive together share one commit. Every answer waits for `committed` before it is sent, so that
nothing is ever reported that a crash could take back.
"""

import asyncio
import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from billing.sandbox.schema import lay_out

SHOWN = ("orders", "captures", "refunds", "voids", "changes", "send_outs", "declines", "faults", "tokens")


class DirectoryInUse(OSError):
    """Another sandbox keeps its books in this directory."""


class Ledger:
    """One connection, opened once; `effect` around what changes something, `committed` before it is answered."""

    def __init__(self, data_dir: Path) -> None:
        """Raises OSError or sqlite3.Error where the directory cannot be used."""
        data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(data_dir / "sandbox.lock")
        self._db = sqlite3.connect(data_dir / "sandbox.sqlite3", isolation_level=None, cached_statements=256)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        lay_out(self._db)
        self._pending: asyncio.Future[None] | None = None

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
        return found

    def one(self, sql: str, *values: Any) -> sqlite3.Row:
        """For a row that cannot be missing; raises LookupError if it is."""
        found = self.row(sql, *values)
        if found is None:
            raise LookupError("the books lack a row that must be there")
        return found

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        return self._db.execute(sql, values).fetchall()

    def write(self, sql: str, *values: Any) -> None:
        """Inside `effect` only."""
        self._db.execute(sql, values)

    def insert(self, table: str, **values: Any) -> None:
        """Inside `effect` only; `table` and the column names are the program's own, never a client's."""
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608  names come from this program alone
        self._db.execute(sql, tuple(values.values()))

    @contextmanager
    def effect(self) -> Iterator[None]:
        """What is written inside stands or falls together; it becomes durable with `committed`."""
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("SAVEPOINT effect")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO effect")
            self._db.execute("RELEASE effect")
            raise
        self._db.execute("RELEASE effect")

    async def committed(self) -> None:
        """Returns when everything written so far, by whichever call, is on the disk.

        Calls that are ready in the same turn of the event loop wait for one and the same commit.
        """
        if not self._db.in_transaction:
            return
        if self._pending is None:
            loop = asyncio.get_running_loop()
            self._pending = loop.create_future()
            loop.call_soon(self._commit, self._pending)
        await asyncio.shield(self._pending)

    def write_lightly(self, sql: str, *values: Any) -> None:
        """One write that survives the death of the process, not that of the machine: no disk flush is waited for.

        Inside an open transaction it becomes an ordinary part of it.
        """
        if self._db.in_transaction:
            self._db.execute(sql, values)
            return
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(sql, values)
        self._db.execute("PRAGMA synchronous=FULL")

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """All rows of the tables that others judge by."""
        shown = {}
        for table in SHOWN:
            rows = self.rows(f"SELECT * FROM {table} ORDER BY rowid")  # noqa: S608  names come from this program alone
            shown[table] = [dict(row) for row in rows]
        return shown

    def close(self) -> None:
        if self._db.in_transaction:
            self._db.execute("COMMIT")
        self._db.close()
        self._lock.close()

    def _commit(self, pending: asyncio.Future[None]) -> None:
        self._pending = None
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            pending.set_exception(error)
        else:
            pending.set_result(None)


def _lock(path: Path) -> TextIO:
    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise DirectoryInUse("another sandbox is using it") from None
    return handle
