"""Customers who move: the running period ends as written, the next one belongs to the new zone (billing rules, 3)."""

from datetime import UTC, datetime, timedelta

import pytest
from factories import Shop
from lifecycle import at, cancel_at, fee, paid_from_31_march, shop_at, spans, through
from reading import invoices, periods, subscription

from billing.domain.errors import Invalid, TransitionNotAllowed
from billing.domain.periods import Interval
from billing.store.engine import Database
from billing.use_cases.cancel import CancelAt
from billing.use_cases.change_zone import ZoneChanged, change_zone, preview_change_zone


def move(shop: Shop, made, zone: str) -> ZoneChanged:
    return change_zone(shop.database, shop.ids, shop.sign, shop.clock.now(), made.id, zone)


# Stockholm  Mar 31         Apr 30
#            |--- period 1 ---|
# New York                   Apr 29 18:00 --- period 2 --- May 31 00:00
def test_a_customer_who_moves_west_has_one_month_6_hours_longer_for_the_same_price(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    done = move(shop, made, "America/New_York")
    assert done.from_at == at(4, 29, 22)
    assert subscription(shop, made.id).zone == "Europe/Stockholm"
    through(shop, at(6, 2), days=3)
    assert spans(shop, made) == [
        ("regular", "2027-03-31", "2027-04-30"),
        ("regular", "2027-04-29", "2027-05-31"),
        ("regular", "2027-05-31", "2027-06-30"),
    ]
    _, second, third = periods(shop, made.id)
    assert (second.ends_at, third.zone) == (at(5, 31, 4), "America/New_York")
    assert [invoice.total for invoice in invoices(shop)] == [2990, 2990, 2990]


def test_a_customer_who_moves_east_has_one_month_some_hours_shorter(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    move(shop, made, "Asia/Tokyo")
    through(shop, at(6, 2), days=3)
    second = periods(shop, made.id)[1]
    assert (second.starts_at, second.ends_at) == (at(4, 29, 22), at(5, 30, 15))
    assert spans(shop, made)[1:] == [("regular", "2027-04-30", "2027-05-31"), ("regular", "2027-05-31", "2027-06-30")]


# Honolulu    Apr 1         Apr 2         Apr 3
#             |--- day 1 ---|--- day 2 ---|
# Kiritimati                              Apr 4 |-- day 3, to Apr 5 --|
@pytest.mark.parametrize(
    ("zone", "other"), [("Pacific/Honolulu", "Pacific/Kiritimati"), ("Pacific/Kiritimati", "Pacific/Honolulu")]
)
def test_a_daily_cycle_across_the_date_line_tiles_and_is_billed_once_a_day(
    database: Database, zone: str, other: str
) -> None:
    shop = shop_at(database, at(4, 2))
    made = shop.subscription(price_id=fee(shop, interval=Interval.DAY), zone=zone)
    shop.tick()
    shop.after(minutes=40)
    move(shop, made, other)
    for _ in range(120):
        shop.after(hours=1)
    rows = periods(shop, made.id)
    spans(shop, made)
    assert {row.kind for row in rows} == {"regular"}
    assert len({row.cycle_index for row in rows}) == len(rows) == len(invoices(shop))
    assert max(row.ends_at - row.starts_at for row in rows) <= timedelta(hours=50)
    assert min(row.ends_at - row.starts_at for row in rows) > timedelta(0)
    assert rows[-1].zone == other


def test_a_preview_shows_the_first_period_of_the_new_zone_and_changes_nothing(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    shown = preview_change_zone(shop.database, shop.sign, shop.clock.now(), made.id, "America/New_York")
    assert shown.first.period.ends_at == at(5, 31, 4)
    assert (subscription(shop, made.id).pending_zone, subscription(shop, made.id).zone) == (None, "Europe/Stockholm")
    quoted = change_zone(
        shop.database, shop.ids, shop.sign, shop.clock.now(), made.id, "America/New_York", shown.quote.quote_id
    )
    assert quoted.first == shown.first


def test_naming_the_present_zone_again_forgets_the_move(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    move(shop, made, "Asia/Tokyo")
    move(shop, made, "Europe/Stockholm")
    assert subscription(shop, made.id).pending_zone is None


def test_before_the_start_the_whole_calendar_moves(database: Database) -> None:
    shop = shop_at(database, at(4, 10))
    made = shop.subscription(price_id=fee(shop), start_at=datetime(2027, 4, 19, 22, tzinfo=UTC))
    move(shop, made, "America/New_York")
    shop.at(at(4, 20))
    assert spans(shop, made) == [("regular", "2027-04-19", "2027-05-19")]


def test_a_stub_is_finished_in_its_own_zone_so_that_it_is_not_billed_as_a_month(database: Database) -> None:
    shop = shop_at(database, at(4, 28))
    made = shop.subscription(price_id=fee(shop, trial_days=7, anchor_policy="signup"))
    shop.tick()
    move(shop, made, "America/New_York")
    through(shop, at(6, 1), days=3)
    assert [kind for kind, _, _ in spans(shop, made)] == ["trial", "stub", "regular"]
    assert [invoice.total for invoice in invoices(shop)] == [2292, 2990]
    assert [row.zone for row in periods(shop, made.id)][1:] == ["Europe/Stockholm", "America/New_York"]


def test_a_late_period_that_waits_for_a_person_keeps_the_move_pending(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    move(shop, made, "America/New_York")
    shop.at(at(7, 20))
    waiting = subscription(shop, made.id)
    assert (waiting.review_reason, waiting.zone, waiting.pending_zone) == (
        "catch_up",
        "Europe/Stockholm",
        "America/New_York",
    )


def test_what_is_no_zone_and_what_has_ended_is_refused(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    with pytest.raises(Invalid, match="IANA"):
        move(shop, made, "Europe/Gotham")
    cancel_at(shop, made, CancelAt.NOW)
    with pytest.raises(TransitionNotAllowed, match="ended"):
        move(shop, made, "Asia/Tokyo")
