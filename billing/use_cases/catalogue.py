"""What is offered and who buys it: plans, prices with their article lines, customers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlmodel import Session, select

from billing.domain.changes import DEFAULT_MODES, ChangeMode, Direction
from billing.domain.dunning import LADDER, TERMINAL_DAY, Ladder
from billing.domain.errors import AlreadyExists, Invalid, PlanArchived
from billing.domain.periods import BillingCycle, Interval, check_zone
from billing.domain.pricing import Offer, Phase, PriceItem, check_offer
from billing.ports import Ids
from billing.store.accounts import currencies
from billing.store.batch import Batch
from billing.store.customers import Customer, customer_by_reference
from billing.store.engine import Database
from billing.store.plans import (
    AnchorPolicy,
    CancelCredit,
    CaptureMode,
    Emailing,
    Exhausted,
    MissingToken,
    NumberOn,
    Plan,
    Price,
    PriceItemRow,
    Proration,
    ZeroInvoices,
)
from billing.use_cases.recording import Record, nothing
from billing.use_cases.vat_ids import checked_vat_id

CAPTURE_EARLIEST_MINUTES = 30
"""The provider takes no capture earlier, but for one together with the purchase."""

_BOUNDS: Mapping[str, tuple[int, int]] = {
    "trial_days": (0, 730),
    "capture_delay_minutes": (0, 28 * 24 * 60),
    "term_cycles": (1, 10_000),
    "minimum_cycles": (0, 10_000),
    "notice_days": (0, 730),
    "pause_days_max": (1, 3_650),
    "gate_hours": (1, 720),
    "grace_days": (0, 365),
}


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A plan as the merchant describes it; `reference` is the merchant's own name for it and unique."""

    reference: str
    name: str
    number_on: NumberOn = NumberOn.CAPTURE
    emailing: Emailing = Emailing.PROVIDER_DEFAULT
    exhausted: Exhausted = Exhausted.CANCEL
    trial_days: int = 0
    anchor_policy: AnchorPolicy = AnchorPolicy.CONVERSION
    missing_token: MissingToken = MissingToken.PAUSE
    capture: CaptureMode = CaptureMode.AUTOMATIC
    capture_delay_minutes: int = 31
    proration: Proration = Proration.DAY
    cancel_credit: CancelCredit = CancelCredit.NONE
    zero_invoices: ZeroInvoices = ZeroInvoices.PAID
    upgrade_mode: ChangeMode = DEFAULT_MODES[Direction.UPGRADE]
    downgrade_mode: ChangeMode = DEFAULT_MODES[Direction.DOWNGRADE]
    quantity_up_mode: ChangeMode = DEFAULT_MODES[Direction.QUANTITY_UP]
    quantity_down_mode: ChangeMode = DEFAULT_MODES[Direction.QUANTITY_DOWN]
    longer_interval_mode: ChangeMode = DEFAULT_MODES[Direction.LONGER_INTERVAL]
    shorter_interval_mode: ChangeMode = DEFAULT_MODES[Direction.SHORTER_INTERVAL]
    term_cycles: int | None = None
    minimum_cycles: int = 0
    notice_days: int = 0
    pause_in_minimum_term: bool = False
    pause_days_max: int | None = None
    payment_gated: bool = False
    gate_hours: int = 24
    dunning_days: Sequence[int] = LADDER
    dunning_terminal_day: int = TERMINAL_DAY
    grace_days: int = 7


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price as the merchant describes it; amounts in minor units of `currency`, with their tax or without."""

    plan_id: UUID
    currency: str
    interval: Interval
    interval_count: int
    items: Sequence[PriceItem]
    month_end: bool = False
    tax_included: bool = True
    phases: Sequence[Phase] = ()

    @property
    def offer(self) -> Offer:
        """What it offers, as the domain reads it."""
        return Offer(self.currency, tuple(self.items), self.tax_included, tuple(self.phases))


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A customer as the merchant describes them; `zone` is an IANA name and rules their calendar."""

    reference: str
    name: str
    email: str | None
    country: str
    zone: str
    locale: str
    vat_id: str | None = None


def create_plan(database: Database, ids: Ids, now: datetime, new: NewPlan, record: Record[Plan] = nothing) -> Plan:
    """A plan. Raises `AlreadyExists` for a reference in use and `Invalid`, naming the field, for impossible rules."""
    check_plan(new)
    with database.tx() as session:
        if session.exec(select(Plan.id).where(Plan.reference == new.reference)).first():
            raise AlreadyExists("there is a plan of this reference already", where="reference")
        plan = Plan(id=ids.new(), created_at=now, **_columns(new))
        session.add(plan)
        session.flush()
        record(session, plan)
        return plan


def check_plan(new: NewPlan) -> None:
    """Raises `Invalid`, naming the field, where a rule of the plan cannot be kept."""
    for name, (low, high) in _BOUNDS.items():
        value = getattr(new, name)
        if value is not None and not low <= value <= high:
            raise Invalid(f"{value} is not possible here; possible are {low} to {high}", where=name)
    if 0 < new.capture_delay_minutes < CAPTURE_EARLIEST_MINUTES:
        raise Invalid(
            f"possible are 0 (at once) and from {CAPTURE_EARLIEST_MINUTES} minutes on", where="capture_delay_minutes"
        )
    if new.term_cycles is not None and new.term_cycles < new.minimum_cycles:
        raise Invalid("the term ends before the minimum term does", where="minimum_cycles")
    for name in ("longer_interval_mode", "shorter_interval_mode"):
        if getattr(new, name) not in (ChangeMode.AT_PERIOD_END, ChangeMode.FULL_AND_RESET):
            raise Invalid("another interval starts afresh (full_and_reset) or at the period's end", where=name)
    Ladder(tuple(new.dunning_days), new.dunning_terminal_day)


def create_price(database: Database, ids: Ids, now: datetime, new: NewPrice, record: Record[Price] = nothing) -> Price:
    """A price of a plan with its article lines; never changed once written.

    Raises `Invalid` for an unknown plan, a currency that does not exist or that no provider account takes, a count
    that does not move or an impossible line or phase, and `PlanArchived`.
    """
    check_price(new, now)
    with database.tx() as session:
        batch = Batch(ids, now)
        price = write_price(session, batch, new)
        batch.write(session)
        record(session, price)
        return price


def check_price(new: NewPrice, now: datetime) -> None:
    """Raises `Invalid`, naming the field, where anything of the price itself is impossible."""
    check_offer(new.offer)
    BillingCycle(new.interval, new.interval_count, now.date(), 1)


def write_price(session: Session, batch: Batch, new: NewPrice) -> Price:
    """A new price and its lines, in the caller's transaction. Raises what `create_price` raises of other rows."""
    plan = session.get(Plan, new.plan_id)
    if plan is None:
        raise Invalid("there is no such plan", where="plan_id")
    if new.month_end and plan.trial_days:
        raise Invalid("a trial may end on any day, so its plan takes no price of month ends", where="month_end")
    if plan.archived_at is not None:
        raise PlanArchived(where="plan_id")
    check_currency(session, new.currency)
    price = Price(
        id=batch.ids.new(),
        plan_id=new.plan_id,
        currency=new.currency,
        interval=new.interval.value,
        interval_count=new.interval_count,
        month_end=new.month_end,
        tax_included=new.tax_included,
        phases=[{"cycles": phase.cycles, "unit_amounts": dict(phase.unit_amounts)} for phase in new.phases],
        created_at=batch.now,
    )
    session.add(price)
    _write_items(batch, price.id, new.items)
    return price


def check_currency(session: Session, currency: str) -> None:
    """Raises `Invalid` where no provider account takes this currency; one that lists none takes all."""
    listed = currencies(session)
    if listed is not None and currency not in listed:
        raise Invalid(f"no provider account takes this currency; configured: {', '.join(listed)}", where="currency")


def create_customer(
    database: Database, ids: Ids, now: datetime, new: NewCustomer, record: Record[Customer] = nothing
) -> Customer:
    """A customer.

    Raises `AlreadyExists` for a reference in use, `Invalid` for an unknown zone, a wrong country form or VAT id.
    """
    check_zone(new.zone)
    if not (len(new.country) == 2 and new.country.isascii() and new.country.isupper()):
        raise Invalid("this is not a country code like 'SE'", where="country")
    vat_id = checked_vat_id(new.vat_id, new.country) if new.vat_id else None
    with database.tx() as session:
        if customer_by_reference(session, new.reference) is not None:
            raise AlreadyExists("there is a customer of this reference already", where="reference")
        customer = Customer(
            vat_id=vat_id,
            vat_id_checked_at=now if vat_id else None,
            id=ids.new(),
            reference=new.reference,
            name=new.name,
            email=new.email,
            country=new.country,
            zone=new.zone,
            locale=new.locale,
            created_at=now,
        )
        session.add(customer)
        session.flush()
        record(session, customer)
        return customer


def _columns(new: NewPlan) -> dict[str, Any]:
    values = {field.name: getattr(new, field.name) for field in fields(new)}
    plain = {name: value.value if isinstance(value, StrEnum) else value for name, value in values.items()}
    return {**plain, "dunning_days": list(new.dunning_days)}


def _write_items(batch: Batch, price_id: UUID, items: Sequence[PriceItem]) -> None:
    for position, item in enumerate(items, start=1):
        batch.add(
            PriceItemRow,
            price_id=price_id,
            position=position,
            article_number=item.article_number,
            name=item.name,
            quantity=item.quantity,
            unit_amount=item.unit_amount,
            tax_rate=item.tax_rate,
            credit_rule=item.credit_rule.value,
            recognize=item.recognize.value,
            tax_code=item.tax_code,
            once=item.once,
        )
