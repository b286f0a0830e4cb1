"""What a sealed block hashes: its transactions of the ledger, or its rows of the audit log, as text, and the hash of
the block before it.

The text is documented in `docs/ledger.md`, so that anyone can compute it again from the rows alone.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

FIRST = "0" * 64
"""What the first block has for the hash of a block before it."""


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """One entry, in minor units, debit positive."""

    position: int
    account: str
    detail: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class SealedTransaction:
    """One transaction of the ledger with everything in it that must never change."""

    id: UUID
    kind: str
    invoice_id: UUID | None
    operation_id: UUID | None
    credit_note_id: UUID | None
    payout_id: UUID | None
    currency: str
    at: datetime
    booked_on: date | None
    entries: Sequence[SealedEntry]


@dataclass(frozen=True, slots=True)
class SealedReveal:
    """One row of the audit log: which token was opened, for which claim of which operation, by whom, and when."""

    id: UUID
    operation_id: UUID | None
    epoch: int
    token_id: UUID
    purpose: str
    worker: str
    at: datetime


def block_hash(previous: str, transactions: Iterable[SealedTransaction]) -> str:
    """SHA-256, in hex, over the hash before and the transactions in the order of their ids."""
    digest = hashlib.sha256(previous.encode())
    for transaction in sorted(transactions, key=lambda one: one.id):
        digest.update(canonical(transaction).encode())
    return digest.hexdigest()


def audit_block_hash(previous: str, reveals: Iterable[SealedReveal]) -> str:
    """SHA-256, in hex, over the hash before and the reveals in the order of their ids, each after a line feed."""
    digest = hashlib.sha256(previous.encode())
    for reveal in sorted(reveals, key=lambda one: one.id):
        digest.update(("\n" + _line(reveal)).encode())
    return digest.hexdigest()


def canonical(transaction: SealedTransaction) -> str:
    """One line for the transaction and one for each entry, fields between bars, each line after a line feed."""
    ids = (transaction.invoice_id, transaction.operation_id, transaction.credit_note_id, transaction.payout_id)
    head = [
        transaction.id.hex,
        transaction.kind,
        *("" if id_ is None else id_.hex for id_ in ids),
        transaction.currency,
        _instant(transaction.at),
        "" if transaction.booked_on is None else transaction.booked_on.isoformat(),
    ]
    entries = sorted(transaction.entries, key=lambda entry: entry.position)
    lines = [[str(e.position), e.account, e.detail, str(e.amount), e.currency] for e in entries]
    return "".join("\n" + "|".join(line) for line in [head, *lines])


def _line(reveal: SealedReveal) -> str:
    fields = (
        reveal.id.hex,
        "" if reveal.operation_id is None else reveal.operation_id.hex,
        str(reveal.epoch),
        reveal.token_id.hex,
        reveal.purpose,
        reveal.worker,
        _instant(reveal.at),
    )
    return "|".join(fields)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
