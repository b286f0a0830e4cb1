"""Defects that the state machine of customers' lives has found, each as a plain story."""

from factories import Exhausted, Shop
from reading import invoices, operations, subscription

from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.ports import Answer, Declined
from billing.store.bulk import table_of
from billing.store.plans import Plan
from billing.use_cases.cancel import CancelAt, CancelRequest, cancel
from billing.use_cases.replace_token import Attempt, replace_token


def without_a_token(shop: Shop) -> object:
    """A trial that ended with nothing to charge, on a plan that bills all the same."""
    price_id = shop.price(trial_days=5)
    with shop.database.tx() as session:
        session.execute(table_of(Plan).update().values(missing_token="invoice_only"))
    shop.gateway.default_token_status = "revoked"
    made = shop.subscription(price_id=price_id)
    shop.tick()
    for _ in range(6):
        shop.after(days=1)
    return made


def test_the_first_token_after_a_trial_without_one_is_charged_for_the_invoice_that_waits(shop: Shop) -> None:
    made = without_a_token(shop)
    assert (subscription(shop, made.id).status, invoices(shop)[0].dunning_state) == ("past_due", "awaiting_token")
    token_id = shop.token(made.customer_id)
    replaced = replace_token(shop.database, shop.ids, shop.clock.now(), made.id, token_id)
    shop.tick()
    shop.after(minutes=31)
    assert replaced.attempt is Attempt.PLANNED_NOW
    assert len(shop.gateway.effects_of(OperationKind.PURCHASE)) == 1
    assert (invoices(shop)[0].status, subscription(shop, made.id).status) == ("paid", "active")


def test_of_two_invoices_that_wait_for_a_first_token_the_older_is_charged_first(shop: Shop) -> None:
    made = without_a_token(shop)
    shop.after(days=31)
    replace_token(shop.database, shop.ids, shop.clock.now(), made.id, shop.token(made.customer_id))
    older, newer = invoices(shop)
    assert [(op.invoice_id, op.due_at is None) for op in operations(shop, "purchase")] == [
        (older.id, False),
        (newer.id, True),
    ]
    shop.tick()
    shop.after(minutes=31)
    shop.after(minutes=31)
    assert [invoice.status for invoice in invoices(shop)] == ["paid", "paid"]


def test_whoever_is_canceled_at_once_has_no_access_any_more(shop: Shop) -> None:
    made = shop.subscription()
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.NOW))
    assert subscription(shop, made.id).access == "none"


def test_when_the_oldest_is_given_up_the_next_invoice_of_an_unpaid_subscription_has_its_turn(shop: Shop) -> None:
    # Jan 31    Feb 7    Feb 14    Feb 21
    # declined  waits    withheld  the first is given up, the second is collected
    shop.gateway.always(OperationKind.PURCHASE, Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft"))
    made = shop.subscription(price_id=shop.price(interval=Interval.WEEK, exhausted=Exhausted.UNPAID))
    shop.tick()
    for _ in range(20):
        shop.after(days=1)
    shop.gateway.always(OperationKind.PURCHASE, None)
    shop.after(days=1, hours=4)
    shop.after(minutes=31)
    assert [invoice.status for invoice in invoices(shop)] == ["uncollectible", "paid"]
    assert subscription(shop, made.id).status == "active"
