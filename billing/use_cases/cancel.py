"""Cancel: a subscription ends at the end of its period, or now with a credit for what was not used.

Preview and cancel share one planner, so that what is shown is what is done. Ending now drops what was planned and
voids what is unpaid in the same transaction; what may be happening at the provider is undone when it is settled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Session

from billing.domain.credits import CreditDraft, GiveAs, credit_unused
from billing.domain.errors import Conflict, Invalid, NotFound
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import OperationKind, OperationStatus, Trigger
from billing.domain.periods import local_date
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import Invoice
from billing.store.operations import Operation
from billing.store.periods import PeriodRow, latest_period
from billing.store.subscriptions import Subscription
from billing.use_cases.access import follow_state
from billing.use_cases.crediting import Terms, billed_lines, grant_credit, the_capture
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_scene import Scene
from billing.use_cases.voiding import void


class CancelAt(StrEnum):
    NOW = "now"
    PERIOD_END = "period_end"


class CreditPolicy(StrEnum):
    NONE = "none"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """When, whether unused days are paid back, and which units of goods were not shipped (by article number)."""

    at: CancelAt
    credit: CreditPolicy = CreditPolicy.NONE
    unshipped: Mapping[str, int] = field(default_factory=dict)
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What a cancel does or would do. Amounts in minor units of `currency`; no credit is an empty draft."""

    subscription_id: UUID
    at: CancelAt
    effective_at: datetime
    currency: str | None
    credit: CreditDraft
    credited_invoice_id: UUID | None
    used_days: int | None
    of_days: int | None
    voided_invoice_ids: Sequence[UUID]
    operation_id: UUID | None = None
    credit_note_id: UUID | None = None


@dataclass(slots=True)
class _Case:
    """Everything about one subscription that a cancel looks at, locked."""

    subscription: Subscription
    period: PeriodRow | None
    unpaid: Sequence[Invoice]
    current: Invoice | None
    operations: Sequence[Operation]


def preview_cancel(database: Database, now: datetime, subscription_id: UUID, request: CancelRequest) -> Cancellation:
    """What `cancel` would do at `now`, and nothing of it done. Raises what `cancel` raises."""
    with database.tx() as session:
        return _plan(session, _read(session, subscription_id), request, now)


def cancel(  # the same arguments as the preview, and what to record
    database: Database,
    ids: Ids,
    now: datetime,
    subscription_id: UUID,
    request: CancelRequest,
    record: Record[Cancellation] = nothing,
) -> Cancellation:
    """End a subscription.

    Raises `NotFound`; `TransitionNotAllowed` for one that has ended; `Conflict` while a capture may be under way;
    `Invalid` or `CreditExceedsLine` for units that cannot be credited.
    """
    with database.tx() as session:
        case = _read(session, subscription_id)
        planned = _plan(session, case, request, now)
        batch = Batch(ids, now)
        if request.at is CancelAt.PERIOD_END and case.period is not None:
            done = _mark_end(batch, case.subscription, planned)
        else:
            done = _end_now(session, batch, case, planned, request)
        batch.write(session)
        record(session, done)
        return done


def _read(session: Session, subscription_id: UUID) -> _Case:
    subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
    if subscription is None:
        raise NotFound("there is no such subscription")
    period = latest_period(session, subscription_id)
    unpaid = invoice_store.open_invoices(session, [subscription_id]).get(subscription_id, [])
    current = invoice_store.of_period(session, period.id) if period is not None else None
    wanted = [invoice.id for invoice in unpaid] + ([current.id] if current is not None else [])
    invoice_store.locked(session, wanted)
    operations = operation_store.of_invoices(session, wanted, lock=True) if wanted else ()
    return _Case(subscription, period, unpaid, current, operations)


def _plan(session: Session, case: _Case, request: CancelRequest, now: datetime) -> Cancellation:
    """The decision, from locked rows: nothing is changed here."""
    at_end = request.at is CancelAt.PERIOD_END and case.period is not None
    event = SubscriptionEvent.CANCEL_AT_END if at_end else SubscriptionEvent.CANCEL_NOW
    next_status(SubscriptionStatus(case.subscription.status), event)
    if at_end:
        if request.unshipped or request.credit is not CreditPolicy.NONE:
            raise Invalid("a period that is used to its end has nothing to credit", where="credit")
        assert case.period is not None, "the end of a period needs one"
        return _cancellation(case, request.at, case.period.ends_at)
    for operation in case.operations:
        if operation.kind == OperationKind.CAPTURE and operation.status in (
            OperationStatus.SENDING,
            OperationStatus.UNKNOWN,
            OperationStatus.NEEDS_OPERATOR,
        ):
            raise Conflict("a capture of the current invoice may be under way; try again once it is known")
    credit, used = _credit(session, case, request, now)
    return _cancellation(case, CancelAt.NOW, now, credit, used, [invoice.id for invoice in case.unpaid])


def _cancellation(  # one constructor for the two ways to end
    case: _Case,
    at: CancelAt,
    effective_at: datetime,
    credit: CreditDraft | None = None,
    used_days: int | None = None,
    voided: Sequence[UUID] = (),
) -> Cancellation:
    credited = case.current if credit is not None and credit.lines else None
    return Cancellation(
        case.subscription.id,
        at,
        effective_at,
        case.current.currency if case.current else None,
        credit or CreditDraft(()),
        credited.id if credited else None,
        used_days,
        case.period.full_days if case.period is not None and used_days is not None else None,
        list(voided),
    )


def _credit(
    session: Session, case: _Case, request: CancelRequest, now: datetime
) -> tuple[CreditDraft | None, int | None]:
    """The unused part of the paid period: the day of the cancel is not used (billing rules, section 5)."""
    if request.credit is CreditPolicy.NONE:
        if request.unshipped:
            raise Invalid("units are credited with `credit` = `refund` only", where="unshipped")
        return None, None
    if (
        case.period is None
        or case.current is None
        or case.current.status != InvoiceStatus.PAID
        or not case.current.total
    ):
        return None, None
    today = local_date(now, case.period.zone)
    used = min(max((today - case.period.start_date).days, 0), case.period.full_days)
    lines = billed_lines(session, case.current)
    return credit_unused(lines, used, case.period.full_days, request.unshipped), used


def _mark_end(batch: Batch, subscription: Subscription, planned: Cancellation) -> Cancellation:
    event = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.CANCEL_AT_END)
    subscription.status, subscription.cancel_at = event.value, planned.effective_at
    batch.event(subscription, "subscription.cancel_scheduled", cancel_at=planned.effective_at.isoformat())
    return planned


def _end_now(
    session: Session, batch: Batch, case: _Case, planned: Cancellation, request: CancelRequest
) -> Cancellation:
    subscription = case.subscription
    for invoice in case.unpaid:
        own = [op for op in case.operations if op.invoice_id == invoice.id]
        void(session, batch, subscription, invoice, own, "the subscription was canceled")
    subscription.status = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.CANCEL_NOW).value
    subscription.cancel_at = subscription.ended_at = batch.now
    subscription.end_reason, subscription.next_period_at = "canceled", None
    if case.period is not None and case.period.ends_at > batch.now:
        _close_period(case.period, batch.now)
    batch.event(subscription, "subscription.ended", reason="canceled")
    follow_state(batch, subscription)
    if case.current is None or not planned.credit.lines:
        return planned
    operations = [op for op in case.operations if op.invoice_id == case.current.id]
    the_capture(operations)
    scene = Scene(session, batch, batch.now, subscription, case.current, operations, {})
    granted = grant_credit(scene, planned.credit, Terms("canceled", request.note, Trigger.CANCEL, GiveAs.REFUND))
    operation_id = next(iter(granted.operation_ids), None)
    return replace(planned, operation_id=operation_id, credit_note_id=granted.credit_note.id)


def _close_period(period: PeriodRow, now: datetime) -> None:
    period.original_ends_at = period.ends_at
    period.ends_at = max(now, period.starts_at)
    period.end_date = max(local_date(now, period.zone), period.start_date)
    period.reason = "canceled"
