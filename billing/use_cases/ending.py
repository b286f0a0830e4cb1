"""How a subscription ends inside a period: what is void, what of the paid days is given back, which row closes.

Read from locked rows and decided here, for the verb (`cancel.py`) and for the step of the renewal loop alike; carried
out in the caller's transaction. Amounts are minor units of the invoice's currency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.credits import BilledLine, CreditDraft, GiveAs, credit_from, credit_whole
from billing.domain.errors import Conflict, Invalid, OutcomeUnknown
from billing.domain.invoicing import InvoiceStatus
from billing.domain.ledger import CreditEffect
from billing.domain.operations import MAY_BE_HAPPENING, OperationKind, Trigger
from billing.domain.periods import local_date
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store.batch import Batch
from billing.store.invoices import Invoice, InvoiceKind
from billing.store.operations import Operation
from billing.store.periods import PeriodRow, latest_period
from billing.store.plans import Plan, Proration
from billing.store.subscriptions import Subscription
from billing.use_cases.access import follow_state
from billing.use_cases.change_lines import running_period
from billing.use_cases.crediting import Terms, billed_lines, grant_credit, planned_effect
from billing.use_cases.pausing import close_early
from billing.use_cases.settle_scene import Scene
from billing.use_cases.voiding import void


class CreditPolicy(StrEnum):
    """What becomes of the unused part of a paid period: nothing, the customer's balance, or paid back."""

    NONE = "none"
    CREDIT = "credit"
    REFUND = "refund"


_GIVES = {CreditPolicy.CREDIT: GiveAs.BALANCE, CreditPolicy.REFUND: GiveAs.REFUND}


@dataclass(frozen=True, slots=True)
class EndTerms:
    """What an end gives back: by `credit` the unused days and `unshipped` units, or everything (a withdrawal)."""

    credit: CreditPolicy
    unshipped: Mapping[str, int] = field(default_factory=dict)
    note: str | None = None
    is_withdrawal: bool = False

    def as_json(self) -> dict[str, Any]:
        """The form in which it waits in the subscription's row."""
        return {"credit": self.credit.value, "unshipped": dict(self.unshipped), "note": self.note}


@dataclass(frozen=True, slots=True)
class InvoiceCredit:
    """What is given back of one invoice, and how: lowered, as balance, or refunded; ids once it is granted."""

    invoice_id: UUID
    currency: str
    draft: CreditDraft
    effect: CreditEffect
    credit_note_id: UUID | None = None
    operation_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """An end at `at`: credits by invoice, invoices that become void, and how many days of how many were used."""

    at: datetime
    credits: tuple[InvoiceCredit, ...] = ()
    voided: tuple[UUID, ...] = ()
    used_days: int | None = None
    of_days: int | None = None


@dataclass(slots=True)
class EndCase:
    """Everything about one subscription that an end looks at, locked."""

    session: Session
    subscription: Subscription
    plan: Plan
    period: PeriodRow | None
    paid_by: Sequence[PeriodRow]
    unpaid: Sequence[Invoice]
    billed: Sequence[Invoice]
    operations: Sequence[Operation]

    def scene(self, batch: Batch, invoice: Invoice) -> Scene:
        """One of its invoices, as whoever credits it wants it."""
        own = [op for op in self.operations if op.invoice_id == invoice.id]
        return Scene(self.session, batch, batch.now, self.subscription, invoice, own, {})


def terms_from(row: dict[str, Any] | None, plan: Plan) -> EndTerms:
    """What was asked for, or else the plan's own policy."""
    if row is None:
        return EndTerms(CreditPolicy(plan.cancel_credit))
    return EndTerms(CreditPolicy(row["credit"]), row["unshipped"], row["note"])


def read_end(session: Session, subscription: Subscription, *, every_invoice: bool = False) -> EndCase:
    """Lock the subscription's invoices and their operations; `subscription` is held locked.

    `billed` are the invoices of the running period, or every one the subscription ever had.
    """
    plan = session.get_one(Plan, subscription.plan_id)
    period = latest_period(session, subscription.id)
    paid_by = running_period(session, period, plan.proration).paid_by if period is not None else ()
    unpaid = invoice_store.open_invoices(session, [subscription.id]).get(subscription.id, [])
    if every_invoice:
        billed = invoice_store.of_subscription(session, subscription.id)
    else:
        billed = invoice_store.of_periods(session, [row.id for row in paid_by])
    wanted = list({invoice.id for invoice in (*unpaid, *billed)})
    invoice_store.locked(session, [*wanted, *invoice_store.adjusted_by(session, wanted)])
    operations = operation_store.of_invoices(session, wanted, lock=True) if wanted else ()
    return EndCase(session, subscription, plan, period, paid_by, unpaid, billed, operations)


def planned_end(batch: Batch, case: EndCase, terms: EndTerms, at: datetime) -> Ending:
    """The decision: nothing is changed here.

    Raises `OutcomeUnknown` while a capture may be under way, `Conflict` for an open invoice that is captured in part,
    `Invalid` or `CreditExceedsLine` for units that cannot be credited, `UnderDispute`.
    """
    for operation in case.operations:
        if operation.kind == OperationKind.CAPTURE and operation.status in MAY_BE_HAPPENING:
            raise OutcomeUnknown("a capture of the current invoice may be under way; try again once it is known")
    if any(invoice.captured for invoice in case.unpaid):
        raise Conflict("an open invoice is captured in part; capture or credit its rest first")
    voided = tuple(invoice.id for invoice in case.unpaid)
    if terms.credit is CreditPolicy.NONE:
        if terms.unshipped:
            raise Invalid("units are credited with `credit` = `refund` or `credit` only", where="unshipped")
        return Ending(at, voided=voided)
    paid = [invoice for invoice in case.billed if invoice.status == InvoiceStatus.PAID and invoice.total]
    credits_ = [credit for invoice in paid if (credit := _credit(batch, case, invoice, terms, at)) is not None]
    used, whole = _used(case, at) if paid and not terms.is_withdrawal else (None, None)
    return Ending(at, tuple(credits_), voided, used, whole)


def carry_out_end(batch: Batch, case: EndCase, terms: EndTerms, ending: Ending, event: SubscriptionEvent) -> Ending:
    """End the subscription as planned; returns the plan with the ids of what was granted."""
    subscription, session = case.subscription, case.session
    for invoice in case.unpaid:
        own = [op for op in case.operations if op.invoice_id == invoice.id]
        void(session, batch, subscription, invoice, own, "the subscription was canceled")
    subscription.status = next_status(SubscriptionStatus(subscription.status), event).value
    subscription.cancel_at = subscription.ended_at = ending.at
    subscription.end_reason = "canceled"
    subscription.next_period_at = subscription.token_check_at = subscription.pending_change = None
    subscription.pause_at = subscription.resume_at = subscription.gate_expires_at = None
    if case.period is not None:
        close_early(case.period, ending.at, "canceled")
    batch.event(subscription, "subscription.ended", reason="canceled")
    follow_state(batch, subscription)
    return replace(ending, credits=tuple(_granted(batch, case, terms, credit) for credit in ending.credits))


def _credit(batch: Batch, case: EndCase, invoice: Invoice, terms: EndTerms, at: datetime) -> InvoiceCredit | None:
    lines = [_after_voids(case, line) for line in billed_lines(case.session, invoice)]
    if terms.is_withdrawal:
        draft = credit_whole(lines)
    else:
        unshipped = terms.unshipped if invoice.kind == InvoiceKind.RECURRING else {}
        draft = credit_from(lines, _first_unused(case, invoice, at), unshipped)
    if draft.total <= 0:
        return None
    effect = planned_effect(case.scene(batch, invoice), draft, _GIVES[terms.credit])
    return InvoiceCredit(invoice.id, invoice.currency, draft, effect)


def _after_voids(case: EndCase, line: BilledLine) -> BilledLine:
    """What an unpaid invoice took back of the line is its own again, since that invoice becomes void."""
    billed = invoice_store.lines_of(case.session, [invoice.id for invoice in case.unpaid]).values()
    back = [row for rows in billed for row in rows if row.adjusts_line_id == line.line_id]
    amount = sum(row.amount - row.credited_amount for row in back)
    tax_amount = sum(row.tax_amount - row.credited_tax for row in back)
    return replace(line, adjusted_amount=line.adjusted_amount + amount, adjusted_tax=line.adjusted_tax + tax_amount)


def _granted(batch: Batch, case: EndCase, terms: EndTerms, credit: InvoiceCredit) -> InvoiceCredit:
    scene = case.scene(batch, next(invoice for invoice in case.billed if invoice.id == credit.invoice_id))
    reason = "withdrawal" if terms.is_withdrawal else "canceled"
    granted = grant_credit(scene, credit.draft, Terms(reason, terms.note, Trigger.CANCEL, _GIVES[terms.credit]))
    assert not scene.to_number, "a paid invoice has its number"
    return replace(credit, credit_note_id=granted.credit_note.id, operation_ids=tuple(granted.operation_ids))


def _first_unused(case: EndCase, invoice: Invoice, at: datetime) -> date:
    """The first local day that is not used, in the calendar of the invoice: a pause may have moved its days since."""
    period = case.period
    assert period is not None, "what was billed has a period"
    if case.plan.proration == Proration.NONE:
        return date.max
    row = next((row for row in case.paid_by if row.id == invoice.period_id), period)
    return _last_day(period, at) - (_virtual_start(period) - _virtual_start(row))


def _used(case: EndCase, at: datetime) -> tuple[int, int]:
    period = case.period
    assert period is not None, "what was billed has a period"
    used = period.offset_days + (_last_day(period, at) - period.start_date).days
    return min(max(used, 0), period.full_days), period.full_days


def _last_day(period: PeriodRow, at: datetime) -> date:
    """The day of the end is not used; nor is any from the day on at which a pause has closed the row."""
    return min(max(local_date(at, period.zone), period.start_date), period.end_date)


def _virtual_start(row: PeriodRow) -> date:
    return row.start_date - timedelta(days=row.offset_days)
