"""Reading: one consistent view of a database that is only ever read, and the few words in which its dialects differ.

SQLite is opened read-only beside its owner; PostgreSQL is read in one REPEATABLE READ READ ONLY transaction. Statements
are written once: `<<column|word>>` becomes what the dialect at hand calls it.
"""

# ruff: noqa: S608  (every statement is put together from names of this package alone)

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

SKEW = timedelta(seconds=60)
"""By how much the clocks of two processes may differ before their instants are held against each other."""

_MARK = re.compile(r"<<([^<>|]+)\|(\w+)>>")
_WORK_MEMORY = "SET LOCAL work_mem = '192MB'"


class NotVerifiable(Exception):
    """There is nothing here that could be checked: no database of this service, or one that is half made."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The database as it stood at one moment. `times` are bound wherever a statement names them."""

    connection: Connection
    is_sqlite: bool
    columns: Mapping[str, frozenset[str]]
    times: Mapping[str, datetime] = field(default_factory=dict)

    def rows(self, sql: str, **values: object) -> Iterator[Any]:
        """The rows that `sql` finds, fetched as they are asked for; the cursor closes with the iterator."""
        written = self.written(sql)
        named = {name: self._bound(at) for name, at in self.times.items() if f":{name}" in written}
        streamed = self.connection.execution_options(stream_results=True, max_row_buffer=5000)
        with streamed.execute(text(written), {**named, **values}) as found:
            yield from found

    def count(self, looks_at: str) -> int:
        """How many rows `SELECT COUNT(*) FROM looks_at` counts."""
        ((counted,),) = self.rows(f"SELECT COUNT(*) FROM {looks_at}")
        return int(counted)

    def has(self, table: str) -> bool:
        return table in self.columns

    def written(self, sql: str) -> str:
        """`sql` in the words of this dialect."""
        return _MARK.sub(lambda mark: self._word(mark[1].strip(), mark[2]), sql)

    def instant(self, value: object) -> datetime | None:
        """An instant column as an aware UTC value, whatever the dialect hands back."""
        if value is None:
            return None
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        assert isinstance(at, datetime), "an instant column holds an instant"
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)

    def _bound(self, at: datetime) -> object:
        return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if self.is_sqlite else at

    def _word(self, about: str, word: str) -> str:
        match word:
            case "hex":
                return about if self.is_sqlite else f"replace(CAST({about} AS text), '-', '')"
            case "later":
                seconds = int(SKEW.total_seconds())
                if self.is_sqlite:
                    return f"(strftime('%Y-%m-%d %H:%M:%f', {about}, '+{seconds} seconds') || '000')"
                return f"({about} + interval '{seconds} seconds')"
            case "stamp":
                if self.is_sqlite:
                    return f"replace({about}, ' ', 'T') || 'Z'"
                return f"to_char({about} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24\\:MI\\:SS.US\"Z\"')"
            case "stopped":
                return _STOPPED.format(account=about)
            case "braked":
                return self._braked(about)
        raise AssertionError(f"no dialect knows the word {word}")

    def _braked(self, subscription: str) -> str:
        if not self.has("brakes"):
            return "(1 = 0)"
        ids = ", ".join(self._word(f"{subscription}.{column}", "hex") for column in ("id", "customer_id"))
        return (
            "EXISTS (SELECT 1 FROM brakes br WHERE br.released_at IS NULL AND (br.kind = 'run_total'"
            f" OR br.subject IN ({ids}, {subscription}.provider_account)))"
        )


# A stopped account, an open breaker and an empty bucket are visible and meant: nothing is late because of them.
_STOPPED = (
    "(EXISTS (SELECT 1 FROM provider_accounts pa WHERE pa.name = {account} AND pa.halted_at IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM provider_account_paces pp WHERE pp.name = {account}"
    " AND (pp.breaker <> 'closed' OR pp.paced_until > :now)))"
)


@contextmanager
def opened(url: str) -> Iterator[Snapshot]:
    """A view of the database at `url` (`sqlite:///FILE` or `postgresql://...`) that stays as it is while it is read.

    Raises `NotVerifiable` where there is none; `sqlalchemy.exc.OperationalError` where a server cannot be reached.
    """
    engine, is_sqlite = _engine(url)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN" if is_sqlite else _WORK_MEMORY)
            yield Snapshot(connection, is_sqlite, _columns(connection, is_sqlite=is_sqlite))
    finally:
        engine.dispose()


def _engine(url: str) -> tuple[Engine, bool]:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise NotVerifiable("the database URL cannot be read; expected sqlite:///FILE or postgresql://...") from None
    if backend == "sqlite":
        return _sqlite(parsed), True
    if backend == "postgresql":
        return _postgresql(parsed), False
    raise NotVerifiable(f"databases of kind {backend!r} are not checked; expected sqlite or postgresql")


def _sqlite(url: URL) -> Engine:
    path = Path(url.database or "")
    if not path.is_file():
        raise NotVerifiable(f"there is no database at {path}")

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30, isolation_level=None)

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def _postgresql(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        hide_parameters=True,
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
        connect_args={"connect_timeout": 10, "options": "-c timezone=UTC -c statement_timeout=0 -c jit=off"},
    )


def _columns(connection: Connection, *, is_sqlite: bool) -> dict[str, frozenset[str]]:
    sql = _SQLITE_COLUMNS if is_sqlite else _POSTGRESQL_COLUMNS
    found: dict[str, set[str]] = {}
    try:
        for table, column in connection.exec_driver_sql(sql):
            found.setdefault(table, set()).add(column)
    except OperationalError:
        raise
    except DatabaseError as error:
        raise NotVerifiable(f"this is no database that can be read: {error.orig}") from None
    return {table: frozenset(columns) for table, columns in found.items()}


_SQLITE_COLUMNS = "SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'"
_POSTGRESQL_COLUMNS = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
)
