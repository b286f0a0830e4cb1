"""Explain an invoice: where each line came from, what lowered the claim, what paid it, and the tax of each rate.

Every statement is a plain sentence beside the numbers that it is made of. Amounts are minor units of the invoice's
currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from billing.domain.errors import NotFound
from billing.domain.money import Money, formatted
from billing.domain.operations import OperationKind, OperationStatus
from billing.domain.tax import shown_rate
from billing.store.engine import Database
from billing.store.invoices import (
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceLine,
    amount_due,
    credit_note_lines,
    lines_of,
)
from billing.store.operations import Operation, of_invoices
from billing.store.payments import Dispute, OutsidePayment, disputes_of, payments_of


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence, what it is about (`line`, `credit`, `capture`, `balance` ...), its amount, and whose row it tells."""

    about: str
    sentence: str
    amount: int
    tax_amount: int = 0
    row_id: UUID | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TaxOfRate:
    """What was invoiced and credited at one rate (basis points) and treatment."""

    rate: int
    treatment: str
    gross: int
    tax: int
    credited_gross: int
    credited_tax: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The story of an invoice in the order in which it is read; `due` is what is left to pay."""

    invoice: Invoice
    summary: Sequence[str]
    lines: Sequence[Statement]
    lowered_by: Sequence[Statement]
    paid_by: Sequence[Statement]
    given_back: Sequence[Statement]
    disputes: Sequence[Statement]
    taxes: Sequence[TaxOfRate]
    documents: Sequence[Statement]
    due: int


@dataclass(frozen=True, slots=True)
class _Story:
    """The rows that an explanation is told from."""

    invoice: Invoice
    lines: Sequence[InvoiceLine]
    notes: Sequence[CreditNote]
    credited: dict[UUID, list[CreditNoteLine]]
    operations: Sequence[Operation]
    payments: Sequence[OutsidePayment]
    disputes: Sequence[Dispute]

    def money(self, amount: int) -> str:
        return formatted(Money(amount, self.invoice.currency))


def explain_invoice(database: Database, invoice_id: UUID) -> Explanation:
    """Tell how an invoice came to be what it is. Raises `NotFound`."""
    with database.tx() as session:
        story = _read(session, invoice_id)
    return Explanation(
        invoice=story.invoice,
        summary=_summary(story),
        lines=[_line(story, line) for line in story.lines],
        lowered_by=[_lowered(story, note) for note in story.notes if note.effect_open],
        paid_by=_paid_by(story),
        given_back=_given_back(story),
        disputes=[_disputed(story, dispute) for dispute in story.disputes],
        taxes=_taxes(story),
        documents=_documents(story),
        due=amount_due(story.invoice),
    )


def _read(session: Session, invoice_id: UUID) -> _Story:
    invoice = session.get(Invoice, invoice_id)
    if invoice is None:
        raise NotFound("there is no such invoice")
    notes = session.exec(
        select(CreditNote).where(CreditNote.invoice_id == invoice_id).order_by(col(CreditNote.id))
    ).all()
    return _Story(
        invoice,
        lines_of(session, [invoice_id]).get(invoice_id, []),
        notes,
        credit_note_lines(session, [note.id for note in notes]),
        of_invoices(session, [invoice_id]),
        payments_of(session, invoice_id),
        disputes_of(session, invoice_id),
    )


def _summary(story: _Story) -> list[str]:
    invoice, money = story.invoice, story.money
    told = [f"The invoice is {invoice.status}: {money(invoice.total)} with {money(invoice.tax_total)} of tax."]
    if invoice.credited_open:
        told.append(f"Credits lowered what was open by {money(invoice.credited_open)}.")
    paid = invoice.captured + invoice.balance_used + invoice.paid_outside + invoice.carried
    if paid:
        told.append(f"{money(paid)} of it is paid or carried on.")
    told.append(f"{money(amount_due(invoice))} is due." if amount_due(invoice) else "Nothing is due.")
    if invoice.held_because:
        told.append(f"It is held: {invoice.held_because}.")
    return told


def _line(story: _Story, line: InvoiceLine) -> Statement:
    told = f"{line.name}: {line.derivation}."
    if line.discount_amount:
        told += f" Discounts took {story.money(line.discount_amount)}."
    credited = [found for lines in story.credited.values() for found in lines if found.line_id == line.id]
    for credit in credited:
        told += f" Credited {story.money(credit.amount)}: {credit.derivation}."
    if line.adjusted_amount:
        told += f" A later change took back {story.money(line.adjusted_amount)}."
    return Statement("line", told, line.amount, line.tax_amount, line.id)


def _lowered(story: _Story, note: CreditNote) -> Statement:
    told = f"{_note_name(note)} lowered what was open by {story.money(note.effect_open)} ({note.reason})."
    return Statement("credit", told, note.effect_open, 0, note.id, note.created_at)


def _paid_by(story: _Story) -> list[Statement]:
    invoice, money = story.invoice, story.money
    told: list[Statement] = []
    if invoice.balance_used:
        sentence = f"The customer's balance paid {money(invoice.balance_used)}."
        told.append(Statement("balance", sentence, invoice.balance_used, at=invoice.opened_at))
    for op in story.operations:
        if op.kind == OperationKind.CAPTURE and op.status == OperationStatus.SUCCEEDED:
            sentence = f"{money(op.amount)} was captured through {op.provider_account}."
            told.append(Statement("capture", sentence, op.amount, row_id=op.id, at=op.settled_at))
    for payment in story.payments:
        sentence = f"{money(payment.amount)} was paid outside on {payment.paid_on} ({payment.reference})."
        told.append(Statement("payment", sentence, payment.amount, row_id=payment.id, at=payment.created_at))
    if invoice.carried:
        sentence = f"{money(invoice.carried)} is too little to charge and stands on the next invoice."
        told.append(Statement("carried", sentence, invoice.carried))
    return told


def _given_back(story: _Story) -> list[Statement]:
    told: list[Statement] = []
    for note in story.notes:
        if note.effect_balance:
            sentence = f"{_note_name(note)} gave {story.money(note.effect_balance)} to the customer's balance."
            told.append(Statement("balance", sentence, note.effect_balance, row_id=note.id, at=note.created_at))
        if note.effect_refund:
            state = "was refunded" if note.refunded_at else "is being refunded"
            sentence = f"Of {_note_name(note)}, {story.money(note.effect_refund)} {state}."
            told.append(Statement("refund", sentence, note.effect_refund, row_id=note.id, at=note.refunded_at))
    return told


def _disputed(story: _Story, dispute: Dispute) -> Statement:
    sentence = f"A dispute over {story.money(dispute.amount)} is {dispute.status}."
    return Statement("dispute", sentence, dispute.amount, row_id=dispute.id, at=dispute.opened_at)


def _taxes(story: _Story) -> list[TaxOfRate]:
    groups: dict[tuple[int, str], list[InvoiceLine]] = {}
    for line in story.lines:
        groups.setdefault((line.tax_rate, line.tax_treatment), []).append(line)
    return [_tax(story, rate, treatment, lines) for (rate, treatment), lines in sorted(groups.items())]


def _tax(story: _Story, rate: int, treatment: str, lines: Sequence[InvoiceLine]) -> TaxOfRate:
    gross, tax = sum(line.amount for line in lines), sum(line.tax_amount for line in lines)
    credited, credited_tax = sum(line.credited_amount for line in lines), sum(line.credited_tax for line in lines)
    kind = "" if treatment == "standard" else f" ({treatment.replace('_', ' ')})"
    told = f"{shown_rate(rate)}{kind}: {story.money(tax)} of tax inside {story.money(gross)}"
    told += f", of which {story.money(credited_tax)} inside {story.money(credited)} was credited." if credited else "."
    return TaxOfRate(rate, treatment, gross, tax, credited, credited_tax, told)


def _documents(story: _Story) -> list[Statement]:
    invoice = story.invoice
    told: list[Statement] = []
    if invoice.number is not None:
        sentence = f"Invoice {invoice.number} of series {invoice.series_id}, dated {invoice.issue_date}."
        if invoice.issued_at is not None:
            sentence += f" It left us at {invoice.issued_at:%Y-%m-%d %H:%M} UTC."
        told.append(Statement("invoice", sentence, invoice.total, invoice.tax_total, invoice.id, invoice.issued_at))
    for note in story.notes:
        words = f": {note.note}" if note.note else ""
        sentence = f"{_note_name(note)} of {note.issue_date} over {story.money(note.total)} ({note.reason}{words})."
        told.append(Statement("credit_note", sentence, note.total, note.tax_total, note.id, note.created_at))
    return told


def _note_name(note: CreditNote) -> str:
    return f"credit note {note.number}"
