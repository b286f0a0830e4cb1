"""Rate limits: one bucket per category of calls, filled by real time, emptied by calls.

The category of a call and its limit are decided elsewhere; where there is no limit nothing is counted or said.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

_Headers = dict[str, str]


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Limiter:
    """Counts calls; `seconds` is a monotonic clock, since a frozen sandbox is still called in real time."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._buckets: dict[str, _Bucket] = {}

    def take(self, category: str, limit: int) -> tuple[bool, _Headers]:
        """Whether this call is within `limit` calls a second, and the headers that say how much is left."""
        now = self._seconds()
        bucket = self._buckets.setdefault(category, _Bucket(limit, now))
        bucket.left = min(limit, bucket.left + (now - bucket.at) * limit)
        bucket.at = now
        is_granted = bucket.left >= 1
        if is_granted:
            bucket.left -= 1
        reset = math.ceil((limit - bucket.left) / limit)
        return is_granted, {
            "X-Ratelimit-Limit": str(limit),
            "X-Ratelimit-Remaining": str(int(bucket.left)),
            "X-Ratelimit-Reset": str(max(reset, 1)),
        }
