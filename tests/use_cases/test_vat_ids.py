"""VAT ids are stored in one spelling, and only with check digits that are right. The numbers are made up for this."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.errors import Invalid
from billing.domain.tax import EU_MEMBERS
from billing.use_cases.vat_ids import checked_vat_id


@pytest.mark.parametrize(
    ("text", "country", "stored"),
    [
        ("DE100000008", "DE", "DE100000008"),
        (" de 100.000.008 ", "DE", "DE100000008"),
        ("EL100000003", "GR", "EL100000003"),
        ("GR 100000003", "GR", "EL100000003"),
        ("SE556000000101", "SE", "SE556000000101"),
    ],
)
def test_an_id_is_stored_without_separators_and_with_its_prefix(text: str, country: str, stored: str) -> None:
    assert checked_vat_id(text, country) == stored


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("DE100000009", "DE"),  # the check digit
        ("DE10000000", "DE"),  # too short
        ("100000008", "DE"),  # no prefix
        ("DE100000008", "FR"),  # another country's
        ("EL100000004", "GR"),
        ("EL100000003", "EL"),  # the country is GR
        ("GB980780684", "GB"),
        ("", "DE"),
        ("DE" + "1" * 1000, "DE"),
        ("DE１００００００００８", "DE"),  # digits of another script
    ],
)
def test_anything_else_is_refused_at_its_field(text: str, country: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_vat_id(text, country)
    assert refused.value.where == "vat_id"


def test_the_refusal_says_what_is_expected_and_never_repeats_what_was_sent() -> None:
    with pytest.raises(Invalid, match="no VAT id of DE: DE and 9 digits") as refused:
        checked_vat_id("DE123-secret", "DE")
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("country", sorted(EU_MEMBERS))
def test_every_member_state_says_what_it_expects(country: str) -> None:
    prefix = "EL" if country == "GR" else country
    with pytest.raises(Invalid, match=f"no VAT id of {country}: {prefix}"):
        checked_vat_id("?", country)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(EU_MEMBERS)), st.text(max_size=16))
def test_no_text_does_worse_than_being_refused(country: str, text: str) -> None:
    prefix = "EL" if country == "GR" else country
    try:
        stored = checked_vat_id(prefix + text, country)
    except Invalid:
        return
    assert checked_vat_id(stored, country) == stored
