"""One row of any table that no constraint objects to, with references to nothing, and a way to write it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Connection, Table
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

from billing.store.engine import Database, UtcInstant

_KNOWN = re.compile(r"""(?:"?\w+"? IS NULL OR )?"?(\w+)"? IN \((.*)\)$""")


def known_words() -> list[tuple[str, str, str]]:
    """(table, column, word) of every word that a `..._known` CHECK of the models lists."""
    return [
        (table.name, match[1], word)
        for table in SQLModel.metadata.sorted_tables
        for constraint in sorted(table.constraints, key=lambda one: str(one.name))
        if isinstance(constraint, CheckConstraint)
        and str(constraint.name).endswith("_known")
        and (match := _KNOWN.match(str(constraint.sqltext)))
        for word in re.findall(r"'(\w+)'", match[2])
    ]


def sample_row(table_name: str, **changes: Any) -> dict[str, Any]:
    """A value for every column, nullable ones too; `changes` go over them."""
    row = {column.name: _sample(column) for column in SQLModel.metadata.tables[table_name].columns}
    row |= _FITTING.get(table_name, {}) | changes
    if table_name == "operations" and "standing" not in changes:
        row["standing"] = "live" if row["kind"] == "purchase" else None
    if table_name == "operations" and row["kind"] == "revoke":
        row["invoice_id"] = row["subscription_id"] = None
    if table_name == "subscriptions" and row["status"] == "ended":
        row["next_period_at"] = row["due_at"] = None
    return row


@contextmanager
def without_references(database: Database) -> Iterator[Connection]:
    """A connection that checks everything but foreign keys; what it writes is rolled back."""
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.rollback()
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # not inside a transaction
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        yield connection
        connection.rollback()


def table(name: str) -> Table:
    return SQLModel.metadata.tables[name]


_FITTING: dict[str, dict[str, Any]] = {
    "invoices": {
        "captured": 0,
        "credited": 0,
        "credited_open": 0,
        "credited_balance": 0,
        "refunded": 0,
        "balance_used": 0,
        "paid_outside": 0,
        "carried": 0,
        "disputed": 0,
    },
    "invoice_lines": {"credited_amount": 0, "credited_tax": 0, "adjusted_amount": 0, "adjusted_tax": 0},
    "discounts": {"percent": 1, "amount": None},
    "catch_up_approvals": {"valid_until": datetime(2028, 2, 29, tzinfo=UTC)},
    "subscriptions": {"anchor_day": 1},
}


def _sample(column: Column[Any]) -> Any:
    words = [word for name, of, word in known_words() if (name, of) == (column.table.name, column.name)]
    if words:
        return words[0]
    match column.type:
        case sa.Uuid():
            return uuid4()
        case sa.Boolean():
            return False
        case sa.Integer():
            return 1
        case sa.LargeBinary():
            return b"bytes"
        case UtcInstant():
            return datetime(2028, 1, 31, tzinfo=UTC)
        case sa.Date():
            return date(2028, 1, 31)
        case sa.JSON():
            return {}
        case sa.String(length=length) | AutoString(length=length):
            return "text"[:length]
        case _:
            raise NotImplementedError(f"a sample for {column.type!r}")
