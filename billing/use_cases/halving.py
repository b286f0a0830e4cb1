"""A batch that fails is tried in halves until its bad row stands alone; that one is parked, the others go through.

The one place with a broad `except`: whatever a single row provokes, it must not hold up everybody else's.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy.exc import OperationalError

logger = logging.getLogger(__name__)

Row = TypeVar("Row")


def in_halves(rows: Sequence[Row], work: Callable[[Sequence[Row]], None], park: Callable[[Row, str], None]) -> None:
    """Run `work` on all `rows`, which it does in one transaction, or on smaller and smaller parts of them.

    `park` is told of a row on which even alone it fails, and why, in one word. A database that cannot be reached is
    no row's fault: that error is raised.
    """
    if not rows:
        return
    try:
        work(rows)
    except OperationalError:
        raise
    except Exception as refused:
        reason = type(refused).__name__
        if len(rows) == 1:
            # Without its text, which may hold what a row holds.
            logger.error("a row is parked for a person: %s", reason)  # noqa: TRY400  (a traceback would hold the text)
            park(rows[0], reason)
            return
        middle = len(rows) // 2
        in_halves(rows[:middle], work, park)
        in_halves(rows[middle:], work, park)
