"""I1, I5, I12 and I4 where a second row, an account or an instant is part of the breach; and what each must stop."""

from datetime import timedelta

import pytest
from factories import Shop
from lifecycle import cancel_at, fee, pause_now
from verify.breaking import again, broken
from verify.scene import Lived, checked, only

from billing.domain.operations import OperationKind
from billing.ports import Answer, Unknown
from billing.store.engine import Database
from billing.use_cases.cancel import CancelAt

A_NEW_ID = "'0190000000007000800000000000000a'"
UNSENT = {"id": A_NEW_ID, "key": "NULL", "provider_id": "NULL", "merchant_reference": "NULL", "sent_at": "NULL"}
CAPTURED = "kind = 'purchase' AND \"authorization\" = 'captured'"


def test_two_live_purchases_of_an_invoice_break_i1_and_stop_their_account(shop: Lived) -> None:
    again(shop, "operations", "status = 'unknown'", "ix_operations_one_live_purchase", n="2", **UNSENT)
    report = checked(shop)
    assert "I1" in report.broken
    assert report.stops == {"main"}


def test_a_live_purchase_beside_one_that_was_given_up_breaks_nothing(shop: Lived) -> None:
    assert "I1" not in checked(shop).broken


def test_two_recurring_invoices_of_a_period_break_i1(shop: Lived) -> None:
    another_recurring_invoice(shop)
    assert only(checked(shop), "I1") == ["a period has at most one recurring invoice"]


def another_recurring_invoice(shop: Lived) -> None:
    empty = dict.fromkeys(
        ("total", "tax_total", "captured", "balance_used", "credited", "refunded", "credited_open"), "0"
    )
    without_number = dict.fromkeys(("number", "series_id", "issue_date", "paid_at"), "NULL")
    again(
        shop,
        "invoices",
        "kind = 'recurring' AND status = 'paid'",
        "ix_invoices_one_recurring",
        id=A_NEW_ID,
        status="'void'",
        closed_at="opened_at",
        **empty,
        **without_number,
    )


def test_a_purchase_after_one_that_lives_breaks_i5(shop: Lived) -> None:
    """With the index of I1 in place the second one is dead: what is wrong is the first."""
    again(
        shop,
        "operations",
        CAPTURED,
        n="2",
        status="'dropped'",
        standing="'dead'",
        dead_because="'given up'",
        authorization="'none'",
        remaining="NULL",
        sends="0",
        **UNSENT,
    )
    assert only(checked(shop), "I5") == ["an earlier purchase of an invoice is dead, with its proof"]


def test_more_refunds_than_a_capture_took_break_i6(shop: Lived) -> None:
    again(
        shop,
        "operations",
        "kind = 'refund'",
        n="9",
        status="'needs_operator'",
        settled_at="NULL",
        amount="amount + 5000",
        **UNSENT,
    )
    assert "no more is refunded of a capture than it took" in only(checked(shop), "I6")


def test_a_period_that_does_not_begin_where_the_last_one_ended_breaks_i10(shop: Lived) -> None:
    broken(shop, "UPDATE periods SET starts_at = '2028-02-28 23:00:00.000001' WHERE kind = 'regular' AND seq = 2")
    assert "periods are counted from 1, and each begins where the one before ends" in only(checked(shop), "I10")


def test_a_service_that_stood_still_is_late_with_everything(shop: Lived) -> None:
    report = checked(shop, now=shop.clock.now() + timedelta(days=40))
    assert report.broken == ["I2", "I4"], report.as_text()


def test_what_is_late_by_less_than_the_tolerance_is_not_lost(database: Database) -> None:
    """The period began at midnight in Stockholm, nine hours ago."""
    shop = Shop(database)
    shop.subscription()
    now = shop.clock.now()
    tolerance = timedelta(hours=10)
    assert checked(shop, now=now + timedelta(minutes=59), late=tolerance).holds
    assert checked(shop, now=now + timedelta(hours=3), late=tolerance).broken == ["I2"]


def test_a_question_may_wait_two_ticks(database: Database) -> None:
    shop = unanswered(database)
    asked_at = shop.clock.now() + timedelta(seconds=5)
    assert checked(shop, now=asked_at + timedelta(seconds=119)).holds
    assert checked(shop, now=asked_at + timedelta(seconds=121)).broken == ["I4"]
    assert checked(shop, now=asked_at + timedelta(seconds=121), tick=timedelta(seconds=120)).holds


def test_a_stopped_account_keeps_its_questions_and_charges_waiting(database: Database) -> None:
    shop = unanswered(database)
    broken(shop, f"UPDATE provider_accounts SET halted_at = '{shop.clock.now():%Y-%m-%d %H:%M:%S.%f}'")
    assert checked(shop, now=shop.clock.now() + timedelta(hours=5)).holds


def unanswered(database: Database) -> Shop:
    shop = Shop(database)
    shop.gateway.answer(OperationKind.PURCHASE, Unknown(Answer(message="no answer")))
    shop.subscription(price_id=fee(shop))
    shop.tick()
    return shop


def two_months(database: Database) -> Shop:
    """One subscription that is paused after its second month, one that ends then."""
    shop = Shop(database)
    made = [shop.subscription(price_id=fee(shop)), shop.subscription(price_id=fee(shop))]
    for _ in range(3):
        shop.tick()
        shop.after(minutes=31)
        shop.after(days=15)
    pause_now(shop, made[0])
    cancel_at(shop, made[1], CancelAt.NOW)
    assert checked(shop).holds, checked(shop).as_text()
    return shop


@pytest.mark.parametrize("status", ["paused", "ended"])
def test_a_charge_after_a_pause_or_an_end_breaks_i12_and_stops_the_account(database: Database, status: str) -> None:
    shop = two_months(database)
    late = "'2028-03-30 08:00:00.000000'"
    broken(shop, "UPDATE subscriptions SET cancel_at = NULL")
    broken(
        shop,
        f"UPDATE operations SET sent_at = {late}, settled_at = {late} WHERE id = (SELECT o.id FROM operations o JOIN"
        f" subscriptions s ON s.id = o.subscription_id WHERE o.kind = 'purchase' AND s.status = '{status}'"
        " ORDER BY o.id DESC LIMIT 1)",
    )
    broken(shop, "UPDATE invoices SET paid_at = '2028-03-30 09:00:00.000000'")
    report = checked(shop)
    assert only(report, "I12") == ["nothing was charged after a subscription was paused or had ended"]
    assert report.stops == {"main"}


def test_a_clock_that_was_put_back_proves_nothing(database: Database) -> None:
    shop = two_months(database)
    broken(shop, "UPDATE invoices SET paid_at = '2028-03-30 09:00:00.000000'")
    broken(
        shop,
        "UPDATE operations SET sent_at = '2028-03-30 08:00:00.000000' WHERE kind = 'purchase'",
    )
    assert checked(shop).holds, checked(shop).as_text()


def test_a_charge_for_an_invoice_that_was_paid_before_breaks_i12(database: Database) -> None:
    shop = two_months(database)
    broken(shop, "UPDATE invoices SET paid_at = opened_at WHERE status = 'paid'")
    broken(shop, "UPDATE operations SET sent_at = settled_at WHERE kind = 'purchase'")
    later = "UPDATE operations SET sent_at = '2028-02-01 12:00:00.000000', settled_at = '2028-02-01 12:00:00.000000'"
    broken(shop, f"{later} WHERE kind = 'purchase' AND sent_at < '2028-02-02'")
    assert only(checked(shop), "I12") == ["nothing was charged for an invoice that was paid or closed before"]


def test_a_charge_through_a_stopped_account_breaks_i12(database: Database) -> None:
    shop = two_months(database)
    broken(shop, "UPDATE provider_accounts SET halted_at = '2028-01-31 07:00:00.000000', halted_reason = 'by hand'")
    assert only(checked(shop), "I12") == ["nothing was charged through an account after it was stopped"]


def test_an_authorization_that_nobody_wants_breaks_i12(database: Database) -> None:
    shop = Shop(database)
    shop.subscription(price_id=fee(shop))
    shop.tick()
    broken(
        shop, "UPDATE operations SET due_at = NULL, status = 'dropped', settled_at = created_at WHERE kind = 'capture'"
    )
    broken(shop, "UPDATE invoices SET status = 'void', closed_at = '2028-01-31 09:00:00.000000'")
    assert only(checked(shop), "I12") == ["an authorization that nobody wants is given back"]


def test_a_charge_that_is_planned_for_a_paid_invoice_breaks_i12(shop: Lived) -> None:
    broken(
        shop,
        "UPDATE operations SET invoice_id = (SELECT id FROM invoices WHERE status = 'paid' AND total > 0 AND currency ="
        " 'SEK' ORDER BY id LIMIT 1), n = 2, status = 'planned', sent_at = NULL, sends = 0, next_check_at = NULL,"
        " due_at = '2028-05-01 00:00:00.000000' WHERE status = 'unknown'",
        "ix_operations_one_live_purchase",
    )
    assert "I12" in checked(shop).broken
