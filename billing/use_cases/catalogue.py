"""What is offered and who buys it: plans, prices with their article lines, customers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import select

from billing.domain.errors import AlreadyExists, Invalid, PlanArchived
from billing.domain.periods import BillingCycle, Interval, check_zone
from billing.domain.pricing import PriceItem, check_items
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.customers import Customer, customer_by_reference
from billing.store.engine import Database
from billing.store.plans import Emailing, Exhausted, NumberOn, Plan, Price, PriceItemRow
from billing.use_cases.recording import Record, nothing


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A plan as the merchant describes it; `reference` is the merchant's own name for it and unique."""

    reference: str
    name: str
    number_on: NumberOn = NumberOn.CAPTURE
    emailing: Emailing = Emailing.PROVIDER_DEFAULT
    exhausted: Exhausted = Exhausted.CANCEL
    trial_days: int = 0


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price as the merchant describes it; amounts in minor units of `currency`, tax included."""

    plan_id: UUID
    currency: str
    interval: Interval
    interval_count: int
    items: Sequence[PriceItem]
    month_end: bool = False


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A customer as the merchant describes them; `zone` is an IANA name and rules their calendar."""

    reference: str
    name: str
    email: str | None
    country: str
    zone: str
    locale: str


def create_plan(database: Database, ids: Ids, now: datetime, new: NewPlan, record: Record[Plan] = nothing) -> Plan:
    """A plan. Raises `AlreadyExists` for a reference in use and `Invalid` for an impossible trial."""
    if not 0 <= new.trial_days <= 730:
        raise Invalid(f"a trial of {new.trial_days} days; possible are 0 to 730", where="trial_days")
    with database.tx() as session:
        if session.exec(select(Plan.id).where(Plan.reference == new.reference)).first():
            raise AlreadyExists("there is a plan of this reference already", where="reference")
        plan = Plan(
            id=ids.new(),
            reference=new.reference,
            name=new.name,
            number_on=new.number_on.value,
            emailing=new.emailing.value,
            exhausted=new.exhausted.value,
            trial_days=new.trial_days,
            created_at=now,
        )
        session.add(plan)
        session.flush()
        record(session, plan)
        return plan


def create_price(database: Database, ids: Ids, now: datetime, new: NewPrice, record: Record[Price] = nothing) -> Price:
    """A price of a plan with its article lines; never changed once written.

    Raises `Invalid` for an unknown plan, a currency that does not exist, a count that does not move or an impossible
    line, and `PlanArchived`.
    """
    check_items(new.items, new.currency)
    BillingCycle(new.interval, new.interval_count, now.date(), 1)
    with database.tx() as session:
        plan = session.get(Plan, new.plan_id)
        if plan is None:
            raise Invalid("there is no such plan", where="plan_id")
        if new.month_end and plan.trial_days:
            raise Invalid("a trial may end on any day, so its plan takes no price of month ends", where="month_end")
        if plan.archived_at is not None:
            raise PlanArchived(where="plan_id")
        batch = Batch(ids, now)
        price = Price(
            id=ids.new(),
            plan_id=new.plan_id,
            currency=new.currency,
            interval=new.interval.value,
            interval_count=new.interval_count,
            month_end=new.month_end,
            created_at=now,
        )
        session.add(price)
        _write_items(batch, price.id, new.items)
        batch.write(session)
        record(session, price)
        return price


def create_customer(
    database: Database, ids: Ids, now: datetime, new: NewCustomer, record: Record[Customer] = nothing
) -> Customer:
    """A customer. Raises `AlreadyExists` for a reference in use, `Invalid` for an unknown zone or country form."""
    check_zone(new.zone)
    if not (len(new.country) == 2 and new.country.isascii() and new.country.isupper()):
        raise Invalid("this is not a country code like 'SE'", where="country")
    with database.tx() as session:
        if customer_by_reference(session, new.reference) is not None:
            raise AlreadyExists("there is a customer of this reference already", where="reference")
        customer = Customer(
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
        )
