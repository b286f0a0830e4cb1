"""Verify daily: have the checker judge this database once a day, keep what it found, and fail closed, no wider.

The checker shares no code with the service, so that it is handed in as `judge`. A breach of I1, I3 (purchases) or I12
stops the provider accounts concerned; any other breach is told and stops nothing (charging rules, I21).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID

from sqlmodel import Session

from billing.domain.periods import instant_of, local_date
from billing.ports import Ids
from billing.store.accounts import halt, installation
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.verifications import Verification, last_begun, last_verification

DAILY_AT = time(3)
"""The seller's local time after which the day's check begins."""

DIED_AFTER = timedelta(hours=2)
"""A check that is not finished by then has died with its process, and is begun anew."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the checker found: rows looked at and rows that offend, by invariant; the accounts that must stop."""

    looked_at: Mapping[str, int]
    offending: Mapping[str, int]
    stops: Sequence[str]

    @property
    def broken(self) -> list[str]:
        """The invariants that do not hold."""
        return [name for name, rows in self.offending.items() if rows]


Judge = Callable[[datetime], Judgement | None]
"""Checks the database as of an instant; None where it was stopped before it could say anything."""


def verify_daily(
    database: Database, ids: Ids, now: datetime, zone: str, judge: Judge, clock: Callable[[], datetime]
) -> Judgement | None:
    """Begin the day's check unless somebody has, and record what it finds; None where there is nothing to begin.

    `zone` is the seller's, by whose day it counts; `clock` says when it ended.
    """
    verification_id = _begin(database, ids, now, zone)
    if verification_id is None:
        return None
    found = judge(now)
    _end(database, ids, clock(), verification_id, found)
    return found


def last_breaches(database: Database) -> dict[str, int]:
    """Offending rows by invariant, as the last finished check found them; empty before the first."""
    with database.tx() as session:
        last = last_verification(session)
        return {} if last is None else {name: found["offending"] for name, found in last.results.items()}


def _begin(database: Database, ids: Ids, now: datetime, zone: str) -> UUID | None:
    """Held on the installation's row, so that of many workers one begins."""
    due_from = instant_of(local_date(now, zone), DAILY_AT, zone)
    if now < due_from:
        return None
    with database.tx() as session:
        installation(session, lock=True)
        last = last_begun(session)
        died = last is not None and last.finished_at is None and last.started_at <= now - DIED_AFTER
        if last is not None and last.started_at >= due_from and not died:
            return None
        row = Verification(id=ids.new(), started_at=now)
        session.add(row)
        return row.id


def _end(database: Database, ids: Ids, now: datetime, verification_id: UUID, found: Judgement | None) -> None:
    with database.tx() as session:
        row = session.get_one(Verification, verification_id)
        if found is None:
            # It was stopped: the next process begins it anew.
            session.delete(row)
            return
        row.finished_at, row.breaches = now, sum(found.offending.values())
        row.results = {
            name: {"looked_at": found.looked_at.get(name, 0), "offending": rows}
            for name, rows in found.offending.items()
        }
        if found.broken:
            _alarm(session, Batch(ids, now), row, found)


def _alarm(session: Session, batch: Batch, row: Verification, found: Judgement) -> None:
    batch.tell_all("verification.failed", verification=row.id.hex, broken=found.broken, rows=row.breaches)
    reason = f"the daily check found {', '.join(found.broken)} broken; see `billing verify`"
    for account in found.stops:
        if halt(session, account, reason, batch.now):
            batch.tell_all("account.halted", account=account, reason=reason)
    batch.write(session)
