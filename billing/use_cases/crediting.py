"""Granting a credit on a paid invoice: credit note, ledger, and the refund that pays it out, in the caller's
transaction. Shared by the verbs that credit; the amounts are decided in the domain.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session

from billing.domain.credits import BilledLine, CreditDraft
from billing.domain.errors import Conflict
from billing.domain.ledger import postings_for_credit
from billing.domain.operations import OperationKind, OperationStatus, Trigger
from billing.store.batch import Batch
from billing.store.invoices import CreditNote, CreditNoteLine, Invoice, lines_of
from billing.store.numbers import CREDIT_NOTES, number_credit_note
from billing.store.operations import Operation


def billed_lines(session: Session, invoice: Invoice) -> list[BilledLine]:
    """The invoice's lines with what earlier credit notes took, as the domain reads them."""
    return [
        BilledLine(
            line.id,
            line.position,
            line.article_number,
            line.name,
            line.quantity,
            line.unit_amount,
            line.amount,
            line.tax_amount,
            line.tax_rate,
            line.credit_rule,
            line.recognize,
            line.credited_amount,
            line.credited_tax,
            line.credited_quantity,
        )
        for line in lines_of(session, [invoice.id]).get(invoice.id, [])
    ]


def the_capture(operations: Sequence[Operation]) -> Operation:
    """The capture that a refund of this invoice gives back from. Raises `Conflict` where nothing was captured."""
    for operation in operations:
        if operation.kind == OperationKind.CAPTURE and operation.status == OperationStatus.SUCCEEDED:
            return operation
    raise Conflict("nothing of this invoice has been captured, so there is nothing to give back")


def grant_credit(  # the one place where credited amounts grow
    session: Session,
    batch: Batch,
    invoice: Invoice,
    capture: Operation,
    draft: CreditDraft,
    *,
    reason: str,
    note: str | None,
    trigger: Trigger,
) -> tuple[CreditNote, UUID]:
    """Write the credit note for `draft` and plan its refund; returns the note and the refund operation's id.

    The caller holds the invoice locked. The credit is final from here on; the refund only pays it out.
    """
    number, issue_date = number_credit_note(session, batch.now)
    credit_note = CreditNote(
        id=batch.ids.new(),
        invoice_id=invoice.id,
        reason=reason,
        note=note,
        currency=invoice.currency,
        total=draft.total,
        tax_total=draft.tax_total,
        series_id=CREDIT_NOTES,
        number=number,
        issue_date=issue_date,
        created_at=batch.now,
    )
    session.add(credit_note)
    session.flush()
    _write_lines(session, batch, invoice, credit_note, draft)
    invoice.credited += draft.total
    postings = postings_for_credit(draft.lines, invoice.country, paid=True)
    batch.post("credit_note", invoice, postings, credit_note_id=credit_note.id)
    operation_id = batch.plan(
        OperationKind.REFUND,
        invoice,
        subject=credit_note.id,
        n=1,
        amount=draft.total,
        trigger=trigger,
        due_at=batch.now,
        purchase=capture.purchase_id,
        capture=capture.id,
    )
    return credit_note, operation_id


def _write_lines(session: Session, batch: Batch, invoice: Invoice, note: CreditNote, draft: CreditDraft) -> None:
    rows = {row.id: row for row in lines_of(session, [invoice.id])[invoice.id]}
    for position, line in enumerate(draft.lines, start=1):
        rows[line.line_id].credited_amount += line.amount
        rows[line.line_id].credited_tax += line.tax_amount
        rows[line.line_id].credited_quantity += line.quantity
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
