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
    credit_whole,
)
from billing.domain.errors import RefundExceedsCapture
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
    with pytest.raises(RefundExceedsCapture) as refused:
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
