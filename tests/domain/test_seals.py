"""A block's hash depends on everything in it and on the block before, and on nothing else."""

import hashlib
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

import pytest

from billing.domain.seals import FIRST, SealedEntry, SealedTransaction, block_hash, canonical

ENTRIES = (
    SealedEntry(1, "provider_clearing", "", 3970, "SEK"),
    SealedEntry(2, "receivable", "", -3970, "SEK"),
)
CAPTURE = SealedTransaction(
    UUID(int=7),
    "capture",
    UUID(int=1),
    UUID(int=2),
    None,
    None,
    "SEK",
    datetime(2028, 3, 31, 8, 0, 0, 5, tzinfo=UTC),
    None,
    ENTRIES,
)
TEXT = (
    f"\n{7:032x}|capture|{1:032x}|{2:032x}|||SEK|2028-03-31T08:00:00.000005Z|"
    "\n1|provider_clearing||3970|SEK\n2|receivable||-3970|SEK"
)


def test_the_text_that_is_hashed_is_the_documented_one() -> None:
    assert canonical(CAPTURE) == TEXT
    assert block_hash(FIRST, [CAPTURE]) == hashlib.sha256(("0" * 64 + TEXT).encode()).hexdigest()


def test_order_and_zone_in_which_rows_are_read_do_not_matter() -> None:
    other = replace(CAPTURE, id=UUID(int=8))
    elsewhere = CAPTURE.at.astimezone(timezone(timedelta(hours=2)))
    read_otherwise = replace(CAPTURE, entries=ENTRIES[::-1], at=elsewhere)
    assert block_hash(FIRST, [other, read_otherwise]) == block_hash(FIRST, [CAPTURE, other])


@pytest.mark.parametrize(
    "changed",
    [
        replace(CAPTURE, kind="refund"),
        replace(CAPTURE, invoice_id=None),
        replace(CAPTURE, operation_id=UUID(int=3)),
        replace(CAPTURE, credit_note_id=UUID(int=3)),
        replace(CAPTURE, payout_id=UUID(int=3)),
        replace(CAPTURE, currency="EUR"),
        replace(CAPTURE, at=CAPTURE.at + timedelta(microseconds=1)),
        replace(CAPTURE, booked_on=date(2028, 3, 31)),
        replace(CAPTURE, entries=ENTRIES[:1]),
        replace(CAPTURE, entries=(replace(ENTRIES[0], amount=3971), ENTRIES[1])),
        replace(CAPTURE, entries=(replace(ENTRIES[0], detail="SE"), ENTRIES[1])),
        replace(CAPTURE, entries=(replace(ENTRIES[0], account="bank"), ENTRIES[1])),
    ],
)
def test_every_change_of_a_row_changes_the_hash(changed: SealedTransaction) -> None:
    assert block_hash(FIRST, [changed]) != block_hash(FIRST, [CAPTURE])


def test_the_hash_before_is_part_of_the_hash() -> None:
    assert block_hash("1" * 64, [CAPTURE]) != block_hash(FIRST, [CAPTURE])


def test_the_clock_of_the_machine_does_not_change_a_seal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert canonical(CAPTURE) == TEXT
    finally:
        monkeypatch.undo()
        time.tzset()
