"""What a provider says it paid: read from a file, checked to add up, compared with what we captured and refunded."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind
from billing.domain.settlements import (
    LineKind,
    Match,
    Matcher,
    Movement,
    Settlement,
    SettlementLine,
    check_settlement,
    read_csv,
)

CAPTURED = Movement(UUID(int=1), OperationKind.CAPTURE, 3970, "SEK", "cap-1", "op-1")
REFUNDED = Movement(UUID(int=2), OperationKind.REFUND, 2005, "SEK", "ref-1", "op-2")
TAKEN = SettlementLine(LineKind.CAPTURE, 3970, 75, "cap-1")
GIVEN = SettlementLine(LineKind.REFUND, 2005, 0, None, "op-2")
PAID = Settlement("po-1", "main", date(2028, 4, 12), "SEK", 1890, (TAKEN, GIVEN))

FILE = """payout,account,paid_on,currency,kind,provider_id,reference,amount,fee
po-1,main,2028-04-12,SEK,capture,cap-1,,39.70,0.75
po-1,main,2028-04-12,SEK,refund,,op-2,20.05,
po-1,main,2028-04-12,SEK,payout,,,18.90,
"""


def matcher(*movements: Movement) -> Matcher:
    return Matcher(movements or (CAPTURED, REFUNDED), "SEK")


def test_a_file_of_our_form_is_one_payout_with_its_lines() -> None:
    assert read_csv(FILE) == replace(PAID, lines=list(PAID.lines))
    assert read_csv("\ufeff" + FILE.replace("\n", "\r\n") + "\r\n") == read_csv(FILE)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("payout,account", "payout,konto", "names the columns: payout,account,paid_on"),
        ("kind,provider_id", "kind", "names the columns"),
        (",39.70,", ",39.705,", "row 2 needs amounts such as 39.70"),
        (",39.70,", ',"39,70",', "row 2 needs amounts"),
        (",39.70,", ",-39.70,", "row 2 needs amounts"),
        (",39.70,", ",3.9e1,", "row 2 needs amounts"),
        (",39.70,", ",,", "row 2 needs amounts"),
        (",39.70,", ",1000000000000.00,", "too large"),
        (",0.75", ",0.755", "row 2 needs amounts"),
        (",18.90,", ",18.905,", "row 4 needs amounts"),
        ("SEK,refund", "SEK,chargeback", "row 3 has no kind"),
        ("po-1,main,2028-04-12,SEK,refund", "po-2,main,2028-04-12,SEK,refund", "one payout"),
        ("SEK,payout", "SEK,credit", "one payout"),
        ("2028-04-12", "12.4.2028", "row 4 needs a date"),
        ("SEK", "XYZ", "currency code"),
        ("op-2", '"op-2', "not CSV"),
        ("op-2,20.05,", "op-2,20.05", "row 3 has 8 fields instead of 9"),
    ],
)
def test_a_file_of_another_form_is_refused_with_its_row(was: str, becomes: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read_csv(FILE.replace(was, becomes))


def test_one_digit_after_the_point_and_twelve_before_it_are_read() -> None:
    assert read_csv(FILE.replace(",39.70,", ",39.7,")) == read_csv(FILE)
    assert read_csv(FILE.replace(",39.70,", ",100000000000.00,")).lines[0].amount == 10**13


def test_lines_may_end_as_on_any_machine() -> None:
    assert read_csv(FILE.replace("\n", "\r")) == read_csv(FILE)


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(Invalid, match="names the columns"):
        read_csv("")


def test_a_file_in_yen_has_no_point() -> None:
    lines = FILE.replace("SEK", "JPY").replace("39.70", "3970").replace("20.05", "2005").replace("18.90", "1890")
    assert read_csv(lines.replace("0.75", "75")).amount == 1890
    with pytest.raises(Invalid, match="such as 3970"):
        read_csv(lines)


def test_money_taken_from_the_bank_stands_below_zero() -> None:
    file = FILE.replace(",18.90,", ",-0.05,")
    assert read_csv(file).amount == -5


def test_lines_less_fees_are_what_reached_the_bank() -> None:
    check_settlement(PAID)
    with pytest.raises(Invalid, match="come to 1965 less 75 of fees, not to the 1891") as refused:
        check_settlement(replace(PAID, amount=1891))
    assert refused.value.where == "amount"


def test_fees_apart_and_fees_given_back_count() -> None:
    more = (TAKEN, SettlementLine(LineKind.FEE, 30), SettlementLine(LineKind.FEE_CREDIT, 10))
    several = replace(PAID, lines=more, amount=3970 - 95)
    assert several.fees == 95
    check_settlement(several)


def test_debits_and_credits_move_the_payout_without_being_fees() -> None:
    more = (TAKEN, SettlementLine(LineKind.DEBIT, 500), SettlementLine(LineKind.CREDIT, 100))
    several = replace(PAID, lines=more, amount=3970 - 75 - 400)
    assert several.fees == 75
    check_settlement(several)


@pytest.mark.parametrize(
    ("line", "match", "operation"),
    [
        (TAKEN, Match.MATCHED, 1),
        (GIVEN, Match.MATCHED, 2),
        (replace(TAKEN, provider_id=None, reference="op-1"), Match.MATCHED, 1),
        (replace(TAKEN, provider_id="cap-2", reference="op-1"), Match.NOT_FOUND, None),
        (replace(TAKEN, provider_id=None), Match.NOT_FOUND, None),
        (replace(TAKEN, provider_id=None, reference="op-9"), Match.NOT_FOUND, None),
        (replace(TAKEN, kind=LineKind.REFUND), Match.NOT_FOUND, None),
        (replace(TAKEN, amount=3969), Match.WRONG_AMOUNT, 1),
        (replace(TAKEN, kind=LineKind.DEBIT), Match.NOT_FOUND, None),
        (replace(TAKEN, kind=LineKind.FEE), Match.NOT_NEEDED, None),
    ],
)
def test_a_line_is_compared_with_the_operation_that_it_names(
    line: SettlementLine, match: Match, operation: int | None
) -> None:
    assert matcher().match(line) == (match, UUID(int=operation) if operation else None)


def test_another_currency_does_not_match() -> None:
    assert matcher(replace(CAPTURED, currency="EUR")).match(TAKEN) == (Match.WRONG_CURRENCY, CAPTURED.operation_id)


def test_a_capture_is_paid_out_once() -> None:
    once = matcher()
    assert [once.match(TAKEN)[0], once.match(TAKEN)[0]] == [Match.MATCHED, Match.DOUBLE]
    assert matcher(replace(CAPTURED, is_paid_out=True)).match(TAKEN)[0] == Match.DOUBLE


def test_of_several_with_one_reference_the_one_that_fits_is_taken() -> None:
    part = replace(CAPTURED, operation_id=UUID(int=9), amount=100, provider_id="cap-9")
    by_reference = SettlementLine(LineKind.CAPTURE, 3970, 0, None, "op-1")
    assert matcher(part, CAPTURED).match(by_reference) == (Match.MATCHED, CAPTURED.operation_id)
