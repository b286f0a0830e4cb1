"""Answer once: a request that carries an Idempotency-Key has one effect and one answer, however often it arrives.

The answer is stored in the transaction of the effect. Whoever comes second meets the unique key of the stored answer,
rolls back and says what the first one said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from billing.domain.errors import BillingError, Conflict, IdempotencyKeyReused
from billing.ports import Ids
from billing.store.audit import StoredAnswer, stored_answer
from billing.store.bulk import table_of
from billing.store.engine import Database
from billing.use_cases.recording import Record

Result = TypeVar("Result")

OPEN = 102
"""Stands where the status will stand while an answer may still be completed: `complete` fixes it, once."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is recognized again: who asked, under which key, and a digest of method, path and body."""

    api_key_id: UUID
    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Given:
    """An answer: HTTP status and body as they are sent. `replayed` says that its effect happened before."""

    status: int
    body: bytes
    replayed: bool


def answer_once(
    database: Database,
    ids: Ids,
    now: datetime,
    asked: Asked | None,
    act: Callable[[Record[Result]], Result],
    answer: Callable[[Session, Result], tuple[int, bytes]],
    refusal: Callable[[BillingError], tuple[int, bytes]],
) -> Given:
    """Carry out `act`, unless this request was answered before: then that answer again.

    `answer` renders what `act` did, inside its transaction; `refusal` renders why it did not. Refusals below 500 are
    stored too, so that a repeat hears the same. Raises `IdempotencyKeyReused` where the key was another request's,
    and whatever `act` raises where `asked` is None.
    """
    known = _known(database, asked)
    if known is not None:
        return known
    given: list[Given] = []

    def record(session: Session, result: Result) -> None:
        given.append(Given(*answer(session, result), replayed=False))
        _store(session, ids, now, asked, given[-1])

    try:
        result = act(record)
    except BillingError as error:
        return _refused(database, ids, now, asked, error, refusal)
    except IntegrityError as error:
        if not is_doubled(error):
            raise
        doubled = Conflict("another request did the same at the same moment; look at what is there and try again")
        return _refused(database, ids, now, asked, doubled, refusal)
    if not given:  # what changes nothing has no transaction of its own to be recorded in
        return _keep(database, ids, now, asked, lambda session: answer(session, result))
    return given[-1]


def complete(database: Database, asked: Asked | None, given: Given, status: int, body: bytes) -> Given:
    """Fix an answer given as `OPEN`; where another request has fixed it already, that one's answer holds."""
    if asked is None:
        return Given(status, body, given.replayed)
    table = table_of(StoredAnswer)
    mine = (table.c.api_key_id == asked.api_key_id, table.c.idempotency_key == asked.key, table.c.status == OPEN)
    with database.tx() as session:
        session.execute(update(table).where(*mine).values(status=status, body=body))
        row = stored_answer(session, asked.api_key_id, asked.key)
        assert row is not None, "an answer that was given is stored"
        return Given(row.status, row.body, given.replayed)


def is_doubled(error: IntegrityError) -> bool:
    """Whether the database refused a row because one like it is there: any other constraint is a fault of ours."""
    original: Any = error.orig
    sqlite = getattr(original, "sqlite_errorname", "") in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")
    return sqlite or getattr(original, "sqlstate", "") == "23505"


def _known(database: Database, asked: Asked | None) -> Given | None:
    if asked is None:
        return None
    with database.tx() as session:
        row = stored_answer(session, asked.api_key_id, asked.key)
    if row is None:
        return None
    if row.request_sha256 != asked.sha256:
        raise IdempotencyKeyReused
    return Given(row.status, row.body, replayed=True)


def _refused(
    database: Database,
    ids: Ids,
    now: datetime,
    asked: Asked | None,
    error: BillingError,
    refusal: Callable[[BillingError], tuple[int, bytes]],
) -> Given:
    status, body = refusal(error)
    if asked is None or status >= 500:
        raise error
    return _keep(database, ids, now, asked, lambda _: (status, body))


def _keep(
    database: Database,
    ids: Ids,
    now: datetime,
    asked: Asked | None,
    answer: Callable[[Session], tuple[int, bytes]],
) -> Given:
    """Store an answer without an effect, in a transaction of its own; another request's comes before it."""
    try:
        with database.tx() as session:
            given = Given(*answer(session), replayed=False)
            _store(session, ids, now, asked, given)
            return given
    except IntegrityError as error:
        known = _known(database, asked) if is_doubled(error) else None
        if known is None:
            raise
        return known


def _store(session: Session, ids: Ids, now: datetime, asked: Asked | None, given: Given) -> None:
    if asked is None:
        return
    session.add(
        StoredAnswer(
            id=ids.new(),
            api_key_id=asked.api_key_id,
            idempotency_key=asked.key,
            request_sha256=asked.sha256,
            status=given.status,
            body=given.body,
            created_at=now,
        )
    )
    # Now and not at the commit: here a double is still an error of this statement, whichever database it is.
    session.flush()
