"""Pausing and resuming: which days are kept, what is skipped, what waits to be collected (billing rules, section 7)."""

from datetime import timedelta

import pytest
from factories import Shop
from lifecycle import at, fee, paid_from_31_march, pause_now, resume_now, shop_at, spans, through
from reading import event_types, invoices, operations, periods, subscription

from billing.domain.errors import Conflict, Invalid, TransitionNotAllowed
from billing.domain.operations import OperationKind
from billing.domain.pauses import PauseMode
from billing.ports import Answer, Declined
from billing.store.engine import Database
from billing.store.subscriptions import Subscription
from billing.use_cases.cancel import CancelAt, CancelRequest, CreditPolicy, cancel
from billing.use_cases.pause import PauseRequest, pause, preview_pause, undo_pause
from billing.use_cases.quoting import QuoteStale
from billing.use_cases.renew import renew
from billing.use_cases.replace_token import replace_token
from billing.use_cases.resume import ResumeRequest, preview_resume, resume
from billing.use_cases.review import clear_review
from billing.use_cases.sending import nothing
from billing.use_cases.subscribe import NewSubscription, subscribe

FREEZE, SKIP, COLLECTION_ONLY = PauseMode.FREEZE, PauseMode.SKIP, PauseMode.COLLECTION_ONLY
PURCHASE = OperationKind.PURCHASE
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")


def frozen_in_april(database: Database) -> tuple[Shop, Subscription]:
    shop, made = paid_from_31_march(database)
    shop.at(at(4, 11))
    pause_now(shop, made)
    return shop, made


# Mar 31     Apr 11              Jun 20       Jul 9          Aug 9
# |- 11 days -|..... paused .......|- 19 days -|- period 0 --|
def test_a_freeze_keeps_19_of_30_days_and_charges_next_on_9_july(database: Database) -> None:
    shop, made = frozen_in_april(database)
    assert spans(shop, made) == [("regular", "2027-03-31", "2027-04-11")]
    assert (subscription(shop, made.id).status, subscription(shop, made.id).access) == ("paused", "none")
    shop.at(at(6, 20))
    resume_now(shop, made)
    going = subscription(shop, made.id)
    assert (going.status, going.access, going.anchor_no, going.anchor_day) == ("active", "full", 1, 9)
    through(shop, at(7, 10))
    assert spans(shop, made) == [
        ("regular", "2027-03-31", "2027-04-11"),
        ("paused", "2027-04-11", "2027-06-20"),
        ("resumed", "2027-06-20", "2027-07-09"),
        ("regular", "2027-07-09", "2027-08-09"),
    ]
    assert [invoice.total for invoice in invoices(shop)] == [2990, 2990]


def test_the_rows_of_a_freeze_remember_the_whole_period_they_are_part_of(database: Database) -> None:
    shop, made = frozen_in_april(database)
    shop.at(at(6, 20))
    resume_now(shop, made)
    first, _, resumed = periods(shop, made.id)
    assert first.original_ends_at == at(4, 29, 22)
    assert (resumed.offset_days, resumed.full_days) == (11, 30)


def test_a_second_freeze_keeps_what_is_left_of_the_first(database: Database) -> None:
    # Mar 31     Apr 11      Jun 20     Jun 25       Jul 1       Jul 15
    # |- 11 days -|. paused .|- 5 days -|.. paused ..|- 14 days -|
    shop, made = frozen_in_april(database)
    shop.at(at(6, 20))
    resume_now(shop, made)
    shop.at(at(6, 25))
    assert pause_now(shop, made).frozen == (16, 14, 30)
    shop.at(at(7, 1))
    assert resume_now(shop, made).resumed.period.end_date.isoformat() == "2027-07-15"
    assert spans(shop, made)[-1] == ("resumed", "2027-07-01", "2027-07-15")


def test_a_pause_on_a_boundary_comes_before_the_period_that_would_open(database: Database) -> None:
    # Mar 31          Apr 30            May 20        Jun 20
    # |--- 30 days ---|.... paused ....|- period 0 --|
    shop, made = paid_from_31_march(database)
    pause_now(shop, made, at=at(4, 29, 22))
    shop.at(at(5, 1))
    assert spans(shop, made) == [("regular", "2027-03-31", "2027-04-30")]
    assert (subscription(shop, made.id).status, subscription(shop, made.id).frozen_days) == ("paused", 0)
    shop.at(at(5, 20))
    assert resume_now(shop, made).resumed is None
    shop.tick()
    assert spans(shop, made)[1:] == [("paused", "2027-04-30", "2027-05-20"), ("regular", "2027-05-20", "2027-06-20")]
    assert [invoice.total for invoice in invoices(shop)] == [2990, 2990]


def test_a_pause_with_its_end_resumes_by_itself_on_time_even_where_the_loop_is_late(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    shop.clock.set(at(4, 11))
    pause_now(shop, made, resume_at=at(6, 20))
    shop.at(at(6, 22))
    assert subscription(shop, made.id).status == "active"
    assert spans(shop, made)[1:] == [("paused", "2027-04-11", "2027-06-20"), ("resumed", "2027-06-20", "2027-07-09")]


def test_a_plan_ends_a_pause_after_its_longest_days(database: Database) -> None:
    shop, made = paid_from_31_march(database, pause_days_max=10)
    shop.at(at(4, 11))
    with pytest.raises(Invalid, match="at most 10 days"):
        pause_now(shop, made, resume_at=at(4, 30))
    assert pause_now(shop, made).resume_at == at(4, 20, 22)
    shop.at(at(4, 21))
    assert spans(shop, made)[-1] == ("resumed", "2027-04-21", "2027-05-10")


# Apr 30         May 31         Jun 20  Jun 30
# |-- skipped --|-- skipped ------|---------|-- billed --
def test_skipped_months_cost_nothing_and_the_calendar_stays(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    shop.at(at(4, 11))
    pause_now(shop, made, SKIP)
    through(shop, at(6, 19))
    shop.at(at(6, 20))
    resume_now(shop, made)
    through(shop, at(7, 1))
    assert spans(shop, made) == [
        ("regular", "2027-03-31", "2027-04-30"),
        ("skipped", "2027-04-30", "2027-05-31"),
        ("skipped", "2027-05-31", "2027-06-30"),
        ("regular", "2027-06-30", "2027-07-31"),
    ]
    assert [invoice.total for invoice in invoices(shop)] == [2990, 2990]


def test_a_skip_that_bills_its_stub_costs_10_of_30_days(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    shop.at(at(4, 11))
    pause_now(shop, made, SKIP, bills_stub=True)
    through(shop, at(6, 19))
    shop.at(at(6, 20))
    now = shop.clock.now()
    shown = preview_resume(shop.database, shop.seller, shop.sign, now, made.id, ResumeRequest())
    assert (shown.charge.total, shown.next_on.isoformat(), shown.next_total) == (997, "2027-06-30", 2990)
    done = resume(shop.database, shop.ids, shop.seller, shop.sign, now, made.id, ResumeRequest(), shown.quote.quote_id)
    assert done.money == shown.money
    shop.tick()
    assert [call.amount for call in shop.gateway.effects_of(PURCHASE)] == [2990, 997]
    through(shop, at(7, 1))
    assert spans(shop, made)[2:] == [
        ("skipped", "2027-05-31", "2027-06-20"),
        ("stub", "2027-06-20", "2027-06-30"),
        ("regular", "2027-06-30", "2027-07-31"),
    ]


def paused_collection(database: Database) -> tuple[Shop, Subscription]:
    shop, made = paid_from_31_march(database)
    shop.at(at(4, 11))
    pause_now(shop, made, COLLECTION_ONLY)
    through(shop, at(6, 20))
    return shop, made


def test_without_collection_service_and_invoices_go_on_and_nothing_is_attempted(database: Database) -> None:
    shop, made = paused_collection(database)
    assert (subscription(shop, made.id).status, subscription(shop, made.id).access) == ("paused", "full")
    assert [invoice.status for invoice in invoices(shop)] == ["paid", "open", "open"]
    assert [op.due_at for op in operations(shop, "purchase") if op.status == "planned"] == [None, None]
    assert len(shop.gateway.calls_of(PURCHASE)) == 1


def test_two_open_invoices_wait_for_a_person_and_are_then_collected_oldest_first(database: Database) -> None:
    shop, made = paused_collection(database)
    assert resume_now(shop, made).needs_approval
    shop.after(hours=2)
    assert subscription(shop, made.id).review_reason == "collect_after_pause"
    assert len(shop.gateway.calls_of(PURCHASE)) == 1
    clear_review(shop.database, shop.ids, shop.clock.now(), made.id, "the customer agreed", "an operator")
    shop.tick()
    assert len(shop.gateway.calls_of(PURCHASE)) == 2
    through(shop, at(6, 22))
    assert [invoice.status for invoice in invoices(shop)] == ["paid", "paid", "paid"]
    first, second = invoices(shop)[1:]
    assert first.paid_at < second.paid_at


def test_with_approval_given_at_once_the_oldest_is_collected_at_once(database: Database) -> None:
    shop, made = paused_collection(database)
    assert not resume_now(shop, made, collects_all=True).needs_approval
    shop.tick()
    assert shop.gateway.calls_of(PURCHASE)[1].operation_id == next(
        op.id for op in operations(shop, "purchase") if op.invoice_id == invoices(shop)[1].id
    )


def test_what_is_declined_before_a_pause_waits_and_is_still_owed_after_it(database: Database) -> None:
    shop = shop_at(database, at(3, 31))
    shop.gateway.answer(PURCHASE, SOFT)
    made = shop.subscription(price_id=fee(shop))
    shop.tick()
    exhausts_at = invoices(shop)[0].exhausts_at
    pause_now(shop, made)
    through(shop, at(5, 10))
    assert (len(shop.gateway.calls_of(PURCHASE)), invoices(shop)[0].status) == (1, "open")
    now = shop.clock.now()
    resume_now(shop, made)
    owing = subscription(shop, made.id)
    assert (owing.status, owing.access) == ("past_due", "grace")
    assert invoices(shop)[0].exhausts_at == exhausts_at + (now - at(3, 31))
    shop.after(days=1)
    shop.after(minutes=31)
    assert (invoices(shop)[0].status, subscription(shop, made.id).status) == ("paid", "active")


def test_a_freeze_before_the_charge_keeps_the_claim_and_collects_it_on_resume(database: Database) -> None:
    shop = shop_at(database, at(3, 31))
    made = shop.subscription(price_id=fee(shop))
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    assert pause_now(shop, made).waiting_invoice_ids == (invoices(shop)[0].id,)
    shop.after(days=3)
    assert not shop.gateway.calls
    resume_now(shop, made)
    shop.tick()
    shop.after(minutes=31)
    assert [invoice.status for invoice in invoices(shop)] == ["paid"]


def test_a_charge_in_the_air_when_the_pause_begins_is_captured(database: Database) -> None:
    shop = shop_at(database, at(3, 31))
    made = shop.subscription(price_id=fee(shop))
    shop.tick()
    pause_now(shop, made)
    shop.after(minutes=31)
    assert invoices(shop)[0].status == "paid"


def test_a_trial_paused_for_its_missing_token_resumes_with_a_full_paid_period(database: Database) -> None:
    # Apr 28   May 5              May 20           Jun 20
    # |-- trial -|... paused .....|--- period 0 ---|
    shop = shop_at(database, at(4, 28))
    price_id, customer_id = fee(shop, trial_days=7), shop.customer()
    new = NewSubscription(customer_id, price_id, None, provider_account="main")
    made = subscribe(shop.database, shop.ids, shop.clock.now(), new)
    through(shop, at(5, 19))
    assert subscription(shop, made.id).status == "paused"
    with pytest.raises(TransitionNotAllowed, match="no active token"):
        resume_now(shop, made)
    replace_token(shop.database, shop.ids, shop.clock.now(), made.id, shop.token(customer_id))
    shop.at(at(5, 20, 12))
    resume_now(shop, made)
    shop.after(hours=1)
    assert spans(shop, made) == [
        ("trial", "2027-04-28", "2027-05-05"),
        ("paused", "2027-05-05", "2027-05-20"),
        ("regular", "2027-05-20", "2027-06-20"),
    ]
    assert [invoice.total for invoice in invoices(shop)] == [2990]


def test_a_frozen_trial_goes_on_as_a_trial_and_converts_at_its_new_end(database: Database) -> None:
    # Apr 28  Apr 30   May 10    May 15          Jun 15
    # | 2 days |. paused .| 5 days |--- period 0 ---|
    shop = shop_at(database, at(4, 28))
    made = shop.subscription(price_id=fee(shop, trial_days=7))
    shop.tick()
    shop.at(at(4, 30))
    pause_now(shop, made)
    shop.at(at(5, 10))
    resume_now(shop, made)
    assert subscription(shop, made.id).status == "trialing"
    through(shop, at(5, 16))
    assert spans(shop, made)[2:] == [("trial", "2027-05-10", "2027-05-15"), ("regular", "2027-05-15", "2027-06-15")]
    assert subscription(shop, made.id).status == "active"


def test_a_frozen_subscription_that_is_canceled_gives_its_19_days_back(database: Database) -> None:
    shop, made = frozen_in_april(database)
    shop.at(at(6, 1))
    done = cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.NOW, CreditPolicy.REFUND))
    assert (done.credit.total, done.used_days, done.of_days) == (1894, 11, 30)


def test_canceling_in_the_resumed_days_gives_back_what_is_left_of_them(database: Database) -> None:
    shop, made = frozen_in_april(database)
    shop.at(at(6, 20))
    resume_now(shop, made)
    shop.at(at(6, 25))
    done = cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.NOW, CreditPolicy.REFUND))
    # C(16) of 2990 over 30 days is 1595.
    assert (done.credit.total, done.used_days) == (2990 - 1595, 16)


def test_what_cannot_be_paused_is_refused_and_nothing_is_written(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    shop.at(at(4, 11))
    before = event_types(shop)
    with pytest.raises(Invalid, match="past"):
        pause_now(shop, made, at=at(4, 10))
    with pytest.raises(Invalid, match="ends after it begins"):
        pause_now(shop, made, at=at(4, 20), resume_at=at(4, 15))
    with pytest.raises(Invalid, match="only skip"):
        pause_now(shop, made, bills_stub=True)
    with pytest.raises(TransitionNotAllowed, match="active"):
        resume_now(shop, made)
    with pytest.raises(Conflict, match="no pause is scheduled"):
        undo_pause(shop.database, shop.ids, shop.clock.now(), made.id)
    assert event_types(shop) == before
    assert subscription(shop, made.id).pause_mode is None


def test_a_pause_inside_the_minimum_term_is_refused_unless_the_plan_allows_it(database: Database) -> None:
    shop, made = paid_from_31_march(database, minimum_cycles=3)
    with pytest.raises(TransitionNotAllowed, match="2027-06-29"):
        pause_now(shop, made)
    lenient, other = shop, shop.subscription(price_id=fee(shop, minimum_cycles=3, pause_in_minimum_term=True))
    lenient.tick()
    assert pause_now(lenient, other).starts_now


def test_a_pause_that_is_scheduled_can_be_undone(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    pause_now(shop, made, at=at(4, 20))
    undo_pause(shop.database, shop.ids, shop.clock.now(), made.id)
    shop.at(at(4, 21))
    assert subscription(shop, made.id).status == "active"


def test_a_resume_from_the_end_of_the_subscription_on_is_refused(database: Database) -> None:
    shop, made = frozen_in_april(database)
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.DATE, ends_on=at(6, 1).date()))
    with pytest.raises(TransitionNotAllowed, match="nothing to resume"):
        resume_now(shop, made, at=at(6, 2))
    shop.at(at(6, 2))
    assert subscription(shop, made.id).end_reason == "canceled"


def test_a_quote_of_another_day_no_longer_holds(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    shop.clock.set(at(4, 29, 21) + timedelta(minutes=40))
    shown = preview_pause(shop.database, shop.sign, shop.clock.now(), made.id, PauseRequest())
    shop.at(at(4, 29, 22))
    with pytest.raises(QuoteStale):
        pause(shop.database, shop.ids, shop.sign, shop.clock.now(), made.id, PauseRequest(), shown.quote.quote_id)
    assert subscription(shop, made.id).status == "active"
