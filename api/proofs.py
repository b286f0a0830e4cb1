"""The proof of one period: what was charged for it, how often it can have been, and how anybody can check that."""

from datetime import date, datetime
from typing import Annotated

from litestar import Controller, get
from litestar.params import FromPath
from pydantic import Field

from api.answers import MoneyOut, Out, document_number, shown_or_none
from api.bodies import in_path
from api.errors import problems
from api.operations import DecisionOut, ObservationOut, decision_out, observations_out
from api.queries import Reading
from billing.domain.ids import Prefix, shown
from billing.domain.operations import Authorization, OperationKind, OperationStatus, Standing
from billing.store.periods import PeriodKind
from billing.use_cases.prove_period import (
    BookedProof,
    InvoiceProof,
    KeyProof,
    OperationProof,
    PeriodProof,
    prove_period,
)


class SealOut(Out):
    """The block of a chain that covers it; each block holds the hash of the one before."""

    seq: int
    sha256: str
    previous_sha256: str
    sealed_at: datetime


class EntryOut(Out):
    """One side of a booking: debits are positive."""

    account: str
    detail: str
    amount: MoneyOut


class BookingOut(Out):
    """One ledger transaction. It sums to zero; `seal` is empty while it is younger than the last block."""

    id: str
    kind: str
    operation_id: str | None
    at: datetime
    booked_on: date | None
    entries: list[EntryOut]
    seal: SealOut | None


class KeyOut(Out):
    """How the idempotency key is made: UUIDv5 of `namespace` and of `parts` joined by `|`.

    The reference is `op-` and the first 20 hex digits of the SHA-256 of the key's 16 bytes.
    """

    namespace: str
    parts: list[str]
    key: str
    merchant_reference: str
    is_its_own: Annotated[bool | None, Field(description="Whether the call carried this key; null before it was sent.")]


class RevealOut(Out):
    """One opening of the token: written down before it happened."""

    id: str
    epoch: int
    worker: str
    at: datetime
    seal: SealOut | None


class ProvenOperationOut(Out):
    """One call to the provider and all that is known about it. `request_path` holds no token, only its place."""

    id: str
    kind: OperationKind
    n: int
    status: OperationStatus
    authorization: Authorization
    standing: Standing | None
    dead_because: str | None
    origin: str
    amount: MoneyOut
    key: KeyOut
    merchant_reference: str | None
    request_method: str | None
    request_path: str | None
    request_sha256: str | None
    request_has_this_digest: bool | None
    sent_at: datetime | None
    sends: int
    provider_id: str | None
    settled_at: datetime | None
    observations: list[ObservationOut]
    decisions: list[DecisionOut]
    reveals: list[RevealOut]


class ProvenLineOut(Out):
    """A line and how its amount came about."""

    position: int
    article_number: str
    name: str
    quantity: int
    amount: MoneyOut
    tax_amount: MoneyOut
    derivation: str


class ProvenInvoiceOut(Out):
    """An invoice of the period. `live_purchases` is at most 1: only that one can take money."""

    id: str
    kind: str
    status: str
    number: str | None
    total: MoneyOut
    captured: MoneyOut
    refunded: MoneyOut
    live_purchases: int
    statement: str
    lines: list[ProvenLineOut]
    operations: list[ProvenOperationOut]
    ledger: list[BookingOut]


class ProofOut(Out):
    """A period with everything that was ever charged for it."""

    id: str
    subscription_id: str
    seq: int
    kind: PeriodKind
    start_date: date
    end_date: date
    starts_at: datetime
    ends_at: datetime
    zone: str
    invoices: list[ProvenInvoiceOut]


def proof_out(proof: PeriodProof) -> ProofOut:
    row = proof.period
    return ProofOut(
        id=shown(Prefix.PERIOD, row.id),
        subscription_id=shown(Prefix.SUBSCRIPTION, row.subscription_id),
        seq=row.seq,
        kind=PeriodKind(row.kind),
        start_date=row.start_date,
        end_date=row.end_date,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        zone=row.zone,
        invoices=[_invoice_out(invoice) for invoice in proof.invoices],
    )


def _invoice_out(proof: InvoiceProof) -> ProvenInvoiceOut:
    row, currency = proof.invoice, proof.invoice.currency
    return ProvenInvoiceOut(
        id=shown(Prefix.INVOICE, row.id),
        kind=row.kind,
        status=row.status,
        number=document_number(row.series_id, row.number),
        total=MoneyOut(amount=row.total, currency=currency),
        captured=MoneyOut(amount=row.captured, currency=currency),
        refunded=MoneyOut(amount=row.refunded, currency=currency),
        live_purchases=proof.live_purchases,
        statement=proof.statement,
        lines=[
            ProvenLineOut(
                position=line.position,
                article_number=line.article_number,
                name=line.name,
                quantity=line.quantity,
                amount=MoneyOut(amount=line.amount, currency=currency),
                tax_amount=MoneyOut(amount=line.tax_amount, currency=currency),
                derivation=line.derivation,
            )
            for line in proof.lines
        ],
        operations=[_operation_out(operation) for operation in proof.operations],
        ledger=[_booking_out(booked) for booked in proof.booked],
    )


def _operation_out(proof: OperationProof) -> ProvenOperationOut:
    row = proof.operation
    return ProvenOperationOut(
        id=shown(Prefix.OPERATION, row.id),
        kind=OperationKind(row.kind),
        n=row.n,
        status=OperationStatus(row.status),
        authorization=Authorization(row.authorization),
        standing=Standing(row.standing) if row.standing else None,
        dead_because=row.dead_because,
        origin=row.origin,
        amount=MoneyOut(amount=row.amount, currency=row.currency),
        key=_key_out(proof.key),
        merchant_reference=row.merchant_reference,
        request_method=row.request_method,
        request_path=row.request_path,
        request_sha256=row.request_sha256,
        request_has_this_digest=proof.digest_is_right,
        sent_at=row.sent_at,
        sends=row.sends,
        provider_id=row.provider_id,
        settled_at=row.settled_at,
        observations=observations_out(proof.observations),
        decisions=[decision_out(decision) for decision in proof.decisions],
        reveals=[
            RevealOut(id=reveal.id.hex, epoch=reveal.epoch, worker=reveal.worker, at=reveal.at, seal=_seal(block))
            for reveal, block in proof.reveals
        ],
    )


def _key_out(key: KeyProof) -> KeyOut:
    return KeyOut(
        namespace=str(key.namespace),
        parts=list(key.parts),
        key=str(key.key),
        merchant_reference=key.reference,
        is_its_own=key.is_its_own,
    )


def _booking_out(booked: BookedProof) -> BookingOut:
    row = booked.transaction
    return BookingOut(
        id=row.id.hex,
        kind=row.kind,
        operation_id=shown_or_none(Prefix.OPERATION, row.operation_id),
        at=row.at,
        booked_on=row.booked_on,
        entries=[
            EntryOut(
                account=entry.account,
                detail=entry.detail,
                amount=MoneyOut(amount=entry.amount, currency=entry.currency),
            )
            for entry in booked.entries
        ],
        seal=_seal(booked.block),
    )


def _seal(block: object) -> SealOut | None:
    return None if block is None else SealOut.model_validate(block, from_attributes=True)


class Proofs(Controller):
    path = "/periods"
    tags = ("Subscriptions",)

    @get("/{period_id:str}/proof", sync_to_thread=True, responses=problems(404))
    def prove(self, database: Reading, period_id: FromPath[str]) -> ProofOut:
        """Prove a period.

        Its invoices with their lines, every call with how to recompute its key, the digest of what was sent, what the
        provider answered, what was booked, and the seals that cover it.
        """
        return proof_out(prove_period(database, in_path(Prefix.PERIOD, period_id)))
