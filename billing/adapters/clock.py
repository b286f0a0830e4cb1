"""The two clocks: the wall's, and one that a simulation moves."""

from datetime import UTC, datetime
from threading import Lock

from billing.domain.errors import Invalid


class SystemClock:
    """The wall clock of this machine."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)


class SimulatedClock:
    """Stands still at the instant it was last set to; safe to read and set from several threads.

    Raises `Invalid` for a naive start.
    """

    def __init__(self, start: datetime) -> None:
        self._now = _in_utc(start)
        self._lock = Lock()

    def now(self) -> datetime:
        """The instant it was set to, aware, in UTC."""
        return self._now

    def set(self, instant: datetime) -> None:
        """Move on to `instant`. Raises `Invalid` when it is naive or lies before the present one."""
        wanted = _in_utc(instant)
        with self._lock:
            if wanted < self._now:
                raise Invalid(f"time does not go back: it is {self._now.isoformat()}, not yet {wanted.isoformat()}")
            self._now = wanted


def _in_utc(instant: datetime) -> datetime:
    if instant.utcoffset() is None:
        raise Invalid(f"the instant {instant.isoformat()} has no time zone; give it one, for example +00:00")
    return instant.astimezone(UTC)
