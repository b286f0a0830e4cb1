"""What waits for a person, asked of each table; each question takes the largest amounts first, up to a limit."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, or_
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from billing.domain.decisions import REVIEW_OVERDUE, Verb
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import CHARGES, Authorization, OperationKind, OperationStatus
from billing.store.decisions import Decision
from billing.store.invoices import Invoice
from billing.store.operations import Operation
from billing.store.payments import Dispute, DisputeStatus
from billing.store.subscriptions import Subscription

_AT_PROVIDER = (
    Authorization.PENDING_REVIEW.value,
    Authorization.AUTHORIZED.value,
    Authorization.PART_CAPTURED.value,
    Authorization.CAPTURED.value,
)
_ASKED = (OperationStatus.SENDING.value, OperationStatus.UNKNOWN.value)
_ACKNOWLEDGED = exists().where(
    col(Decision.operation_id) == col(Operation.id), col(Decision.verb) == Verb.ACKNOWLEDGE.value
)


def waiting_operations(session: Session, limit: int) -> Sequence[Operation]:
    """Operations that need an operator, and purchases whose review is overdue."""
    is_overdue = (
        (col(Operation.answer_code) == REVIEW_OVERDUE)
        & (col(Operation.authorization) == Authorization.PENDING_REVIEW.value)
        & (col(Operation.status) == OperationStatus.SUCCEEDED.value)
    )
    query = select(Operation).where(or_(col(Operation.status) == OperationStatus.NEEDS_OPERATOR.value, is_overdue))
    return session.exec(query.order_by(col(Operation.amount).desc(), col(Operation.id)).limit(limit)).all()


def forgotten_operations(session: Session, since: datetime, limit: int) -> Sequence[Operation]:
    """Operations with an open question that was to be asked before `since`, and was not."""
    query = select(Operation).where(
        col(Operation.status).in_(_ASKED),
        or_(col(Operation.next_check_at).is_(None), col(Operation.next_check_at) < since),
    )
    return session.exec(query.order_by(col(Operation.amount).desc(), col(Operation.id)).limit(limit)).all()


def second_orders(session: Session, limit: int) -> Sequence[Operation]:
    """Orders one too many that nobody has given back or acknowledged yet."""
    query = select(Operation).where(
        Operation.kind == OperationKind.PURCHASE.value,
        Operation.origin == "external",
        col(Operation.authorization).in_(_AT_PROVIDER),
        ~_ACKNOWLEDGED,
    )
    return session.exec(query.order_by(col(Operation.amount).desc(), col(Operation.id)).limit(limit)).all()


def captures_at_no_risk(session: Session, limit: int) -> Sequence[Operation]:
    """Captures whose risk nobody carries for us, and that no person has acknowledged."""
    query = select(Operation).where(
        Operation.kind == OperationKind.CAPTURE.value,
        Operation.risk == "no_risk",
        Operation.status == OperationStatus.SUCCEEDED.value,
        ~_ACKNOWLEDGED,
    )
    return session.exec(query.order_by(col(Operation.amount).desc(), col(Operation.id)).limit(limit)).all()


def waiting_subscriptions(session: Session, limit: int) -> Sequence[Subscription]:
    """Subscriptions that a person must look at or that a person holds."""
    query = select(Subscription).where(
        or_(col(Subscription.review_reason).is_not(None), col(Subscription.hold).is_not(None)),
        Subscription.status != "ended",
    )
    return session.exec(query.order_by(col(Subscription.id)).limit(limit)).all()


def owed(session: Session, subscription_ids: Sequence[UUID]) -> dict[UUID, tuple[int, str]]:
    """What the open invoices of each subscription still claim, in minor units, with the largest currency's code."""
    due = (
        col(Invoice.total)
        - col(Invoice.credited_open)
        - col(Invoice.captured)
        - col(Invoice.balance_used)
        - col(Invoice.paid_outside)
        - col(Invoice.carried)
    )
    query = (
        sql_select(col(Invoice.subscription_id), col(Invoice.currency), func.sum(due))
        .where(col(Invoice.subscription_id).in_(subscription_ids), col(Invoice.status) == InvoiceStatus.OPEN.value)
        .group_by(col(Invoice.subscription_id), col(Invoice.currency))
    )
    found = sorted(session.execute(query), key=lambda row: int(row[2]))
    return {row[0]: (int(row[2]), row[1]) for row in found}


def held_invoices(session: Session, limit: int) -> Sequence[Invoice]:
    """Invoices that are held."""
    query = select(Invoice).where(col(Invoice.held_because).is_not(None))
    return session.exec(query.order_by(col(Invoice.total).desc(), col(Invoice.id)).limit(limit)).all()


def open_cases(session: Session, limit: int) -> Sequence[tuple[Dispute, Invoice]]:
    """Disputes that are not decided, each with its invoice."""
    query = select(Dispute, Invoice).join(Invoice, col(Invoice.id) == col(Dispute.invoice_id))
    query = query.where(Dispute.status == DisputeStatus.OPEN.value)
    return session.exec(query.order_by(col(Dispute.amount).desc(), col(Dispute.id)).limit(limit)).all()


def customers_of(session: Session, invoice_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The customer of each invoice."""
    query = select(Invoice.id, Invoice.customer_id).where(col(Invoice.id).in_(invoice_ids))
    return dict(session.exec(query).all())


def waiting_at(session: Session, account: str, now: datetime) -> dict[str, int]:
    """What is due to be charged through an account by `now`, by currency, in minor units."""
    query = (
        sql_select(col(Operation.currency), func.sum(col(Operation.amount)))
        .where(
            col(Operation.provider_account) == account,
            col(Operation.status) == OperationStatus.PLANNED.value,
            col(Operation.due_at) <= now,
            col(Operation.kind).in_([kind.value for kind in CHARGES]),
        )
        .group_by(col(Operation.currency))
    )
    return {row[0]: int(row[1]) for row in session.execute(query)}
