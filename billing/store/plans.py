"""Plans, their prices and the article lines of a price. A price in use is never changed."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, bindparam, text
from sqlmodel import Field, Session, SQLModel, col, select

from billing.domain.dunning import LADDER, TERMINAL_DAY
from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule, Offer, Phase, PriceItem, Recognize
from billing.store.engine import JSONX, UtcInstant, one_of


class NumberOn(StrEnum):
    CAPTURE = "capture"
    OPEN = "open"


class Emailing(StrEnum):
    PROVIDER_DEFAULT = "provider_default"
    PROVIDER_AGAIN = "provider_again"
    OURS = "ours"
    NONE = "none"


class Exhausted(StrEnum):
    CANCEL = "cancel"
    UNPAID = "unpaid"
    MANUAL = "manual"


class AnchorPolicy(StrEnum):
    """Where the paid calendar of a trial is anchored: where the trial ends, or where it began."""

    CONVERSION = "conversion"
    SIGNUP = "signup"


class MissingToken(StrEnum):
    """What becomes of a trial that ends without a token that can be charged."""

    PAUSE = "pause"
    CANCEL = "cancel"
    INVOICE_ONLY = "invoice_only"


class CaptureMode(StrEnum):
    """When an authorization is captured: by itself, when articles are reported as sent, or by a person's call."""

    AUTOMATIC = "automatic"
    ON_DISPATCH = "on_dispatch"
    MANUAL = "manual"


class Proration(StrEnum):
    """The grain in which a part of a period is priced."""

    DAY = "day"
    SECOND = "second"
    NONE = "none"


class CancelCredit(StrEnum):
    """What becomes of the unused part of a paid period that is canceled now."""

    NONE = "none"
    CREDIT = "credit"
    REFUND = "refund"


class ZeroInvoices(StrEnum):
    """An invoice over nothing is paid at once with its number, or not written at all."""

    PAID = "paid"
    SUPPRESSED = "suppressed"


class Whom(StrEnum):
    """Whose price a replacement is: everybody's, or only that of subscriptions to come."""

    ALL = "all"
    NEW_ONLY = "new_only"


class Consent(StrEnum):
    """What a customer says to a new price: nothing, yes before it holds, or no if they do not want it."""

    NONE = "none"
    OPT_IN = "opt_in"
    OPT_OUT = "opt_out"


_UNDONE = "due_at IS NOT NULL"
_MODES = ("charge_now", "next_invoice", "at_period_end", "full_and_reset")


class Plan(SQLModel, table=True):
    __tablename__ = "plans"
    __table_args__ = (
        one_of("number_on", NumberOn),
        one_of("emailing", Emailing),
        one_of("exhausted", Exhausted),
        one_of("anchor_policy", AnchorPolicy),
        one_of("missing_token", MissingToken),
        one_of("capture", CaptureMode),
        one_of("proration", Proration),
        one_of("cancel_credit", CancelCredit),
        one_of("zero_invoices", ZeroInvoices),
        one_of("upgrade_mode", _MODES),
        one_of("downgrade_mode", _MODES),
        one_of("quantity_up_mode", _MODES),
        one_of("quantity_down_mode", _MODES),
        one_of("longer_interval_mode", _MODES),
        one_of("shorter_interval_mode", _MODES),
        CheckConstraint("trial_days BETWEEN 0 AND 730", name="trial_days_bounded"),
        CheckConstraint("term_cycles IS NULL OR term_cycles >= 1", name="term_cycles_positive"),
        CheckConstraint("minimum_cycles >= 0 AND notice_days >= 0", name="terms_not_negative"),
    )

    id: UUID = Field(primary_key=True)
    reference: str = Field(max_length=200, unique=True)
    name: str = Field(max_length=255)
    number_on: str = Field(max_length=16)
    """When an invoice takes its number: charged by token at capture, so that a declined renewal takes none."""
    emailing: str = Field(max_length=24)
    exhausted: str = Field(max_length=16)
    """What the end of the dunning ladder does to the subscription."""
    trial_days: int = 0
    anchor_policy: str = Field(default=AnchorPolicy.CONVERSION.value, max_length=16)
    missing_token: str = Field(default=MissingToken.PAUSE.value, max_length=16)
    capture: str = Field(default=CaptureMode.AUTOMATIC.value, max_length=16)
    capture_delay_minutes: int = 31
    """Minutes from the settled purchase to its capture; the provider takes none in the first 30."""
    proration: str = Field(default=Proration.DAY.value, max_length=8)
    cancel_credit: str = Field(default=CancelCredit.NONE.value, max_length=8)
    zero_invoices: str = Field(default=ZeroInvoices.PAID.value, max_length=16)
    upgrade_mode: str = Field(default="charge_now", max_length=16)
    downgrade_mode: str = Field(default="at_period_end", max_length=16)
    quantity_up_mode: str = Field(default="charge_now", max_length=16)
    quantity_down_mode: str = Field(default="at_period_end", max_length=16)
    longer_interval_mode: str = Field(default="full_and_reset", max_length=16)
    shorter_interval_mode: str = Field(default="at_period_end", max_length=16)
    term_cycles: int | None = None
    """A limited term ends after so many paid cycles; it is counted, never compared by date."""
    minimum_cycles: int = 0
    notice_days: int = 0
    pause_in_minimum_term: bool = False
    pause_days_max: int | None = None
    payment_gated: bool = False
    """The subscription starts with its first authorization, not before."""
    gate_hours: int = 24
    dunning_days: list[int] = Field(default_factory=lambda: list(LADDER), sa_type=JSONX)
    dunning_terminal_day: int = TERMINAL_DAY
    grace_days: int = 7
    """How long an unpaid customer keeps access."""
    archived_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    created_at: datetime = Field(sa_type=UtcInstant)


class Price(SQLModel, table=True):
    __tablename__ = "prices"
    __table_args__ = (
        one_of("interval", Interval),
        CheckConstraint("interval_count BETWEEN 1 AND 120", name="interval_count_bounded"),
    )

    id: UUID = Field(primary_key=True)
    plan_id: UUID = Field(foreign_key="plans.id", index=True)
    currency: str = Field(max_length=3)
    interval: str = Field(max_length=8)
    interval_count: int
    month_end: bool = False
    """Bill to the last day of every month instead of the anchor day."""
    tax_included: bool = True
    phases: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONX)
    """Introductory phases in their order: `{"cycles": 3, "unit_amounts": {"BASE": 990}}`."""
    replaced_by_id: UUID | None = Field(default=None, foreign_key="prices.id")
    """New subscriptions are refused from here on; existing ones follow their own pending change."""
    created_at: datetime = Field(sa_type=UtcInstant)


class PriceItemRow(SQLModel, table=True):
    __tablename__ = "price_items"
    __table_args__ = (
        UniqueConstraint("price_id", "position"),
        one_of("credit_rule", CreditRule),
        one_of("recognize", Recognize),
        CheckConstraint("quantity >= 1", name="quantity_positive"),
        CheckConstraint("unit_amount >= 0", name="unit_amount_positive"),
    )

    id: UUID = Field(primary_key=True)
    price_id: UUID = Field(foreign_key="prices.id")
    position: int
    article_number: str = Field(max_length=255)
    name: str = Field(max_length=255)
    quantity: int
    unit_amount: int
    tax_rate: int
    """Basis points: 2500 is 25 %."""
    tax_code: str | None = Field(default=None, max_length=32)
    """Looked up by the customer's country and the day of supply, in place of the fixed rate."""
    once: bool = False
    """Charged with the first paid period only: a setup fee."""
    credit_rule: str = Field(max_length=16)
    recognize: str = Field(max_length=16)


class PriceReplacement(SQLModel, table=True):
    """That a price is followed by another: from when, for whom, and how far its subscriptions have been told."""

    __tablename__ = "price_replacements"
    __table_args__ = (
        one_of("whom", Whom),
        one_of("consent", Consent),
        CheckConstraint("notice_days >= 0", name="notice_not_negative"),
        Index("ix_price_replacements_due", "due_at", sqlite_where=text(_UNDONE), postgresql_where=text(_UNDONE)),
    )

    id: UUID = Field(primary_key=True)
    price_id: UUID = Field(foreign_key="prices.id", unique=True)
    new_price_id: UUID = Field(foreign_key="prices.id")
    from_date: date
    """The local day, wherever the customer is, from which the first boundary takes the new price."""
    whom: str = Field(max_length=16)
    notice_days: int
    consent: str = Field(max_length=16)
    told_through: UUID | None = None
    """The last subscription that was dealt with, in the order of ids: where a batch goes on."""
    scheduled: int = 0
    passed_over: int = 0
    """Subscriptions with another change pending, which keep it."""
    due_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """Since when there is more to do; None once everybody was told."""
    created_at: datetime = Field(sa_type=UtcInstant)


_PLANS = select(Plan).where(col(Plan.id).in_(bindparam("ids", expanding=True)))


def items_of(session: Session, price_ids: Sequence[UUID]) -> dict[UUID, tuple[PriceItem, ...]]:
    """The article lines of each price, in their order."""
    query = select(PriceItemRow).where(col(PriceItemRow.price_id).in_(price_ids)).order_by(col(PriceItemRow.position))
    found: dict[UUID, list[PriceItem]] = {}
    for row in session.exec(query):
        found.setdefault(row.price_id, []).append(
            PriceItem(
                row.article_number,
                row.name,
                row.quantity,
                row.unit_amount,
                row.tax_rate,
                CreditRule(row.credit_rule),
                Recognize(row.recognize),
                row.tax_code,
                row.once,
            )
        )
    return {price_id: tuple(items) for price_id, items in found.items()}


def plans_by_id(session: Session, ids: Sequence[UUID]) -> dict[UUID, Plan]:
    return {row.id: row for row in session.exec(_PLANS, params={"ids": list(set(ids))})}


def prices_of(session: Session, plan_id: UUID) -> Sequence[Price]:
    return session.exec(select(Price).where(Price.plan_id == plan_id).order_by(col(Price.id))).all()


_PRICES = select(Price).where(col(Price.id).in_(bindparam("ids", expanding=True)))


def offers_of(session: Session, price_ids: Sequence[UUID]) -> dict[UUID, Offer]:
    """What each price offers: its lines, how its tax is stated, its introductory phases."""
    items = items_of(session, price_ids)
    return {
        row.id: offer_of(row, items.get(row.id, ())) for row in session.exec(_PRICES, params={"ids": list(price_ids)})
    }


def offer_of(price: Price, items: tuple[PriceItem, ...]) -> Offer:
    """A price as the domain reads it."""
    phases = tuple(Phase(phase["cycles"], phase["unit_amounts"]) for phase in price.phases)
    return Offer(price.currency, items, price.tax_included, phases)


def replacement_of(session: Session, price_id: UUID) -> PriceReplacement | None:
    """What follows this price, and for whom."""
    return session.exec(select(PriceReplacement).where(PriceReplacement.price_id == price_id)).first()


def unfinished_replacements(session: Session, limit: int) -> Sequence[PriceReplacement]:
    """Lock replacements of which not everybody has been told; rows locked elsewhere are left."""
    query = select(PriceReplacement).where(col(PriceReplacement.due_at).is_not(None))
    query = query.order_by(col(PriceReplacement.due_at)).limit(limit)
    return session.exec(query.with_for_update(skip_locked=True)).all()


def replacement_from() -> Any:
    """As a subquery: since when a replaced price has subscriptions that were not told."""
    at = col(PriceReplacement.due_at)
    return select(at).where(at.is_not(None)).order_by(at).limit(1).scalar_subquery()
