"""How fast an account may be spoken to, and when charging through it stops by itself: a token bucket in integers and
a circuit breaker as data.

Owns the numbers and the decisions; reads no clock and no row. A permit is one request to the provider.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

PARTS = 1_000_000
"""The bucket counts millionths of a permit, since that is what flows in within a microsecond at one permit a second."""

MICROSECOND = timedelta(microseconds=1)

LONGEST_WAIT = timedelta(hours=1)
"""The longest that a provider's own wish to be left alone is followed without asking again."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """`level` millionths of a permit at the instant `at`; `rate` permits flow in each second, `burst` fit in.

    A rate of 0 means that nothing limits this account but what the provider itself says.
    """

    rate: int
    burst: int
    level: int
    at: datetime

    def filled(self, now: datetime) -> "Bucket":
        """The bucket at `now`. A clock that went back fills nothing, and `at` may lie ahead: it fills from there on."""
        elapsed = max(0, (now - self.at) // MICROSECOND)
        return replace(self, level=min(self.burst * PARTS, self.level + elapsed * self.rate), at=max(now, self.at))

    def take(self, now: datetime, wanted: int) -> tuple[int, "Bucket"]:
        """Up to `wanted` permits, and the bucket without them."""
        full = self.filled(now)
        if not self.rate:
            return wanted, full
        granted = min(wanted, full.level // PARTS)
        return granted, replace(full, level=full.level - granted * PARTS)

    def ready_at(self, wanted: int) -> datetime:
        """When `wanted` permits will be there, or all that fit in or come in a second; `at` where none is missing."""
        missing = min(wanted, self.burst, self.rate) * PARTS - self.level
        return self.at if not self.rate or missing <= 0 else self.at + -(-missing // self.rate) * MICROSECOND

    def emptied(self, until: datetime) -> "Bucket":
        """Nothing left, and nothing flows in before `until`: the provider said so."""
        return replace(self, level=0, at=max(self.at, until))


class BreakerState(StrEnum):
    CLOSED = "closed"
    """Everything flows."""
    OPEN = "open"
    """No purchase and no capture leaves."""
    HALF_OPEN = "half_open"
    """A few were let out, to see what comes back."""


class BreakerCause(StrEnum):
    FAULTS = "faults"
    """The provider does not answer; it is tried again after a while."""
    DECLINES = "declines"
    """It declines far more than it does: a person must look."""


BREAKER_FOLLOWS: dict[BreakerState, frozenset[BreakerState]] = {
    BreakerState.CLOSED: frozenset({BreakerState.OPEN}),
    BreakerState.OPEN: frozenset({BreakerState.HALF_OPEN, BreakerState.CLOSED}),
    BreakerState.HALF_OPEN: frozenset({BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED}),
}
"""Which state may follow which; only a person closes one that is open, and half open follows itself once the first
probes have come to nothing."""

PROBES = 3
PROBES_WAIT = timedelta(minutes=3)
"""After probes of which nothing was heard, as long as a lease, others may go."""
FIRST_REST, LONGEST_REST = timedelta(minutes=1), timedelta(minutes=30)

FAULTS_IN_A_ROW = 10
FAULT_PERCENT, FAULTS_NEED_CALLS = 50, 20

WINDOW = timedelta(hours=1)
"""What is counted together: shares are of the calls and answers of one such span."""
DECLINES_NEED_ANSWERS = 50
DECLINE_PERCENT, DECLINE_TIMES_MEAN = 15, 3
DECLINE_PERCENT_NEW_ACCOUNT = 30
MEAN_DAYS, MEAN_NEEDS_ANSWERS = 30, 200
DECLINES_ACCEPTED_FOR = timedelta(hours=24)
"""After a person has approved, the decline rate stops nothing for so long."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """The breaker as it stands since `since`; while it is not closed, no charge leaves before `until` (None: before a
    person says so). `rests` counts how often in a row it has opened: each rest is twice the one before.
    """

    state: BreakerState = BreakerState.CLOSED
    cause: BreakerCause | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    rests: int = 0

    def lets_charges_out(self, now: datetime) -> bool:
        """Whether a purchase or capture may leave, be it as a probe."""
        return self.state is BreakerState.CLOSED or (self.until is not None and self.until <= now)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a window of the network brought. `calls` are first sends, `faults` those of them without a usable answer,
    `trailing` those at its end. `answers` are first attempts to charge that were accepted or declined.
    """

    calls: int = 0
    faults: int = 0
    trailing: int = 0
    answers: int = 0
    declines: int = 0
    wait_seconds: int | None = None
    """The provider's own wish that nothing is sent for so long."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What came back since `began_at`."""

    began_at: datetime
    calls: int = 0
    faults: int = 0
    in_a_row: int = 0
    answers: int = 0
    declines: int = 0


Days = Mapping[str, tuple[int, int]]
"""(answers, declines) by day in UTC, as `YYYY-MM-DD`."""


def opening_for_faults(counts: Counts) -> str | None:
    """Why charging should rest, or None: ten sends in a row, or half of at least twenty, without a usable answer."""
    if counts.in_a_row >= FAULTS_IN_A_ROW:
        return f"{counts.in_a_row} calls in a row without a usable answer"
    if counts.calls >= FAULTS_NEED_CALLS and counts.faults * 100 >= counts.calls * FAULT_PERCENT:
        return f"{counts.faults} of {counts.calls} calls without a usable answer"
    return None


def opening_for_declines(counts: Counts, days: Days, now: datetime) -> str | None:
    """Why charging should stop, or None, judged on at least 50 first attempts.

    Above 15 % and above three times the mean of the 30 days before; above 30 % where those hold too few answers for a
    mean. Retries do not count, since they are declined more often by their nature.
    """
    if counts.answers < DECLINES_NEED_ANSWERS or counts.declines * 100 <= counts.answers * DECLINE_PERCENT:
        return None
    found = f"{counts.declines} of {counts.answers} first charges declined"
    recent = [days[day] for day in days if day >= _day(now - timedelta(days=MEAN_DAYS))]
    answers, declines = sum(day[0] for day in recent), sum(day[1] for day in recent)
    if answers < MEAN_NEEDS_ANSWERS:
        return found if counts.declines * 100 > counts.answers * DECLINE_PERCENT_NEW_ACCOUNT else None
    if counts.declines * answers <= DECLINE_TIMES_MEAN * declines * counts.answers:
        return None
    return f"{found}, against {declines} of {answers} in {MEAN_DAYS} days"


def opened(breaker: Breaker, cause: BreakerCause, reason: str, now: datetime) -> Breaker:
    """Open: for a while that doubles each time in a row, half an hour at most; for declines until a person approves."""
    rests = breaker.rests + 1
    rest = min(LONGEST_REST, FIRST_REST * int(2 ** min(rests - 1, 10)))
    return Breaker(BreakerState.OPEN, cause, reason, now, now + rest if cause is BreakerCause.FAULTS else None, rests)


def probing(breaker: Breaker, now: datetime) -> Breaker:
    """Half open: what is let out at `now` decides; nothing else leaves until it is heard of or given up."""
    return replace(breaker, state=BreakerState.HALF_OPEN, since=now, until=now + PROBES_WAIT)


def probed(breaker: Breaker, probes: Tally, now: datetime) -> Breaker:
    """The breaker after `probes` of a half open one: one fault opens it again, one answer without any closes it."""
    if breaker.state is not BreakerState.HALF_OPEN or not probes.calls:
        return breaker
    if probes.faults:
        return opened(breaker, BreakerCause.FAULTS, f"{probes.faults} of {probes.calls} probes failed too", now)
    return Breaker(since=now)


def turned(counts: Counts, tally: Tally, days: Days, now: datetime) -> tuple[Counts, dict[str, tuple[int, int]]]:
    """A new span that begins with `tally`, which `counts` already holds, and the days with the old span added."""
    answers, declines = counts.answers - tally.answers, counts.declines - tally.declines
    before = days.get(_day(counts.began_at), (0, 0))
    kept = {day: found for day, found in days.items() if day >= _day(now - timedelta(days=MEAN_DAYS))}
    if answers:
        kept[_day(counts.began_at)] = (before[0] + answers, before[1] + declines)
    return Counts(now, tally.calls, tally.faults, counts.in_a_row, tally.answers, tally.declines), kept


def _day(instant: datetime) -> str:
    return instant.date().isoformat()
