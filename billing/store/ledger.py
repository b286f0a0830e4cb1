"""The ledger: rows are written once and never changed; every transaction sums to zero per currency.

Blocks seal what was written: each holds the hash of its transactions and of the block before it. The database itself
refuses an update or a delete of any of these rows.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from billing.domain.ledger import Account
from billing.domain.seals import SealedEntry, SealedTransaction
from billing.store.engine import UtcInstant, one_of
from billing.store.payouts import Payout

APPEND_ONLY = ("ledger_transactions", "ledger_entries", "ledger_blocks", "ledger_block_members")

AUDIT_LOGS = ("decisions", "audit_reveals", "audit_blocks", "audit_block_members")
"""Written once like the ledger: what persons decided, which tokens were opened, and the seals over that."""

LATE_MAX = timedelta(minutes=10)
"""No transaction stays open this long (both time-outs of the database are a minute): older ids are all committed."""


class LedgerTransaction(SQLModel, table=True):
    __tablename__ = "ledger_transactions"

    id: UUID = Field(primary_key=True)
    kind: str = Field(max_length=24)
    invoice_id: UUID | None = Field(default=None, foreign_key="invoices.id", index=True)
    """Empty for what concerns many invoices at once: a payout."""
    operation_id: UUID | None = Field(default=None, foreign_key="operations.id", index=True)
    """The settled operation that this books, for captures and refunds."""
    credit_note_id: UUID | None = Field(default=None, foreign_key="credit_notes.id")
    payout_id: UUID | None = Field(default=None, foreign_key=f"{Payout.__tablename__}.id")
    currency: str = Field(max_length=3)
    at: datetime = Field(sa_type=UtcInstant)
    booked_on: date | None = None
    """The day it counts for where that is not the seller's day at `at`: a month's revenue is booked just after it."""


class LedgerEntry(SQLModel, table=True):
    __tablename__ = "ledger_entries"
    __table_args__ = (
        UniqueConstraint("transaction_id", "position"),
        one_of("account", Account),
        CheckConstraint("amount <> 0", name="amount_moves_something"),
    )

    id: UUID = Field(primary_key=True)
    transaction_id: UUID = Field(foreign_key="ledger_transactions.id")
    position: int
    account: str = Field(max_length=32)
    detail: str = Field(default="", max_length=64)
    amount: int = Field(sa_type=BigInteger)
    """Minor units; debits are positive."""
    currency: str = Field(max_length=3)


class LedgerBlock(SQLModel, table=True):
    __tablename__ = "ledger_blocks"
    __table_args__ = (
        CheckConstraint("seq >= 1 AND transactions >= 1", name="counts_from_one"),
        CheckConstraint("(seq = 1) = (previous_sha256 = '" + "0" * 64 + "')", name="only_the_first_has_none_before"),
    )

    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    transactions: int
    previous_sha256: str = Field(max_length=64, unique=True)
    """Unique: no block has two that follow it."""
    sha256: str = Field(max_length=64)
    last_id: UUID
    sealed_at: datetime = Field(sa_type=UtcInstant)


class LedgerBlockMember(SQLModel, table=True):
    __tablename__ = "ledger_block_members"
    __table_args__ = (Index("ix_ledger_block_members_block", "seq"),)

    transaction_id: UUID = Field(primary_key=True, foreign_key="ledger_transactions.id")
    seq: int = Field(foreign_key="ledger_blocks.seq")


def append_only_ddl(dialect: str) -> list[str]:
    """The statements that make the database refuse every update and delete of the ledger; running them twice is fine.

    `dialect` is "sqlite" or "postgresql".
    """
    return _sqlite_ddl() if dialect == "sqlite" else _postgresql_ddl()


def entries_of(session: Session, invoice_id: UUID, *kinds: str) -> list[LedgerEntry]:
    """The entries of an invoice's transactions of these kinds, in their order."""
    query = (
        select(LedgerEntry)
        .join(LedgerTransaction, col(LedgerTransaction.id) == col(LedgerEntry.transaction_id))
        .where(LedgerTransaction.invoice_id == invoice_id, col(LedgerTransaction.kind).in_(kinds))
        .order_by(col(LedgerEntry.id))
    )
    return list(session.exec(query).all())


def last_block(session: Session) -> LedgerBlock | None:
    return session.exec(select(LedgerBlock).order_by(col(LedgerBlock.seq).desc()).limit(1)).first()


def blocks_after(session: Session, seq: int, limit: int) -> Sequence[LedgerBlock]:
    query = select(LedgerBlock).where(LedgerBlock.seq > seq).order_by(col(LedgerBlock.seq)).limit(limit)
    return session.exec(query).all()


def unsealed(session: Session, before: datetime, limit: int, *, everything: bool = False) -> Sequence[UUID]:
    """Transactions written before `before` that no block holds, in the order of ids.

    A transaction may commit after younger ones: the search goes back behind the last block for as long as that can
    happen, or through `everything`.
    """
    is_sealed = select(LedgerBlockMember.transaction_id).where(LedgerBlockMember.transaction_id == LedgerTransaction.id)
    query = select(LedgerTransaction.id).where(col(LedgerTransaction.at) <= before, ~is_sealed.exists())
    last = None if everything else last_block(session)
    if last is not None:
        query = query.where(col(LedgerTransaction.id) > _earlier(last.last_id))
    return session.exec(query.order_by(col(LedgerTransaction.id)).limit(limit)).all()


def members_of(session: Session, seq: int) -> Sequence[UUID]:
    return session.exec(select(LedgerBlockMember.transaction_id).where(LedgerBlockMember.seq == seq)).all()


def sealed_form(session: Session, ids: Sequence[UUID]) -> list[SealedTransaction]:
    """These transactions with their entries, as they are sealed."""
    entries: dict[UUID, list[SealedEntry]] = {}
    for row in session.exec(select(LedgerEntry).where(col(LedgerEntry.transaction_id).in_(ids))):
        entry = SealedEntry(row.position, row.account, row.detail, row.amount, row.currency)
        entries.setdefault(row.transaction_id, []).append(entry)
    return [
        SealedTransaction(
            row.id,
            row.kind,
            row.invoice_id,
            row.operation_id,
            row.credit_note_id,
            row.payout_id,
            row.currency,
            row.at,
            row.booked_on,
            entries.get(row.id, ()),
        )
        for row in session.exec(select(LedgerTransaction).where(col(LedgerTransaction.id).in_(ids)))
    ]


def _earlier(id_: UUID) -> UUID:
    """The lowest id that could have been made `LATE_MAX` before this one: a UUIDv7 begins with its milliseconds."""
    milliseconds = max((id_.int >> 80) - LATE_MAX // timedelta(milliseconds=1), 0)
    return UUID(int=milliseconds << 80)


def _sqlite_ddl() -> list[str]:
    return [
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb.upper()} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, '{table} is written once: no {verb}'); END"
        for table in (*APPEND_ONLY, *AUDIT_LOGS)
        for verb in ("update", "delete")
    ]


def _postgresql_ddl() -> list[str]:
    function = (
        "CREATE OR REPLACE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION USING ERRCODE = '23001', MESSAGE = TG_TABLE_NAME || ' is written once: no ' || lower(TG_OP);"
        " END $$"
    )
    rows = [
        f"CREATE OR REPLACE TRIGGER {table}_no_rewriting BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()"
        for table in (*APPEND_ONLY, *AUDIT_LOGS)
    ]
    whole = [
        f"CREATE OR REPLACE TRIGGER {table}_no_emptying BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        for table in (*APPEND_ONLY, *AUDIT_LOGS)
    ]
    return [function, *rows, *whole]
