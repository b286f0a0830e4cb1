"""What a credit does in which order, and credits of lines with days of their own or below 0 (rules, section 5)."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from billing.domain.credits import (
    BilledLine,
    GiveAs,
    Settled,
    credit_amount,
    credit_effect,
    credit_from,
    credit_quantities,
    credit_unused,
    credit_whole,
)
from billing.domain.errors import CreditExceedsLine, Invalid, RefundExceedsCapture
from billing.domain.ledger import CreditEffect

START, END = date(2027, 3, 31), date(2027, 4, 30)
BASE = BilledLine(
    UUID(int=1), 1, "BASE", "Base", 1, 1990, 1990, 398, 2500, "time", "time", 0, 0, 0, starts_on=START, ends_on=END
)
# The upgrade of the rules, section 4: 19 days of the old plan taken back, 19 of the new one charged.
OLD = replace(BASE, unit_amount=2990, amount=2990, tax_amount=598)
TAKEN_BACK = replace(OLD, line_id=UUID(int=2), amount=-1894, tax_amount=-379, starts_on=date(2027, 4, 11))
CHARGED = replace(OLD, line_id=UUID(int=3), amount=3160, tax_amount=632, starts_on=date(2027, 4, 11))


def settled(due: int = 0, captured: int = 0, otherwise: int = 0, given: int = 0, lost: int = 0) -> Settled:
    return Settled(due, captured, otherwise, given, lost, refundable=max(0, captured - given - lost))


@pytest.mark.parametrize(
    ("total", "so_far", "give_as", "effect"),
    [
        (500, settled(due=3970), GiveAs.REFUND, CreditEffect(500, 0, 0)),
        (500, settled(captured=3970), GiveAs.REFUND, CreditEffect(0, 0, 500)),
        (500, settled(captured=3970), GiveAs.BALANCE, CreditEffect(0, 500, 0)),
        (500, settled(due=200, captured=3770), GiveAs.REFUND, CreditEffect(200, 0, 300)),
        (3970, settled(captured=2970, otherwise=1000), GiveAs.REFUND, CreditEffect(0, 1000, 2970)),
        (2970, settled(captured=3970, lost=1000), GiveAs.REFUND, CreditEffect(0, 0, 2970)),
    ],
)
def test_a_credit_lowers_what_is_open_first_and_then_gives_back(
    total: int, so_far: Settled, give_as: GiveAs, effect: CreditEffect
) -> None:
    assert credit_effect(total, so_far, give_as) == effect


@pytest.mark.parametrize(
    ("total", "so_far"),
    [(3971, settled(captured=3970)), (2971, settled(captured=3970, lost=1000)), (1, settled(captured=10, given=10))],
)
def test_no_more_is_given_than_was_paid_and_is_left(total: int, so_far: Settled) -> None:
    with pytest.raises(RefundExceedsCapture, match=f"{total} is more than the {so_far.possible} minor") as refused:
        credit_effect(total, so_far, GiveAs.BALANCE)
    assert refused.value.facts == {"requested": total, "possible": so_far.possible}


# Mar 31        Apr 11                Apr 30
# |-- 11 used --|---- 19 credited ----|
def test_a_line_is_credited_over_its_own_days() -> None:
    draft = credit_from([BASE, CHARGED], date(2027, 4, 21), {})
    base, charged = draft.lines
    assert (base.amount, base.derivation.split(":")[0]) == (1990 - 1393, "9 of 30 days unused")
    assert (charged.amount, charged.derivation.split(":")[0]) == (3160 - 1663, "9 of 19 days unused")


@pytest.mark.parametrize(("on", "total"), [(date(2027, 1, 1), 1990), (START, 1990), (END, 0), (date(2028, 1, 1), 0)])
def test_a_day_outside_a_line_credits_all_of_it_or_nothing(on: date, total: int) -> None:
    assert credit_from([BASE], on, {}).total == total


@pytest.mark.parametrize(("day", "total"), [(date(2027, 4, 11), 0), (date(2027, 4, 20), 0), (date(2027, 4, 10), 99)])
def test_days_that_a_later_change_took_back_are_not_credited_again(day: date, total: int) -> None:
    adjusted = replace(OLD, adjusted_amount=1894, adjusted_tax=379)
    assert credit_from([adjusted], day, {}).total == total


def test_a_line_below_0_is_never_credited_by_time_but_taken_back_with_the_whole() -> None:
    assert [line.amount for line in credit_from([TAKEN_BACK, CHARGED], date(2027, 4, 11), {}).lines] == [3160]
    whole = credit_whole([TAKEN_BACK, CHARGED])
    assert (whole.total, whole.tax_total) == (1266, 253)
    assert [(line.amount, line.tax_amount) for line in whole.lines] == [(-1894, -379), (3160, 632)]


def test_amounts_of_an_invoice_with_a_line_below_0_stack_and_the_last_one_empties_it() -> None:
    lines: tuple[BilledLine, ...] = (TAKEN_BACK, CHARGED)
    totals = []
    for amount in (500, 1, 700, 65):
        draft = credit_amount(lines, amount)
        totals.append((draft.total, draft.tax_total))
        given = {line.line_id: line for line in draft.lines}
        lines = tuple(
            replace(
                line,
                credited_amount=line.credited_amount + (given[line.line_id].amount if line.line_id in given else 0),
                credited_tax=line.credited_tax + (given[line.line_id].tax_amount if line.line_id in given else 0),
            )
            for line in lines
        )
    assert [total for total, _ in totals] == [500, 1, 700, 65]
    assert sum(tax for _, tax in totals) == 253
    assert [(line.left_amount, line.left_tax) for line in lines] == [(0, 0), (0, 0)]


BOX = replace(BASE, line_id=UUID(int=4), article_number="BOX", quantity=2, amount=1490, tax_amount=160)
BOXES = replace(BOX, unit_amount=745, tax_rate=1200, credit_rule="quantity")


def test_a_cancel_on_a_day_credits_unshipped_units_beside_the_days() -> None:
    draft = credit_from([BASE, BOXES], date(2027, 4, 11), {"BOX": 1})
    assert [(line.article_number, line.amount, line.quantity) for line in draft.lines] == [
        ("BASE", 1260, 0),
        ("BOX", 745, 1),
    ]


def test_a_line_of_one_day_and_one_cent_is_credited_and_a_line_of_no_day_is_not() -> None:
    cent = replace(BASE, amount=1, tax_amount=0, ends_on=date(2027, 4, 1))
    assert credit_from([cent], START, {}).total == 1
    assert credit_from([replace(BASE, ends_on=START)], START, {}).total == 0


def test_what_a_later_change_took_is_said_and_takes_its_tax_along() -> None:
    adjusted = replace(OLD, adjusted_amount=1894, adjusted_tax=379)
    (line,) = credit_from([adjusted], date(2027, 4, 10), {}).lines
    assert line.derivation == "20 of 30 days unused: 2990 - 997 = 1993, of which a later change took 1894"
    # A day whose share holds no tax of its own gets none, though the line has some left.
    low = replace(OLD, amount=10_000, tax_amount=2, adjusted_amount=6333, adjusted_tax=1)
    assert [(c.amount, c.tax_amount) for c in credit_from([low], date(2027, 4, 10), {}).lines] == [(334, 0)]


def test_a_part_of_a_line_that_a_change_lowered_holds_the_cumulative_share_of_its_tax() -> None:
    adjusted = replace(OLD, adjusted_amount=1894, adjusted_tax=379)
    assert (credit_amount([adjusted], 548).total, credit_amount([adjusted], 548).tax_total) == (548, 109)


def test_a_line_below_0_that_a_change_lowered_is_taken_back_for_the_rest() -> None:
    lowered = replace(TAKEN_BACK, adjusted_amount=-894, adjusted_tax=-179)
    (line,) = credit_whole([lowered]).lines
    assert (line.amount, line.tax_amount, line.quantity, line.by) == (-1000, -200, 1, "whole")
    assert line.derivation == "all that earlier credits left"


def test_a_credit_line_names_its_article_and_what_it_took() -> None:
    (whole,) = credit_whole([BASE]).lines
    assert (whole.name, whole.derivation) == ("Base", "the whole line")
    (part,) = credit_amount([BASE], 1000).lines
    assert part.derivation == "1000 of 1990 left"
    (rest,) = credit_whole([replace(BASE, credited_amount=1000, credited_tax=200)]).lines
    assert (rest.amount, rest.derivation) == (990, "all that earlier credits left")


def test_a_credit_that_takes_just_what_is_left_has_nothing_to_add() -> None:
    assert credit_from([BASE], START, {}).lines[0].derivation == "30 of 30 days unused: 1990 - 0 = 1990"
    assert credit_quantities([BOXES], {BOXES.line_id: 2}).lines[0].derivation == "2 of 2 units: 1490"


def test_units_of_a_line_with_less_left_say_what_is_left() -> None:
    lowered = replace(BOXES, credited_amount=1000, credited_tax=107)
    (line,) = credit_quantities([lowered], {BOXES.line_id: 2}).lines
    assert (line.amount, line.derivation) == (490, "2 of 2 units: 1490, of which 490 is left")


def test_a_refused_credit_names_its_field_and_article() -> None:
    with pytest.raises(Invalid, match="has no line") as no_line:
        credit_quantities([BASE], {UUID(int=99): 1})
    with pytest.raises(Invalid, match="gives nothing back") as nothing:
        credit_amount([BASE], 0)
    with pytest.raises(Invalid, match="credits this article") as by_time:
        credit_unused([BASE], 1, 30, {"BASE": 1})
    assert [error.value.where for error in (no_line, nothing, by_time)] == ["lines", "amount", "unshipped"]
    with pytest.raises(CreditExceedsLine, match="3 units of 'BOX'"):
        credit_quantities([BOXES], {BOXES.line_id: 3})
