"""When the order of a purchase is looked at, in case somebody acted in the provider's own portal: some hours after it
was settled, then daily, then weekly, until a refund is no longer plausible. Reads no clock and no row.
"""

from datetime import datetime, timedelta
from uuid import UUID

from billing.domain.periods import jitter

FIRST_LOOK = timedelta(hours=2)
FIRST_LOOK_SPREAD = timedelta(hours=4)
"""By the purchase's id, so that what is charged in one minute of a morning is not read in one."""

DAILY_FOR = timedelta(days=14)
"""After the last movement; while something can still be captured, always."""

DAILY, WEEKLY = timedelta(days=1), timedelta(days=7)
LOOKED_AT_FOR = timedelta(days=60)
"""After its last movement nothing more is expected of a captured purchase."""

LOOK_AGAIN_SOON = timedelta(hours=1)
"""After an order that could not be read, an outcome that is not known yet, or a worker that died while it looked."""


def first_look_at(purchase_id: UUID, moved_at: datetime) -> datetime:
    """When an order is first read after something moved: 2 to 6 hours later."""
    return moved_at + FIRST_LOOK + jitter(purchase_id, FIRST_LOOK_SPREAD // timedelta(seconds=1))


def next_look_at(now: datetime, moved_at: datetime, *, is_open: bool) -> datetime | None:
    """When an order is read again after a look at `now`, or None for never.

    `moved_at` is its last movement that we know, `is_open` whether a part of it can still be captured.
    """
    if is_open or now - moved_at < DAILY_FOR:
        return now + DAILY
    return now + WEEKLY if now + WEEKLY - moved_at <= LOOKED_AT_FOR else None
