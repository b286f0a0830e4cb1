"""A good database that has seen a bit of everything, and the checker's word on it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from factories import START, Shop
from lifecycle import cancel_at, fee, pause_now, resume_now
from sqlalchemy import text

from billing.adapters.clock import SimulatedClock
from billing.domain.operations import OperationKind
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Answer, Declined, Unknown
from billing.store.engine import Database
from billing.store.runs import due_from
from billing.use_cases.cancel import CancelAt
from billing.use_cases.ending import CreditPolicy
from billing.use_cases.seal_ledger import seal_ledger
from billing.verify import Report, check

SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")
HARD = Declined(Answer(403, "TOKEN_CANCELLED"), "hard")
APRIL = datetime(2028, 4, 3, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Lived:
    """A copy of a shop's database, and the clock as it stood."""

    database: Database
    clock: SimulatedClock


def lived(database: Database) -> Shop:
    """Nine weeks of a shop: renewals, a decline and its recovery, a pause, a trial, a refund, an end, an unknown."""
    shop = Shop(database)
    steady = shop.subscription()
    paused = shop.subscription(price_id=fee(shop), zone="America/New_York")
    leaving = shop.subscription(price_id=fee(shop))
    shop.tick()
    shop.subscription(price_id=fee(shop, trial_days=14))
    shop.after(minutes=31)
    shop.at(START + timedelta(days=8))
    pause_now(shop, paused)
    cancel_at(shop, leaving, CancelAt.NOW, credit=CreditPolicy.REFUND)
    shop.gateway.answer(OperationKind.PURCHASE, SOFT)
    shop.subscription(price_id=fee(shop), zone="Pacific/Auckland")
    through(shop, START + timedelta(days=20))
    resume_now(shop, paused)
    through(shop, datetime(2028, 3, 2, 12, tzinfo=UTC))
    assert steady.status == SubscriptionStatus.ACTIVE
    shop.gateway.answer(OperationKind.PURCHASE, HARD)
    through(shop, APRIL)
    shop.gateway.answer(OperationKind.PURCHASE, Unknown(Answer(message="no answer")))
    shop.subscription(price_id=fee(shop))
    shop.tick()
    shop.clock.set(shop.clock.now() + timedelta(minutes=2))
    seal_ledger(database, shop.clock.now())
    return shop


def through(shop: Shop, until: datetime) -> None:
    """From one due instant to the next."""
    while True:
        with shop.database.tx() as session:
            due = due_from(session).first()
        if due is None or due > until:
            break
        shop.at(max(due, shop.clock.now() + timedelta(seconds=1)))
    shop.at(until)


def checked(shop: Shop | Lived, **how: object) -> Report:
    return check(url_of(shop), now=how.pop("now", shop.clock.now()), **how)


def url_of(shop: Shop | Lived) -> str:
    return shop.database.engine.url.render_as_string(hide_password=False)


def only(report: Report, invariant: str) -> list[str]:
    """The sentences that do not hold, which must all be of this invariant."""
    assert report.broken == [invariant], report.as_text()
    return [finding.sentence for finding in report.findings if finding.offending]


def count(shop: Shop | Lived, sql: str) -> int:
    with shop.database.tx() as session:
        return int(session.execute(text(f"SELECT COUNT(*) FROM {sql}")).scalar_one())
