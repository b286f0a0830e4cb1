"""Disputes: while one is open no money of the invoice moves; what is lost can be refunded no more."""

from datetime import timedelta

import pytest
from books import account_sums, assert_books_agree, the_invoice
from factories import Shop
from reading import credit_notes, operations

from billing.domain.errors import (
    AlreadyExists,
    BillingError,
    CurrencyMismatch,
    DisputeExceedsCapture,
    NotFound,
    RefundExceedsCapture,
    TransitionNotAllowed,
    UnderDispute,
)
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.store.payments import DisputeStatus
from billing.use_cases.dispute import NewDispute, close_dispute, open_dispute
from billing.use_cases.refund import NewRefund, refund

REFUND = OperationKind.REFUND


def paid(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)


def dispute(shop: Shop, amount: int, currency: str = "SEK"):
    new = NewDispute(Money(amount, currency), "case 17")
    return open_dispute(shop.database, shop.ids, shop.clock.now(), the_invoice(shop).id, new)


def close(shop: Shop, opened, outcome: DisputeStatus):
    return close_dispute(shop.database, shop.ids, shop.clock.now(), opened.invoice_id, opened.id, outcome)


def give_back(shop: Shop, amount: int):
    new = NewRefund(the_invoice(shop).id, "goodwill", amount=Money(amount, "SEK"))
    return refund(shop.database, shop.ids, shop.clock.now(), new)


def test_while_a_dispute_is_open_nothing_is_credited_back(shop: Shop) -> None:
    paid(shop)
    dispute(shop, 1000)
    with pytest.raises(UnderDispute, match="1000"):
        give_back(shop, 1)
    assert not credit_notes(shop)
    assert account_sums(shop)["disputes"] == 1000
    assert_books_agree(shop)


def test_a_refund_planned_before_the_dispute_waits_for_its_end(shop: Shop) -> None:
    paid(shop)
    give_back(shop, 500)
    opened = dispute(shop, 1000)
    shop.after(days=2)
    assert not shop.gateway.calls_of(REFUND)
    close(shop, opened, DisputeStatus.WON)
    shop.tick()
    assert [call.amount for call in shop.gateway.effects_of(REFUND)] == [500]
    assert "disputes" not in account_sums(shop)
    assert_books_agree(shop)


def test_what_a_dispute_took_can_be_refunded_no_more(shop: Shop) -> None:
    paid(shop)
    close(shop, dispute(shop, 1000), DisputeStatus.LOST)
    assert the_invoice(shop).disputed == 1000
    with pytest.raises(RefundExceedsCapture) as refused:
        give_back(shop, 2971)
    assert refused.value.facts == {"requested": 2971, "possible": 2970}
    give_back(shop, 2970)
    shop.tick()
    assert (the_invoice(shop).refunded, account_sums(shop)["bad_debt"]) == (2970, 1000)
    assert_books_agree(shop)


def test_no_more_is_disputed_than_is_captured_and_not_refunded(shop: Shop) -> None:
    paid(shop)
    give_back(shop, 3000)
    shop.tick()
    with pytest.raises(DisputeExceedsCapture) as refused:
        dispute(shop, 971)
    assert refused.value.facts == {"requested": 971, "possible": 970}
    close(shop, dispute(shop, 900), DisputeStatus.LOST)
    with pytest.raises(DisputeExceedsCapture):
        dispute(shop, 71)


def test_a_dispute_before_the_capture_is_refused(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    with pytest.raises(DisputeExceedsCapture):
        dispute(shop, 1)


@pytest.mark.parametrize(
    ("amount", "currency", "error"), [(0, "SEK", DisputeExceedsCapture), (1, "EUR", CurrencyMismatch)]
)
def test_an_impossible_dispute_is_refused_and_changes_nothing(
    shop: Shop, amount: int, currency: str, error: type[BillingError]
) -> None:
    paid(shop)
    with pytest.raises(error):
        dispute(shop, amount, currency)
    assert the_invoice(shop).held_because is None


def test_a_second_dispute_waits_for_the_first_and_a_decided_one_is_final(shop: Shop) -> None:
    paid(shop)
    opened = dispute(shop, 1000)
    with pytest.raises(AlreadyExists):
        dispute(shop, 1000)
    close(shop, opened, DisputeStatus.WON)
    with pytest.raises(TransitionNotAllowed, match="won"):
        close(shop, opened, DisputeStatus.LOST)
    assert the_invoice(shop).held_because is None


def test_a_dispute_is_found_over_its_own_invoice_only(shop: Shop) -> None:
    paid(shop)
    opened = dispute(shop, 1000)
    shop.subscription()
    shop.tick()
    with pytest.raises(NotFound):
        close_dispute(shop.database, shop.ids, shop.clock.now(), opened.invoice_id, shop.ids.new(), DisputeStatus.WON)


def test_what_was_put_back_goes_on_at_the_instant_of_the_decision(shop: Shop) -> None:
    paid(shop)
    give_back(shop, 500)
    opened = dispute(shop, 100)
    shop.after(minutes=5)
    (waiting,) = operations(shop, "refund")
    assert waiting.due_at == shop.clock.now() + timedelta(hours=1)
    close(shop, opened, DisputeStatus.LOST)
    assert operations(shop, "refund")[0].due_at == shop.clock.now()
