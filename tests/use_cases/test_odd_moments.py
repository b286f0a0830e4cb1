"""Things that happen at an odd moment: between two steps, after the end, on a shared token, while nobody looks."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from factories import Exhausted, Shop
from fakes.gateway import TakenButLost
from reading import event_types, invoices, operations, subscription
from sqlalchemy import event

from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule, PriceItem, Recognize
from billing.ports import Account, Answer, Declined, NotSent, Succeeded, Unknown
from billing.store.accounts import ProviderAccount, halt, resume
from billing.store.customers import StoredToken
from billing.store.operations import Operation
from billing.store.subscriptions import Subscription
from billing.use_cases.cancel import CancelAt, CancelRequest, cancel
from billing.use_cases.operate import operate
from billing.use_cases.reconcile import reconcile
from billing.use_cases.renew import renew
from billing.use_cases.replace_token import replace_token
from billing.use_cases.sending import Sending, nothing
from billing.use_cases.settle import Settlement, settle
from billing.use_cases.subscribe import NewSubscription, subscribe

PURCHASE, VOID = OperationKind.PURCHASE, OperationKind.VOID
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")
HARD = Declined(Answer(403, "TOKEN_CANCELLED"), "hard")
ASLEEP = Declined(Answer(403, "TOKEN_SUSPENDED"), "suspended")
SILENCE = Unknown(Answer(message="no answer"))
UNDER_REVIEW = Succeeded(Answer(200), "order-1", "pending_review")


def when(shop: Shop, step: str, act: Callable[[], object]) -> None:
    """Let `act` happen once, at the moment a loop has passed `step`."""

    def passed(name: str) -> None:
        if name == step:
            shop.passed = nothing
            act()

    shop.passed = passed


def change(shop: Shop, model: type, **values: object) -> None:
    with shop.database.tx() as session:
        session.execute(model.__table__.update().values(**values))


def through(shop: Shop, until: datetime) -> None:
    while shop.clock.now() < until:
        shop.after(hours=1)


def stop(shop: Shop) -> None:
    with shop.database.tx() as session:
        halt(session, "main", "outage", shop.clock.now())


def go_on(shop: Shop) -> None:
    with shop.database.tx() as session:
        resume(session, "main", "the outage is over", shop.clock.now())


def give_new_token(shop: Shop, made: Subscription) -> None:
    replace_token(shop.database, shop.ids, shop.clock.now(), made.id, shop.token(made.customer_id))


def test_a_token_replaced_between_reveal_and_gate_is_the_one_charged(shop: Shop) -> None:
    customer = shop.customer()
    old, new = shop.token(customer, text="old-token"), shop.token(customer, text="new-token")
    made = subscribe(shop.database, shop.ids, shop.clock.now(), NewSubscription(customer, shop.price(), old, None))
    when(shop, "reveal.committed", lambda: replace_token(shop.database, shop.ids, shop.clock.now(), made.id, new))
    shop.tick()
    assert operations(shop, "purchase")[0].token_id == new
    assert [call.token.reveal() for call in shop.gateway.calls_of(PURCHASE)] == ["new-token"]


def test_a_new_token_given_while_the_old_one_is_read_is_charged(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, ASLEEP)
    shop.gateway.default_token_status = "suspended"
    made = shop.subscription()
    shop.tick()
    shop.clock.set(operations(shop, "purchase")[-1].due_at)
    shop.gateway.default_token_status = "revoked"
    new = shop.token(made.customer_id)
    when(shop, "reveal.committed", lambda: replace_token(shop.database, shop.ids, shop.clock.now(), made.id, new))
    shop.tick()
    assert len(shop.gateway.effects_of(PURCHASE)) == 1


def test_two_invoices_that_run_out_together_do_not_stop_the_others(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SOFT)
    made = shop.subscription(price_id=shop.price(interval=Interval.DAY, exhausted=Exhausted.UNPAID))
    stop(shop)
    shop.tick()
    shop.after(days=1)
    go_on(shop)
    change(shop, Subscription, next_period_at=None, due_at=None)
    other = shop.subscription()
    through(shop, datetime(2028, 2, 23, 12, tzinfo=UTC))
    assert subscription(shop, made.id).status == "unpaid"
    assert subscription(shop, other.id).status == "ended"


@pytest.mark.parametrize("answer", [Answer(403, "X" * 65), Answer(403, "PAYMENT_METHOD_FAILED", None, "c" * 129)])
def test_a_long_answer_is_recorded_and_stops_nobody(shop: Shop, answer: Answer) -> None:
    shop.gateway.answer(PURCHASE, Declined(answer, "soft"))
    shop.subscription()
    shop.subscription()
    shop.tick()
    assert [op.status for op in operations(shop, "purchase") if op.n == 1] == ["declined", "succeeded"]


@pytest.mark.parametrize("status", ["revoked", "suspended"])
def test_an_unknown_charge_is_asked_about_though_its_token_is_no_longer_good(shop: Shop, status: str) -> None:
    shop.gateway.answer(PURCHASE, TakenButLost())
    shop.subscription()
    shop.tick()
    change(shop, StoredToken, status=status)
    shop.after(seconds=5)
    assert operations(shop, "purchase")[0].status == "succeeded"


def test_dunning_ends_though_its_last_charge_was_declined_late(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SOFT)
    made = shop.subscription()
    through(shop, datetime(2028, 2, 21, 8, tzinfo=UTC))
    shop.at(datetime(2028, 2, 21, 8, 59, 58, tzinfo=UTC))
    shop.gateway.answer(PURCHASE, TakenButLost(SOFT))
    give_new_token(shop, made)
    shop.tick()
    shop.after(seconds=2)
    shop.after(seconds=5)
    through(shop, datetime(2028, 2, 28, 8, tzinfo=UTC))
    assert (subscription(shop, made.id).status, invoices(shop)[0].status) == ("ended", "uncollectible")


def test_a_subscription_recovered_from_unpaid_renews(shop: Shop) -> None:
    made = shop.subscription(price_id=shop.price(exhausted=Exhausted.UNPAID))
    stop(shop)
    shop.tick()
    shop.at(datetime(2028, 2, 29, 8, tzinfo=UTC))
    shop.clock.set(datetime(2028, 3, 2, 8, tzinfo=UTC))
    go_on(shop)
    shop.gateway.answer(PURCHASE, SOFT, NotSent(Answer(429, "TOO_MANY_REQUESTS"), retry_after_seconds=86400))
    shop.gateway.always(PURCHASE, SOFT)
    shop.tick()
    through(shop, datetime(2028, 3, 23, 12, tzinfo=UTC))
    assert subscription(shop, made.id).status == "unpaid"
    shop.gateway.always(PURCHASE, None)
    give_new_token(shop, made)
    through(shop, datetime(2028, 4, 2, tzinfo=UTC))
    again = subscription(shop, made.id)
    assert (again.status, again.next_period_at is not None, len(invoices(shop))) == ("active", True, 3)


def test_a_waiting_invoice_of_an_unpaid_subscription_is_collected_with_a_new_token(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SOFT)
    made = shop.subscription(price_id=shop.price(interval=Interval.WEEK, exhausted=Exhausted.UNPAID))
    through(shop, datetime(2028, 2, 22, 12, tzinfo=UTC))
    shop.gateway.always(PURCHASE, None)
    give_new_token(shop, made)
    shop.tick()
    shop.after(minutes=31)
    first, second = invoices(shop)
    assert (first.status, second.status) == ("uncollectible", "paid")


@pytest.mark.parametrize("then", [SOFT, None])
def test_an_answer_after_the_end_closes_the_invoice(shop: Shop, then: Declined | None) -> None:
    shop.gateway.answer(PURCHASE, TakenButLost(then))
    made = shop.subscription(price_id=shop.price(interval=Interval.DAY))
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    operate(shop.sending)
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.PERIOD_END))
    shop.clock.set(subscription(shop, made.id).cancel_at)
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    shop.tick()
    through(shop, datetime(2028, 2, 3, tzinfo=UTC))
    assert invoices(shop)[0].status == "uncollectible"


def test_a_purchase_dropped_at_the_end_of_a_canceled_period_closes_its_invoice(shop: Shop) -> None:
    made = shop.subscription(price_id=shop.price(interval=Interval.DAY))
    stop(shop)
    shop.tick()
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.PERIOD_END))
    shop.clock.set(shop.clock.now() + timedelta(days=1))
    go_on(shop)
    operate(shop.sending)
    shop.tick()
    through(shop, datetime(2028, 2, 3, tzinfo=UTC))
    assert (subscription(shop, made.id).status, invoices(shop)[0].status) == ("ended", "uncollectible")


def test_a_cancel_gives_back_what_is_still_under_an_overdue_review(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, UNDER_REVIEW)
    made = shop.subscription()
    shop.tick()
    through(shop, shop.clock.now() + timedelta(hours=26))
    assert "purchase.review_overdue" in event_types(shop)
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.NOW))
    shop.tick()
    assert len(shop.gateway.effects_of(VOID)) == 1


def test_nothing_is_sent_whose_token_was_not_opened(shop: Shop) -> None:
    customer = shop.customer()
    token, price = shop.token(customer), shop.price()
    for _ in range(2):
        subscribe(shop.database, shop.ids, shop.clock.now(), NewSubscription(customer, price, token, None))
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    change(shop, StoredToken, status="suspended")
    first = operations(shop)[0]
    with shop.database.tx() as session:
        session.get_one(Operation, first.id).reads_token_first = True
    shop.tick()
    assert [call.token is not None for call in shop.gateway.calls_of(PURCHASE)] == [True, True]


def test_two_settlements_that_share_tokens_do_not_wait_for_each_other_crosswise(shop: Shop) -> None:
    one, two = shop.customer(), shop.customer()
    x, y, price = shop.token(one), shop.token(two), shop.price()
    for customer, token in ((one, x), (two, y), (two, y), (one, x)):
        subscribe(shop.database, shop.ids, shop.clock.now(), NewSubscription(customer, price, token, None))
    shop.gateway.always(PURCHASE, SILENCE)
    shop.tick()
    ops, lease = operations(shop), shop.ids.new()
    change(shop, Operation, lease_owner=lease)
    barrier, met, wrong = threading.Barrier(2), threading.local(), []

    @event.listens_for(shop.database.engine, "after_cursor_execute")
    def pause(_conn, _cursor, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE tokens") and not getattr(met, "done", False):
            met.done = True
            try:
                barrier.wait(1)
            except threading.BrokenBarrierError:
                return

    def work(part: list[Operation]) -> None:
        try:
            settle(shop.database, shop.ids, shop.clock.now(), [Settlement(op.id, lease, HARD) for op in part])
        except Exception as error:
            # Whatever it is, the test names it.
            wrong.append(type(error).__name__)

    threads = [threading.Thread(target=work, args=(part,)) for part in (ops[:2], ops[2:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, [op.status for op in operations(shop) if op.n == 1]) == ([], ["declined"] * 4)


def test_a_second_order_for_one_purchase_stops_the_account(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    purchase = operations(shop, "purchase")[0]
    late = Settlement(purchase.id, shop.ids.new(), Succeeded(Answer(200), "order-8", "authorized"))
    settle(shop.database, shop.ids, shop.clock.now(), [late])
    with shop.database.tx() as session:
        assert session.get_one(ProviderAccount, "main").halted_at is not None


def test_a_worker_leaves_accounts_alone_that_it_does_not_know(shop: Shop) -> None:
    shop.subscription()
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    known = shop.sending
    blind = Sending(known.database, {}, known.keyring, known.ids, known.clock, known.namespace, "w", nothing)
    for _ in range(8):
        operate(blind)
        shop.clock.set(shop.clock.now() + timedelta(minutes=4))
    assert operations(shop)[0].status == "planned"


def test_a_void_during_a_review_poll_leaves_no_lease(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, UNDER_REVIEW)
    made = shop.subscription()
    shop.tick()
    shop.clock.set(shop.clock.now() + timedelta(hours=1))
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.NOW))
    read = shop.gateway.read_orders

    def slow(purchase_ids):
        shop.gateway.read_orders = read
        found = read(purchase_ids)
        operate(shop.sending)
        return found

    shop.gateway.read_orders = slow
    reconcile(shop.sending)
    shop.after(days=2)
    assert [op.lease_until for op in operations(shop)] == [None, None]


def test_rows_behind_slow_windows_are_sent_in_the_same_pass(shop: Shop) -> None:
    for _ in range(4):
        shop.subscription()
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    send = shop.gateway.send

    def slow(calls):
        shop.clock.set(shop.clock.now() + timedelta(seconds=50))
        return send(calls)

    shop.gateway.send = slow
    known = shop.sending
    accounts = {"main": Account(shop.gateway, 1, timedelta(seconds=65))}
    narrow = Sending(known.database, accounts, known.keyring, known.ids, known.clock, known.namespace, "w", nothing)
    while operate(narrow):
        pass
    assert len(shop.gateway.effects_of(PURCHASE)) == 4


def test_a_free_price_after_a_trial_is_active(shop: Shop) -> None:
    free = (PriceItem("F", "Free", 1, 0, 2500, CreditRule.TIME, Recognize.TIME),)
    made = shop.subscription(price_id=shop.price(items=free, trial_days=7))
    through(shop, datetime(2028, 2, 9, tzinfo=UTC))
    assert subscription(shop, made.id).status == "active"
