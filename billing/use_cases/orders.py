"""What a request is about, read from rows: an invoice's lines, a credit note's lines, whose purchase, which capture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from billing.domain.ids import Prefix, shown
from billing.domain.operations import OperationKind, OrderChange
from billing.domain.pacing import BreakerState
from billing.ports import Address, Order, OrderLine, Shipment
from billing.store.accounts import ProviderAccount
from billing.store.customers import Customer, StoredToken
from billing.store.invoices import CreditNoteLine, Invoice, InvoiceLine, credit_note_lines, lines_of
from billing.store.operations import Operation
from billing.store.paces import AccountPace
from billing.store.plans import Plan
from billing.store.subscriptions import Subscription
from billing.use_cases.crediting import WHOLE_CAPTURE
from billing.use_cases.lowering import ADDRESS, ORDER_NUMBER, change_of
from billing.use_cases.order_lines import lines_credited, lines_left, shares_kept


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Everything the gate decides on and the requests of one window are written from, read in three statements."""

    chosen: Sequence[Operation]
    invoices: Mapping[UUID, Invoice]
    subscriptions: Mapping[UUID, Subscription]
    plans: Mapping[UUID, Plan]
    customers: Mapping[UUID, Customer]
    tokens: Mapping[UUID, StoredToken]
    halted: frozenset[str]
    """Provider accounts that are stopped."""
    resting: frozenset[str]
    """Those whose breaker is open: nothing is charged through them."""
    acted_upon: Mapping[UUID, Operation]
    """The purchases and captures that others act upon."""
    lines: Mapping[UUID, list[InvoiceLine]]
    credited: Mapping[UUID, list[CreditNoteLine]]


_HAS_INVOICE_LINES = (OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.AMEND)

# Built once: these run for every window.
_IDS: Any = bindparam("ids", expanding=True)
_ACTED_UPON = select(Operation).where(col(Operation.id).in_(_IDS))
_CASES = (
    sql_select(Operation, Invoice, Subscription, Plan, Customer, StoredToken, ProviderAccount, col(AccountPace.breaker))
    .join(Invoice, col(Invoice.id) == col(Operation.invoice_id))
    .join(Subscription, col(Subscription.id) == col(Operation.subscription_id))
    .join(Plan, col(Plan.id) == col(Subscription.plan_id))
    .join(Customer, col(Customer.id) == col(Subscription.customer_id))
    .join(ProviderAccount, col(ProviderAccount.name) == col(Operation.provider_account))
    .outerjoin(AccountPace, col(AccountPace.name) == col(Operation.provider_account))
    .outerjoin(StoredToken, col(StoredToken.id) == col(Operation.token_id))
    .where(col(Operation.id).in_(_IDS))
    .order_by(col(Operation.id))
    .with_for_update(of=Operation)
)


def read_order_book(session: Session, operation_ids: Sequence[UUID]) -> OrderBook:
    """Lock these operations, in id order, and read what they stand for as it is now.

    On PostgreSQL the caller holds their subscriptions, so that nothing read here changes before the commit.
    """
    cases = session.execute(_CASES, {"ids": list(operation_ids)}).all()
    chosen = [case[0] for case in cases]
    others = {op_id for op in chosen for op_id in (op.purchase_id, op.capture_id) if op_id is not None}
    stated = [op.invoice_id for op in chosen if op.kind in _HAS_INVOICE_LINES or op.kind == OperationKind.REFUND]
    notes = [op.subject for op in chosen if op.kind == OperationKind.REFUND]
    found = session.exec(_ACTED_UPON, params={"ids": list(others)}).all() if others else ()
    return OrderBook(
        chosen,
        {invoice.id: invoice for _, invoice, *_ in cases},
        {subscription.id: subscription for _, _, subscription, *_ in cases},
        {plan.id: plan for _, _, _, plan, *_ in cases},
        {customer.id: customer for _, _, _, _, customer, *_ in cases},
        {token.id: token for *_, token, _, _ in cases if token is not None},
        frozenset(account.name for *_, account, _ in cases if account.halted_at is not None),
        frozenset(account.name for *_, account, breaker in cases if breaker == BreakerState.OPEN),
        {row.id: row for row in found},
        lines_of(session, stated) if stated else {},
        credit_note_lines(session, notes) if notes else {},
    )


def order_for(operation: Operation, book: OrderBook, reference: str) -> Order:
    """The values of one request, in our words; `reference` is the operation's own at the provider."""
    kind = OperationKind(operation.kind)
    invoice_id, subscription_id = operation.invoice_id, operation.subscription_id
    assert invoice_id is not None, "only a revocation has no invoice"
    assert subscription_id is not None, "only a revocation has no subscription"
    subscription = book.subscriptions[subscription_id]
    purchase = book.acted_upon.get(operation.purchase_id) if operation.purchase_id else None
    capture = book.acted_upon.get(operation.capture_id) if operation.capture_id else None
    is_purchase = kind is OperationKind.PURCHASE
    customer = book.customers[subscription.customer_id]
    kept = _kept(operation, book, invoice_id) if kind is OperationKind.REFUND else ()
    return Order(
        kind,
        operation.amount,
        operation.currency,
        reference,
        _order_number(operation, purchase) or shown(Prefix.INVOICE, invoice_id),
        lines=_lines(operation, kind, book, invoice_id),
        purchase_id=purchase.provider_id if purchase else None,
        capture_id=capture.provider_id if capture else None,
        subscription_name=book.plans[subscription.plan_id].name if is_purchase else None,
        interval=subscription.interval if is_purchase else None,
        interval_count=subscription.interval_count if is_purchase else None,
        is_whole=_is_whole(operation, purchase),
        has_lines=kept is not None,
        kept=kept or (),
        country=book.invoices[invoice_id].country,
        locale=customer.locale,
        customer_email=customer.email,
        shipments=tuple(Shipment(**parcel) for parcel in operation.details.get("shipments", ())),
        days=operation.details.get("days"),
        changes=change_of(operation),
        address=Address(**operation.details[ADDRESS]) if ADDRESS in operation.details else None,
        tax_rate=_one_rate(operation, book) if kind is OperationKind.REFUND else None,
    )


def _order_number(operation: Operation, purchase: Operation | None) -> str | None:
    """What the customer sees instead of the invoice's id, where an operator has changed it or does so now."""
    changed = operation.details.get(ORDER_NUMBER) or (purchase.details.get(ORDER_NUMBER) if purchase else None)
    return str(changed) if changed else None


def _one_rate(operation: Operation, book: OrderBook) -> int | None:
    rates = {line.tax_rate for line in book.credited[operation.subject]}
    return rates.pop() if len(rates) == 1 else None


def _is_whole(operation: Operation, purchase: Operation | None) -> bool:
    """Whether a capture leaves nothing behind, or a refund gives back a capture of which nothing was given back."""
    if operation.kind == OperationKind.CAPTURE:
        return purchase is None or operation.amount == purchase.remaining
    return operation.kind != OperationKind.REFUND or bool(operation.details.get(WHOLE_CAPTURE))


def _kept(operation: Operation, book: OrderBook, invoice_id: UUID) -> tuple[OrderLine, ...] | None:
    credited = book.credited[operation.subject]
    if sum(line.amount for line in credited) != operation.amount:
        return None
    return shares_kept(credited, book.lines[invoice_id])


def order_to_revoke(operation: Operation, reference: str) -> Order:
    """The cancellation of a token: it is about no order."""
    return Order(OperationKind.REVOKE, operation.amount, operation.currency, reference, "")


def _lines(operation: Operation, kind: OperationKind, book: OrderBook, invoice_id: UUID) -> tuple[OrderLine, ...]:
    if kind is OperationKind.CAPTURE and "lines" in operation.details:
        return _part_lines(operation, book.lines[invoice_id])
    if kind in _HAS_INVOICE_LINES and change_of(operation) is OrderChange.AMOUNT:
        return lines_left(book.lines[invoice_id], operation.amount, after_captures=kind is OperationKind.CAPTURE)
    if kind is OperationKind.REFUND:
        return lines_credited(book.credited[operation.subject], operation.amount)
    return ()


def _part_lines(operation: Operation, lines: Sequence[InvoiceLine]) -> tuple[OrderLine, ...]:
    """What a part capture takes of each line; without lines where they do not make up its amount (a used balance)."""
    by_id = {line.id.hex: line for line in lines}
    parts = []
    for part in operation.details["lines"]:
        line, units, amount = by_id[part["line"]], part["units"], part["amount"]
        # With a net price or a discount the units do not multiply to the amount: they are one piece at it.
        units, unit_amount = (units, line.unit_amount) if units * line.unit_amount == amount else (1, amount)
        parts.append(OrderLine(line.article_number, line.name, units, unit_amount, amount, part["tax"], line.tax_rate))
    return tuple(parts) if sum(part.amount for part in parts) == operation.amount else ()
