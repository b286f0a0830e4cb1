"""The gate: the one transaction that decides between a cancel and a charge, and freezes what will be sent.

A row passes when, with its subscription held locked, everything it stands for is still wanted. What passes is
`sending` from the commit on, with its bytes and key; nothing is sent that was not committed here. A row whose request
cannot be written goes to a person and holds up nobody.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Invalid
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import (
    CHARGES,
    MAY_BE_REPEATED_WHOLE,
    Authorization,
    OperationKind,
    OperationStatus,
    Standing,
    merchant_reference,
    operation_key,
)
from billing.domain.restores import RESTORED
from billing.domain.subscriptions import SubscriptionStatus
from billing.domain.tokens import Token
from billing.ports import Account, Answer, Call, Order, Refused
from billing.store import subscriptions as subscription_store
from billing.store.customers import StoredToken, TokenStatus
from billing.store.invoices import Invoice, amount_due
from billing.store.operations import Operation
from billing.store.restored import held_ids
from billing.store.subscriptions import Subscription
from billing.use_cases.brake import braked_charges
from billing.use_cases.gate_token import Refusal, Revocation, revocation_refusal, revocations
from billing.use_cases.halving import in_halves
from billing.use_cases.orders import OrderBook, order_for, order_to_revoke, read_order_book
from billing.use_cases.sending import OPENS_THE_TOKEN, Sending, call_for
from billing.use_cases.settle import PutBack, Settlement, Withdrawn
from billing.use_cases.settle_contradiction import CONTRADICTS


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
    account_rests: bool


RETRY_CLOSED_GATE = timedelta(hours=1)

BRAKED = Refusal("the customer was charged too often within a day", final=False)

FORGOTTEN = Refused(Answer(code=RESTORED, message="it may have been sent in the stretch that a restore has lost"))
"""What a person, or the provider's export, must say of it first."""


_NEEDS_AUTHORIZATION = {
    OperationKind.CAPTURE: (Authorization.AUTHORIZED, Authorization.PART_CAPTURED),
    OperationKind.AMEND: (Authorization.AUTHORIZED, Authorization.PART_CAPTURED),
    OperationKind.EXTEND: (Authorization.AUTHORIZED, Authorization.PART_CAPTURED),
    OperationKind.RELEASE: (Authorization.AUTHORIZED, Authorization.PART_CAPTURED),
    OperationKind.VOID: (Authorization.AUTHORIZED, Authorization.PENDING_REVIEW),
}
"""What acts on an authorization, and which it must be; everything else but a purchase acts on a capture."""

_MOVES_MONEY = (OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.REFUND)
"""What must wait while an invoice is held, by a dispute or by a person."""

_NEEDS_AN_OPEN_INVOICE = (OperationKind.CAPTURE, OperationKind.EXTEND)


def gate(
    sending: Sending, account: Account, operations: Sequence[Operation], lease: UUID, tokens: Mapping[UUID, Token]
) -> tuple[list[Call], list[Settlement]]:
    """Let through what is still wanted: the calls to make, and news about the rows that did not pass."""
    calls: list[Call] = []
    news: list[Settlement] = []

    def let_through(part: Sequence[Operation]) -> None:
        passed, refused = _one_window(sending, account, part, lease, tokens)
        calls.extend(passed)
        news.extend(refused)

    def park(operation: Operation, reason: str) -> None:
        answer = Answer(code="not_prepared", message=f"writing the request failed: {reason}")
        news.append(Settlement(operation.id, lease, Refused(answer)))

    in_halves(operations, let_through, park)
    return calls, news


def _one_window(
    sending: Sending, account: Account, operations: Sequence[Operation], lease: UUID, tokens: Mapping[UUID, Token]
) -> tuple[list[Call], list[Settlement]]:
    now = sending.clock.now()
    calls: list[Call] = []
    news: list[Settlement] = []
    with sending.database.tx() as session:
        forgotten = held_ids(session, [op.id for op in operations])
        braked = braked_charges(session, sending.ids, now, operations, sending.limits)
        for candidate in _look(session, operations, now):
            operation = candidate.operation
            if operation.status != OperationStatus.PLANNED or operation.lease_owner != lease:
                continue
            if operation.id in forgotten:
                news.append(Settlement(operation.id, lease, FORGOTTEN))
                continue
            refusal = BRAKED if operation.id in braked else candidate.refusal
            if refusal is None and _lease_too_short(operation, account, now):
                refusal = Refusal("the lease would end before the deadline", final=False, at_once=True)
            if refusal is None and operation.kind in OPENS_THE_TOKEN and operation.id not in tokens:
                # Its token woke up between the look and the gate: with a fresh claim it is opened first.
                refusal = Refusal("the token was not opened", final=False, at_once=True)
            if refusal is not None:
                news.append(Settlement(operation.id, lease, _refused(refusal, now)))
                continue
            try:
                _freeze(candidate, account, sending.namespace, now)
            except Invalid as wrong:
                news.append(Settlement(operation.id, lease, Refused(Answer(code=wrong.code, message=wrong.message))))
                continue
            calls.append(call_for(operation, tokens.get(operation.id), candidate.purchase_id))
    return calls, news


def gate_refusal(facts: Facts, now: datetime) -> Refusal | None:
    """Why this operation must not be sent at `now`, or None. A decision over values, without any effect."""
    if facts.account_halted:
        return Refusal("the provider account is stopped", final=False)
    if facts.account_rests and facts.operation.kind in CHARGES:
        # It is claimed again as soon as the breaker lets anything out.
        return Refusal("charging through the provider account rests", final=False, at_once=True)
    if facts.invoice.held_because is not None and facts.operation.kind in _MOVES_MONEY:
        return Refusal(f"the invoice is held: {facts.invoice.held_because}", final=False)
    if facts.operation.kind == OperationKind.PURCHASE:
        return _purchase_refusal(facts, now)
    kind, purchase = OperationKind(facts.operation.kind), facts.purchase
    if purchase is None or purchase.provider_id is None:
        return Refusal("there is no purchase to act upon", final=True)
    needed = _NEEDS_AUTHORIZATION.get(kind)
    if needed is None:
        captured = facts.capture is not None and facts.capture.status == OperationStatus.SUCCEEDED
        return None if captured else Refusal("there is no capture to act upon", final=True)
    is_one_too_many = kind is OperationKind.VOID and CONTRADICTS in purchase.details
    if (purchase.standing != Standing.LIVE and not is_one_too_many) or purchase.authorization not in needed:
        return Refusal("the authorization is closed", final=True)
    if kind in _NEEDS_AN_OPEN_INVOICE and facts.invoice.status != InvoiceStatus.OPEN:
        return Refusal("the authorization or its invoice is closed", final=True)
    if kind is OperationKind.CAPTURE and facts.operation.amount > (purchase.remaining or 0):
        return Refusal("more than what is left of the authorization", final=True)
    return None


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


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An operation before the gate: why it must not pass, or how its request is written."""

    operation: Operation
    refusal: Refusal | None
    order: Callable[[str], Order]
    purchase_id: str | None = None


def _look(session: Session, operations: Sequence[Operation], now: datetime) -> list[_Candidate]:
    """Lock the subscriptions (shared) and the operations, then read what the decision needs as it stands now."""
    about_invoices = [op for op in operations if op.subscription_id is not None]
    about_tokens = [op.id for op in operations if op.subscription_id is None]
    if session.get_bind().dialect.name != "sqlite":
        concerned = [op.subscription_id for op in about_invoices if op.subscription_id is not None]
        subscription_store.lock_shared(session, concerned)
    book = read_order_book(session, [op.id for op in about_invoices])
    found = [_candidate(op, book, now) for op in book.chosen]
    return found + [_of_token(revocation) for revocation in revocations(session, about_tokens)]


def _candidate(operation: Operation, book: OrderBook, now: datetime) -> _Candidate:
    invoice_id, subscription_id = operation.invoice_id, operation.subscription_id
    assert invoice_id is not None, "only a revocation has no invoice"
    assert subscription_id is not None, "only a revocation has no subscription"
    facts = Facts(
        operation,
        book.invoices[invoice_id],
        book.subscriptions[subscription_id],
        book.tokens.get(operation.token_id) if operation.token_id else None,
        book.acted_upon.get(operation.purchase_id) if operation.purchase_id else None,
        book.acted_upon.get(operation.capture_id) if operation.capture_id else None,
        operation.provider_account in book.halted,
        operation.provider_account in book.resting,
    )
    purchase_id = facts.purchase.provider_id if facts.purchase else None
    return _Candidate(
        operation,
        gate_refusal(facts, now),
        lambda reference: order_for(operation, book, reference),
        purchase_id,
    )


def _of_token(revocation: Revocation) -> _Candidate:
    operation = revocation.operation
    return _Candidate(
        operation, revocation_refusal(revocation), lambda reference: order_to_revoke(operation, reference)
    )


def _freeze(candidate: _Candidate, account: Account, namespace: UUID, now: datetime) -> None:
    """Make the row what it will be for ever: key, reference, bytes, digest, and the instant of its first send."""
    operation = candidate.operation
    kind = OperationKind(operation.kind)
    token_id = operation.token_id if kind is OperationKind.PURCHASE else None
    key = operation_key(namespace, kind, operation.subject, operation.n, operation.amount, operation.currency, token_id)
    order = candidate.order(merchant_reference(key))
    request = account.gateway.prepare(order)
    if kind in MAY_BE_REPEATED_WHOLE:
        # Whether these bytes may be sent twice is what they say, and not what the rows say by then.
        operation.details = {**operation.details, "is_whole": order.is_whole and not order.kept}
    operation.key, operation.merchant_reference = key, merchant_reference(key)
    operation.request_method, operation.request_path, operation.request = request.method, request.path, request.body
    operation.request_sha256 = hashlib.sha256(request.body).hexdigest()
    operation.status, operation.sent_at, operation.sends = OperationStatus.SENDING.value, now, 1
    # Whoever finds this row after a crash asks about it once the lease is over.
    operation.next_check_at = operation.lease_until
