"""Pause and resume: when each is possible, which days a freeze keeps, what a resumed calendar bills (section 7).

No mode replaces an invoiced period by a longer one. Days are local days; the day of a pause or a resume belongs to
what follows it. Rows, modes' effects on money and who approves are decided by the use case.
"""

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from billing.domain.errors import Invalid, TransitionNotAllowed
from billing.domain.invoicing import Share
from billing.domain.periods import Period, instant_of, local_date


class PauseMode(StrEnum):
    """What stands still: the paid days, the calendar's charges, or only the collecting."""

    FREEZE = "freeze"
    SKIP = "skip"
    COLLECTION_ONLY = "collection_only"


class FrozenDays(NamedTuple):
    """A period that was cut by a freeze: `used_days` + `left_days` = `of_days`, its denominator."""

    used_days: int
    left_days: int
    of_days: int


def freeze(starts_on: date, ends_on: date, on: date, of_days: int | None = None) -> FrozenDays:
    """What a freeze on the local day `on` keeps of the period `[starts_on, ends_on)`; that day is kept, not used.

    A resumed row is the tail of a longer period: `of_days` is that period's own number of days. On the end date
    nothing is left. Raises `Invalid` for a day outside.
    """
    if not starts_on <= on <= ends_on:
        raise Invalid(f"{on} is not in the period from {starts_on} to {ends_on}", where="at")
    whole = of_days or (ends_on - starts_on).days
    left = (ends_on - on).days
    if left > whole:
        raise Invalid(f"a period of {whole} days has no {left} days left")
    return FrozenDays(whole - left, left, whole)


def resumed_period(on: date, left_days: int, zone: str, starts_at: datetime | None = None) -> Period:
    """The paid days that a freeze has kept, from the local day `on`; its end date is the new anchor.

    It starts at `starts_at` (UTC), where the paused row ends, or else at local midnight. It is empty where nothing was
    left: then `on` itself is the anchor. Raises `Invalid` for `left_days` below 0 or a start on another day.
    """
    if left_days < 0:
        raise Invalid(f"{left_days} days cannot be left")
    if starts_at is not None and local_date(starts_at, zone) != on:
        raise Invalid(f"a period that starts on {on} cannot start at {starts_at.isoformat()}")
    start = starts_at or instant_of(on, time.min, zone)
    end_date = on + timedelta(days=left_days)
    # With nothing left the end is the start; a midnight before it would run backwards.
    return Period(on, end_date, start, instant_of(end_date, time.min, zone) if left_days else start)


def skip_stub(period: Period, on: date) -> Share:
    """The share of a skipped `period` that is billed when it is resumed on the local day `on` with `bill_stub`.

    Raises `Invalid` for a day outside the period.
    """
    if not period.start_date <= on < period.end_date:
        raise Invalid(f"{on} is not in the period from {period.start_date} to {period.end_date}", where="at")
    return Share((on - period.start_date).days, period.days, period.days)


def resume_due_at(pause_at: datetime, resume_at: datetime | None, days_max: int | None, zone: str) -> datetime | None:
    """When a pause ends by itself, in UTC: as asked, else when the plan's `days_max` are over, else never.

    `days_max` are local days from the day of the pause; the last of them ends at local midnight. Raises `Invalid` for
    a resume that is not after the pause or that makes it longer than the plan allows.
    """
    if resume_at is not None and resume_at <= pause_at:
        raise Invalid("a pause ends after it begins", where="resume_at")
    if days_max is None:
        return resume_at
    latest = instant_of(local_date(pause_at, zone) + timedelta(days=days_max), time.min, zone)
    if resume_at is not None and resume_at > latest:
        raise Invalid(
            f"this plan can be paused for at most {days_max} days, to {latest.isoformat()}", where="resume_at"
        )
    return resume_at or latest


def check_pause(
    pause_at: datetime,
    now: datetime,
    cancel_at: datetime | None = None,
    minimum_ends_at: datetime | None = None,
    is_allowed_in_minimum_term: bool = False,
) -> None:
    """Whether a pause may take effect at `pause_at`.

    Raises `Invalid` for the past; `TransitionNotAllowed` from the end of the subscription on, and inside its minimum
    term unless the plan allows that.
    """
    if pause_at < now:
        raise Invalid("a pause cannot take effect in the past", where="at")
    if cancel_at is not None and pause_at >= cancel_at:
        raise TransitionNotAllowed(f"the subscription ends at {cancel_at.isoformat()}, before the pause would begin")
    if minimum_ends_at is not None and pause_at < minimum_ends_at and not is_allowed_in_minimum_term:
        raise TransitionNotAllowed(
            f"the minimum term runs until {minimum_ends_at.isoformat()}; the plan allows no pause before"
        )


def check_resume(resume_at: datetime, now: datetime, cancel_at: datetime | None = None) -> None:
    """Whether a pause may end at `resume_at`. Raises `Invalid` for the past, `TransitionNotAllowed` from the end on."""
    if resume_at < now:
        raise Invalid("a resume cannot take effect in the past", where="resume_at")
    if cancel_at is not None and resume_at >= cancel_at:
        raise TransitionNotAllowed(f"the subscription ends at {cancel_at.isoformat()}; there is nothing to resume then")


def opens_at(boundary_at: datetime, pause_at: datetime | None, cancel_at: datetime | None) -> bool:
    """Whether the period that starts at `boundary_at` opens: a pause or cancel on a boundary comes before it."""
    return all(at is None or at > boundary_at for at in (pause_at, cancel_at))
