"""Reconcile: ask about every outcome that is not known, until it is (charging rules, section 3).

Where the operation acts on a known order, the order itself is read first; else, and where that shows nothing, the same
bytes go out again: under their key, or without one only where doing it twice does no harm. Whatever comes back goes
through `settle`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import update
from sqlmodel import Session, col, select

from billing.domain.operations import (
    WITHOUT_A_KEY,
    Authorization,
    OperationKind,
    OperationStatus,
    may_be_repeated,
)
from billing.ports import Answer, Declined, OrderState, Outcome, Refused, Succeeded, Unknown
from billing.store.bulk import table_of
from billing.store.operations import Operation, claim_unanswered, locked
from billing.store.paces import open_accounts
from billing.store.restored import held_ids
from billing.store.subscriptions import lock_shared
from billing.use_cases.ask_status import ask_status
from billing.use_cases.gate import FORGOTTEN
from billing.use_cases.lowering import moves_the_claim
from billing.use_cases.pacing import permitted
from billing.use_cases.second_look import nothing_is_left
from billing.use_cases.sending import OPENS_THE_TOKEN, Sending, call, call_for, reveal, windows
from billing.use_cases.settle import News, Settlement
from billing.use_cases.settle_purchase import REVIEW_POLLS

REQUESTS = 2
"""What a question may cost: the order is read, and where that shows nothing, the bytes go out again."""

KEY_LIFE = timedelta(hours=23)
"""The provider keeps a key for 24 h; no send under it comes later than this (charging rules, section 3)."""


def reconcile(sending: Sending) -> int:
    """Ask about what is due to be asked, one batch; returns how many operations were claimed (0: nothing is due)."""
    if not sending.may_send():
        return 0
    now = sending.clock.now()
    lease = sending.lease(now)
    with sending.database.tx() as session:
        accounts = open_accounts(session, now, list(sending.accounts))
        claimed = claim_unanswered(session, now, lease, accounts.anything, sending.database.batch_size)
        purchase_ids = _provider_ids(session, claimed) if claimed else {}
    for name, window in windows(claimed, sending.accounts):
        if name in accounts.counted:
            window = permitted(sending.database, sending.clock.now(), name, window, lease[0], requests=REQUESTS)
        if window:
            _ask_window(sending, name, window, lease[0], purchase_ids)
    return len(claimed)


def _provider_ids(session: Session, claimed: Sequence[Operation]) -> dict[UUID, str]:
    wanted = {op.purchase_id for op in claimed if op.purchase_id is not None}
    query = select(Operation.id, Operation.provider_id).where(col(Operation.id).in_(wanted))
    return {row[0]: row[1] for row in session.exec(query) if row[1] is not None}


def _ask_window(
    sending: Sending, name: str, window: Sequence[Operation], lease: UUID, purchase_ids: Mapping[UUID, str]
) -> None:
    account, now = sending.accounts[name], sending.clock.now()
    subject = {op.id: op.provider_id or purchase_ids.get(op.purchase_id or op.id) for op in window}
    orders = account.gateway.read_orders(sorted({order_id for order_id in subject.values() if order_id}))
    statuses = ask_status(sending, name, window)
    news: list[Settlement] = []
    silent: list[Operation] = []
    for op in window:
        found: News | None = statuses.get(op.id) or evidence(
            op, orders.get(subject[op.id] or ""), now, account.generation
        )
        if found is None and not may_be_repeated(account.generation, OperationKind(op.kind), is_whole=is_whole(op)):
            found = Refused(Answer(code="not_repeated", message="sent once, not found, and never to be sent twice"))
        if found is not None:
            news.append(Settlement(op.id, lease, found))
        else:
            silent.append(op)
    silent = _remembered(sending, silent, news, lease)
    sending.settle(news)
    _replay(sending, name, silent, lease, purchase_ids)


def _remembered(sending: Sending, silent: list[Operation], news: list[Settlement], lease: UUID) -> list[Operation]:
    """Those that may be sent again: after a restore nobody knows when each was sent last, nor what was answered."""
    if not silent:
        return silent
    with sending.database.tx() as session:
        forgotten = held_ids(session, [op.id for op in silent])
    news += [Settlement(op.id, lease, FORGOTTEN) for op in silent if op.id in forgotten]
    return [op for op in silent if op.id not in forgotten]


def is_whole(operation: Operation) -> bool:
    """Whether it takes or gives back all there is, as its frozen request says."""
    return bool(operation.details.get("is_whole", False))


def evidence(operation: Operation, order: OrderState | None, now: datetime, generation: str = "rest") -> Outcome | None:
    """What the order itself, or the age of the question, says about an operation; None where only asking helps."""
    if operation.authorization == Authorization.PENDING_REVIEW:
        return _reviewed(operation, order, now)
    if order is not None and (shown := shown_in_order(operation, order)) is not None:
        return shown
    knows_keys = generation != WITHOUT_A_KEY
    if knows_keys and operation.sent_at is not None and now - operation.sent_at > KEY_LIFE:
        return Refused(Answer(code="key_expired", message="no answer while the idempotency key was known"))
    return None


def shown_in_order(operation: Operation, order: OrderState) -> Outcome | None:
    """A capture or refund under our reference with our amount, or an order that is voided: it happened."""
    if operation.kind == OperationKind.VOID:
        return Succeeded(_read("order is voided")) if order.authorization == Authorization.VOIDED else None
    if operation.kind == OperationKind.RELEASE:
        return Succeeded(_read("nothing of the order is left")) if nothing_is_left(order) else None
    if operation.kind == OperationKind.AMEND and moves_the_claim(operation):
        is_so = (order.amount, order.currency) == (operation.amount, operation.currency)
        return Succeeded(_read("the order has this amount")) if is_so else None
    if operation.kind == OperationKind.EXTEND:
        ends_at = datetime.fromisoformat(operation.details["ends_at"])
        is_later = order.expires_at is not None and order.expires_at > ends_at
        return Succeeded(_read("the order ends later"), expires_at=order.expires_at) if is_later else None
    movements = {OperationKind.CAPTURE: order.captures, OperationKind.REFUND: order.refunds}.get(
        OperationKind(operation.kind), ()
    )
    for movement in movements:
        if movement.reference == operation.merchant_reference and movement.amount == operation.amount:
            return Succeeded(_read("found in the order"), movement.provider_id)
    return None


def _reviewed(operation: Operation, order: OrderState | None, now: datetime) -> Outcome:
    if order is not None and order.authorization == Authorization.AUTHORIZED:
        return Succeeded(
            _read("review accepted"), operation.provider_id, Authorization.AUTHORIZED.value, order.expires_at
        )
    if order is not None and order.authorization in (Authorization.REJECTED, Authorization.VOIDED):
        return Declined(_read("review rejected", code="REVIEW_REJECTED"), "soft")
    settled_at = operation.settled_at or now
    if any(settled_at + wait > now for wait in REVIEW_POLLS):
        return Unknown(_read("still under review"))
    return Refused(_read("no decision of the review", code="REVIEW_OVERDUE"))


def _locked_in_order(session: Session, operations: Sequence[Operation]) -> list[UUID]:
    """Lock as every writer does: subscriptions first (shared), then the operations by id."""
    if session.get_bind().dialect.name != "sqlite":
        lock_shared(session, [op.subscription_id for op in operations if op.subscription_id is not None])
    return list(locked(session, [op.id for op in operations]))


def _read(message: str, code: str | None = None) -> Answer:
    return Answer(code=code, message=message)


def _replay(
    sending: Sending, name: str, silent: Sequence[Operation], lease: UUID, purchase_ids: Mapping[UUID, str]
) -> None:
    """Send the frozen bytes again under their key; the count of sends is committed before they go."""
    if not silent:
        return
    tokens, shut = reveal(sending, silent, lease, again=True)
    sending.settle(shut)
    table = table_of(Operation)
    with sending.database.tx() as session:
        asked = _locked_in_order(session, silent)
        mine = set(
            session.scalars(
                update(table)
                .where(
                    table.c.id.in_(asked),
                    table.c.lease_owner == lease,
                    table.c.status.in_([OperationStatus.SENDING.value, OperationStatus.UNKNOWN.value]),
                )
                .values(sends=table.c.sends + 1, next_check_at=table.c.lease_until)
                .returning(table.c.id)
            )
        )
    sending.passed("replay.committed")
    calls = [
        call_for(op, tokens.get(op.id), purchase_ids.get(op.purchase_id) if op.purchase_id else None)
        for op in silent
        if op.id in mine and (op.kind not in OPENS_THE_TOKEN or op.id in tokens)
    ]
    call(sending, name, calls, lease)
