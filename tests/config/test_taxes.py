"""The VAT rates that come with the service: complete, with their dates, and read strictly."""

from datetime import date
from pathlib import Path

import pytest

from billing.domain.errors import Invalid
from billing.domain.tax import EU_MEMBERS
from config.taxes import COLUMNS, load_tax_table

TABLE = load_tax_table()
COUNTRIES = sorted(EU_MEMBERS | {"NO", "CH", "GB"})


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_country_has_a_standard_rate_from_2020_without_a_gap(country: str) -> None:
    changes = [row.valid_from for row in TABLE.rows if row.country == country]
    eves = [row.valid_until for row in TABLE.rows if row.country == country and row.valid_until]
    for on in [date(2020, 1, 1), date(2027, 3, 31), *changes, *eves]:
        # No country of the table has ever left the span of 7.7 % to 27 %.
        assert 770 <= TABLE.rate(country, "standard", on) <= 2700


def test_the_table_names_no_other_country() -> None:
    assert sorted({row.country for row in TABLE.rows}) == COUNTRIES


@pytest.mark.parametrize(
    ("country", "code", "on", "rate"),
    [
        ("DE", "standard", date(2020, 6, 30), 1900),
        ("DE", "standard", date(2020, 7, 1), 1600),
        ("DE", "standard", date(2020, 12, 31), 1600),
        ("DE", "standard", date(2021, 1, 1), 1900),
        ("DE", "reduced", date(2020, 7, 1), 500),
        ("FI", "standard", date(2024, 8, 31), 2400),
        ("FI", "standard", date(2024, 9, 1), 2550),
        ("FI", "reduced", date(2026, 1, 1), 1350),
        ("EE", "standard", date(2023, 12, 31), 2000),
        ("EE", "standard", date(2024, 1, 1), 2200),
        ("EE", "standard", date(2025, 6, 30), 2200),
        ("EE", "standard", date(2025, 7, 1), 2400),
        ("SK", "standard", date(2024, 12, 31), 2000),
        ("SK", "standard", date(2025, 1, 1), 2300),
        ("RO", "standard", date(2025, 8, 1), 2100),
        ("RO", "reduced_2", date(2025, 8, 1), 1100),
        ("LT", "reduced", date(2026, 1, 1), 1200),
        ("IE", "standard", date(2020, 9, 1), 2100),
        ("LU", "standard", date(2023, 6, 30), 1600),
        ("CZ", "reduced", date(2024, 1, 1), 1200),
        ("CH", "standard", date(2023, 12, 31), 770),
        ("CH", "standard", date(2024, 1, 1), 810),
        ("NO", "reduced", date(2027, 1, 1), 1500),
        ("GB", "reduced", date(2027, 1, 1), 500),
        ("HU", "standard", date(2027, 1, 1), 2700),
        ("SE", "reduced_2", date(2027, 1, 1), 600),
    ],
)
def test_a_rate_changes_on_its_day(country: str, code: str, on: date, rate: int) -> None:
    assert TABLE.rate(country, code, on) == rate


def test_denmark_has_no_reduced_rate() -> None:
    with pytest.raises(Invalid, match="no tax rate 'reduced' for DK on 2027-01-01"):
        TABLE.rate("DK", "reduced", date(2027, 1, 1))


@pytest.mark.parametrize("country", COUNTRIES)
def test_reduced_rates_are_numbered_from_the_highest_down_and_lie_below_the_standard_rate(country: str) -> None:
    on = date(2027, 1, 1)
    codes = ["standard", "reduced", "reduced_2", "super_reduced"]
    have = {row.code for row in TABLE.rows if row.country == country}
    rates = [TABLE.rate(country, code, on) for code in codes if code in have]
    assert rates == sorted(rates, reverse=True)


def test_a_table_of_ones_own_is_read_the_same_way(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text(f"{','.join(COLUMNS)}\nSE,standard,2500,2020-01-01,\n")
    assert load_tax_table(own).rate("SE", "standard", date(2027, 1, 1)) == 2500


@pytest.mark.parametrize("line", ["SE,standard,25.0,2020-01-01,", "SE,standard,2500,2020-13-01,", "SE,standard"])
def test_a_row_that_cannot_be_read_is_named_by_file_and_line(tmp_path: Path, line: str) -> None:
    own = tmp_path / "own.csv"
    own.write_text(f"{','.join(COLUMNS)}\n{line}\n")
    with pytest.raises(Invalid) as refused:
        load_tax_table(own)
    assert refused.value.where == "own.csv:2"


def test_a_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("country,rate\nSE,2500\n")
    with pytest.raises(Invalid, match="the columns are not country, code"):
        load_tax_table(own)
