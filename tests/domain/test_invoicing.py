"""A period's invoice, line by line, and what an invoice may become."""

from datetime import date
from itertools import product

import pytest

from billing.domain.errors import EmptyInvoice, TransitionNotAllowed
from billing.domain.invoicing import INVOICE_TRANSITIONS, InvoiceStatus, invoice_for_period, next_invoice_status
from billing.domain.periods import BillingCycle, Interval, nth_period
from billing.domain.pricing import CreditRule, PriceItem, Recognize

ITEMS = (
    PriceItem("BASE", "Base fee", 1, 1990, 2500, CreditRule.TIME, Recognize.TIME),
    PriceItem("BOX", "Box", 2, 745, 1200, CreditRule.QUANTITY, Recognize.DISPATCH),
    PriceItem("FREIGHT", "Freight", 1, 490, 2500, CreditRule.NONE, Recognize.AT_CAPTURE),
)
MONTHLY = BillingCycle(Interval.MONTH, 1, date(2028, 1, 31), 31)


def test_the_invoice_of_three_articles_totals_39_70_with_6_56_of_tax() -> None:
    draft = invoice_for_period(ITEMS, "EUR", nth_period(MONTHLY, 0, "Europe/Stockholm"))
    assert [(line.amount, line.tax_amount, line.net_amount) for line in draft.lines] == [
        (1990, 398, 1592),
        (1490, 160, 1330),
        (490, 98, 392),
    ]
    assert (draft.total, draft.tax_total, draft.currency) == (3970, 656, "EUR")


def test_each_line_says_in_words_how_it_came_about() -> None:
    draft = invoice_for_period(ITEMS, "EUR", nth_period(MONTHLY, 0, "Europe/Stockholm"))
    assert draft.lines[0].derivation == "1 x 19.90 EUR for 2028-01-31 to 2028-02-29, 25 % VAT included"
    assert draft.lines[1].derivation == "2 x 7.45 EUR for 2028-01-31 to 2028-02-29, 12 % VAT included"


def test_lines_are_numbered_from_1_and_keep_the_rules_of_their_articles() -> None:
    draft = invoice_for_period(ITEMS, "EUR", nth_period(MONTHLY, 0, "Europe/Stockholm"))
    assert [line.position for line in draft.lines] == [1, 2, 3]
    assert [(line.credit_rule, line.recognize) for line in draft.lines] == [
        ("time", "time"),
        ("quantity", "dispatch"),
        ("none", "at_capture"),
    ]


def test_the_price_is_the_same_for_february_and_march() -> None:
    totals = {invoice_for_period(ITEMS, "EUR", nth_period(MONTHLY, n, "Europe/Stockholm")).total for n in range(3)}
    assert totals == {3970}


def test_an_invoice_without_items_is_refused() -> None:
    with pytest.raises(EmptyInvoice):
        invoice_for_period([], "EUR", nth_period(MONTHLY, 0, "UTC"))


LAWFUL = {
    ("draft", "open"),
    ("draft", "discarded"),
    ("open", "paid"),
    ("open", "void"),
    ("open", "uncollectible"),
    ("uncollectible", "paid"),
    ("uncollectible", "void"),
}


@pytest.mark.parametrize(("status", "wanted"), list(product(InvoiceStatus, InvoiceStatus)))
def test_an_invoice_moves_only_along_the_table(status: InvoiceStatus, wanted: InvoiceStatus) -> None:
    if (status, wanted) in LAWFUL:
        assert next_invoice_status(status, wanted) is wanted
    else:
        with pytest.raises(TransitionNotAllowed, match=f"that is {status} cannot become {wanted}"):
            next_invoice_status(status, wanted)


def test_a_refused_move_says_what_is_possible() -> None:
    with pytest.raises(TransitionNotAllowed, match="it may become: discarded, open"):
        next_invoice_status(InvoiceStatus.DRAFT, InvoiceStatus.PAID)
    with pytest.raises(TransitionNotAllowed, match="nothing, that state is final"):
        next_invoice_status(InvoiceStatus.PAID, InvoiceStatus.VOID)


def test_every_invoice_status_has_its_row() -> None:
    assert set(INVOICE_TRANSITIONS) == set(InvoiceStatus)
