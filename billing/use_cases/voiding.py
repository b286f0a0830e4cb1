"""Voiding an unpaid invoice: planned work is dropped, what is authorized is given back, its books are reversed.

Shared by the verbs that end a subscription or take an invoice back, in their transaction.
"""

from collections.abc import Sequence

from sqlmodel import Session

from billing.domain.invoicing import InvoiceStatus, next_invoice_status
from billing.domain.ledger import Posting, postings_for_balance_used, postings_for_void
from billing.domain.operations import Authorization, OperationKind, OperationStatus, Standing, Trigger
from billing.store.balances import BalanceEntry, locked_balance, taken_up_by
from billing.store.batch import Batch
from billing.store.invoices import Invoice, lines_of
from billing.store.ledger import entries_of
from billing.store.operations import Operation, drop
from billing.store.subscriptions import Subscription
from billing.use_cases.release_revenue import give_back

_REVERSED = (
    "opening",
    "balance",
    "revenue",
    "credit_note",
    "write_off",
    "recovery",
    "vat_relief",
    "vat_relief_end",
)
"""Everything that is booked of an invoice which nobody paid: after its void nothing of it is left in the books."""


def void(
    session: Session,
    batch: Batch,
    subscription: Subscription,
    invoice: Invoice,
    operations: Sequence[Operation],
    reason: str,
    *,
    is_over: bool = True,
) -> None:
    """Make an unpaid invoice void; `operations` are all of its own. The caller holds everything locked.

    Where the subscription goes on (not `is_over`), what waited for this invoice waits for the next one; where it does
    not, what this invoice took back of earlier lines is theirs again.
    """
    for operation in operations:
        if operation.status == OperationStatus.PLANNED:
            drop(operation, reason, batch.now)
        elif _holds_money(operation):
            _give_back(batch, invoice, operation, operations)
    invoice.status = next_invoice_status(InvoiceStatus(invoice.status), InvoiceStatus.VOID).value
    invoice.closed_at, invoice.exhausts_at, invoice.release_at = batch.now, None, None
    if invoice.number is not None:
        booked = [Posting(e.account, e.amount, e.detail) for e in entries_of(session, invoice.id, *_REVERSED)]
        batch.post("void", invoice, postings_for_void(booked))
        for line in lines_of(session, [invoice.id]).get(invoice.id, []):
            line.recognized_net = 0
    _undo_adjustments(session, batch, invoice, is_over=is_over)
    if invoice.balance_used or invoice.paid_outside:
        _return_payments(session, batch, invoice)
    batch.event(subscription, "invoice.voided", invoice=invoice.id.hex, total=invoice.total)


def _holds_money(operation: Operation) -> bool:
    return (
        operation.kind == OperationKind.PURCHASE
        and operation.standing == Standing.LIVE
        and operation.authorization in (Authorization.AUTHORIZED, Authorization.PENDING_REVIEW)
    )


def _give_back(batch: Batch, invoice: Invoice, purchase: Operation, operations: Sequence[Operation]) -> None:
    n = 1 + max((op.n for op in operations if op.kind == OperationKind.VOID and op.subject == purchase.id), default=0)
    batch.plan(
        OperationKind.VOID,
        invoice,
        subject=purchase.id,
        n=n,
        amount=purchase.amount,
        trigger=Trigger.CANCEL,
        due_at=batch.now,
        purchase=purchase.id,
    )


def _undo_adjustments(session: Session, batch: Batch, invoice: Invoice, *, is_over: bool) -> None:
    waited = [] if is_over else taken_up_by(session, invoice.id)
    for row in waited:
        row.invoice_id = None
    again = {row.adjusts_line_id for row in waited}
    lines = lines_of(session, [invoice.id]).get(invoice.id, [])
    adjusted = [
        (line.adjusts_line_id, line.credited_amount - line.amount, line.credited_tax - line.tax_amount)
        for line in lines
        if line.adjusts_line_id is not None and line.adjusts_line_id not in again
    ]
    give_back(session, batch, adjusted)


def _return_payments(session: Session, batch: Batch, invoice: Invoice) -> None:
    """What the customer's balance paid of it is theirs again, and so is what they paid outside."""
    paid = invoice.balance_used + invoice.paid_outside
    locked_balance(session, invoice.customer_id, invoice.currency).amount += paid
    kept = postings_for_void(postings_for_balance_used(invoice.paid_outside))
    batch.post("payment_to_balance", invoice, kept)
    batch.add(
        BalanceEntry,
        customer_id=invoice.customer_id,
        currency=invoice.currency,
        amount=paid,
        reason="the invoice that it paid is void",
        invoice_id=invoice.id,
        credit_note_id=None,
        created_at=batch.now,
    )
    invoice.balance_used = 0
