"""Ids as they are shown outside say what they name, and are read back strictly."""

from datetime import UTC, datetime
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.errors import Invalid
from billing.domain.ids import Prefix, derived_id, parse, shown

HEX = "0190c0de00007000800000000000000a"


def test_an_invoice_id_is_shown_with_its_prefix_and_32_hex_digits() -> None:
    assert shown(Prefix.INVOICE, UUID(HEX)) == f"inv_{HEX}"


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(Prefix), st.uuids())
def test_a_shown_id_reads_back(prefix: Prefix, id_: UUID) -> None:
    assert parse(prefix, shown(prefix, id_)) == id_


@pytest.mark.parametrize(
    "text",
    [
        f"sub_{HEX}",  # another thing
        HEX,
        f"inv_{HEX[:-1]}",
        f"inv_{HEX}0",
        f"inv_{HEX.upper()}",
        f"inv_{HEX[:-1]}g",
        f"inv_{HEX[:-1]}X",
        f"inv_{HEX[:8]}-{HEX[9:]}",
        f"inv {HEX}",
        f" inv_{HEX}",
        f"inv_{HEX[:-1]}\n",
        f"inv__{HEX[1:]}",
        "",
    ],
)
def test_anything_else_is_refused_naming_the_expected_form(text: str) -> None:
    with pytest.raises(Invalid, match="expected inv_ and 32 hex digits") as refused:
        parse(Prefix.INVOICE, text, where="invoice_id")
    assert refused.value.where == "invoice_id"


def test_a_refusal_repeats_only_the_start_of_a_long_text() -> None:
    with pytest.raises(Invalid) as refused:
        parse(Prefix.INVOICE, "x" * 10_000)
    assert len(refused.value.message) < 200


def test_every_prefix_is_its_own() -> None:
    assert len({prefix.value for prefix in Prefix}) == len(Prefix)
    assert not any("_" in prefix for prefix in Prefix)


def test_a_derived_id_is_the_same_whenever_it_is_made_and_says_its_instant() -> None:
    at = datetime(2028, 2, 29, 5, 0, 0, 123000, tzinfo=UTC)
    made = derived_id(at, b"subscription", b"2")
    assert made == derived_id(at, b"subscription", b"2") != derived_id(at, b"subscription", b"3")
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == int(at.timestamp() * 1000)


def test_a_derived_id_stays_what_it_was_when_a_backup_was_made() -> None:
    made = derived_id(datetime(2028, 2, 29, 5, 0, 0, 123000, tzinfo=UTC), b"subscription", b"2")
    assert str(made) == "01ab5726-dcfb-7f58-aa5c-2365aa0462b6"


@pytest.mark.parametrize("number", range(16))
def test_every_derived_id_is_a_version_7_id(number: int) -> None:
    made = derived_id(datetime(2028, 2, 29, tzinfo=UTC), b"period", str(number).encode())
    assert (made.version, made.variant) == (7, RFC_4122)
