"""Ends: now, at the period's end, at a date; undone; inside minimum term and notice; of limited terms."""

import pytest
from factories import Shop
from lifecycle import at, cancel_at, fee, paid_from_31_march, preview_cancel_at, shop_at, spans, through
from reading import credit_notes, entries, invoices, subscription

from billing.domain.errors import Conflict, Invalid, TransitionNotAllowed
from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.ports import Answer, Unknown
from billing.store.engine import Database
from billing.use_cases.cancel import CancelAt, CancelRequest, CreditPolicy, cancel, undo_cancel
from billing.use_cases.quoting import QuoteStale
from billing.use_cases.refund import NewRefund, refund

NOW, PERIOD_END, DATE = CancelAt.NOW, CancelAt.PERIOD_END, CancelAt.DATE
REFUND, CREDIT = CreditPolicy.REFUND, CreditPolicy.CREDIT


def undo(shop: Shop, made) -> None:
    undo_cancel(shop.database, shop.ids, shop.clock.now(), made.id)


# Mar 31        Apr 11                Apr 30
# |-- 11 used --|---- 19 credited ----|
def test_an_end_at_a_date_inside_the_period_gives_19_of_30_days_back_when_it_comes(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    planned = cancel_at(shop, made, DATE, ends_on=at(4, 11).date(), credit=REFUND)
    assert (planned.effective_at, planned.credits) == (at(4, 10, 22), ())
    shop.at(at(4, 10, 12))
    assert subscription(shop, made.id).status == "active"
    shop.at(at(4, 12))
    assert (subscription(shop, made.id).end_reason, subscription(shop, made.id).access) == ("canceled", "none")
    assert [note.total for note in credit_notes(shop)] == [1894]
    assert [call.amount for call in shop.gateway.effects_of(OperationKind.REFUND)] == [1894]
    assert spans(shop, made) == [("regular", "2027-03-31", "2027-04-11")]


def test_a_credit_becomes_the_balance_of_the_customer(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    shop.at(at(4, 11))
    done = cancel_at(shop, made, NOW, credit=CREDIT)
    (credit,) = done.credits
    assert (credit.effect.balance, credit.effect.refund) == (1894, 0)
    shop.tick()
    assert not shop.gateway.effects_of(OperationKind.REFUND)
    assert sum(amount for _, account, _, amount in entries(shop) if account == "customer_balance") == -1894


def test_without_a_word_the_plan_says_what_becomes_of_unused_days(database: Database) -> None:
    shop, made = paid_from_31_march(database, cancel_credit="refund")
    shop.at(at(4, 11))
    assert preview_cancel_at(shop, made, NOW).credit.total == 1894
    assert preview_cancel_at(shop, made, NOW, credit=CreditPolicy.NONE).credit.total == 0


def test_an_end_that_lies_ahead_is_undone_until_it_comes(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    cancel_at(shop, made, PERIOD_END)
    undo(shop, made)
    with pytest.raises(Conflict, match="nothing to undo"):
        undo(shop, made)
    through(shop, at(5, 1))
    assert (subscription(shop, made.id).status, len(spans(shop, made))) == ("active", 2)
    cancel_at(shop, made, PERIOD_END)
    through(shop, at(6, 1))
    with pytest.raises(TransitionNotAllowed, match="ended"):
        undo(shop, made)


def test_a_withdrawal_gives_the_whole_invoice_back_for_14_days(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    shop.at(at(4, 14, 21))
    with pytest.raises(Invalid, match="pays back everything"):
        cancel_at(shop, made, NOW, is_withdrawal=True, credit=CREDIT)
    done = cancel_at(shop, made, NOW, is_withdrawal=True)
    shop.tick()
    assert (done.credit.total, credit_notes(shop)[0].reason, invoices(shop)[0].refunded) == (2990, "withdrawal", 2990)


def test_after_14_days_a_withdrawal_is_refused_unless_an_operator_says_so(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    shop.at(at(4, 15))
    with pytest.raises(TransitionNotAllowed, match="possible until 2027-04-14"):
        cancel_at(shop, made, NOW, is_withdrawal=True)
    assert cancel_at(shop, made, NOW, is_withdrawal=True, override="came by post").credit.total == 2990


# Mar 31      Apr 30      May 31      Jun 30
# |-- cycle 1 --|-- cycle 2 --|-- cycle 3 --|  a minimum of three
def test_inside_the_minimum_term_no_end_is_possible_but_for_an_operator(database: Database) -> None:
    shop, made = paid_from_31_march(database, minimum_cycles=3)
    assert subscription(shop, made.id).minimum_ends_at == at(6, 29, 22)
    for asked in ({"when": NOW}, {"when": PERIOD_END}, {"when": DATE, "ends_on": at(6, 29).date()}):
        with pytest.raises(TransitionNotAllowed, match="before 2027-06-30") as refused:
            cancel_at(shop, made, **asked)
        assert refused.value.facts == {"earliest": "2027-06-30"}
    cancel_at(shop, made, DATE, ends_on=at(6, 30).date())
    undo(shop, made)
    cancel_at(shop, made, NOW, override="moved abroad")
    assert subscription(shop, made.id).status == "ended"


def test_notice_moves_the_earliest_end_to_the_boundary_after_it(database: Database) -> None:
    shop, made = paid_from_31_march(database, notice_days=14)
    shop.at(at(4, 20))
    with pytest.raises(TransitionNotAllowed, match="before 2027-05-31"):
        cancel_at(shop, made, PERIOD_END)
    cancel_at(shop, made, DATE, ends_on=at(5, 31).date())
    through(shop, at(6, 2), days=5)
    assert [kind for kind, _, _ in spans(shop, made)] == ["regular", "regular"]


def test_a_trial_is_left_at_any_time_whatever_the_minimum_term(database: Database) -> None:
    shop = shop_at(database, at(4, 28))
    made = shop.subscription(price_id=fee(shop, trial_days=7, minimum_cycles=12, notice_days=30))
    shop.tick()
    assert cancel_at(shop, made, NOW).credits == ()


def test_a_limited_term_of_three_cycles_ends_completed_and_its_stub_does_not_count(database: Database) -> None:
    # Apr 10  Apr 30   May 31   Jun 30   Jul 31
    # |- stub -|-- 1 --|-- 2 --|-- 3 --|  ended
    shop = shop_at(database, at(4, 10))
    made = shop.subscription(price_id=fee(shop, term_cycles=3, month_end=True))
    through(shop, at(8, 2), days=4)
    ended = subscription(shop, made.id)
    assert (ended.status, ended.end_reason, ended.cycles_done) == ("ended", "completed", 3)
    assert [kind for kind, _, _ in spans(shop, made)] == ["stub", "regular", "regular", "regular"]
    assert spans(shop, made)[-1][2] == "2027-07-31"


def test_an_end_waits_for_a_capture_whose_outcome_is_not_known(database: Database) -> None:
    shop = shop_at(database, at(3, 31))
    made = shop.subscription(price_id=fee(shop))
    shop.tick()
    cancel_at(shop, made, DATE, ends_at=at(3, 31, 9), credit=REFUND)
    shop.gateway.answer(OperationKind.CAPTURE, Unknown(Answer(message="silence")))
    shop.after(minutes=31)
    shop.after(minutes=29)
    assert subscription(shop, made.id).status == "active"
    through(shop, at(4, 2))
    assert (subscription(shop, made.id).status, credit_notes(shop)[0].total) == ("ended", 2990)


def test_a_quote_holds_to_the_cent_or_is_refused(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    shop.at(at(4, 11))
    shown = preview_cancel_at(shop, made, NOW, credit=REFUND)
    refund(shop.database, shop.ids, shop.clock.now(), NewRefund(invoices(shop)[0].id, "goodwill"))
    request, now = CancelRequest(NOW, REFUND), shop.clock.now()
    with pytest.raises(QuoteStale, match="1894"):
        cancel(shop.database, shop.ids, now, made.id, request, sign=shop.sign, quote_id=shown.quote.quote_id)
    assert subscription(shop, made.id).status == "active"


def test_a_quote_given_before_midnight_still_gives_that_days_credit_after_it(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    shop.at(at(4, 11, 21))
    shop.after(minutes=50)
    shown = preview_cancel_at(shop, made, NOW, credit=REFUND)
    shop.after(minutes=20)
    assert preview_cancel_at(shop, made, NOW, credit=REFUND).credit.total < shown.credit.total
    request, now = CancelRequest(NOW, REFUND), shop.clock.now()
    done = cancel(shop.database, shop.ids, now, made.id, request, sign=shop.sign, quote_id=shown.quote.quote_id)
    assert done.credit == shown.credit


def test_a_date_needs_one_instant_and_it_lies_ahead(database: Database) -> None:
    shop, made = paid_from_31_march(database)
    for asked in ({}, {"ends_on": at(5, 1).date(), "ends_at": at(5, 1)}):
        with pytest.raises(Invalid, match="either"):
            cancel_at(shop, made, DATE, **asked)
    with pytest.raises(Invalid, match="past"):
        cancel_at(shop, made, DATE, ends_at=at(3, 30))
    assert subscription(shop, made.id).cancel_at is None


def test_a_daily_cycle_gives_back_the_day_of_its_end_as_a_whole(database: Database) -> None:
    shop = shop_at(database, at(4, 1))
    made = shop.subscription(price_id=fee(shop, interval=Interval.DAY))
    shop.tick()
    shop.after(minutes=31)
    assert cancel_at(shop, made, NOW, credit=REFUND).credit.total == 2990
