"""What is given back by days, units, amount or whole; credits of all kinds stack (billing rules, sections 4 and 5)."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.credits import (
    BilledLine,
    CreditDraft,
    credit_amount,
    credit_quantities,
    credit_unused,
    credit_whole,
)
from billing.domain.errors import CreditExceedsLine, Invalid, RefundExceedsCapture
from billing.domain.tax import tax_included


def billed(
    article: str, quantity: int, unit_amount: int, tax_rate: int, rule: str, number: int, tax_amount: int | None = None
) -> BilledLine:
    amount = quantity * unit_amount
    return BilledLine(
        line_id=UUID(int=number),
        position=number,
        article_number=article,
        name=article.title(),
        quantity=quantity,
        unit_amount=unit_amount,
        amount=amount,
        tax_amount=tax_included(amount, tax_rate) if tax_amount is None else tax_amount,
        tax_rate=tax_rate,
        credit_rule=rule,
        recognize="time",
        credited_amount=0,
        credited_tax=0,
        credited_quantity=0,
    )


BASE = billed("BASE", 1, 1990, 2500, "time", 1)
BOX = billed("BOX", 2, 745, 1200, "quantity", 2)
FREIGHT = billed("FREIGHT", 1, 490, 2500, "none", 3)
INVOICE = (BASE, BOX, FREIGHT)


def after(lines: tuple[BilledLine, ...], draft: CreditDraft) -> tuple[BilledLine, ...]:
    """The lines as they stand once the credit note is granted."""
    given_back = {line.line_id: line for line in draft.lines}
    changed = []
    for line in lines:
        credit = given_back.get(line.line_id)
        if credit is None:
            changed.append(line)
            continue
        changed.append(
            replace(
                line,
                credited_amount=line.credited_amount + credit.amount,
                credited_tax=line.credited_tax + credit.tax_amount,
                credited_quantity=line.credited_quantity + credit.quantity,
            )
        )
    return tuple(changed)


# March 31            April 11                       April 30
# |---- 11 days used ----|------- 19 days unused -------|      one of two boxes not shipped
def test_the_canceled_period_of_31_march_credits_20_05_with_3_32_of_tax() -> None:
    draft = credit_unused(INVOICE, 11, 30, {"BOX": 1})
    assert [(c.article_number, c.amount, c.tax_amount, c.net_amount, c.quantity, c.by) for c in draft.lines] == [
        ("BASE", 1260, 252, 1008, 0, "time"),
        ("BOX", 745, 80, 665, 1, "quantity"),
    ]
    assert (draft.total, draft.tax_total, draft.total - draft.tax_total) == (2005, 332, 1673)


def test_a_credit_line_says_how_it_came_about() -> None:
    base, box = credit_unused(INVOICE, 11, 30, {"BOX": 1}).lines
    assert base.derivation == "19 of 30 days unused: 1990 - 730 = 1260"
    assert box.derivation == "1 of 2 units: 745"


def test_the_share_kept_of_a_canceled_base_fee_is_7_30_with_1_46_of_tax() -> None:
    credit = credit_unused([BASE], 11, 30, {}).lines[0]
    assert (1990 - credit.amount, 398 - credit.tax_amount) == (730, 146)


def test_a_credit_keeps_the_rate_that_was_invoiced() -> None:
    assert [credit.tax_rate for credit in credit_whole(INVOICE).lines] == [2500, 1200, 2500]


def test_a_period_used_to_its_end_credits_nothing() -> None:
    assert credit_unused(INVOICE, 30, 30, {}).lines == ()


def test_a_period_not_begun_credits_all_of_a_time_line() -> None:
    draft = credit_unused([BASE], 0, 30, {})
    assert (draft.total, draft.tax_total) == (1990, 398)


def test_a_time_credit_is_never_more_than_earlier_credits_left_and_says_so() -> None:
    line = after((BASE,), credit_amount([BASE], 1000))[0]
    draft = credit_unused([line], 11, 30, {})
    assert (draft.total, draft.tax_total) == (990, 398 - 200)
    assert draft.lines[0].derivation == "19 of 30 days unused: 1990 - 730 = 1260, of which 990 is left"


# 2 cents at 100 % hold 1 cent of tax: 2 of 5 days give 1 + 0, and the cent that is left takes the tax that is left.
def test_a_time_credit_that_empties_a_line_takes_all_its_tax() -> None:
    line = billed("BASE", 1, 2, 10_000, "time", 1)
    first = credit_unused([line], 3, 5, {})
    second = credit_unused(after((line,), first), 3, 5, {})
    assert [(d.total, d.tax_total) for d in (first, second)] == [(1, 0), (1, 1)]


# Two time credits of a cent each gave no tax yet, so that the cumulative share would be 2 cents of tax on 1 of money.
def test_a_credit_never_holds_more_tax_than_money() -> None:
    lines: tuple[BilledLine, ...] = (billed("BASE", 1, 5, 10_000, "time", 1),)
    for used in (26, 27):
        lines = after(lines, credit_unused(lines, used, 31, {}))
    draft = credit_amount(lines, 1)
    assert (draft.total, draft.tax_total) == (1, 1)


def test_an_article_that_is_not_credited_by_units_is_refused() -> None:
    for article in ("CRATE", "FREIGHT", "BASE"):
        with pytest.raises(Invalid, match="no line of the invoice credits this article"):
            credit_unused(INVOICE, 11, 30, {article: 1})


def test_more_unshipped_units_than_are_left_are_refused_with_what_is_possible() -> None:
    once = after(INVOICE, credit_unused(INVOICE, 11, 30, {"BOX": 1}))
    with pytest.raises(CreditExceedsLine, match="2 units of 'BOX' are more than the 1 that are left") as refused:
        credit_unused(once, 11, 30, {"BOX": 2})
    assert refused.value.facts == {"requested": 2, "possible": 1}


def test_a_negative_number_of_units_is_refused() -> None:
    with pytest.raises(Invalid, match="-1 units"):
        credit_unused(INVOICE, 11, 30, {"BOX": -1})


def test_units_of_an_article_on_two_lines_are_taken_in_line_order() -> None:
    more = replace(BOX, line_id=UUID(int=9), position=9)
    draft = credit_unused([BOX, more], 11, 30, {"BOX": 3})
    assert [(c.line_id.int, c.quantity, c.amount) for c in draft.lines] == [(2, 2, 1490), (9, 1, 745)]


def test_days_outside_the_period_are_refused() -> None:
    with pytest.raises(Invalid, match="31 of 30"):
        credit_unused(INVOICE, 31, 30, {})


def test_two_boxes_credited_one_by_one_empty_the_line_and_its_tax() -> None:
    first = credit_quantities([BOX], {BOX.line_id: 1})
    second = credit_quantities(after((BOX,), first), {BOX.line_id: 1})
    assert [(d.total, d.tax_total) for d in (first, second)] == [(745, 80), (745, 80)]


# A line of 10.00 for 3 units, as a discount may leave it.
def test_units_of_a_line_that_does_not_divide_credit_in_the_order_they_come() -> None:
    line = replace(BOX, quantity=3, amount=1000, tax_amount=107)
    amounts = []
    for _ in range(3):
        draft = credit_quantities([line], {line.line_id: 1})
        amounts.append((draft.total, draft.tax_total))
        line = after((line,), draft)[0]
    assert amounts == [(333, 36), (334, 35), (333, 36)]


def test_units_of_an_unknown_line_and_too_many_units_are_refused() -> None:
    with pytest.raises(Invalid, match="has no line"):
        credit_quantities(INVOICE, {UUID(int=99): 1})
    with pytest.raises(CreditExceedsLine, match="more than the 2 that are left"):
        credit_quantities(INVOICE, {BOX.line_id: 3})


def test_no_units_make_no_line() -> None:
    assert credit_quantities(INVOICE, {BOX.line_id: 0}).lines == ()


def test_stacked_refunds_of_one_line_follow_the_cumulative_share_of_its_tax() -> None:
    line = billed("ONE", 1, 62, 1900, "none", 1, tax_amount=10)
    splits = []
    for amount in (32, 9, 8, 3, 6, 3, 1):
        draft = credit_amount([line], amount)
        splits.append((draft.total - draft.tax_total, draft.tax_total))
        line = after((line,), draft)[0]
    assert splits == [(27, 5), (7, 2), (7, 1), (3, 0), (5, 1), (2, 1), (1, 0)]
    assert (line.left_amount, line.left_tax) == (0, 0)


def test_a_refund_by_amount_is_split_over_what_is_left_of_each_line() -> None:
    draft = credit_amount(INVOICE, 1000)
    assert [(c.article_number, c.amount) for c in draft.lines] == [("BASE", 501), ("BOX", 375), ("FREIGHT", 124)]
    assert all(c.by == "amount" and c.quantity == 0 for c in draft.lines)


def test_a_refund_beyond_what_is_left_is_refused_with_the_figures() -> None:
    once = after(INVOICE, credit_amount(INVOICE, 3000))
    with pytest.raises(RefundExceedsCapture, match="971 is more than the 970 minor units") as refused:
        credit_amount(once, 971)
    assert refused.value.facts == {"requested": 971, "possible": 970}


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_of_nothing_is_refused(amount: int) -> None:
    with pytest.raises(Invalid, match="gives nothing back"):
        credit_amount(INVOICE, amount)


def test_a_withdrawal_credits_every_line_whole_freight_included() -> None:
    draft = credit_whole(INVOICE)
    assert (draft.total, draft.tax_total) == (3970, 656)
    assert [(c.quantity, c.by) for c in draft.lines] == [(1, "whole"), (2, "whole"), (1, "whole")]


def test_a_whole_credit_after_a_partial_one_takes_exactly_the_rest() -> None:
    once = after(INVOICE, credit_unused(INVOICE, 11, 30, {"BOX": 1}))
    rest = credit_whole(once)
    assert (rest.total, rest.tax_total) == (3970 - 2005, 656 - 332)
    assert credit_whole(after(once, rest)).lines == ()


LINES = st.lists(
    st.builds(
        billed,
        article=st.sampled_from(["A", "B"]),
        quantity=st.integers(1, 5),
        unit_amount=st.integers(0, 3000),
        tax_rate=st.sampled_from([0, 600, 1200, 1900, 2500, 10_000]),
        rule=st.sampled_from(["time", "quantity", "none"]),
        number=st.integers(1, 1000),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda line: line.line_id,
).map(tuple)


def assert_within_caps(lines: tuple[BilledLine, ...], draft: CreditDraft) -> None:
    for credit in draft.lines:
        assert 0 <= credit.tax_amount <= credit.amount
    for line in lines:
        assert 0 <= line.left_tax <= line.left_amount
        assert 0 <= line.left_quantity <= line.quantity


@settings(max_examples=100, deadline=None)
@given(LINES, st.lists(st.integers(1, 5000), max_size=12))
def test_stacked_refunds_sum_and_never_pass_a_cap_of_money_or_tax(
    lines: tuple[BilledLine, ...], amounts: list[int]
) -> None:
    whole, tax = sum(line.amount for line in lines), sum(line.tax_amount for line in lines)
    paid_out = []
    for wanted in amounts:
        amount = min(wanted, sum(line.left_amount for line in lines))
        if amount:
            paid_out.append(credit_amount(lines, amount))
            lines = after(lines, paid_out[-1])
            assert paid_out[-1].total == amount
            assert_within_caps(lines, paid_out[-1])
    rest = credit_whole(lines)
    assert sum(d.total for d in paid_out) + rest.total == whole
    assert sum(d.tax_total for d in paid_out) + rest.tax_total == tax


def test_one_cent_refunds_empty_three_lines_without_ever_taking_a_cent_back() -> None:
    lines: tuple[BilledLine, ...] = (
        billed("A", 1, 33, 2500, "none", 1),
        billed("B", 1, 21, 1200, "none", 2),
        billed("C", 1, 9, 600, "none", 3),
    )
    for _ in range(63):
        draft = credit_amount(lines, 1)
        assert [(c.amount, c.tax_amount in (0, 1)) for c in draft.lines] == [(1, True)]
        lines = after(lines, draft)
    assert [(line.left_amount, line.left_tax) for line in lines] == [(0, 0)] * 3


def some_credit(lines: tuple[BilledLine, ...], data: st.DataObject) -> CreditDraft:
    """One credit of any kind that these lines still allow."""
    kind = data.draw(st.sampled_from(["time", "units", "amount"]))
    if kind == "time":
        return credit_unused(lines, data.draw(st.integers(0, 31)), 31, {})
    if kind == "units":
        return credit_quantities(lines, {n.line_id: data.draw(st.integers(0, n.left_quantity)) for n in lines})
    left = sum(line.left_amount for line in lines)
    return credit_amount(lines, data.draw(st.integers(1, left))) if left else CreditDraft(())


@settings(max_examples=150, deadline=None)
@given(LINES, st.data())
def test_credits_of_all_kinds_stack_in_any_order_and_the_last_empties_all(
    lines: tuple[BilledLine, ...], data: st.DataObject
) -> None:
    for _ in range(data.draw(st.integers(1, 5))):
        draft = some_credit(lines, data)
        lines = after(lines, draft)
        assert_within_caps(lines, draft)
    lines = after(lines, credit_whole(lines))
    assert all((line.left_amount, line.left_tax) == (0, 0) for line in lines)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 10**6), st.sampled_from([0, 600, 1900, 2500]), st.integers(1, 366), st.data())
def test_a_first_time_credit_and_the_share_kept_sum_to_the_line(
    amount: int, rate: int, of_days: int, data: st.DataObject
) -> None:
    line = billed("BASE", 1, amount, rate, "time", 1)
    used = data.draw(st.integers(0, of_days))
    kept = line.amount - credit_unused([line], used, of_days, {}).total
    tax_kept = line.tax_amount - credit_unused([line], used, of_days, {}).tax_total
    assert abs(kept * of_days - line.amount * used) * 2 <= of_days
    assert abs(tax_kept * of_days - line.tax_amount * used) * 2 <= of_days or kept == line.amount
