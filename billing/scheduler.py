"""Poking: what one tick does, and the timer that makes ticks. The rows say what is due; a tick that is late, early,
double or lost changes nothing.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from billing.bootstrap import Wiring
from billing.store.paces import paced_until
from billing.store.runs import Due, due_from
from billing.use_cases.check_tokens import check_tokens
from billing.use_cases.exhaust import exhaust
from billing.use_cases.link_restored import link_restored
from billing.use_cases.operate import operate
from billing.use_cases.reconcile import reconcile
from billing.use_cases.release_revenue import release_revenue
from billing.use_cases.remind import remind
from billing.use_cases.renew import renew
from billing.use_cases.replace_price import tell_of_replacements
from billing.use_cases.scan_duplicates import scan_duplicates
from billing.use_cases.seal_audit import seal_audit
from billing.use_cases.seal_ledger import seal_ledger
from billing.use_cases.verify_daily import Judgement, verify_daily
from billing.use_cases.watch_orders import watch_orders

logger = logging.getLogger(__name__)

RENEW, OPERATE, SEAL, VERIFY, MARK, SCAN = "renew", "operate", "seal", "verify", "mark", "scan"
SEAL_EVERY_SECONDS = 60
MARK_EVERY_SECONDS = 60
VERIFY_LOOK_SECONDS = 300
"""Between two looks at whether the day's check has been made."""

SCAN_AFTER, SCAN_EVERY = timedelta(minutes=10), timedelta(days=1)
"""The scan for what was charged twice: soon after a start, then daily."""

Checker = Callable[[datetime, Callable[[], bool]], Judgement | None]
"""Checks the database as of an instant; given up, with None, once its second argument says that we are stopping."""


@dataclass(frozen=True, slots=True)
class Idle:
    """The end of a pass: how many rows it found, and what becomes due next."""

    found: int
    due: Due


class Loops:
    """The loops of one process. Every tick works until nothing is due or a stop is asked for.

    Unless it `watches`, what somebody does in the provider's own portal is not looked for.
    """

    def __init__(self, wiring: Wiring, checker: Checker | None = None, *, watches: bool = True) -> None:
        self._wiring = wiring
        self._checker = checker
        self._watches = watches
        self._sending = wiring.sending()
        self._stopping = threading.Event()
        self._scheduler: BackgroundScheduler | None = None
        self._tick = timedelta()

    def renew(self) -> int:
        """Open what opens now and close what has run out; returns how much was found. Nothing in a copy."""
        wiring = self._wiring
        if not wiring.guard.may_send():
            return 0
        now = wiring.clock.now()
        found = renew(wiring.database, wiring.ids, now, wiring.passed, wiring.seller, wiring.limits).seen
        while not self._stopping.is_set() and (closed := exhaust(wiring.database, wiring.ids, now)):
            found += closed
        while not self._stopping.is_set() and (told := tell_of_replacements(wiring.database, wiring.ids, now)):
            found += told
        while not self._stopping.is_set() and (asked := remind(wiring.database, wiring.ids, now)):
            found += asked
        while not self._stopping.is_set() and (released := release_revenue(wiring.database, wiring.ids, now)):
            found += released
        return found

    def operate(self) -> int:
        """Send what is due and ask about what is not known; returns how many rows were claimed."""
        claimed = self.link()
        while not self._stopping.is_set() and (found := operate(self._sending) + reconcile(self._sending)):
            claimed += found
        while not self._stopping.is_set() and (read := check_tokens(self._sending)):
            claimed += read
        while self._watches and not self._stopping.is_set() and (looked := watch_orders(self._sending)):
            claimed += looked
        self._come_back()
        return claimed

    def link(self) -> int:
        """While a restore is open, settle what the provider's export shows; returns how many rows moved."""
        wiring = self._wiring
        if not wiring.guard.may_send():
            return 0
        return link_restored(wiring.database, wiring.ids, wiring.namespace, wiring.clock.now())

    def _come_back(self) -> None:
        """An account that ran out of permits has some again sooner than the next tick, perhaps."""
        if self._scheduler is None or self._stopping.is_set():
            return
        now = self._wiring.clock.now()
        with self._wiring.database.tx() as session:
            again = paced_until(session, now)
        if again is not None:
            self._scheduler.modify_job(OPERATE, next_run_time=datetime.now(UTC) + min(again - now, self._tick))

    def seal(self) -> int:
        """Seal what the ledger and the audit log have gathered; returns how many transactions of the ledger."""
        now = self._wiring.clock.now()
        seal_audit(self._wiring.database, now)
        return seal_ledger(self._wiring.database, now)

    def mark(self) -> None:
        """Let the database's mark grow, and stop sending where it is no longer the one that this machine has served."""
        self._wiring.guard.check(self._wiring.clock.now())

    def scan(self) -> None:
        """Look for what was charged though it was given up."""
        scan_duplicates(self._sending)

    def verify(self) -> None:
        """Have the day's check made, unless somebody has or there is no checker."""
        checker, wiring = self._checker, self._wiring
        if checker is None:
            return
        now, clock = wiring.clock.now(), wiring.clock.now
        stopping = self._stopping.is_set
        verify_daily(wiring.database, wiring.ids, now, wiring.seller.zone, lambda at: checker(at, stopping), clock)

    def until_idle(self, known: Due | None = None) -> Idle:
        """One pass of all loops until nothing is due: how much was found, and what becomes due next.

        `known` is what an earlier pass returned, where nothing can have been written since: it saves the first look.
        """
        total = 0
        while True:
            due, known = known or self._due(), None
            found = 0 if self._stopping.is_set() else self._round(due)
            if not found:
                return Idle(total, due)
            total += found

    def _round(self, due: Due) -> int:
        """Each loop once, and only where a look at the due rows says that it would find something."""
        now = self._wiring.clock.now()
        opening = (due.period, due.exhausted, due.released, due.reminded, due.replaced)
        found = self.renew() if any(_reached(at, now) for at in opening) else 0
        if due.restoring is not None:
            found += self.link()
        # A renewal plans purchases that are due at once, so that its find is reason enough to look.
        if found or _reached(due.planned, now) or _reached(due.leased, now):
            found += operate(self._sending)
        if _reached(due.asked, now) or _reached(due.leased, now):
            found += reconcile(self._sending)
        if _reached(due.token_checked, now):
            found += check_tokens(self._sending)
        if self._watches and _reached(due.looked, now):
            found += watch_orders(self._sending)
        return found

    def next_due_at(self) -> datetime | None:
        """The earliest instant at which anything of this database becomes due, in UTC."""
        return self._due().first()

    def _due(self) -> Due:
        with self._wiring.database.tx() as session:
            return due_from(session)

    def start(self, seconds: float) -> None:
        """Poke the loops every `seconds`, the first time at once."""
        self._tick = timedelta(seconds=seconds)
        # A tick that finds the last one still running is left out; that is meant, and no news.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        for name, tick in ((RENEW, self.renew), (OPERATE, self.operate)):
            self._scheduler.add_job(tick, IntervalTrigger(seconds=seconds), id=name, next_run_time=datetime.now(UTC))
        self._scheduler.add_job(self.seal, IntervalTrigger(seconds=SEAL_EVERY_SECONDS), id=SEAL)
        self._scheduler.add_job(self.mark, IntervalTrigger(seconds=MARK_EVERY_SECONDS), id=MARK)
        self._scheduler.add_job(self.verify, IntervalTrigger(seconds=VERIFY_LOOK_SECONDS), id=VERIFY)
        every, first = IntervalTrigger(seconds=int(SCAN_EVERY.total_seconds())), datetime.now(UTC) + SCAN_AFTER
        self._scheduler.add_job(self.scan, every, id=SCAN, next_run_time=first)
        self._scheduler.start()

    def poke(self) -> None:
        """Something was just written: look now instead of at the next tick."""
        if self._scheduler is None:
            return
        for name in (RENEW, OPERATE):
            self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Let the running batches end, then stop; call it from a thread that may wait."""
        self._stopping.set()
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)
            self._scheduler = None


def _reached(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now
