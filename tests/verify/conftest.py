"""A shop that has lived for some weeks, on each database: lived once, and copied for every test that breaks it."""

import shutil
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from verify.scene import Lived, lived

from billing.adapters.clock import SimulatedClock
from billing.store.engine import Database, open_database


@pytest.fixture(scope="session")
def lived_file(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    path = tmp_path_factory.mktemp("lived") / "lived.sqlite3"
    shutil.copy(migrated_file, path)
    shop = lived(open_database(f"sqlite:///{path}"))
    with shop.database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shop.database.close()
    return path, shop.clock.now()


@pytest.fixture(scope="session")
def lived_template(postgresql_url: URL) -> Iterator[tuple[URL, datetime]]:
    name = f"lived_{uuid.uuid4().hex[:12]}"
    _administer(postgresql_url, f'CREATE DATABASE "{name}" TEMPLATE migrated STRATEGY FILE_COPY')
    url = postgresql_url.set(database=name)
    shop = lived(open_database(url.render_as_string(hide_password=False)))
    shop.database.close()
    yield url, shop.clock.now()
    _administer(postgresql_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lived]:
    """A copy that a test may break."""
    if request.param == "sqlite":
        file, now = request.getfixturevalue("lived_file")
        path = tmp_path / "perennial.sqlite3"
        shutil.copy(file, path)
        database = open_database(f"sqlite:///{path}")
        yield Lived(database, SimulatedClock(now))
        database.close()
        return
    template, now = request.getfixturevalue("lived_template")
    server, name = template.set(database="postgres"), f"broken_{uuid.uuid4().hex[:12]}"
    _administer(server, f'CREATE DATABASE "{name}" TEMPLATE "{template.database}" STRATEGY FILE_COPY')
    database = open_database(template.set(database=name).render_as_string(hide_password=False))
    yield Lived(database, SimulatedClock(now))
    database.close()
    _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def sqlite_shop(lived_file: tuple[Path, datetime], tmp_path: Path) -> Iterator[Lived]:
    """A copy as an SQLite file."""
    path = tmp_path / "perennial.sqlite3"
    shutil.copy(lived_file[0], path)
    database: Database = open_database(f"sqlite:///{path}")
    yield Lived(database, SimulatedClock(lived_file[1]))
    database.close()


def _administer(server: URL, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
