"""Replace a price: a new one follows it, for everybody from a date on or only for subscriptions to come.

A price in use is never changed (billing rules, section 12). The old one takes no new subscriptions from now on; who
has it is told batch by batch, each once, and gets the new price at a boundary as a pending change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import AlreadyExists, Invalid, NotFound
from billing.domain.periods import Interval
from billing.domain.pricing import Offer, Phase, PriceItem
from billing.ports import Ids
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.plans import (
    Consent,
    Price,
    PriceReplacement,
    Whom,
    offers_of,
    replacement_of,
    unfinished_replacements,
)
from billing.use_cases.catalogue import NewPrice, check_price, write_price
from billing.use_cases.change_later import announce, following
from billing.use_cases.quoting import Quote, Signer, check_same, effective, quote
from billing.use_cases.recording import Record, nothing

NOTICE_DAYS_MAX = 730

_VERB = "replace_price"


@dataclass(frozen=True, slots=True)
class NewReplacement:
    """The price that follows, with its amounts as it states them, and on what terms; plan, currency and calendar
    stay. `from_date` is a local day of each customer.
    """

    items: Sequence[PriceItem]
    from_date: date
    whom: Whom = Whom.ALL
    notice_days: int = 0
    consent: Consent = Consent.NONE
    tax_included: bool | None = None
    phases: Sequence[Phase] = ()


@dataclass(frozen=True, slots=True)
class Replacement:
    """What replacing does or would do: how many subscriptions have the old price, and what all of them together pay
    for a cycle before and after, in minor units of `currency`, tax as the prices state it.

    `scheduled` of them were told so far; `passed_over` keep another change that was pending. `is_done` once all were.
    """

    price_id: UUID
    new_price_id: UUID | None
    whom: Whom
    from_date: date
    notice_days: int
    consent: Consent
    currency: str
    subscriptions: int
    amount_before: int
    amount_after: int
    scheduled: int = 0
    passed_over: int = 0
    is_done: bool = False
    quote: Quote | None = None


def preview_replace_price(
    database: Database, sign: Signer, now: datetime, price_id: UUID, new: NewReplacement
) -> Replacement:
    """What `replace_price` would do, with a quote, and nothing of it done. Raises what `replace_price` raises."""
    with database.tx() as session:
        price, follower = _checked(session, price_id, new, now)
        found = _counted(session, price, follower.offer, new)
        return replace(found, quote=quote(sign, _VERB, price_id, new, now, _money(found)))


def replace_price(
    database: Database,
    ids: Ids,
    sign: Signer,
    now: datetime,
    price_id: UUID,
    new: NewReplacement,
    quote_id: str | None = None,
    record: Record[Replacement] = nothing,
) -> Replacement:
    """Write the price that follows; the subscriptions are told by `tell_of_replacements`.

    Raises `NotFound`, `AlreadyExists` for a price that was replaced, `Invalid` for an impossible price, date or notice;
    with a quote `QuoteInvalid`, `QuoteExpired`, and `QuoteStale` where subscriptions came or went since.
    """
    with database.tx() as session:
        _, quoted = effective(sign, quote_id, _VERB, price_id, new, now)
        price, follower = _checked(session, price_id, new, now)
        found = _counted(session, price, follower.offer, new)
        if quoted is not None:
            check_same(quoted, _money(found))
        batch = Batch(ids, now)
        follows = write_price(session, batch, follower)
        session.flush()
        price.replaced_by_id = follows.id
        row = PriceReplacement(
            id=ids.new(),
            price_id=price.id,
            new_price_id=follows.id,
            from_date=new.from_date,
            whom=new.whom.value,
            notice_days=new.notice_days,
            consent=new.consent.value,
            due_at=now if new.whom is Whom.ALL else None,
            created_at=now,
        )
        session.add(row)
        batch.write(session)
        done = replace(found, new_price_id=follows.id, is_done=row.due_at is None)
        record(session, done)
        return done


def tell_of_replacements(database: Database, ids: Ids, now: datetime) -> int:
    """One batch of the subscriptions whose price was replaced; returns how many were dealt with, 0 once all were.

    Each is told once, however often this is interrupted: where it goes on is written with what was done.
    """
    with database.tx() as session:
        row = next(iter(unfinished_replacements(session, 1)), None)
        if row is None:
            return 0
        batch = Batch(ids, now)
        follower = following(session, row.price_id)
        assert follower is not None, "a replacement that is not done is for everybody"
        chosen = subscription_store.with_price(session, row.price_id, row.told_through, database.batch_size)
        for subscription in subscription_store.locked(session, chosen).values():
            if subscription.price_id != row.price_id or subscription.status == "ended":
                continue
            if subscription.pending_change is not None:
                row.passed_over += 1
            else:
                announce(batch, subscription, follower)
                row.scheduled += 1
        row.told_through = chosen[-1] if chosen else row.told_through
        row.due_at = now if chosen else None
        batch.write(session)
        return max(len(chosen), 1)


def replacement(database: Database, price_id: UUID) -> Replacement:
    """How far the replacement of a price has come. Raises `NotFound` where it was not replaced."""
    with database.tx() as session:
        row = replacement_of(session, price_id)
        if row is None:
            raise NotFound("this price was not replaced")
        price = session.get_one(Price, price_id)
        offers = offers_of(session, [row.price_id, row.new_price_id])
        count, before, after = _sums(session, offers[row.price_id], offers[row.new_price_id], price_id)
        return Replacement(
            price_id,
            row.new_price_id,
            Whom(row.whom),
            row.from_date,
            row.notice_days,
            Consent(row.consent),
            price.currency,
            count,
            before,
            after,
            row.scheduled,
            row.passed_over,
            row.due_at is None,
        )


def _checked(session: Session, price_id: UUID, new: NewReplacement, now: datetime) -> tuple[Price, NewPrice]:
    price = session.get(Price, price_id, with_for_update=True)
    if price is None:
        raise NotFound("there is no such price")
    if price.replaced_by_id is not None:
        raise AlreadyExists("this price was replaced already; replace the one that follows it")
    if new.from_date < now.date():
        raise Invalid("a price is not replaced in the past", where="from")
    if not 0 <= new.notice_days <= NOTICE_DAYS_MAX:
        raise Invalid(f"possible are 0 to {NOTICE_DAYS_MAX} days of notice", where="notice_days")
    if new.whom is Whom.NEW_ONLY and new.consent is not Consent.NONE:
        raise Invalid("nobody is asked where only new subscriptions get the price", where="consent")
    follower = NewPrice(
        price.plan_id,
        price.currency,
        Interval(price.interval),
        price.interval_count,
        new.items,
        price.month_end,
        price.tax_included if new.tax_included is None else new.tax_included,
        new.phases,
    )
    check_price(follower, now)
    return price, follower


def _counted(session: Session, price: Price, offer: Offer, new: NewReplacement) -> Replacement:
    count, before, after = 0, 0, 0
    if new.whom is Whom.ALL:
        count, before, after = _sums(session, offers_of(session, [price.id])[price.id], offer, price.id)
    return Replacement(
        price.id, None, new.whom, new.from_date, new.notice_days, new.consent, price.currency, count, before, after
    )


def _sums(session: Session, old: Offer, new: Offer, price_id: UUID) -> tuple[int, int, int]:
    """Subscriptions with the price, and what they pay a cycle together at the old and at the new one."""
    groups = subscription_store.quantities_with_price(session, price_id)
    before = sum(count * _per_cycle(old, quantities) for quantities, count in groups)
    after = sum(count * _per_cycle(new, quantities) for quantities, count in groups)
    return sum(count for _, count in groups), before, after


def _per_cycle(offer: Offer, quantities: Mapping[str, int]) -> int:
    known = {item.article_number for item in offer.items}
    kept = {name: units for name, units in quantities.items() if name in known}
    return replace(offer, quantities=kept).amount_per_cycle()


def _money(found: Replacement) -> Mapping[str, int]:
    return {"total": found.amount_after, "before": found.amount_before, "subscriptions": found.subscriptions}
