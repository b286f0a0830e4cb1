"""Whether a database is the one that this machine has served, or a copy of it that must not send anything.

The decision over what the database says of itself and what was noted of it outside (charging rules, section 3, "After
a restore"). Reads neither.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

BEGUN = 0
"""The mark of a note that was written before its database took the instance over."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A database: its instance (None: it has none yet), how far its mark has grown, and where it lies.

    An empty `fingerprint` could not be read.
    """

    instance: UUID | None
    mark: int
    fingerprint: str


class Trouble(StrEnum):
    """Why nothing is sent."""

    NO_NOTE = "no_note"
    BEHIND = "behind"
    OTHER_INSTANCE = "other_instance"
    OTHER_PLACE = "other_place"
    UNUSABLE = "unusable"


SENTENCES = {
    Trouble.NO_NOTE: "the database was armed elsewhere and there is no instance file here; on a further machine, or"
    " after a move, run `billing vault arm`; after a restore from a backup, `billing restore open`",
    Trouble.BEHIND: "the database is older than what this machine has seen of it: it was restored from a backup;"
    " run `billing restore open`",
    Trouble.OTHER_INSTANCE: "the instance file is about another database than this one; if this is the right one, run"
    " `billing vault arm`",
    Trouble.OTHER_PLACE: "the database is a copy, or lies in another place than it did; after a move or a failover run"
    " `billing vault arm`; after a restore from a backup, `billing restore open`",
    Trouble.UNUSABLE: "the instance file cannot be read or written",
}


def trouble(database: Seen, noted: Seen | None) -> Trouble | None:
    """Why this database must not send, or None. A lower mark is the worst: it proves that something was forgotten."""
    if noted is None:
        return None if database.instance is None else Trouble.NO_NOTE
    if database.mark < noted.mark:
        return Trouble.BEHIND
    is_begun = database.instance is None and noted.mark == BEGUN
    if not is_begun and database.instance != noted.instance:
        return Trouble.OTHER_INSTANCE
    if database.fingerprint and noted.fingerprint and database.fingerprint != noted.fingerprint:
        return Trouble.OTHER_PLACE
    return None
