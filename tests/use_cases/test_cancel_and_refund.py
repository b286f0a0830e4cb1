"""Ending a subscription and giving money back: what is credited, what is voided, what the gate decides."""

from datetime import UTC, datetime
from threading import Thread

import pytest
from factories import NumberOn, Shop
from fakes.gateway import TakenButLost
from reading import credit_lines, credit_notes, entries, event_types, invoices, operations, periods, subscription
from sqlmodel import select

from billing.domain.errors import (
    Conflict,
    CreditExceedsLine,
    CurrencyMismatch,
    RefundExceedsCapture,
    TransitionNotAllowed,
)
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined, Unknown
from billing.store.invoices import InvoiceLine
from billing.use_cases.cancel import CancelAt, CancelRequest, CreditPolicy, cancel, preview_cancel
from billing.use_cases.refund import NewRefund, refund
from billing.use_cases.renew import renew
from billing.use_cases.sending import nothing

REFUND_ALL = CancelRequest(CancelAt.NOW, CreditPolicy.REFUND)
PURCHASE, CAPTURE, VOID, REFUND = (
    OperationKind.PURCHASE,
    OperationKind.CAPTURE,
    OperationKind.VOID,
    OperationKind.REFUND,
)


def paid_in_april(shop: Shop):
    """The worked example: a period of 30 days from 2028-03-31, paid."""
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    made = shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    return made


def test_canceling_after_11_of_30_days_credits_19_days_and_one_unshipped_box(shop: Shop) -> None:
    # Mar 31        Apr 11                Apr 30
    # |-- 11 used --|---- 19 credited ----|
    made = paid_in_april(shop)
    shop.clock.set(datetime(2028, 4, 11, 10, tzinfo=UTC))
    request = CancelRequest(CancelAt.NOW, CreditPolicy.REFUND, {"BOX": 1})
    shown = preview_cancel(shop.database, shop.clock.now(), made.id, request)
    done = cancel(shop.database, shop.ids, shop.clock.now(), made.id, request)
    assert shown.credit == done.credit
    assert [(line.article_number, line.amount, line.tax_amount) for line in credit_lines(shop)] == [
        ("BASE", 1260, 252),
        ("BOX", 745, 80),
    ]
    shop.tick()
    (invoice,) = invoices(shop)
    assert (invoice.credited, invoice.refunded) == (2005, 2005)
    assert credit_notes(shop)[0].refunded_at == shop.clock.now()
    assert [call.amount for call in shop.gateway.effects_of(REFUND)] == [2005]
    assert subscription(shop, made.id).end_reason == "canceled"


def test_the_refund_leaves_nothing_owed_and_the_books_at_zero(shop: Shop) -> None:
    made = paid_in_april(shop)
    shop.clock.set(datetime(2028, 4, 11, 10, tzinfo=UTC))
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, REFUND_ALL)
    shop.tick()
    sums: dict[str, int] = {}
    for _, account, _, amount in entries(shop):
        sums[account] = sums.get(account, 0) + amount
    assert sum(sums.values()) == 0
    assert (sums["receivable"], sums["refund_payable"], sums["provider_clearing"]) == (0, 0, 3970 - 1260)


def test_a_preview_changes_nothing(shop: Shop) -> None:
    made = paid_in_april(shop)
    before = event_types(shop)
    preview_cancel(shop.database, shop.clock.now(), made.id, REFUND_ALL)
    assert event_types(shop) == before
    assert subscription(shop, made.id).status == "active"


def test_cancel_at_period_end_lets_the_period_run_and_opens_no_other(shop: Shop) -> None:
    made = paid_in_april(shop)
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.PERIOD_END))
    assert subscription(shop, made.id).status == "active"
    shop.at(datetime(2028, 4, 30, 12, tzinfo=UTC))
    ended = subscription(shop, made.id)
    assert (ended.status, ended.end_reason, len(periods(shop, made.id))) == ("ended", "canceled", 1)


def test_a_cancel_before_the_gate_means_no_purchase(shop: Shop) -> None:
    made = shop.subscription()

    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, REFUND_ALL)
    shop.tick()
    assert not shop.gateway.calls
    (purchase,) = operations(shop)
    assert (purchase.status, purchase.standing, invoices(shop)[0].status) == ("dropped", "dead", "void")


def test_a_cancel_before_the_capture_gives_the_authorization_back(shop: Shop) -> None:
    made = shop.subscription()
    shop.tick()
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, REFUND_ALL)
    shop.after(hours=1)
    assert [call.kind for call in shop.gateway.effects] == [PURCHASE, VOID]
    assert operations(shop, "purchase")[0].authorization == "voided"
    assert invoices(shop)[0].status == "void"


def test_a_charge_that_turns_out_taken_after_the_cancel_is_voided_and_never_captured(shop: Shop) -> None:

    shop.gateway.answer(PURCHASE, TakenButLost())
    made = shop.subscription()
    shop.tick()
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, REFUND_ALL)
    shop.after(seconds=5)
    shop.after(hours=1)
    assert [call.kind for call in shop.gateway.effects] == [PURCHASE, VOID]


def test_a_cancel_during_dunning_drops_the_next_attempt(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft"))
    made = shop.subscription()
    shop.tick()
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, REFUND_ALL)
    shop.after(days=30)
    assert len(shop.gateway.calls) == 1
    assert invoices(shop)[0].status == "void"


def test_a_numbered_invoice_that_is_voided_keeps_its_number_and_reverses_its_books(shop: Shop) -> None:

    shop.gateway.always(PURCHASE, Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft"))
    made = shop.subscription(price_id=shop.price(number_on=NumberOn.OPEN))
    shop.tick()
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, REFUND_ALL)
    assert invoices(shop)[0].number == 1
    booked: dict[tuple[str, str], int] = {}
    for _, account, detail, amount in entries(shop):
        booked[account, detail] = booked.get((account, detail), 0) + amount
    assert set(booked.values()) == {0}


def test_a_cancel_is_refused_while_a_capture_may_be_under_way(shop: Shop) -> None:
    shop.gateway.always(CAPTURE, Unknown(Answer(message="silence")))
    made = shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    with pytest.raises(Conflict, match="under way"):
        cancel(shop.database, shop.ids, shop.clock.now(), made.id, REFUND_ALL)
    assert subscription(shop, made.id).status == "active"


def test_an_ended_subscription_cannot_be_canceled_again(shop: Shop) -> None:
    made = paid_in_april(shop)
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, REFUND_ALL)
    with pytest.raises(TransitionNotAllowed, match="ended"):
        cancel(shop.database, shop.ids, shop.clock.now(), made.id, REFUND_ALL)


def test_more_boxes_than_were_billed_cannot_be_credited(shop: Shop) -> None:
    made = paid_in_april(shop)
    too_many = CancelRequest(CancelAt.NOW, CreditPolicy.REFUND, {"BOX": 3})
    with pytest.raises(CreditExceedsLine):
        cancel(shop.database, shop.ids, shop.clock.now(), made.id, too_many)
    assert subscription(shop, made.id).status == "active"
    assert not credit_notes(shop)


def give_back(shop: Shop, **what: object):
    return refund(shop.database, shop.ids, shop.clock.now(), NewRefund(invoices(shop)[0].id, "goodwill", **what))


def test_refunds_by_line_by_amount_and_of_the_rest_add_up_to_what_was_captured(shop: Shop) -> None:
    paid_in_april(shop)
    with shop.database.tx() as session:
        box = session.exec(select(InvoiceLine).where(InvoiceLine.article_number == "BOX")).one()
    give_back(shop, units={box.id: 1})
    give_back(shop, amount=Money(1001, "SEK"))
    give_back(shop)
    shop.tick()
    assert [call.amount for call in shop.gateway.effects_of(REFUND)] == [745, 1001, 3970 - 745 - 1001]
    (invoice,) = invoices(shop)
    assert (invoice.credited, invoice.refunded) == (3970, 3970)
    assert sum(note.tax_total for note in credit_notes(shop)) == invoice.tax_total
    assert [note.number for note in credit_notes(shop)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("amount", "error"), [(Money(3971, "SEK"), RefundExceedsCapture), (Money(100, "EUR"), CurrencyMismatch)]
)
def test_an_impossible_refund_is_refused_and_writes_nothing(shop: Shop, amount: Money, error: type[Exception]) -> None:
    paid_in_april(shop)
    with pytest.raises(error):
        give_back(shop, amount=amount)
    assert not credit_notes(shop)
    assert not operations(shop, "refund")


def test_nothing_is_refunded_before_it_was_captured(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    with pytest.raises(Conflict, match="captured"):
        give_back(shop)


def test_of_parallel_refunds_of_60_percent_one_succeeds(shop: Shop) -> None:
    paid_in_april(shop)
    outcomes: list[str] = []

    def ask() -> None:
        try:
            give_back(shop, amount=Money(2382, "SEK"))
            outcomes.append("granted")
        except RefundExceedsCapture:
            outcomes.append("refused")

    threads = [Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["granted"] + ["refused"] * 19
    assert invoices(shop)[0].credited == 2382
