"""The audit log of opened tokens is written once and sealed in a chain of blocks."""

import hashlib
from datetime import timedelta
from uuid import UUID

import pytest
from factories import Shop
from reading import rows
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from billing.domain.seals import FIRST
from billing.store.audit import AuditBlock, AuditBlockMember, Reveal
from billing.store.ledger import AUDIT_LOGS, append_only_ddl
from billing.use_cases.seal_audit import seal_audit


@pytest.fixture
def opened(shop: Shop) -> Shop:
    """Two tokens were opened, more than a minute ago."""
    shop.subscription()
    shop.subscription()
    shop.tick()
    shop.clock.set(shop.clock.now() + timedelta(minutes=2))
    return shop


def blocks(shop: Shop) -> list[AuditBlock]:
    with shop.database.tx() as session:
        return list(session.exec(select(AuditBlock).order_by(col(AuditBlock.seq))).all())


def sealed(shop: Shop) -> set[UUID]:
    with shop.database.tx() as session:
        return set(session.exec(select(AuditBlockMember.reveal_id)).all())


def seal(shop: Shop) -> int:
    return seal_audit(shop.database, shop.clock.now())


def test_each_opened_token_is_in_one_block_and_no_more(opened: Shop) -> None:
    assert (seal(opened), seal(opened)) == (2, 0)
    assert sealed(opened) == {row.id for row in rows(opened, Reveal)}


def test_a_token_opened_just_now_waits_a_minute(opened: Shop) -> None:
    opened.subscription()
    opened.tick()
    assert seal(opened) == 2
    opened.clock.set(opened.clock.now() + timedelta(minutes=2))
    assert seal(opened) == 1


def test_a_block_can_be_hashed_again_from_the_rows_alone(opened: Shop) -> None:
    opened.database.batch_size = 1
    seal(opened)
    reveals = sorted(rows(opened, Reveal), key=lambda row: row.id)
    previous = FIRST
    for block, row in zip(blocks(opened), reveals, strict=True):
        at = row.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        operation = row.operation_id.hex if row.operation_id else ""
        line = f"{row.id.hex}|{operation}|{row.epoch}|{row.token_id.hex}|{row.purpose}|{row.worker}|{at}"
        assert block.previous_sha256 == previous
        assert block.sha256 == hashlib.sha256(f"{previous}\n{line}".encode()).hexdigest()
        previous = block.sha256


@pytest.mark.parametrize("table", [name for name in AUDIT_LOGS if name != "decisions"])
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_the_database_refuses_to_rewrite_the_audit_log(opened: Shop, table: str, verb: str) -> None:
    seal(opened)
    with opened.database.tx() as session:
        for statement in append_only_ddl(opened.database.engine.dialect.name):
            session.execute(text(statement))
    column = {"audit_reveals": "worker", "audit_blocks": "sha256", "audit_block_members": "seq"}[table]
    statement = f"DELETE FROM {table}" if verb == "delete" else f"UPDATE {table} SET {column} = {column}"
    with pytest.raises(IntegrityError, match=f"{table} is written once: no {verb}"), opened.database.tx() as session:
        session.execute(text(statement))
