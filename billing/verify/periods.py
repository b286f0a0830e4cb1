"""I10: the periods of a subscription tile, and each ends on the boundary that the calendar gives it.

The boundaries are computed here once more. Of an anchor that is no longer in force only its rows are left: its day is
that of its first row, or the day beside it where a change of zone fell on it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby, pairwise
from typing import Any

from billing.verify.calendar import Anchor, boundary, day_at, is_boundary, midnight
from billing.verify.reading import Snapshot
from billing.verify.report import Finding, row_of

_CYCLES = ("regular", "skipped", "withheld", "forgiven")
_ON_A_BOUNDARY = (*_CYCLES, "stub")
_A_DAY = timedelta(days=1)

_ROWS = """
SELECT p.subscription_id, p.id, p.seq, p.anchor_no, p.cycle_index, p.kind, p.start_date, p.end_date, p.starts_at,
  p.ends_at, p.original_ends_at, p.zone, p.tzdata_version, r.interval, r.interval_count, r.month_end,
  s.anchor_no AS anchor_now, s.anchor_date, s.interval AS interval_now, s.interval_count AS count_now,
  s.month_end AS month_end_now, s.status, s.next_seq, s.next_period_at
FROM periods p JOIN subscriptions s ON s.id = p.subscription_id JOIN prices r ON r.id = p.price_id
ORDER BY p.subscription_id, p.seq
"""


@dataclass(frozen=True, slots=True)
class _Span:
    """A period row as it is judged; `until` is its local end as it was first written."""

    row: Any
    start_date: date
    end_date: date
    starts_at: datetime
    ends_at: datetime
    until_at: datetime

    @property
    def until(self) -> date:
        closed_early = self.row.original_ends_at is not None
        return day_at(self.until_at, self.row.zone) if closed_early else self.end_date


def judged_periods(snapshot: Snapshot) -> Iterator[Finding]:
    """Both halves of I10 over every subscription, one after the other as they stream by."""
    zones_of = _zone_rules()
    rows, gaps, moved = 0, _Found(), _Found()
    for _, group in groupby(snapshot.rows(_ROWS), key=lambda row: row.subscription_id):
        spans = [_span(snapshot, row) for row in group]
        rows += len(spans)
        gaps.take(_untiled(snapshot, spans))
        moved.take(_off_the_calendar(spans, zones_of))
    yield Finding("I10", "periods are counted from 1, and each begins where the one before ends", rows, *gaps.as_found)
    yield Finding("I10", "each period begins and ends where the calendar says", rows, *moved.as_found)


class _Found:
    """How many rows offend, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[dict[str, str]] = []

    def take(self, said: Iterable[tuple[Any, str]]) -> None:
        for row, why in said:
            self.count += 1
            if len(self.first) < 5:
                named = [("id", row.id), ("subscription", row.subscription_id), ("seq", row.seq), ("kind", row.kind)]
                self.first.append(row_of([*named, ("because", why)]))

    @property
    def as_found(self) -> tuple[int, Sequence[dict[str, str]]]:
        return self.count, self.first


def _span(snapshot: Snapshot, row: Any) -> _Span:
    starts_at, ends_at = snapshot.instant(row.starts_at), snapshot.instant(row.ends_at)
    assert starts_at is not None, "a period has a beginning"
    assert ends_at is not None, "a period has an end"
    until_at = snapshot.instant(row.original_ends_at) or ends_at
    return _Span(row, _day(row.start_date), _day(row.end_date), starts_at, ends_at, until_at)


def _untiled(snapshot: Snapshot, spans: Sequence[_Span]) -> Iterator[tuple[Any, str]]:
    first, last = spans[0], spans[-1]
    if first.row.seq != 1:
        yield first.row, f"the first row has number {first.row.seq}"
    for before, after in pairwise(spans):
        if after.row.seq != before.row.seq + 1:
            yield after.row, f"it follows number {before.row.seq}"
        elif after.starts_at != before.ends_at:
            yield (
                after.row,
                f"it begins at {after.starts_at.isoformat()}, the one before ends at {before.ends_at.isoformat()}",
            )
    for span in spans:
        if span.ends_at < span.starts_at:
            yield span.row, "it ends before it begins"
    if last.row.next_seq != last.row.seq + 1:
        yield last.row, f"the subscription goes on with number {last.row.next_seq}"
    next_at = snapshot.instant(last.row.next_period_at)
    if next_at is not None and next_at != last.ends_at and last.row.status != "ended":
        yield last.row, f"the next one would begin at {next_at.isoformat()}"


def _off_the_calendar(spans: Sequence[_Span], zones_of: str) -> Iterator[tuple[Any, str]]:
    zone_before = None
    for anchor_no, group in groupby(spans, key=lambda span: span.row.anchor_no):
        held = list(group)
        anchor = _anchor(anchor_no, held)
        for span in held:
            # The first row of a new zone begins wherever the last row of the old one ended.
            moved = zone_before not in (None, span.row.zone)
            why = _wrong(span, anchor, moved=moved, same_rules=span.row.tzdata_version == zones_of)
            zone_before = span.row.zone
            if why is not None:
                yield span.row, why


def _anchor(anchor_no: int, held: Sequence[_Span]) -> Anchor | None:
    """The anchor in force, or the one that explains the rows of an earlier one."""
    row = held[0].row
    if anchor_no == row.anchor_now:
        return Anchor(_day(row.anchor_date), row.interval_now, row.count_now, bool(row.month_end_now))
    cycles = [span for span in held if span.row.kind in _ON_A_BOUNDARY]
    if not cycles:
        return None
    # A trial that keeps the day of the sign-up is the first row of that calendar.
    first = held[0] if held[0].row.kind == "trial" else cycles[0]
    of = cycles[0].row
    offered = [
        Anchor(day, of.interval, of.interval_count, bool(of.month_end))
        for day in (first.start_date, first.start_date + _A_DAY, first.start_date - _A_DAY)
    ]
    return next((one for one in offered if all(_ends(span, one) is None for span in cycles)), offered[0])


def _wrong(span: _Span, anchor: Anchor | None, *, moved: bool, same_rules: bool) -> str | None:
    row = span.row
    if row.kind in _ON_A_BOUNDARY:
        if anchor is None:
            return "no anchor explains it"
        if row.cycle_index is not None and not moved and span.start_date != boundary(anchor, row.cycle_index):
            return (
                f"cycle {row.cycle_index} begins on {boundary(anchor, row.cycle_index)}, the row on {span.start_date}"
            )
        if (why := _ends(span, anchor)) is not None:
            return why
    return _off_its_day(span) if same_rules else None


def _ends(span: _Span, anchor: Anchor) -> str | None:
    """Why the row does not end on a boundary of `anchor`: the next one after its cycle, or any for a part of one."""
    row = span.row
    if row.cycle_index is None:
        return None if is_boundary(anchor, span.until) else f"{span.until} is no boundary of its calendar"
    end = boundary(anchor, row.cycle_index + 1)
    return None if span.until == end else f"cycle {row.cycle_index} ends on {end}, the row on {span.until}"


def _off_its_day(span: _Span) -> str | None:
    """Instants against local days, by the zone's rules at hand: days of the calendar end at midnight."""
    row = span.row
    ends_at_midnight = row.kind in (*_ON_A_BOUNDARY, "trial", "resumed") and span.starts_at != span.until_at
    if ends_at_midnight and span.until_at != midnight(span.until, row.zone):
        return f"{span.until} begins at {midnight(span.until, row.zone).isoformat()}, the row ends at another instant"
    if span.starts_at != span.ends_at and day_at(span.starts_at, row.zone) != span.start_date:
        return f"it begins on another day than {span.start_date} in {row.zone}"
    if row.seq == 1 and span.starts_at != midnight(span.start_date, row.zone):
        return "the first period begins at its local midnight"
    return None


def _day(value: object) -> date:
    day = date.fromisoformat(value) if isinstance(value, str) else value
    assert isinstance(day, date), "a date column holds a date"
    return day


def _zone_rules() -> str:
    try:
        return version("tzdata")
    except PackageNotFoundError:
        return ""
