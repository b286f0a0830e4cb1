"""A database of its own for every life, on either backend."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path

import pytest
from lives.databases import fresh_sqlite
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

from billing.store.engine import Database, open_database

BACKENDS = ("sqlite", "postgresql")
NewDatabase = Callable[[], AbstractContextManager[Database]]


@pytest.fixture(params=BACKENDS)
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> NewDatabase:
    """Called, it gives a fresh database with the newest schema for as long as its block lasts."""
    if request.param == "sqlite":
        migrated: Path = request.getfixturevalue("migrated_file")
        numbers = count(1)
        return lambda: fresh_sqlite(migrated, tmp_path / f"life-{next(numbers)}.sqlite3")
    server: URL = request.getfixturevalue("postgresql_url")
    return lambda: _on_postgresql(server)


@contextmanager
def _on_postgresql(server: URL) -> Iterator[Database]:
    name = f"life_{uuid.uuid4().hex[:16]}"
    _administer(server, f'CREATE DATABASE "{name}" TEMPLATE migrated STRATEGY FILE_COPY')
    database = open_database(server.set(database=name).render_as_string(hide_password=False))
    try:
        yield database
    finally:
        database.close()
        _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _administer(server: URL, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
