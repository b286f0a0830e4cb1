"""The gate: the one transaction that decides between a cancel and a charge, and freezes what will be sent.

A row passes when, with its subscription held locked, everything it stands for is still wanted. What passes is
`sending` from the commit on, with its bytes and key; nothing is sent that was not committed here.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Invalid
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import (
    Authorization,
    OperationKind,
    OperationStatus,
    Standing,
    merchant_reference,
    operation_key,
)
from billing.domain.subscriptions import SubscriptionStatus
from billing.domain.tokens import Token
from billing.ports import Account, Answer, Call, Refused
from billing.store import subscriptions as subscription_store
from billing.store.customers import StoredToken, TokenStatus
from billing.store.invoices import Invoice, amount_due
from billing.store.operations import Operation
from billing.store.subscriptions import Subscription
from billing.use_cases.orders import OrderBook, order_for, read_order_book
from billing.use_cases.sending import Sending, call_for
from billing.use_cases.settle import PutBack, Settlement, Withdrawn


@dataclass(frozen=True, slots=True)
class Facts:
    """What the gate looks at for one operation."""

    operation: Operation
    invoice: Invoice
    subscription: Subscription
    token: StoredToken | None
    purchase: Operation | None
    capture: Operation | None
    account_halted: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row does not pass: gone for good (`final`), perhaps as a decline, or only not now."""

    reason: str
    final: bool
    as_decline: str | None = None
    at_once: bool = False
    """Nothing is wrong with the row: it may be claimed anew at once."""


RETRY_CLOSED_GATE = timedelta(hours=1)


def gate(
    sending: Sending, account: Account, operations: Sequence[Operation], lease: UUID, tokens: Mapping[UUID, Token]
) -> tuple[list[Call], list[Settlement]]:
    """Let through what is still wanted: the calls to make, and news about the rows that did not pass."""
    now = sending.clock.now()
    calls: list[Call] = []
    news: list[Settlement] = []
    with sending.database.tx() as session:
        for facts, book in _look(session, operations):
            operation = facts.operation
            if operation.status != OperationStatus.PLANNED or operation.lease_owner != lease:
                continue
            refusal = gate_refusal(facts, now)
            if refusal is None and _lease_too_short(operation, account, now):
                refusal = Refusal("the lease would end before the deadline", final=False, at_once=True)
            if refusal is None and operation.kind == OperationKind.PURCHASE and operation.id not in tokens:
                # Its token woke up between the look and the gate: with a fresh claim it is opened first.
                refusal = Refusal("the token was not opened", final=False, at_once=True)
            if refusal is not None:
                news.append(Settlement(operation.id, lease, _refused(refusal, now)))
                continue
            try:
                _freeze(operation, account, sending.namespace, book, now)
            except Invalid as wrong:
                news.append(Settlement(operation.id, lease, Refused(Answer(code=wrong.code, message=wrong.message))))
                continue
            purchase_id = facts.purchase.provider_id if facts.purchase else None
            calls.append(call_for(operation, tokens.get(operation.id), purchase_id))
    return calls, news


def gate_refusal(facts: Facts, now: datetime) -> Refusal | None:
    """Why this operation must not be sent at `now`, or None. A decision over values, without any effect."""
    if facts.account_halted:
        return Refusal("the provider account is stopped", final=False)
    if facts.operation.kind == OperationKind.PURCHASE:
        return _purchase_refusal(facts, now)
    purchase = facts.purchase
    if purchase is None or purchase.provider_id is None:
        return Refusal("there is no purchase to act upon", final=True)
    if facts.operation.kind == OperationKind.CAPTURE:
        takeable = purchase.authorization in (Authorization.AUTHORIZED, Authorization.PART_CAPTURED)
        wanted = facts.invoice.status == InvoiceStatus.OPEN and purchase.standing == Standing.LIVE
        return None if takeable and wanted else Refusal("the authorization or its invoice is closed", final=True)
    if facts.operation.kind == OperationKind.VOID:
        live = purchase.standing == Standing.LIVE and purchase.authorization in (
            Authorization.AUTHORIZED,
            Authorization.PENDING_REVIEW,
        )
        return None if live else Refusal("there is nothing left to give back", final=True)
    captured = facts.capture is not None and facts.capture.status == OperationStatus.SUCCEEDED
    return None if captured else Refusal("there is no capture to act upon", final=True)


def _purchase_refusal(facts: Facts, now: datetime) -> Refusal | None:
    invoice, subscription, token = facts.invoice, facts.subscription, facts.token
    due = amount_due(invoice)
    if invoice.status != InvoiceStatus.OPEN or due != facts.operation.amount:
        return Refusal("the invoice is no longer open with this amount", final=True)
    if subscription.status == SubscriptionStatus.ENDED:
        return Refusal("the subscription has ended", final=True)
    if subscription.cancel_at is not None and subscription.cancel_at <= now:
        return Refusal("the subscription is canceled", final=True)
    if subscription.status == SubscriptionStatus.PAUSED or subscription.hold or subscription.review_reason:
        return Refusal("the subscription is held", final=False)
    if token is None or token.status in (TokenStatus.REVOKED, TokenStatus.ERASED):
        return Refusal("the token is gone", final=True, as_decline="hard")
    if token.status == TokenStatus.SUSPENDED:
        return Refusal("the token is suspended", final=True, as_decline="suspended")
    return None


def _lease_too_short(operation: Operation, account: Account, now: datetime) -> bool:
    return operation.lease_until is None or operation.lease_until <= now + account.deadline


def _refused(refusal: Refusal, now: datetime) -> PutBack | Withdrawn:
    answer = Answer(code="gate", message=refusal.reason)
    if refusal.final:
        return Withdrawn(answer, refusal.as_decline)
    return PutBack(now if refusal.at_once else now + RETRY_CLOSED_GATE, answer)


def _look(session: Session, operations: Sequence[Operation]) -> list[tuple[Facts, OrderBook]]:
    """Lock the subscriptions (shared) and the operations, then read what the decision needs as it stands now."""
    if session.get_bind().dialect.name != "sqlite":
        subscription_store.lock_shared(session, [op.subscription_id for op in operations])
    book = read_order_book(session, [op.id for op in operations])
    return [
        (
            Facts(
                op,
                book.invoices[op.invoice_id],
                book.subscriptions[op.subscription_id],
                book.tokens.get(op.token_id) if op.token_id else None,
                book.acted_upon.get(op.purchase_id) if op.purchase_id else None,
                book.acted_upon.get(op.capture_id) if op.capture_id else None,
                op.provider_account in book.halted,
            ),
            book,
        )
        for op in book.chosen
    ]


def _freeze(operation: Operation, account: Account, namespace: UUID, book: OrderBook, now: datetime) -> None:
    """Make the row what it will be for ever: key, reference, bytes, digest, and the instant of its first send."""
    kind = OperationKind(operation.kind)
    token_id = operation.token_id if kind is OperationKind.PURCHASE else None
    key = operation_key(namespace, kind, operation.subject, operation.n, operation.amount, operation.currency, token_id)
    request = account.gateway.prepare(order_for(operation, book, merchant_reference(key)))
    operation.key, operation.merchant_reference = key, merchant_reference(key)
    operation.request_method, operation.request_path, operation.request = request.method, request.path, request.body
    operation.request_sha256 = hashlib.sha256(request.body).hexdigest()
    operation.status, operation.sent_at, operation.sends = OperationStatus.SENDING.value, now, 1
    # Whoever finds this row after a crash asks about it once the lease is over.
    operation.next_check_at = operation.lease_until
