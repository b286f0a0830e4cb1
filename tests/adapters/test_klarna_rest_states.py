"""What Klarna's reading calls say about orders and tokens."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.adapters.klarna_rest.states import order_state, token_state
from billing.adapters.network import HttpAnswer, LostFailure, NotSentFailure
from billing.ports import Movement, OrderState

JSON = {"content-type": "application/json"}


def order_body(**changes: Any) -> dict[str, Any]:
    defaults = {
        "order_id": "o-1",
        "status": "AUTHORIZED",
        "fraud_status": "ACCEPTED",
        "purchase_currency": "eur",
        "order_amount": 11900,
        "captured_amount": 0,
        "refunded_amount": 0,
        "merchant_reference2": "op-1",
        "expires_at": "2026-03-01T10:00:00.098Z",
        "captures": [],
        "refunds": [],
    }
    return {**defaults, **changes}


def answered(body: object, status: int = 200) -> HttpAnswer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status, JSON, content)


def state(**changes: Any) -> OrderState | None:
    return order_state("o-1", answered(order_body(**changes)))


def test_an_order_is_read_in_our_words() -> None:
    assert state() == OrderState(
        purchase_id="o-1",
        authorization="authorized",
        currency="EUR",
        amount=11900,
        captured_amount=0,
        refunded_amount=0,
        merchant_reference="op-1",
        expires_at=datetime(2026, 3, 1, 10, 0, 0, 98000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("status", "fraud_status", "captured_amount", "authorization"),
    [
        ("AUTHORIZED", "ACCEPTED", 0, "authorized"),
        ("AUTHORIZED", None, 0, "authorized"),
        ("AUTHORIZED", "PENDING", 0, "pending_review"),
        ("AUTHORIZED", "REJECTED", 0, "rejected"),
        ("CANCELLED", "REJECTED", 0, "rejected"),
        ("CANCELLED", "ACCEPTED", 0, "voided"),
        ("EXPIRED", "ACCEPTED", 0, "expired"),
        ("PART_CAPTURED", "ACCEPTED", 500, "part_captured"),
        ("CAPTURED", "ACCEPTED", 11900, "captured"),
        ("CAPTURED", "REJECTED", 11900, "captured"),
        ("CLOSED", "ACCEPTED", 11900, "captured"),
        ("CLOSED", "ACCEPTED", 0, "released"),
    ],
)
def test_status_and_review_together_tell_the_authorization(
    status: str, fraud_status: str | None, captured_amount: int, authorization: str
) -> None:
    result = state(status=status, fraud_status=fraud_status, captured_amount=captured_amount)
    assert result is not None
    assert result.authorization == authorization


def test_captures_and_refunds_come_with_our_references() -> None:
    result = state(
        captures=[{"capture_id": "c-1", "reference": "op-2", "captured_amount": 11900}],
        refunds=[{"refund_id": "r-1", "refunded_amount": 500}],
    )
    assert result is not None
    assert result.captures == (Movement("c-1", "op-2", 11900),)
    assert result.refunds == (Movement("r-1", None, 500),)


@pytest.mark.parametrize(
    "changes",
    [
        {"order_id": "another"},
        {"status": "NEW_WORD"},
        {"status": None},
        {"order_amount": 119.0},
        {"order_amount": "11900"},
        {"captured_amount": None},
        {"refunded_amount": -1},
        {"expires_at": "soon"},
        {"expires_at": "2026-03-01T10:00:00"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"captures": [{"capture_id": "c-1"}]},
        {"captures": ["c-1"]},
        {"captures": 7},
        {"refunds": [{"refund_id": None, "refunded_amount": 1}]},
    ],
)
def test_an_order_that_cannot_be_read_whole_is_left_out(changes: dict[str, Any]) -> None:
    assert state(**changes) is None


@pytest.mark.parametrize(
    "came",
    [
        answered({"error_code": "NO_SUCH_ORDER"}, 404),
        answered(order_body(), 500),
        answered(b"<html>"),
        LostFailure("TimeoutError"),
        NotSentFailure("ClientConnectorError"),
    ],
)
def test_no_order_no_state(came: Any) -> None:
    assert order_state("o-1", came) is None


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (answered({"status": "ACTIVE"}), "active"),
        (answered({"status": "SUSPENDED"}), "suspended"),
        (answered({"status": "CANCELLED"}), "revoked"),
        (answered({"status": "cancelled"}), "revoked"),
        (answered({"error_code": "NOT_FOUND"}, 404), "revoked"),
        (answered({"error_code": "TOKEN_NOT_FOUND"}, 404), "revoked"),
        (answered({"status": "NEW_WORD"}), "unknown"),
        (answered({"status": ["ACTIVE"]}), "unknown"),
        (answered({"error_code": ["NOT_FOUND"]}, 404), "unknown"),
        (answered({"error_code": "UNAUTHORIZED", "status": "ACTIVE"}, 401), "unknown"),
        (answered({"error_code": "INTERNAL_SERVER_ERROR"}, 500), "unknown"),
        (LostFailure("TimeoutError"), "unknown"),
    ],
)
def test_a_token_is_read_in_our_words(came: Any, expected: str) -> None:
    assert token_state(came).status == expected


@pytest.mark.parametrize("body", [b"", b"<html>not here</html>", {}])
def test_a_bare_404_of_a_wrong_address_revokes_no_token(body: object) -> None:
    assert token_state(answered(body, 404)).status == "unknown"
