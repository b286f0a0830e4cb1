"""Which entry of the list comes first."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.attention import Action, AttentionKind, Entry, place_of, read_place, written
from billing.domain.errors import Invalid

NOW = datetime(2028, 1, 31, 8, tzinfo=UTC)


def entry(key: str, kind: AttentionKind, amount: int | None, currency: str | None, days: int = 0) -> Entry:
    since = NOW - timedelta(days=days)
    return Entry(key, kind, since, "because", Action("look", "GET", "/"), amount, currency)


def test_what_halts_comes_first_then_the_largest_number_of_major_units_then_the_oldest() -> None:
    entries = [
        entry("young", AttentionKind.NEEDS_OPERATOR, 100_00, "EUR"),
        entry("old", AttentionKind.NEEDS_OPERATOR, 100_00, "EUR", days=1),
        entry("yen", AttentionKind.NEEDS_OPERATOR, 101, "JPY"),
        entry("dinar", AttentionKind.NEEDS_OPERATOR, 100_500, "KWD"),
        entry("none", AttentionKind.REVIEW, None, None),
        entry("brake", AttentionKind.BRAKE, None, None),
        entry("account", AttentionKind.ACCOUNT_STOPPED, 1, "EUR"),
    ]
    in_order = [found.key for found in sorted(entries, key=place_of)]
    assert in_order == ["account", "brake", "yen", "dinar", "old", "young", "none"]


def test_a_place_is_read_as_it_was_written() -> None:
    place = place_of(entry("operation:1.2:x", AttentionKind.HOLD, 5, "EUR"))
    assert read_place(written(place)) == place


@pytest.mark.parametrize("text", ["", "1.2.3", "a.b.c.d", "1.--2.3.x", f"{'9' * 30}.1.1.x", "²..1.x"])
def test_a_place_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_place(text)
