"""Every transaction of the books sums to zero, and the worked example ends at zero (billing rules, section 9)."""

from dataclasses import dataclass
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.errors import Invalid
from billing.domain.ledger import (
    Account,
    Posting,
    check_balanced,
    postings_for_capture,
    postings_for_credit,
    postings_for_opening,
    postings_for_payout,
    postings_for_refund,
    postings_for_revenue,
    postings_for_void,
    postings_for_write_off,
)


@dataclass(frozen=True)
class Line:
    amount: int
    tax_amount: int
    tax_rate: int


INVOICE = (Line(1990, 398, 2500), Line(1490, 160, 1200), Line(490, 98, 2500))
CREDIT = (Line(1260, 252, 2500), Line(745, 80, 1200))


def balance(*transactions: tuple[Posting, ...]) -> dict[str, int]:
    """The balance of every account that is not at zero."""
    sums: dict[str, int] = {}
    for posting in chain(*transactions):
        sums[posting.account] = sums.get(posting.account, 0) + posting.amount
    return {account: amount for account, amount in sums.items() if amount}


def test_opening_the_invoice_posts_39_70_receivable_6_56_vat_and_33_14_deferred() -> None:
    assert postings_for_opening(INVOICE, "SE") == (
        Posting("receivable", 3970),
        Posting("deferred_revenue", -3314),
        Posting("vat_payable", -496, "SE:2500"),
        Posting("vat_payable", -160, "SE:1200"),
    )


def test_a_capture_moves_the_receivable_to_the_provider() -> None:
    books = balance(postings_for_opening(INVOICE, "SE"), postings_for_capture(3970))
    assert books == {"provider_clearing": 3970, "deferred_revenue": -3314, "vat_payable": -656}


def test_the_credit_note_of_a_paid_invoice_owes_20_05_to_the_customer() -> None:
    assert postings_for_credit(CREDIT, "SE", paid=True) == (
        Posting("deferred_revenue", 1673),
        Posting("vat_payable", 252, "SE:2500"),
        Posting("vat_payable", 80, "SE:1200"),
        Posting("refund_payable", -2005),
    )


def test_the_credit_note_of_an_open_invoice_lowers_what_is_owed() -> None:
    books = balance(postings_for_opening(INVOICE, "SE"), postings_for_credit(CREDIT, "SE", paid=False))
    assert books[Account.RECEIVABLE] == 3970 - 2005
    assert Account.REFUND_PAYABLE not in books


def test_the_canceled_period_recognizes_16_41_and_leaves_no_deferred_revenue() -> None:
    earned = [postings_for_revenue(584, "time"), postings_for_revenue(665, "dispatch")]
    earned.append(postings_for_revenue(392, "at_capture"))
    books = balance(postings_for_opening(INVOICE, "SE"), postings_for_credit(CREDIT, "SE", paid=True), *earned)
    assert books["revenue"] == -1641
    assert "deferred_revenue" not in books


def test_a_settled_refund_and_a_payout_bring_clearing_and_refund_payable_to_zero() -> None:
    books = balance(
        postings_for_opening(INVOICE, "SE"),
        postings_for_capture(3970),
        postings_for_credit(CREDIT, "SE", paid=True),
        postings_for_refund(2005),
        postings_for_payout(bank=1890, fees=75),
    )
    assert books == {"bank": 1890, "provider_fees": 75, "deferred_revenue": -1641, "vat_payable": -324}


def test_a_void_reverses_the_opening_vat_included() -> None:
    opening = postings_for_opening(INVOICE, "SE")
    assert balance(opening, postings_for_void(opening)) == {}
    assert postings_for_void(opening)[0] == Posting("receivable", -3970)


def test_an_uncollectible_invoice_becomes_bad_debt_and_its_vat_stays_owed() -> None:
    books = balance(postings_for_opening(INVOICE, "SE"), postings_for_write_off(3970))
    assert books == {"bad_debt": 3970, "deferred_revenue": -3314, "vat_payable": -656}


def test_an_invoice_of_zero_posts_nothing() -> None:
    assert postings_for_opening([Line(0, 0, 2500)], "SE") == ()


def test_an_untaxed_line_posts_no_vat() -> None:
    assert balance(postings_for_opening([Line(1000, 0, 0)], "DE")) == {"receivable": 1000, "deferred_revenue": -1000}


@pytest.mark.parametrize("posted", [postings_for_capture, postings_for_refund, postings_for_write_off])
def test_money_does_not_move_backwards(posted: object) -> None:
    with pytest.raises(Invalid, match="-1 cannot move"):
        posted(-1)  # type: ignore[operator]  # one of the three functions above


def test_an_unbalanced_transaction_is_caught() -> None:
    with pytest.raises(AssertionError, match="sums to 1 instead of 0"):
        check_balanced([Posting(Account.BANK, 2), Posting(Account.REVENUE, -1)])


TAXED = st.builds(lambda net, tax, rate: Line(net + tax, tax, rate), *[st.integers(0, 10**6)] * 2, st.integers(0, 3))


@settings(max_examples=100, deadline=None)
@given(st.lists(TAXED, min_size=1, max_size=6), st.booleans(), st.integers(0, 10**6))
def test_every_transaction_sums_to_zero(lines: list[Line], paid: bool, amount: int) -> None:
    opening = postings_for_opening(lines, "SE")
    transactions = [
        opening,
        postings_for_void(opening),
        postings_for_credit(lines, "SE", paid),
        postings_for_capture(amount),
        postings_for_refund(amount),
        postings_for_revenue(amount, "time"),
    ]
    for postings in transactions:
        check_balanced(postings)
        assert all(posting.amount for posting in postings)


@settings(max_examples=50, deadline=None)
@given(st.lists(TAXED, min_size=1, max_size=6), st.booleans())
def test_a_full_credit_of_an_open_invoice_leaves_the_books_empty(lines: list[Line], paid: bool) -> None:
    steps = [postings_for_opening(lines, "SE"), postings_for_credit(lines, "SE", paid)]
    total = sum(line.amount for line in lines)
    if paid:
        steps += [postings_for_capture(total), postings_for_refund(total)]
    assert balance(*steps) == {}
