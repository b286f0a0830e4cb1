"""What the older generation's bytes mean: anything that is not exactly the documented shape leaves it unknown."""

import json
import xmlrpc.client
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.adapters.klarna_legacy.answers import outcome
from billing.adapters.klarna_legacy.digest import order_management_digest
from billing.adapters.klarna_legacy.states import invoice_amount, sighting, token_state
from billing.adapters.network import HttpAnswer, HttpOutcome, LostFailure, NotSentFailure
from billing.domain.operations import OperationKind
from billing.ports import Declined, NotSent, Outcome, Refused, Sighting, Succeeded, TokenState, Unknown
from tests.fakes.calls import TOKEN_TEXT
from tests.fakes.legacy_calls import (
    INVOICE_NUMBER,
    JSON,
    RNO,
    UNSPEAKABLE,
    XML,
    legacy_call,
    legacy_order,
    xml_answer,
    xml_fault,
)

PURCHASE, CAPTURE, REFUND = OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.REFUND
EMAIL, EXTEND = OperationKind.EMAIL_INVOICE, OperationKind.EXTEND
SAYS_OK = [OperationKind.VOID, OperationKind.RELEASE, OperationKind.AMEND]
SAYS_INVOICE = [REFUND, EMAIL, OperationKind.POST_INVOICE]
MANAGEMENT = [kind for kind in OperationKind if kind is not PURCHASE]
HTML = b"<html>Please log in</html>"
REVOKED = TokenState("revoked")


def after(kind: OperationKind, value: Any) -> Outcome:
    return outcome(legacy_call(kind), xml_answer(value))


def charged(status: int, body: object, token: TokenState | None = None, **headers: str) -> Outcome:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return outcome(legacy_call(PURCHASE), HttpAnswer(status, {**JSON, **names}, content), token)


def error(status: int, message: str = "no") -> dict[str, Any]:
    return {"http_status_code": status, "http_status_message": "x", "internal_message": message}


# --- recurring orders --------------------------------------------------------------------------------------------


def test_a_purchase_yields_its_reservation() -> None:
    result = charged(200, {"reservation": RNO})
    assert isinstance(result, Succeeded)
    assert (result.provider_id, result.authorization, result.expires_at) == (RNO, "authorized", None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        HTML,
        b'{"reservation":"1"',
        b'{"reservation":"1","reservation":"2"}',
        b'{"reservation":"1","x":NaN}',
        [RNO],
        {},
        {"reservation": 2347660000},
        {"reservation": ""},
        {"reservation": "../x"},
        {"invoice": INVOICE_NUMBER},
        {"reservation": RNO, "invoice": INVOICE_NUMBER},
    ],
)
def test_a_purchase_answer_that_is_not_exactly_right_is_unknown(body: object) -> None:
    assert isinstance(charged(200, body), Unknown)


@pytest.mark.parametrize("status", [201, 202, 204, 301, 303])
def test_a_purchase_is_answered_with_200_or_not_at_all(status: int) -> None:
    assert isinstance(charged(status, {"reservation": RNO}), Unknown)


def test_a_rejected_payment_is_a_soft_decline_with_klarnas_reason() -> None:
    result = charged(402, {"reason": "not today", "payment_method": {"type": "invoice"}})
    assert isinstance(result, Declined)
    assert (result.reason, result.answer.code, result.answer.message) == ("soft", "402", "not today")


def test_a_missing_token_is_a_hard_decline_only_when_it_is_missing_itself() -> None:
    gone = charged(404, error(404), REVOKED)
    assert isinstance(gone, Declined)
    assert gone.reason == "hard"
    for read in (None, TokenState("active"), TokenState("unknown")):
        assert isinstance(charged(404, error(404), read), Refused)


@pytest.mark.parametrize("status", [400, 404, 406, 409, 412, 413, 415, 422, 428])
def test_a_wrong_purchase_goes_to_a_person(status: int) -> None:
    result = charged(status, error(status, "bad cart"))
    assert isinstance(result, Refused)
    assert (result.answer.http_status, result.answer.message) == (status, "bad cart")


@pytest.mark.parametrize(
    ("status", "body"), [(401, error(401)), (401, HTML), (401, b""), (403, error(403)), (403, b"")]
)
def test_a_refused_caller_stops_the_account_and_nothing_was_sent(status: int, body: object) -> None:
    result = charged(status, body)
    assert isinstance(result, NotSent)
    assert result.account_stopped


@pytest.mark.parametrize("status", [410, 418, 429, 500, 502, 503, 504])
def test_too_many_requests_and_server_errors_leave_the_outcome_open(status: int) -> None:
    assert isinstance(charged(status, error(status)), Unknown)
    assert isinstance(charged(status, b""), Unknown)


@pytest.mark.parametrize("status", [400, 402, 403, 404, 409, 422])
@pytest.mark.parametrize("body", [HTML, b'{"reason": "no', {"http_status_code": 500}, {"reason": 1}, []])
def test_a_page_or_half_an_error_refuses_nothing(status: int, body: object) -> None:
    assert isinstance(charged(status, body, REVOKED), Unknown)


# --- captures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("risk", ["ok", "no_risk"])
def test_a_capture_yields_its_invoice_number_and_who_bears_the_risk(risk: str) -> None:
    result = after(CAPTURE, [risk, INVOICE_NUMBER])
    assert isinstance(result, Succeeded)
    assert (result.provider_id, dict(result.facts)) == (INVOICE_NUMBER, {"risk": risk})


@pytest.mark.parametrize(
    "value",
    [
        "ok",
        [],
        ["ok"],
        ["ok", ""],
        ["ok", 990002],
        ["OK", INVOICE_NUMBER],
        ["risky", INVOICE_NUMBER],
        [INVOICE_NUMBER, "ok"],
        ["ok", INVOICE_NUMBER, "more"],
        ["ok", "two words"],
        {"risk": "ok", "invno": INVOICE_NUMBER},
        [["ok"], INVOICE_NUMBER],
    ],
)
def test_a_capture_answer_that_is_not_exactly_right_is_unknown(value: Any) -> None:
    assert isinstance(after(CAPTURE, value), Unknown)


# --- the others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SAYS_OK)
def test_ok_is_a_success_and_nothing_else_is(kind: OperationKind) -> None:
    assert isinstance(after(kind, "ok"), Succeeded)
    for value in ("OK", "", "no", 1, True, ["ok"], {"x": "ok"}):
        assert isinstance(after(kind, value), Unknown)


@pytest.mark.parametrize("kind", SAYS_INVOICE)
def test_the_same_invoice_is_a_success_that_makes_no_id(kind: OperationKind) -> None:
    result = after(kind, INVOICE_NUMBER)
    assert isinstance(result, Succeeded)
    assert (result.provider_id, dict(result.facts)) == (None, {"provider_reference": INVOICE_NUMBER})


@pytest.mark.parametrize("kind", SAYS_INVOICE)
@pytest.mark.parametrize("value", ["31402485123226873", "", "ok", 7, [INVOICE_NUMBER]])
def test_the_answer_of_another_invoice_is_unknown(kind: OperationKind, value: Any) -> None:
    assert isinstance(after(kind, value), Unknown)


@pytest.mark.parametrize("changes", [{"is_whole": False}, {"is_whole": False, "has_lines": False}])
def test_every_way_to_refund_is_answered_by_its_invoice(changes: dict[str, Any]) -> None:
    call = legacy_call(REFUND, order=legacy_order(REFUND, **changes))
    assert isinstance(outcome(call, xml_answer(INVOICE_NUMBER)), Succeeded)
    assert isinstance(outcome(call, xml_answer("1")), Unknown)


# Stockholm    Jan 15 12:00 CET = 11:00 UTC    Jul 15 12:00 CEST = 10:00 UTC    Oct 25 02:30 twice: the first counts
@pytest.mark.parametrize(
    ("said", "expires_at"),
    [
        ("20270115T120000", datetime(2027, 1, 15, 11, tzinfo=UTC)),
        ("20270715T120000", datetime(2027, 7, 15, 10, tzinfo=UTC)),
        ("20261025T023000", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
)
def test_an_extension_ends_at_an_instant_told_in_stockholm_time(said: str, expires_at: datetime) -> None:
    result = after(EXTEND, said)
    assert isinstance(result, Succeeded)
    assert result.expires_at == expires_at


@pytest.mark.parametrize("value", ["ok", "", "20271315T120000", "2027-01-15", "00010101T000000", 20270115])
def test_an_extension_without_its_instant_is_unknown(value: Any) -> None:
    assert isinstance(after(EXTEND, value), Unknown)


def test_a_moved_due_date_tells_its_cost_and_its_day() -> None:
    result = after(OperationKind.EXTEND_DUE_DATE, {"cost": 2900, "new_date": "2027-03-01"})
    assert isinstance(result, Succeeded)
    assert dict(result.facts) == {"cost": "2900", "due_on": "2027-03-01"}


@pytest.mark.parametrize(
    "value", ["ok", {}, {"cost": True, "new_date": "2027-03-01"}, {"cost": 1, "new_date": "20270301"}, {"cost": 1}]
)
def test_a_moved_due_date_in_another_shape_is_unknown(value: Any) -> None:
    assert isinstance(after(OperationKind.EXTEND_DUE_DATE, value), Unknown)


@pytest.mark.parametrize("kind", UNSPEAKABLE)
@pytest.mark.parametrize("value", ["ok", INVOICE_NUMBER, 1])
def test_what_cannot_be_asked_has_no_answer(kind: OperationKind, value: Any) -> None:
    assert isinstance(after(kind, value), Unknown)


# --- faults and transport ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MANAGEMENT)
def test_faults_become_outcomes_by_their_number(kind: OperationKind) -> None:
    assert isinstance(outcome(legacy_call(kind), xml_fault(8104)), Refused)
    assert isinstance(outcome(legacy_call(kind), xml_fault(9119)), Unknown)
    stopped = outcome(legacy_call(kind), xml_fault(9114))
    assert isinstance(stopped, NotSent)
    assert stopped.account_stopped


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        (OperationKind.VOID, 8104, True),
        (OperationKind.RELEASE, 9109, True),
        (REFUND, 8104, True),
        (REFUND, 9107, False),
        (CAPTURE, 8104, False),
        (OperationKind.AMEND, 8104, False),
    ],
)
def test_what_a_second_call_is_told_says_that_it_is_already_so(kind: OperationKind, code: int, expected: bool) -> None:
    result = outcome(legacy_call(kind), xml_fault(code))
    assert isinstance(result, Refused)
    assert result.is_already_so is expected


def test_a_part_credit_that_is_refused_is_not_already_so() -> None:
    part = legacy_call(REFUND, order=legacy_order(REFUND, is_whole=False))
    result = outcome(part, xml_fault(8104))
    assert isinstance(result, Refused)
    assert not result.is_already_so


def test_a_frozen_invoice_is_left_alone_for_half_an_hour() -> None:
    result = outcome(legacy_call(CAPTURE), xml_fault(8108))
    assert isinstance(result, NotSent)
    assert (result.account_stopped, result.retry_after_seconds) == (False, 1800)


def test_an_extension_that_fails_its_credit_assessment_is_a_soft_decline() -> None:
    result = outcome(legacy_call(EXTEND), xml_fault(2106, "nej tack"))
    assert isinstance(result, Declined)
    assert (result.reason, result.answer.code) == ("soft", "2106")
    assert result.answer.message == "customer_not_accepted: nej tack"


@pytest.mark.parametrize("kind", MANAGEMENT)
@pytest.mark.parametrize("status", [201, 204, 302, 400, 401, 403, 404, 429, 500, 503])
def test_order_management_answers_with_200_or_not_at_all(kind: OperationKind, status: int) -> None:
    for came in (xml_answer("ok", status), HttpAnswer(status, XML, xml_fault(8104).body), HttpAnswer(status, {}, HTML)):
        assert isinstance(outcome(legacy_call(kind), came), Unknown)


@pytest.mark.parametrize("kind", OperationKind)
def test_what_was_never_sent_is_not_sent_and_what_was_lost_is_unknown(kind: OperationKind) -> None:
    not_sent = outcome(legacy_call(kind), NotSentFailure("ClientConnectorError"))
    assert isinstance(not_sent, NotSent)
    assert not not_sent.account_stopped
    assert isinstance(outcome(legacy_call(kind), LostFailure("TimeoutError")), Unknown)


# --- evidence ----------------------------------------------------------------------------------------------------


def test_no_part_of_the_evidence_holds_token_or_digest() -> None:
    digest = order_management_digest([4711, RNO], "sharedSecret")
    said = outcome(legacy_call(CAPTURE), xml_fault(8104, f"bad digest {digest}")).answer
    assert said.message == "invoice_bad_status: bad digest [digest]"
    reason = f"token {TOKEN_TEXT.upper()} \x1b[31m" + "x" * 500
    answer = charged(402, {"reason": reason}).answer
    assert answer.message is not None
    assert answer.message.startswith("token [token]  [31mxx")
    assert len(answer.message) == 300


values = st.recursive(
    st.booleans() | st.integers(-9, 9999) | st.sampled_from(["ok", RNO, INVOICE_NUMBER, "no_risk", "20270115T120000"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["cost", "new_date", "faultCode", "faultString"]), inner, max_size=3)
    ),
    max_leaves=5,
)
xml_bodies = values.map(lambda value: xmlrpc.client.dumps((value,), methodresponse=True).encode())
json_bodies = st.dictionaries(
    st.sampled_from(["reservation", "invoice", "reason", "http_status_code"]), values, max_size=3
).map(lambda body: json.dumps(body).encode())


@given(
    st.sampled_from(OperationKind),
    st.sampled_from([200, 201, 400, 402, 404, 500]),
    st.binary(max_size=40) | xml_bodies | json_bodies,
)
def test_no_bytes_at_all_make_it_raise_or_invent_an_id(kind: OperationKind, status: int, body: bytes) -> None:
    result = outcome(legacy_call(kind), HttpAnswer(status, {}, body), REVOKED)
    assert isinstance(result, Succeeded | Declined | Refused | NotSent | Unknown)
    if isinstance(result, Succeeded):
        assert status == 200
        assert (result.provider_id is not None) == (kind in (PURCHASE, CAPTURE))


# --- reading -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (xml_answer(1), Sighting.ACCEPTED),
        (xml_answer("2"), Sighting.PENDING),
        (xml_answer(3), Sighting.DENIED),
        (xml_fault(8101), Sighting.NOT_FOUND),
        (xml_fault(9109), Sighting.NOT_FOUND),
        (xml_fault(9111), Sighting.NOT_FOUND),
        (xml_fault(9114), None),
        (xml_answer(4), None),
        (xml_answer(True), None),
        (xml_answer([1]), None),
        (xml_answer(1, 500), None),
        (HttpAnswer(200, XML, HTML), None),
        (LostFailure("TimeoutError"), None),
    ],
)
def test_a_sighting_is_what_klarna_said_and_nothing_more(came: HttpOutcome, expected: Sighting | None) -> None:
    assert sighting(came) is expected


@pytest.mark.parametrize(
    ("came", "amount"),
    [(xml_answer(11900), 11900), (xml_answer("11900"), None), (xml_answer(-1), None), (xml_answer(True), None)],
)
def test_the_amount_of_an_invoice_is_a_whole_number_of_minor_units(came: HttpOutcome, amount: int | None) -> None:
    assert invoice_amount(came) == amount


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"payment_method": {"type": "invoice"}}, "active"),
        (200, {"payment_method": {"type": "credit_card", "credit_card_data": {"x": 1}}}, "active"),
        (200, {"payment_method": {}}, "unknown"),
        (200, {"payment_method": "invoice"}, "unknown"),
        (404, error(404), "revoked"),
        (404, {}, "unknown"),
        (404, error(500), "unknown"),
        (401, error(401), "unknown"),
        (500, error(500), "unknown"),
    ],
)
def test_a_token_is_read_in_our_words(status: int, body: object, expected: str) -> None:
    assert token_state(HttpAnswer(status, JSON, json.dumps(body).encode())).status == expected


@pytest.mark.parametrize("came", [HttpAnswer(404, JSON, b""), HttpAnswer(404, {}, HTML), LostFailure("TimeoutError")])
def test_a_bare_404_of_a_wrong_address_revokes_no_token(came: HttpOutcome) -> None:
    assert token_state(came).status == "unknown"
