"""What a request is about, read from rows: an invoice's lines, a credit note's lines, whose purchase, which capture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from billing.domain.ids import Prefix, shown
from billing.domain.operations import OperationKind
from billing.ports import Order, OrderLine
from billing.store.invoices import CreditNoteLine, Invoice, InvoiceLine, credit_note_lines, lines_of
from billing.store.operations import Operation
from billing.store.plans import Plan, plans_by_id
from billing.store.subscriptions import Subscription

# Built once: these run for every window.
_IDS: Any = bindparam("ids", expanding=True)
_SUBSCRIPTIONS = select(Subscription).where(col(Subscription.id).in_(_IDS))
_OPERATIONS = select(Operation).where(col(Operation.id).in_(_IDS))
_INVOICES = select(Invoice).where(col(Invoice.id).in_(_IDS))


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Everything the requests of one window are written from, read in a handful of queries."""

    invoices: Mapping[UUID, Invoice]
    subscriptions: Mapping[UUID, Subscription]
    operations: Mapping[UUID, Operation]
    """The purchases and captures that others act upon."""
    lines: Mapping[UUID, list[InvoiceLine]]
    credited: Mapping[UUID, list[CreditNoteLine]]
    plans: Mapping[UUID, Plan]


def read_order_book(session: Session, operations: Sequence[Operation]) -> OrderBook:
    """Read what `operations` refer to."""
    invoice_ids = {op.invoice_id for op in operations}
    subscription_ids = {op.subscription_id for op in operations}
    purchasing = {op.subscription_id for op in operations if op.kind == OperationKind.PURCHASE}
    acted_upon = {op_id for op in operations for op_id in (op.purchase_id, op.capture_id) if op_id is not None}
    subscriptions = session.exec(_SUBSCRIPTIONS, params={"ids": list(subscription_ids)}).all()
    others = session.exec(_OPERATIONS, params={"ids": list(acted_upon)}).all() if acted_upon else ()
    charging = [op.invoice_id for op in operations if op.kind in (OperationKind.PURCHASE, OperationKind.CAPTURE)]
    notes = [op.subject for op in operations if op.kind == OperationKind.REFUND]
    invoices = session.exec(_INVOICES, params={"ids": list(invoice_ids)}).all()
    sold = [row.plan_id for row in subscriptions if row.id in purchasing]
    return OrderBook(
        {row.id: row for row in invoices},
        {row.id: row for row in subscriptions},
        {row.id: row for row in others},
        lines_of(session, charging) if charging else {},
        credit_note_lines(session, notes) if notes else {},
        plans_by_id(session, sold) if sold else {},
    )


def order_for(operation: Operation, book: OrderBook, reference: str) -> Order:
    """The values of one request, in our words; `reference` is the operation's own at the provider."""
    kind = OperationKind(operation.kind)
    subscription = book.subscriptions[operation.subscription_id]
    purchase = book.operations.get(operation.purchase_id) if operation.purchase_id else None
    capture = book.operations.get(operation.capture_id) if operation.capture_id else None
    is_purchase = kind is OperationKind.PURCHASE
    return Order(
        kind,
        operation.amount,
        operation.currency,
        reference,
        shown(Prefix.INVOICE, operation.invoice_id),
        lines=_lines(operation, kind, book),
        purchase_id=purchase.provider_id if purchase else None,
        capture_id=capture.provider_id if capture else None,
        subscription_name=book.plans[subscription.plan_id].name if is_purchase else None,
        interval=subscription.interval if is_purchase else None,
        interval_count=subscription.interval_count if is_purchase else None,
    )


def _lines(operation: Operation, kind: OperationKind, book: OrderBook) -> tuple[OrderLine, ...]:
    if kind in (OperationKind.PURCHASE, OperationKind.CAPTURE):
        return tuple(_invoice_line(line) for line in book.lines[operation.invoice_id])
    if kind is OperationKind.REFUND:
        return tuple(_credit_line(line) for line in book.credited[operation.subject])
    return ()


def _invoice_line(line: InvoiceLine) -> OrderLine:
    return OrderLine(
        line.article_number, line.name, line.quantity, line.unit_amount, line.amount, line.tax_amount, line.tax_rate
    )


def _credit_line(line: CreditNoteLine) -> OrderLine:
    """Whole units where units are credited, else one unit of the share."""
    units = line.quantity if line.quantity and line.amount % line.quantity == 0 else 1
    return OrderLine(
        line.article_number, line.name, units, line.amount // units, line.amount, line.tax_amount, line.tax_rate
    )
