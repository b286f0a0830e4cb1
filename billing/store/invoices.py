"""Invoices, their lines, credit notes, and the number series both are counted in."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, bindparam, text, update
from sqlmodel import Field, Session, SQLModel, col, select

from billing.domain.invoicing import InvoiceStatus
from billing.domain.periods import local_date
from billing.domain.pricing import CreditRule, Recognize
from billing.store.bulk import table_of
from billing.store.engine import UtcInstant, one_of

_RECURRING = "kind = 'recurring'"
_EXHAUSTS = "exhausts_at IS NOT NULL AND status = 'open'"
_REMINDS = "remind_at IS NOT NULL AND status = 'open'"
_RELEASES = "release_at IS NOT NULL"


class InvoiceKind(StrEnum):
    RECURRING = "recurring"
    CHANGE = "change"
    """What a change of plan or quantity costs at once."""
    MANUAL = "manual"


class PaymentState(StrEnum):
    NONE = "none"
    PENDING = "pending"
    UNKNOWN = "unknown"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


class DunningState(StrEnum):
    NONE = "none"
    RETRYING = "retrying"
    AWAITING_TOKEN = "awaiting_token"  # noqa: S105  (a state, not a secret)
    WAITING_TURN = "waiting_turn"
    HELD = "held"
    """A dispute is open, or a person stopped dunning: nothing is attempted."""
    EXHAUSTED = "exhausted"


class Invoice(SQLModel, table=True):
    __tablename__ = "invoices"
    __table_args__ = (
        one_of("kind", InvoiceKind),
        one_of("status", InvoiceStatus),
        one_of("payment_state", PaymentState),
        one_of("dunning_state", DunningState),
        UniqueConstraint("series_id", "number"),
        CheckConstraint(
            "captured + balance_used + paid_outside + carried + credited_open <= total", name="never_more_than_total"
        ),
        CheckConstraint("credited_open + credited_balance <= credited", name="credits_have_one_effect"),
        CheckConstraint(
            "balance_used >= 0 AND paid_outside >= 0 AND carried >= 0 AND disputed >= 0", name="payments_not_negative"
        ),
        CheckConstraint("refunded <= captured", name="refunded_within_captured"),
        CheckConstraint("(number IS NULL) = (series_id IS NULL)", name="number_has_its_series"),
        Index(
            "ix_invoices_one_recurring",
            "period_id",
            unique=True,
            sqlite_where=text(_RECURRING),
            postgresql_where=text(_RECURRING),
        ),
        Index("ix_invoices_exhausts", "exhausts_at", sqlite_where=text(_EXHAUSTS), postgresql_where=text(_EXHAUSTS)),
        Index("ix_invoices_reminds", "remind_at", sqlite_where=text(_REMINDS), postgresql_where=text(_REMINDS)),
        Index("ix_invoices_release", "release_at", sqlite_where=text(_RELEASES), postgresql_where=text(_RELEASES)),
    )

    id: UUID = Field(primary_key=True)
    kind: str = Field(max_length=16)
    subscription_id: UUID = Field(foreign_key="subscriptions.id", index=True)
    period_id: UUID = Field(foreign_key="periods.id")
    customer_id: UUID = Field(foreign_key="customers.id")
    provider_account: str = Field(max_length=64)
    currency: str = Field(max_length=3)
    country: str = Field(max_length=2)
    """Whose VAT it is; copied, since a customer who moves does not change what was billed."""
    status: str = Field(max_length=16)
    payment_state: str = Field(max_length=16)
    total: int
    tax_total: int
    captured: int = 0
    credited: int = 0
    credited_open: int = 0
    """The part of `credited` that lowered what was still open; the rest is paid back."""
    credited_balance: int = 0
    """The part of `credited` that became the customer's balance."""
    balance_used: int = 0
    paid_outside: int = 0
    carried: int = 0
    """Too little to charge: it stands as a line on the next invoice."""
    disputed: int = 0
    """What was lost to disputes: it can be refunded no more."""
    refunded: int = 0
    series_id: str | None = Field(default=None, max_length=32)
    number: int | None = None
    issue_date: date | None = None
    number_on: str = Field(max_length=16)
    dunning_state: str = Field(max_length=16)
    dunning_step: int = 0
    """Dunning attempts made; moved by trigger `dunning` alone (a new token or a person never costs a step)."""
    first_declined_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    exhausts_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    remind_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """When the customer is asked again for a token that can be charged."""
    held_because: str | None = Field(default=None, max_length=200)
    authorizations_lost: int = 0
    """Authorizations that ended before their capture; the second one goes to a person."""
    issued_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """When a document of it first left us; from then on it is never void."""
    overdue_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    release_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """When more of its deferred revenue is earned."""
    opened_at: datetime = Field(sa_type=UtcInstant)
    collect_at: datetime = Field(sa_type=UtcInstant)
    paid_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    closed_at: datetime | None = Field(default=None, sa_type=UtcInstant)


_LINE_KINDS = ("item", "setup", "adjustment", "carried", "balance")


class InvoiceLine(SQLModel, table=True):
    __tablename__ = "invoice_lines"
    __table_args__ = (
        UniqueConstraint("invoice_id", "position"),
        one_of("credit_rule", CreditRule),
        one_of("recognize", Recognize),
        one_of("kind", _LINE_KINDS),
        one_of("tax_treatment", ("standard", "reverse_charge", "outside_scope")),
        CheckConstraint("amount < 0 OR credited_amount + adjusted_amount <= amount", name="credit_within_line"),
        CheckConstraint("amount < 0 OR credited_tax + adjusted_tax <= tax_amount", name="credit_within_tax"),
        CheckConstraint("credited_quantity <= quantity", name="credit_within_quantity"),
        CheckConstraint("captured_quantity <= quantity", name="capture_within_quantity"),
        CheckConstraint("amount < 0 OR captured_amount <= amount", name="capture_within_line"),
    )

    id: UUID = Field(primary_key=True)
    invoice_id: UUID = Field(foreign_key="invoices.id")
    position: int
    article_number: str = Field(max_length=255)
    name: str = Field(max_length=255)
    quantity: int
    unit_amount: int
    amount: int
    tax_amount: int
    tax_rate: int
    credit_rule: str = Field(max_length=16)
    recognize: str = Field(max_length=16)
    derivation: str
    kind: str = Field(default="item", max_length=16)
    price_id: UUID | None = Field(default=None, foreign_key="prices.id")
    discount_amount: int = 0
    """What discounts took; `amount` is what is left."""
    starts_on: date | None = None
    ends_on: date | None = None
    """The local days that it pays for, `[starts_on, ends_on)`: its own denominator."""
    adjusts_line_id: UUID | None = Field(default=None, foreign_key="invoice_lines.id")
    """The line whose unused days this negative line takes back."""
    tax_treatment: str = Field(default="standard", max_length=16)
    credited_amount: int = 0
    credited_tax: int = 0
    credited_quantity: int = 0
    adjusted_amount: int = 0
    adjusted_tax: int = 0
    """What negative lines of later invoices took back of this one."""
    captured_amount: int = 0
    captured_quantity: int = 0
    dispatched_quantity: int = 0
    recognized_net: int = 0
    """Net that has become revenue."""


class CreditNote(SQLModel, table=True):
    __tablename__ = "credit_notes"
    __table_args__ = (UniqueConstraint("series_id", "number"),)

    id: UUID = Field(primary_key=True)
    invoice_id: UUID = Field(foreign_key="invoices.id", index=True)
    reason: str = Field(max_length=32)
    note: str | None = Field(default=None, max_length=500)
    currency: str = Field(max_length=3)
    total: int
    tax_total: int
    effect_open: int = 0
    effect_balance: int = 0
    effect_refund: int = 0
    """What the credit did, in this order: lowered what was open, became balance, is paid back."""
    series_id: str = Field(max_length=32)
    number: int
    issue_date: date
    refunded_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    created_at: datetime = Field(sa_type=UtcInstant)


class CreditNoteLine(SQLModel, table=True):
    __tablename__ = "credit_note_lines"

    id: UUID = Field(primary_key=True)
    credit_note_id: UUID = Field(foreign_key="credit_notes.id", index=True)
    line_id: UUID = Field(foreign_key="invoice_lines.id")
    position: int
    article_number: str = Field(max_length=255)
    name: str = Field(max_length=255)
    quantity: int
    amount: int
    tax_amount: int
    tax_rate: int
    how: str = Field(max_length=16)
    derivation: str


class Series(SQLModel, table=True):
    """One counter per document kind: gapless, since a number is taken in the transaction that uses it."""

    __tablename__ = "series"

    id: str = Field(primary_key=True, max_length=32)
    zone: str = Field(default="UTC", max_length=64)
    """The seller's zone: documents are dated by it."""
    next: int = 1
    last_date: date | None = None


_BY_ID = (
    select(Invoice)
    .where(col(Invoice.id).in_(bindparam("ids", expanding=True)))
    .order_by(col(Invoice.id))
    .with_for_update()
)
_LINES = (
    select(InvoiceLine)
    .where(col(InvoiceLine.invoice_id).in_(bindparam("ids", expanding=True)))
    .order_by(col(InvoiceLine.invoice_id), col(InvoiceLine.position))
)


def locked(session: Session, ids: Sequence[UUID]) -> dict[UUID, Invoice]:
    """Lock these invoices in id order."""
    if not ids:
        return {}
    rows = session.exec(_BY_ID, params={"ids": list(set(ids))}, execution_options={"populate_existing": True})
    return {row.id: row for row in rows}


def open_invoices(session: Session, subscription_ids: Sequence[UUID]) -> dict[UUID, list[Invoice]]:
    """The open recurring invoices of each subscription, oldest first."""
    query = (
        select(Invoice)
        .where(col(Invoice.subscription_id).in_(subscription_ids), Invoice.status == InvoiceStatus.OPEN.value)
        .order_by(col(Invoice.opened_at), col(Invoice.id))
    )
    found: dict[UUID, list[Invoice]] = {}
    for row in session.exec(query):
        found.setdefault(row.subscription_id, []).append(row)
    return found


def amount_due(invoice: Invoice) -> int:
    """What is still to be paid, in minor units: the total less everything that paid or lowered it."""
    paid = invoice.captured + invoice.balance_used + invoice.paid_outside + invoice.carried
    return invoice.total - invoice.credited_open - paid


def in_arrears(invoices: Sequence[Invoice]) -> list[Invoice]:
    """Those that were declined or wait behind one that was; one that is merely not yet captured is no arrear."""
    return [i for i in invoices if i.first_declined_at is not None or i.dunning_state != DunningState.NONE]


def lines_of(session: Session, invoice_ids: Sequence[UUID]) -> dict[UUID, list[InvoiceLine]]:
    found: dict[UUID, list[InvoiceLine]] = {}
    for row in session.exec(_LINES, params={"ids": list(invoice_ids)}):
        found.setdefault(row.invoice_id, []).append(row)
    return found


def adjusted_by(session: Session, invoice_ids: Sequence[UUID]) -> Sequence[UUID]:
    """The earlier invoices of whose lines these take something back: whoever undoes that locks them too."""
    lines, earlier = table_of(InvoiceLine), table_of(InvoiceLine).alias()
    query = select(earlier.c.invoice_id).join(lines, lines.c.adjusts_line_id == earlier.c.id)
    return session.exec(query.where(lines.c.invoice_id.in_(invoice_ids)).distinct()).all()


def credit_note_lines(session: Session, credit_note_ids: Sequence[UUID]) -> dict[UUID, list[CreditNoteLine]]:
    query = (
        select(CreditNoteLine)
        .where(col(CreditNoteLine.credit_note_id).in_(credit_note_ids))
        .order_by(col(CreditNoteLine.position))
    )
    found: dict[UUID, list[CreditNoteLine]] = {}
    for row in session.exec(query):
        found.setdefault(row.credit_note_id, []).append(row)
    return found


def exhausted(session: Session, now: datetime, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """`(invoice, subscription)` of open invoices whose dunning has run out at or before `now`; nothing is locked."""
    return _due(session, col(Invoice.exhausts_at), now, limit)


def to_be_reminded(session: Session, now: datetime, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """`(invoice, subscription)` whose customer is asked for a token at or before `now`; nothing is locked."""
    return _due(session, col(Invoice.remind_at), now, limit)


def exhausted_from() -> Any:
    """As a subquery: the earliest instant at which the dunning of an open invoice has run out."""
    return _due_from(col(Invoice.exhausts_at))


def reminded_from() -> Any:
    """As a subquery: the earliest instant at which a customer is to be asked for a token."""
    return _due_from(col(Invoice.remind_at))


_NOT_PAUSED = text(
    "NOT EXISTS (SELECT 1 FROM customers c WHERE c.id = invoices.customer_id AND c.dunning_paused_at IS NOT NULL)"
    " AND NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = invoices.subscription_id AND s.status = 'paused')"
)


def _due(session: Session, at: Any, now: datetime, limit: int) -> Sequence[tuple[UUID, UUID]]:
    query = select(Invoice.id, Invoice.subscription_id).where(at.is_not(None), at <= now)
    query = query.where(Invoice.status == InvoiceStatus.OPEN.value, _NOT_PAUSED)
    return session.exec(query.order_by(at).limit(limit)).all()


def _due_from(at: Any) -> Any:
    due = (at.is_not(None), col(Invoice.status) == InvoiceStatus.OPEN.value, _NOT_PAUSED)
    return select(at).where(*due).order_by(at).limit(1).scalar_subquery()


def take_numbers(session: Session, series_id: str, count: int, now: datetime) -> tuple[int, date]:
    """Take `count` numbers in a row: `(the first, the issue date)`; dates never run backwards against numbers.

    The date is the seller's local one, whatever the customer's zone. Call it last in the transaction: the counter's
    row lock is what makes the series gapless, and everybody waits for it (billing rules, section 10).
    """
    table = table_of(Series)
    bumped = update(table).where(table.c.id == series_id).values(next=table.c.next + count)
    row = session.execute(bumped.returning(table.c.next, table.c.last_date, table.c.zone)).one()
    today = local_date(now, row.zone)
    if row.last_date is not None and row.last_date >= today:
        return row.next - count, row.last_date
    session.execute(update(table).where(table.c.id == series_id).values(last_date=today))
    return row.next - count, today


def of_period(session: Session, period_id: UUID) -> Invoice | None:
    """The recurring invoice of a period."""
    query = select(Invoice).where(Invoice.period_id == period_id, Invoice.kind == InvoiceKind.RECURRING.value)
    return session.exec(query).first()


def of_periods(session: Session, period_ids: Sequence[UUID]) -> Sequence[Invoice]:
    """Every invoice of these periods that still claims something or was paid, oldest first."""
    gone = (InvoiceStatus.VOID.value, InvoiceStatus.DISCARDED.value)
    query = select(Invoice).where(col(Invoice.period_id).in_(period_ids), col(Invoice.status).not_in(gone))
    return session.exec(query.order_by(col(Invoice.opened_at), col(Invoice.id))).all()


def of_subscription(session: Session, subscription_id: UUID) -> Sequence[Invoice]:
    """Every invoice that a subscription ever had, oldest first."""
    query = select(Invoice).where(Invoice.subscription_id == subscription_id)
    return session.exec(query.order_by(col(Invoice.opened_at), col(Invoice.id))).all()
