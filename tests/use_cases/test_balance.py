"""A customer's balance: granted, taken back, used by the next invoice, never below 0."""

from datetime import UTC, datetime
from threading import Thread

import pytest
from books import account_sums, assert_books_agree, held
from factories import Shop
from reading import invoices

from billing.domain.errors import BalanceTooLow, Invalid, NotFound, RefundExceedsCapture
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.use_cases.adjust_balance import adjust_balance, balance_entries, balance_of
from billing.use_cases.credit_invoice import CreditBy, NewCredit, credit_invoice
from billing.use_cases.look_up import Slice
from billing.use_cases.refund import NewRefund, refund

CAPTURE, REFUND = OperationKind.CAPTURE, OperationKind.REFUND


def change(shop: Shop, customer_id, amount: int, reason: str = "late parcel"):
    return adjust_balance(shop.database, shop.ids, shop.clock.now(), customer_id, Money(amount, "SEK"), reason)


def test_what_is_granted_and_taken_back_is_the_balance_and_stands_in_the_ledger(shop: Shop) -> None:
    customer = shop.customer()
    assert change(shop, customer, 500).balance == 500
    assert change(shop, customer, -200, "a mistake").balance == 300
    assert balance_of(shop.database, customer) == {"SEK": 300}
    page = balance_entries(shop.database, Slice(), customer)
    assert [(row.amount, row.reason) for row in page.rows] == [(500, "late parcel"), (-200, "a mistake")]
    assert account_sums(shop) == {"revenue": 300, "customer_balance": -300}


def test_no_more_is_taken_back_than_is_there(shop: Shop) -> None:
    customer = shop.customer()
    change(shop, customer, 500)
    with pytest.raises(BalanceTooLow) as refused:
        change(shop, customer, -501)
    assert refused.value.facts == {"requested": 501, "possible": 500}
    assert held(shop) == 500


def test_a_change_of_nothing_and_an_unknown_customer_are_refused(shop: Shop) -> None:
    with pytest.raises(Invalid):
        change(shop, shop.customer(), 0)
    for read in (balance_of, lambda database, id_: balance_entries(database, Slice(), id_)):
        with pytest.raises(NotFound):
            read(shop.database, shop.ids.new())
    with pytest.raises(NotFound):
        change(shop, shop.ids.new(), 1)


def test_of_twenty_that_take_60_percent_at_once_one_does(shop: Shop) -> None:
    customer = shop.customer()
    change(shop, customer, 1000)
    outcomes: list[str] = []

    def ask() -> None:
        try:
            change(shop, customer, -600)
            outcomes.append("taken")
        except BalanceTooLow:
            outcomes.append("refused")

    threads = [Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 19 + ["taken"]
    assert held(shop) == 400


def with_balance(shop: Shop, amount: int):
    """An invoice of 39.70 of which the balance pays a part, captured."""
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    made = shop.subscription()
    change(shop, made.customer_id, amount)
    shop.tick()
    shop.after(minutes=31)
    return made


def test_the_balance_pays_first_and_the_provider_takes_the_rest(shop: Shop) -> None:
    with_balance(shop, 1000)
    (invoice,) = invoices(shop)
    assert (invoice.status, invoice.balance_used, invoice.captured) == ("paid", 1000, 2970)
    assert [sum(line.amount for line in order.lines) for order in shop.gateway.prepared] == [2970, 2970]
    assert shop.gateway.prepared[0].lines[-1].reference == "BALANCE"
    assert_books_agree(shop)


def test_a_refund_of_what_the_balance_paid_goes_back_to_the_balance(shop: Shop) -> None:
    with_balance(shop, 1000)
    (invoice,) = invoices(shop)
    credit_invoice(shop.database, shop.ids, shop.clock.now(), NewCredit(invoice.id, "gone", CreditBy.WITHDRAWAL))
    shop.tick()
    assert [call.amount for call in shop.gateway.effects_of(REFUND)] == [2970]
    assert held(shop) == 1000
    assert_books_agree(shop)


def test_a_plain_refund_never_exceeds_what_was_captured(shop: Shop) -> None:
    with_balance(shop, 1000)
    with pytest.raises(RefundExceedsCapture) as refused:
        refund(shop.database, shop.ids, shop.clock.now(), NewRefund(invoices(shop)[0].id, "goodwill"))
    assert refused.value.facts == {"requested": 3970, "possible": 2970}
