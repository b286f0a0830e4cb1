"""Discounts of one subscription: granted for so many cycles or for good, ended by a person; never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from billing.domain.discounts import Discount as Reduction
from billing.domain.discounts import check_discount
from billing.domain.errors import Conflict, CurrencyMismatch, Invalid, NotFound, TransitionNotAllowed
from billing.domain.money import Money
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Ids
from billing.store import subscriptions as subscription_store
from billing.store.balances import Discount
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.plans import Price, items_of
from billing.store.subscriptions import Subscription
from billing.use_cases.recording import Record, nothing


@dataclass(frozen=True, slots=True)
class NewDiscount:
    """`percent` in basis points or an `amount` off each invoice; `cycles` None is for good. `article_number` None
    takes it from every line.
    """

    name: str
    percent: int | None = None
    amount: Money | None = None
    cycles: int | None = None
    article_number: str | None = None


def grant_discount(
    database: Database,
    ids: Ids,
    now: datetime,
    subscription_id: UUID,
    new: NewDiscount,
    record: Record[Discount] = nothing,
) -> Discount:
    """A discount from the next invoice on.

    Raises `NotFound`, `TransitionNotAllowed` for an ended subscription, `CurrencyMismatch`, and `Invalid` for one that
    takes nothing or an article that the price does not have.
    """
    amount = new.amount.amount if new.amount else None
    reduction = Reduction(ids.new(), new.name, new.percent, amount, new.cycles, new.article_number)
    check_discount(reduction)
    with database.tx() as session:
        subscription = _locked(session, subscription_id)
        _check_fits(session, subscription, new)
        row = Discount(
            id=reduction.id,
            subscription_id=subscription.id,
            name=new.name,
            percent=new.percent,
            amount=amount,
            cycles=new.cycles,
            article_number=new.article_number,
            created_at=now,
        )
        session.add(row)
        batch = Batch(ids, now)
        batch.event(subscription, "subscription.discount_granted", discount=row.id.hex, name=row.name)
        batch.write(session)
        record(session, row)
        return row


def end_discount(
    database: Database,
    ids: Ids,
    now: datetime,
    subscription_id: UUID,
    discount_id: UUID,
    record: Record[Discount] = nothing,
) -> Discount:
    """No invoice takes it any more. Raises `NotFound`, and `Conflict` where it is over already."""
    with database.tx() as session:
        subscription = _locked(session, subscription_id)
        row = session.get(Discount, discount_id)
        if row is None or row.subscription_id != subscription_id:
            raise NotFound("the subscription has no such discount")
        if row.ended_at is not None:
            raise Conflict("this discount is over already")
        row.ended_at = now
        batch = Batch(ids, now)
        batch.event(subscription, "subscription.discount_ended", discount=row.id.hex, name=row.name)
        batch.write(session)
        record(session, row)
        return row


def discounts(database: Database, subscription_id: UUID) -> tuple[Sequence[Discount], str]:
    """All discounts of a subscription, oldest first, those that are over too; and its currency. Raises `NotFound`."""
    with database.tx() as session:
        subscription = session.get(Subscription, subscription_id)
        if subscription is None:
            raise NotFound("there is no such subscription")
        query = select(Discount).where(Discount.subscription_id == subscription_id).order_by(col(Discount.id))
        return session.exec(query).all(), session.get_one(Price, subscription.price_id).currency


def currency_of(session: Session, discount: Discount) -> str:
    """The currency of the subscription that a discount belongs to, in the caller's transaction."""
    return session.get_one(Price, session.get_one(Subscription, discount.subscription_id).price_id).currency


def _locked(session: Session, subscription_id: UUID) -> Subscription:
    subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
    if subscription is None:
        raise NotFound("there is no such subscription")
    return subscription


def _check_fits(session: Session, subscription: Subscription, new: NewDiscount) -> None:
    if subscription.status == SubscriptionStatus.ENDED:
        raise TransitionNotAllowed("an ended subscription has no further invoice to take a discount")
    price = session.get_one(Price, subscription.price_id)
    if new.amount is not None and new.amount.currency != price.currency:
        raise CurrencyMismatch(
            f"the discount is in {new.amount.currency}, the price in {price.currency}", where="amount.currency"
        )
    articles = {item.article_number for item in items_of(session, [price.id])[price.id]}
    if new.article_number is not None and new.article_number not in articles:
        raise Invalid("the subscription's price has no such article", where="article_number")
