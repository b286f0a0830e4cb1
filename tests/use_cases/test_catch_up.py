"""Periods that are late or were withheld: a person decides, once or for a stretch of time (billing rules, 2 and 8)."""

import pytest
from factories import Shop
from lifecycle import at, fee, paid_from_31_march, shop_at, spans, through
from reading import event_types, invoices, periods, subscription

from billing.domain.errors import Conflict, Invalid
from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.domain.terms import CatchUp
from billing.ports import Answer, Declined
from billing.store.engine import Database
from billing.use_cases.catch_up import (
    CaughtUp,
    Decision,
    NewApproval,
    approve_catch_up,
    catch_up,
    revoke_approval,
)
from billing.use_cases.look_up import Slice
from billing.use_cases.replace_token import replace_token
from billing.use_cases.review import clear_review, reviews

PURCHASE = OperationKind.PURCHASE
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")


def decide(shop: Shop, made, policy: CatchUp) -> CaughtUp:
    decision = Decision(policy, "an operator", "the outage was ours")
    return catch_up(shop.database, shop.ids, shop.seller, shop.clock.now(), made.id, decision)


# Mar 31   Apr 30   May 31   Jun 30   Jul 20
# |- paid --|- late --|- late --|- now -----|
def late_in_july(database: Database):
    shop, made = paid_from_31_march(database)
    shop.at(at(7, 20))
    assert subscription(shop, made.id).review_reason == "catch_up"
    return shop, made


def test_bill_each_opens_one_period_a_run_oldest_first(database: Database) -> None:
    shop, made = late_in_july(database)
    decide(shop, made, CatchUp.BILL_EACH)
    shop.tick()
    assert len(invoices(shop)) == 2
    shop.after(minutes=1)
    assert len(invoices(shop)) == 3
    shop.after(minutes=1)
    assert [kind for kind, _, _ in spans(shop, made)] == ["regular"] * 4
    charged = [call.amount for call in shop.gateway.effects_of(PURCHASE)]
    assert (charged, subscription(shop, made.id).catch_up) == ([2990] * 4, None)


def test_bill_current_forgives_what_is_over_with_name_and_reason(database: Database) -> None:
    shop, made = late_in_july(database)
    decide(shop, made, CatchUp.BILL_CURRENT)
    shop.tick()
    assert [kind for kind, _, _ in spans(shop, made)] == ["regular", "forgiven", "forgiven", "regular"]
    assert {(row.decided_by, row.reason) for row in periods(shop, made.id)[1:3]} == {
        ("an operator", "the outage was ours")
    }
    assert len(invoices(shop)) == 2


def test_forgive_bills_nothing_until_the_next_boundary(database: Database) -> None:
    shop, made = late_in_july(database)
    decide(shop, made, CatchUp.FORGIVE)
    through(shop, at(8, 2))
    assert [kind for kind, _, _ in spans(shop, made)] == ["regular", "forgiven", "forgiven", "forgiven", "regular"]
    assert len(invoices(shop)) == 2


def test_only_what_waits_for_a_decision_is_decided(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    before = event_types(shop)
    with pytest.raises(Conflict, match="nothing to catch up"):
        decide(shop, made, CatchUp.FORGIVE)
    assert event_types(shop) == before


def approve(shop: Shop, policy: CatchUp, day: int, until: int):
    decision = Decision(policy, "the board", "planned maintenance")
    return approve_catch_up(shop.database, shop.ids, shop.clock.now(), NewApproval(decision, at(7, day), at(7, until)))


def test_a_standing_approval_decides_in_its_time_and_says_by_whom(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    approve(shop, CatchUp.BILL_CURRENT, 19, 21)
    shop.at(at(7, 20))
    assert [kind for kind, _, _ in spans(shop, made)] == ["regular", "forgiven", "forgiven", "regular"]
    assert periods(shop, made.id)[1].decided_by == "the board"


@pytest.mark.parametrize(("day", "until", "is_revoked"), [(21, 25, False), (1, 20, False), (19, 21, True)])
def test_an_approval_of_another_time_or_a_revoked_one_decides_nothing(
    database: Database, day: int, until: int, is_revoked: bool
) -> None:
    shop, made = paid_from_31_march(database)
    row = approve(shop, CatchUp.BILL_EACH, day, until)
    if is_revoked:
        revoke_approval(shop.database, shop.clock.now(), row.id)
        with pytest.raises(Conflict, match="was revoked"):
            revoke_approval(shop.database, shop.clock.now(), row.id)
    shop.at(at(7, 20))
    assert subscription(shop, made.id).review_reason == "catch_up"


def test_an_approval_without_an_end_ahead_is_refused(database: Database) -> None:
    shop, _ = paid_from_31_march(database)
    shop.clock.set(at(7, 25))
    with pytest.raises(Invalid, match="ends after it begins"):
        approve(shop, CatchUp.FORGIVE, 20, 24)


# Apr 1    Apr 8    Apr 15     Apr 22     Apr 29
# |- open --|- open --|- withheld -|- withheld -|
def withheld_in_april(database: Database):
    shop = shop_at(database, at(4, 1))
    shop.gateway.always(PURCHASE, SOFT)
    made = shop.subscription(price_id=fee(shop, interval=Interval.WEEK, dunning_terminal_day=60))
    through(shop, at(4, 23))
    assert [row.kind for row in periods(shop, made.id)] == ["regular", "regular", "withheld", "withheld"]
    shop.gateway.always(PURCHASE, None)
    replace_token(shop.database, shop.ids, shop.clock.now(), made.id, shop.token(made.customer_id))
    through(shop, at(4, 25))
    assert (subscription(shop, made.id).status, subscription(shop, made.id).review_reason) == ("active", "catch_up")
    return shop, made


def test_bill_each_bills_what_was_withheld_and_collects_the_oldest_first(database: Database) -> None:
    shop, made = withheld_in_april(database)
    before = len(shop.gateway.effects_of(PURCHASE))
    done = decide(shop, made, CatchUp.BILL_EACH)
    assert len(done.invoice_ids) == 2
    shop.tick()
    assert len(shop.gateway.effects_of(PURCHASE)) == before + 1
    through(shop, at(4, 27))
    first, second = invoices(shop)[2:]
    assert (first.status, second.status, first.paid_at < second.paid_at) == ("paid", "paid", True)
    assert {row.decided_by for row in periods(shop, made.id)[2:]} == {"an operator"}


def test_bill_current_bills_the_withheld_period_that_runs_and_forgives_the_other(database: Database) -> None:
    shop, made = withheld_in_april(database)
    done = decide(shop, made, CatchUp.BILL_CURRENT)
    third, fourth = periods(shop, made.id)[2:]
    assert (len(done.invoice_ids), done.forgiven_period_ids) == (1, (third.id,))
    through(shop, at(4, 27))
    assert [invoice.period_id for invoice in invoices(shop)][2:] == [fourth.id]
    assert invoices(shop)[-1].status == "paid"


def test_forgiving_what_was_withheld_leaves_the_next_period_to_be_billed(database: Database) -> None:
    shop, made = withheld_in_april(database)
    assert decide(shop, made, CatchUp.FORGIVE).invoice_ids == ()
    through(shop, at(4, 30))
    assert [row.kind for row in periods(shop, made.id)][-1] == "regular"
    assert len(invoices(shop)) == 3


def test_withheld_periods_are_not_waved_through_by_clearing_the_review(database: Database) -> None:
    shop, made = withheld_in_april(database)
    with pytest.raises(Conflict, match="bill_each"):
        clear_review(shop.database, shop.ids, shop.clock.now(), made.id, "looked at", "an operator")


def test_a_review_is_listed_and_cleared_once(database: Database) -> None:
    shop, made = late_in_july(database)
    assert [row.id for row in reviews(shop.database, Slice()).rows] == [made.id]
    clear_review(shop.database, shop.ids, shop.clock.now(), made.id, "looked at", "an operator")
    assert not reviews(shop.database, Slice()).rows
    with pytest.raises(Conflict, match="nobody has to look"):
        clear_review(shop.database, shop.ids, shop.clock.now(), made.id, "looked at", "an operator")
    shop.tick()
    assert subscription(shop, made.id).review_reason == "catch_up"
