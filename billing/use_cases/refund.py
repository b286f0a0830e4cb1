"""Refund: an operator gives captured money back, by lines, by amount, or all that is left."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.credits import BilledLine, CreditDraft, credit_amount, credit_quantities, credit_whole
from billing.domain.errors import CurrencyMismatch, EmptyInvoice, Invalid
from billing.domain.money import Money
from billing.domain.operations import Trigger
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import CreditNote, Invoice
from billing.use_cases.crediting import billed_lines, grant_credit, the_capture
from billing.use_cases.recording import Record, nothing


@dataclass(frozen=True, slots=True)
class NewRefund:
    """What to give back: units by line id, or an amount tax included, or (with neither) everything that is left."""

    invoice_id: UUID
    reason: str
    units: Mapping[UUID, int] = field(default_factory=dict)
    amount: Money | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """The credit note granted and the operation that will pay it out."""

    credit_note: CreditNote
    operation_id: UUID


def refund(database: Database, ids: Ids, now: datetime, new: NewRefund, record: Record[Refund] = nothing) -> Refund:
    """Grant a credit note on a captured invoice and plan its refund.

    Raises `Invalid` for an unknown invoice or line, `CurrencyMismatch`, `RefundExceedsCapture` and
    `CreditExceedsLine` with what is possible, and `Conflict` where nothing has been captured.
    """
    if new.units and new.amount is not None:
        raise Invalid("give lines or an amount, not both", where="amount")
    with database.tx() as session:
        invoice = _locked_invoice(session, new.invoice_id)
        capture = the_capture(operation_store.of_invoices(session, [invoice.id], lock=True))
        draft = _draft(billed_lines(session, invoice), new, invoice)
        if draft.total == 0:
            raise EmptyInvoice("there is nothing left on this invoice to give back", where="lines")
        batch = Batch(ids, now)
        credit_note, operation_id = grant_credit(
            session, batch, invoice, capture, draft, reason=new.reason, note=new.note, trigger=Trigger.ADMIN
        )
        subscription = session.get_one(subscription_store.Subscription, invoice.subscription_id)
        batch.event(subscription, "credit_note.created", credit_note=credit_note.id.hex, total=credit_note.total)
        batch.write(session)
        result = Refund(credit_note, operation_id)
        record(session, result)
        return result


def _locked_invoice(session: Session, invoice_id: UUID) -> Invoice:
    known = session.get(Invoice, invoice_id)
    if known is None:
        raise Invalid("there is no such invoice", where="invoice_id")
    subscription_store.locked(session, [known.subscription_id])
    return invoice_store.locked(session, [invoice_id])[invoice_id]


def _draft(lines: list[BilledLine], new: NewRefund, invoice: Invoice) -> CreditDraft:
    if new.units:
        return credit_quantities(lines, new.units)
    if new.amount is not None:
        if new.amount.currency != invoice.currency:
            raise CurrencyMismatch(
                f"the invoice is in {invoice.currency}, the refund in {new.amount.currency}", where="amount.currency"
            )
        return credit_amount(lines, new.amount.amount)
    return credit_whole(lines)
