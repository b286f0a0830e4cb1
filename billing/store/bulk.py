"""Set-based writes: a batch of rows is one statement, never one flush per object."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlmodel import Session, SQLModel


def insert_rows(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows` (column name -> value, every row with the same columns) in one statement."""
    if rows:
        session.execute(insert(table_of(model)), list(rows))


def update_rows(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Update by `id`: each row holds `id` and the same columns to set."""
    if not rows:
        return
    table = table_of(model)
    columns: dict[str, Any] = {name: bindparam(name) for name in rows[0] if name != "id"}
    statement = update(table).where(table.c.id == bindparam("row_id")).values(**columns)
    session.execute(statement, [{**{k: v for k, v in row.items() if k != "id"}, "row_id": row["id"]} for row in rows])


def table_of(model: type[SQLModel]) -> Any:
    """The Core table behind a row class."""
    return model.__table__  # type: ignore[attr-defined]  # set by SQLModel on every table=True class
