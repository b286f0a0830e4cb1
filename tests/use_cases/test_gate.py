"""The gate: whatever was decided before its commit is obeyed, and says why nothing was sent."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from factories import Shop
from reading import invoices, operations, rows, subscription

from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined, Unknown
from billing.store.audit import Reveal
from billing.store.customers import StoredToken
from billing.store.invoices import Invoice
from billing.store.operations import Operation
from billing.store.subscriptions import Subscription
from billing.use_cases.cancel import CancelAt, CancelRequest, cancel
from billing.use_cases.renew import renew
from billing.use_cases.sending import nothing

PURCHASE, CAPTURE = OperationKind.PURCHASE, OperationKind.CAPTURE


def change(shop: Shop, model: type, **values: object) -> None:
    """Set columns on every row of a table, as another worker's commit would."""
    with shop.database.tx() as session:
        session.execute(model.__table__.update().values(**values))


def plan_a_purchase(shop: Shop) -> Subscription:
    made = shop.subscription()
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    return made


@pytest.mark.parametrize(
    ("model", "values", "said"),
    [
        (Invoice, {"status": "void"}, "no longer open"),
        (Invoice, {"credited": 10, "credited_open": 10}, "no longer open with this amount"),
        (Subscription, {"status": "ended", "next_period_at": None, "due_at": None}, "ended"),
        (Subscription, {"cancel_at": datetime(2028, 1, 31, 7, tzinfo=UTC)}, "canceled"),
        (StoredToken, {"status": "revoked"}, "token is gone"),
    ],
)
def test_a_purchase_that_is_no_longer_wanted_is_dropped_unsent(
    shop: Shop, model: type, values: dict[str, object], said: str
) -> None:
    plan_a_purchase(shop)
    change(shop, model, **values)
    shop.tick()
    assert not shop.gateway.calls
    (purchase,) = operations(shop, "purchase")
    assert (purchase.status, purchase.standing) == ("dropped", "dead")
    assert said in purchase.dead_because


@pytest.mark.parametrize(("column", "why"), [("hold", "import"), ("review_reason", "catch_up")])
def test_a_purchase_of_a_held_subscription_waits(shop: Shop, column: str, why: str) -> None:
    plan_a_purchase(shop)
    change(shop, Subscription, **{column: why})
    shop.tick()
    (purchase,) = operations(shop)
    assert (purchase.status, purchase.due_at - shop.clock.now()) == ("planned", timedelta(hours=1))
    change(shop, Subscription, **{column: None})
    shop.after(hours=1)
    assert len(shop.gateway.effects_of(PURCHASE)) == 1


def test_a_token_found_asleep_elsewhere_is_read_before_it_is_charged(shop: Shop) -> None:
    plan_a_purchase(shop)
    change(shop, StoredToken, status="suspended")
    shop.gateway.default_token_status = "suspended"
    shop.tick()
    dropped, following = operations(shop, "purchase")
    assert (dropped.status, following.status, following.reads_token_first) == ("dropped", "planned", True)
    assert not rows(shop, Reveal)


def test_a_capture_of_an_invoice_that_was_voided_meanwhile_is_not_sent(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    change(shop, Invoice, status="void")
    shop.after(minutes=31)
    assert not shop.gateway.calls_of(CAPTURE)
    assert operations(shop, "capture")[0].status == "dropped"


def when(shop: Shop, step: str, act: Callable[[], None]) -> None:
    """Let `act` happen once, at the moment a loop has passed `step`."""

    def passed(name: str) -> None:
        if name == step:
            shop.passed = nothing
            act()

    shop.passed = passed


def test_a_row_whose_lease_was_taken_between_claim_and_gate_is_left_to_its_new_owner(shop: Shop) -> None:
    plan_a_purchase(shop)
    stolen = {"lease_owner": shop.ids.new(), "lease_until": shop.clock.now() + timedelta(minutes=3)}
    when(shop, "claim.committed", lambda: change(shop, Operation, **stolen))
    shop.tick()
    assert not shop.gateway.calls
    assert operations(shop)[0].lease_owner == stolen["lease_owner"]


def test_a_lease_that_would_end_before_the_deadline_sends_nothing(shop: Shop) -> None:
    plan_a_purchase(shop)
    short = {"lease_until": shop.clock.now() + timedelta(seconds=64)}
    when(shop, "claim.committed", lambda: change(shop, Operation, **short))
    shop.once()
    assert not shop.gateway.calls
    assert operations(shop)[0].status == "planned"


def test_a_cancel_between_claim_and_gate_wins(shop: Shop) -> None:
    made = plan_a_purchase(shop)
    now = CancelRequest(CancelAt.NOW)
    when(
        shop,
        "claim.committed",
        lambda: cancel(shop.database, shop.ids, shop.clock.now(), made.id, now) and None,
    )
    shop.tick()
    assert not shop.gateway.calls
    assert invoices(shop)[0].status == "void"


def test_a_cancel_drops_what_is_planned_at_once(shop: Shop) -> None:
    made = plan_a_purchase(shop)
    cancel(shop.database, shop.ids, shop.clock.now(), made.id, CancelRequest(CancelAt.NOW))
    assert [op.status for op in operations(shop)] == ["dropped"]


def test_a_token_moved_to_another_customer_does_not_open(shop: Shop) -> None:
    made = plan_a_purchase(shop)
    stranger = shop.customer()
    change(shop, StoredToken, customer_id=stranger)
    shop.tick()
    assert not shop.gateway.calls
    assert operations(shop)[0].answer_code == "vault_error"
    assert subscription(shop, made.id).status == "active"


def test_dunning_never_ends_while_a_charge_may_have_happened(shop: Shop) -> None:
    # Jan 31   Feb 1     Feb 2             Feb 21
    # declined silence   with a person     still not ended
    shop.gateway.answer(PURCHASE, Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft"))
    shop.gateway.always(PURCHASE, Unknown(Answer(message="silence")))
    made = shop.subscription()
    shop.tick()
    for _ in range(24 * 22):
        shop.after(hours=1)
    assert subscription(shop, made.id).status == "past_due"
    assert invoices(shop)[0].status == "open"
    assert operations(shop, "purchase")[-1].status == "needs_operator"


def test_what_an_ended_subscription_left_unpaid_is_closed(shop: Shop) -> None:
    made = plan_a_purchase(shop)
    change(shop, Subscription, status="ended", next_period_at=None, due_at=None)
    shop.tick()
    assert invoices(shop)[0].status == "uncollectible"
    assert subscription(shop, made.id).status == "ended"
