"""Both adapters' readers of answers: they raise nothing, and no success speaks of anything else than was asked."""

import json
from collections.abc import Callable
from random import Random

from billing.adapters.klarna_legacy import answers as legacy_answers
from billing.adapters.klarna_legacy import states as legacy_states
from billing.adapters.klarna_legacy.xmlrpc import read_call
from billing.adapters.klarna_rest import answers as rest_answers
from billing.adapters.klarna_rest import states as rest_states
from billing.adapters.network import HttpAnswer
from billing.domain.money import AMOUNT_MAX
from billing.domain.operations import OperationKind
from billing.ports import Call, Outcome, Succeeded
from tests.fakes.calls import PURCHASE_ID, TOKEN_TEXT, a_call
from tests.fakes.legacy_calls import INVOICE_NUMBER, RNO, legacy_call, xml_answer, xml_fault

KINDS = tuple(OperationKind)
STATUSES = (200, 200, 200, 201, 202, 204, 302, 400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 503)
TYPES = (
    "application/json",
    "application/vnd.klarna.error-v1+json",
    "text/xml",
    "text/html",
    "application/json; charset=x",
)
HEADERS = (
    {},
    {"capture-id": "c-1", "refund-id": "r-1"},
    {"location": f"https://k.example/ordermanagement/v1/orders/{PURCHASE_ID}/captures/c-1"},
    {"location": "https://k.example/ordermanagement/v1/orders/another/refunds/r-1", "refund-id": "r-1"},
    {"location": "//[", "klarna-correlation-id": TOKEN_TEXT, "x-ratelimit-reset": "9" * 40},
)
Reader = Callable[[Call, HttpAnswer], Outcome]
MOVING = (OperationKind.CAPTURE, OperationKind.REFUND)


def rest_seeds() -> list[bytes]:
    """Valid answers of the current generation."""
    placed = {"order_id": PURCHASE_ID, "fraud_status": "ACCEPTED", "order_amount": 11900, "purchase_currency": "EUR"}
    refused = {"error_code": "PAYMENT_METHOD_FAILED", "error_messages": ["no", TOKEN_TEXT], "correlation_id": "c"}
    movement = {"capture_id": "c", "captured_amount": 100, "reference": "op-1"}
    refund = {"refund_id": "r", "refunded_amount": 50, "reference": None}
    order = placed | {
        "status": "PART_CAPTURED",
        "captured_amount": 100,
        "refunded_amount": 50,
        "merchant_reference2": "op-0123456789abcdef0123",
        "expires_at": "2028-03-01T10:00:00.000Z",
        "captures": [movement],
        "refunds": [refund],
    }
    token = {"status": "ACTIVE", "payment_method_type": "INVOICE"}
    return [b"", *(json.dumps(body).encode() for body in (placed, refused, order, token, movement))]


def legacy_seeds() -> list[bytes]:
    """Valid answers of the older generation."""
    values = (
        ["ok", INVOICE_NUMBER],
        "ok",
        INVOICE_NUMBER,
        1,
        "20280301T100000",
        {"cost": 700, "new_date": "2028-03-01"},
    )
    recurring = ({"reservation": RNO}, {"reason": "no", "payment_method": {"type": "invoice"}})
    error = {"http_status_code": 404, "http_status_message": "Not Found", "internal_message": TOKEN_TEXT}
    written = [xml_answer(value).body for value in values] + [xml_fault(8104).body, xml_fault(9119).body]
    return written + [json.dumps(body).encode() for body in (*recurring, error)]


def rest_answer(content: bytes, random: Random, read: Reader = rest_answers.outcome) -> None:
    """One answer to a call of any kind."""
    call = a_call(random.choice(KINDS))
    outcome = read(call, _answer(content, random))
    assert call.token is None or TOKEN_TEXT not in repr(outcome), "a token shows"
    if not isinstance(outcome, Succeeded):
        return
    _assert_storable(outcome)
    if call.kind is OperationKind.PURCHASE:
        body = json.loads(content)
        assert body["order_id"] == outcome.provider_id
        assert body.get("order_amount", call.amount) == call.amount, "another amount was taken for a success"
        assert body.get("merchant_reference2", call.merchant_reference) == call.merchant_reference
    if call.kind in MOVING:
        assert outcome.provider_id


def rest_reading(content: bytes, random: Random) -> None:
    """One answer to a reading call."""
    came = _answer(content, random)
    assert rest_states.token_state(came).status in {"active", "suspended", "revoked", "unknown"}
    state = rest_states.order_state(PURCHASE_ID, came)
    if state is None:
        return
    amounts = [state.amount, state.captured_amount, state.refunded_amount]
    amounts += [movement.amount for movement in (*state.captures, *state.refunds)]
    assert all(type(amount) is int and 0 <= amount <= AMOUNT_MAX for amount in amounts)
    assert state.purchase_id == PURCHASE_ID
    assert len(state.currency) == 3
    assert state.expires_at is None or state.expires_at.tzinfo is not None
    repr(state).encode()


def legacy_answer(content: bytes, random: Random) -> None:
    """One answer to a call of any kind."""
    call = legacy_call(random.choice(KINDS))
    outcome = legacy_answers.outcome(call, _answer(content, random))
    assert call.token is None or TOKEN_TEXT not in repr(outcome), "a token shows"
    if isinstance(outcome, Succeeded):
        _assert_storable(outcome)
        _assert_about(call, outcome, content)


def legacy_reading(content: bytes, random: Random) -> None:
    """One answer to a reading call, and the same bytes as a call of ours."""
    came = _answer(content, random)
    assert legacy_states.token_state(came).status in {"active", "revoked", "unknown"}
    assert legacy_states.sighting(came) is None or came.status == 200
    amount = legacy_states.invoice_amount(came)
    assert amount is None or (type(amount) is int and 0 <= amount < 2**31)
    read_call(content)


def _answer(content: bytes, random: Random) -> HttpAnswer:
    named = {"content-type": random.choice(TYPES)} if random.random() < 0.8 else {}
    return HttpAnswer(random.choice(STATUSES), random.choice(HEADERS) | named, content)


def _assert_about(call: Call, outcome: Outcome, content: bytes) -> None:
    assert isinstance(outcome, Succeeded)
    if call.kind is OperationKind.PURCHASE:
        assert json.loads(content)["reservation"] == outcome.provider_id
    if reference := outcome.facts.get("provider_reference"):
        assert reference == INVOICE_NUMBER, "the invoice of somebody else was taken for ours"


def _assert_storable(outcome: Succeeded) -> None:
    words = [
        outcome.provider_id or "",
        *outcome.facts.values(),
        outcome.answer.message or "",
        outcome.answer.code or "",
    ]
    assert all(word.isprintable() and len(word) <= 300 for word in words)
