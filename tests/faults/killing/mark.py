"""Where a worker is at this moment, written by it into memory that outlives it, and read by whoever kills it."""

import mmap
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from billing.domain.operations import OperationKind

STEPS = ("idle", "plan", "claim", "reveal", "gate", "call", "read", "settle", "ask")
KINDS = tuple(kind.value for kind in OperationKind)
AFTER_THE_GATE = ("call", "read", "settle", "ask")
"""Steps in which something may have been sent whose outcome is not written down."""

_HEAD = struct.Struct("IIdd")
_SECONDS = struct.Struct("d")
_SEEN = struct.Struct("I")
_SECONDS_AT = _HEAD.size
_SEEN_AT = _SECONDS_AT + _SECONDS.size * len(STEPS)
_SIZE = _SEEN_AT + _SEEN.size * len(STEPS) * len(KINDS)


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A step, and the kind of the operation that is in it."""

    step: str
    kind: str


class Mark:
    """Step, kind, the world's clock, how long each step lasts, and which cells were ever entered."""

    def __init__(self, now: datetime) -> None:
        self._memory = mmap.mmap(-1, _SIZE)
        self._write(0, 0, now.timestamp(), time.perf_counter())

    @property
    def cell(self) -> Cell:
        step, kind, _, _ = self._head()
        return Cell(STEPS[step], KINDS[kind])

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self._head()[2], UTC)

    @now.setter
    def now(self, at: datetime) -> None:
        step, kind, _, entered = self._head()
        self._write(step, kind, at.timestamp(), entered)

    def enter(self, step: str, kind: str | None = None) -> None:
        """The worker is in `step` from here on; `kind` stays as it was unless said."""
        before, old_kind, at, entered = self._head()
        now = time.perf_counter()
        place = _SECONDS_AT + before * _SECONDS.size
        lasted = _SECONDS.unpack_from(self._memory, place)[0]
        _SECONDS.pack_into(self._memory, place, 0.7 * lasted + 0.3 * (now - entered) if lasted else now - entered)
        number = old_kind if kind is None else KINDS.index(kind)
        self._write(STEPS.index(step), number, at, now)
        seen = _seen_place(STEPS.index(step), number)
        _SEEN.pack_into(self._memory, seen, _SEEN.unpack_from(self._memory, seen)[0] + 1)

    def lasts(self, step: str) -> float:
        """About how many seconds a worker is in this step; 0 where none has left it yet."""
        found: float = _SECONDS.unpack_from(self._memory, _SECONDS_AT + STEPS.index(step) * _SECONDS.size)[0]
        return found

    def seen(self) -> Iterator[Cell]:
        """The cells that a worker was ever in."""
        for s, step in enumerate(STEPS):
            for k, kind in enumerate(KINDS):
                if _SEEN.unpack_from(self._memory, _seen_place(s, k))[0]:
                    yield Cell(step, kind)

    def close(self) -> None:
        self._memory.close()

    def _head(self) -> tuple[int, int, float, float]:
        step, kind, at, entered = _HEAD.unpack_from(self._memory)
        return step, kind, at, entered

    def _write(self, step: int, kind: int, at: float, entered: float) -> None:
        _HEAD.pack_into(self._memory, 0, step, kind, at, entered)


def _seen_place(step: int, kind: int) -> int:
    return _SEEN_AT + (step * len(KINDS) + kind) * _SEEN.size
