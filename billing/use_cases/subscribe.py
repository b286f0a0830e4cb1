"""Subscribe: a customer takes a price, charged through one of their tokens, from an instant on."""

from dataclasses import dataclass
from datetime import datetime, time
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import CurrencyMismatch, Invalid, PlanArchived
from billing.domain.periods import BillingCycle, Interval, instant_of, local_date, nth_period, stub_of
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.customers import Customer, StoredToken, TokenStatus
from billing.store.engine import Database
from billing.store.plans import Plan, Price
from billing.store.subscriptions import Subscription
from billing.use_cases.recording import Record, nothing


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """Who takes what. `start_at` is an aware instant; its local date in the customer's zone is the anchor."""

    customer_id: UUID
    price_id: UUID
    token_id: UUID
    start_at: datetime | None = None


def subscribe(
    database: Database, ids: Ids, now: datetime, new: NewSubscription, record: Record[Subscription] = nothing
) -> Subscription:
    """A subscription: `active` (or `trialing`) when it starts now, `pending` when later. The first period opens at
    the next tick at or after its start and is collected at once.

    Raises `Invalid` for an unknown customer, price or token, one token of another customer or no longer active, and a
    start more than one period back; `CurrencyMismatch` where token and price differ; `PlanArchived`.
    """
    with database.tx() as session:
        customer, price, token = _read(session, new)
        plan = session.get_one(Plan, price.plan_id)
        _check(new, customer, price, token, plan)
        batch = Batch(ids, now)
        subscription = _draft(ids.new(), customer, price, plan, token, new.start_at or now, now)
        _check_start(subscription, now)
        session.add(subscription)
        session.flush()
        batch.event(subscription, "subscription.created", status=subscription.status)
        batch.write(session)
        record(session, subscription)
        return subscription


def _read(session: Session, new: NewSubscription) -> tuple[Customer, Price, StoredToken]:
    customer = session.get(Customer, new.customer_id)
    price = session.get(Price, new.price_id)
    token = session.get(StoredToken, new.token_id)
    if customer is None:
        raise Invalid("there is no such customer", where="customer_id")
    if price is None:
        raise Invalid("there is no such price", where="price_id")
    if token is None:
        raise Invalid("there is no such token", where="token_id")
    return customer, price, token


def _check(new: NewSubscription, customer: Customer, price: Price, token: StoredToken, plan: Plan) -> None:
    if plan.archived_at is not None:
        raise PlanArchived(where="price_id")
    if token.customer_id != customer.id:
        raise Invalid("this token is another customer's", where="token_id")
    if token.status != TokenStatus.ACTIVE:
        raise Invalid(f"this token is {token.status}; an active one is needed", where="token_id")
    if token.currency != price.currency:
        raise CurrencyMismatch(
            f"the token charges {token.currency}, the price is in {price.currency}", where="token_id"
        )
    if new.start_at is not None and new.start_at.tzinfo is None:
        raise Invalid("an instant needs its zone, such as 2028-01-31T00:00:00Z", where="start_at")


def _draft(
    subscription_id: UUID,
    customer: Customer,
    price: Price,
    plan: Plan,
    token: StoredToken,
    start: datetime,
    now: datetime,
) -> Subscription:
    anchor = local_date(start, customer.zone)
    # A trial has a period of its own first, and so has everything that starts later: both wait as `pending`.
    waits = start > now or plan.trial_days > 0
    return Subscription(
        id=subscription_id,
        customer_id=customer.id,
        plan_id=plan.id,
        price_id=price.id,
        token_id=token.id,
        provider_account=token.provider_account,
        status=(SubscriptionStatus.PENDING if waits else SubscriptionStatus.ACTIVE).value,
        zone=customer.zone,
        anchor_date=anchor,
        anchor_day=anchor.day,
        month_end=price.month_end,
        interval=price.interval,
        interval_count=price.interval_count,
        next_period_at=start if start > now else instant_of(anchor, time.min, customer.zone),
        starts_at=start,
        trial_days=plan.trial_days,
        term_cycles=plan.term_cycles,
        notice_days=plan.notice_days,
        created_at=now,
    )


def _check_start(subscription: Subscription, now: datetime) -> None:
    """Raises `Invalid` for a start whose first period is over, or would be a part of one."""
    cycle = BillingCycle(
        Interval(subscription.interval),
        subscription.interval_count,
        subscription.anchor_date,
        subscription.anchor_day,
        subscription.month_end,
    )
    if stub_of(cycle) is not None:
        raise Invalid(
            f"this price bills to the last day of a month, and {subscription.anchor_date} is none; a first part of a"
            " month is not billed yet, so start on the last day of a month",
            where="start_at",
        )
    first = nth_period(cycle, 0, subscription.zone)
    if first.ends_at <= now:
        raise Invalid(
            f"a start on {subscription.anchor_date} lies more than one period back; the earliest start is in the"
            f" period that contains now",
            where="start_at",
        )
