"""The life of a call to the provider: what may follow what, keys, references and the replay ladder."""

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from billing.domain.operations import (
    CAPTURE_DELAY,
    FOLLOWS,
    OperationKind,
    OperationStatus,
    is_merchant_reference,
    may_be_repeated,
    may_follow,
    merchant_reference,
    next_replay_at,
    operation_key,
    planned_capture_at,
)

SENT_AT = datetime(2027, 3, 31, 4, 30, tzinfo=UTC)
INTENT: dict[str, Any] = {
    "namespace": UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
    "kind": OperationKind.PURCHASE,
    "subject": UUID("0190c0de-0000-7000-8000-000000000001"),
    "n": 1,
    "amount": 2990,
    "currency": "EUR",
    "token_id": UUID("0190c0de-0000-7000-8000-000000000002"),
}
LAWFUL = {
    "planned": "sending dropped needs_operator",
    "sending": "planned unknown succeeded declined needs_operator",
    "unknown": "succeeded declined needs_operator",
    "needs_operator": "succeeded declined dropped planned unknown unknown",
    "succeeded": "",
    "declined": "",
    "dropped": "",
}


@pytest.mark.parametrize(("before", "after"), list(product(OperationStatus, OperationStatus)))
def test_a_call_moves_only_along_the_table(before: OperationStatus, after: OperationStatus) -> None:
    assert may_follow(before, after) is (after.value in LAWFUL[before.value].split())


def test_every_status_of_a_call_has_its_row() -> None:
    assert set(FOLLOWS) == set(OperationStatus)


def test_an_unknown_call_is_never_planned_or_sent_again_as_a_new_one() -> None:
    assert not may_follow(OperationStatus.UNKNOWN, OperationStatus.PLANNED)
    assert not may_follow(OperationStatus.UNKNOWN, OperationStatus.SENDING)


# first send    5 s   30 s   2 m   10 m   1 h   4 h   12 h   20 h        key forgotten at 24 h
#     |----------|-----|------|-----|------|-----|-----|------|--------------|
def test_an_unknown_outcome_is_asked_about_at_the_steps_of_the_ladder() -> None:
    waits = [next_replay_at(SENT_AT, sends) for sends in range(1, 9)]
    steps = [5, 30, 2 * 60, 10 * 60, 3600, 4 * 3600, 12 * 3600, 20 * 3600]
    assert waits == [SENT_AT + timedelta(seconds=step) for step in steps]


@pytest.mark.parametrize("sends", [0, 9, 10, 100])
def test_there_is_no_replay_past_the_ladder_or_before_a_first_send(sends: int) -> None:
    assert next_replay_at(SENT_AT, sends) is None


def test_no_replay_comes_near_the_end_of_the_providers_memory_of_a_key() -> None:
    waits = [next_replay_at(SENT_AT, sends) for sends in range(1, 9)]
    assert max(at for at in waits if at) <= SENT_AT + timedelta(hours=23)


def test_no_capture_is_planned_within_30_minutes_of_the_purchase() -> None:
    assert timedelta(minutes=30) < CAPTURE_DELAY


def test_a_key_is_the_same_whenever_and_wherever_it_is_computed() -> None:
    assert operation_key(**INTENT) == operation_key(**INTENT)
    assert operation_key(**INTENT) == UUID("5200da76-5f7f-5e80-92ac-b1ac48bdb731")


@pytest.mark.parametrize(
    "change",
    [
        {"namespace": UUID(int=7)},
        {"kind": OperationKind.REFUND},
        {"subject": UUID(int=7)},
        {"n": 2},
        {"amount": 2991},
        {"currency": "SEK"},
        {"token_id": UUID(int=7)},
        {"token_id": None},
    ],
)
def test_another_intent_has_another_key_and_another_reference(change: dict[str, Any]) -> None:
    key, other = operation_key(**INTENT), operation_key(**(INTENT | change))
    assert other != key
    assert merchant_reference(other) != merchant_reference(key)


def test_digits_that_move_between_number_and_amount_change_the_key() -> None:
    first = operation_key(**(INTENT | {"n": 1, "amount": 12990}))
    assert first != operation_key(**(INTENT | {"n": 11, "amount": 2990}))


def test_a_reference_is_short_printable_and_derived_from_the_key_alone() -> None:
    reference = merchant_reference(operation_key(**INTENT))
    assert reference == "op-621daa0f23060b55558c"
    assert re.fullmatch(r"op-[0-9a-f]{20}", reference)


# first send    5 m   1 h   6 h    then a person
#     |----------|-----|-----|
def test_without_keys_there_are_three_looks_and_then_a_person() -> None:
    waits = [next_replay_at(SENT_AT, sends, "legacy") for sends in range(1, 5)]
    steps = [timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6)]
    assert waits == [*(SENT_AT + step for step in steps), None]


@pytest.mark.parametrize(
    ("generation", "kind", "is_whole", "allowed"),
    [
        ("rest", OperationKind.PURCHASE, False, True),
        ("legacy", OperationKind.PURCHASE, True, False),
        ("legacy", OperationKind.VOID, False, True),
        ("legacy", OperationKind.CAPTURE, True, True),
        ("legacy", OperationKind.CAPTURE, False, False),
        ("legacy", OperationKind.REFUND, True, True),
    ],
)
def test_without_a_key_only_what_cannot_happen_twice_is_sent_again(
    generation: str, kind: OperationKind, is_whole: bool, allowed: bool
) -> None:
    assert may_be_repeated(generation, kind, is_whole=is_whole) is allowed


# authorized   +31 m: the first instant
#     |-----------|--- asked for later: at once ---
def test_a_capture_waits_31_minutes_and_longer_where_the_plan_says_so() -> None:
    earliest = SENT_AT + timedelta(minutes=31)
    assert planned_capture_at(SENT_AT, SENT_AT) == earliest
    assert planned_capture_at(SENT_AT, SENT_AT, timedelta(minutes=5)) == earliest
    assert planned_capture_at(SENT_AT, SENT_AT, timedelta(days=2)) == SENT_AT + timedelta(days=2)
    assert planned_capture_at(SENT_AT + timedelta(days=1), SENT_AT) == SENT_AT + timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("op-621daa0f23060b55558c", True),
        ("OP-621daa0f23060b55558c", False),
        ("inv-621daa0f23060b55558c", False),
        ("op-621daa0f23060b55558", False),
        ("op-621daa0f23060b55558X", False),
        ("op-621DAA0F23060B55558C", False),
        ("op_621daa0f23060b55558c", False),
        ("", False),
    ],
)
def test_only_a_reference_of_our_form_is_taken_for_one_of_ours(text: str, ours: bool) -> None:
    assert is_merchant_reference(text) is ours
