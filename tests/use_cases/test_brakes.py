"""What looks wrong is halted and no more than that, said, and let go by a person."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from factories import Shop
from reading import invoices, operations, periods, rows, subscription

from billing.domain.brakes import Limits
from billing.domain.errors import Conflict, Invalid, NotFound
from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.domain.terms import CatchUp
from billing.ports import Answer, Declined
from billing.store.brakes import Brake
from billing.store.decisions import Decision
from billing.store.outbox import Event
from billing.store.paces import AccountPace
from billing.store.runs import Run
from billing.store.subscriptions import Subscription
from billing.use_cases.catch_up import Decision as CatchUpDecision
from billing.use_cases.catch_up import NewApproval, approve_catch_up, catch_up
from billing.use_cases.operate import operate
from billing.use_cases.release_brake import BrakeRelease, list_brakes, release_brake
from billing.use_cases.renew import renew
from billing.use_cases.reopen_account import reopen_account
from billing.use_cases.sending import nothing
from billing.use_cases.subscribe import NewSubscription, subscribe

PURCHASE = OperationKind.PURCHASE
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")
LATE = timedelta(days=40)


def brakes(shop: Shop) -> list[tuple[str, bool]]:
    return [(row.kind, row.released_at is None) for row in rows(shop, Brake)]


def release(shop: Shop, until: datetime | None = None) -> Brake:
    (brake,) = list_brakes(shop.database, released=False)
    return release_brake(
        shop.database, shop.ids, shop.clock.now(), brake.id, BrakeRelease("an operator", "it is right", until)
    )


def many(shop: Shop, count: int, interval: Interval = Interval.MONTH) -> UUID:
    """So many subscriptions of one price, the first period of each paid."""
    price = shop.price(interval=interval)
    for _ in range(count):
        shop.subscription(price_id=price)
    shop.tick()
    return price


def approve(shop: Shop, policy: CatchUp) -> None:
    now = shop.clock.now()
    decision = CatchUpDecision(policy, "the board", "planned maintenance")
    new = NewApproval(decision, now, now + timedelta(days=365))
    approve_catch_up(shop.database, shop.ids, now, new)


# --- periods at once -------------------------------------------------------------------------------------------


def test_a_standing_approval_bills_three_late_periods_but_no_fourth_one(shop: Shop) -> None:
    many(shop, 1, Interval.WEEK)
    approve(shop, CatchUp.BILL_EACH)
    shop.after(days=21)
    for _ in range(4):
        shop.after(minutes=1)
    assert (len(invoices(shop)), brakes(shop)) == (4, [])


def test_more_than_three_periods_at_once_halt_the_subscription_alone(shop: Shop) -> None:
    many(shop, 1, Interval.WEEK)
    approve(shop, CatchUp.BILL_EACH)
    monthly = shop.subscription()
    shop.tick()
    shop.after(days=29)
    shop.after(minutes=40)
    (brake,) = rows(shop, Brake)
    (halted,) = [row for row in rows(shop, Subscription) if row.review_reason]
    assert (brake.kind, brake.subject, halted.review_reason) == ("periods_at_once", halted.id.hex, "catch_up")
    assert len(periods(shop, halted.id)) == 1
    assert len(periods(shop, monthly.id)) == 2
    assert "brake.engaged" in [event.type for event in rows(shop, Event) if event.subscription_id == halted.id]


def test_released_it_follows_the_standing_approval(shop: Shop) -> None:
    many(shop, 1, Interval.WEEK)
    approve(shop, CatchUp.BILL_CURRENT)
    shop.after(days=36)
    release(shop)
    shop.tick()
    assert [row.kind for row in periods(shop, rows(shop, Subscription)[0].id)] == [
        "regular",
        *["forgiven"] * 4,
        "regular",
    ]
    assert brakes(shop) == [("periods_at_once", False)]


def test_released_without_an_approval_it_waits_for_the_catch_up_decision(shop: Shop) -> None:
    many(shop, 1, Interval.WEEK)
    shop.after(days=36)
    release(shop)
    shop.tick()
    (row,) = rows(shop, Subscription)
    assert (row.review_reason, brakes(shop)) == ("catch_up", [("periods_at_once", False)])


def test_a_decision_about_the_subscription_itself_releases_its_brake(shop: Shop) -> None:
    many(shop, 1, Interval.WEEK)
    shop.after(days=36)
    (row,) = rows(shop, Subscription)
    decision = CatchUpDecision(CatchUp.BILL_EACH, "an operator", "the outage was ours")
    catch_up(shop.database, shop.ids, shop.seller, shop.clock.now(), row.id, decision)
    shop.tick()
    for _ in range(6):
        shop.after(minutes=1)
    assert len(invoices(shop)) == 6
    (brake,) = rows(shop, Brake)
    assert (brake.released_by, brake.released_because) == ("an operator", "bill_each: the outage was ours")


# --- the total of a run ----------------------------------------------------------------------------------------


def test_a_clock_that_jumps_40_days_ahead_halts_the_run_before_anything_is_opened(shop: Shop) -> None:
    many(shop, 11)
    shop.gateway.calls.clear()
    shop.after(days=40)
    (brake,) = rows(shop, Brake)
    (run,) = [row for row in rows(shop, Run) if row.halted_at]
    assert (brake.kind, brake.subject, run.halted_reason) == ("run_total", run.id.hex, brake.reason)
    assert run.forecast == {"SEK": {"expected": 0, "opened": 11 * 3970, "invoices": 11}}
    assert (len(invoices(shop)), [call for call in shop.gateway.calls if call.kind is PURCHASE]) == (11, [])
    assert brake.reason == "11 invoices of 43670 SEK in all, where 0 were to be expected (minor units)"


def test_a_clock_that_jumps_a_year_back_sends_nothing(shop: Shop) -> None:
    shop.clock = MovingClock(shop.clock.now())
    many(shop, 3)
    shop.gateway.calls.clear()
    shop.clock.instant -= timedelta(days=365)
    shop.tick()
    assert (shop.gateway.calls, brakes(shop)) == ([], [])


class MovingClock:
    """Goes wherever a test sets it, back too."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


def test_what_comes_due_later_is_another_run_and_goes_on(shop: Shop) -> None:
    price = many(shop, 11)
    shop.after(days=40)
    shop.after(seconds=1)
    shop.subscription(price_id=price)
    shop.tick()
    assert len(invoices(shop)) == 12
    assert brakes(shop) == [("run_total", True)]


def test_a_clock_that_is_right_again_finds_nothing_halted(shop: Shop) -> None:
    shop.clock = MovingClock(shop.clock.now())
    many(shop, 11)
    shop.clock.instant += timedelta(days=40)
    shop.tick()
    assert brakes(shop) == [("run_total", True)]
    shop.clock.instant = datetime(2028, 2, 29, 20, tzinfo=UTC)
    shop.tick()
    assert len(invoices(shop)) == 22


def test_a_halted_run_goes_on_once_it_is_released(shop: Shop) -> None:
    many(shop, 11)
    shop.after(days=40)
    release(shop)
    shop.tick()
    assert len(invoices(shop)) == 22
    (decision,) = rows(shop, Decision)
    assert (decision.verb, decision.by, decision.reason) == ("brake_release", "an operator", "it is right")
    assert [event.type for event in rows(shop, Event)].count("brake.released") == 1


def test_a_few_late_subscriptions_are_billed_late_as_ever(shop: Shop) -> None:
    many(shop, 10)
    shop.after(days=40)
    assert (len(invoices(shop)), brakes(shop)) == (20, [])


def test_any_number_of_renewals_in_time_passes(shop: Shop) -> None:
    many(shop, 30)
    shop.at(datetime(2028, 2, 29, 20, tzinfo=UTC))
    assert (len(invoices(shop)), brakes(shop)) == (60, [])


def test_a_run_that_bills_far_more_than_the_month_before_is_halted(shop: Shop) -> None:
    many(shop, 30)
    doubled = {"BASE": 3, "BOX": 6, "FREIGHT": 3}
    with shop.database.tx() as session:
        for row in rows_in(session):
            row.quantities = doubled
    shop.at(datetime(2028, 2, 29, 20, tzinfo=UTC))
    assert (len(invoices(shop)), brakes(shop)) == (30, [("run_total", True)])


def rows_in(session) -> list[Subscription]:
    from sqlmodel import select

    return list(session.exec(select(Subscription)).all())


# --- charges of one customer -----------------------------------------------------------------------------------


def test_the_eleventh_charge_of_a_customer_in_a_day_waits_and_others_do_not(shop: Shop) -> None:
    price, customer = shop.price(), shop.customer()
    token = shop.token(customer)
    for _ in range(12):
        subscribe(shop.database, shop.ids, shop.clock.now(), NewSubscription(customer, price, token, None))
    shop.subscription(price_id=price)
    shop.tick()
    assert len(shop.gateway.effects_of(PURCHASE)) == 11
    (brake,) = rows(shop, Brake)
    assert (brake.kind, brake.subject, brake.figures) == (
        "customer_charges",
        customer.hex,
        {"charges": 10, "limit": 10},
    )
    assert [op.status for op in operations(shop, "purchase")].count("planned") == 2
    shop.after(days=2)
    assert len(shop.gateway.effects_of(PURCHASE)) == 11
    release(shop)
    shop.after(hours=1)
    assert len(shop.gateway.effects_of(PURCHASE)) == 13


def test_charges_of_the_day_before_do_not_count(shop: Shop) -> None:
    price, customer = shop.price(), shop.customer()
    token = shop.token(customer)
    for day in range(2):
        for _ in range(10):
            subscribe(shop.database, shop.ids, shop.clock.now(), NewSubscription(customer, price, token, None))
        shop.tick()
        assert len(shop.gateway.effects_of(PURCHASE)) == 10 * (day + 1)
        shop.after(days=1)
    assert brakes(shop) == []


# --- declines --------------------------------------------------------------------------------------------------


def declined(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, *[SOFT] * 16)
    for _ in range(50):
        shop.subscription()
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    operate(shop.sending)


def test_a_decline_rate_far_from_normal_is_a_brake_of_the_account(shop: Shop) -> None:
    declined(shop)
    (brake,) = rows(shop, Brake)
    assert (brake.kind, brake.subject) == ("decline_rate", "main")
    assert (brake.figures["answers"], brake.figures["declines"]) == (50, 16)
    until = shop.clock.now() + timedelta(days=3)
    release(shop, until)
    with shop.database.tx() as session:
        pace = session.get_one(AccountPace, "main")
    assert (pace.breaker, pace.declines_accepted_until) == ("closed", until)


def test_reopening_the_account_releases_its_brake(shop: Shop) -> None:
    declined(shop)
    reopen_account(shop.database, shop.ids, shop.clock.now(), "main", "a card scheme was down")
    assert brakes(shop) == [("decline_rate", False)]


# --- releasing -------------------------------------------------------------------------------------------------


def test_a_brake_is_released_once_and_with_leave_that_lasts(shop: Shop) -> None:
    many(shop, 11)
    shop.after(days=40)
    with pytest.raises(Invalid, match="in the future"):
        release(shop, shop.clock.now())
    brake = release(shop)
    assert brake.allowed_until == shop.clock.now() + timedelta(days=1)
    with pytest.raises(Conflict, match="was released"):
        release_brake(shop.database, shop.ids, shop.clock.now(), brake.id, BrakeRelease("somebody", "again"))
    with pytest.raises(NotFound):
        release_brake(shop.database, shop.ids, shop.clock.now(), shop.ids.new(), BrakeRelease("somebody", "why"))


def test_limits_are_settings(shop: Shop) -> None:
    many(shop, 3)
    shop.clock.set(shop.clock.now() + LATE)
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller, Limits(run_slack_invoices=2))
    assert brakes(shop) == [("run_total", True)]
    assert subscription(shop, rows(shop, Subscription)[0].id).next_seq == 2
