"""An export is read strictly, and each row of it is at most one operation of ours."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from billing.domain.errors import BadRows, Invalid
from billing.domain.operations import OperationKind
from billing.domain.restores import Candidate, ExportRow, Matcher, read_export

ACCOUNTS = {"main": "rest", "old": "legacy"}
HEAD = "generation,kind,id,order_id,amount,currency,merchant_reference1,merchant_reference2,reference,status,at\n"
AT = datetime(2028, 3, 1, 8, tzinfo=UTC)


def test_a_row_of_each_kind_carries_its_own_reference() -> None:
    rows = read_export(
        HEAD
        + "rest,order,o-1,o-1,3970,SEK,inv_1,op-1,,CAPTURED,2028-03-01T08:00:00Z\n"
        + "rest,capture,c-1,o-1,3970,SEK,inv_1,op-1,op-2,OK,2028-03-01T09:00:00+01:00\n",
        ACCOUNTS,
    )
    assert rows == [
        ExportRow("purchase", "main", "o-1", "o-1", "inv_1", "op-1", 3970, "SEK", AT),
        ExportRow("capture", "main", "c-1", "o-1", "inv_1", "op-2", 3970, "SEK", AT),
    ]


def test_an_order_that_ended_with_nothing_taken_is_as_if_given_back() -> None:
    rows = read_export(HEAD + "rest,order,o-1,o-1,3970,SEK,inv_1,op-1,,EXPIRED,2028-03-01T08:00:00Z\n", ACCOUNTS)
    assert [(row.kind, row.provider_id, row.order_id) for row in rows] == [
        ("purchase", "o-1", "o-1"),
        ("void", "o-1:ended", "o-1"),
    ]


def test_the_sandboxes_json_says_the_same_as_its_table() -> None:
    order = {
        "generation": "rest",
        "order_id": "o-1",
        "order_amount": 3970,
        "currency": "SEK",
        "merchant_reference1": "inv_1",
        "merchant_reference2": "op-1",
        "status": "CANCELLED",
        "created_at": "2028-03-01T08:00:00Z",
    }
    void = {"id": 7, "order_id": "o-1", "kind": "cancel", "amount": 3970, "voided_at": "2028-03-01T08:00:00Z"}
    text = json.dumps({"orders": [order], "captures": [], "refunds": [], "voids": [void]})
    assert read_export(text, ACCOUNTS) == [
        ExportRow("purchase", "main", "o-1", "o-1", "inv_1", "op-1", 3970, "SEK", AT),
        ExportRow("void", "main", "7", "o-1", "inv_1", None, 3970, "SEK", AT),
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("rest,gift,o-1,o-1,1,SEK,,,,,2028-03-01T08:00:00Z", "the kind must be one of"),
        ("rest,order,,o-1,1,SEK,,,,,2028-03-01T08:00:00Z", "id and order_id are needed"),
        ("rest,order,o-1,o-1,1.5,SEK,,,,,2028-03-01T08:00:00Z", "whole number of minor units"),
        ("rest,order,o-1,o-1,-1,SEK,,,,,2028-03-01T08:00:00Z", "whole number of minor units"),
        ("rest,order,o-1,o-1,1,XXY,,,,,2028-03-01T08:00:00Z", "ISO 4217"),
        ("rest,order,o-1,o-1,1,SEK,,,,,yesterday", "the instant must be"),
        ("other,order,o-1,o-1,1,SEK,,,,,2028-03-01T08:00:00Z", "provider_account"),
        (",order,o-1,o-1,1,SEK,,,,,2028-03-01T08:00:00Z", "provider_account"),
    ],
)
def test_a_line_that_cannot_be_right_is_named(row: str, says: str) -> None:
    with pytest.raises(BadRows) as wrong:
        read_export(HEAD + row + "\n", ACCOUNTS)
    ((place, message),) = wrong.value.faults
    assert (place, says in message) == ("line 2", True), message


@pytest.mark.parametrize("text", ["", "kind,id\n", '{"orders": []}', "{", HEAD + '"', "[1]"])
def test_a_file_that_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_export(text, ACCOUNTS)


def test_the_account_may_be_said_for_all_rows() -> None:
    (row,) = read_export(HEAD + ",purchase,o-1,o-1,1,SEK,,,,,2028-03-01T08:00:00Z\n", ACCOUNTS, "old")
    assert row.provider_account == "old"
    with pytest.raises(BadRows):
        read_export(HEAD + ",purchase,o-1,o-1,1,SEK,,,,,2028-03-01T08:00:00Z\n", ACCOUNTS, "nobody")


def candidate(number: int, **changed: object) -> Candidate:
    fields = {
        "operation_id": UUID(int=number),
        "kind": OperationKind.PURCHASE,
        "provider_account": "main",
        "amount": 3970,
        "currency": "SEK",
        "reference": f"op-{number}",
        "invoice": "inv_1",
        "order_id": None,
        "provider_id": None,
        "is_open": True,
    }
    return Candidate(**{**fields, **changed})


ROW = ExportRow("purchase", "main", "o-1", "o-1", "inv_1", "op-2", 3970, "SEK", AT)


def test_the_providers_id_comes_before_our_reference_and_that_before_the_invoice() -> None:
    about, ours, known = candidate(1), candidate(2), candidate(3, provider_id="o-1", is_open=False)
    matcher = Matcher([about, ours, known])
    assert [matcher.match(ROW) for _ in range(4)] == [known, ours, about, None]


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": OperationKind.CAPTURE},
        {"provider_account": "old"},
        {"amount": 3971},
        {"currency": "EUR"},
        {"invoice": "inv_2", "reference": "op-9"},
        {"is_open": False},
    ],
)
def test_what_differs_is_not_it(changed: dict) -> None:
    assert Matcher([candidate(2, **changed)]).match(ROW) is None


def test_what_acts_on_an_order_is_found_by_that_order() -> None:
    row = ExportRow("capture", "main", "c-1", "o-1", "inv_1", None, 3970, "SEK", AT)
    of_another, of_it = (
        candidate(number, kind=OperationKind.CAPTURE, order_id=order) for number, order in ((1, "o-2"), (2, "o-1"))
    )
    assert Matcher([of_another, of_it]).match(row) == of_it
