"""Pacing: how many calls may leave now, and what those that left say about the provider. All workers share one row an
account: permits are taken in a short transaction before a window, and a window's outcomes are counted in the
transaction that settles them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, takewhile
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.operations import CHARGES, OperationKind, Trigger
from billing.domain.pacing import (
    DECLINES_ACCEPTED_FOR,
    LONGEST_WAIT,
    PROBES,
    WINDOW,
    Breaker,
    BreakerCause,
    BreakerState,
    Counts,
    Tally,
    opened,
    opening_for_declines,
    opening_for_faults,
    probed,
    probing,
    turned,
)
from billing.ports import Declined, NotSent, Succeeded, Unknown
from billing.store.accounts import ProviderAccount
from billing.store.brakes import BrakeKind
from billing.store.braking import set_brake
from billing.store.engine import Database
from billing.store.operations import Operation, give_back
from billing.store.paces import (
    AccountPace,
    add,
    breaker_of,
    bucket_of,
    counts_of,
    days_of,
    is_paced,
    pace_of,
    put_breaker,
    put_bucket,
    put_counts,
)

HTTP_TOO_MANY = 429
WAIT_AFTER_TOO_MANY = 1
"""Seconds, where the provider does not say how long it wants to be left alone."""


Tell = Callable[..., UUID | None]
"""Writes an event with its payload; returns the subscription among whose events it stands."""

Answered = tuple[Operation, Any]
"""An operation and what came back about it."""


def permitted(
    database: Database, now: datetime, name: str, window: Sequence[Operation], lease: UUID, *, requests: int = 1
) -> list[Operation]:
    """Those of `window` for which permits are there, `requests` a row and one more where its token is read first; of
    charges, while the breaker is not closed, a few probes. The rest is given back at once, as it was.
    """
    with database.tx() as session:
        chosen = _chosen(session, name, window, now, requests)
    passed = {op.id for op in chosen}
    rest = [op.id for op in window if op.id not in passed]
    if rest:
        # Not in the transaction that holds the pace: every other writer locks operations first.
        with database.tx() as session:
            give_back(session, rest, lease)
    return chosen


def take(session: Session, name: str, now: datetime, wanted: int) -> int:
    """Up to `wanted` permits; where they do not suffice, nothing more of the account is claimed until they will."""
    pace = pace_of(session, name, lock=True)
    return wanted if pace is None else _take(session, pace, now, wanted)


def report(session: Session, now: datetime, answers: Sequence[Answered], tell: Tell) -> None:
    """Count what came back through each account, in one statement, and move its breaker where that says so.

    The caller's transaction settles the same answers; the pace stays locked until it commits.
    """
    by_account: dict[str, list[Answered]] = {}
    for operation, news in answers:
        by_account.setdefault(operation.provider_account, []).append((operation, news))
    for name in sorted(by_account):
        tally = tally_of(by_account[name])
        pace = add(session, name, tally)
        if pace is not None:
            _judge(session, now, pace, by_account[name], tally, tell)


def approve(pace: AccountPace, now: datetime) -> None:
    """A person closes the breaker: whatever is declined in the next day opens it no second time."""
    put_breaker(pace, Breaker(since=now))
    pace.declines_accepted_until = now + DECLINES_ACCEPTED_FOR


def tally_of(answers: Sequence[Answered]) -> Tally:
    """What a window says. A question that was asked again says nothing of faults, since its first send did."""
    first = [news for operation, news in answers if operation.sends <= 1]
    failed = [is_fault(news) for news in first]
    charged = [news for operation, news in answers if _is_first_charge(operation)]
    declines = sum(isinstance(news, Declined) for news in charged)
    waits = [_wait_seconds(news) for _, news in answers if _is_too_many(news)]
    return Tally(
        calls=len(first),
        faults=sum(failed),
        trailing=sum(1 for _ in takewhile(bool, reversed(failed))),
        answers=declines + sum(isinstance(news, Succeeded) for news in charged),
        declines=declines,
        wait_seconds=max(waits, default=None),
    )


def is_fault(news: object) -> bool:
    """Whether the provider gave no usable answer, or could not be reached; a refusal of any kind is an answer."""
    if isinstance(news, NotSent):
        return news.answer.http_status is None and not news.account_stopped
    return isinstance(news, Unknown)


def _is_first_charge(operation: Operation) -> bool:
    return operation.kind == OperationKind.PURCHASE and operation.trigger != Trigger.DUNNING


def _is_too_many(news: object) -> bool:
    return isinstance(news, NotSent) and news.answer.http_status == HTTP_TOO_MANY


def _wait_seconds(news: NotSent) -> int:
    return max(news.retry_after_seconds or 0, WAIT_AFTER_TOO_MANY)


def _chosen(session: Session, name: str, window: Sequence[Operation], now: datetime, requests: int) -> list[Operation]:
    pace = pace_of(session, name, lock=True)
    if pace is None:
        return list(window)
    breaker = breaker_of(pace)
    new_charges = [op.id for op in window if op.kind in CHARGES and op.sent_at is None]
    allowed = len(new_charges)
    if breaker.state is not BreakerState.CLOSED:
        allowed = PROBES if breaker.lets_charges_out(now) else 0
    held = set(new_charges[allowed:])
    candidates = [op for op in window if op.id not in held]
    costs = [requests + (op.reads_token_first and op.sent_at is None) for op in candidates]
    granted = _take(session, pace, now, sum(costs))
    # Rounded up: an account whose bucket holds less than one row needs would never be asked.
    chosen = [op for op, before in zip(candidates, accumulate(costs, initial=0), strict=False) if before < granted]
    if breaker.state is not BreakerState.CLOSED and any(op.id in new_charges for op in chosen):
        put_breaker(pace, probing(breaker, now))
    return chosen


def _take(session: Session, pace: AccountPace, now: datetime, wanted: int) -> int:
    if not wanted or is_paced(pace, now):
        return 0
    bucket = bucket_of(session.get_one(ProviderAccount, pace.name), pace, now)
    granted, left = bucket.take(now, wanted)
    put_bucket(pace, left)
    pace.paced_until = left.ready_at(wanted - granted) if granted < wanted else None
    return granted


def _judge(
    session: Session, now: datetime, pace: AccountPace, answers: Sequence[Answered], tally: Tally, tell: Tell
) -> None:
    counts, days = counts_of(pace, now), days_of(pace)
    if pace.window_began_at is None or now - counts.began_at >= WINDOW:
        counts, days = turned(counts, tally, days, now)
        put_counts(pace, counts, days)
    if tally.wait_seconds is not None:
        _wait(session, pace, now, min(LONGEST_WAIT, timedelta(seconds=tally.wait_seconds)))
    before = breaker_of(pace)
    if before.state is BreakerState.CLOSED:
        after = _opened(before, counts, days, pace.declines_accepted_until, now)
    else:
        after = probed(before, tally_of([one for one in answers if _is_probe(one[0], before)]), now)
    if after == before:
        return
    put_breaker(pace, after)
    if before.state is BreakerState.CLOSED:
        facts = {"cause": after.cause, "reason": after.reason, "until": after.until and after.until.isoformat()}
        pace.breaker_told = tell("account.breaker_opened", account=pace.name, **facts)
        if after.cause is BreakerCause.DECLINES:
            figures = {"answers": counts.answers, "declines": counts.declines, "days": pace.days}
            set_brake(session, now, BrakeKind.DECLINE_RATE, pace.name, after.reason or "", figures)
    elif after.state is BreakerState.CLOSED:
        tell("account.breaker_closed", account=pace.name)


def _opened(
    breaker: Breaker,
    counts: Counts,
    days: Mapping[str, tuple[int, int]],
    declines_accepted_until: datetime | None,
    now: datetime,
) -> Breaker:
    for_faults = opening_for_faults(counts)
    if for_faults is not None:
        return opened(breaker, BreakerCause.FAULTS, for_faults, now)
    if declines_accepted_until is not None and now < declines_accepted_until:
        return breaker
    for_declines = opening_for_declines(counts, days, now)
    return breaker if for_declines is None else opened(breaker, BreakerCause.DECLINES, for_declines, now)


def _is_probe(operation: Operation, breaker: Breaker) -> bool:
    """Whether it was let out since the breaker is half open; what was under way before says nothing."""
    since, sent_at = breaker.since, operation.sent_at
    return operation.kind in CHARGES and (sent_at is None or since is None or sent_at >= since)


def _wait(session: Session, pace: AccountPace, now: datetime, wait: timedelta) -> None:
    """The provider wants to be left alone: the bucket is empty until then, whatever we had counted."""
    until = max(pace.paced_until or now, now + wait)
    put_bucket(pace, bucket_of(session.get_one(ProviderAccount, pace.name), pace, now).emptied(until))
    pace.paced_until = until
