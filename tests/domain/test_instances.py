"""A database is told from its copies by what was noted of it outside."""

from uuid import UUID

import pytest

from billing.domain.instances import BEGUN, SENTENCES, Seen, Trouble, trouble

ONE, OTHER = UUID(int=1), UUID(int=2)
HERE, THERE = "sqlite:/var/a:1", "sqlite:/var/b:2"


@pytest.mark.parametrize(
    ("database", "noted", "expected"),
    [
        (Seen(ONE, 7, HERE), Seen(ONE, 7, HERE), None),
        # another process has let it grow, or a crash came before the note
        (Seen(ONE, 9, HERE), Seen(ONE, 7, HERE), None),
        (Seen(ONE, 6, HERE), Seen(ONE, 7, HERE), Trouble.BEHIND),
        # the worst comes first
        (Seen(OTHER, 6, THERE), Seen(ONE, 7, HERE), Trouble.BEHIND),
        (Seen(OTHER, 7, HERE), Seen(ONE, 7, HERE), Trouble.OTHER_INSTANCE),
        (Seen(ONE, 7, THERE), Seen(ONE, 7, HERE), Trouble.OTHER_PLACE),
        # what cannot be read is not compared
        (Seen(ONE, 7, ""), Seen(ONE, 7, HERE), None),
        (Seen(ONE, 7, HERE), Seen(ONE, 7, ""), None),
        (Seen(ONE, 7, HERE), None, Trouble.NO_NOTE),
        # of an earlier version, or new
        (Seen(None, 0, HERE), None, None),
        # arming was begun and not ended
        (Seen(None, 0, HERE), Seen(ONE, BEGUN, HERE), None),
        (Seen(None, 0, THERE), Seen(ONE, BEGUN, HERE), Trouble.OTHER_PLACE),
        # a backup of an earlier version
        (Seen(None, 0, HERE), Seen(ONE, 3, HERE), Trouble.BEHIND),
    ],
)
def test_what_differs_from_the_note_is_trouble(database: Seen, noted: Seen | None, expected: Trouble | None) -> None:
    assert trouble(database, noted) is expected


@pytest.mark.parametrize("kind", Trouble)
def test_every_trouble_says_what_is_wrong(kind: Trouble) -> None:
    assert SENTENCES[kind]
