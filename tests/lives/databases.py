"""Throw-away databases for lives."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import migrations
from billing.store.engine import Database, open_database


def migrate_file(path: Path) -> None:
    """Make an SQLite file with the newest schema, to copy from."""
    database = open_database(f"sqlite:///{path}")
    migrations.upgrade(database.engine)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


@contextmanager
def fresh_sqlite(migrated: Path, path: Path) -> Iterator[Database]:
    """A copy of `migrated` at `path`, gone when the block ends; nothing is synced, since no power fails here."""
    shutil.copy(migrated, path)
    database = open_database(f"sqlite:///{path}")
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
    try:
        yield database
    finally:
        database.close()
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink()
