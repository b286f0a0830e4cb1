"""Subscribe: a customer takes a price, charged through one of their tokens, from an instant on; or takes it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Conflict, CurrencyMismatch, Invalid, NotFound, PlanArchived
from billing.domain.ids import Prefix, shown
from billing.domain.periods import instant_of, local_date, nth_period
from billing.domain.pricing import check_offer
from billing.domain.subscriptions import Access, SubscriptionStatus
from billing.domain.terms import CatchUp
from billing.ports import Ids
from billing.store.accounts import ProviderAccount
from billing.store.batch import Batch
from billing.store.customers import Customer, StoredToken, TokenStatus
from billing.store.engine import Database
from billing.store.plans import Plan, Price, offers_of
from billing.store.subscriptions import Subscription
from billing.use_cases.change_later import token_covers
from billing.use_cases.recording import Record, nothing
from billing.use_cases.renewal_pass import cycle_of


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """Who takes what. `start_at` is an aware instant; its local date in the customer's zone is the anchor.

    A trial may start without a token, through the account it will be charged by. `quantities` go by article number,
    where they differ from the price's. `catch_up` says what becomes of periods of a backdated start that are over.
    """

    customer_id: UUID
    price_id: UUID
    token_id: UUID | None
    start_at: datetime | None = None
    provider_account: str | None = None
    quantities: Mapping[str, int] = field(default_factory=dict)
    catch_up: CatchUp | None = None
    has_trial: bool = True


@dataclass(frozen=True, slots=True)
class _Offered:
    """What a new subscription refers to."""

    customer: Customer
    price: Price
    plan: Plan
    token: StoredToken | None
    account: ProviderAccount


def subscribe(
    database: Database, ids: Ids, now: datetime, new: NewSubscription, record: Record[Subscription] = nothing
) -> Subscription:
    """A subscription: `active` when it starts now, `pending` when later, before a trial and before a first payment that
    it waits for. The first period opens at the next tick at or after its start and is collected at once.

    Raises `Invalid` for an unknown customer, price or token, a token of another customer, no longer active or signed
    for another interval, no token where there is no trial, impossible quantities, and a start more than one period back
    without a choice about it; `CurrencyMismatch` where token, account and price differ; `Conflict` for a price that
    was replaced; `PlanArchived`.
    """
    with database.tx() as session:
        offered = _read(session, new)
        _check(new, offered)
        batch = Batch(ids, now)
        subscription = _draft(ids.new(), offered, new, now)
        _check_terms(session, subscription, offered)
        _check_start(subscription, new, now)
        session.add(subscription)
        session.flush()
        batch.event(subscription, "subscription.created", status=subscription.status)
        batch.write(session)
        record(session, subscription)
        return subscription


def resubscribe(
    database: Database,
    ids: Ids,
    now: datetime,
    subscription_id: UUID,
    token_id: UUID | None = None,
    start_at: datetime | None = None,
    record: Record[Subscription] = nothing,
) -> Subscription:
    """A new subscription like one that has ended, with its token unless another is given; a trial is not given twice.

    Raises `NotFound`, `Conflict` where it has not ended, and what `subscribe` raises.
    """
    with database.tx() as session:
        ended = session.get(Subscription, subscription_id)
        if ended is None:
            raise NotFound("there is no such subscription")
        if ended.status != SubscriptionStatus.ENDED:
            raise Conflict(f"this subscription is {ended.status}; only one that has ended is taken again")
        new = NewSubscription(
            ended.customer_id,
            ended.price_id,
            token_id or ended.token_id,
            start_at,
            quantities=ended.quantities,
            has_trial=False,
        )
    return subscribe(database, ids, now, new, record)


def _read(session: Session, new: NewSubscription) -> _Offered:
    customer, price = session.get(Customer, new.customer_id), session.get(Price, new.price_id)
    if customer is None:
        raise Invalid("there is no such customer", where="customer_id")
    if price is None:
        raise Invalid("there is no such price", where="price_id")
    token = session.get(StoredToken, new.token_id) if new.token_id is not None else None
    if token is None and new.token_id is not None:
        raise Invalid("there is no such token", where="token_id")
    plan = session.get_one(Plan, price.plan_id)
    if token is None and not (plan.trial_days and new.has_trial):
        raise Invalid("a token is needed; only a plan with a trial starts without one", where="token_id")
    if token is None and new.provider_account is None:
        raise Invalid("without a token the account that will charge is needed", where="provider_account")
    account = session.get(ProviderAccount, token.provider_account if token is not None else new.provider_account)
    if account is None:
        raise Invalid("there is no such provider account", where="provider_account")
    return _Offered(customer, price, plan, token, account)


def _check(new: NewSubscription, offered: _Offered) -> None:
    price, token, account = offered.price, offered.token, offered.account
    if offered.plan.archived_at is not None:
        raise PlanArchived(where="price_id")
    if price.replaced_by_id is not None:
        successor = shown(Prefix.PRICE, price.replaced_by_id)
        raise Conflict(f"this price was replaced and takes no new subscriptions; take {successor}", where="price_id")
    if token is not None:
        _check_token(offered.customer, price, token)
    if new.provider_account not in (None, account.name):
        raise Invalid("the token is of another provider account", where="provider_account")
    if account.currencies and price.currency not in account.currencies:
        raise CurrencyMismatch(
            f"the account charges {', '.join(account.currencies)}, the price is in {price.currency}", where="price_id"
        )
    if new.start_at is not None and new.start_at.tzinfo is None:
        raise Invalid("an instant needs its zone, such as 2028-01-31T00:00:00Z", where="start_at")


def _check_token(customer: Customer, price: Price, token: StoredToken) -> None:
    if token.customer_id != customer.id:
        raise Invalid("this token is another customer's", where="token_id")
    if token.status != TokenStatus.ACTIVE:
        raise Invalid(f"this token is {token.status}; an active one is needed", where="token_id")
    if token.currency != price.currency:
        raise CurrencyMismatch(
            f"the token charges {token.currency}, the price is in {price.currency}", where="token_id"
        )


def _draft(subscription_id: UUID, offered: _Offered, new: NewSubscription, now: datetime) -> Subscription:
    customer, price, plan, token = offered.customer, offered.price, offered.plan, offered.token
    start = new.start_at or now
    anchor = local_date(start, customer.zone)
    trial_days = plan.trial_days if new.has_trial else 0
    # A trial has a period of its own first; it waits as `pending`, as does what starts later or with a payment.
    waits = start > now or trial_days > 0 or plan.payment_gated
    return Subscription(
        id=subscription_id,
        customer_id=customer.id,
        plan_id=plan.id,
        price_id=price.id,
        token_id=token.id if token is not None else None,
        provider_account=offered.account.name,
        status=(SubscriptionStatus.PENDING if waits else SubscriptionStatus.ACTIVE).value,
        access=(Access.NONE if waits else Access.FULL).value,
        zone=customer.zone,
        anchor_date=anchor,
        anchor_day=anchor.day,
        month_end=price.month_end,
        interval=price.interval,
        interval_count=price.interval_count,
        next_period_at=start if start > now else instant_of(anchor, time.min, customer.zone),
        starts_at=start,
        trial_days=trial_days,
        quantities=dict(new.quantities),
        term_cycles=plan.term_cycles,
        notice_days=plan.notice_days,
        catch_up=None
        if new.catch_up is None
        else {"policy": new.catch_up.value, "by": "the subscriber", "reason": "it was started in the past"},
        created_at=now,
    )


def _check_terms(session: Session, subscription: Subscription, offered: _Offered) -> None:
    price = offered.price
    offer = offers_of(session, [price.id])[price.id]
    check_offer(replace(offer, quantities=subscription.quantities))
    if not token_covers(session, subscription, price):
        raise Invalid(
            f"the customer signed this token for another interval than {price.interval_count} {price.interval}",
            where="token_id",
        )


def _check_start(subscription: Subscription, new: NewSubscription, now: datetime) -> None:
    """Raises `Invalid` for a start whose first period is over, unless it was said what becomes of it."""
    first = nth_period(cycle_of(subscription), 0, subscription.zone)
    is_over = first.ends_at <= now
    if is_over and new.catch_up is None:
        raise Invalid(
            f"a start on {subscription.anchor_date} lies more than one period back; say with `catch_up` what becomes of"
            " the periods that are over, or start in the period that contains now",
            where="start_at",
        )
    if new.catch_up is not None and not is_over:
        raise Invalid("no period is over at this start, so there is nothing to catch up", where="catch_up")
