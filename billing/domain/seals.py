"""What a sealed block of the ledger hashes: its transactions as text, and the hash of the block before it.

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


def block_hash(previous: str, transactions: Iterable[SealedTransaction]) -> str:
    """SHA-256, in hex, over the hash before and the transactions in the order of their ids."""
    digest = hashlib.sha256(previous.encode())
    for transaction in sorted(transactions, key=lambda one: one.id):
        digest.update(canonical(transaction).encode())
    return digest.hexdigest()


def canonical(transaction: SealedTransaction) -> str:
    """One line for the transaction and one for each entry, fields between bars, each line after a line feed."""
    ids = (transaction.invoice_id, transaction.operation_id, transaction.credit_note_id, transaction.payout_id)
    head = [
        transaction.id.hex,
        transaction.kind,
        *("" if id_ is None else id_.hex for id_ in ids),
        transaction.currency,
        transaction.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "" if transaction.booked_on is None else transaction.booked_on.isoformat(),
    ]
    entries = sorted(transaction.entries, key=lambda entry: entry.position)
    lines = [[str(e.position), e.account, e.detail, str(e.amount), e.currency] for e in entries]
    return "".join("\n" + "|".join(line) for line in [head, *lines])
