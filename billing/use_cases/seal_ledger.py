"""Seal: what the ledger holds is hashed block by block, each with the hash of the one before; and the check of it.

Writers never wait for it: a block takes what was committed a minute ago. Whoever changes a sealed row afterwards, or
takes one away, breaks the chain from there on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from billing.domain.seals import FIRST, block_hash
from billing.store.bulk import insert_rows
from billing.store.engine import Database
from billing.store.ledger import (
    LedgerBlock,
    LedgerBlockMember,
    blocks_after,
    last_block,
    members_of,
    sealed_form,
    unsealed,
)
from billing.use_cases.answer_once import is_doubled

SEAL_AFTER = timedelta(minutes=1)
STRAGGLERS_AFTER = timedelta(days=1)
"""What is older than this and in no block was written behind the sealer's back."""


@dataclass(frozen=True, slots=True)
class Seals:
    """What a check of the chain found: how much is sealed, which blocks are broken (`seq`), what is in no block."""

    blocks: int
    transactions: int
    broken: Sequence[int]
    stragglers: int
    head: str

    @property
    def is_intact(self) -> bool:
        return not self.broken and not self.stragglers


def seal_ledger(database: Database, now: datetime, *, everything: bool = False) -> int:
    """Seal every transaction older than a minute that is in no block; returns how many.

    `everything` looks through the whole ledger instead of its end. Where another process seals at the same moment,
    one of the two does it.
    """
    sealed = 0
    while True:
        try:
            with database.tx() as session:
                found = unsealed(session, now - SEAL_AFTER, database.batch_size, everything=everything)
                if not found:
                    return sealed
                _seal(session, now, found)
        except IntegrityError as error:
            if not is_doubled(error):
                raise
            return sealed
        sealed += len(found)


def check_seals(database: Database, now: datetime) -> Seals:
    """Compute every block's hash again from the rows; nothing is changed."""
    broken, transactions, previous, seq = [], 0, FIRST, 0
    while True:
        with database.tx() as session:
            blocks = blocks_after(session, seq, 20)
            for block in blocks:
                if not _is_whole(session, block, previous, seq + 1):
                    broken.append(block.seq)
                previous, seq = block.sha256, block.seq
                transactions += block.transactions
            if not blocks:
                late = unsealed(session, now - STRAGGLERS_AFTER, database.batch_size, everything=True)
                return Seals(seq, transactions, broken, len(late), previous)


def _seal(session: Session, now: datetime, found: Sequence[UUID]) -> None:
    before = last_block(session)
    previous = before.sha256 if before is not None else FIRST
    seq = before.seq + 1 if before is not None else 1
    block = LedgerBlock(
        seq=seq,
        transactions=len(found),
        previous_sha256=previous,
        sha256=block_hash(previous, sealed_form(session, found)),
        # Never lower than before: the search for what is not sealed yet starts from here.
        last_id=max(found[-1], before.last_id) if before is not None else found[-1],
        sealed_at=now,
    )
    session.add(block)
    session.flush()
    insert_rows(session, LedgerBlockMember, [{"transaction_id": id_, "seq": seq} for id_ in found])


def _is_whole(session: Session, block: LedgerBlock, previous: str, seq: int) -> bool:
    rows = sealed_form(session, members_of(session, block.seq))
    found = (block.seq, block.previous_sha256, block.transactions, block.sha256)
    return found == (seq, previous, len(rows), block_hash(previous, rows))
