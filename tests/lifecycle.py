"""Scenes for tests of a subscription's life: one service fee of 29.90, a shop at an instant, verbs with its clock."""

from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

from factories import Shop
from reading import periods
from sqlalchemy import update

from billing.adapters.clock import SimulatedClock
from billing.domain.pauses import PauseMode
from billing.domain.pricing import CreditRule, PriceItem, Recognize
from billing.store.engine import Database
from billing.store.plans import Plan, Price
from billing.store.subscriptions import Subscription
from billing.use_cases.cancel import CancelAt, Cancellation, CancelRequest, cancel, preview_cancel
from billing.use_cases.pause import Pause, PauseRequest, pause
from billing.use_cases.resume import ResumeRequest, Resumption, resume

FEE = (PriceItem("BASE", "Base fee", 1, 2990, 2500, CreditRule.TIME, Recognize.TIME),)


def at(month: int, day: int, hour: int = 8, year: int = 2027) -> datetime:
    """An instant of 2027, in UTC."""
    return datetime(year, month, day, hour, tzinfo=UTC)


def shop_at(database: Database, now: datetime) -> Shop:
    return Shop(database, SimulatedClock(now))


def fee(shop: Shop, **terms: object) -> UUID:
    """A price of 29.90 a month; `terms` are columns of its plan."""
    about_price = {name: terms.pop(name) for name in ("interval", "count", "month_end") if name in terms}
    price_id = shop.price(items=FEE, **about_price)
    if terms:
        with shop.database.tx() as session:
            plan_id = session.get_one(Price, price_id).plan_id
            session.execute(update(Plan).where(Plan.id == plan_id).values(**terms))
    return price_id


def paid_from_31_march(database: Database, **terms: object) -> tuple[Shop, Subscription]:
    """The worked example: 2027-03-31 to 04-30, 30 days, 29.90 paid."""
    shop = shop_at(database, at(3, 31))
    made = shop.subscription(price_id=fee(shop, **terms))
    shop.tick()
    shop.after(minutes=31)
    return shop, made


def pause_now(shop: Shop, made: Subscription, mode: PauseMode = PauseMode.FREEZE, **asked: object) -> Pause:
    return pause(shop.database, shop.ids, shop.sign, shop.clock.now(), made.id, PauseRequest(mode, **asked))


def resume_now(shop: Shop, made: Subscription, **asked: object) -> Resumption:
    request = ResumeRequest(**asked)
    return resume(shop.database, shop.ids, shop.seller, shop.sign, shop.clock.now(), made.id, request)


def cancel_at(shop: Shop, made: Subscription, when: CancelAt, **asked: object) -> Cancellation:
    return cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(when, **asked))


def preview_cancel_at(shop: Shop, made: Subscription, when: CancelAt, **asked: object) -> Cancellation:
    return preview_cancel(shop.database, shop.clock.now(), made.id, CancelRequest(when, **asked), shop.sign)


def spans(shop: Shop, made: Subscription) -> list[tuple[str, str, str]]:
    """(kind, first day, end) of every row, which must tile."""
    rows = periods(shop, made.id)
    assert all(before.ends_at == after.starts_at for before, after in pairwise(rows)), "the periods do not tile"
    return [(row.kind, row.start_date.isoformat(), row.end_date.isoformat()) for row in rows]


def through(shop: Shop, until: datetime, *, days: int = 1) -> None:
    """Live on to `until`, looking every few days and a little later, when what was collected is captured."""
    while shop.clock.now() < until:
        shop.after(days=days)
        shop.after(minutes=40)
