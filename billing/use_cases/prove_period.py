"""Prove a period: everything that shows what was charged for it, and once: its invoices, every call with how its key is
made, what the provider answered, what was booked and which seals cover that. Only reads.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from billing.domain.errors import NotFound
from billing.domain.operations import OperationKind, Standing, merchant_reference, operation_key
from billing.store.accounts import installation
from billing.store.audit import AuditBlock, AuditBlockMember, Reveal
from billing.store.decisions import Decision
from billing.store.engine import Database
from billing.store.invoices import Invoice, InvoiceLine, lines_of
from billing.store.ledger import LedgerBlock, LedgerBlockMember, LedgerEntry, LedgerTransaction
from billing.store.operations import Observation, Operation, of_invoices
from billing.store.periods import PeriodRow


@dataclass(frozen=True, slots=True)
class KeyProof:
    """How an operation's key and reference are made: UUIDv5 of the installation's `namespace` and of `parts` joined by
    a bar; and of its SHA-256 the first 20 hex digits after `op-` (charging rules, section 2).

    `key` and `reference` are made anew here; whether the operation carries them is told where it was sent.
    """

    namespace: UUID
    parts: Sequence[str]
    key: UUID
    reference: str
    is_its_own: bool | None


@dataclass(frozen=True, slots=True)
class OperationProof:
    """One call: its row, how its key is made, whether the frozen bytes have their digest, who answered and decided
    what, and the openings of its token with the block that seals each.
    """

    operation: Operation
    key: KeyProof
    digest_is_right: bool | None
    observations: Sequence[Observation]
    decisions: Sequence[Decision]
    reveals: Sequence[tuple[Reveal, AuditBlock | None]]


@dataclass(frozen=True, slots=True)
class BookedProof:
    """One ledger transaction with its entries, and the block that seals it; None while it is younger than the seals."""

    transaction: LedgerTransaction
    entries: Sequence[LedgerEntry]
    block: LedgerBlock | None


@dataclass(frozen=True, slots=True)
class InvoiceProof:
    """An invoice of the period; `live_purchases` is never above 1."""

    invoice: Invoice
    lines: Sequence[InvoiceLine]
    operations: Sequence[OperationProof]
    booked: Sequence[BookedProof]
    live_purchases: int

    @property
    def statement(self) -> str:
        """What the operations say about how often it can have been charged."""
        purchases = [proof.operation for proof in self.operations if proof.operation.kind == OperationKind.PURCHASE]
        if not purchases:
            return "Nothing was ever purchased for this invoice."
        dead = len(purchases) - self.live_purchases
        said = {0: "none can take money any more", 1: "exactly 1 can take money"}
        live = said.get(self.live_purchases, f"{self.live_purchases} CAN TAKE MONEY, WHICH BREAKS THE RULE")
        return f"Of {len(purchases)} purchase(s) of this invoice {live}; {dead} dead, each with its proof."


@dataclass(frozen=True, slots=True)
class PeriodProof:
    """A period and every invoice of it, oldest first."""

    period: PeriodRow
    invoices: Sequence[InvoiceProof]


def prove_period(database: Database, period_id: UUID) -> PeriodProof:
    """Raises `NotFound`."""
    with database.tx() as session:
        period = session.get(PeriodRow, period_id)
        if period is None:
            raise NotFound("there is no such period")
        row = installation(session)
        assert row is not None, "a database with periods is installed"
        query = select(Invoice).where(Invoice.period_id == period_id)
        invoices = session.exec(query.order_by(col(Invoice.opened_at), col(Invoice.id))).all()
        return PeriodProof(period, [_invoice(session, invoice, row.namespace) for invoice in invoices])


def _invoice(session: Session, invoice: Invoice, namespace: UUID) -> InvoiceProof:
    operations = of_invoices(session, [invoice.id])
    live = sum(op.kind == OperationKind.PURCHASE and op.standing == Standing.LIVE for op in operations)
    return InvoiceProof(
        invoice,
        lines_of(session, [invoice.id]).get(invoice.id, []),
        _operations(session, operations, namespace),
        _booked(session, invoice.id),
        live,
    )


def _operations(session: Session, operations: Sequence[Operation], namespace: UUID) -> list[OperationProof]:
    ids = [op.id for op in operations]
    answered = session.exec(
        select(Observation).where(col(Observation.operation_id).in_(ids)).order_by(col(Observation.id))
    ).all()
    decided = session.exec(select(Decision).where(col(Decision.operation_id).in_(ids)).order_by(col(Decision.id))).all()
    reveals = _reveals(session, ids)
    return [
        OperationProof(
            op,
            key_proof(op, namespace),
            None if op.request is None else hashlib.sha256(op.request).hexdigest() == op.request_sha256,
            [row for row in answered if row.operation_id == op.id],
            [row for row in decided if row.operation_id == op.id],
            [found for found in reveals if found[0].operation_id == op.id],
        )
        for op in operations
    ]


def key_proof(operation: Operation, namespace: UUID) -> KeyProof:
    """How the key of an operation is made, and whether it is the one that it carries (None before it was sent)."""
    kind = OperationKind(operation.kind)
    token_id = operation.token_id if kind is OperationKind.PURCHASE else None
    parts = [kind.value, operation.subject.hex, str(operation.n), str(operation.amount), operation.currency]
    if token_id is not None:
        parts.append(token_id.hex)
    key = operation_key(namespace, kind, operation.subject, operation.n, operation.amount, operation.currency, token_id)
    return KeyProof(
        namespace, parts, key, merchant_reference(key), None if operation.key is None else operation.key == key
    )


def _reveals(session: Session, operation_ids: Sequence[UUID]) -> list[tuple[Reveal, AuditBlock | None]]:
    query = (
        select(Reveal, AuditBlock)
        .outerjoin(AuditBlockMember, col(AuditBlockMember.reveal_id) == col(Reveal.id))
        .outerjoin(AuditBlock, col(AuditBlock.seq) == col(AuditBlockMember.seq))
        .where(col(Reveal.operation_id).in_(operation_ids))
        .order_by(col(Reveal.id))
    )
    return [(found[0], found[1]) for found in session.exec(query)]


def _booked(session: Session, invoice_id: UUID) -> list[BookedProof]:
    query = (
        select(LedgerTransaction, LedgerBlock)
        .outerjoin(LedgerBlockMember, col(LedgerBlockMember.transaction_id) == col(LedgerTransaction.id))
        .outerjoin(LedgerBlock, col(LedgerBlock.seq) == col(LedgerBlockMember.seq))
        .where(LedgerTransaction.invoice_id == invoice_id)
        .order_by(col(LedgerTransaction.id))
    )
    found = session.exec(query).all()
    entries: dict[UUID, list[LedgerEntry]] = {}
    of_these = select(LedgerEntry).where(col(LedgerEntry.transaction_id).in_([row[0].id for row in found]))
    for entry in session.exec(of_these.order_by(col(LedgerEntry.position))):
        entries.setdefault(entry.transaction_id, []).append(entry)
    return [BookedProof(row[0], entries.get(row[0].id, []), row[1]) for row in found]
