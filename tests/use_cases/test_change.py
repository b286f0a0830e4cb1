"""Changing plan, quantity and interval: what is given back, what is charged, when it takes effect."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from factories import BASE_FEE, BOXES, FREIGHT, Shop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import event_types, invoices, operations, periods, rows, subscription
from sqlmodel import select

from billing.adapters.clock import SimulatedClock
from billing.domain.changes import ChangeMode, Direction
from billing.domain.errors import Conflict, CurrencyMismatch, Invalid, PlanArchived, TransitionNotAllowed
from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule, PriceItem, Recognize
from billing.ports import Answer, Declined
from billing.store.balances import CustomerBalance, PendingLine
from billing.store.customers import StoredToken
from billing.store.invoices import InvoiceLine
from billing.store.plans import Plan, Proration
from billing.store.subscriptions import Subscription
from billing.use_cases.change import Change, ChangeRequest, cancel_change, change, preview_change
from billing.use_cases.discount import NewDiscount, grant_discount
from billing.use_cases.pause import PauseRequest, pause
from billing.use_cases.quoting import QuoteStale
from billing.use_cases.resume import ResumeRequest, resume

PURCHASE = OperationKind.PURCHASE
NOW, NEXT, LATER, RESET = ChangeMode


def fee(amount: int, *, quantity: int = 1) -> PriceItem:
    return PriceItem("PLAN", "Plan", quantity, amount, 2500, CreditRule.TIME, Recognize.TIME)


def paid(shop: Shop, *, items: tuple[PriceItem, ...] = (fee(2990),), **plan: object) -> UUID:
    """A subscription in its period of 30 days from 2028-03-31, paid."""
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    made = shop.subscription(price_id=shop.price(items=items, **plan))
    shop.tick()
    shop.after(minutes=31)
    return made.id


def on_april(shop: Shop, day: int) -> None:
    shop.at(datetime(2028, 4, day, 10, tzinfo=UTC))


def asked(shop: Shop, subscription_id: UUID, quote_id: str | None = None, **wanted: object) -> Change:
    now, request = shop.clock.now(), ChangeRequest(**wanted)
    return change(shop.database, shop.ids, shop.seller, shop.sign, now, subscription_id, request, quote_id)


def shown(shop: Shop, subscription_id: UUID, **wanted: object) -> Change:
    now, request = shop.clock.now(), ChangeRequest(**wanted)
    return preview_change(shop.database, shop.seller, shop.sign, now, subscription_id, request)


def lines(shop: Shop, invoice_id: UUID) -> list[tuple[int, int]]:
    found = [line for line in rows(shop, InvoiceLine) if line.invoice_id == invoice_id]
    return [(line.amount, line.tax_amount) for line in sorted(found, key=lambda line: line.position)]


def balance(shop: Shop) -> int:
    return sum(row.amount for row in _balances(shop))


def _balances(shop: Shop) -> list[CustomerBalance]:
    with shop.database.tx() as session:
        return list(session.exec(select(CustomerBalance)))


def test_an_upgrade_after_11_of_30_days_charges_1266_with_253_tax_at_once(shop: Shop) -> None:
    # Mar 31        Apr 11                Apr 30
    # |-- 2990 -----|--- 19 days of 4990 -|
    made = paid(shop)
    on_april(shop, 11)
    done = asked(shop, made, price_id=shop.price(items=(fee(4990),)))
    assert (done.plan.direction, done.plan.mode) == (Direction.UPGRADE, NOW)
    assert lines(shop, done.invoice_id) == [(-1894, -379), (3160, 632)]
    assert (done.plan.total, done.plan.tax_total, done.due_now) == (1266, 253, 1266)
    shop.tick()
    shop.after(minutes=31)
    assert [call.amount for call in shop.gateway.effects_of(PURCHASE)] == [2990, 1266]
    assert invoices(shop)[1].status == "paid"
    shop.at(datetime(2028, 4, 30, 12, tzinfo=UTC))
    assert invoices(shop)[2].total == 4990
    assert periods(shop, made)[1].start_date == date(2028, 4, 30)


def test_the_credit_stands_on_the_line_it_was_taken_from_and_the_books_still_sum(shop: Shop) -> None:
    made = paid(shop)
    on_april(shop, 11)
    asked(shop, made, price_id=shop.price(items=(fee(4990),)))
    first = next(line for line in rows(shop, InvoiceLine) if line.amount == 2990)
    assert (first.adjusted_amount, first.adjusted_tax) == (1894, 379)
    negative = next(line for line in rows(shop, InvoiceLine) if line.amount < 0)
    assert negative.adjusts_line_id == first.id
    assert negative.derivation == "19 of 30 days unused: 2990 - 1096 = 1894"


def test_a_preview_is_what_the_change_then_does_and_changes_nothing_itself(shop: Shop) -> None:
    made = paid(shop)
    on_april(shop, 11)
    dearer, before = shop.price(items=(fee(4990),)), event_types(shop)
    seen = shown(shop, made, price_id=dearer)
    assert (event_types(shop), subscription(shop, made).price_id == dearer) == (before, False)
    done = asked(shop, made, seen.quote.quote_id, price_id=dearer)
    assert (seen.plan.money, seen.plan.lines) == (done.plan.money, done.plan.lines)
    assert (seen.due_now, seen.balance_after) == (done.due_now, done.balance_after)
    assert (seen.plan.next_on, seen.plan.next_total) == (date(2028, 4, 30), 4990)


def test_a_downgrade_waits_for_the_end_of_the_period_and_costs_nothing_now(shop: Shop) -> None:
    made = paid(shop, items=(fee(4990),))
    on_april(shop, 11)
    done = asked(shop, made, price_id=shop.price(items=(fee(2990),)))
    assert (done.plan.mode, done.due_now, done.plan.lines) == (LATER, 0, ())
    assert done.plan.effective_at == periods(shop, made)[0].ends_at
    shop.at(datetime(2028, 4, 30, 12, tzinfo=UTC))
    assert [invoice.total for invoice in invoices(shop)] == [4990, 2990]
    assert subscription(shop, made).pending_change is None


def test_a_downgrade_charged_now_becomes_balance_that_pays_the_next_invoice(shop: Shop) -> None:
    made = paid(shop, items=(fee(4990),))
    on_april(shop, 11)
    done = asked(shop, made, price_id=shop.price(items=(fee(2990),)), mode=NOW)
    assert (done.plan.total, done.due_now, done.balance_after, balance(shop)) == (-1266, 0, 1266, 1266)
    assert invoices(shop)[1].status == "paid"
    shop.at(datetime(2028, 4, 30, 12, tzinfo=UTC))
    assert operations(shop, "purchase")[-1].amount == 2990 - 1266


def test_what_waits_for_the_next_invoice_stands_on_it(shop: Shop) -> None:
    made = paid(shop)
    on_april(shop, 11)
    done = asked(shop, made, price_id=shop.price(items=(fee(4990),)), mode=NEXT)
    assert (done.due_now, done.invoice_id, done.plan.next_total) == (0, None, 4990 + 1266)
    shop.at(datetime(2028, 4, 30, 12, tzinfo=UTC))
    assert lines(shop, invoices(shop)[1].id) == [(4990, 998), (-1894, -379), (3160, 632)]


def test_a_second_change_shortens_the_charge_that_still_waits(shop: Shop) -> None:
    # Apr 11 (19 days left)   Apr 20 (10 left)
    made = paid(shop)
    on_april(shop, 11)
    middle, most = shop.price(items=(fee(4990),)), shop.price(items=(fee(5990),))
    asked(shop, made, price_id=middle, mode=NEXT)
    on_april(shop, 20)
    asked(shop, made, price_id=most, mode=NEXT)
    waiting = rows(shop, PendingLine)
    assert [line.amount for line in waiting] == [-1894, 1497, 5990 - 3993]
    assert [line.ends_on for line in waiting] == [date(2028, 4, 30), date(2028, 4, 20), date(2028, 4, 30)]


def test_month_to_year_credits_the_unused_days_and_starts_a_whole_year_today(shop: Shop) -> None:
    # Mar 31        Apr 11                                Apr 11 2029
    # |-- closed ---|---------------- one year -----------|
    made = paid(shop)
    on_april(shop, 11)
    yearly = shop.price(items=(fee(29900),), interval=Interval.YEAR)
    done = asked(shop, made, price_id=yearly)
    assert (done.plan.direction, done.plan.mode) == (Direction.LONGER_INTERVAL, RESET)
    assert (done.plan.total, done.due_now) == (29900 - 1894, 29900 - 1894)
    first, second = periods(shop, made)
    assert (first.end_date, first.ends_at) == (date(2028, 4, 11), second.starts_at)
    assert first.original_ends_at == datetime(2028, 4, 29, 22, tzinfo=UTC)
    assert (second.anchor_no, second.cycle_index, second.end_date) == (1, 0, date(2029, 4, 11))
    shop.tick()
    assert shop.gateway.effects_of(PURCHASE)[-1].amount == 29900 - 1894


def test_year_to_month_starts_the_month_where_the_year_ends(shop: Shop) -> None:
    shop.clock.set(datetime(2028, 3, 31, 8, tzinfo=UTC))
    made = shop.subscription(price_id=shop.price(items=(fee(29900),), interval=Interval.YEAR))
    shop.tick()
    shop.after(minutes=31)
    done = asked(shop, made.id, price_id=shop.price(items=(fee(2990),)))
    assert (done.plan.direction, done.plan.mode) == (Direction.SHORTER_INTERVAL, LATER)
    shop.at(datetime(2029, 3, 31, 12, tzinfo=UTC))
    last = periods(shop, made.id)[-1]
    assert (last.anchor_no, last.start_date, last.end_date) == (1, date(2029, 3, 31), date(2029, 4, 30))
    assert invoices(shop)[-1].total == 2990


def test_more_seats_touch_only_the_article_that_changes(shop: Shop) -> None:
    seats = PriceItem("SEAT", "Seat", 2, 1000, 2500, CreditRule.TIME, Recognize.TIME)
    made = paid(shop, items=(fee(2990), seats))
    on_april(shop, 11)
    done = asked(shop, made, quantities={"SEAT": 3})
    assert done.plan.direction is Direction.QUANTITY_UP
    assert {line.article_number for line in done.plan.lines} == {"SEAT"}
    assert (subscription(shop, made).quantities, done.due_now) == ({"SEAT": 3}, 1900 - 1267)
    shop.tick()
    shop.at(datetime(2028, 4, 30, 12, tzinfo=UTC))
    assert invoices(shop)[-1].total == 2990 + 3000


def test_goods_are_not_prorated_and_come_with_the_next_period(shop: Shop) -> None:
    made = paid(shop, items=(BASE_FEE, BOXES, FREIGHT))
    on_april(shop, 11)
    done = asked(shop, made, quantities={"BOX": 4}, mode=NOW)
    assert (done.plan.lines, done.due_now, done.invoice_id) == ((), 0, None)
    assert done.plan.next_total == 1990 + 4 * 745 + 490


def test_changing_there_and_back_on_one_day_costs_nothing(shop: Shop) -> None:
    made = paid(shop)
    on_april(shop, 11)
    old = subscription(shop, made).price_id
    there = asked(shop, made, price_id=shop.price(items=(fee(4990),)))
    shop.tick()
    back = asked(shop, made, price_id=old, mode=NOW)
    assert there.plan.total + back.plan.total == 0
    assert balance(shop) == 1266


_CHANGES = st.lists(st.tuples(st.integers(1, 29), st.integers(0, 3)), min_size=1, max_size=6)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=_CHANGES)
def test_any_sequence_of_changes_sums_and_never_credits_more_than_a_line(shop: Shop, steps: list) -> None:
    shop.clock = SimulatedClock(datetime(2028, 3, 31, 8, tzinfo=UTC))
    made = paid(shop)
    prices = [shop.price(items=(fee(amount),)) for amount in (2990, 4990, 333, 10001)]
    for day, choice in sorted(steps, key=lambda step: step[0]):
        shop.at(max(shop.clock.now(), datetime(2028, 4, day, 10, tzinfo=UTC)))
        if subscription(shop, made).price_id != prices[choice]:
            asked(shop, made, price_id=prices[choice], mode=NOW)
            shop.tick()
    own = {invoice.id for invoice in invoices(shop) if invoice.subscription_id == made}
    found = [line for line in rows(shop, InvoiceLine) if line.invoice_id in own]
    assert all(0 <= line.adjusted_amount <= line.amount for line in found if line.amount > 0)
    assert all(0 <= line.adjusted_tax <= line.tax_amount for line in found if line.amount > 0)
    billed = [line for line in found if line.kind != "balance"]
    kept = sum(line.amount - line.adjusted_amount for line in billed if line.amount > 0)
    assert kept == sum(line.amount for line in billed)


def test_a_quote_a_second_too_old_is_refused(shop: Shop) -> None:
    made = paid(shop)
    on_april(shop, 11)
    dearer = shop.price(items=(fee(4990),))
    seen = shown(shop, made, price_id=dearer)
    shop.after(minutes=30)
    with pytest.raises(Conflict, match="expired"):
        asked(shop, made, seen.quote.quote_id, price_id=dearer)


def test_a_quote_whose_cents_no_longer_hold_is_refused_and_nothing_is_done(shop: Shop) -> None:
    made = paid(shop)
    on_april(shop, 11)
    dearer = shop.price(items=(fee(4990),))
    seen = shown(shop, made, price_id=dearer)
    shop.after(minutes=1)
    discount = NewDiscount("Welcome", percent=1000)
    grant_discount(shop.database, shop.ids, shop.clock.now(), made, discount)
    with pytest.raises(QuoteStale):
        asked(shop, made, seen.quote.quote_id, price_id=dearer)
    assert len(invoices(shop)) == 1


def test_a_quote_from_before_a_new_period_is_refused(shop: Shop) -> None:
    made = paid(shop)
    shop.at(datetime(2028, 4, 29, 21, 50, tzinfo=UTC))
    dearer = shop.price(items=(fee(4990),))
    seen = shown(shop, made, price_id=dearer)
    shop.at(datetime(2028, 4, 29, 22, 10, tzinfo=UTC))
    with pytest.raises(QuoteStale, match="new period"):
        asked(shop, made, seen.quote.quote_id, price_id=dearer)


def test_a_change_is_refused_while_the_period_is_not_paid(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft"))
    made = shop.subscription(price_id=shop.price(items=(fee(2990),)))
    shop.tick()
    dearer = shop.price(items=(fee(4990),))
    with pytest.raises(Conflict, match="not paid yet"):
        asked(shop, made.id, price_id=dearer)
    assert asked(shop, made.id, price_id=dearer, mode=LATER).plan.mode is LATER


def test_an_authorized_period_is_as_good_as_paid(shop: Shop) -> None:
    made = shop.subscription(price_id=shop.price(items=(fee(2990),)))
    shop.tick()
    assert invoices(shop)[0].status == "open"
    assert asked(shop, made.id, price_id=shop.price(items=(fee(4990),))).due_now == 2000


def test_a_change_in_a_trial_takes_effect_with_the_first_paid_period(shop: Shop) -> None:
    made = shop.subscription(price_id=shop.price(items=(fee(2990),), trial_days=7))
    shop.tick()
    dearer = shop.price(items=(fee(4990),))
    assert asked(shop, made.id, price_id=dearer).due_now == 0
    with pytest.raises(Invalid, match="first paid period"):
        asked(shop, made.id, price_id=shop.price(), mode=NOW)
    shop.after(days=8)
    assert [invoice.total for invoice in invoices(shop)] == [4990]


def test_another_interval_waits_for_a_token_that_was_signed_for_it(shop: Shop) -> None:
    made = paid(shop)
    with shop.database.tx() as session:
        token = session.exec(select(StoredToken)).one()
        token.signed_interval, token.signed_interval_count = "month", 1
        session.add(token)
    on_april(shop, 11)
    done = asked(shop, made, price_id=shop.price(items=(fee(29900),), interval=Interval.YEAR))
    assert (done.plan.waits_for, done.due_now) == ("token", 0)
    shop.at(datetime(2028, 4, 30, 12, tzinfo=UTC))
    assert [invoice.total for invoice in invoices(shop)] == [2990, 2990]
    assert subscription(shop, made).pending_change["reason"] == "token"
    with shop.database.tx() as session:
        session.exec(select(StoredToken)).one().signed_interval = "year"
    shop.at(datetime(2028, 5, 31, 12, tzinfo=UTC))
    assert invoices(shop)[-1].total == 29900


def test_a_lower_price_inside_the_minimum_term_needs_a_reason(shop: Shop) -> None:
    made = paid(shop, items=(fee(4990),))
    with shop.database.tx() as session:
        session.get_one(Subscription, made).minimum_ends_at = datetime(2028, 9, 30, tzinfo=UTC)
    cheaper = shop.price(items=(fee(2990),))
    with pytest.raises(TransitionNotAllowed, match="2028-09-30"):
        asked(shop, made, price_id=cheaper)
    assert asked(shop, made, price_id=cheaper, override="a promise of ours").plan.mode is LATER


def test_a_pending_change_can_be_canceled_until_it_takes_effect(shop: Shop) -> None:
    made = paid(shop, items=(fee(4990),))
    asked(shop, made, price_id=shop.price(items=(fee(2990),)))
    cancel_change(shop.database, shop.ids, shop.clock.now(), made)
    with pytest.raises(Conflict, match="no change is pending"):
        cancel_change(shop.database, shop.ids, shop.clock.now(), made)
    shop.at(datetime(2028, 4, 30, 12, tzinfo=UTC))
    assert [invoice.total for invoice in invoices(shop)] == [4990, 4990]


def test_by_the_second_half_a_period_costs_half(shop: Shop) -> None:
    # 720 hours from Apr 30 (CEST) to May 30 give back and cost exactly half at noon of May 15.
    made = paid(shop, items=(fee(3000),), proration=Proration.SECOND)
    shop.at(datetime(2028, 4, 30, 12, tzinfo=UTC))
    shop.after(minutes=31)
    period = periods(shop, made)[-1]
    shop.at(period.starts_at + (period.ends_at - period.starts_at) / 2)
    done = asked(shop, made, price_id=shop.price(items=(fee(5000),), proration=Proration.SECOND))
    assert [line.amount for line in done.plan.lines] == [-1500, 2500]
    assert "seconds" in done.plan.lines[0].derivation


def test_without_proration_the_new_price_comes_with_the_next_period(shop: Shop) -> None:
    made = paid(shop, proration=Proration.NONE)
    done = asked(shop, made, price_id=shop.price(items=(fee(4990),)))
    assert (done.plan.mode, done.due_now, done.plan.next_total) == (LATER, 0, 4990)


def test_days_that_were_frozen_are_given_back_where_they_are_used(shop: Shop) -> None:
    # Mar 31        Apr 11           Jun 20     Jun 25               Jul 9
    # |-- 11 used --|--- frozen -----|- 5 used -|-- 14 of 30 left ---|
    made = paid(shop)
    on_april(shop, 11)
    pause(shop.database, shop.ids, shop.sign, shop.clock.now(), made, PauseRequest())
    with pytest.raises(TransitionNotAllowed, match="paused"):
        asked(shop, made, price_id=shop.price(items=(fee(4990),)))
    shop.at(datetime(2028, 6, 20, 10, tzinfo=UTC))
    resume(shop.database, shop.ids, shop.seller, shop.sign, shop.clock.now(), made, ResumeRequest())
    shop.at(datetime(2028, 6, 25, 10, tzinfo=UTC))
    done = asked(shop, made, price_id=shop.price(items=(fee(4990),)))
    assert [line.amount for line in done.plan.lines] == [-(2990 - 1595), 4990 - 2661]
    assert done.plan.next_on == date(2028, 7, 9)


def test_impossible_changes_are_named_and_write_nothing(shop: Shop) -> None:
    made = paid(shop)
    before = event_types(shop)
    archived = shop.price(items=(fee(1),))
    with shop.database.tx() as session:
        for plan in session.exec(select(Plan)).all()[-1:]:
            plan.archived_at = shop.clock.now()
    same = subscription(shop, made).price_id
    for error, wanted in [
        (Invalid, {"price_id": same}),
        (Invalid, {"price_id": UUID(int=7)}),
        (Invalid, {"quantities": {"PLAN": 0}}),
        (Invalid, {"quantities": {"NO-SUCH": 2}}),
        (CurrencyMismatch, {"price_id": shop.price(currency="EUR")}),
        (PlanArchived, {"price_id": archived}),
        (Invalid, {"price_id": shop.price(interval=Interval.YEAR), "mode": NOW}),
    ]:
        with pytest.raises(error):
            asked(shop, made, **wanted)
    assert event_types(shop) == before
