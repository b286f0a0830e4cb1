"""What an invoice may become: void while nobody has seen it, uncollectible, paid; and how it is explained."""

from datetime import UTC, date, datetime

import pytest
from books import account_sums, assert_books_agree, held, the_invoice
from factories import Emailing, NumberOn, Shop
from reading import operations, subscription

from billing.domain.errors import AuthorizationStands, NotFound, OutcomeUnknown, TransitionNotAllowed
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined, Unknown
from billing.use_cases.adjust_balance import adjust_balance
from billing.use_cases.credit_invoice import CreditBy, NewCredit, credit_invoice
from billing.use_cases.explain_invoice import explain_invoice
from billing.use_cases.issue_invoice import issue_invoice
from billing.use_cases.void_invoice import void_invoice
from billing.use_cases.write_off import relieve_vat, write_off

PURCHASE, VOID = OperationKind.PURCHASE, OperationKind.VOID
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")


def declined(shop: Shop, number_on: NumberOn = NumberOn.OPEN):
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    shop.gateway.answer(PURCHASE, SOFT)
    made = shop.subscription(price_id=shop.price(number_on=number_on))
    shop.tick()
    return made


def act(shop: Shop, verb, *what: object):
    return verb(shop.database, shop.ids, shop.clock.now(), the_invoice(shop).id, *what)


def test_an_invoice_nobody_has_seen_is_void_with_its_number_kept_and_its_books_at_zero(shop: Shop) -> None:
    made = declined(shop)
    shop.at(datetime(2028, 4, 2, 6, tzinfo=UTC))
    act(shop, void_invoice, "wrong company")
    assert (the_invoice(shop).status, the_invoice(shop).number) == ("void", 1)
    assert account_sums(shop) == {}
    assert subscription(shop, made.id).status == "active"
    shop.after(days=5)
    assert len(shop.gateway.calls_of(PURCHASE)) <= 2


def test_a_void_gives_the_authorization_back(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    act(shop, void_invoice, "wrong company")
    shop.after(hours=1)
    assert [call.kind for call in shop.gateway.effects] == [PURCHASE, VOID]


def test_an_issued_invoice_is_canceled_by_a_credit_note_only(shop: Shop) -> None:
    declined(shop)
    first = act(shop, issue_invoice).issued_at
    shop.clock.set(datetime(2028, 3, 31, 9, tzinfo=UTC))
    assert act(shop, issue_invoice).issued_at == first
    with pytest.raises(TransitionNotAllowed, match="credit note"):
        act(shop, void_invoice, "wrong company")
    new = NewCredit(the_invoice(shop).id, "canceled", CreditBy.WHOLE)
    credit_invoice(shop.database, shop.ids, shop.clock.now(), new)
    assert (the_invoice(shop).status, account_sums(shop)) == ("paid", {})


def test_an_email_of_the_provider_issues_the_invoice(shop: Shop) -> None:
    shop.subscription(price_id=shop.price(emailing=Emailing.PROVIDER_AGAIN))
    shop.tick()
    shop.after(minutes=31)
    assert the_invoice(shop).issued_at == shop.clock.now()


def test_nothing_of_an_invoice_without_a_number_is_sent(shop: Shop) -> None:
    declined(shop, NumberOn.CAPTURE)
    with pytest.raises(TransitionNotAllowed, match="number"):
        act(shop, issue_invoice)


def test_a_paid_invoice_is_neither_void_nor_written_off(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    for verb in (void_invoice, write_off, relieve_vat):
        with pytest.raises(TransitionNotAllowed):
            act(shop, verb, "no")
    assert the_invoice(shop).status == "paid"


def test_what_is_written_off_is_bad_debt_and_can_still_become_void(shop: Shop) -> None:
    made = declined(shop)
    act(shop, write_off, "moved away")
    assert (the_invoice(shop).status, account_sums(shop)["bad_debt"]) == ("uncollectible", 3970)
    assert subscription(shop, made.id).status == "active"
    assert_books_agree(shop)
    act(shop, void_invoice, "never delivered")
    assert (the_invoice(shop).status, account_sums(shop)) == ("void", {})


def test_nothing_is_given_up_that_may_be_paid_yet(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    with pytest.raises(AuthorizationStands):
        act(shop, write_off, "no")


def test_nothing_becomes_void_under_a_charge_that_may_be_under_way(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, Unknown(Answer(message="silence")))
    shop.subscription()
    shop.tick()
    with pytest.raises(OutcomeUnknown):
        act(shop, void_invoice, "no")
    assert operations(shop)[0].status == "unknown"


@pytest.mark.parametrize("number_on", list(NumberOn))
def test_a_void_gives_the_balance_back_that_it_used(shop: Shop, number_on: NumberOn) -> None:
    shop.gateway.answer(PURCHASE, SOFT)
    made = shop.subscription(price_id=shop.price(number_on=number_on))
    grant = Money(1000, "SEK")
    adjust_balance(shop.database, shop.ids, shop.clock.now(), made.customer_id, grant, "late parcel")
    shop.tick()
    assert (the_invoice(shop).balance_used, held(shop)) == (1000, 0)
    act(shop, void_invoice, "wrong company")
    assert (the_invoice(shop).status, held(shop)) == ("void", 1000)
    assert account_sums(shop) == {"revenue": 1000, "customer_balance": -1000}


def test_an_invoice_is_explained_in_plain_sentences(shop: Shop) -> None:
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    new = NewCredit(the_invoice(shop).id, "unused", CreditBy.TIME, as_of=date(2028, 4, 11))
    credit_invoice(shop.database, shop.ids, shop.clock.now(), new)
    told = explain_invoice(shop.database, the_invoice(shop).id)
    assert told.summary[-1] == "Nothing is due."
    assert "19 of 30 days unused" in told.lines[0].sentence
    assert [statement.sentence for statement in told.paid_by] == ["39.70 SEK was captured through main."]
    assert told.given_back[0].sentence == "Of credit note 1, 12.60 SEK is being refunded."
    assert [tax.sentence for tax in told.taxes] == [
        "12 %: 1.60 SEK of tax inside 14.90 SEK.",
        "25 %: 4.96 SEK of tax inside 24.80 SEK, of which 2.52 SEK inside 12.60 SEK was credited.",
    ]
    assert [statement.about for statement in told.documents] == ["invoice", "credit_note"]


def test_an_unknown_invoice_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound):
        explain_invoice(shop.database, shop.ids.new())
    with pytest.raises(NotFound):
        void_invoice(shop.database, shop.ids, shop.clock.now(), shop.ids.new(), "x")
