"""Answers that a client has to survive: late, slow, cut off, far too large, wrong, replayed; limits and settings."""

import csv
import gzip
import io
import socket
from base64 import b64encode
from time import monotonic
from uuid import uuid4

import httpx
import pytest


@pytest.fixture
def key():
    return str(uuid4())


def orders_with(sandbox, key):
    return len(sandbox.rows("SELECT 1 FROM orders WHERE idempotency_key = ?", key))


@pytest.mark.parametrize(("fault", "executed_meanwhile"), [("delay_before", 0), ("delay_after", 1)])
def test_a_delay_comes_before_or_after_the_effect_and_the_answer_is_the_true_one(
    sandbox, key, fault, executed_meanwhile
):
    sandbox.script({"fault": fault, "seconds": 1})
    with pytest.raises(httpx.ReadTimeout):
        sandbox.charge(key=key, timeout=0.4)
    assert orders_with(sandbox, key) == executed_meanwhile
    begun = monotonic()
    sandbox.script({"fault": fault, "seconds": 0.3})
    assert sandbox.charge().status_code == 200
    assert monotonic() - begun >= 0.3


@pytest.mark.parametrize("size", [0, 1, 15, 60])
def test_a_reset_comes_after_that_many_bytes_and_the_effect_stands(sandbox, key, size):
    sandbox.script({"fault": "reset_after", "bytes": size, "path_contains": "/order"})
    received = raw_charge(sandbox, key)
    assert len(received) == size
    assert orders_with(sandbox, key) == 1


def raw_charge(sandbox, key):
    """What a bare socket reads until the connection is reset."""
    request = sandbox.client.build_request(
        "POST", "/customer-token/v1/tokens/always_ok/order", json=body(), headers={"Klarna-Idempotency-Key": key}
    )
    headers = {**request.headers, "Authorization": "Basic c2FuZGJveDpzYW5kYm94"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    received = b""
    with socket.create_connection((request.url.host, request.url.port)) as bare:
        bare.sendall(f"POST {request.url.path} HTTP/1.1\r\n{head}\r\n".encode() + request.read())
        try:
            while piece := bare.recv(65536):
                received += piece
        except ConnectionResetError:
            return received
    pytest.fail("the connection ended in peace")


def body():
    line = {"name": "Coffee", "quantity": 1, "unit_price": 1990, "total_amount": 1990}
    return {"purchase_currency": "EUR", "order_amount": 1990, "order_tax_amount": 0, "order_lines": [line]}


def test_a_reset_before_does_nothing(sandbox, key):
    sandbox.script({"fault": "reset_before"})
    with pytest.raises(httpx.ReadError):
        sandbox.charge(key=key)
    assert orders_with(sandbox, key) == 0


def test_a_drip_is_whole_in_the_end_and_slower_than_a_patient_read(sandbox, key):
    sandbox.script({"fault": "drip", "seconds": 0.0005}, {"fault": "drip"})
    assert sandbox.charge(key=key).status_code == 200
    with pytest.raises(httpx.ReadTimeout):
        sandbox.charge(timeout=0.3)


def test_a_huge_answer_is_as_large_as_it_was_told_to_be(sandbox, key):
    sandbox.script({"fault": "huge", "bytes": 5_000_000})
    with sandbox.client.stream(
        "POST", "/customer-token/v1/tokens/always_ok/order", json=body(), headers={"Klarna-Idempotency-Key": key}
    ) as answer:
        size = sum(len(piece) for piece in answer.iter_bytes())
    assert size >= 5_000_000
    assert orders_with(sandbox, key) == 1


def test_malformed_and_empty_answers_come_after_the_effect(sandbox, key):
    sandbox.script({"fault": "malformed"}, {"fault": "empty"})
    answers = [sandbox.charge(key=key), sandbox.charge(key=key)]
    assert [answer.status_code for answer in answers] == [200, 200]
    with pytest.raises(ValueError, match="delimiter"):
        answers[0].json()
    assert (answers[1].content, orders_with(sandbox, key)) == (b"", 1)


def test_a_read_order_may_lie_about_amounts_and_about_which_order_it_is(sandbox):
    order_id = sandbox.order_id(merchant_reference2="op-1")
    sandbox.script({"fault": "wrong_amount", "method": "GET"}, {"fault": "wrong_reference", "method": "GET"})
    amount, reference, true = (sandbox.read(order_id).json() for _ in range(3))
    assert (amount["order_amount"], amount["order_id"]) == (1991, order_id)
    assert (reference["order_amount"], reference["merchant_reference2"]) == (1990, "op-19")
    assert (true["order_amount"], true["merchant_reference2"]) == (1990, "op-1")


@pytest.mark.parametrize(("fault", "executed"), [("replayed_500", 1), ("replayed_500_before", 0)])
def test_a_replayed_error_is_all_that_the_key_ever_answers(sandbox, key, fault, executed):
    sandbox.script({"fault": fault})
    assert [sandbox.charge(key=key).status_code for _ in range(3)] == [500] * 3
    assert orders_with(sandbox, key) == executed
    sandbox.advance(hours=24)
    assert sandbox.charge(key=key).status_code == 200


def test_an_order_is_not_found_for_a_while_and_then_it_is(sandbox):
    sandbox.freeze("2028-05-01T12:00:00Z")
    order_id = sandbox.order_id()
    sandbox.script({"fault": "not_found", "seconds": 600, "method": "GET", "path_contains": order_id})
    assert [sandbox.read(order_id).json()["error_code"] for _ in range(2)] == ["NO_SUCH_ORDER"] * 2
    sandbox.advance(minutes=10)
    assert sandbox.read(order_id).status_code == 200
    assert sandbox.client.get("/_sandbox/script").json() == {"answers": []}


def test_any_answer_can_be_canned_before_or_after_the_effect(sandbox, key):
    packed = b64encode(gzip.compress(b"0" * 1_000_000)).decode()
    sandbox.script(
        {"fault": "canned_before", "status": 302, "headers": {"Location": "http://elsewhere.invalid/"}},
        {"fault": "canned_after", "body_base64": packed, "headers": {"Content-Encoding": "gzip"}},
    )
    assert sandbox.charge(key=key).headers["Location"] == "http://elsewhere.invalid/"
    assert orders_with(sandbox, key) == 0
    assert len(sandbox.charge(key=key).content) == 1_000_000
    assert orders_with(sandbox, key) == 1


NONSENSE = [
    {"fault": "delay_before", "seconds": -1},
    {"fault": "delay_before", "seconds": "1"},
    {"fault": "401", "seconds": 1},
    {"fault": "reset_after", "bytes": -1},
    {"fault": "401", "bytes": 1},
    {"fault": "xmlrpc_fault"},
    {"fault": "xmlrpc_fault", "error_code": "many"},
    {"fault": "401", "body": "x"},
    {"fault": "canned_after", "headers": {"X": "a\r\nb"}},
    {"fault": "canned_after", "body_base64": "?"},
    {"fault": "canned_after", "status": 99},
]


@pytest.mark.parametrize("entry", NONSENSE)
def test_an_entry_with_what_does_not_belong_to_it_is_refused(sandbox, entry):
    assert sandbox.script(entry).status_code == 422
    assert sandbox.client.get("/_sandbox/script").json() == {"answers": []}


def test_beyond_the_limit_calls_are_refused_and_every_answer_says_how_many_are_left(sandbox):
    sandbox.set(rest_rate_limit=3)
    answers = [sandbox.read("nothing") for _ in range(6)]
    assert [answer.status_code for answer in answers[:3]] == [404] * 3
    assert answers[0].headers["X-Ratelimit-Limit"] == "3"
    assert answers[0].headers["X-Ratelimit-Remaining"] == "2"
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.json()["error_code"] for answer in refused} == {"TOO_MANY_REQUESTS"}
    assert int(refused[0].headers["X-Ratelimit-Reset"]) >= 1


def test_categories_have_limits_of_their_own_and_none_applies_to_control(sandbox, older):
    sandbox.set(legacy_rate_limit=1)
    assert [older.status("always_ok").status_code for _ in range(2)] == [200, 429]
    assert "X-Ratelimit-Limit" not in sandbox.read("nothing").headers
    assert sandbox.client.get("/_sandbox/clock").status_code == 200


def test_settings_survive_a_restart_and_are_put_back(start_sandbox):
    first = start_sandbox()
    first.set(status_sees_recurring=True, review_seconds=60)
    first.stop()
    again = start_sandbox()
    shown = again.client.get("/_sandbox/settings").json()
    assert (shown["status_sees_recurring"], shown["review_seconds"]) == (True, 60)
    assert again.client.delete("/_sandbox/settings").json()["review_seconds"] == 21_600


WRONG_SETTINGS = [
    {"patience": 1},
    {"status_sees_recurring": 1},
    {"review_seconds": -1},
    {"review_seconds": 1.5},
    {"risk": "some"},
    {"rest_rate_limit": 0},
]


@pytest.mark.parametrize("wish", WRONG_SETTINGS)
def test_a_setting_that_makes_no_sense_is_refused_with_all_that_came_with_it(sandbox, wish):
    before = sandbox.client.get("/_sandbox/settings").json()
    assert sandbox.set(**{"authorization_days": 3, **wish}).status_code == 422
    assert sandbox.client.get("/_sandbox/settings").json() == before


def test_the_books_as_a_table_hold_both_generations_with_the_merchants_references(start_sandbox, older):
    sandbox = start_sandbox()
    older.sandbox = sandbox
    order_id = sandbox.order_id(merchant_reference1="inv_1", merchant_reference2="op-1")
    sandbox.capture(order_id, 1000, reference="op-2")
    sandbox.refund(order_id, 100, reference="op-3")
    sandbox.manage(order_id, "release-remaining-authorization")
    invno = older.invoice(merchant_reference={"orderid1": "op-4", "orderid2": "inv_2"})
    older.call(*older.credit(invno, [{"artno": "PLANT", "qty": 1}], "op-5"))
    answers = [sandbox.client.get(path) for path in ("/_sandbox/ledger.csv", "/_sandbox/ledger?format=csv")]
    rows = list(csv.DictReader(io.StringIO(answers[0].text)))
    assert answers[0].text == answers[1].text
    told = [
        (row["generation"], row["kind"], row["amount"], row["merchant_reference2"], row["reference"]) for row in rows
    ]
    assert sorted(told) == [
        ("legacy", "capture", "10000", "op-4", "op-4"),
        ("legacy", "order", "10000", "op-4", ""),
        ("legacy", "refund", "10000", "op-4", "op-5"),
        ("rest", "capture", "1000", "op-1", "op-2"),
        ("rest", "order", "1990", "op-1", ""),
        ("rest", "refund", "100", "op-1", "op-3"),
        ("rest", "void", "990", "op-1", ""),
    ]
