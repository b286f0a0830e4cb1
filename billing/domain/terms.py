"""How long a subscription must and may run: minimum term and notice, limited terms, and cycles that are late.

Terms are counted in cycles, never compared by date (billing rules, section 2). Whether an operator overrides a minimum
term, and who chooses what becomes of late cycles, is decided by the use case.
"""

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from billing.domain.errors import Invalid, TransitionNotAllowed
from billing.domain.periods import (
    BillingCycle,
    Interval,
    boundary_after,
    instant_of,
    local_date,
    nth_boundary,
    nth_period,
)

_INSTANT = timedelta(microseconds=1)


class CatchUp(StrEnum):
    """What becomes of cycles when more than one is late: each billed, only the running one, or none of them."""

    BILL_EACH = "bill_each"
    BILL_CURRENT = "bill_current"
    FORGIVE = "forgive"


class EarliestEnd(NamedTuple):
    """The boundary at which a subscription may end: its cycle index, its local date, and its instant in UTC."""

    cycle_index: int
    on: date
    at: datetime


def earliest_end(
    cycle: BillingCycle,
    first_regular_index: int,
    minimum_cycles: int,
    notice_days: int,
    now: datetime,
    zone: str,
    current_index: int,
    minimum_ends_at: datetime | None = None,
) -> EarliestEnd:
    """The first boundary after period `current_index` that minimum term and notice allow.

    The minimum term is `minimum_cycles` from `first_regular_index` on, so that a stub does not count; one that was
    fixed under an earlier anchor is given as `minimum_ends_at` instead. Notice is whole local days: the boundary lies
    at least `notice_days` after `now`, to the same time of the wall clock.
    """
    bound = max(_notice_until(notice_days, now, zone), minimum_ends_at or now)
    allowed = boundary_after(cycle, bound - _INSTANT, zone)
    index = max(current_index + 1, first_regular_index + minimum_cycles, allowed)
    on = nth_boundary(cycle, index)
    return EarliestEnd(index, on, instant_of(on, time.min, zone))


def check_end(
    cycle: BillingCycle,
    first_regular_index: int,
    minimum_cycles: int,
    notice_days: int,
    now: datetime,
    zone: str,
    current_index: int,
    wanted_at: datetime,
    minimum_ends_at: datetime | None = None,
) -> None:
    """Whether the subscription may end at `wanted_at`: a boundary, or `now` itself for a cancel at once.

    Raises `Invalid` for the past, and `TransitionNotAllowed` inside the minimum term or the notice, saying the earliest
    possible date.
    """
    if wanted_at < now:
        raise Invalid("a subscription cannot end in the past", where="at")
    bound = max(_notice_until(notice_days, now, zone), minimum_ends_at or now)
    if minimum_cycles:
        bound = max(bound, instant_of(nth_boundary(cycle, first_regular_index + minimum_cycles), time.min, zone))
    if wanted_at < bound:
        terms = (cycle, first_regular_index, minimum_cycles, notice_days, now, zone, current_index, minimum_ends_at)
        on = earliest_end(*terms).on.isoformat()
        raise TransitionNotAllowed(f"minimum term and notice allow no end before {on}", where="at", earliest=on)


def is_last_cycle(cycles_done: int, cycles_total: int | None) -> bool:
    """Whether no further cycle opens; `cycles_done` counts the opened ones, the running one included.

    None is a term without an end.
    """
    return cycles_total is not None and cycles_done >= cycles_total


def overdue_cycles(cycle: BillingCycle, next_index: int, zone: str, now: datetime) -> list[int]:
    """The cycles from `next_index` on whose boundary has come by `now`, oldest first; only they are looked at.

    One is billed late; more than one is for a person to decide. A day that the zone has skipped is never late.
    """
    due = range(next_index, boundary_after(cycle, now, zone))
    if cycle.interval is not Interval.DAY or cycle.count > 1:
        return list(due)
    return [n for n in due if not nth_period(cycle, n, zone).is_empty]


def _notice_until(notice_days: int, now: datetime, zone: str) -> datetime:
    """The instant `notice_days` local days after `now`; a boundary is a midnight, so that the date decides."""
    today = local_date(now, zone)
    is_midnight = instant_of(today, time.min, zone) == now
    full_days = notice_days if is_midnight or not notice_days else notice_days + 1
    return instant_of(today + timedelta(days=full_days), time.min, zone) if full_days else now
