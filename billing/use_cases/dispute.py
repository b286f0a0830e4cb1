"""Disputes over captured money: opened, won, lost. While one is open nothing of the invoice is refunded, captured or
dunned; what was lost can be refunded no more (charging rules, section 3).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.domain.errors import AlreadyExists, DisputeExceedsCapture, NotFound, OutcomeUnknown, TransitionNotAllowed
from billing.domain.invoicing import InvoiceStatus
from billing.domain.ledger import (
    postings_for_dispute_lost,
    postings_for_dispute_opened,
    postings_for_dispute_won,
)
from billing.domain.money import Money
from billing.domain.operations import MAY_BE_HAPPENING, OperationKind, OperationStatus
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import DunningState
from billing.store.payments import Dispute, DisputeStatus, open_disputes
from billing.use_cases.invoice_scene import check_currency, close_scene, left_of_captures, open_scene
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_scene import Scene

_BECAUSE = "dispute "
"""How a hold begins that a dispute made: only such a one ends with it."""


@dataclass(frozen=True, slots=True)
class NewDispute:
    """How much is disputed (tax included), and the provider's name of the case."""

    amount: Money
    reference: str | None = None
    note: str | None = None


def open_dispute(
    database: Database, ids: Ids, now: datetime, invoice_id: UUID, new: NewDispute, record: Record[Dispute] = nothing
) -> Dispute:
    """Open a dispute: the invoice is held until it is decided.

    Raises `NotFound`, `CurrencyMismatch`, `DisputeExceedsCapture` with what is possible, `AlreadyExists` while another
    is open, `OutcomeUnknown` while a refund may be under way.
    """
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        _check(scene, new)
        dispute = Dispute(
            id=ids.new(),
            invoice_id=invoice_id,
            status=DisputeStatus.OPEN.value,
            amount=new.amount.amount,
            currency=new.amount.currency,
            reference=new.reference,
            note=new.note,
            opened_at=now,
        )
        session.add(dispute)
        _hold(scene, dispute)
        scene.batch.post("dispute_opened", scene.invoice, postings_for_dispute_opened(dispute.amount))
        scene.tell("dispute.opened", invoice=invoice_id.hex, dispute=dispute.id.hex, amount=dispute.amount)
        close_scene(scene)
        record(session, dispute)
        return dispute


def close_dispute(  # the dispute is named by its invoice too, as in its address
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    dispute_id: UUID,
    outcome: DisputeStatus,
    record: Record[Dispute] = nothing,
) -> Dispute:
    """Close an open dispute as `won` or `lost`; what waited for it goes on at once.

    Raises `NotFound` and, for one that is decided already, `TransitionNotAllowed`.
    """
    assert outcome is not DisputeStatus.OPEN, "a dispute is closed as won or lost"
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        dispute = session.get(Dispute, dispute_id)
        if dispute is None or dispute.invoice_id != invoice_id:
            raise NotFound("there is no such dispute over this invoice")
        if dispute.status != DisputeStatus.OPEN:
            raise TransitionNotAllowed(f"this dispute is {dispute.status} already, and that is final")
        dispute.status, dispute.closed_at = outcome.value, now
        _book(scene, dispute, outcome)
        _let_go_on(scene)
        scene.tell(f"dispute.{outcome.value}", invoice=invoice_id.hex, dispute=dispute.id.hex, amount=dispute.amount)
        close_scene(scene)
        record(session, dispute)
        return dispute


def _check(scene: Scene, new: NewDispute) -> None:
    check_currency(scene.invoice, new.amount, "dispute")
    if open_disputes(scene.session, [scene.invoice.id]):
        raise AlreadyExists("a dispute over this invoice is open already; decide it first")
    if any(op.kind == OperationKind.REFUND and op.status in MAY_BE_HAPPENING for op in scene.siblings):
        raise OutcomeUnknown("a refund of this invoice may be under way; open the dispute once that is known")
    possible = sum(left for _, left in left_of_captures(scene.invoice, scene.siblings))
    if not 1 <= new.amount.amount <= possible:
        raise DisputeExceedsCapture(
            f"a dispute over {new.amount.amount} is not possible: {possible} minor units are captured and not refunded",
            where="amount.amount",
            requested=new.amount.amount,
            possible=possible,
        )


def _hold(scene: Scene, dispute: Dispute) -> None:
    invoice = scene.invoice
    # A hold that a person made stays theirs.
    invoice.held_because = invoice.held_because or f"{_BECAUSE}{dispute.id.hex}"
    if invoice.status == InvoiceStatus.OPEN:
        invoice.dunning_state = DunningState.HELD.value


def _book(scene: Scene, dispute: Dispute, outcome: DisputeStatus) -> None:
    if outcome is DisputeStatus.WON:
        scene.batch.post("dispute_won", scene.invoice, postings_for_dispute_won(dispute.amount))
        return
    scene.invoice.disputed += dispute.amount
    scene.batch.post("dispute_lost", scene.invoice, postings_for_dispute_lost(dispute.amount))


def _let_go_on(scene: Scene) -> None:
    invoice = scene.invoice
    if not (invoice.held_because or "").startswith(_BECAUSE):
        return
    invoice.held_because = None
    if invoice.dunning_state == DunningState.HELD:
        in_dunning = invoice.first_declined_at is not None
        invoice.dunning_state = (DunningState.RETRYING if in_dunning else DunningState.NONE).value
    for operation in scene.siblings:
        # What the gate put back while the dispute was open need not wait for its next look.
        if operation.status == OperationStatus.PLANNED and operation.answer_code == "gate" and operation.due_at:
            operation.due_at = scene.now
