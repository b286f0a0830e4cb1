"""Scripted faults: what each does to the answer, and what the same key finds afterwards."""

from uuid import uuid4

import httpx
import pytest


@pytest.fixture
def key():
    return str(uuid4())


def orders_with(sandbox, key):
    return len(sandbox.rows("SELECT 1 FROM orders WHERE idempotency_key = ?", key))


SPOILT = [
    ("500_before", 500, "INTERNAL_SERVER_ERROR", 0),
    ("500_after", 500, "INTERNAL_SERVER_ERROR", 1),
    ("503_before", 503, "SERVICE_UNAVAILABLE", 0),
    ("401", 401, "UNAUTHORIZED", 0),
    ("429", 429, "TOO_MANY_REQUESTS", 0),
]


@pytest.mark.parametrize(("fault", "status", "code", "executed"), SPOILT)
def test_a_failing_answer_says_nothing_of_the_effect_and_the_same_key_finds_out(
    sandbox, key, fault, status, code, executed
):
    sandbox.script({"fault": fault})
    answer = sandbox.charge(key=key)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert orders_with(sandbox, key) == executed
    assert sandbox.charge(key=key).status_code == 200
    assert orders_with(sandbox, key) == 1


@pytest.mark.parametrize(("fault", "executed"), [("silence_before", 0), ("silence_after", 1)])
def test_silence_never_answers_and_the_same_key_executes_once(sandbox, key, fault, executed):
    sandbox.script({"fault": fault})
    with pytest.raises(httpx.ReadTimeout):
        sandbox.charge(key=key, timeout=0.3)
    assert orders_with(sandbox, key) == executed
    first, again = sandbox.order_id(key=key), sandbox.order_id(key=key)
    assert first == again
    assert orders_with(sandbox, key) == 1


def test_too_many_requests_says_when_to_come_back(sandbox):
    sandbox.script({"fault": "429"})
    answer = sandbox.charge()
    assert {"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"} <= {
        name.title() for name in answer.headers
    }


def test_garbage_is_a_page_after_the_effect(sandbox, key):
    sandbox.script({"fault": "garbage"})
    answer = sandbox.charge(key=key)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert orders_with(sandbox, key) == 1


def test_truncated_is_half_an_answer_after_the_effect(sandbox, key):
    sandbox.script({"fault": "truncated"})
    half = sandbox.charge(key=key)
    whole = sandbox.charge(key=key)
    assert half.status_code == 200
    assert half.content
    assert whole.content.startswith(half.content)
    assert len(half.content) < len(whole.content)


def test_a_scripted_decline_leaves_the_token_and_a_hard_one_ends_it(sandbox):
    token = sandbox.token()
    sandbox.script({"fault": "decline"}, {"fault": "decline_hard"})
    codes = [sandbox.charge(token).json()["error_code"] for _ in range(3)]
    assert codes == ["PAYMENT_METHOD_FAILED", "TOKEN_CANCELLED", "TOKEN_CANCELLED"]


def test_a_scripted_decline_never_changes_the_answer_that_a_key_has_already(sandbox, key):
    first = sandbox.order_id(key=key)
    sandbox.script({"fault": "decline"})
    assert sandbox.order_id(key=key) == first
    assert sandbox.charge().json()["error_code"] == "PAYMENT_METHOD_FAILED"


def test_a_spoilt_capture_is_made_once(sandbox, key):
    order_id = sandbox.order_id()
    sandbox.script({"fault": "500_after", "path_contains": "/captures"})
    assert [sandbox.capture(order_id, 100, key=key).status_code for _ in range(2)] == [500, 201]
    assert sandbox.read(order_id).json()["captured_amount"] == 100


def test_the_script_is_played_in_order_and_as_often_as_it_says(sandbox):
    sandbox.script({"fault": "503_before", "times": 2}, {"fault": "decline"})
    assert [sandbox.charge().status_code for _ in range(4)] == [503, 503, 403, 200]


def test_a_repeat_of_one_key_meets_the_next_scripted_fault_too(sandbox, key):
    sandbox.script({"fault": "500_before"}, {"fault": "503_before"})
    assert [sandbox.charge(key=key).status_code for _ in range(3)] == [500, 503, 200]
    assert orders_with(sandbox, key) == 1


@pytest.mark.parametrize(
    "condition", [{"method": "get"}, {"path_contains": "/captures"}, {"reference": "inv_other"}, {"reference": "op-8"}]
)
def test_an_entry_waits_for_the_call_that_it_matches(sandbox, condition):
    sandbox.script({"fault": "500_before", **condition})
    assert sandbox.charge(merchant_reference1="inv_1", merchant_reference2="op-7").status_code == 200
    assert len(sandbox.client.get("/_sandbox/script").json()["answers"]) == 1


@pytest.mark.parametrize("reference", ["inv_1", "op-7"])
def test_an_entry_finds_its_call_by_either_reference(sandbox, reference):
    sandbox.script({"fault": "500_before", "reference": reference})
    assert sandbox.charge(merchant_reference1="inv_1", merchant_reference2="op-7").status_code == 500


def test_the_script_goes_before_what_the_token_would_do(sandbox):
    token = sandbox.token("decline_soft")
    sandbox.script({"fault": "503_before"})
    codes = [sandbox.charge(token, merchant_reference1="inv_1").status_code for _ in range(3)]
    assert codes == [503, 403, 200]


def test_a_scripted_fault_is_written_down_with_its_source(sandbox, key):
    sandbox.script({"fault": "500_before"})
    sandbox.charge(key=key, merchant_reference2="op-7")
    (played,) = sandbox.rows("SELECT * FROM faults WHERE idempotency_key = ?", key)
    assert (played["fault"], played["source"], played["reference"]) == ("500_before", "script", "op-7")


def test_the_script_shows_what_is_left_and_can_be_emptied(sandbox):
    sandbox.script({"fault": "garbage", "times": 3, "method": "post"})
    sandbox.charge()
    left = sandbox.client.get("/_sandbox/script").json()
    assert left == {"answers": [{"fault": "garbage", "method": "POST", "times": 2}]}
    assert sandbox.client.delete("/_sandbox/script").json() == {"answers": []}


NONSENSE = [
    {"fault": "fire"},
    {"fault": ["401"]},
    {},
    {"fault": "401", "times": 0},
    {"fault": "401", "times": True},
    {"fault": "401", "method": 1},
    {"fault": "401", "status": 500},
    {"fault": "refuse"},
    {"fault": "refuse", "status": 200},
]


@pytest.mark.parametrize("entry", NONSENSE)
def test_an_entry_that_makes_no_sense_is_refused_with_all_that_came_with_it(sandbox, entry):
    answer = sandbox.script({"fault": "401"}, entry)
    assert answer.status_code == 422
    assert answer.json()["error_messages"][0]
    assert sandbox.client.get("/_sandbox/script").json() == {"answers": []}


def test_the_scripts_own_calls_are_never_spoilt(sandbox):
    sandbox.script({"fault": "500_before"})
    assert sandbox.client.get("/_sandbox/ledger").status_code == 200
    assert sandbox.client.get("/_sandbox/clock").status_code == 200
