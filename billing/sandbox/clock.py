"""The sandbox's own clock: the real one, moved by an offset, or frozen at an instant. It survives a restart."""

from datetime import UTC, datetime, timedelta

from billing.sandbox.ledger import Ledger

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2999, 1, 1, tzinfo=UTC)


class ClockRefused(ValueError):
    """The clock cannot be set to that."""


def stamp(at: datetime) -> str:
    """The instant as Klarna writes it, in milliseconds; such texts sort like the instants themselves."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: str) -> datetime:
    """An aware instant in UTC; raises ClockRefused for what is no instant or has no zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ClockRefused("This is not an ISO 8601 instant.") from None
    if at.tzinfo is None:
        raise ClockRefused("The instant has no zone; add Z or an offset.")
    return _within_range(at)


class Clock:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        row = ledger.row("SELECT frozen_at, offset_microseconds FROM clock")
        self._frozen_at = instant(row["frozen_at"]) if row and row["frozen_at"] else None
        self._offset = timedelta(microseconds=row["offset_microseconds"]) if row else timedelta()

    def now(self) -> datetime:
        return self._frozen_at or datetime.now(UTC) + self._offset

    def stamp_now(self) -> str:
        return stamp(self.now())

    def advance(self, seconds: float) -> None:
        """Moves the frozen instant, or the offset on the real clock; raises ClockRefused out of 1970..2999."""
        try:
            step = timedelta(seconds=seconds)
            moved = self.now() + step
        except (OverflowError, ValueError):
            raise ClockRefused("That many seconds lead out of the calendar.") from None
        _within_range(moved)
        if self._frozen_at is None:
            self._offset += step
        else:
            self._frozen_at = moved
        self._save()

    def freeze(self, at: datetime) -> None:
        self._frozen_at = at
        self._save()

    def release(self) -> None:
        """Back to the real clock."""
        self._frozen_at, self._offset = None, timedelta()
        self._save()

    def _save(self) -> None:
        frozen = self._frozen_at.isoformat() if self._frozen_at else None
        # A simulation sets the clock thousands of times; a disk flush for each would cost more than the calls.
        self._ledger.write_lightly(
            "INSERT OR REPLACE INTO clock (id, frozen_at, offset_microseconds) VALUES (1, ?, ?)",
            frozen,
            self._offset // timedelta(microseconds=1),
        )


def _within_range(at: datetime) -> datetime:
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise ClockRefused("The instant lies outside the calendar.") from None
    if not EARLIEST <= at < LATEST:
        raise ClockRefused("The instant must lie between 1970 and 2999.")
    return at
