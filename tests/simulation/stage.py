"""One thread, many fibers, one baton: who goes on at each transaction and each call is drawn from a seeded source.

Time is virtual: it stands still while anybody can go on, and then jumps to whoever waits next. Everything that happens
goes into a digest, so that two runs of a seed can be compared. Knows nothing of billing.
"""

import hashlib
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # it brings no types

Work = Callable[[], None]

POINTS_MAX = 200_000
"""A fiber that passes more points than this without an end does the same thing for ever."""


class Killed(BaseException):
    """The process died here: nothing but what it has committed is left of it. No `except Exception` sees it."""


class Breach(AssertionError):
    """A promise was broken."""


@dataclass(slots=True)
class Fiber:
    """Somebody at work: `is_mortal` may be killed and stopped at any point."""

    name: str
    work: Work
    is_mortal: bool
    thread: greenlet | None = None
    points: int = 0


@dataclass(frozen=True, slots=True)
class Mishaps:
    """How often, per million points, a fiber is killed, is stopped for a while, or lets somebody else go on."""

    kills: int = 0
    stops: int = 0
    switches: int = 300_000
    longest_stop: timedelta = timedelta(minutes=10)


@dataclass(slots=True)
class Stage:
    """Everybody at work, the clock, and the draw."""

    draw: random.Random
    now: datetime
    mishaps: Mishaps = field(default_factory=Mishaps)
    counts: dict[str, int] = field(default_factory=dict)
    failure: BaseException | None = None
    _waiting: list[tuple[datetime, int, Fiber | Work]] = field(default_factory=list)
    _ready: list[Fiber | Work] = field(default_factory=list)
    _present: Fiber | None = None
    _hub: greenlet = field(default_factory=getcurrent)
    _order: int = 0
    _trace: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    last: list[str] = field(default_factory=list)
    """The newest lines of the trace, for whoever looks into a failure."""

    @property
    def digest(self) -> str:
        """Of everything that has happened so far."""
        return self._trace.hexdigest()

    def note(self, what: str) -> None:
        """Something happened: it counts for the digest."""
        who = self._present.name if self._present else "-"
        line = f"{self.now:%Y-%m-%dT%H:%M:%S.%f} {who} {what}"
        self._trace.update(line.encode())
        self.last.append(line)
        if len(self.last) > 4000:
            del self.last[:2000]

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def happens(self, per_million: int) -> bool:
        """Whether something that has this chance happens now; what has none draws nothing."""
        return per_million > 0 and self.draw.randrange(1_000_000) < per_million

    def between(self, least: timedelta, most: timedelta) -> timedelta:
        """A drawn duration, in whole milliseconds."""
        return timedelta(milliseconds=self.draw.randint(least // _MS, most // _MS))

    def start(self, name: str, work: Work, *, at: datetime | None = None, is_mortal: bool = False) -> None:
        """Put a fiber to work, now or at an instant."""
        self._wait(Fiber(name, work, is_mortal), at or self.now)

    def call_at(self, at: datetime, act: Work) -> None:
        """Do something at an instant that nothing can interrupt."""
        self._wait(act, at)

    def point(self, what: str) -> None:
        """Here a process may die, stop, or others go first. Only between transactions: nobody holds a lock here."""
        fiber = self._present
        if fiber is None:
            return
        fiber.points += 1
        if fiber.points > POINTS_MAX:
            raise Breach(f"{fiber.name} has no end: {what}")
        self.note(what)
        if fiber.is_mortal and self.happens(self.mishaps.kills):
            self.count("killed")
            self.note("killed")
            raise Killed
        if fiber.is_mortal and self.happens(self.mishaps.stops):
            self.count("stopped")
            self.sleep(self.between(timedelta(seconds=1), self.mishaps.longest_stop))
        elif self._ready and self.happens(self.mishaps.switches):
            self._ready.append(fiber)
            self._hub.switch()

    def sleep(self, duration: timedelta) -> None:
        """Let this much time pass for the present fiber."""
        fiber = self._present
        if fiber is not None and duration > timedelta():
            self._wait(fiber, self.now + duration)
            self._hub.switch()

    def run_until(self, end: datetime) -> None:
        """Let everybody go on until `end`; raises what made a fiber fail."""
        while self._turn(end):
            if self.failure is not None:
                raise self.failure
        self.now = max(self.now, end)

    def close(self) -> None:
        """End whoever still waits."""
        for fiber in [*(entry[2] for entry in self._waiting), *self._ready]:
            if isinstance(fiber, Fiber) and fiber.thread is not None and not fiber.thread.dead:
                fiber.thread.throw(Killed)
        self._waiting.clear()
        self._ready.clear()

    def _turn(self, end: datetime) -> bool:
        if not self._ready:
            if not self._waiting or self._waiting[0][0] > end:
                return False
            self.now = max(self.now, self._waiting[0][0])
        while self._waiting and self._waiting[0][0] <= self.now:
            self._ready.append(heapq.heappop(self._waiting)[2])
        chosen = self._ready.pop(self.draw.randrange(len(self._ready)))
        if isinstance(chosen, Fiber):
            self._go_on(chosen)
        else:
            chosen()
        return True

    def _go_on(self, fiber: Fiber) -> None:
        if fiber.thread is None:
            fiber.thread = greenlet(lambda: self._live(fiber), parent=self._hub)
        self._present = fiber
        fiber.thread.switch()
        self._present = None

    def _live(self, fiber: Fiber) -> None:
        try:
            fiber.work()
        except Killed:
            pass
        except BaseException as failed:
            self.failure = self.failure or failed

    def _wait(self, who: Fiber | Work, at: datetime) -> None:
        self._order += 1
        heapq.heappush(self._waiting, (at, self._order, who))


_MS = timedelta(milliseconds=1)
