"""What Klarna's bytes mean: anything that is not exactly the documented shape leaves the outcome unknown."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.adapters.klarna_rest.answers import outcome
from billing.adapters.network import HttpAnswer, LostFailure, NotSentFailure
from billing.domain.operations import OperationKind
from billing.ports import Declined, NotSent, Outcome, Refused, Succeeded, Unknown
from tests.fakes.calls import PURCHASE_ID, TOKEN_TEXT, a_call

PURCHASE, CAPTURE, REFUND = OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.REFUND
VOID, EMAIL = OperationKind.VOID, OperationKind.EMAIL_INVOICE
JSON = {"content-type": "application/json"}
HTML = b"<html>Please log in</html>"
ORDER_URL = f"https://api.klarna.com/ordermanagement/v1/orders/{PURCHASE_ID}"


def after(kind: OperationKind, status: int, body: object = b"", **headers: str) -> Outcome:
    """The outcome of an answer; header names with _ for -."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return outcome(a_call(kind), HttpAnswer(status, {**JSON, **names}, content))


def error(code: object, *messages: str) -> dict[str, Any]:
    return {"error_code": code, "error_messages": list(messages), "correlation_id": "c-1"}


# --- purchases ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fraud", "authorization"), [("ACCEPTED", "authorized"), ("PENDING", "pending_review")])
def test_a_purchase_yields_the_order_and_its_authorization(fraud: str, authorization: str) -> None:
    result = after(PURCHASE, 200, {"order_id": "o-1", "fraud_status": fraud, "new_field": [1]})
    assert isinstance(result, Succeeded)
    assert (result.provider_id, result.authorization) == ("o-1", authorization)


def test_any_2xx_is_a_success() -> None:
    assert isinstance(after(PURCHASE, 201, {"order_id": "o-1", "fraud_status": "ACCEPTED"}), Succeeded)


def test_a_purchase_rejected_by_the_review_is_a_soft_decline() -> None:
    result = after(PURCHASE, 200, {"order_id": "o-1", "fraud_status": "REJECTED"})
    assert isinstance(result, Declined)
    assert result.reason == "soft"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        HTML,
        b"{",
        b"[]",
        b"null",
        b'{"order_id":"o-1","fraud_status":"ACCEPTED","x":NaN}',
        b'{"order_id":"o-1","order_id":"o-2","fraud_status":"ACCEPTED"}',
        b'{"order_id":"o-1","fraud_status":"ACCEPTED","x":' + b"[" * 30 + b"]" * 30 + b"}",
        b"[" * 200_000,
        b'\xff{"order_id":"o-1","fraud_status":"ACCEPTED"}',
        b'\xef\xbb\xbf{"order_id":"o-1","fraud_status":"ACCEPTED"}',
        {"fraud_status": "ACCEPTED"},
        {"order_id": "", "fraud_status": "ACCEPTED"},
        {"order_id": 17, "fraud_status": "ACCEPTED"},
        {"order_id": "o" * 256, "fraud_status": "ACCEPTED"},
        {"order_id": "../o", "fraud_status": "ACCEPTED"},
        {"order_id": "o-1"},
        {"order_id": "o-1", "fraud_status": "NEW_WORD"},
        {"order_id": "o-1", "fraud_status": ["ACCEPTED"]},
    ],
)
def test_a_purchase_answer_that_is_not_exactly_right_is_unknown(body: object) -> None:
    assert isinstance(after(PURCHASE, 200, body), Unknown)


@pytest.mark.parametrize("content_type", ["text/html", "application/json; charset=utf-16", "text/plain"])
def test_an_answer_of_another_type_or_charset_is_unknown(content_type: str) -> None:
    body = {"order_id": "o-1", "fraud_status": "ACCEPTED"}
    assert isinstance(after(PURCHASE, 200, body, content_type=content_type), Unknown)


def test_utf_8_may_be_said_aloud() -> None:
    body = {"order_id": "o-1", "fraud_status": "ACCEPTED"}
    assert isinstance(after(PURCHASE, 200, body, content_type='application/json; charset="UTF-8"'), Succeeded)


# --- captures and refunds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "header", "part"), [(CAPTURE, "capture_id", "captures"), (REFUND, "refund_id", "refunds")]
)
def test_the_id_is_taken_from_its_header_else_from_the_location(kind: OperationKind, header: str, part: str) -> None:
    from_header = after(kind, 201, b"", **{header: "x-1"}, location=f"{ORDER_URL}/{part}/x-1")
    from_location = after(kind, 201, b"", location=f"{ORDER_URL}/{part}/x-2")
    assert isinstance(from_header, Succeeded)
    assert isinstance(from_location, Succeeded)
    assert (from_header.provider_id, from_location.provider_id) == ("x-1", "x-2")


def test_a_relative_location_will_do() -> None:
    result = after(CAPTURE, 201, b"", location=f"/ordermanagement/v1/orders/{PURCHASE_ID}/captures/x-1")
    assert isinstance(result, Succeeded)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"refund_id": "x-1"},
        {"location": ORDER_URL},
        {"location": f"{ORDER_URL}/refunds/x-1"},
        {"location": f"{ORDER_URL}/captures/"},
        {"location": "http://[broken"},
        {"capture_id": "two words"},
        {"capture_id": "x-1", "location": "https://api.klarna.com/ordermanagement/v1/orders/another/captures/x-1"},
    ],
)
def test_a_capture_without_its_id_or_of_another_order_is_unknown(headers: dict[str, str]) -> None:
    assert isinstance(after(CAPTURE, 201, b"", **headers), Unknown)


@pytest.mark.parametrize("body", [HTML, b'{"capture_'])
def test_a_capture_with_a_body_that_is_no_answer_of_the_api_is_unknown(body: bytes) -> None:
    assert isinstance(after(CAPTURE, 201, body, capture_id="x-1"), Unknown)
    assert isinstance(after(CAPTURE, 201, {}, capture_id="x-1"), Succeeded)


# --- void and mail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [VOID, EMAIL])
def test_no_content_is_success_and_a_page_in_between_is_not(kind: OperationKind) -> None:
    assert isinstance(after(kind, 204), Succeeded)
    assert isinstance(after(kind, 200, {}), Succeeded)
    assert isinstance(after(kind, 200, HTML, content_type="text/html"), Unknown)


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "PAYMENT_METHOD_FAILED", "soft"),
        (403, "TOKEN_SUSPENDED", "suspended"),
        (403, "TOKEN_CANCELED", "hard"),
        (404, "TOKEN_NOT_FOUND", "hard"),
    ],
)
def test_a_documented_refusal_is_a_decline_with_its_reason(status: int, code: str, reason: str) -> None:
    result = after(PURCHASE, status, error(code, "no"))
    assert isinstance(result, Declined)
    assert result.reason == reason


def test_the_evidence_names_status_code_message_and_correlation() -> None:
    answer = after(CAPTURE, 403, error("CAPTURE_NOT_ALLOWED", "too much", "too late")).answer
    assert (answer.http_status, answer.code, answer.message) == (403, "CAPTURE_NOT_ALLOWED", "too much; too late")
    assert answer.correlation_id == "c-1"
    assert after(VOID, 204, klarna_correlation_id="c-2").answer.correlation_id == "c-2"


@pytest.mark.parametrize("kind", OperationKind)
def test_a_wrong_request_is_refused(kind: OperationKind) -> None:
    assert isinstance(after(kind, 400, error("BAD_VALUE")), Refused)
    assert isinstance(after(kind, 409), Refused)


@pytest.mark.parametrize("kind", OperationKind)
@pytest.mark.parametrize(
    ("status", "body"), [(401, error("UNAUTHORIZED")), (401, HTML), (401, error([])), (403, b""), (403, {})]
)
def test_a_refused_caller_stops_the_account_and_nothing_was_sent(
    kind: OperationKind, status: int, body: object
) -> None:
    result = after(kind, status, body)
    assert isinstance(result, NotSent)
    assert result.account_stopped


@pytest.mark.parametrize(
    ("reset", "seconds"), [("12", 12), ("0", 0), ("999999", 3600), ("soon", None), ("-1", None), ("1.5", None)]
)
def test_too_many_requests_are_not_sent_and_carry_the_wish_to_wait(reset: str, seconds: int | None) -> None:
    result = after(PURCHASE, 429, error("TOO_MANY_REQUESTS"), x_ratelimit_reset=reset)
    assert isinstance(result, NotSent)
    assert (result.retry_after_seconds, result.account_stopped) == (seconds, False)


@pytest.mark.parametrize("kind", OperationKind)
@pytest.mark.parametrize("status", [302, 400, 403, 404, 409, 413, 422, 429, 500, 502, 503])
def test_a_page_or_half_an_error_refuses_nothing(kind: OperationKind, status: int) -> None:
    for body in (HTML, b'{"error_code": "BAD_VAL', error(["BAD_VALUE"]), b"[]"):
        assert isinstance(after(kind, status, body), Unknown)


@pytest.mark.parametrize("kind", OperationKind)
def test_server_errors_leave_the_outcome_open(kind: OperationKind) -> None:
    assert isinstance(after(kind, 500, error("INTERNAL_SERVER_ERROR")), Unknown)
    assert isinstance(after(kind, 503), Unknown)


def test_what_was_never_sent_is_not_sent_and_what_was_lost_is_unknown() -> None:
    not_sent = outcome(a_call(PURCHASE), NotSentFailure("ClientConnectorError"))
    lost = outcome(a_call(PURCHASE), LostFailure("TimeoutError"))
    assert isinstance(not_sent, NotSent)
    assert not not_sent.account_stopped
    assert isinstance(lost, Unknown)
    assert lost.answer.message == "no answer: TimeoutError"


# --- evidence ----------------------------------------------------------------------------------------------------


def test_no_part_of_the_evidence_holds_the_token() -> None:
    body = error(f"E_{TOKEN_TEXT}", f"token {TOKEN_TEXT} and {TOKEN_TEXT.upper()} " + "x" * 500, "\x1b[31m\ud800")
    answer = after(PURCHASE, 403, body, klarna_correlation_id=f"c-{TOKEN_TEXT}").answer
    assert TOKEN_TEXT not in repr(answer).lower()
    assert answer.code == "E_[token]"
    assert answer.correlation_id == "c-[token]"
    assert answer.message is not None
    assert len(answer.message) == 300


def test_evidence_holds_only_printable_text() -> None:
    answer = after(PURCHASE, 400, error("BAD_VALUE", "a\x00b\x1bc\ud800d")).answer
    assert answer.message == "a b c d"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["order_id", "fraud_status", "error_code", "error_messages", "correlation_id"])
bodies = st.binary(max_size=60) | st.dictionaries(names, json_values, max_size=5).map(lambda d: json.dumps(d).encode())
headers = st.dictionaries(
    st.sampled_from(["content-type", "location", "capture-id", "refund-id", "x-ratelimit-reset"]), st.text(max_size=20)
)


@given(st.sampled_from(OperationKind), st.integers(100, 599), headers, bodies)
def test_no_bytes_at_all_make_it_raise_or_invent_a_purchase(
    kind: OperationKind, status: int, given_headers: dict[str, str], body: bytes
) -> None:
    result = outcome(a_call(kind), HttpAnswer(status, given_headers, body))
    assert isinstance(result, Succeeded | Declined | Refused | NotSent | Unknown)
    if isinstance(result, Succeeded):
        assert 200 <= status < 300
        assert (result.provider_id is not None) == (kind in (PURCHASE, CAPTURE, REFUND))
