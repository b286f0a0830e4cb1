"""A provider account is spoken to no faster than agreed, and rests by itself: all workers see it, nothing is lost."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from factories import Shop
from reading import event_types, operations, rows

from billing.domain.errors import Conflict, Invalid
from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined, NotSent, Succeeded, Unknown
from billing.store.engine import Database, open_database
from billing.store.operations import Operation
from billing.store.outbox import Event
from billing.store.paces import AccountPace
from billing.store.subscriptions import Subscription
from billing.use_cases.check_tokens import check_tokens
from billing.use_cases.install import AccountTerms, admit
from billing.use_cases.operate import operate
from billing.use_cases.pacing import take
from billing.use_cases.reconcile import reconcile
from billing.use_cases.renew import renew
from billing.use_cases.reopen_account import reopen_account
from billing.use_cases.sending import Sending, nothing
from billing.use_cases.stop_account import stop_account

PURCHASE = OperationKind.PURCHASE
SILENCE = Unknown(Answer(message="no answer: TimeoutError"))
BROKEN = Unknown(Answer(503, "SERVICE_UNAVAILABLE"))
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")


@pytest.fixture
def other(shop: Shop, database_url: str) -> Iterator[Sending]:
    """Another worker, with connections of its own to the same database."""
    database = open_database(database_url)
    yield replace(shop.sending, database=database, worker="other")
    database.close()


def limited(shop: Shop, rate: int, burst: int = 0, **terms: object) -> None:
    wanted = AccountTerms(rate_per_second=rate, burst=burst, **terms)
    admit(shop.database, shop.keyring, {"main": wanted}, "Europe/Stockholm")


def due(shop: Shop, count: int) -> None:
    """So many purchases that are due now."""
    for _ in range(count):
        shop.subscription()
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)


def pace(shop: Shop) -> AccountPace:
    with shop.database.tx() as session:
        return session.get_one(AccountPace, "main")


def wait(shop: Shop, **duration: float) -> None:
    shop.clock.set(shop.clock.now() + timedelta(**duration))


def statuses(shop: Shop) -> Counter[str]:
    return Counter(op.status for op in operations(shop, "purchase"))


def sent(shop: Shop) -> int:
    return len(shop.gateway.calls_of(PURCHASE))


def test_two_workers_share_one_bucket(shop: Shop, other: Sending) -> None:
    limited(shop, rate=2, burst=5)
    due(shop, 12)
    operate(shop.sending)
    operate(other)
    assert sent(shop) == 5
    wait(shop, seconds=2)
    operate(other)
    operate(shop.sending)
    assert sent(shop) == 9


def test_workers_that_ask_at_the_same_moment_get_no_permit_twice(shop: Shop, other: Sending) -> None:
    limited(shop, rate=1, burst=30)
    together = Barrier(2)

    def ask(database: Database) -> int:
        granted = 0
        for _ in range(30):
            together.wait()
            with database.tx() as session:
                granted += take(session, "main", shop.clock.now(), 1)
        return granted

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(ask, [shop.database, other.database])) == 30


def test_what_no_permit_is_there_for_is_as_if_never_claimed_and_goes_at_the_promised_instant(shop: Shop) -> None:
    limited(shop, rate=2, burst=3)
    due(shop, 5)
    assert operate(shop.sending) == 5
    waiting = [op for op in operations(shop, "purchase") if op.status == "planned"]
    assert [(op.claims, op.lease_owner, op.due_at) for op in waiting] == [(0, None, shop.clock.now())] * 2
    assert operate(shop.sending) == 0
    shop.clock.set(pace(shop).paced_until)
    operate(shop.sending)
    assert statuses(shop) == {"succeeded": 5}


def test_an_account_without_a_rate_is_not_counted(shop: Shop) -> None:
    due(shop, 70)
    operate(shop.sending)
    assert (sent(shop), pace(shop).bucket_at) == (70, None)


def test_a_provider_that_says_wait_is_left_alone_by_all_workers(shop: Shop, other: Sending) -> None:
    shop.gateway.answer(PURCHASE, NotSent(Answer(429, "TOO_MANY_REQUESTS"), retry_after_seconds=90))
    due(shop, 1)
    operate(shop.sending)
    due(shop, 3)
    assert operate(other) == 0
    wait(shop, seconds=90)
    operate(other)
    assert statuses(shop) == {"succeeded": 4}


def test_questions_cost_permits_too(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SILENCE)
    due(shop, 4)
    operate(shop.sending)
    limited(shop, rate=1, burst=4)
    wait(shop, seconds=5)
    reconcile(shop.sending)
    assert sent(shop) == 4 + 2
    assert operate(shop.sending) + reconcile(shop.sending) == 0


def test_an_account_that_may_save_up_one_permit_still_gets_its_questions_answered(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, SILENCE)
    due(shop, 1)
    operate(shop.sending)
    limited(shop, rate=1)
    wait(shop, seconds=5)
    reconcile(shop.sending)
    assert statuses(shop) == {"succeeded": 1}


def test_tokens_that_no_permit_is_there_for_are_read_later(shop: Shop) -> None:
    made = [shop.subscription() for _ in range(3)]
    shop.tick()
    limited(shop, rate=1, burst=2)
    with shop.database.tx() as session:
        for one in made:
            session.get_one(Subscription, one.id).token_check_at = shop.clock.now()
    assert (check_tokens(shop.sending), check_tokens(shop.sending)) == (3, 0)
    wait(shop, seconds=1)
    assert (check_tokens(shop.sending), check_tokens(shop.sending)) == (1, 0)


def broken(shop: Shop, count: int = 10) -> None:
    """A provider that answers nothing any more; the breaker opens."""
    shop.gateway.always(PURCHASE, BROKEN)
    due(shop, count)
    operate(shop.sending)
    assert pace(shop).breaker == "open"


def test_ten_faults_in_a_row_stop_purchases_for_every_worker_and_nothing_is_lost(shop: Shop, other: Sending) -> None:
    broken(shop)
    due(shop, 5)
    assert (operate(shop.sending), operate(other)) == (0, 0)
    assert statuses(shop) == {"unknown": 10, "planned": 5}
    assert event_types(shop).count("account.breaker_opened") == 1


def test_while_it_is_open_unknown_outcomes_are_still_asked_about(shop: Shop) -> None:
    broken(shop)
    shop.gateway.always(PURCHASE, lambda call: Succeeded(Answer(200), f"order-{call.key}", "authorized"))
    wait(shop, seconds=5)
    assert reconcile(shop.sending) == 10
    assert (statuses(shop), pace(shop).breaker) == ({"succeeded": 10}, "open")


def test_a_batch_under_way_stops_at_the_window_after_the_fault(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, BROKEN)
    due(shop, 70)
    operate(shop.sending)
    assert statuses(shop) == {"unknown": 64, "planned": 6}


def test_after_the_rest_three_probes_go_out_and_a_good_one_closes_it(shop: Shop, other: Sending) -> None:
    broken(shop)
    due(shop, 5)
    shop.gateway.always(PURCHASE, lambda call: Succeeded(Answer(200), f"order-{call.key}", "authorized"))
    wait(shop, minutes=1)
    before = sent(shop)
    operate(other)
    assert (sent(shop) - before, pace(shop).breaker) == (3, "closed")
    operate(shop.sending)
    assert statuses(shop) == {"unknown": 10, "succeeded": 5}
    assert event_types(shop).count("account.breaker_closed") == 1


def test_a_probe_that_fails_doubles_the_rest(shop: Shop) -> None:
    broken(shop)
    due(shop, 5)
    wait(shop, minutes=1)
    operate(shop.sending)
    assert (pace(shop).breaker, pace(shop).breaker_until) == ("open", shop.clock.now() + timedelta(minutes=2))
    assert statuses(shop) == {"unknown": 13, "planned": 2}


def test_probes_of_a_worker_that_died_are_followed_by_others(shop: Shop) -> None:
    broken(shop)
    due(shop, 5)
    wait(shop, minutes=1)

    def dies(step: str) -> None:
        if step == "call.begins":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        operate(replace(shop.sending, passed=dies))
    assert (operate(shop.sending), pace(shop).breaker) == (0, "half_open")
    shop.gateway.always(PURCHASE, lambda call: Succeeded(Answer(200), f"order-{call.key}", "authorized"))
    wait(shop, minutes=3)
    assert operate(shop.sending) == 2
    assert pace(shop).breaker == "closed"


def test_one_lost_call_asked_about_again_and_again_opens_nothing(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SILENCE)
    due(shop, 1)
    for _ in range(20):
        shop.after(hours=1)
    assert (pace(shop).breaker, pace(shop).faults_in_a_row) == ("closed", 1)


def declining(shop: Shop) -> None:
    """A new account of which 16 of the first 50 charges are declined."""
    shop.gateway.answer(PURCHASE, *[SOFT] * 16)
    due(shop, 50)
    operate(shop.sending)


def test_a_decline_rate_far_from_normal_waits_for_a_person(shop: Shop, other: Sending) -> None:
    declining(shop)
    assert (pace(shop).breaker, pace(shop).breaker_cause) == ("open", "declines")
    due(shop, 2)
    wait(shop, days=20)
    assert operate(other) == 0
    reopen_account(shop.database, shop.ids, shop.clock.now(), "main", "a card scheme was down")
    operate(other)
    assert event_types(shop).count("account.breaker_closed") == 1
    # The two that were new, and the sixteen whose next attempt had come meanwhile.
    assert statuses(shop) == {"succeeded": 34 + 2 + 16, "declined": 16}


def test_what_a_person_has_approved_is_not_stopped_again_the_same_day(shop: Shop) -> None:
    declining(shop)
    reopen_account(shop.database, shop.ids, shop.clock.now(), "main", "we know")
    shop.gateway.answer(PURCHASE, *[SOFT] * 20)
    due(shop, 50)
    operate(shop.sending)
    assert pace(shop).breaker == "closed"
    wait(shop, days=1)
    shop.gateway.answer(PURCHASE, *[SOFT] * 200)
    due(shop, 60)
    while operate(shop.sending):
        pass
    assert pace(shop).breaker == "open"


def test_retries_do_not_count_as_declines(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SOFT)
    due(shop, 5)
    operate(shop.sending)
    wait(shop, days=3)
    operate(shop.sending)
    assert sent(shop) > 5
    found = pace(shop)
    assert found.window_answers + sum(answers for answers, _ in found.days.values()) == 5


def test_captures_wait_while_charging_rests_and_other_work_goes_on(shop: Shop) -> None:
    due(shop, 1)
    operate(shop.sending)
    (capture,) = operations(shop, "capture")
    with shop.database.tx() as session:
        row = session.get_one(AccountPace, "main")
        row.breaker, row.breaker_until = "open", shop.clock.now() + timedelta(days=1)
    wait(shop, minutes=31)
    assert operate(shop.sending) == 0
    with shop.database.tx() as session:
        session.get_one(Operation, capture.id).kind = "void"
    assert operate(shop.sending) == 1


def test_an_account_stopped_by_hand_sends_nothing_until_it_is_reopened(shop: Shop) -> None:
    due(shop, 2)
    stop_account(shop.database, shop.ids, shop.clock.now(), "main", "an outage was announced")
    assert operate(shop.sending) == 0
    with pytest.raises(Conflict):
        stop_account(shop.database, shop.ids, shop.clock.now(), "main", "again")
    reopen_account(shop.database, shop.ids, shop.clock.now(), "main", "it is over")
    operate(shop.sending)
    assert statuses(shop) == {"succeeded": 2}
    assert [event.type for event in rows(shop, Event) if event.subscription_id is None] == [
        "account.halted",
        "account.reopened",
    ]


def test_a_token_of_a_customer_from_another_country_is_refused_when_it_comes_in(database: Database) -> None:
    shop = Shop(database)
    limited(shop, rate=0, countries=("DE", "SE"))
    with pytest.raises(Invalid, match="takes customers in DE, SE only"):
        shop.token(shop.customer(country="FI"))
    shop.token(shop.customer(country="DE"))


def test_a_window_that_is_over_is_remembered_by_day(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, SOFT)
    due(shop, 4)
    operate(shop.sending)
    day = shop.clock.now().date().isoformat()
    wait(shop, hours=2)
    due(shop, 1)
    operate(shop.sending)
    assert (pace(shop).days, pace(shop).window_answers) == ({day: [4, 1]}, 1)
