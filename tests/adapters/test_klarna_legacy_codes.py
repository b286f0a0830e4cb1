"""Every fault and status that the legacy wire facts name has a row, and means what the charging rules say."""

import pytest

from billing.adapters.klarna_legacy.codes import ROWS, Channel, Verdict, listed, verdict
from billing.domain.operations import OperationKind

PURCHASE, EXTEND = OperationKind.PURCHASE, OperationKind.EXTEND
MOVES_NO_MONEY = {
    OperationKind.AMEND,
    OperationKind.SHIP,
    OperationKind.EXTEND,
    OperationKind.EMAIL_INVOICE,
    OperationKind.REVOKE,
}

# Section 4 of the legacy wire facts, row by row, and what each means for a capture.
NAMED = (
    [(code, Verdict.ACCOUNT_STOPPED) for code in (1103, 1104, 9113, 9114)]
    + [(code, Verdict.UNKNOWN) for code in (9119, -1, -2, -3, -4, -5, -99, 0)]
    + [(8108, Verdict.POSTPONED)]
    + [
        (code, Verdict.REFUSED)
        for code in (
            1999,
            *range(2101, 2108),
            2999,
            *range(2201, 2207),
            *range(2301, 2306),
            *range(2401, 2406),
            *range(3101, 3109),
            *range(3201, 3212),
            *range(3301, 3305),
            3999,
            *range(6101, 6105),
            6999,
            *range(7101, 7106),
            7999,
            *range(8101, 8108),
            *range(8109, 8115),
            8999,
            9103,
            9105,
            9106,
            *range(9107, 9113),
            *range(9115, 9119),
            9120,
        )
    ]
)
# Section 6, and 413 and 504 of the charging rules.
STATUSES = (
    [(401, Verdict.ACCOUNT_STOPPED), (403, Verdict.ACCOUNT_STOPPED), (402, Verdict.SOFT)]
    + [(status, Verdict.REFUSED) for status in (400, 404, 406, 409, 412, 413, 415, 422, 428)]
    + [(status, Verdict.UNKNOWN) for status in (429, 500, 502, 503, 504)]
)
NAMES = {
    2101: "credit",
    2107: "customer_blacklisted",
    2204: "dead",
    3108: "no_address",
    3208: "client_ip",
    3211: "artnos",
    8101: "unknown_invoice",
    8103: "invoice_not_active",
    8107: "invoice_is_suspect",
    8111: "invoice_not_passive_or_frozen",
    8114: "invno",
    9107: "bad_artnolist",
    9109: "rno",
    9112: "bad_ocr",
    9114: "invalid_estore_secret",
    9119: "timeout",
}


@pytest.mark.parametrize(("code", "expected"), NAMED)
def test_every_named_fault_has_a_row_and_its_class(code: int, expected: Verdict) -> None:
    row = listed(OperationKind.CAPTURE, Channel.FAULT, code)
    assert row is not None
    assert row.verdict is expected
    assert row.source
    assert row.name


@pytest.mark.parametrize(("status", "expected"), STATUSES)
def test_every_named_status_of_a_recurring_order_has_a_row_and_its_class(status: int, expected: Verdict) -> None:
    row = listed(PURCHASE, Channel.STATUS, status)
    assert row is not None
    assert row.verdict is expected
    assert row.source


def test_the_table_holds_nothing_that_no_document_names() -> None:
    assert {row.code for row in ROWS if row.channel is Channel.FAULT} == {code for code, _ in NAMED}
    assert {row.code for row in ROWS if row.channel is Channel.STATUS} == {status for status, _ in STATUSES}


@pytest.mark.parametrize(("code", "name"), NAMES.items())
def test_a_fault_has_the_name_that_the_documents_give_it(code: int, name: str) -> None:
    row = listed(OperationKind.REFUND, Channel.FAULT, code)
    assert row is not None
    assert row.name == name


@pytest.mark.parametrize("code", [*range(2101, 2108), 2999, *range(2201, 2207), *range(2301, 2306)])
def test_a_refused_extension_is_a_soft_decline_and_nothing_else_is_one(code: int) -> None:
    soft = {kind for kind in OperationKind if verdict(kind, Channel.FAULT, code) is Verdict.SOFT}
    assert soft == {EXTEND}


@pytest.mark.parametrize("kind", OperationKind)
@pytest.mark.parametrize("code", [1103, 1104, 9113, 9114])
def test_a_refused_caller_stops_the_account_for_every_kind(kind: OperationKind, code: int) -> None:
    assert verdict(kind, Channel.FAULT, code) is Verdict.ACCOUNT_STOPPED


@pytest.mark.parametrize("kind", OperationKind)
@pytest.mark.parametrize("code", [7, 1102, 2108, 8115, 9121, 5000, 50063])
def test_an_unlisted_fault_is_unknown_where_money_moves_and_refused_where_not(kind: OperationKind, code: int) -> None:
    expected = Verdict.REFUSED if kind in MOVES_NO_MONEY else Verdict.UNKNOWN
    assert verdict(kind, Channel.FAULT, code) is expected


@pytest.mark.parametrize("status", [100, 201, 204, 302, 405, 410, 418, 501, 599])
def test_an_unlisted_status_of_a_recurring_order_is_unknown(status: int) -> None:
    assert verdict(PURCHASE, Channel.STATUS, status) is Verdict.UNKNOWN


def test_no_refusal_has_two_rows() -> None:
    keys = [(kind, row.channel, row.code) for row in ROWS for kind in row.kinds]
    assert len(keys) == len(set(keys))
