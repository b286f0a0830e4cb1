"""What somebody does in the provider's own portal: it comes in with its books, or a person is asked; and once."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from factories import Shop
from fakes.gateway import TakenButLost
from portal import WatchedShop, booked, only, refunded
from reading import credit_lines, credit_notes, event_types, invoices, observations, operations

from billing.domain.operations import OperationKind
from billing.domain.pacing import PARTS
from billing.ports import Answer, Refused, Unknown
from billing.store.accounts import ProviderAccount
from billing.store.engine import Database
from billing.store.paces import AccountPace
from billing.store.plans import CaptureMode
from billing.use_cases.watch_orders import watch_orders

CAPTURE, PURCHASE, REFUND, VOID = (
    OperationKind.CAPTURE,
    OperationKind.PURCHASE,
    OperationKind.REFUND,
    OperationKind.VOID,
)
MANUAL = {"capture": CaptureMode.MANUAL}


@pytest.fixture
def shop(database: Database) -> WatchedShop:
    return WatchedShop(database)


# --- when it is looked ----------------------------------------------------------------------------------------


def test_an_order_is_read_hours_after_it_was_settled_daily_for_14_days_then_weekly_until_60(shop: WatchedShop) -> None:
    # captured   2-6 h    day 1 .. 14 daily       weekly           day 60
    # |----------|--------|--|--|--|--|--|--------|-------|--- ... |
    purchase = shop.paid()
    captured_at = shop.clock.now()
    waits = []
    while (at := shop.now_of(purchase).look_at) is not None:
        waits.append(at - captured_at)
        shop.clock.set(at)
        assert watch_orders(shop.sending) == 1
    assert timedelta(hours=2) <= waits[0] < timedelta(hours=6)
    steps = [after - before for before, after in pairwise(waits)]
    assert set(steps[:14]) == {timedelta(days=1)}
    assert set(steps[14:]) == {timedelta(days=7)}
    assert timedelta(days=53) < waits[-1] <= timedelta(days=60)


def test_what_waits_for_its_capture_is_looked_at_every_day(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    shop.looks(days=20)
    assert shop.now_of(purchase).look_at == shop.clock.now() + timedelta(days=1)


def test_a_dead_purchase_is_not_looked_at_again(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    shop.portal(purchase, authorization="voided")
    shop.looks()
    shop.looks()
    assert shop.now_of(purchase).look_at is None


def test_an_order_that_cannot_be_read_is_read_again_a_day_later_and_changes_nothing(shop: WatchedShop) -> None:
    purchase = shop.paid()
    before = event_types(shop)
    shop.gateway.unreadable_orders.add(purchase.provider_id or "")
    shop.looks(hours=6)
    assert (event_types(shop), shop.now_of(purchase).look_at) == (before, shop.clock.now() + timedelta(days=1))


def test_looks_take_permits_and_what_finds_none_waits_for_some(shop: WatchedShop) -> None:
    shop.paid()
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    with shop.database.tx() as session:
        row = session.get_one(ProviderAccount, "main")
        row.rate_per_second, row.burst = 1, 1
        pace = session.get_one(AccountPace, "main")
        pace.bucket_level, pace.bucket_at = PARTS, shop.clock.now() + timedelta(hours=12)
    shop.clock.set(shop.clock.now() + timedelta(hours=12))
    shop.gateway.asked.clear()
    assert watch_orders(shop.sending) == 2
    assert len(shop.gateway.asked) == 1
    assert watch_orders(shop.sending) == 0
    shop.clock.set(shop.clock.now() + timedelta(seconds=1))
    watch_orders(shop.sending)
    assert len(shop.gateway.asked) == 2


# --- captures -------------------------------------------------------------------------------------------------


def test_a_capture_in_the_portal_pays_the_invoice_as_ours_would(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    shop.takes(purchase, 3970)
    shop.looks()
    row, invoice = only(operations(shop, "capture")), only(invoices(shop))
    assert (row.origin, row.status, row.provider_id, row.amount) == ("external", "succeeded", "portal-1", 3970)
    assert (row.sent_at, row.sends, row.key) == (None, 0, None)
    assert (invoice.status, invoice.number, invoice.captured) == ("paid", 1, 3970)
    assert (shop.now_of(purchase).authorization, shop.now_of(purchase).remaining) == ("captured", 0)
    assert (booked(shop)["receivable"], booked(shop)["provider_clearing"]) == (0, 3970)
    assert "capture.linked" in event_types(shop)
    assert shop.gateway.calls_of(CAPTURE) == []


def test_a_capture_seen_again_is_the_same_row(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    shop.takes(purchase, 3970)
    for _ in range(5):
        shop.looks()
    assert len(operations(shop, "capture")) == 1
    assert booked(shop)["provider_clearing"] == 3970


def test_a_capture_that_we_had_planned_is_not_sent_after_the_portal_took_it(shop: WatchedShop) -> None:
    purchase = shop.bought(capture_delay_minutes=60 * 24 * 3)
    shop.takes(purchase, 3970)
    shop.looks()
    shop.looks(days=4)
    planned, external = operations(shop, "capture")
    assert (planned.status, external.origin) == ("dropped", "external")
    assert (shop.gateway.calls_of(CAPTURE), only(invoices(shop)).captured) == ([], 3970)


def test_a_part_that_only_one_set_of_lines_makes_up_is_taken_of_these_lines(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    shop.takes(purchase, 2480)
    shop.looks()
    row, invoice = only(operations(shop, "capture")), only(invoices(shop))
    assert [(part["units"], part["amount"]) for part in row.details["lines"]] == [(1, 1990), (1, 490)]
    assert (invoice.status, invoice.captured, shop.now_of(purchase).remaining) == ("open", 2480, 1490)
    shop.takes(purchase, 1490, "portal-9")
    shop.looks()
    assert only(invoices(shop)).status == "paid"


def test_after_a_part_in_the_portal_our_own_capture_takes_what_is_left(shop: WatchedShop) -> None:
    purchase = shop.bought(capture_delay_minutes=60 * 24 * 3)
    shop.takes(purchase, 490)
    shop.looks()
    shop.looks(days=3)
    assert [call.amount for call in shop.gateway.calls_of(CAPTURE)] == [3480]
    assert (only(invoices(shop)).status, only(invoices(shop)).captured) == ("paid", 3970)


def test_an_amount_that_no_lines_make_up_goes_to_a_person_and_nothing_is_written(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    shop.takes(purchase, 1000)
    for _ in range(3):
        shop.looks()
    assert (operations(shop, "capture"), only(invoices(shop)).captured) == ([], 0)
    assert shop.now_of(purchase).remaining == 3970
    assert shop.review_of(purchase) == "order_differs"
    assert event_types(shop).count("order.differs") == 1


def test_a_capture_for_an_invoice_that_is_not_open_goes_to_a_person(shop: WatchedShop) -> None:
    purchase = shop.paid()
    shop.portal(purchase, amount=9999)
    shop.takes(purchase, 100)
    shop.looks()
    assert (len(operations(shop, "capture")), shop.review_of(purchase)) == (1, "order_differs")


def test_a_capture_under_one_of_our_references_that_no_row_knows_goes_to_a_person(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    shop.takes(purchase, 3970, reference="op-0123456789abcdef0123")
    shop.looks()
    assert (operations(shop, "capture"), shop.review_of(purchase)) == ([], "order_differs")


def test_a_capture_of_ours_that_the_order_does_not_have_goes_to_a_person(shop: WatchedShop) -> None:
    purchase = shop.paid()
    shop.portal(purchase, captures=(), captured_amount=0)
    shop.looks()
    assert (only(invoices(shop)).captured, shop.review_of(purchase)) == (3970, "order_differs")


# --- what may be ours -----------------------------------------------------------------------------------------


def test_a_capture_whose_outcome_is_unknown_is_settled_by_the_look_and_not_adopted(shop: WatchedShop) -> None:
    purchase = shop.bought(capture_delay_minutes=60 * 6)
    shop.gateway.answer(CAPTURE, TakenButLost())
    shop.clock.set(purchase.settled_at + timedelta(hours=6))
    Shop.once(shop)
    assert only(operations(shop, "capture")).status == "unknown"
    assert watch_orders(shop.sending) == 1
    row = only(operations(shop, "capture"))
    assert (row.status, row.origin, row.provider_id) == ("succeeded", "ours", "capture-1")


def test_a_refused_capture_that_somebody_then_made_by_hand_is_settled_with_theirs(shop: WatchedShop) -> None:
    purchase = shop.bought()
    shop.gateway.answer(CAPTURE, Refused(Answer(403, "CAPTURE_NOT_ALLOWED")))
    shop.after(minutes=31)
    assert only(operations(shop, "capture")).status == "needs_operator"
    shop.takes(purchase, 3970)
    shop.looks()
    row = only(operations(shop, "capture"))
    assert (row.status, row.origin, row.provider_id) == ("succeeded", "external", "portal-1")
    assert only(invoices(shop)).status == "paid"


def test_nothing_is_adopted_while_a_call_of_ours_may_have_done_it(shop: WatchedShop) -> None:
    purchase = shop.paid()
    shop.gateway.always(REFUND, Unknown(Answer(message="no answer")))
    refunded(shop, 500)
    shop.gives(purchase, 400)
    shop.looks(hours=6)
    assert [op.status for op in operations(shop, "refund")] == ["unknown"]
    assert len(credit_notes(shop)) == 1


def test_a_refund_paid_by_hand_in_place_of_one_of_unknown_outcome_is_that_one(shop: WatchedShop) -> None:
    purchase = shop.paid()
    shop.gateway.always(REFUND, Refused(Answer(403, "REFUND_NOT_ALLOWED")))
    refunded(shop, 500)
    shop.gives(purchase, 500)
    shop.looks()
    row = only(operations(shop, "refund"))
    assert (row.status, row.provider_id, only(invoices(shop)).refunded) == ("succeeded", "portal-2", 500)
    assert only(credit_notes(shop)).refunded_at == row.settled_at


# --- refunds --------------------------------------------------------------------------------------------------


def test_a_refund_in_the_portal_has_its_credit_note_with_the_right_tax(shop: WatchedShop) -> None:
    purchase = shop.paid()
    shop.gives(purchase, 1000)
    shop.looks()
    row, note, invoice = only(operations(shop, "refund")), only(credit_notes(shop)), only(invoices(shop))
    assert (row.origin, row.status, row.provider_id, row.amount) == ("external", "succeeded", "portal-2", 1000)
    assert (row.subject, row.capture_id) == (note.id, only(operations(shop, "capture")).id)
    assert (note.total, note.effect_refund, note.number, note.refunded_at) == (1000, 1000, 1, row.settled_at)
    # 10.00 over 19.90, 14.90 and 4.90: the tax is each line's own share, 25 %, 12 % and 25 %.
    assert [(line.amount, line.tax_amount) for line in credit_lines(shop)] == [(501, 100), (375, 40), (124, 25)]
    assert (invoice.credited, invoice.refunded) == (1000, 1000)
    sums = booked(shop)
    assert (sums["receivable"], sums["refund_payable"], sums["provider_clearing"]) == (0, 0, 2970)
    assert shop.gateway.calls_of(REFUND) == []


def test_a_refund_of_all_in_the_portal_empties_every_line(shop: WatchedShop) -> None:
    purchase = shop.paid()
    shop.gives(purchase, 3970)
    for _ in range(3):
        shop.looks()
    assert (only(credit_notes(shop)).total, only(credit_notes(shop)).tax_total) == (3970, 656)
    assert [line.quantity for line in credit_lines(shop)] == [1, 2, 1]
    assert booked(shop)["provider_clearing"] == 0


def test_capture_and_refund_found_by_one_look_both_come_in(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    shop.takes(purchase, 3970)
    shop.gives(purchase, 970)
    shop.looks()
    assert [op.kind for op in operations(shop) if op.origin == "external"] == ["capture", "refund"]
    assert (only(invoices(shop)).captured, only(invoices(shop)).refunded) == (3970, 970)


def test_more_back_than_is_left_goes_to_a_person_and_leaves_no_credit_note(shop: WatchedShop) -> None:
    purchase = shop.paid()
    refunded(shop, 3000)
    shop.gives(purchase, 1500)
    shop.looks()
    assert (len(credit_notes(shop)), shop.review_of(purchase)) == (1, "order_differs")
    assert only(invoices(shop)).refunded == 3000


def test_a_refund_while_a_part_is_still_owed_goes_to_a_person(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    shop.takes(purchase, 2480)
    shop.looks()
    shop.gives(purchase, 100)
    shop.looks()
    assert (credit_notes(shop), shop.review_of(purchase)) == ([], "order_differs")


# --- authorizations -------------------------------------------------------------------------------------------


def test_an_authorization_canceled_in_the_portal_is_dead_and_nobody_is_charged_again(shop: WatchedShop) -> None:
    purchase = shop.bought(capture_delay_minutes=60 * 24 * 3)
    shop.portal(purchase, authorization="voided")
    shop.looks()
    shop.looks(days=5)
    dead, void = shop.now_of(purchase), only(operations(shop, "void"))
    assert (dead.authorization, dead.standing, dead.remaining) == ("voided", "dead", 0)
    assert (void.origin, void.status, void.amount) == ("external", "succeeded", 3970)
    assert dead.dead_because == f"voided by operation {void.id.hex}"
    assert [op.status for op in operations(shop, "capture")] == ["dropped"]
    assert (len(operations(shop, "purchase")), len(shop.gateway.calls)) == (1, 1)
    assert (only(invoices(shop)).status, shop.review_of(purchase)) == ("open", "authorization_given_back")


def test_the_rest_released_in_the_portal_is_no_longer_ours_to_take(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    shop.takes(purchase, 2480)
    shop.looks()
    shop.portal(purchase, authorization="captured")
    shop.looks()
    release = only(operations(shop, "release"))
    assert (release.origin, release.status, release.amount) == ("external", "succeeded", 1490)
    assert (shop.now_of(purchase).authorization, shop.now_of(purchase).remaining) == ("released", 0)
    assert (only(invoices(shop)).captured, shop.review_of(purchase)) == (2480, "authorization_given_back")


def test_an_end_that_was_moved_in_the_portal_moves_our_extension(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    ends_at: datetime = purchase.expires_at + timedelta(days=20)
    shop.portal(purchase, expires_at=ends_at)
    shop.looks()
    extend = only(operations(shop, "extend"))
    assert shop.now_of(purchase).expires_at == ends_at
    assert (extend.due_at, extend.details["ends_at"]) == (ends_at - timedelta(days=3), ends_at.isoformat())
    assert event_types(shop).count("authorization.end_moved") == 1


@pytest.mark.parametrize(
    "changes",
    [{"authorization": "expired"}, {"authorization": "rejected"}, {"amount": 1000}, {"currency": "EUR"}],
)
def test_an_order_that_became_another_goes_to_a_person(shop: WatchedShop, changes: dict[str, Any]) -> None:
    purchase = shop.bought(**MANUAL)
    shop.portal(purchase, **changes)
    for _ in range(3):
        shop.looks()
    assert shop.review_of(purchase) == "order_differs"
    assert event_types(shop).count("order.differs") == 1
    assert len(operations(shop)) == 1 + len(operations(shop, "extend"))


def test_another_difference_is_told_again(shop: WatchedShop) -> None:
    purchase = shop.bought(**MANUAL)
    for amount in (1000, 900):
        shop.portal(purchase, amount=amount)
        shop.looks()
    assert event_types(shop).count("order.differs") == 2
    assert [row.facts["read"][1] for row in observations(shop) if row.outcome == "look"] == [1000, 900]
