"""Payouts: matched line by line, booked whole, recorded once; clearing comes to zero when everything is paid out."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from factories import Shop
from reading import entries, invoices, operations, rows

from billing.domain.errors import Conflict, Invalid, NotFound
from billing.domain.settlements import LineKind, Match, Settlement, SettlementLine
from billing.store.ledger import LedgerTransaction
from billing.store.operations import Operation
from billing.store.payouts import Payout
from billing.use_cases.look_up import Slice
from billing.use_cases.record_payout import PayoutFound, match_again, outstanding, payout, payouts, record_payout
from billing.use_cases.refund import NewRefund, refund


def paid(shop: Shop, count: int = 1) -> list[Operation]:
    """So many captures of 39.70."""
    for _ in range(count):
        shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    return operations(shop, "capture")


def of(operation: Operation, fee: int = 0) -> SettlementLine:
    return SettlementLine(LineKind(operation.kind), operation.amount, fee, operation.provider_id)


def settlement(shop: Shop, *lines: SettlementLine, **changes: object) -> Settlement:
    """A payout of these lines that adds up, dated today."""
    signs = {LineKind.CAPTURE: 1, LineKind.CREDIT: 1, LineKind.FEE_CREDIT: 1}
    amount = sum(signs.get(line.kind, -1) * line.amount - line.fee for line in lines)
    made = Settlement("po-1", "main", shop.clock.now().date(), "SEK", amount, lines)
    return replace(made, **changes)


def record(shop: Shop, *lines: SettlementLine, **changes: object) -> PayoutFound:
    return record_payout(shop.database, shop.ids, shop.clock.now(), settlement(shop, *lines, **changes))


def balances(shop: Shop) -> dict[str, int]:
    sums: dict[str, int] = {}
    for _, account, _, amount in entries(shop):
        sums[account] = sums.get(account, 0) + amount
    return sums


def matches(found: PayoutFound) -> list[str]:
    return [line.match for line in found.lines]


def test_captures_refunds_and_fees_paid_out_bring_clearing_to_zero(shop: Shop) -> None:
    (capture,) = paid(shop)
    refund(shop.database, shop.ids, shop.clock.now(), NewRefund(invoices(shop)[0].id, "goodwill"))
    shop.tick()
    (given_back,) = operations(shop, "refund")
    second = paid(shop)[-1]
    found = record(shop, of(capture, 75), of(second, 75), of(given_back), SettlementLine(LineKind.FEE, 20))
    assert matches(found) == ["matched", "matched", "matched", "not_needed"]
    assert (found.payout.amount, found.payout.fees) == (3970 - 170, 170)
    books = balances(shop)
    assert (books["provider_clearing"], books["bank"], books["provider_fees"]) == (0, 3800, 170)
    assert outstanding(shop.database, Slice()).rows == []


def test_our_operations_reference_names_a_line_as_well(shop: Shop) -> None:
    (capture,) = paid(shop)
    line = SettlementLine(LineKind.CAPTURE, 3970, 0, None, capture.merchant_reference)
    (found,) = record(shop, line).lines
    assert (found.match, found.operation_id) == (Match.MATCHED, capture.id)


def test_what_does_not_match_is_listed_and_stays_in_clearing(shop: Shop) -> None:
    (capture,) = paid(shop)
    stranger = SettlementLine(LineKind.CAPTURE, 500, 0, "cap-of-somebody")
    short = replace(of(capture), amount=3900)
    found = record(shop, stranger, short, SettlementLine(LineKind.DEBIT, 100))
    assert matches(found) == ["not_found", "wrong_amount", "not_found"]
    assert found.lines[1].operation_id == capture.id
    assert balances(shop)["provider_clearing"] == 3970 - 4300
    assert [row.id for row in outstanding(shop.database, Slice()).rows] == [capture.id]


def test_a_capture_is_paid_out_once(shop: Shop) -> None:
    (capture,) = paid(shop)
    assert matches(record(shop, of(capture), of(capture))) == ["matched", "double"]
    assert matches(record(shop, of(capture), reference="po-2")) == ["double"]


def test_a_payout_that_comes_twice_is_booked_once(shop: Shop) -> None:
    (capture,) = paid(shop)
    first, again = record(shop, of(capture, 75)), record(shop, of(capture, 75))
    assert first.payout.id == again.payout.id
    assert len([tx for tx in rows(shop, LedgerTransaction) if tx.kind == "payout"]) == 1
    with pytest.raises(Conflict, match="says something else"):
        record(shop, of(capture, 74))


def test_a_payout_counts_for_its_own_day_and_belongs_to_no_invoice(shop: Shop) -> None:
    (capture,) = paid(shop)
    day = shop.clock.now().date() - timedelta(days=1)
    found = record(shop, of(capture), paid_on=day)
    (booked,) = (tx for tx in rows(shop, LedgerTransaction) if tx.kind == "payout")
    assert (booked.invoice_id, booked.payout_id, booked.booked_on) == (None, found.payout.id, day)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"provider_account": "other"}, "no such provider account"),
        ({"paid_on": date(2029, 1, 1)}, "not come yet"),
        ({"currency": "XYZ"}, "currency"),
        ({"amount": 1}, "come to"),
        ({"lines": ()}, "1 to 5000 lines"),
    ],
)
def test_an_impossible_payout_is_refused_and_writes_nothing(shop: Shop, changes: dict[str, object], said: str) -> None:
    (capture,) = paid(shop)
    with pytest.raises(Invalid, match=said):
        record(shop, of(capture), **changes)
    assert rows(shop, Payout) == []


def test_a_capture_of_another_currency_does_not_match(shop: Shop) -> None:
    (capture,) = paid(shop)
    assert matches(record(shop, of(capture), currency="EUR")) == ["wrong_currency"]


def test_a_line_matches_once_its_capture_is_recorded(shop: Shop) -> None:
    (capture,) = paid(shop)
    late = "recorded-later"
    found = record(shop, SettlementLine(LineKind.CAPTURE, 3970, 0, late), SettlementLine(LineKind.DEBIT, 5))
    with shop.database.tx() as session:
        session.get_one(Operation, capture.id).provider_id = late
    assert matches(match_again(shop.database, found.payout.id, [2])) == ["not_found", "not_found"]
    before = len(entries(shop))
    assert matches(match_again(shop.database, found.payout.id)) == ["matched", "not_found"]
    assert len(entries(shop)) == before


def test_payouts_are_listed_and_read(shop: Shop) -> None:
    first, second = paid(shop, 2)
    recorded = [record(shop, of(first)), record(shop, of(second), reference="po-2")]
    page = payouts(shop.database, Slice(1))
    assert [row.reference for row in page.rows] == ["po-1"]
    assert [row.reference for row in payouts(shop.database, Slice(1, page.next)).rows] == ["po-2"]
    assert payout(shop.database, recorded[0].payout.id).lines[0].operation_id == first.id
    with pytest.raises(NotFound):
        payout(shop.database, first.id)


def test_what_is_not_paid_out_is_listed_in_parts(shop: Shop) -> None:
    captures = paid(shop, 3)
    page = outstanding(shop.database, Slice(2))
    rest = outstanding(shop.database, Slice(2, page.next))
    assert [row.id for row in [*page.rows, *rest.rows]] == [capture.id for capture in captures]
    assert rest.next is None
