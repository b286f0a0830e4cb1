"""When a declined invoice is tried again, and when trying ends: a ladder of local days (billing rules, section 8).

Only soft declines climb it; after a hard one the customer is asked for a new token instead. An unknown outcome is no
decline and costs no step; who may attempt at all is decided at the gate, not here.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID

from billing.domain.errors import Invalid
from billing.domain.periods import instant_of, jitter, local_date

LADDER = (1, 3, 7, 14)
"""Local days after the first decline on which the charge is tried again."""

TERMINAL_DAY = 21
"""The local day after the first decline on which the plan's terminal action is taken."""

REMINDER_DAYS = (3, 7, 14)
"""Local days after a hard decline on which the customer is asked again for a new token; the first ask is at once."""

SUSPENDED_ASK_DAY = 3
"""The local day on which the customer of a suspended token is asked; until then it may come back by itself."""

ATTEMPT_TIME = time(10)
ATTEMPT_SPREAD_SECONDS = 1800
BETWEEN_ATTEMPTS = timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class Ladder:
    """A plan's own ladder. Raises `Invalid` unless the days rise from 1 on and the terminal day follows the last."""

    days: tuple[int, ...] = LADDER
    terminal_day: int = TERMINAL_DAY

    def __post_init__(self) -> None:
        steps = (0, *self.days, self.terminal_day)
        if any(later <= earlier for earlier, later in pairwise(steps)):
            raise Invalid(f"dunning days must rise from 1 to the terminal day, unlike {steps[1:]}", where="ladder")


def next_attempt_at(
    ladder: Ladder,
    step: int,
    first_declined_at: datetime,
    last_attempt_at: datetime,
    zone: str,
    jitter_key: UUID,
) -> datetime | None:
    """When the next dunning attempt is due, in UTC, or None once the ladder is used up.

    `step` counts the dunning attempts already made; days count from the local day on which the first decline was
    settled. At 10:00 local and up to half an hour, at least 20 h after the last attempt and on another local day, else
    on the next that is. An attempt that would move to the terminal day or past it is not made.
    """
    if step < 0:
        raise Invalid(f"{step} dunning attempts cannot have been made")
    if step >= len(ladder.days):
        return None
    day = local_date(first_declined_at, zone) + timedelta(days=ladder.days[step])
    attempt = _morning(day, zone, jitter_key)
    # Twenty hours before a local 10:00 are never the same local day, so that one test keeps both rules.
    while attempt < last_attempt_at + BETWEEN_ATTEMPTS:
        day += timedelta(days=1)
        attempt = _morning(day, zone, jitter_key)
    return attempt if attempt < terminal_at(ladder, first_declined_at, zone) else None


def resumed_attempt_at(  # the same facts as the ladder's, and when it goes on
    ladder: Ladder,
    step: int,
    first_declined_at: datetime,
    last_attempt_at: datetime | None,
    resumed_at: datetime,
    zone: str,
    jitter_key: UUID,
) -> datetime:
    """When an attempt that waited for the end of a pause is made, in UTC: on its own day of the ladder where that is
    still to come, else on the next local morning; at least 20 h after the last attempt either way.
    """
    days = ladder.days[min(step, len(ladder.days) - 1)] if ladder.days else 0
    day = local_date(first_declined_at, zone) + timedelta(days=days)
    earliest = max(resumed_at, (last_attempt_at or first_declined_at) + BETWEEN_ATTEMPTS)
    own = _morning(day, zone, jitter_key)
    return own if own > earliest else next_local_morning(earliest, zone, jitter_key)


def terminal_at(ladder: Ladder, first_declined_at: datetime, zone: str) -> datetime:
    """When the terminal action is taken: local 10:00 of the terminal day, in UTC."""
    return instant_of(local_date(first_declined_at, zone) + timedelta(days=ladder.terminal_day), ATTEMPT_TIME, zone)


def reminders_at(
    first_declined_at: datetime, zone: str, key: UUID, terminal_day: int = TERMINAL_DAY
) -> tuple[datetime, ...]:
    """When the customer is asked for a new token after a hard decline, in UTC: at once, then on local mornings.

    No attempt is made. A reminder on the plan's terminal day or past it is left out: it would come after the end.
    """
    declined_on = local_date(first_declined_at, zone)
    later = (declined_on + timedelta(days=days) for days in REMINDER_DAYS if days < terminal_day)
    return (first_declined_at, *(_morning(day, zone, key) for day in later))


def suspended_ask_at(suspended_at: datetime, zone: str, key: UUID) -> datetime:
    """When the customer of a token found suspended at `suspended_at` is asked about it, in UTC: a local morning."""
    return _morning(local_date(suspended_at, zone) + timedelta(days=SUSPENDED_ASK_DAY), zone, key)


def next_local_morning(after: datetime, zone: str, jitter_key: UUID) -> datetime:
    """The next local 10:00 and up to half an hour strictly after `after`, in UTC: when a suspended token is read."""
    day = local_date(after, zone)
    while (morning := _morning(day, zone, jitter_key)) <= after:
        day += timedelta(days=1)
    return morning


def _morning(day: date, zone: str, jitter_key: UUID) -> datetime:
    return instant_of(day, ATTEMPT_TIME, zone) + jitter(jitter_key, ATTEMPT_SPREAD_SECONDS)
