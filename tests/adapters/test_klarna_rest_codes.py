"""Every refusal that Klarna's REST wire facts name has a row, and means what the charging rules say."""

import pytest

from billing.adapters.klarna_rest.codes import ROWS, Verdict, listed, verdict
from billing.domain.operations import OperationKind

PURCHASE, EMAIL = OperationKind.PURCHASE, OperationKind.EMAIL_INVOICE
AFTER_PURCHASE = [kind for kind in OperationKind if kind is not PURCHASE]
MOVES_NO_MONEY = {
    EMAIL,
    OperationKind.AMEND,
    OperationKind.RELEASE,
    OperationKind.SHIP,
    OperationKind.EXTEND,
    OperationKind.REVOKE,
}
MOVES_MONEY = [kind for kind in OperationKind if kind not in MOVES_NO_MONEY]

# (HTTP status, error code, what it means for a purchase), as sections 3, 4 and 6 of the wire facts list them.
NAMED = [
    (400, "BAD_REQUEST", Verdict.REFUSED),
    (400, "BAD_VALUE", Verdict.REFUSED),
    (400, "NOT_FOUND", Verdict.REFUSED),
    (401, "UNAUTHORIZED", Verdict.ACCOUNT_STOPPED),
    (403, None, Verdict.ACCOUNT_STOPPED),
    (403, "TOKEN_SUSPENDED", Verdict.SUSPENDED),
    (403, "TOKEN_CANCELLED", Verdict.HARD),
    (403, "TOKEN_CANCELED", Verdict.HARD),
    (403, "TOKEN_FORBIDDEN", Verdict.REFUSED),
    (403, "UNAVAILABLE_PAYMENT_METHOD", Verdict.HARD),
    (403, "PAYMENT_METHOD_CURRENCY_MISMATCH", Verdict.REFUSED),
    (403, "PAYMENT_METHOD_FAILED", Verdict.SOFT),
    (403, "CAPTURE_NOT_ALLOWED", Verdict.REFUSED),
    (403, "CANCEL_NOT_ALLOWED", Verdict.REFUSED),
    (403, "REFUND_NOT_ALLOWED", Verdict.REFUSED),
    (403, "NOT_ALLOWED", Verdict.REFUSED),
    (403, "INVALID_OPERATION", Verdict.REFUSED),
    (403, "MERCHANT_INACTIVE", Verdict.REFUSED),
    (403, "REJECTED", Verdict.REFUSED),
    (404, "TOKEN_NOT_FOUND", Verdict.HARD),
    (404, "NO_SUCH_ORDER", Verdict.REFUSED),
    (404, "NO_SUCH_CAPTURE", Verdict.REFUSED),
    (404, "NOT_FOUND", Verdict.REFUSED),
    (404, "SESSION_COMPLETED", Verdict.REFUSED),
    (409, "CONFLICT", Verdict.REFUSED),
    (409, "BAD_VALUE", Verdict.REFUSED),
    (413, "REQUEST_TOO_LARGE", Verdict.REFUSED),
    (422, "UNPROCESSABLE_ENTITY", Verdict.REFUSED),
    (422, "INVALID_ADDRESS", Verdict.REFUSED),
    (429, "TOO_MANY_REQUESTS", Verdict.POSTPONED),
    (500, "INTERNAL_SERVER_ERROR", Verdict.UNKNOWN),
    (500, "UNEXPECTED_ERROR", Verdict.UNKNOWN),
    (500, "TIMEOUT", Verdict.UNKNOWN),
    (502, "TEMPORARILY_UNAVAILABLE", Verdict.UNKNOWN),
    (503, "TEMPORARILY_UNAVAILABLE", Verdict.UNKNOWN),
    (503, "SERVICE_UNAVAILABLE", Verdict.UNKNOWN),
    (504, "TEMPORARILY_UNAVAILABLE", Verdict.UNKNOWN),
]


@pytest.mark.parametrize(("status", "code", "expected"), NAMED)
def test_every_named_code_has_a_row_of_its_own_and_its_class(status: int, code: str | None, expected: Verdict) -> None:
    row = listed(PURCHASE, status, code)
    assert row is not None
    assert (row.http_status, row.error_code, row.verdict) == (status, code, expected)
    assert row.source


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
@pytest.mark.parametrize("code", [None, "BRAND_NEW"])
@pytest.mark.parametrize("kind", OperationKind)
def test_a_wrong_request_is_refused_whatever_its_code(kind: OperationKind, status: int, code: str | None) -> None:
    assert verdict(kind, status, code) is Verdict.REFUSED


@pytest.mark.parametrize("kind", OperationKind)
def test_a_refused_caller_stops_the_account(kind: OperationKind) -> None:
    assert verdict(kind, 401, None) is Verdict.ACCOUNT_STOPPED
    assert verdict(kind, 403, None) is Verdict.ACCOUNT_STOPPED


@pytest.mark.parametrize("kind", OperationKind)
def test_too_many_requests_are_postponed_only_when_the_api_itself_says_so(kind: OperationKind) -> None:
    assert verdict(kind, 429, "ANYTHING") is Verdict.POSTPONED
    assert verdict(kind, 429, None) is Verdict.UNKNOWN


@pytest.mark.parametrize("kind", AFTER_PURCHASE)
@pytest.mark.parametrize("code", ["PAYMENT_METHOD_FAILED", "TOKEN_SUSPENDED", "TOKEN_CANCELLED"])
def test_only_a_purchase_can_be_declined(kind: OperationKind, code: str) -> None:
    assert verdict(kind, 403, code) is (Verdict.REFUSED if kind in MOVES_NO_MONEY else Verdict.UNKNOWN)


@pytest.mark.parametrize(("status", "code"), [(403, "BRAND_NEW"), (402, None), (410, "GONE"), (418, None)])
def test_an_unlisted_refusal_is_unknown_where_money_moves_and_refused_where_not(status: int, code: str | None) -> None:
    assert {verdict(kind, status, code) for kind in MOVES_MONEY} == {Verdict.UNKNOWN}
    assert {verdict(kind, status, code) for kind in MOVES_NO_MONEY} == {Verdict.REFUSED}


@pytest.mark.parametrize("status", [100, 300, 302, 307, 500, 502, 503, 504, 599])
@pytest.mark.parametrize("kind", OperationKind)
def test_redirects_and_server_errors_are_unknown_for_every_kind(kind: OperationKind, status: int) -> None:
    assert verdict(kind, status, None) is Verdict.UNKNOWN
    assert verdict(kind, status, "BRAND_NEW") is Verdict.UNKNOWN


def test_no_answer_has_two_rows() -> None:
    keys = [(kind, row.http_status, row.error_code) for row in ROWS for kind in row.kinds]
    assert len(keys) == len(set(keys))


def test_a_token_that_is_gone_needs_no_revocation() -> None:
    for code in ("NOT_FOUND", "TOKEN_NOT_FOUND"):
        assert verdict(OperationKind.REVOKE, 404, code) is Verdict.HARD
