"""Two databases of each kind: one made by the migrations, one made straight from the models."""

import pkgutil
import uuid
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlmodel import SQLModel

import billing.store
import migrations
from billing.store.engine import Database, open_database

# Every table that the code has, whether or not anybody remembered it elsewhere.
for module in pkgutil.iter_modules(billing.store.__path__):
    import_module(f"billing.store.{module.name}")


def _sqlite_databases(directory: Path) -> Iterator[Callable[[], Database]]:
    made: list[Database] = []

    def make() -> Database:
        made.append(open_database(f"sqlite:///{directory / f'{len(made)}.sqlite3'}"))
        return made[-1]

    yield make
    for database in made:
        database.close()


def _postgresql_databases(server: URL) -> Iterator[Callable[[], Database]]:
    made: dict[str, Database] = {}
    engine = create_engine(server, isolation_level="AUTOCOMMIT")

    def make() -> Database:
        name = f"test_{uuid.uuid4().hex[:16]}"
        with engine.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE template0'))
        made[name] = open_database(server.set(database=name).render_as_string(hide_password=False))
        return made[name]

    yield make
    for name, database in made.items():
        database.close()
        with engine.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


@pytest.fixture(params=("sqlite", "postgresql"))
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Makes empty databases of one kind; called once for each."""
    if request.param == "sqlite":
        yield from _sqlite_databases(tmp_path)
    else:
        yield from _postgresql_databases(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def migrated(empty_database: Callable[[], Database]) -> Database:
    """Empty, then brought to the newest schema."""
    database = empty_database()
    migrations.upgrade(database.engine)
    return database


@pytest.fixture
def modelled(empty_database: Callable[[], Database]) -> Database:
    """The tables as the models say, without any migration."""
    database = empty_database()
    SQLModel.metadata.create_all(database.engine)
    return database
