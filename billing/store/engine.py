"""The database: engine, transactions, column types. Both dialects behave alike to everyone above.

SQLite: one connection behind a first-come-first-served lock, every transaction BEGIN IMMEDIATE, WAL, FULL sync.
PostgreSQL: READ COMMITTED, a pool, time-outs. Nobody outside the use cases opens a transaction.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, DateTime, Dialect, Engine, MetaData, create_engine, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, SQLModel

from billing.domain.errors import NotReady

SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention

JSONX = JSON().with_variant(JSONB(), "postgresql")


class UtcInstant(TypeDecorator[datetime]):
    """An aware instant, kept as UTC. A naive one is refused on the way in (SQLite would hand it back naive)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  (the interface)
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant must be aware")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  (the interface)
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def one_of(column: str, values: type[StrEnum] | Iterable[str], *, nullable: bool = False) -> CheckConstraint:
    """A CHECK that `column` holds one of `values`: native enums would hide a forgotten member until production."""
    listed = ", ".join(f"'{value}'" for value in values)
    # Quoted, since some of the field's words are PostgreSQL's too (authorization).
    null = f'"{column}" IS NULL OR ' if nullable else ""
    return CheckConstraint(f'{null}"{column}" IN ({listed})', name=f"{column}_known")


class FairLock:
    """First come, first served, and an error at once for a thread that already holds it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._holder: int | None = None

    def acquire(self) -> None:
        me = threading.get_ident()
        with self._guard:
            assert self._holder != me, "a transaction was opened inside a transaction"
            if self._holder is None and not self._waiting:
                self._holder = me
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()
        with self._guard:
            self._waiting.popleft()
            self._holder = me

    def release(self) -> None:
        with self._guard:
            self._holder = None
            if self._waiting:
                self._waiting[0].set()


class Database:
    """One database and the only way into it: `with database.tx() as session`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        # SQLite holds its one write lock for a batch, so its batches are short (charging rules, section 4).
        self.batch_size = 100 if self.is_sqlite else 500
        self._lock = FairLock() if self.is_sqlite else None

    @contextmanager
    def tx(self) -> Iterator[Session]:
        """A transaction: committed when the block ends, rolled back when it raises. Never nest; never call out."""
        if self._lock is not None:
            self._lock.acquire()
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
        finally:
            if self._lock is not None:
                self._lock.release()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """The database at an SQLAlchemy URL: `sqlite:///file` or `postgresql+psycopg://...`. Nothing is connected yet."""
    try:
        backend = make_url(url).get_backend_name()
    except (ArgumentError, ValueError):
        raise NotReady("the database URL cannot be read; expected sqlite:///FILE or postgresql+psycopg://...") from None
    if backend == "sqlite":
        return Database(_sqlite(url))
    if backend == "postgresql":
        return Database(_postgresql(url))
    raise NotReady(f"databases of kind {backend!r} are not spoken; expected sqlite or postgresql")


def _sqlite(url: str) -> Engine:
    engine = create_engine(
        url, poolclass=StaticPool, connect_args={"timeout": 10, "check_same_thread": False}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: object) -> None:  # noqa: ARG001  (the event's signature)
        connection.isolation_level = None
        # The last two are speed alone: 64 MB of pages kept, and the log folded back less often.
        for pragma in (
            "journal_mode=WAL",
            "foreign_keys=ON",
            "synchronous=FULL",
            "cache_size=-65536",
            "wal_autocheckpoint=4000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql(url: str) -> Engine:
    options = "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
    return create_engine(
        url,
        pool_size=20,
        max_overflow=4,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"options": options, "connect_timeout": 10},
    )
