"""Every transaction of the books sums to zero, and the worked example ends at zero (billing rules, section 9)."""

from dataclasses import dataclass
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.errors import Invalid
from billing.domain.ledger import (
    Account,
    CreditEffect,
    Posting,
    check_balanced,
    postings_for_balance_adjusted,
    postings_for_balance_given,
    postings_for_balance_owed,
    postings_for_balance_used,
    postings_for_capture,
    postings_for_carry,
    postings_for_credit,
    postings_for_dispute_lost,
    postings_for_dispute_opened,
    postings_for_dispute_won,
    postings_for_opening,
    postings_for_outside_payment,
    postings_for_payout,
    postings_for_recovery,
    postings_for_refund,
    postings_for_revenue,
    postings_for_rounding,
    postings_for_vat_relief,
    postings_for_void,
    postings_for_write_off,
)


@dataclass(frozen=True)
class Line:
    amount: int
    tax_amount: int
    tax_rate: int


@dataclass(frozen=True)
class OtherLine(Line):
    kind: str


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


def test_a_line_paid_from_the_balance_is_no_sale() -> None:
    lines = [*INVOICE, OtherLine(-500, 0, 0, "balance"), OtherLine(70, 0, 0, "carried")]
    books = balance(postings_for_opening(lines, "SE"))
    assert books == {"receivable": 3540, "customer_balance": 430, "deferred_revenue": -3314, "vat_payable": -656}


def test_balance_and_outside_payments_settle_a_claim_like_a_capture() -> None:
    books = balance(
        postings_for_opening(INVOICE, "SE"),
        postings_for_balance_used(500),
        postings_for_outside_payment(1000),
        postings_for_capture(2470),
    )
    sold = {"deferred_revenue": -3314, "vat_payable": -656}
    assert books == {"customer_balance": 500, "bank": 1000, "provider_clearing": 2470, **sold}


def test_a_credit_lowers_what_is_open_then_becomes_balance_and_refund() -> None:
    effect = CreditEffect(receivable=1000, balance=5, refund=1000)
    assert postings_for_credit(CREDIT, "SE", effect=effect)[3:] == (
        Posting("receivable", -1000),
        Posting("customer_balance", -5),
        Posting("refund_payable", -1000),
    )


@pytest.mark.parametrize("effect", [CreditEffect(refund=2004), CreditEffect(2006, 0, -1)])
def test_a_credit_does_neither_more_nor_less_than_its_lines(effect: CreditEffect) -> None:
    with pytest.raises(Invalid, match="a credit of 2005"):
        postings_for_credit(CREDIT, "SE", effect=effect)


def test_a_credit_of_what_was_earned_takes_it_from_revenue_by_kind() -> None:
    posted = postings_for_credit(CREDIT, "SE", earned={"time": 1000, "dispatch": 665})
    assert posted[0] == Posting("deferred_revenue", 8)
    assert posted[3:5] == (Posting("revenue", 1000, "time"), Posting("revenue", 665, "dispatch"))


def test_revenue_can_be_taken_back() -> None:
    assert balance(postings_for_revenue(584, "time"), postings_for_revenue(-584, "time")) == {}


def test_a_carried_claim_is_owed_on_the_next_invoice_alone() -> None:
    small, following = [Line(70, 0, 0)], [Line(1000, 0, 0), OtherLine(70, 0, 0, "carried")]
    books = balance(postings_for_opening(small, "DE"), postings_for_carry(70), postings_for_opening(following, "DE"))
    assert books == {"receivable": 1070, "deferred_revenue": -1070}


def test_a_refund_that_cannot_be_paid_becomes_balance_and_may_be_asked_for_again() -> None:
    assert balance(postings_for_balance_given(500), postings_for_balance_owed(500)) == {}
    assert balance(postings_for_balance_given(500)) == {"customer_balance": -500, "refund_payable": 500}
    assert balance(postings_for_refund(500, Account.BANK)) == {"refund_payable": 500, "bank": -500}


def test_a_dispute_holds_money_back_until_it_is_won_or_lost() -> None:
    opened = postings_for_dispute_opened(3970)
    assert balance(opened) == {"disputes": 3970, "provider_clearing": -3970}
    assert balance(opened, postings_for_dispute_won(3970)) == {}
    assert balance(opened, postings_for_dispute_lost(3970)) == {"bad_debt": 3970, "provider_clearing": -3970}


def test_vat_of_a_bad_debt_is_relieved_by_a_decision_of_its_own() -> None:
    books = balance(postings_for_write_off(3970), postings_for_vat_relief({2500: 496, 1200: 160}, "SE"))
    assert books == {"receivable": -3970, "bad_debt": 3314, "vat_payable": 656}
    with pytest.raises(Invalid, match="below 0"):
        postings_for_vat_relief({2500: -1}, "SE")


def test_a_debt_that_is_paid_after_all_is_owed_again_first() -> None:
    steps = [postings_for_opening(INVOICE, "SE"), postings_for_write_off(3970), postings_for_recovery(3970)]
    assert balance(*steps) == balance(postings_for_opening(INVOICE, "SE"))


def test_a_few_cents_that_nobody_collects_are_rounding() -> None:
    assert balance(postings_for_rounding(2)) == {"rounding": 2, "receivable": -2}
    assert balance(postings_for_rounding(2), postings_for_rounding(-2)) == {}


def test_a_payout_that_takes_more_than_it_gives_is_paid_by_the_bank() -> None:
    assert balance(postings_for_payout(-500, 20)) == {"bank": -500, "provider_fees": 20, "provider_clearing": 480}


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


def test_balance_that_is_granted_costs_revenue_and_carries_no_vat() -> None:
    granted = (Posting(Account.REVENUE, 500, "goodwill"), Posting(Account.CUSTOMER_BALANCE, -500))
    assert postings_for_balance_adjusted(500) == granted
    assert postings_for_void(granted) == postings_for_balance_adjusted(-500)


def test_revenue_is_told_apart_by_its_kind() -> None:
    earned = (Posting(Account.DEFERRED_REVENUE, 584), Posting(Account.REVENUE, -584, "time"))
    assert postings_for_revenue(584, "time") == earned


def test_a_credit_is_refunded_unless_it_is_said_to_be_open() -> None:
    assert postings_for_credit(CREDIT, "SE") == postings_for_credit(CREDIT, "SE", paid=True)


def test_relief_is_booked_by_rate_and_a_rate_may_have_none() -> None:
    assert postings_for_vat_relief({2500: 496, 1200: 0}, "SE") == (
        Posting(Account.VAT_PAYABLE, 496, "SE:2500"),
        Posting(Account.BAD_DEBT, -496),
    )
