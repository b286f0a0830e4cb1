"""Granting a credit on an invoice: credit note, ledger, and what becomes of the money, in the caller's transaction.

Shared by the verbs that credit; amounts and their order of effect are decided in the domain (`credits.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from billing.domain.credits import BilledLine, CreditDraft, CreditLine, GiveAs, credit_effect
from billing.domain.errors import Conflict, EmptyInvoice, TransitionNotAllowed, UnderDispute
from billing.domain.invoicing import InvoiceStatus
from billing.domain.ledger import CreditEffect, postings_for_credit, postings_for_recovery
from billing.domain.operations import OperationKind, OperationStatus, Trigger
from billing.domain.periods import local_date
from billing.store.balances import locked_balance, move_balance
from billing.store.batch import Batch
from billing.store.invoices import CreditNote, CreditNoteLine, Invoice, lines_of
from billing.store.ledger import entries_of
from billing.store.numbers import CREDIT_NOTES, number_credit_note
from billing.store.operations import Operation
from billing.store.payments import open_disputes
from billing.store.periods import PeriodRow
from billing.store.releases import seller_zone
from billing.use_cases.invoice_scene import left_of_captures, settled_so_far
from billing.use_cases.lowering import check_may_lower, follow_the_claim
from billing.use_cases.release_revenue import give_back, release_up_to, take_back
from billing.use_cases.settle_scene import Scene

_CREDITABLE = (InvoiceStatus.OPEN, InvoiceStatus.PAID, InvoiceStatus.UNCOLLECTIBLE)
WHOLE_CAPTURE = "whole_capture"
"""Where a refund says that it gives back all of a capture of which nothing was given back before."""

_NO_SALE = frozenset({"carried", "balance"})
"""Kinds of line that only move what customer and seller owe each other: there is nothing to credit."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Why a credit is granted, by whom, and what becomes of it beyond what was open."""

    reason: str
    note: str | None
    trigger: Trigger
    give_as: GiveAs


@dataclass(frozen=True, slots=True)
class Granted:
    """The credit note, and the refunds that pay it out: one for each capture concerned, none where none is needed."""

    credit_note: CreditNote
    operation_ids: Sequence[UUID]


def billed_lines(session: Session, invoice: Invoice) -> list[BilledLine]:
    """The invoice's lines with what was taken of them so far, as the domain reads them.

    A line without days of its own pays for those of the invoice's period.
    """
    period = session.get_one(PeriodRow, invoice.period_id)
    rows = lines_of(session, [invoice.id]).get(invoice.id, [])
    return [
        BilledLine(
            row.id,
            row.position,
            row.article_number,
            row.name,
            row.quantity,
            row.unit_amount,
            row.amount,
            row.tax_amount,
            row.tax_rate,
            row.credit_rule,
            row.recognize,
            row.credited_amount,
            row.credited_tax,
            row.credited_quantity,
            row.adjusted_amount,
            row.adjusted_tax,
            row.starts_on or period.start_date,
            row.ends_on or period.end_date,
        )
        for row in rows
        if row.kind not in _NO_SALE
    ]


def the_capture(operations: Sequence[Operation]) -> Operation:
    """The capture that a refund of this invoice gives back from. Raises `Conflict` where nothing was captured."""
    for operation in operations:
        if operation.kind == OperationKind.CAPTURE and operation.status == OperationStatus.SUCCEEDED:
            return operation
    raise Conflict("nothing of this invoice has been captured, so there is nothing to give back")


def planned_effect(scene: Scene, draft: CreditDraft, give_as: GiveAs) -> CreditEffect:
    """What granting `draft` does, in the order of the rules; nothing is changed.

    Raises `TransitionNotAllowed` for an invoice that cannot be credited, `EmptyInvoice` where there is nothing to give,
    `RefundExceedsCapture`, `UnderDispute`, and what `check_may_lower` raises.
    """
    _check_creditable(scene)
    if draft.total <= 0:
        raise EmptyInvoice("there is nothing left on this invoice to give back", where="lines")
    effect = credit_effect(draft.total, settled_so_far(scene), give_as)
    if effect.balance or effect.refund:
        dispute = open_disputes(scene.session, [scene.invoice.id]).get(scene.invoice.id)
        if dispute is not None:
            raise UnderDispute(f"a dispute over {dispute.amount} minor units of this invoice is open; decide it first")
    if effect.receivable:
        check_may_lower(scene)
    return effect


def grant_credit(scene: Scene, draft: CreditDraft, terms: Terms) -> Granted:
    """Write the credit note for `draft` and carry out its effect; the caller writes the scene.

    The credit is final from here on; a refund only pays it out. An invoice that has no number yet takes it, since the
    note refers to it. Raises what `planned_effect` raises, before anything is changed.
    """
    effect = planned_effect(scene, draft, terms.give_as)
    note = _grant(scene, draft, terms, effect)
    operation_ids = plan_refunds(scene, note, effect.refund, terms.trigger)
    _announce(scene, note, effect)
    return Granted(note, operation_ids)


def grant_paid_out(scene: Scene, draft: CreditDraft, terms: Terms) -> CreditNote:
    """The credit note for money that has gone back already, so that no refund of it is planned; else as `grant_credit`.

    Raises what that raises, and `Conflict` where a part of the credit would do anything else than pay back.
    """
    effect = planned_effect(scene, draft, terms.give_as)
    if effect.refund != draft.total:
        raise Conflict(f"of {draft.total} minor units that went back only {effect.refund} were paid and are left")
    note = _grant(scene, draft, terms, effect)
    _announce(scene, note, effect)
    return note


def plan_refunds(scene: Scene, note: CreditNote, amount: int, trigger: Trigger) -> list[UUID]:
    """Refunds of `amount` minor units in all, one for each capture concerned and never above what is left of it."""
    planned: list[UUID] = []
    earlier = [op.n for op in scene.siblings if op.kind == OperationKind.REFUND and op.subject == note.id]
    for capture, left in left_of_captures(scene.invoice, scene.siblings):
        part = min(amount, left)
        if part <= 0:
            continue
        amount -= part
        planned.append(
            scene.batch.plan(
                OperationKind.REFUND,
                scene.invoice,
                subject=note.id,
                n=1 + max(earlier, default=0) + len(planned),
                amount=part,
                trigger=trigger,
                due_at=scene.now,
                purchase=capture.purchase_id,
                capture=capture.id,
                details={WHOLE_CAPTURE: part == capture.amount},
            )
        )
    assert amount == 0, "no more is refunded than the captures hold"
    return planned


def _grant(scene: Scene, draft: CreditDraft, terms: Terms, effect: CreditEffect) -> CreditNote:
    if effect.balance:
        # Locked before any number is taken: the counters come last.
        locked_balance(scene.session, scene.invoice.customer_id, scene.invoice.currency)
    note = _write_note(scene, draft, terms, effect)
    if effect.balance:
        _to_balance(scene, note, effect.balance)
    _book(scene, note, draft, effect)
    scene.invoice.credited += draft.total
    scene.invoice.credited_open += effect.receivable
    scene.invoice.credited_balance += effect.balance
    return note


def _announce(scene: Scene, note: CreditNote, effect: CreditEffect) -> None:
    scene.tell(
        "credit_note.created",
        credit_note=note.id.hex,
        total=note.total,
        lowered=effect.receivable,
        balance=effect.balance,
        refund=effect.refund,
    )
    if effect.receivable:
        follow_the_claim(scene, "what was open is credited")


def _check_creditable(scene: Scene) -> None:
    invoice = scene.invoice
    if invoice.status not in _CREDITABLE:
        raise TransitionNotAllowed(f"an invoice that is {invoice.status} cannot be credited; it must be open or paid")
    if invoice.status == InvoiceStatus.UNCOLLECTIBLE:
        if invoice.number is None:
            raise TransitionNotAllowed("nothing of this uncollectible invoice is booked, so void it instead")
        if entries_of(scene.session, invoice.id, "vat_relief"):
            raise TransitionNotAllowed("the VAT of this uncollectible invoice was relieved already; void is possible")


def _to_balance(scene: Scene, note: CreditNote, amount: int) -> None:
    move_balance(
        scene.session,
        scene.batch.ids.new(),
        scene.now,
        scene.invoice.customer_id,
        scene.invoice.currency,
        amount,
        f"credited: {note.reason}",
        invoice_id=scene.invoice.id,
        credit_note_id=note.id,
    )


def _write_note(scene: Scene, draft: CreditDraft, terms: Terms, effect: CreditEffect) -> CreditNote:
    number, issue_date = number_credit_note(scene.session, scene.now)
    note = CreditNote(
        id=scene.batch.ids.new(),
        invoice_id=scene.invoice.id,
        reason=terms.reason,
        note=terms.note,
        currency=scene.invoice.currency,
        total=draft.total,
        tax_total=draft.tax_total,
        effect_open=effect.receivable,
        effect_balance=effect.balance,
        effect_refund=effect.refund,
        series_id=CREDIT_NOTES,
        number=number,
        issue_date=issue_date,
        created_at=scene.now,
    )
    scene.session.add(note)
    scene.session.flush()
    if scene.invoice.number is None:
        scene.to_number[scene.invoice.id] = scene.invoice
    return note


def _book(scene: Scene, note: CreditNote, draft: CreditDraft, effect: CreditEffect) -> None:
    """The note's lines, what they take from the invoice's, and the ledger."""
    rows = {row.id: row for row in lines_of(scene.session, [scene.invoice.id])[scene.invoice.id]}
    earned = _taken_from_revenue(scene, draft)
    for position, line in enumerate(draft.lines, start=1):
        row = rows[line.line_id]
        row.credited_amount += line.amount
        row.credited_tax += line.tax_amount
        row.credited_quantity += line.quantity
        _write_line(scene.batch, note, position, line)
    taken_back = [(rows[line.line_id].adjusts_line_id, -line.amount, -line.tax_amount) for line in draft.lines]
    give_back(scene.session, scene.batch, [(id_, gross, tax) for id_, gross, tax in taken_back if id_ is not None])
    if effect.receivable and scene.invoice.status == InvoiceStatus.UNCOLLECTIBLE:
        scene.batch.post("recovery", scene.invoice, postings_for_recovery(effect.receivable))
    postings = postings_for_credit(draft.lines, scene.invoice.country, effect=effect, earned=earned)
    scene.batch.post("credit_note", scene.invoice, postings, credit_note_id=note.id)


def _taken_from_revenue(scene: Scene, draft: CreditDraft) -> dict[str, int]:
    """How much of the credit had become revenue by today; before the books are open nothing has."""
    if scene.invoice.number is None:
        return {}
    today = local_date(scene.now, seller_zone(scene.session))
    release_up_to(scene.session, scene.batch, scene.invoice, today)
    return take_back(scene.session, scene.invoice, {line.line_id: line.net_amount for line in draft.lines})


def _write_line(batch: Batch, note: CreditNote, position: int, line: CreditLine) -> None:
    batch.add(
        CreditNoteLine,
        credit_note_id=note.id,
        line_id=line.line_id,
        position=position,
        article_number=line.article_number,
        name=line.name,
        quantity=line.quantity,
        amount=line.amount,
        tax_amount=line.tax_amount,
        tax_rate=line.tax_rate,
        how=line.by,
        derivation=line.derivation,
    )
