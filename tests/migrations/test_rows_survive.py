"""Rows that an earlier version wrote are there after the upgrade, and mean what they meant."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import command
from sqlalchemy import Connection, MetaData

import migrations
from billing.store.engine import Database

SOON = datetime(2028, 2, 29, tzinfo=UTC)


def a_value(column: sa.Column[Any]) -> Any:
    """Something that fits a column of the first schema."""
    match column.type:
        case sa.Uuid():
            return uuid4()
        case sa.Boolean():
            return False
        case sa.Integer():
            return 1
        case sa.DateTime():
            return SOON
        case sa.Date():
            return date(2028, 1, 31)
        case sa.LargeBinary():
            return b"sealed"
        case _ if column.name.endswith("id") and column.type.length == 32:
            return uuid4().hex
        case _:
            return "xy"


def write(connection: Connection, tables: MetaData, table_name: str, **values: Any) -> dict[str, Any]:
    table = tables.tables[table_name]
    row = {c.name: a_value(c) for c in table.columns if not c.nullable} | values
    connection.execute(table.insert(), row)
    return row


def at_first_schema(database: Database) -> MetaData:
    command.upgrade(migrations._config(database.engine), "0001")
    tables = MetaData()
    tables.reflect(database.engine)
    return tables


def a_subscription(connection: Connection, tables: MetaData, **values: Any) -> Any:
    words = {"number_on": "capture", "emailing": "none", "exhausted": "cancel"}
    customer = write(connection, tables, "customers", reference=uuid4().hex)["id"]
    plan = write(connection, tables, "plans", reference=uuid4().hex, **words)["id"]
    price = write(connection, tables, "prices", plan_id=plan, interval="month")["id"]
    if not connection.execute(sa.text("SELECT count(*) FROM provider_accounts")).scalar():
        write(connection, tables, "provider_accounts", name="main", generation="rest")
    token = write(
        connection, tables, "tokens", customer_id=customer, provider_account="main", status="active", index_version=1
    )["id"]
    own = {"customer_id": customer, "plan_id": plan, "price_id": price, "token_id": token, "provider_account": "main"}
    return write(connection, tables, "subscriptions", interval="month", anchor_day=31, **own, **values)["id"]


def test_a_running_subscription_is_due_when_its_period_or_its_end_comes(
    empty_database: Callable[[], Database],
) -> None:
    database = empty_database()
    tables = at_first_schema(database)
    end = datetime(2028, 2, 10, tzinfo=UTC)
    with database.engine.begin() as connection:
        a_subscription(connection, tables, status="active", next_period_at=SOON)
        a_subscription(connection, tables, status="past_due", next_period_at=SOON, cancel_at=end)
        a_subscription(connection, tables, status="ended")
    migrations.upgrade(database.engine)
    with database.tx() as session:
        found = {
            row.status: (row.due_at and str(row.due_at)[:10], row.access)
            for row in session.execute(sa.text("SELECT status, due_at, access FROM subscriptions"))
        }
    assert found == {"active": ("2028-02-29", "full"), "past_due": ("2028-02-10", "full"), "ended": (None, "none")}
