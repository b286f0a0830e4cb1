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

SHOWN = ("orders", "captures", "refunds", "send_outs", "declines", "faults", "tokens")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
  order_id TEXT PRIMARY KEY, token_id TEXT NOT NULL, merchant_reference1 TEXT, merchant_reference2 TEXT,
  idempotency_key TEXT, currency TEXT NOT NULL, order_amount INTEGER NOT NULL, order_tax_amount INTEGER NOT NULL,
  captured_amount INTEGER NOT NULL DEFAULT 0, refunded_amount INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL,
  fraud_status TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT NOT NULL, klarna_reference TEXT NOT NULL,
  lines TEXT NOT NULL,
  CHECK (captured_amount BETWEEN 0 AND order_amount AND refunded_amount BETWEEN 0 AND captured_amount));
CREATE TABLE IF NOT EXISTS order_details (order_id TEXT PRIMARY KEY, details TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS captures (
  capture_id TEXT PRIMARY KEY, order_id TEXT NOT NULL, amount INTEGER NOT NULL, reference TEXT, description TEXT,
  captured_at TEXT NOT NULL, klarna_reference TEXT NOT NULL, lines TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS captures_of_order ON captures (order_id);
CREATE TABLE IF NOT EXISTS refunds (
  refund_id TEXT PRIMARY KEY, order_id TEXT NOT NULL, amount INTEGER NOT NULL, reference TEXT, description TEXT,
  refunded_at TEXT NOT NULL, lines TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS refunds_of_order ON refunds (order_id);
CREATE TABLE IF NOT EXISTS send_outs (
  id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, capture_id TEXT NOT NULL, cause TEXT NOT NULL,
  sent_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
  session_id TEXT PRIMARY KEY, intent TEXT NOT NULL, country TEXT NOT NULL, currency TEXT NOT NULL,
  created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS authorizations (
  authorization_token TEXT PRIMARY KEY, session_id TEXT NOT NULL, behaviour TEXT NOT NULL, seed TEXT,
  created_at TEXT NOT NULL, used_at TEXT);
CREATE TABLE IF NOT EXISTS tokens (
  token_id TEXT PRIMARY KEY, behaviour TEXT NOT NULL, seed TEXT, status TEXT NOT NULL, currency TEXT NOT NULL,
  country TEXT NOT NULL, created_at TEXT NOT NULL, locale TEXT NOT NULL, suspended_until TEXT);
CREATE TABLE IF NOT EXISTS charges (
  token_id TEXT NOT NULL, reference TEXT NOT NULL, ordinal INTEGER NOT NULL, PRIMARY KEY (token_id, reference));
CREATE TABLE IF NOT EXISTS attempts (
  scope TEXT NOT NULL, idempotency_key TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (scope, idempotency_key));
CREATE TABLE IF NOT EXISTS declines (
  id INTEGER PRIMARY KEY, token_id TEXT NOT NULL, merchant_reference1 TEXT, merchant_reference2 TEXT,
  idempotency_key TEXT, error_code TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
  id INTEGER PRIMARY KEY, fault TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, idempotency_key TEXT,
  reference TEXT, source TEXT NOT NULL CHECK (source IN ('token', 'script')), behaviour TEXT, at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS faults_by_key ON faults (idempotency_key);
CREATE TABLE IF NOT EXISTS script (
  id INTEGER PRIMARY KEY, fault TEXT NOT NULL, method TEXT, path_contains TEXT, reference TEXT,
  times INTEGER NOT NULL, status INTEGER, error_code TEXT);
CREATE TABLE IF NOT EXISTS answers (
  idempotency_key TEXT PRIMARY KEY, call TEXT NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL,
  content BLOB NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS clock (
  id INTEGER PRIMARY KEY CHECK (id = 1), frozen_at TEXT, offset_microseconds INTEGER NOT NULL);
"""


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
        self._db.executescript(_SCHEMA)
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
