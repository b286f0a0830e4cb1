"""Tax inside and on top of amounts, and shared out over the lines of one rate."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.errors import Invalid
from billing.domain.money import split
from billing.domain.pricing import CreditRule, PriceItem, Recognize
from billing.domain.tax import (
    EU_MEMBERS,
    TaxPosition,
    TaxRow,
    TaxTable,
    TaxTreatment,
    reverse_charge_applies,
    shown_rate,
    tax_by_rate_group,
    tax_included,
    tax_on_net,
)

GERMANY = TaxTable(
    (
        TaxRow("DE", "standard", 1900, date(2020, 1, 1), date(2020, 7, 1)),
        TaxRow("DE", "standard", 1600, date(2020, 7, 1), date(2021, 1, 1)),
        TaxRow("DE", "standard", 1900, date(2021, 1, 1), None),
        TaxRow("DE", "reduced", 700, date(2020, 1, 1), None),
    )
)
FIXED = PriceItem("BASE", "Base fee", 1, 1990, 2500, CreditRule.TIME, Recognize.TIME)
CODED = replace(FIXED, tax_code="standard")
AT_HOME = TaxPosition("DE", False, GERMANY, date(2020, 12, 31))


@pytest.mark.parametrize(
    ("gross", "rate", "tax"),
    [
        (1990, 2500, 398),
        (1490, 1200, 160),
        (745, 1200, 80),
        (490, 2500, 98),
        (2990, 2500, 598),
        (3160, 2500, 632),
        (62, 1900, 10),
        (730, 2500, 146),
        (1, 10_000, 1),  # the half goes up
        (-1490, 1200, -160),
        (2990, 0, 0),
        (0, 2500, 0),
    ],
)
def test_the_tax_inside_a_gross_amount(gross: int, rate: int, tax: int) -> None:
    assert tax_included(gross, rate) == tax


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**8), st.integers(0, 10_000))
def test_the_tax_meets_the_providers_own_formula_within_half_a_unit(gross: int, rate: int) -> None:
    theirs = gross - Fraction(gross * 10_000, 10_000 + rate)
    assert abs(tax_included(gross, rate) - theirs) <= Fraction(1, 2)


def test_the_tax_of_a_rate_group_is_shared_so_that_four_credit_notes_sum_to_the_invoice() -> None:
    nets = [6833, 6833, 5750, 8500]
    taxes = tax_by_rate_group(nets, 2000)
    assert taxes == [1367, 1366, 1150, 1700]
    assert (sum(taxes), sum(nets) + sum(taxes)) == (5583, 33499)
    assert [net + tax for net, tax in zip(nets, taxes, strict=True)] == [8200, 8199, 6900, 10200]


def test_tax_on_a_net_amount_rounds_half_up() -> None:
    assert tax_on_net(27916, 2000) == 5583
    assert tax_on_net(50, 100) == 1
    assert tax_on_net(-50, 100) == -1


def test_a_group_without_lines_has_no_tax() -> None:
    assert tax_by_rate_group([], 2000) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-(10**6), 10**7), min_size=1, max_size=8), st.integers(0, 10_000))
def test_the_taxes_of_a_group_sum_to_the_tax_of_the_group(nets: list[int], rate: int) -> None:
    taxes = tax_by_rate_group(nets, rate)
    assert sum(taxes) == tax_on_net(sum(nets), rate)


@pytest.mark.parametrize("rate", [0, 600, 1200, 2500])
def test_no_line_of_a_group_is_off_its_own_tax_by_more_than_one_unit(rate: int) -> None:
    nets = [6833, 6833, 5750, 8500, 1, 99]
    for net, tax in zip(nets, tax_by_rate_group(nets, rate), strict=True):
        assert abs(tax - Fraction(net * rate, 10_000)) <= 1


@pytest.mark.parametrize("rate", [-1, 10_001])
def test_a_rate_outside_0_to_100_percent_is_refused(rate: int) -> None:
    for tax in (tax_included, tax_on_net):
        with pytest.raises(Invalid, match="outside 0 to 10000"):
            tax(100, rate)


@pytest.mark.parametrize(
    ("rate", "text"), [(2500, "25 %"), (550, "5.5 %"), (1234, "12.34 %"), (0, "0 %"), (1000, "10 %"), (5, "0.05 %")]
)
def test_a_rate_is_shown_as_people_read_it(rate: int, text: str) -> None:
    assert shown_rate(rate) == text


def test_a_discount_is_split_over_lines_by_largest_remainder() -> None:
    assert split(-100, [1990, 1490, 490]) == [-50, -38, -12]


# 2020-07-01                     2021-01-01
#     |----------- 16 % -----------|---------- 19 %
@pytest.mark.parametrize(
    ("on", "rate"),
    [
        (date(2020, 6, 30), 1900),
        (date(2020, 7, 1), 1600),
        (date(2020, 12, 31), 1600),
        (date(2021, 1, 1), 1900),
        (date(2099, 1, 1), 1900),
    ],
)
def test_the_rate_is_the_one_in_force_on_the_date_of_supply(on: date, rate: int) -> None:
    assert GERMANY.rate("DE", "standard", on) == rate


@pytest.mark.parametrize(
    ("country", "code", "on"),
    [("SE", "standard", date(2027, 1, 1)), ("DE", "zero", date(2027, 1, 1)), ("DE", "standard", date(2019, 12, 31))],
)
def test_a_rate_that_is_not_in_the_table_is_refused_by_country_code_and_date(country: str, code: str, on: date) -> None:
    with pytest.raises(Invalid, match=f"no tax rate '{code}' for {country} on {on}") as refused:
        GERMANY.rate(country, code, on)
    assert refused.value.where == "tax_code"


def test_a_table_keeps_the_codes_of_each_country_apart() -> None:
    rows = (("DE", "reduced", 700), ("DE", "standard", 1900), ("SE", "standard", 2500))
    table = TaxTable(tuple(TaxRow(country, code, rate, date(2020, 1, 1), None) for country, code, rate in rows))
    assert [table.rate(country, code, date(2027, 3, 31)) for country, code, _ in rows] == [700, 1900, 2500]


def test_a_table_whose_rows_overlap_is_refused() -> None:
    earlier = TaxRow("DE", "standard", 1900, date(2020, 1, 1), None)
    with pytest.raises(Invalid, match="from 2020-07-01 overlaps the one from 2020-01-01"):
        TaxTable((TaxRow("DE", "standard", 1600, date(2020, 7, 1), None), earlier))


def test_a_row_that_ends_before_it_starts_or_has_no_possible_rate_is_refused() -> None:
    with pytest.raises(Invalid, match="ends before it starts"):
        TaxTable((TaxRow("DE", "standard", 1900, date(2020, 1, 1), date(2020, 1, 1)),))
    with pytest.raises(Invalid, match="outside 0 to 10000") as refused:
        TaxTable((TaxRow("DE", "standard", 10_001, date(2020, 1, 1), None),))
    assert refused.value.where == "DE standard"


def test_an_item_with_a_code_takes_the_tables_rate_and_one_without_its_own() -> None:
    assert (AT_HOME.rate_of(CODED), AT_HOME.rate_of(FIXED)) == (1600, 2500)
    assert AT_HOME.treatment is TaxTreatment.STANDARD


def test_under_reverse_charge_nothing_is_taxed_though_the_ordinary_rate_stays_known() -> None:
    abroad = replace(AT_HOME, reverse_charge=True)
    assert (abroad.rate_of(CODED), abroad.rate_of(FIXED)) == (0, 0)
    assert abroad.ordinary_rate_of(CODED) == 1600
    assert abroad.treatment is TaxTreatment.REVERSE_CHARGE


def test_outside_the_scope_no_rate_is_looked_up() -> None:
    overseas = TaxPosition("US", False, GERMANY, date(2027, 1, 1), outside_scope=True)
    assert (overseas.rate_of(CODED), overseas.ordinary_rate_of(CODED)) == (0, 0)
    assert overseas.treatment is TaxTreatment.OUTSIDE_SCOPE


@pytest.mark.parametrize(
    ("seller", "customer", "checked", "applies"),
    [
        ("DE", "FR", True, True),
        ("DE", "GR", True, True),
        ("DE", "FR", False, False),  # no checked id: a consumer
        ("DE", "DE", True, False),  # at home
        ("DE", "CH", True, False),
        ("NO", "SE", True, False),
        ("GB", "IE", True, False),
    ],
)
def test_reverse_charge_is_for_checked_businesses_of_another_member_state(
    seller: str, customer: str, checked: bool, applies: bool
) -> None:
    assert reverse_charge_applies(seller, customer, checked) is applies


def test_the_union_has_27_members() -> None:
    assert len(EU_MEMBERS) == 27
