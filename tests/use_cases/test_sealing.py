"""The ledger is written once and sealed: the database refuses a rewrite, and the chain of blocks shows one."""

import threading
from datetime import timedelta

import pytest
from factories import Shop
from reading import rows
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from billing.domain.ledger import Posting
from billing.domain.seals import FIRST
from billing.store.batch import Batch
from billing.store.ledger import (
    APPEND_ONLY,
    LedgerBlock,
    LedgerBlockMember,
    LedgerTransaction,
    append_only_ddl,
)
from billing.use_cases.seal_ledger import Seals, check_seals, seal_ledger


@pytest.fixture
def books(shop: Shop) -> Shop:
    """Three transactions, older than a minute, in a ledger whose database refuses rewriting."""
    guard(shop)
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    post(shop)
    shop.clock.set(shop.clock.now() + timedelta(minutes=2))
    return shop


def guard(shop: Shop) -> None:
    with shop.database.tx() as session:
        for statement in append_only_ddl(shop.database.engine.dialect.name):
            session.execute(text(statement))


def unguarded(shop: Shop, statement: str) -> None:
    """What somebody does who has the rights of the database's owner."""
    if shop.database.is_sqlite:
        with shop.database.tx() as session:
            for name in session.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
                session.execute(text(f"DROP TRIGGER {name}"))
            session.execute(text(statement))
        return
    with shop.database.tx() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(statement))


def post(shop: Shop) -> None:
    with shop.database.tx() as session:
        batch = Batch(shop.ids, shop.clock.now())
        batch.post("payout", None, [Posting("bank", 1), Posting("provider_clearing", -1)], currency="SEK")
        batch.write(session)


def seal(shop: Shop, **how: bool) -> int:
    return seal_ledger(shop.database, shop.clock.now(), **how)


def check(shop: Shop) -> Seals:
    return check_seals(shop.database, shop.clock.now())


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_the_database_refuses_to_rewrite_the_ledger(books: Shop, table: str, verb: str) -> None:
    seal(books)
    column = {"ledger_blocks": "sha256", "ledger_block_members": "seq"}.get(table, "currency")
    statement = f"DELETE FROM {table}" if verb == "delete" else f"UPDATE {table} SET {column} = {column}"
    with pytest.raises(IntegrityError, match=f"{table} is written once: no {verb}"), books.database.tx() as session:
        session.execute(text(statement))
    assert rows_of(books, table)


def rows_of(shop: Shop, table: str) -> int:
    with shop.database.tx() as session:
        return session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def test_the_guards_can_be_set_up_twice(books: Shop) -> None:
    guard(books)


def test_everything_older_than_a_minute_is_sealed_once(books: Shop) -> None:
    total = len(rows(books, LedgerTransaction))
    post(books)
    assert (seal(books), seal(books)) == (total, 0)
    books.clock.set(books.clock.now() + timedelta(minutes=1))
    assert seal(books) == 1
    found = check(books)
    assert (found.is_intact, found.blocks, found.transactions) == (True, 2, total + 1)


def test_blocks_hold_the_hash_of_the_one_before(books: Shop) -> None:
    books.database.batch_size = 1
    seal(books)
    with books.database.tx() as session:
        blocks = session.exec(select(LedgerBlock).order_by(col(LedgerBlock.seq))).all()
    assert len(blocks) > 2
    assert [block.previous_sha256 for block in blocks] == [FIRST, *(block.sha256 for block in blocks[:-1])]
    assert check(books).head == blocks[-1].sha256


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_entries SET amount = amount + 1 WHERE account = 'bank'",
        "UPDATE ledger_entries SET account = 'bank' WHERE account = 'revenue'",
        "UPDATE ledger_transactions SET booked_on = '2028-01-01' WHERE kind = 'payout'",
        "DELETE FROM ledger_entries WHERE account = 'bank'",
        "DELETE FROM ledger_block_members WHERE seq = 1",
        "UPDATE ledger_blocks SET transactions = transactions + 1",
        "UPDATE ledger_blocks SET sha256 = previous_sha256",
    ],
)
def test_a_row_that_was_changed_breaks_its_block(books: Shop, change: str) -> None:
    seal(books)
    assert check(books).is_intact
    unguarded(books, change)
    assert check(books).broken == [1]


def test_a_block_that_was_made_again_breaks_the_one_after_it(books: Shop) -> None:
    books.database.batch_size = 1
    seal(books)
    unguarded(books, f"UPDATE ledger_blocks SET sha256 = '{'a' * 64}' WHERE seq = 1")
    assert check(books).broken == [1, 2]


def test_a_transaction_that_commits_after_younger_ones_is_sealed_too(books: Shop) -> None:
    early = Batch(books.ids, books.clock.now() - timedelta(minutes=2))
    early.post("payout", None, [Posting("bank", 5), Posting("provider_clearing", -5)], currency="SEK")
    post(books)
    books.clock.set(books.clock.now() + timedelta(minutes=2))
    seal(books)
    with books.database.tx() as session:
        early.write(session)
    assert seal(books) == 1
    assert check(books).is_intact


def test_what_was_slipped_in_behind_the_sealer_is_reported(books: Shop) -> None:
    seal(books)
    id_ = f"{1:032x}"
    with books.database.tx() as session:
        session.execute(
            text(
                "INSERT INTO ledger_transactions (id, kind, currency, at)"
                f" VALUES ('{id_}', 'payout', 'SEK', '2028-01-01 00:00:00+00')".replace(
                    "+00'", "'" if books.database.is_sqlite else "+00'"
                )
            )
        )
    assert seal(books) == 0
    books.clock.set(books.clock.now() + timedelta(days=1))
    assert (check(books).stragglers, check(books).is_intact) == (1, False)
    assert seal(books, everything=True) == 1
    assert check(books).is_intact


def test_two_sealers_at_once_seal_everything_once(books: Shop) -> None:
    books.database.batch_size = 1
    sealers = [threading.Thread(target=seal, args=(books,)) for _ in range(4)]
    for sealer in sealers:
        sealer.start()
    for sealer in sealers:
        sealer.join()
    seal(books)
    assert len(rows_by_transaction(books)) == len(rows(books, LedgerTransaction))
    assert check(books).is_intact


def rows_by_transaction(shop: Shop) -> set[object]:
    with shop.database.tx() as session:
        return set(session.exec(select(LedgerBlockMember.transaction_id)).all())
