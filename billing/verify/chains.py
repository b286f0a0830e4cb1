"""The sealed chains of I7 and I18, hashed again from the rows alone (the form stands in `docs/ledger.md`).

A block's hash is SHA-256 over the hash before it and the text of its members in the order of their ids. The database
writes that text, so that a large ledger only streams by.
"""

# ruff: noqa: S608  (every statement is put together from names of this package alone)

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from billing.verify.reading import Snapshot
from billing.verify.report import Finding, row_of

_FIRST = "0" * 64
_PASSED_BY = timedelta(days=1)
"""What is so much older than the newest block and in none was written behind the sealer's back."""


_LEDGER_TABLES = ("ledger_transactions", "ledger_entries", "ledger_blocks", "ledger_block_members")
_AUDIT_TABLES = ("audit_reveals", "audit_blocks", "audit_block_members")


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain: its tables, and the statement that yields `(seq, text)` of every member, in order."""

    invariant: str
    what: str
    blocks: str
    members: str
    member_id: str
    count: str
    source: str
    texts: str


_TRANSACTION = """
<<t.id|hex>> || '|' || t.kind || '|' || COALESCE(<<t.invoice_id|hex>>, '')
 || '|' || COALESCE(<<t.operation_id|hex>>, '') || '|' || COALESCE(<<t.credit_note_id|hex>>, '')
 || '|' || COALESCE(<<t.payout_id|hex>>, '') || '|' || t.currency
 || '|' || <<t.at|stamp>> || '|' || COALESCE(CAST(t.booked_on AS text), '')
"""
_ENTRY = (
    "CAST(e.position AS text) || '|' || e.account || '|' || e.detail || '|' || CAST(e.amount AS text)"
    " || '|' || e.currency"
)

_LEDGER_ON_SQLITE = f"""
SELECT seq, text FROM (
  SELECT m.seq AS seq, t.id AS id, 0 AS position, {_TRANSACTION} AS text
    FROM ledger_block_members m JOIN ledger_transactions t ON t.id = m.transaction_id
  UNION ALL SELECT m.seq, e.transaction_id, e.position, {_ENTRY}
    FROM ledger_block_members m JOIN ledger_entries e ON e.transaction_id = m.transaction_id)
ORDER BY seq, id, position
"""
_LEDGER_ON_POSTGRESQL = f"""
SELECT m.seq, {_TRANSACTION} || COALESCE(l.text, '') AS text
FROM ledger_block_members m JOIN ledger_transactions t ON t.id = m.transaction_id
LEFT JOIN (SELECT e.transaction_id, string_agg(chr(10) || {_ENTRY}, '' ORDER BY e.position) AS text
  FROM ledger_entries e GROUP BY e.transaction_id) l ON l.transaction_id = t.id
ORDER BY m.seq, t.id
"""
_AUDIT = """
SELECT m.seq, <<r.id|hex>> || '|' || COALESCE(<<r.operation_id|hex>>, '') || '|' || CAST(r.epoch AS text) || '|'
  || <<r.token_id|hex>> || '|' || r.purpose || '|' || r.worker || '|' || <<r.at|stamp>> AS text
FROM audit_block_members m JOIN audit_reveals r ON r.id = m.reveal_id ORDER BY m.seq, r.id
"""


def judged_chains(snapshot: Snapshot) -> Iterator[Finding]:
    """I7 of the ledger, I18 of the audit log where it is sealed: the chain, and what its sealer passed by."""
    texts = _LEDGER_ON_SQLITE if snapshot.is_sqlite else _LEDGER_ON_POSTGRESQL
    ledger = Chain(
        "I7",
        "ledger",
        "ledger_blocks",
        "ledger_block_members",
        "transaction_id",
        "transactions",
        "ledger_transactions",
        texts,
    )
    yield _chain(snapshot, ledger)
    yield _passed_by(snapshot, ledger)
    yield _guards(snapshot, "I7", "ledger", _LEDGER_TABLES)
    if snapshot.has("audit_blocks") and snapshot.has("audit_block_members"):
        audit = Chain(
            "I18", "audit log", "audit_blocks", "audit_block_members", "reveal_id", "reveals", "audit_reveals", _AUDIT
        )
        yield _chain(snapshot, audit)
        yield _passed_by(snapshot, audit)
        yield _guards(snapshot, "I18", "audit log", _AUDIT_TABLES)


def _chain(snapshot: Snapshot, chain: Chain) -> Finding:
    hashed = _hashes(snapshot, chain)
    blocks = snapshot.rows(
        f"SELECT b.seq, b.{chain.count}, b.previous_sha256, b.sha256, COALESCE(m.members, 0) AS members"
        f" FROM {chain.blocks} b LEFT JOIN (SELECT seq, COUNT(*) AS members FROM {chain.members} GROUP BY seq) m"
        " ON m.seq = b.seq ORDER BY b.seq"
    )
    previous, expected, looked_at, broken = _FIRST, 1, 0, []
    for block in list(blocks):
        digest, _ = hashed.get(block.seq, ("", 0))
        said = (block.seq, block.previous_sha256, block[1], block.sha256)
        if said != (expected, previous, block.members, digest):
            broken.append(row_of([("block", block.seq), ("sha256", block.sha256), ("of_its_rows", digest)]))
        previous, expected = block.sha256, block.seq + 1
        looked_at += block.members
    sentence = f"every sealed block of the {chain.what} has the hash of its rows and of the block before it"
    return Finding(chain.invariant, sentence, looked_at, len(broken), broken[:5])


def _guards(snapshot: Snapshot, invariant: str, what: str, tables: Sequence[str]) -> Finding:
    """The database's own refusal of every update and delete: whoever wants to rewrite takes it away first."""
    if snapshot.is_sqlite:
        wanted = [f"{table}_no_{verb}" for table in tables for verb in ("update", "delete")]
        sql = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        wanted = [f"{table}_no_{verb}" for table in tables for verb in ("rewriting", "emptying")]
        sql = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
    there = {str(row[0]) for row in snapshot.rows(sql)}
    missing = [{"trigger": name} for name in wanted if name not in there]
    sentence = f"the database refuses to rewrite the {what}"
    return Finding(invariant, sentence, len(wanted), len(missing), missing[:5])


def _hashes(snapshot: Snapshot, chain: Chain) -> dict[int, tuple[str, int]]:
    """By block, the hash of its members after the hash that it names as the one before."""
    named = {int(row[0]): str(row[1]) for row in snapshot.rows(f"SELECT seq, previous_sha256 FROM {chain.blocks}")}
    found: dict[int, tuple[str, int]] = {}
    for seq, rows in _by_block(snapshot.rows(chain.texts)):
        digest, lines = hashlib.sha256(named.get(seq, "").encode()), 0
        for row in rows:
            digest.update(b"\n")
            digest.update(row[1].encode())
            lines += 1
        found[seq] = (digest.hexdigest(), lines)
    return found


def _by_block(rows: Iterator[Any]) -> Iterator[tuple[int, list[Any]]]:
    block: list[Any] = []
    for row in rows:
        if block and block[0][0] != row[0]:
            yield int(block[0][0]), block
            block = []
        block.append(row)
    if block:
        yield int(block[0][0]), block


def _passed_by(snapshot: Snapshot, chain: Chain) -> Finding:
    ((newest,),) = snapshot.rows(f"SELECT MAX(sealed_at) FROM {chain.blocks}")
    sealed_at = snapshot.instant(newest)
    sentence = f"nothing of the {chain.what} lies in no block a day after it was written, while blocks are sealed"
    if sealed_at is None:
        return Finding(chain.invariant, sentence, 0)
    before = sealed_at - _PASSED_BY
    bound = before.strftime("%Y-%m-%d %H:%M:%S.%f") if snapshot.is_sqlite else before
    found = list(
        snapshot.rows(
            f"SELECT t.id, t.at FROM {chain.source} t WHERE t.at <= :before AND NOT EXISTS"
            f" (SELECT 1 FROM {chain.members} m WHERE m.{chain.member_id} = t.id)",
            before=bound,
        )
    )
    rows = [row_of([("id", row[0]), ("at", row[1])]) for row in found[:5]]
    return Finding(chain.invariant, sentence, snapshot.count(chain.source), len(found), rows)
