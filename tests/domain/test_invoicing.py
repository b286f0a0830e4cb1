"""A period's invoice, line by line, and what an invoice may become (billing rules, sections 4, 6, 7 and 9)."""

from dataclasses import replace
from datetime import date, time
from fractions import Fraction
from itertools import pairwise, product
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.discounts import Discount
from billing.domain.errors import EmptyInvoice, Invalid, TransitionNotAllowed
from billing.domain.invoicing import (
    INVOICE_TRANSITIONS,
    InvoiceDraft,
    InvoiceStatus,
    LineDraft,
    LineKind,
    Share,
    charge_for_days,
    invoice_for_period,
    next_invoice_status,
)
from billing.domain.periods import BillingCycle, Interval, Period, instant_of, nth_period
from billing.domain.pricing import PROVIDER_AMOUNT_MAX, CreditRule, Offer, Phase, PriceItem, Recognize
from billing.domain.tax import TaxPosition, TaxRow, TaxTable, tax_on_net

BASE = PriceItem("BASE", "Base fee", 1, 1990, 2500, CreditRule.TIME, Recognize.TIME)
BOX = PriceItem("BOX", "Box", 2, 745, 1200, CreditRule.QUANTITY, Recognize.DISPATCH)
FREIGHT = PriceItem("FREIGHT", "Freight", 1, 490, 2500, CreditRule.NONE, Recognize.AT_CAPTURE)
SETUP = PriceItem("SETUP", "Setup", 1, 4900, 2500, CreditRule.NONE, Recognize.AT_CAPTURE, once=True)
PLAN = replace(BASE, unit_amount=2990)
OFFER = Offer("EUR", (BASE, BOX, FREIGHT))
MONTHLY = BillingCycle(Interval.MONTH, 1, date(2028, 1, 31), 31)
TABLE = TaxTable((TaxRow("SE", "standard", 2500, date(2020, 1, 1), None),))
SWEDEN = TaxPosition("SE", False, TABLE, date(2027, 3, 31))
ABROAD = replace(SWEDEN, reverse_charge=True)
TENTH = Discount(UUID(int=1), "Welcome", percent=1000, amount=None, cycles_left=None, article_number=None)
FIVER = Discount(UUID(int=2), "Sorry", percent=None, amount=500, cycles_left=None, article_number="BASE")


def span(start: date, end: date) -> Period:
    starts_at, ends_at = (instant_of(day, time.min, "Europe/Stockholm") for day in (start, end))
    return Period(start, end, starts_at, ends_at)


APRIL = span(date(2027, 3, 31), date(2027, 4, 30))


def shown(draft: InvoiceDraft) -> list[tuple[int, int, int]]:
    return [(line.amount, line.tax_amount, line.net_amount) for line in draft.lines]


def test_the_invoice_of_three_articles_totals_39_70_with_6_56_of_tax() -> None:
    draft = invoice_for_period(OFFER, APRIL, SWEDEN)
    assert shown(draft) == [(1990, 398, 1592), (1490, 160, 1330), (490, 98, 392)]
    assert (draft.total, draft.tax_total, draft.currency) == (3970, 656, "EUR")


def test_each_line_says_in_words_how_it_came_about() -> None:
    draft = invoice_for_period(OFFER, nth_period(MONTHLY, 0, "Europe/Stockholm"), SWEDEN)
    assert draft.lines[0].derivation == "1 x 19.90 EUR for 2028-01-31 to 2028-02-29, 25 % VAT included"
    assert draft.lines[1].derivation == "2 x 7.45 EUR for 2028-01-31 to 2028-02-29, 12 % VAT included"


def test_lines_are_numbered_from_1_and_keep_rules_dates_and_price() -> None:
    draft = invoice_for_period(OFFER, APRIL, SWEDEN, price_id=UUID(int=7))
    assert [line.position for line in draft.lines] == [1, 2, 3]
    assert [(line.article_number, line.name) for line in draft.lines] == [
        ("BASE", "Base fee"),
        ("BOX", "Box"),
        ("FREIGHT", "Freight"),
    ]
    assert [(line.credit_rule, line.recognize) for line in draft.lines] == [
        ("time", "time"),
        ("quantity", "dispatch"),
        ("none", "at_capture"),
    ]
    facts = {(line.kind, line.starts_on, line.ends_on, line.tax_treatment, line.price_id) for line in draft.lines}
    assert facts == {(LineKind.ITEM, date(2027, 3, 31), date(2027, 4, 30), "standard", UUID(int=7))}


def test_the_price_is_the_same_for_february_and_march() -> None:
    periods = (nth_period(MONTHLY, n, "Europe/Stockholm") for n in range(3))
    assert {invoice_for_period(OFFER, period, SWEDEN).total for period in periods} == {3970}


def test_the_10000th_cycle_costs_what_the_first_did() -> None:
    first = invoice_for_period(OFFER, APRIL, SWEDEN, cycle_no=0)
    assert invoice_for_period(OFFER, APRIL, SWEDEN, cycle_no=9_999) == first


def test_an_invoice_without_items_is_refused() -> None:
    with pytest.raises(EmptyInvoice):
        invoice_for_period(Offer("EUR", ()), APRIL, SWEDEN)


def test_a_setup_fee_stands_on_the_first_invoice_only() -> None:
    offer = replace(OFFER, items=(SETUP, BASE))
    first = invoice_for_period(offer, APRIL, SWEDEN, is_first=True)
    assert [(line.kind, line.amount) for line in first.lines] == [(LineKind.SETUP, 4900), (LineKind.ITEM, 1990)]
    assert first.lines[0].derivation == "1 x 49.00 EUR once, 25 % VAT included"
    assert invoice_for_period(offer, APRIL, SWEDEN, cycle_no=1).total == 1990


def test_a_phase_is_charged_and_named() -> None:
    offer = replace(OFFER, items=(PLAN, BOX), phases=(Phase(3, {"BASE": 990}),))
    second, fourth = (invoice_for_period(offer, APRIL, SWEDEN, cycle_no=n) for n in (1, 3))
    assert (second.total, fourth.total) == (990 + 1490, 2990 + 1490)
    assert second.lines[0].derivation == (
        "1 x 9.90 EUR for 2027-03-31 to 2027-04-30, introductory price, cycle 2 of 3, 25 % VAT included"
    )
    assert "introductory" not in second.lines[1].derivation + fourth.lines[0].derivation
    only_first = replace(offer, phases=(Phase(1, {"BASE": 990}),))
    assert invoice_for_period(only_first, APRIL, SWEDEN).total == 990 + 1490


# April 28   May 5               May 28
# |- trial -|---- stub, 23 days ---|     N = 30
def test_the_stub_after_a_trial_of_7_days_costs_22_92() -> None:
    offer = replace(OFFER, items=(PLAN,))
    draft = invoice_for_period(offer, span(date(2027, 5, 5), date(2027, 5, 28)), SWEDEN, share=Share(7, 30, 30))
    assert shown(draft) == [(2292, 458, 1834)]


# May 31               June 20    June 30
# |------ skipped --------|- stub, 10 -|     N = 30
def test_the_stub_after_a_pause_costs_9_97_and_says_why() -> None:
    offer = replace(OFFER, items=(PLAN,))
    draft = invoice_for_period(offer, span(date(2027, 6, 20), date(2027, 6, 30)), SWEDEN, share=Share(20, 30, 30))
    assert draft.total == 997
    assert draft.lines[0].derivation == (
        "10 of 30 days of 29.90 EUR (2027-06-20 to 2027-06-30): 29.90 - 19.93 = 9.97 EUR, 25 % VAT included"
    )


def test_a_stub_charges_goods_freight_and_setup_in_full() -> None:
    offer = replace(OFFER, items=(replace(SETUP, credit_rule=CreditRule.TIME), *OFFER.items))
    draft = invoice_for_period(offer, APRIL, SWEDEN, is_first=True, share=Share(20, 30, 30))
    assert [line.amount for line in draft.lines] == [4900, 663, 1490, 490]
    assert [line.kind for line in draft.lines] == [LineKind.SETUP, *[LineKind.ITEM] * 3]


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid):
        invoice_for_period(OFFER, APRIL, SWEDEN, share=Share(0, 31, 30))


def test_a_discounted_line_is_taxed_on_what_is_left_and_names_each_discount() -> None:
    draft = invoice_for_period(replace(OFFER, items=(PLAN,)), APRIL, SWEDEN, discounts=[TENTH, FIVER])
    assert shown(draft) == [(2191, 438, 1753)]
    assert draft.lines[0].discount_amount == 799
    assert draft.lines[0].derivation == (
        "1 x 29.90 EUR for 2027-03-31 to 2027-04-30, "
        'less 2.99 EUR for "Welcome", less 5.00 EUR for "Sorry" = 21.91 EUR, 25 % VAT included'
    )


def test_a_discount_of_everything_leaves_an_invoice_of_nothing() -> None:
    draft = invoice_for_period(OFFER, APRIL, SWEDEN, discounts=[replace(TENTH, percent=10_000)])
    assert shown(draft) == [(0, 0, 0)] * 3


def test_a_discount_on_another_article_leaves_no_trace() -> None:
    draft = invoice_for_period(OFFER, APRIL, SWEDEN, discounts=[FIVER])
    assert [line.discount_amount for line in draft.lines] == [500, 0, 0]
    assert "Sorry" not in draft.lines[1].derivation


def net_offer() -> Offer:
    nets = [6833, 6833, 5750, 8500]
    items = (replace(BASE, article_number=str(n), unit_amount=net, tax_rate=2000) for n, net in enumerate(nets))
    return Offer("EUR", tuple(items), tax_included=False)


def test_tax_on_net_prices_is_that_of_the_rate_group_and_its_parts_sum() -> None:
    draft = invoice_for_period(net_offer(), APRIL, SWEDEN)
    assert [line.tax_amount for line in draft.lines] == [1367, 1366, 1150, 1700]
    assert [line.amount for line in draft.lines] == [8200, 8199, 6900, 10200]
    assert (draft.total, draft.tax_total) == (33499, 5583)


def test_a_net_line_says_what_tax_came_on_top() -> None:
    line = invoice_for_period(net_offer(), APRIL, SWEDEN).lines[0]
    assert line.derivation == "1 x 68.33 EUR for 2027-03-31 to 2027-04-30, plus 20 % VAT 13.67 EUR = 82.00 EUR"


def test_rate_groups_of_net_prices_do_not_mix() -> None:
    draft = invoice_for_period(replace(OFFER, tax_included=False), APRIL, SWEDEN)
    assert shown(draft) == [(2488, 498, 1990), (1669, 179, 1490), (612, 122, 490)]
    assert draft.lines[0].tax_amount + draft.lines[2].tax_amount == tax_on_net(1990 + 490, 2500)


def test_under_reverse_charge_a_gross_price_is_paid_without_the_tax_in_it() -> None:
    draft = invoice_for_period(OFFER, APRIL, ABROAD)
    assert shown(draft) == [(1592, 0, 1592), (1330, 0, 1330), (392, 0, 392)]
    assert {(line.tax_rate, line.tax_treatment) for line in draft.lines} == {(0, "reverse_charge")}
    assert draft.lines[0].derivation == (
        "1 x 19.90 EUR for 2027-03-31 to 2027-04-30, less 25 % VAT = 15.92 EUR (reverse charge)"
    )


def test_under_reverse_charge_a_net_price_is_paid_as_it_stands() -> None:
    draft = invoice_for_period(replace(OFFER, tax_included=False), APRIL, ABROAD)
    assert shown(draft) == [(1990, 0, 1990), (1490, 0, 1490), (490, 0, 490)]
    assert draft.lines[0].derivation.endswith("2027-04-30, no VAT (reverse charge)")


def test_outside_the_scope_of_tax_nothing_is_charged_and_the_line_says_so() -> None:
    overseas = TaxPosition("US", False, TABLE, date(2027, 3, 31), outside_scope=True)
    line = invoice_for_period(Offer("EUR", (replace(BASE, tax_code="standard"),)), APRIL, overseas).lines[0]
    assert (line.amount, line.tax_amount, line.tax_treatment) == (1990, 0, "outside_scope")
    assert line.derivation.endswith(", no VAT (outside the scope of VAT)")


def test_a_tax_code_takes_the_rate_of_country_and_day() -> None:
    offer = Offer("EUR", (replace(BASE, tax_rate=0, tax_code="standard"),))
    line = invoice_for_period(offer, APRIL, SWEDEN).lines[0]
    assert (line.tax_rate, line.tax_amount) == (2500, 398)
    with pytest.raises(Invalid, match="'standard' for NO on 2027-03-31"):
        invoice_for_period(offer, APRIL, replace(SWEDEN, country="NO"))


def test_a_total_that_only_its_tax_lifts_beyond_the_providers_limit_is_refused() -> None:
    item = replace(BASE, tax_code="standard", tax_rate=0, unit_amount=PROVIDER_AMOUNT_MAX)
    with pytest.raises(Invalid, match="the total 125000000"):
        invoice_for_period(Offer("EUR", (item,), tax_included=False), APRIL, SWEDEN)


def upgrade(tax: TaxPosition = SWEDEN, *, tax_included: bool = True) -> LineDraft:
    item, dates = replace(BASE, unit_amount=4990), (date(2027, 3, 31), date(2027, 4, 30))
    return charge_for_days(item, "EUR", tax, dates, 11, 30, UUID(int=7), tax_included=tax_included)


# March 31          April 11                    April 30
# |--- 11 days used ---|------ 19 days charged ---|        N = 30
def test_an_upgrade_charges_19_of_30_days_with_the_tax_of_its_own_gross() -> None:
    line = upgrade()
    assert (line.amount, line.tax_amount, line.net_amount) == (3160, 632, 2528)
    assert (line.starts_on, line.ends_on) == (date(2027, 4, 11), date(2027, 4, 30))
    assert (line.kind, line.price_id, line.position) == (LineKind.ADJUSTMENT, UUID(int=7), 1)
    assert line.derivation == (
        "19 of 30 days of 49.90 EUR (2027-04-11 to 2027-04-30): 49.90 - 18.30 = 31.60 EUR, 25 % VAT included"
    )


def test_an_upgrade_of_a_net_price_adds_the_tax_and_one_abroad_has_none() -> None:
    net, abroad = upgrade(tax_included=False), upgrade(ABROAD)
    assert (net.amount, net.tax_amount) == (3160 + 790, 790)
    assert (abroad.amount, abroad.tax_amount) == (2528, 0)


def test_the_days_of_several_units_are_priced_together() -> None:
    line = charge_for_days(BOX, "EUR", SWEDEN, (date(2027, 3, 31), date(2027, 4, 30)), 20, 30, None)
    assert line.amount == 1490 - 993
    assert "10 of 30 days of 2 x 7.45 EUR (2027-04-20 to 2027-04-30): 14.90 - 9.93 = 4.97 EUR" in line.derivation


# Apr 1                   Apr 2    06:00                 Apr 3
# |------- 108,000 s used ----------|--- 64,800 s charged --|
def test_an_upgrade_by_the_second_covers_the_day_of_the_change_and_says_seconds() -> None:
    item, dates = replace(BASE, unit_amount=1000), (date(2027, 4, 1), date(2027, 4, 3))
    line = charge_for_days(item, "EUR", SWEDEN, dates, 108_000, 172_800, None, seconds_from=date(2027, 4, 2))
    assert (line.amount, line.starts_on, line.ends_on) == (375, date(2027, 4, 2), date(2027, 4, 3))
    assert line.derivation.startswith("64800 of 172800 seconds of 10.00 EUR (2027-04-02 to 2027-04-03): 10.00 - 6.25")


def test_a_discount_takes_the_same_share_of_an_upgrade() -> None:
    item, dates = replace(BASE, unit_amount=4990), (date(2027, 3, 31), date(2027, 4, 30))
    line = charge_for_days(item, "EUR", SWEDEN, dates, 11, 30, None, discounted=[("Welcome", 499)])
    assert (line.amount, line.discount_amount) == (3160 - 316, 316)
    assert 'less 3.16 EUR for "Welcome" = 28.44 EUR' in line.derivation


items = st.builds(
    lambda unit, quantity, rate, rule: replace(
        BASE, unit_amount=unit, quantity=quantity, tax_rate=rate, credit_rule=rule
    ),
    st.integers(0, 10**5),
    st.integers(1, 9),
    st.sampled_from([0, 550, 600, 1200, 2500]),
    st.sampled_from(CreditRule),
)
granted = st.lists(
    st.builds(lambda n: replace(TENTH, percent=n), st.integers(1, 10_000))
    | st.builds(lambda n: replace(FIVER, amount=n, article_number=None), st.integers(1, 10**5)),
    max_size=3,
)


def offer_of(chosen: list[PriceItem], *, tax_included: bool) -> Offer:
    renamed = (replace(item, article_number=str(n)) for n, item in enumerate(chosen))
    return Offer("EUR", tuple(renamed), tax_included=tax_included)


@settings(max_examples=150, deadline=None)
@given(st.lists(items, min_size=1, max_size=5), granted, st.booleans(), st.booleans(), st.integers(0, 10_000))
def test_no_line_is_negative_and_every_cycle_sums_like_the_first(
    chosen: list[PriceItem], discounts: list[Discount], included: bool, abroad: bool, cycle_no: int
) -> None:
    offer, tax = offer_of(chosen, tax_included=included), ABROAD if abroad else SWEDEN
    draft = invoice_for_period(offer, APRIL, tax, cycle_no=cycle_no, discounts=discounts)
    assert all(line.amount >= line.tax_amount >= 0 for line in draft.lines)
    assert draft == invoice_for_period(offer, APRIL, tax, discounts=discounts)
    for line in draft.lines if included and not abroad else ():
        assert line.quantity * line.unit_amount - line.discount_amount == line.amount


@settings(max_examples=150, deadline=None)
@given(st.lists(items, min_size=1, max_size=5), granted)
def test_the_tax_of_each_rate_group_of_net_prices_is_exact_and_no_line_is_off_by_more_than_one(
    chosen: list[PriceItem], discounts: list[Discount]
) -> None:
    draft = invoice_for_period(offer_of(chosen, tax_included=False), APRIL, SWEDEN, discounts=discounts)
    for rate in {line.tax_rate for line in draft.lines}:
        group = [line for line in draft.lines if line.tax_rate == rate]
        assert sum(line.tax_amount for line in group) == tax_on_net(sum(line.net_amount for line in group), rate)
        assert all(abs(line.tax_amount - Fraction(line.net_amount * rate, 10_000)) <= 1 for line in group)


@settings(max_examples=150, deadline=None)
@given(items, st.integers(0, 31), st.integers(0, 31))
def test_the_stubs_that_a_period_is_cut_into_sum_to_its_price(item: PriceItem, first: int, second: int) -> None:
    offer = Offer("EUR", (replace(item, credit_rule=CreditRule.TIME),))
    cuts = [0, *sorted((first, second)), 31]
    shares = [Share(start, end, 31) for start, end in pairwise(cuts)]
    parts = [invoice_for_period(offer, APRIL, SWEDEN, share=share).total for share in shares]
    assert sum(parts) == offer.amount_per_cycle()
    assert min(parts) >= 0


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
    with pytest.raises(TransitionNotAllowed, match=r"it may become: nothing, that state is final$"):
        next_invoice_status(InvoiceStatus.PAID, InvoiceStatus.VOID)


def test_every_invoice_status_has_its_row() -> None:
    assert set(INVOICE_TRANSITIONS) == set(InvoiceStatus)
