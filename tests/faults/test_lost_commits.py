"""The connection is lost at a COMMIT, once at each COMMIT of a pass: the change was kept, or it is gone, and the worker
cannot tell which.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from both_books import BothBooks
from installed import Installed
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from billing.use_cases.refund import NewRefund, refund

AT_MOST = 40
LEASES_END = timedelta(minutes=4)


@dataclass
class Losing:
    """Loses the answer to the COMMIT whose turn it is."""

    nth: int
    is_kept: bool
    commits: int = 0

    def committing(self, connection: Connection) -> None:
        self.commits += 1
        if self.commits == self.nth:
            if self.is_kept:
                raw: Any = connection.connection.dbapi_connection
                raw.commit()
            raise OperationalError("COMMIT", {}, Exception("the connection was lost"))


@contextmanager
def losing(engine: Engine, nth: int, *, is_kept: bool) -> Iterator[Losing]:
    loss = Losing(nth, is_kept)
    event.listen(engine, "commit", loss.committing)
    try:
        yield loss
    finally:
        event.remove(engine, "commit", loss.committing)


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "gone"])
def test_a_commit_lost_anywhere_in_a_charge_a_capture_or_a_refund_doubles_and_forgets_nothing(
    installed: Installed, *, is_kept: bool
) -> None:
    now = datetime.now(UTC)
    with installed.at(now) as (wiring, loops, clock):
        nth, lost = 1, 1
        while lost and nth < AT_MOST:
            installed.subscribe(wiring, clock.now())
            lost = one_pass(installed, wiring, loops, nth, is_kept=is_kept)
            loops.until_idle()
            # What a lost worker held is taken up once its lease is over; the captures are due then as well.
            clock.set(clock.now() + timedelta(minutes=31) + LEASES_END)
            one_pass(installed, wiring, loops, nth, is_kept=is_kept)
            loops.until_idle()
            clock.set(clock.now() + LEASES_END)
            loops.until_idle()
            refund_one(installed, wiring, clock.now())
            one_pass(installed, wiring, loops, nth, is_kept=is_kept)
            clock.set(clock.now() + LEASES_END)
            loops.until_idle()
            nth += 1
        assert not lost, "a pass has more commits than this test loses"
        assert nth > 6, "a charge has more commits than were lost"
        end = clock.now()
    installed.carry_on(end, end + timedelta(hours=2))
    BothBooks(installed).assert_agree()


def one_pass(installed: Installed, wiring: Any, loops: Any, nth: int, *, is_kept: bool) -> int:
    """All loops, losing one COMMIT; returns how many were lost: 0 where the pass has fewer."""
    with losing(wiring.database.engine, nth, is_kept=is_kept) as loss:
        try:
            loops.until_idle()
        except OperationalError:
            return 1
    return int(loss.commits >= nth)


def refund_one(installed: Installed, wiring: Any, now: datetime) -> None:
    paid = [invoice for invoice in BothBooks(installed).invoices if invoice.status == "paid" and not invoice.credited]
    if paid:
        refund(wiring.database, wiring.ids, now, NewRefund(paid[-1].id, "goodwill"))
