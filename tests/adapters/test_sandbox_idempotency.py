"""One key, one effect, for 24 hours of the sandbox's own clock."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest


@pytest.fixture
def key():
    return str(uuid4())


def orders_with(sandbox, key):
    return sandbox.rows("SELECT * FROM orders WHERE idempotency_key = ?", key)


def test_a_repeated_charge_answers_with_the_same_order_and_makes_no_second_one(sandbox, key):
    first = sandbox.charge(key=key)
    again = sandbox.charge(key=key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Klarna-Correlation-Id"] == first.headers["Klarna-Correlation-Id"]
    assert len(orders_with(sandbox, key)) == 1


def test_the_body_is_not_compared(sandbox, key):
    first = sandbox.charge(key=key)
    again = sandbox.charge(key=key, order_amount="nonsense")
    assert again.content == first.content


def test_a_repeated_capture_and_refund_answer_with_the_same_headers(sandbox, key):
    order_id = sandbox.order_id()
    first, again = (sandbox.capture(order_id, 1000, key=key) for _ in range(2))
    assert again.headers["Capture-Id"] == first.headers["Capture-Id"]
    assert again.headers["Location"] == first.headers["Location"]
    refunds = [sandbox.refund(order_id, 100, key=f"{key}-r").headers["Refund-Id"] for _ in range(2)]
    assert refunds[0] == refunds[1]
    order = sandbox.read(order_id).json()
    assert (order["captured_amount"], order["refunded_amount"]) == (1000, 100)


def test_captures_with_two_keys_or_with_none_are_two_captures(sandbox):
    order_id = sandbox.order_id()
    for given in (None, None, str(uuid4()), str(uuid4())):
        sandbox.capture(order_id, 100, key=given)
    assert sandbox.read(order_id).json()["captured_amount"] == 400


def test_a_repeated_cancel_and_send_out_do_it_once(sandbox, key):
    order_id = sandbox.order_id()
    assert [sandbox.manage(order_id, "cancel", {}, key=key).status_code for _ in range(2)] == [204, 204]
    captured = sandbox.order_id(auto_capture=True)
    capture_id = sandbox.read(captured).json()["captures"][0]["capture_id"]
    for _ in range(2):
        sandbox.manage(captured, f"captures/{capture_id}/trigger-send-out", key=f"{key}-s")
    assert len(sandbox.rows("SELECT 1 FROM send_outs WHERE order_id = ? AND cause = 'trigger'", captured)) == 1


def test_a_key_is_forgotten_after_24_hours(sandbox, key):
    sandbox.freeze("2029-05-01T00:00:00Z")
    first = sandbox.order_id(key=key)
    sandbox.advance(hours=24, seconds=-1)
    assert sandbox.order_id(key=key) == first
    sandbox.advance(seconds=1)
    assert sandbox.order_id(key=key) != first
    assert len(orders_with(sandbox, key)) == 2


def test_a_decline_is_repeated_under_its_key_and_decided_anew_under_another(sandbox, key):
    token, invoice = sandbox.token("decline_soft"), {"merchant_reference1": "inv_1"}
    answers = [sandbox.charge(token, key=key, **invoice) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].content == answers[1].content
    assert len(sandbox.rows("SELECT 1 FROM declines WHERE idempotency_key = ?", key)) == 1
    assert sandbox.charge(token, **invoice).status_code == 200


def test_a_request_that_was_merely_wrong_may_be_corrected_under_its_key(sandbox, key):
    assert sandbox.charge(key=key, order_amount="12").status_code == 400
    assert sandbox.charge(key=key).status_code == 200


@pytest.mark.parametrize("elsewhere", ["captures", "refunds", "cancel"])
def test_a_key_used_for_another_call_is_a_conflict_and_does_nothing(sandbox, key, elsewhere):
    order_id = sandbox.order_id(key=key)
    answer = sandbox.manage(order_id, elsewhere, {"captured_amount": 1, "refunded_amount": 1}, key=key)
    assert (answer.status_code, answer.json()["error_code"]) == (409, "CONFLICT")
    assert sandbox.read(order_id).json()["status"] == "AUTHORIZED"


def test_twenty_parallel_charges_with_one_key_make_one_order(sandbox, key):
    token = sandbox.token()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: sandbox.order_id(token, key=key), range(20)))
    assert len(set(answers)) == 1
    assert len(orders_with(sandbox, key)) == 1
