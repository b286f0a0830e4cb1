"""Breaking a good database on purpose: raw SQL past every guard that the database itself has against it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from sqlalchemy import Column
from sqlmodel import SQLModel
from verify.scene import Lived

Execute = Any


@contextmanager
def unguarded(shop: Lived, *indexes: str) -> Iterator[Execute]:
    """A cursor on the shop's database without its CHECKs, triggers, foreign keys and the named unique indexes.

    Instants are written as `2028-01-31 08:00:00.000000`, ids as 32 hex digits: both databases read them.
    """
    opened = _sqlite(shop, indexes) if shop.database.is_sqlite else _postgresql(shop, indexes)
    with opened as execute:
        yield execute


def broken(shop: Lived, statement: str, *indexes: str) -> int:
    """Run one statement unguarded; returns how many rows it changed, which must be some."""
    with unguarded(shop, *indexes) as execute:
        changed = execute(statement).rowcount
    assert changed, f"nothing was broken by {statement}"
    return changed


def again(shop: Lived, table: str, where: str, *indexes: str, **changed: str) -> None:
    """Write the first row found `where` once more, with columns `changed` to these SQL expressions."""
    columns = SQLModel.metadata.tables[table].columns
    values = ", ".join(_typed(shop, column, changed.get(column.name, f'"{column.name}"')) for column in columns)
    named = ", ".join(f'"{column.name}"' for column in columns)
    broken(
        shop, f"INSERT INTO {table} ({named}) SELECT {values} FROM {table} WHERE {where} ORDER BY 1 LIMIT 1", *indexes
    )


def _typed(shop: Lived, column: Column[Any], value: str) -> str:
    """PostgreSQL takes a literal behind SELECT for text; SQLite would make a number of what it casts."""
    if shop.database.is_sqlite:
        return value
    return f"CAST({value} AS {column.type.compile(shop.database.engine.dialect)})"


@contextmanager
def _sqlite(shop: Lived, indexes: tuple[str, ...]) -> Iterator[Execute]:
    with closing(sqlite3.connect(shop.database.engine.url.database, isolation_level=None, timeout=10)) as connection:
        for pragma in ("foreign_keys=OFF", "ignore_check_constraints=ON"):
            connection.execute(f"PRAGMA {pragma}")
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for index in indexes:
            connection.execute(f"DROP INDEX {index}")
        yield connection.execute
        for _, sql in triggers:
            connection.execute(sql)


@contextmanager
def _postgresql(shop: Lived, indexes: tuple[str, ...]) -> Iterator[Execute]:
    url = shop.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as connection:
        checks = connection.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0"
        )
        for table, name in checks.fetchall():
            connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT IF EXISTS "{name}"')
        for index in indexes:
            connection.execute(f"DROP INDEX {index}")
        connection.execute("SET session_replication_role = replica")
        yield connection.execute
