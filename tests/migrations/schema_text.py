"""A schema as texts that can be compared: what the database itself says, without order and white space."""

import re

from sqlalchemy import text

from billing.store.engine import Database

_CHECKS = re.compile(r"CONSTRAINT (\w+) CHECK \((.*)\)$")

_COLUMNS = """
    SELECT table_name, column_name || ' ' || data_type || coalesce('(' || character_maximum_length || ')', '')
           || ' nullable ' || is_nullable || coalesce(' default ' || column_default, '')
    FROM information_schema.columns WHERE table_schema = 'public'"""
_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace"""
_INDEXES = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'"


def tables(database: Database) -> dict[str, set[str]]:
    """Each table's columns and constraints; our own tables only."""
    if not database.is_sqlite:
        return _grouped([*_rows(database, _COLUMNS), *_rows(database, _CONSTRAINTS)])
    found = _rows(database, "SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    # The compiler writes each column and each constraint on a line of its own.
    return _grouped([(name, _plain(line)) for name, sql in found for line in sql.splitlines()[1:-1]])


def indexes(database: Database) -> dict[str, set[str]]:
    """Each table's indexes, the condition of a partial one included."""
    if not database.is_sqlite:
        return _grouped(_rows(database, _INDEXES))
    found = _rows(database, "SELECT tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    return _grouped([(name, _plain(sql)) for name, sql in found])


def checks(database: Database) -> dict[str, dict[str, str]]:
    """Each table's CHECKs: name to condition."""
    found: dict[str, dict[str, str]] = {}
    for table, lines in tables(database).items():
        matches = [_CHECKS.match(_constraint_first(line)) for line in lines]
        found[table] = {match[1]: match[2] for match in matches if match}
    return found


def _constraint_first(line: str) -> str:
    """PostgreSQL says `name CHECK (...)`, SQLite `CONSTRAINT name CHECK (...)`."""
    return line if line.startswith("CONSTRAINT ") else f"CONSTRAINT {line}"


def _rows(database: Database, sql: str) -> list[tuple[str, str]]:
    with database.engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(text(sql))]


def _grouped(rows: list[tuple[str, str]]) -> dict[str, set[str]]:
    grouped: dict[str, set[str]] = {}
    for name, line in rows:
        if name != "alembic_version":
            grouped.setdefault(name, set()).add(line)
    return grouped


def _plain(sql: str) -> str:
    return " ".join(sql.split()).removesuffix(",").strip()
