"""How a migration runs: on the engine it is handed, with our column types written as plain SQLAlchemy."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from alembic import context
from sqlalchemy import JSON, Connection
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

from billing.store import (
    accounts,
    audit,
    balances,
    catch_up,
    customers,
    invoices,
    ledger,
    operations,
    outbox,
    paces,
    payments,
    periods,
)
from billing.store import payouts as payouts
from billing.store import plans as plans
from billing.store import runs as runs
from billing.store import subscriptions as subscriptions
from billing.store.engine import UtcInstant

MODELS = (
    accounts,
    audit,
    balances,
    catch_up,
    customers,
    invoices,
    ledger,
    operations,
    outbox,
    paces,
    payments,
    payouts,
    periods,
    plans,
    runs,
    subscriptions,
)


def render(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    if kind != "type":
        return False
    if isinstance(item, UtcInstant):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    if isinstance(item, JSON):
        autogen_context.imports.add("from sqlalchemy.dialects import postgresql")
        return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
    return False


@contextmanager
def rebuilding(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by building it anew: meanwhile nobody may mind that its old form is dropped.

    What refers to what is checked before references count again. Elsewhere nothing is different.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
        broken = driver.execute("PRAGMA foreign_key_check").fetchall()
        assert not broken, f"rows of {sorted({row[0] for row in broken})} refer to rows that are not there"
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def run() -> None:
    engine = context.config.attributes["engine"]
    with engine.connect() as connection, rebuilding(connection):
        context.configure(
            connection=connection,
            target_metadata=SQLModel.metadata,
            render_item=render,
            render_as_batch=connection.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
