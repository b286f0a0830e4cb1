"""Transactions: one writer at a time on SQLite, first come first served; a nested one is an error at once."""

import threading
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from billing.domain.errors import NotReady
from billing.store.engine import Database, FairLock, open_database
from billing.store.runs import Run


def test_a_failed_block_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.tx() as session:
        session.execute(text("INSERT INTO series (id, zone, next) VALUES ('x', 'UTC', 1)"))
        raise ZeroDivisionError
    with database.tx() as session:
        assert session.execute(text("SELECT count(*) FROM series")).scalar() == 0


def test_six_threads_of_a_hundred_increments_lose_none(database: Database) -> None:
    with database.tx() as session:
        session.execute(text("INSERT INTO series (id, zone, next) VALUES ('x', 'UTC', 0)"))

    query = f"SELECT next FROM series WHERE id = 'x' {'' if database.is_sqlite else 'FOR UPDATE'}"

    def increment() -> None:
        for _ in range(100):
            with database.tx() as session:
                seen = session.execute(text(query)).scalar()
                session.execute(text("UPDATE series SET next = :n WHERE id = 'x'"), {"n": seen + 1})

    threads = [threading.Thread(target=increment) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.tx() as session:
        assert session.execute(text("SELECT next FROM series WHERE id = 'x'")).scalar() == 600


def test_a_transaction_inside_a_transaction_is_refused_on_sqlite(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'a.sqlite3'}")
    with pytest.raises(AssertionError, match="inside a transaction"), database.tx(), database.tx():
        pass
    with database.tx() as session:
        assert session.execute(text("SELECT 1")).scalar() == 1
    database.close()


def test_the_lock_is_given_in_the_order_in_which_it_was_asked_for() -> None:
    lock, order, asked = FairLock(), [], []
    lock.acquire()

    def take(name: int) -> None:
        asked.append(name)
        lock.acquire()
        order.append(name)
        lock.release()

    threads = [threading.Thread(target=take, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
        while len(lock._waiting) < len(asked) or thread.ident is None:
            pass
    lock.release()
    for thread in threads:
        thread.join()
    assert order == asked == list(range(8))


def test_a_naive_instant_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="aware"), database.tx() as session:
        session.add(Run(id=UUID(int=1), started_at=datetime(2028, 1, 1)))  # noqa: DTZ001  (that is what is refused)
        session.flush()


@pytest.mark.parametrize("url", ["mysql://x/y", "not a url"])
def test_an_unknown_database_is_named(url: str) -> None:
    with pytest.raises(NotReady, match="sqlite"):
        open_database(url)


def test_sqlite_syncs_every_commit_and_checks_foreign_keys(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'a.sqlite3'}")
    with database.tx() as session:
        found = [session.execute(text(f"PRAGMA {name}")).scalar() for name in ("synchronous", "foreign_keys")]
        assert (found, session.execute(text("PRAGMA journal_mode")).scalar()) == ([2, 1], "wal")
    database.close()
