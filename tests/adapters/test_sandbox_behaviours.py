"""Tokens that behave as they are named, the same way for the same seeds."""

from collections import Counter
from uuid import uuid4

import httpx
import pytest

FOR_EVER = 6


def attempts(sandbox, token, invoice, count):
    """The error codes of that many attempts at one invoice; None for one that was charged."""
    answers = [sandbox.charge(token, merchant_reference1=invoice) for _ in range(count)]
    return [answer.json().get("error_code") for answer in answers]


def status_of(sandbox, token):
    return sandbox.client.get(f"/customer-token/v1/tokens/{token}").json()["status"]


def first_refused_charge(sandbox, token, charges=10):
    codes = [sandbox.charge(token).json().get("error_code") for _ in range(charges)]
    refused = [n for n, code in enumerate(codes, start=1) if code]
    return refused[0], codes[refused[0] - 1]


def test_always_ok_is_always_ok(sandbox):
    assert attempts(sandbox, sandbox.token("always_ok"), "inv_1", 5) == [None] * 5


def test_decline_soft_declines_the_first_attempt_of_every_invoice_and_takes_the_second(sandbox):
    token = sandbox.token("decline_soft")
    for invoice in ("inv_1", "inv_2"):
        assert attempts(sandbox, token, invoice, 2) == ["PAYMENT_METHOD_FAILED", None]
    assert status_of(sandbox, token) == "ACTIVE"
    assert len(sandbox.rows("SELECT 1 FROM declines WHERE token_id = ?", token)) == 2


def declines_before_success(sandbox, token, invoice):
    return next((n for n in range(FOR_EVER) if sandbox.charge(token, merchant_reference1=invoice).is_success), FOR_EVER)


def test_a_seeded_decline_soft_takes_sixty_percent_at_once_and_some_never(sandbox):
    token = sandbox.token("decline_soft", "anna")
    drawn = Counter(declines_before_success(sandbox, token, f"inv_{n}") for n in range(150))
    assert set(drawn) == {0, 1, 2, 3, FOR_EVER}
    assert 75 <= drawn[0] <= 105
    assert drawn[0] > drawn[1] > max(drawn[3], drawn[FOR_EVER])


def test_decline_hard_ends_the_token_at_the_first_charge(sandbox):
    token = sandbox.token("decline_hard")
    assert attempts(sandbox, token, "inv_1", 2) == ["TOKEN_CANCELLED"] * 2
    assert status_of(sandbox, token) == "CANCELLED"


@pytest.mark.parametrize("seed", ["anna", "bert", "carl"])
def test_a_seeded_decline_hard_ends_the_token_between_the_second_and_the_eighth_charge(sandbox, seed):
    token = sandbox.token("decline_hard", seed)
    ordinal, code = first_refused_charge(sandbox, token)
    assert (2 <= ordinal <= 8, code) == (True, "TOKEN_CANCELLED")
    assert status_of(sandbox, token) == "CANCELLED"


def test_a_suspended_token_sleeps_three_days_and_is_charged_again(sandbox):
    sandbox.freeze("2028-03-01T10:00:00Z")
    token = sandbox.token("suspended")
    assert status_of(sandbox, token) == "ACTIVE"
    assert attempts(sandbox, token, "inv_1", 2) == ["TOKEN_SUSPENDED"] * 2
    sandbox.advance(days=3, seconds=-1)
    assert status_of(sandbox, token) == "SUSPENDED"
    sandbox.advance(seconds=1)
    assert status_of(sandbox, token) == "ACTIVE"
    assert attempts(sandbox, token, "inv_1", 1) == [None]


def test_a_seeded_suspension_comes_between_the_second_and_the_eighth_charge_for_two_to_nine_days(sandbox):
    token = sandbox.token("suspended", "anna")
    ordinal, code = first_refused_charge(sandbox, token)
    assert (2 <= ordinal <= 8, code) == (True, "TOKEN_SUSPENDED")
    sandbox.advance(days=2, seconds=-5)
    assert status_of(sandbox, token) == "SUSPENDED"
    sandbox.advance(days=7, seconds=5)
    assert attempts(sandbox, token, "inv_later", 3) == [None] * 3


def charge_until_answered(sandbox, token, invoice):
    """What a patient client does: the same key again, until an answer says how it went."""
    key = str(uuid4())
    for _ in range(4):
        try:
            answer = sandbox.charge(token, key=key, merchant_reference1=invoice, timeout=0.3)
        except httpx.ReadTimeout:
            continue
        if answer.is_success:
            return answer.json()["order_id"]
    pytest.fail("the same key never found out how it went")


def test_flaky_takes_the_first_charge_and_falls_silent_once(sandbox):
    token, key = sandbox.token("flaky"), str(uuid4())
    with pytest.raises(httpx.ReadTimeout):
        sandbox.charge(token, key=key, timeout=0.3)
    committed = sandbox.rows("SELECT order_id FROM orders WHERE idempotency_key = ?", key)
    assert [sandbox.order_id(token, key=key)] == [row["order_id"] for row in committed]


def test_the_path_of_a_played_fault_is_written_down_without_the_token(sandbox):
    token, key = sandbox.token("flaky"), str(uuid4())
    with pytest.raises(httpx.ReadTimeout):
        sandbox.charge(token, key=key, timeout=0.3, merchant_reference2="op-7")
    (played,) = sandbox.rows("SELECT * FROM faults WHERE idempotency_key = ?", key)
    assert played["path"] == f"/customer-token/v1/tokens/{token[:8]}.../order"
    assert (played["fault"], played["source"], played["behaviour"]) == ("silence_after", "token", "flaky")
    assert (played["method"], played["reference"]) == ("POST", "op-7")


def test_a_seeded_flaky_token_spoils_a_third_of_the_charges_and_each_makes_one_order(sandbox):
    token = sandbox.token("flaky", "anna")
    orders = [charge_until_answered(sandbox, token, f"inv_{n}") for n in range(30)]
    path = f"%{token[:8]}%"
    played = sandbox.rows("SELECT * FROM faults WHERE path LIKE ? AND source = 'token'", path)
    assert 4 <= len(played) <= 18
    assert len({row["idempotency_key"] for row in played}) == len(played)
    assert {row["fault"] for row in played} <= {"silence_before", "silence_after", "500_before", "500_after"}
    made = sandbox.rows("SELECT order_id FROM orders WHERE token_id = ?", token)
    assert sorted(orders) == sorted(row["order_id"] for row in made)


def follow_up(sandbox, order_id, key, kind, amount):
    body = {"captured_amount": amount, "refunded_amount": amount}
    for _ in range(4):
        try:
            answer = sandbox.manage(order_id, kind, body, key=key, timeout=0.3)
        except httpx.ReadTimeout:
            continue
        if answer.is_success:
            return
    pytest.fail("the same key never found out how it went")


def test_captures_and_refunds_of_a_seeded_flaky_token_are_spoilt_now_and_then_and_done_once(sandbox):
    token = sandbox.token("flaky", "anna")
    order_id = charge_until_answered(sandbox, token, "inv_1")
    for n in range(20):
        follow_up(sandbox, order_id, f"{order_id}-c{n}", "captures", 10)
        follow_up(sandbox, order_id, f"{order_id}-r{n}", "refunds", 5)
    order = sandbox.read(order_id).json()
    assert (order["captured_amount"], order["refunded_amount"]) == (200, 100)
    played = sandbox.rows("SELECT * FROM faults WHERE idempotency_key LIKE ?", f"{order_id}-%")
    assert 1 <= len(played) <= 15
    assert len({row["idempotency_key"] for row in played}) == len(played)


def story(process, behaviour):
    """Everything that ten charges of a token with a seed meet, told without ids."""
    token = process.token(behaviour, "anna")
    return [process.charge(token, merchant_reference1=f"inv_{n // 2}").json().get("error_code") for n in range(20)]


def test_the_same_seeds_tell_the_same_story_and_another_server_seed_tells_another(sandbox, start_sandbox):
    behaviours = ("decline_soft", "decline_hard", "suspended")
    told = [story(sandbox, behaviour) for behaviour in behaviours]
    same, other = start_sandbox("same"), start_sandbox("other", seed="gentian")
    assert [story(same, behaviour) for behaviour in behaviours] == told
    assert [story(other, behaviour) for behaviour in behaviours] != told


def test_an_unknown_behaviour_is_refused_with_the_known_ones(sandbox):
    session_id = sandbox.session().json()["session_id"]
    answer = sandbox.client.post(f"/_sandbox/sessions/{session_id}/approve", json={"token": "moody"})
    assert answer.status_code == 422
    assert "always_ok" in answer.json()["error_messages"][0]
