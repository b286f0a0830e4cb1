"""Payments made outside: they lower what is due, end dunning, and are never taken twice."""

from datetime import UTC, date, datetime
from threading import Thread

import pytest
from books import account_sums, assert_books_agree, the_invoice
from factories import NumberOn, Shop
from reading import event_types, operations, rows, subscription

from billing.domain.errors import (
    AlreadyExists,
    AuthorizationStands,
    BillingError,
    CurrencyMismatch,
    Invalid,
    NotFound,
    OutcomeUnknown,
    PaymentExceedsDue,
    TransitionNotAllowed,
)
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined, Unknown
from billing.store.payments import OutsidePayment
from billing.use_cases.record_payment import NewPayment, record_payment
from billing.use_cases.write_off import relieve_vat, write_off

PURCHASE, CAPTURE = OperationKind.PURCHASE, OperationKind.CAPTURE
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")
PAID_ON = date(2028, 4, 1)


def declined(shop: Shop, **plan: object):
    """39.70 for the period from 2028-03-31, its first charge declined."""
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    shop.gateway.answer(PURCHASE, SOFT)
    made = shop.subscription(price_id=shop.price(**plan))
    shop.tick()
    shop.after(hours=1)
    return made


def pay(shop: Shop, amount: int, reference: str = "transfer 1", currency: str = "SEK", paid_on: date = PAID_ON):
    new = NewPayment(Money(amount, currency), paid_on, reference)
    return record_payment(shop.database, shop.ids, shop.clock.now(), the_invoice(shop).id, new)


@pytest.mark.parametrize("number_on", list(NumberOn))
def test_a_payment_in_full_pays_the_invoice_and_ends_dunning(shop: Shop, number_on: NumberOn) -> None:
    made = declined(shop, number_on=number_on)
    pay(shop, 3970)
    invoice = the_invoice(shop)
    assert (invoice.status, invoice.paid_outside, invoice.number, invoice.dunning_state) == ("paid", 3970, 1, "none")
    assert subscription(shop, made.id).status == "active"
    told = event_types(shop)
    assert {"invoice.payment_recorded", "invoice.paid", "subscription.recovered"} <= set(told)
    shop.after(days=2)
    assert len(shop.gateway.calls) == 1
    assert account_sums(shop)["bank"] == 3970
    assert_books_agree(shop)


def test_a_payment_in_part_leaves_the_rest_to_the_next_attempt(shop: Shop) -> None:
    declined(shop)
    pay(shop, 970)
    shop.after(days=2)
    assert shop.gateway.calls[-1].amount == 3000
    assert sum(line.amount for line in shop.gateway.prepared[-1].lines) == 3000
    assert [(line.reference, line.amount) for line in shop.gateway.prepared[-1].lines][-1] == ("BALANCE", -970)
    shop.after(minutes=31)
    assert (the_invoice(shop).status, the_invoice(shop).captured) == ("paid", 3000)
    assert_books_agree(shop)


def test_the_same_payment_recorded_again_counts_once(shop: Shop) -> None:
    declined(shop)
    first, again = pay(shop, 970), pay(shop, 970)
    assert (first.payment.id, first.is_new, again.is_new) == (again.payment.id, True, False)
    assert the_invoice(shop).paid_outside == 970
    with pytest.raises(AlreadyExists, match="970 SEK"):
        pay(shop, 971)


def test_a_repeat_after_the_invoice_is_paid_still_finds_its_payment(shop: Shop) -> None:
    declined(shop)
    pay(shop, 3970)
    assert not pay(shop, 3970).is_new


def test_of_twenty_payments_of_60_percent_at_once_one_is_taken(shop: Shop) -> None:
    declined(shop)
    outcomes: list[str] = []

    def ask(number: int) -> None:
        try:
            pay(shop, 2382, f"transfer {number}")
            outcomes.append("taken")
        except PaymentExceedsDue:
            outcomes.append("refused")

    threads = [Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 19 + ["taken"]
    assert the_invoice(shop).paid_outside == 2382


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"amount": 3971}, PaymentExceedsDue),
        ({"amount": 0}, PaymentExceedsDue),
        ({"amount": 10, "currency": "EUR"}, CurrencyMismatch),
        ({"amount": 10, "paid_on": date(2028, 4, 3)}, Invalid),
    ],
)
def test_an_impossible_payment_is_refused_and_writes_nothing(
    shop: Shop, change: dict[str, object], error: type[BillingError]
) -> None:
    declined(shop)
    with pytest.raises(error):
        pay(shop, **change)
    assert not rows(shop, OutsidePayment)
    assert operations(shop)[-1].amount == 3970


def test_no_payment_is_recorded_beside_an_authorization_that_will_be_captured(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    with pytest.raises(AuthorizationStands, match="3970"):
        pay(shop, 3970, paid_on=date(2028, 1, 31))
    assert not rows(shop, OutsidePayment)


def test_no_payment_is_recorded_while_a_charge_may_be_under_way(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, Unknown(Answer(message="silence")))
    shop.subscription()
    shop.tick()
    with pytest.raises(OutcomeUnknown, match="purchase"):
        pay(shop, 3970, paid_on=date(2028, 1, 31))


def test_a_paid_invoice_takes_no_payment_and_an_unknown_one_is_not_found(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    with pytest.raises(TransitionNotAllowed, match="paid"):
        pay(shop, 1, paid_on=date(2028, 1, 31))
    new = NewPayment(Money(1, "SEK"), date(2028, 1, 31), "x")
    with pytest.raises(NotFound):
        record_payment(shop.database, shop.ids, shop.clock.now(), shop.ids.new(), new)


def given_up(shop: Shop, number_on: NumberOn):
    declined(shop, number_on=number_on)
    write_off(shop.database, shop.ids, shop.clock.now(), the_invoice(shop).id, "moved away")


@pytest.mark.parametrize("number_on", list(NumberOn))
def test_what_was_written_off_can_be_paid_in_parts(shop: Shop, number_on: NumberOn) -> None:
    given_up(shop, number_on)
    pay(shop, 1000, "first")
    assert (the_invoice(shop).status, account_sums(shop)["bad_debt"]) == ("uncollectible", 2970)
    assert_books_agree(shop)
    pay(shop, 2970, "second")
    assert (the_invoice(shop).status, account_sums(shop)["bank"]) == ("paid", 3970)
    assert "bad_debt" not in account_sums(shop)
    assert_books_agree(shop)


def test_vat_that_was_relieved_is_owed_again_once_the_invoice_is_paid(shop: Shop) -> None:
    given_up(shop, NumberOn.OPEN)
    relieve_vat(shop.database, shop.ids, shop.clock.now(), the_invoice(shop).id, "bad debt of 2028")
    assert "vat_payable" not in account_sums(shop)
    assert account_sums(shop)["bad_debt"] == 3970 - 656
    with pytest.raises(TransitionNotAllowed, match="already"):
        relieve_vat(shop.database, shop.ids, shop.clock.now(), the_invoice(shop).id, "again")
    pay(shop, 3970)
    assert (account_sums(shop)["vat_payable"], the_invoice(shop).status) == (-656, "paid")
    assert_books_agree(shop)
