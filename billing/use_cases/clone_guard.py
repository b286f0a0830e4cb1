"""The clone guard: a database that was copied or restored from a backup sends nothing until a person has said what
became of it (charging rules, section 3, "After a restore").

The note outside is never ahead of a commit: the database is written first, so that a crash between both leaves the
database ahead, which is no trouble.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Conflict, NotReady
from billing.domain.instances import BEGUN, SENTENCES, Seen, Trouble, trouble
from billing.ports import Ids, InstanceNotes
from billing.store.accounts import Installation, installation
from billing.store.batch import Batch
from billing.store.decisions import Decision
from billing.store.engine import Database
from billing.store.fingerprints import fingerprint
from billing.store.runs import due_from
from billing.use_cases.check_ready import OVERDUE_AFTER

_MAY_BE_ARMED = (Trouble.NO_NOTE, Trouble.OTHER_INSTANCE, Trouble.OTHER_PLACE)


class Guard:
    """Whether this process may send. Without `notes` nothing is guarded: for tests, and for what charges nobody."""

    def __init__(self, database: Database | None = None, ids: Ids | None = None, notes: InstanceNotes | None = None):
        self._database, self._ids, self.notes = database, ids, notes
        self._refusal: str | None = None
        self.trouble: Trouble | None = None

    @property
    def refusal(self) -> str | None:
        """Why nothing is sent and what to do about it, or None."""
        return self._refusal

    def may_send(self) -> bool:
        """Whether anything may leave, as the last check has found."""
        return self._refusal is None

    def check(self, now: datetime) -> None:
        """Compare the database with the note, and where both agree let the mark grow in both.

        At every start and every minute. The first check of a database without an instance gives it one.
        """
        if self._database is None or self._ids is None or self.notes is None:
            return
        try:
            found = _checked(self._database, self._ids, self.notes, now, was=self.trouble)
        except NotReady as unusable:
            self.trouble, self._refusal = Trouble.UNUSABLE, unusable.message
            return
        self.trouble = found
        self._refusal = None if found is None else SENTENCES[found]


UNGUARDED = Guard()


@dataclass(frozen=True, slots=True)
class Arming:
    """A person's word that this database is the right one, and that nothing of it was lost."""

    by: str
    reason: str
    nothing_lost: bool = False
    """Said of a database that stood still while work was due."""


def arm(database: Database, ids: Ids, notes: InstanceNotes, now: datetime, arming: Arming) -> Trouble:
    """Let a database send that was moved, failed over, or is served by a further machine; returns what was wrong.

    Raises `Conflict` where nothing is wrong, where the mark proves that it was restored from a backup, and where work
    has been due for long, since that is how a backup looks too, unless the person says that nothing was lost.
    """
    with database.tx() as session:
        row = locked_installation(session)
        noted, lies = _read_if_possible(notes), fingerprint(session)
        found = trouble(Seen(row.instance, row.mark, lies), noted)
        if found is None:
            raise Conflict("nothing is wrong: this database is armed")
        _check_armable(session, found, now, arming)
        if found is Trouble.OTHER_PLACE or row.instance is None:
            # Whatever still runs on the place that it came from is a copy from now on.
            row.instance = ids.new()
        row.mark = 1 + max(row.mark, noted.mark if noted is not None else 0)
        seen = Seen(row.instance, row.mark, lies)
        batch = Batch(ids, now)
        details = {"trouble": found.value, "mark": row.mark, "nothing_lost": arming.nothing_lost}
        decided(batch, row.id, "arm", arming.by, arming.reason, details)
        batch.tell_all("installation.armed", reason=arming.reason, trouble=found.value)
        session.add(row)
        batch.write(session)
    notes.note(seen)
    return found


def rearmed(session: Session, ids: Ids, notes: InstanceNotes) -> Seen:
    """A new instance with a mark above all that was seen, in the caller's transaction; to be noted after its commit."""
    row = locked_installation(session)
    noted = _read_if_possible(notes)
    row.instance = ids.new()
    row.mark = 1 + max(row.mark, noted.mark if noted is not None else 0)
    session.add(row)
    return Seen(row.instance, row.mark, fingerprint(session))


def locked_installation(session: Session) -> Installation:
    """The database's own row, held against everybody. Raises `NotReady` before `billing vault init`."""
    row = installation(session, lock=True)
    if row is None:
        raise NotReady("the database is not tied to a vault key yet; run `billing vault init`")
    session.refresh(row)
    return row


def decided(batch: Batch, subject: UUID, verb: str, by: str, reason: str, details: Mapping[str, object]) -> None:
    """A line of the audit log of what persons decided about this installation, a restore or a brake."""
    batch.add(
        Decision,
        operation_id=None,
        subject=subject.hex,
        verb=verb,
        by=by[:200],
        reason=reason[:500],
        details=dict(details),
        at=batch.now,
    )


def _checked(
    database: Database, ids: Ids, notes: InstanceNotes, now: datetime, *, was: Trouble | None
) -> Trouble | None:
    with database.tx() as session:
        row = locked_installation(session)
        # Read with the row held: whatever stands in the note was committed here before.
        noted, lies = notes.read(), fingerprint(session)
        found = trouble(Seen(row.instance, row.mark, lies), noted)
        if found is not None:
            if found is not was:
                batch = Batch(ids, now)
                batch.tell_all("installation.guarded", trouble=found.value, mark=row.mark)
                batch.write(session)
            return found
        if row.instance is None:
            row.instance = noted.instance if noted is not None else ids.new()
            # Begun outside first: were the file to come after the commit, a crash between would look like a copy.
            notes.note(Seen(row.instance, BEGUN, lies))
        row.mark += 1
        seen = Seen(row.instance, row.mark, lies)
        session.add(row)
    notes.note(seen)
    return None


def _read_if_possible(notes: InstanceNotes) -> Seen | None:
    try:
        return notes.read()
    except NotReady:
        return None


def _check_armable(session: Session, found: Trouble, now: datetime, arming: Arming) -> None:
    if found not in _MAY_BE_ARMED:
        raise Conflict(SENTENCES[found])
    due_at = due_from(session).first()
    if due_at is not None and now - due_at > OVERDUE_AFTER and not arming.nothing_lost:
        raise Conflict(
            f"work has been due since {due_at.isoformat(timespec='seconds')}, as it would be in a backup: if this"
            " database was restored, run `billing restore open`; if the service only stood still and nothing was lost,"
            " say so"
        )
