"""Dunning as the plan and a person want it: other ladders, reminders, a manual end, a pause for one customer."""

from datetime import UTC, datetime, timedelta

from factories import Shop
from reading import event_types, invoices, operations, subscription
from sqlalchemy import update

from billing.domain.operations import OperationKind, may_be_repeated, next_replay_at
from billing.ports import Answer, Declined, Order, Request, Unknown
from billing.store.plans import Plan
from billing.store.subscriptions import Subscription
from billing.use_cases.pause_dunning import pause_dunning, resume_dunning

PURCHASE, CAPTURE, VOID = OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.VOID
SOFT = Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")
HARD = Declined(Answer(403, "TOKEN_CANCELLED"), "hard")
ASLEEP = Declined(Answer(403, "TOKEN_SUSPENDED"), "suspended")


def through(shop: Shop, until: datetime) -> list[str]:
    """Hour by hour to `until`; on which days the customer was asked for a token."""
    asked = []
    while shop.clock.now() < until:
        before = event_types(shop).count("invoice.token_requested")
        shop.after(hours=1)
        if event_types(shop).count("invoice.token_requested") > before:
            asked.append(shop.clock.now().date().isoformat())
    return asked


def declined(shop: Shop, news: Declined = SOFT, **plan: object) -> Subscription:
    price_id = shop.price()
    with shop.database.tx() as session:
        session.execute(update(Plan).values(capture="automatic", **plan))
    shop.gateway.always(PURCHASE, news)
    made = shop.subscription(price_id=price_id)
    shop.tick()
    return made


def test_the_plans_own_ladder_is_climbed(shop: Shop) -> None:
    made = declined(shop, dunning_days=[2, 5], dunning_terminal_day=9)
    through(shop, datetime(2028, 2, 9, 12, tzinfo=UTC))
    days = [op.sent_at.date().isoformat() for op in operations(shop) if op.sent_at]
    assert days == ["2028-01-31", "2028-02-02", "2028-02-05"]
    assert subscription(shop, made.id).status == "ended"


def test_after_a_hard_decline_the_customer_is_asked_at_once_and_on_days_3_7_and_14(shop: Shop) -> None:
    # Jan 31  Feb 3  Feb 7  Feb 14   Feb 21
    #  ask     ask    ask    ask     ended
    declined(shop, HARD)
    assert event_types(shop).count("invoice.token_requested") == 1
    asked = through(shop, datetime(2028, 2, 21, 12, tzinfo=UTC))
    assert asked == ["2028-02-03", "2028-02-07", "2028-02-14"]
    assert invoices(shop)[0].status == "uncollectible"


def test_the_customer_of_a_sleeping_token_is_asked_once_on_day_3(shop: Shop) -> None:
    shop.gateway.default_token_status = "suspended"
    declined(shop, ASLEEP)
    assert through(shop, datetime(2028, 2, 10, tzinfo=UTC)) == ["2028-02-03"]


def test_a_manual_end_leaves_the_invoice_open_for_a_person(shop: Shop) -> None:
    made = declined(shop, exhausted="manual")
    through(shop, datetime(2028, 2, 21, 12, tzinfo=UTC))
    kept, (invoice,) = subscription(shop, made.id), invoices(shop)
    assert (kept.status, kept.review_reason) == ("past_due", "dunning_exhausted")
    assert (invoice.status, invoice.dunning_state, invoice.exhausts_at) == ("open", "exhausted", None)


def test_a_pause_holds_attempts_and_the_end_and_both_go_on_after_it(shop: Shop) -> None:
    made = declined(shop)
    ends_at = invoices(shop)[0].exhausts_at
    pause_dunning(shop.database, shop.ids, shop.clock.now(), made.customer_id, "pays by transfer")
    through(shop, datetime(2028, 2, 22, 8, tzinfo=UTC))
    assert len(shop.gateway.calls_of(PURCHASE)) == 1
    assert invoices(shop)[0].status == "open"
    paused_for = shop.clock.now() - datetime(2028, 1, 31, 8, tzinfo=UTC)
    done = resume_dunning(shop.database, shop.ids, shop.clock.now(), made.customer_id)
    assert (done.attempts, invoices(shop)[0].exhausts_at) == (1, ends_at + paused_for)
    through(shop, datetime(2028, 2, 22, 12, tzinfo=UTC))
    assert len(shop.gateway.calls_of(PURCHASE)) == 2


def test_a_decline_during_a_pause_plans_its_attempt_for_after_it(shop: Shop) -> None:
    price_id = shop.price()
    made = shop.subscription(price_id=price_id)
    pause_dunning(shop.database, shop.ids, shop.clock.now(), made.customer_id, "moving house")
    shop.gateway.answer(PURCHASE, SOFT)
    shop.tick()
    assert [(op.status, op.due_at) for op in operations(shop) if op.n == 2] == [("planned", None)]


def test_without_a_key_a_purchase_is_looked_for_once_and_then_goes_to_a_person(database: object) -> None:
    shop = Shop(database, generation="legacy")
    shop.gateway.always(PURCHASE, Unknown(Answer()))
    shop.subscription()
    shop.tick()
    assert operations(shop)[0].next_check_at - operations(shop)[0].sent_at == timedelta(minutes=5)
    shop.after(minutes=5)
    assert (len(shop.gateway.calls_of(PURCHASE)), operations(shop)[0].answer_code) == (1, "not_repeated")
    assert operations(shop)[0].status == "needs_operator"


def test_without_a_key_a_whole_capture_is_repeated_after_5_minutes_1_hour_and_6_hours(database: object) -> None:
    shop = Shop(database, generation="legacy")
    shop.gateway.always(CAPTURE, Unknown(Answer()))
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    sent_at, waits = operations(shop, "capture")[0].sent_at, []
    while (at := operations(shop, "capture")[0].next_check_at) is not None:
        waits.append((at - sent_at).total_seconds())
        shop.at(at)
    assert waits == [300, 3600, 6 * 3600]
    assert len(shop.gateway.calls_of(CAPTURE)) == 4


def test_the_policy_without_a_key_repeats_only_what_does_no_harm_twice() -> None:
    repeated = {kind for kind in OperationKind if may_be_repeated("legacy", kind, is_whole=False)}
    never = {"purchase", "capture", "refund", "post_invoice", "extend_due_date"}
    assert repeated == set(OperationKind) - never
    assert all(may_be_repeated("rest", kind, is_whole=False) for kind in OperationKind)
    assert next_replay_at(datetime(2028, 1, 1, tzinfo=UTC), 4, "legacy") is None


def test_a_request_that_cannot_be_written_goes_to_a_person_and_holds_up_nobody(shop: Shop) -> None:
    for _ in range(3):
        shop.subscription()
    write, broken = shop.gateway.prepare, []

    def prepare(order: Order) -> Request:
        broken.append(order.invoice_reference)
        if order.invoice_reference == broken[0]:
            raise ZeroDivisionError
        return write(order)

    shop.gateway.prepare = prepare
    shop.tick()
    purchases = operations(shop, "purchase")
    assert sorted(op.status for op in purchases) == ["needs_operator", "succeeded", "succeeded"]
    assert {op.answer_code for op in purchases} == {"not_prepared", None}
