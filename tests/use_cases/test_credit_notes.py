"""Credit notes: what they credit, in which order they take effect, and what becomes of a refund that is refused."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Thread

import pytest
from books import account_sums, assert_books_agree, held, the_invoice
from factories import BASE_FEE, NumberOn, Shop
from fakes.gateway import TakenButLost
from reading import credit_lines, credit_notes, invoices, operations, subscription
from sqlmodel import select

from billing.domain.credits import GiveAs
from billing.domain.errors import (
    BillingError,
    CreditExceedsLine,
    CurrencyMismatch,
    EmptyInvoice,
    Invalid,
    OutcomeUnknown,
    RefundExceedsCapture,
    TransitionNotAllowed,
)
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined, Refused, Unknown
from billing.store.invoices import InvoiceLine
from billing.store.operations import Operation
from billing.use_cases.credit_invoice import CreditBy, NewCredit, credit_invoice, preview_credit
from billing.use_cases.renew import renew
from billing.use_cases.resolve_credit import ResolveAs, resolve_credit
from billing.use_cases.sending import nothing

PURCHASE, CAPTURE, VOID, REFUND, AMEND = (
    OperationKind.PURCHASE,
    OperationKind.CAPTURE,
    OperationKind.VOID,
    OperationKind.REFUND,
    OperationKind.AMEND,
)
TOTAL, TAX = 3970, 656
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")
REFUSED = Refused(Answer(403, "REFUND_NOT_ALLOWED"))


def started(shop: Shop, **plan: object):
    """The worked example: 39.70 for the 30 days from 2028-03-31, its invoice open."""
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    return shop.subscription(price_id=shop.price(**plan))


def authorized(shop: Shop):
    made = started(shop)
    shop.tick()
    return made


def paid(shop: Shop):
    made = authorized(shop)
    shop.after(minutes=31)
    return made


def credit(shop: Shop, by: CreditBy = CreditBy.AMOUNT, **what: object):
    new = NewCredit(invoices(shop)[0].id, "goodwill", by, **what)
    return credit_invoice(shop.database, shop.ids, shop.clock.now(), new)


def sek(amount: int) -> Money:
    return Money(amount, "SEK")


def line_of(shop: Shop, article: str) -> InvoiceLine:
    with shop.database.tx() as session:
        return session.exec(select(InvoiceLine).where(InvoiceLine.article_number == article)).one()


def effects(shop: Shop) -> list[tuple[int, int, int]]:
    return [(note.effect_open, note.effect_balance, note.effect_refund) for note in credit_notes(shop)]


# Mar 31        Apr 11                Apr 30
# |-- 11 used --|---- 19 credited ----|      and one of two boxes not shipped
def test_a_credit_by_time_is_the_worked_example_with_its_tax(shop: Shop) -> None:
    paid(shop)
    shop.clock.set(datetime(2028, 4, 20, 10, tzinfo=UTC))
    credit(shop, CreditBy.TIME, as_of=date(2028, 4, 11), unshipped={"BOX": 1})
    assert [(line.article_number, line.amount, line.tax_amount) for line in credit_lines(shop)] == [
        ("BASE", 1260, 252),
        ("BOX", 745, 80),
    ]
    (note,) = credit_notes(shop)
    assert (note.total, note.tax_total, note.effect_refund) == (2005, 332, 2005)
    shop.tick()
    assert_books_agree(shop)


def test_a_preview_is_what_is_granted_and_changes_nothing(shop: Shop) -> None:
    paid(shop)
    new = NewCredit(invoices(shop)[0].id, "unused", CreditBy.TIME, as_of=date(2028, 4, 11))
    planned = preview_credit(shop.database, shop.ids, shop.clock.now(), new)
    assert not credit_notes(shop)
    done = credit_invoice(shop.database, shop.ids, shop.clock.now(), new)
    assert (planned.draft.total, planned.effect.refund) == (done.credit_note.total, done.credit_note.effect_refund)


def test_a_withdrawal_gives_back_the_whole_invoice_with_its_freight(shop: Shop) -> None:
    paid(shop)
    credit(shop, CreditBy.WITHDRAWAL)
    assert [line.article_number for line in credit_lines(shop)] == ["BASE", "BOX", "FREIGHT"]
    assert (credit_notes(shop)[0].total, credit_notes(shop)[0].tax_total) == (TOTAL, TAX)
    shop.tick()
    assert account_sums(shop) == {}


def test_stacked_refunds_by_amount_split_their_tax_so_that_the_last_cent_empties_the_line(shop: Shop) -> None:
    # 62 = 52 + 10 at 19 %: refunds of 32, 9, 8, 3, 6, 3 and the last cent.
    item = replace(BASE_FEE, unit_amount=62, tax_rate=1900)
    started(shop, items=(item,))
    shop.tick()
    shop.after(minutes=31)
    for amount in (32, 9, 8, 3, 6, 3, 1):
        credit(shop, amount=sek(amount))
    notes = credit_notes(shop)
    assert [(n.total - n.tax_total, n.tax_total) for n in notes] == [
        (27, 5), (7, 2), (7, 1), (3, 0), (5, 1), (2, 1), (1, 0),
    ]  # fmt: skip
    assert [note.number for note in notes] == [1, 2, 3, 4, 5, 6, 7]
    with pytest.raises(RefundExceedsCapture):
        credit(shop, amount=sek(1))


def test_credits_by_line_by_amount_and_of_the_rest_sum_to_the_invoice(shop: Shop) -> None:
    paid(shop)
    credit(shop, CreditBy.QUANTITY, units={line_of(shop, "BOX").id: 1})
    credit(shop, amount=sek(1001), give_as=GiveAs.BALANCE)
    credit(shop, CreditBy.WHOLE)
    assert effects(shop) == [(0, 0, 745), (0, 1001, 0), (0, 0, TOTAL - 745 - 1001)]
    assert sum(note.tax_total for note in credit_notes(shop)) == TAX
    shop.tick()
    assert held(shop) == 1001
    assert_books_agree(shop)


def test_a_credit_of_an_open_invoice_lowers_the_planned_charge(shop: Shop) -> None:
    started(shop)
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    credit(shop, amount=sek(970))
    assert effects(shop) == [(970, 0, 0)]
    shop.tick()
    shop.after(minutes=31)
    assert [call.amount for call in shop.gateway.effects] == [3000, 3000]
    assert sum(line.amount for line in shop.gateway.prepared[0].lines) == 3000
    assert (the_invoice(shop).status, the_invoice(shop).captured) == ("paid", 3000)
    assert_books_agree(shop)


def test_an_invoice_credited_whole_before_its_charge_is_closed_and_never_charged(shop: Shop) -> None:
    started(shop)
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    credit(shop, CreditBy.WHOLE)
    shop.after(days=3)
    assert not shop.gateway.calls
    assert (the_invoice(shop).status, the_invoice(shop).number) == ("paid", 1)
    assert account_sums(shop) == {}


def test_an_authorization_is_amended_before_the_lower_amount_is_captured(shop: Shop) -> None:
    authorized(shop)
    credit(shop, amount=sek(970))
    shop.after(minutes=31)
    assert [(call.kind, call.amount) for call in shop.gateway.effects] == [
        (PURCHASE, 3970),
        (AMEND, 3000),
        (CAPTURE, 3000),
    ]
    amended = next(order for order in shop.gateway.prepared if order.kind is AMEND)
    assert sum(line.amount for line in amended.lines) == 3000
    assert the_invoice(shop).status == "paid"
    assert_books_agree(shop)


def test_two_credits_in_a_row_make_one_amendment_of_the_rest(shop: Shop) -> None:
    authorized(shop)
    credit(shop, amount=sek(900))
    credit(shop, amount=sek(70))
    shop.after(minutes=31)
    assert [call.amount for call in shop.gateway.effects_of(AMEND)] == [3000]
    assert the_invoice(shop).captured == 3000


def test_nothing_is_captured_while_the_amendment_is_not_known(shop: Shop) -> None:
    shop.gateway.answer(AMEND, Unknown(Answer(message="silence")))
    authorized(shop)
    credit(shop, amount=sek(970))
    shop.tick()
    with pytest.raises(OutcomeUnknown, match="amend"):
        credit(shop, amount=sek(1))
    assert not shop.gateway.effects_of(CAPTURE)
    shop.after(minutes=31)
    assert [call.amount for call in shop.gateway.effects_of(CAPTURE)] == [3000]


def test_an_authorization_of_which_nothing_is_left_is_voided(shop: Shop) -> None:
    authorized(shop)
    credit(shop, CreditBy.WHOLE)
    shop.after(hours=1)
    assert [call.kind for call in shop.gateway.effects] == [PURCHASE, VOID]
    assert the_invoice(shop).status == "paid"
    assert_books_agree(shop)


@pytest.mark.parametrize(("kind", "minutes"), [(PURCHASE, 0), (CAPTURE, 31)])
def test_nothing_open_is_credited_under_a_call_that_may_be_under_way(
    shop: Shop, kind: OperationKind, minutes: int
) -> None:
    shop.gateway.always(kind, Unknown(Answer(message="silence")))
    authorized(shop)
    shop.after(minutes=minutes)
    with pytest.raises(OutcomeUnknown, match="under way"):
        credit(shop, amount=sek(100))
    assert not credit_notes(shop)


def test_an_invoice_in_dunning_that_is_credited_whole_lets_its_subscription_recover(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, SOFT)
    made = authorized(shop)
    assert subscription(shop, made.id).status == "past_due"
    credit(shop, CreditBy.WHOLE)
    assert subscription(shop, made.id).status == "active"
    shop.after(days=2)
    assert len(shop.gateway.calls_of(PURCHASE)) == 1
    assert_books_agree(shop)


def test_a_refused_refund_becomes_balance_by_a_persons_word(shop: Shop) -> None:
    shop.gateway.answer(REFUND, REFUSED)
    paid(shop)
    note = credit(shop, amount=sek(500)).credit_note
    shop.tick()
    resolve_credit(shop.database, shop.ids, shop.clock.now(), note.id, ResolveAs.BALANCE)
    assert (effects(shop), held(shop)) == ([(0, 500, 0)], 500)
    assert_books_agree(shop)
    with pytest.raises(TransitionNotAllowed):
        resolve_credit(shop.database, shop.ids, shop.clock.now(), note.id, ResolveAs.RETRY)


def test_a_refused_refund_is_tried_again_under_another_key(shop: Shop) -> None:
    shop.gateway.answer(REFUND, REFUSED)
    paid(shop)
    note = credit(shop, amount=sek(500)).credit_note
    shop.tick()
    resolve_credit(shop.database, shop.ids, shop.clock.now(), note.id, ResolveAs.RETRY)
    shop.tick()
    first, second = shop.gateway.calls_of(REFUND)
    assert first.key != second.key
    assert the_invoice(shop).refunded == 500
    assert_books_agree(shop)


def test_a_refund_that_may_have_been_paid_out_is_not_decided_about(shop: Shop) -> None:
    shop.gateway.always(REFUND, Unknown(Answer(message="silence")))
    paid(shop)
    note = credit(shop, amount=sek(500)).credit_note
    shop.tick()
    for _ in range(10):
        shop.after(hours=6)
    assert operations(shop, "refund")[0].status == "needs_operator"
    with pytest.raises(OutcomeUnknown, match="paid out"):
        resolve_credit(shop.database, shop.ids, shop.clock.now(), note.id, ResolveAs.RETRY)


def test_a_credit_that_became_balance_can_be_refunded_while_it_is_still_there(shop: Shop) -> None:
    paid(shop)
    note = credit(shop, amount=sek(500), give_as=GiveAs.BALANCE).credit_note
    resolve_credit(shop.database, shop.ids, shop.clock.now(), note.id, ResolveAs.REFUND)
    shop.tick()
    assert (held(shop), the_invoice(shop).refunded, effects(shop)) == (0, 500, [(0, 0, 500)])
    assert_books_agree(shop)


def test_of_twenty_refunds_of_60_percent_at_once_one_is_granted(shop: Shop) -> None:
    paid(shop)
    outcomes: list[str] = []

    def ask() -> None:
        try:
            credit(shop, amount=sek(2382))
            outcomes.append("granted")
        except RefundExceedsCapture:
            outcomes.append("refused")

    threads = [Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["granted"] + ["refused"] * 19
    shop.tick()
    assert the_invoice(shop).refunded == 2382
    assert_books_agree(shop)


IMPOSSIBLE = [
    (CreditBy.AMOUNT, {"amount": sek(3971)}, RefundExceedsCapture),
    (CreditBy.AMOUNT, {"amount": Money(100, "EUR")}, CurrencyMismatch),
    (CreditBy.AMOUNT, {"amount": sek(0)}, Invalid),
    (CreditBy.AMOUNT, {}, Invalid),
    (CreditBy.WHOLE, {"amount": sek(1)}, Invalid),
    (CreditBy.TIME, {"as_of": date(2028, 4, 30)}, EmptyInvoice),
    (CreditBy.TIME, {"as_of": date(2028, 4, 1), "unshipped": {"BOX": 3}}, CreditExceedsLine),
]


@pytest.mark.parametrize(("by", "what", "error"), IMPOSSIBLE)
def test_an_impossible_credit_is_refused_by_name_and_writes_nothing(
    shop: Shop, by: CreditBy, what: dict[str, object], error: type[BillingError]
) -> None:
    paid(shop)
    with pytest.raises(error):
        credit(shop, by, **what)
    assert not credit_notes(shop)
    assert not operations(shop, "refund")


def test_a_late_answer_of_a_refund_is_booked_once(shop: Shop) -> None:
    shop.gateway.answer(REFUND, TakenButLost())
    paid(shop)
    credit(shop, amount=sek(500))
    shop.tick()
    shop.after(minutes=1)
    assert the_invoice(shop).refunded == 500
    assert_books_agree(shop)


def test_a_credit_note_takes_a_number_of_its_own_series_and_numbers_its_invoice(shop: Shop) -> None:
    started(shop, number_on=NumberOn.CAPTURE)
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    assert the_invoice(shop).number is None
    note = credit(shop, amount=sek(10)).credit_note
    assert (note.series_id, note.number, the_invoice(shop).number) == ("credit_note", 1, 1)


def captured_in_parts(shop: Shop) -> None:
    """39.70 authorized and taken in two captures: 10.00 by hand, then the rest."""
    authorized(shop)
    with shop.database.tx() as session:
        capture = session.exec(select(Operation).where(Operation.kind == CAPTURE)).one()
        session.add(
            Operation(
                **{
                    **capture.model_dump(exclude={"id", "n", "amount"}),
                    "id": shop.ids.new(),
                    "n": 2,
                    "amount": capture.amount - 1000,
                    "due_at": capture.due_at + timedelta(minutes=5),
                }
            )
        )
        capture.amount = 1000
    shop.after(minutes=31)
    shop.after(minutes=5)


def test_a_credit_over_two_captures_is_one_refund_of_each_and_never_above_it(shop: Shop) -> None:
    captured_in_parts(shop)
    assert the_invoice(shop).status == "paid"
    credit(shop, amount=sek(700))
    credit(shop, amount=sek(1000))
    shop.tick()
    by_capture = [(op.capture_id, op.amount) for op in operations(shop, "refund")]
    first, second = [op.id for op in operations(shop, "capture")]
    assert by_capture == [(first, 700), (first, 300), (second, 700)]
    with pytest.raises(RefundExceedsCapture):
        credit(shop, amount=sek(TOTAL - 1699))
    credit(shop, CreditBy.WHOLE)
    shop.tick()
    assert the_invoice(shop).refunded == TOTAL
    assert all(note.refunded_at is not None for note in credit_notes(shop))
    assert_books_agree(shop)


def test_crediting_what_is_open_after_a_part_capture_amends_or_releases_the_rest(shop: Shop) -> None:
    authorized(shop)
    with shop.database.tx() as session:
        session.exec(select(Operation).where(Operation.kind == CAPTURE)).one().amount = 1000
    shop.after(minutes=31)
    credit(shop, amount=sek(970))
    shop.tick()
    assert [call.amount for call in shop.gateway.effects_of(AMEND)] == [3000]
    credit(shop, amount=sek(2500))
    shop.tick()
    assert [call.amount for call in shop.gateway.effects_of(OperationKind.RELEASE)] == [2000]
    assert effects(shop) == [(970, 0, 0), (2000, 0, 500)]
    assert (the_invoice(shop).status, operations(shop, "purchase")[0].authorization) == ("paid", "released")
    assert_books_agree(shop)
