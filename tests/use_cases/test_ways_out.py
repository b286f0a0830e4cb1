"""Whatever the kind, an operation that needs a person can be linked, retired and allowed again, on both generations."""

from datetime import timedelta
from uuid import UUID

import pytest
from factories import Shop
from reading import event_types, operations
from sqlmodel import select

from billing.domain.decisions import Verb
from billing.domain.money import Money
from billing.domain.operations import FOLLOWS, OperationKind, OperationStatus, Trigger
from billing.store.batch import Batch
from billing.store.customers import StoredToken
from billing.store.engine import Database
from billing.store.invoices import Invoice
from billing.store.operations import Operation
from billing.use_cases.decide import Word, decide

PRICE = Money(3970, "SEK")
ON_AN_AUTHORIZATION = (OperationKind.CAPTURE, OperationKind.VOID, OperationKind.RELEASE, OperationKind.AMEND)
KINDS = [kind for kind in OperationKind if kind not in (OperationKind.PURCHASE, OperationKind.REFUND)]
NEEDS = {
    OperationKind.CAPTURE: {"provider_id": "c-9", "amount": PRICE},
    OperationKind.EXTEND: {"expires_at": None},
}


@pytest.fixture(params=["rest", "legacy"])
def any_shop(database: Database, request: pytest.FixtureRequest) -> Shop:
    return Shop(database, generation=request.param)


def stuck(shop: Shop, kind: OperationKind) -> UUID:
    """An operation of `kind` that was sent a day ago and is nobody's to answer any more."""
    shop.subscription()
    shop.tick()
    if kind not in (*ON_AN_AUTHORIZATION, OperationKind.EXTEND):
        shop.after(minutes=31)
    with shop.database.tx() as session:
        known = session.exec(select(Operation).order_by(Operation.id)).all()
        for row in known:
            if row.status == "planned":
                row.status, row.due_at, row.settled_at = "dropped", None, shop.clock.now()
        purchase = next(row for row in known if row.kind == "purchase")
        capture = next((row for row in known if row.kind == "capture" and row.status == "succeeded"), None)
        invoice = session.exec(select(Invoice)).one()
        batch = Batch(shop.ids, shop.clock.now())
        if kind is OperationKind.REVOKE:
            id_ = batch.plan_revoke(session.exec(select(StoredToken)).one(), n=1, trigger=Trigger.ADMIN)
        else:
            ends_at = shop.clock.now() + timedelta(days=28)
            id_ = batch.plan(
                kind,
                invoice,
                subject=purchase.id,
                n=9,
                amount=3970 if kind in ON_AN_AUTHORIZATION else 0,
                trigger=Trigger.ADMIN,
                due_at=None,
                purchase=purchase.id,
                capture=capture.id if capture else None,
                details={"ends_at": ends_at.isoformat(), "days": 14},
            )
        batch.write(session)
        row = session.get_one(Operation, id_)
        row.status, row.sent_at, row.sends = "needs_operator", shop.clock.now() - timedelta(days=1), 8
        row.answer_code, row.merchant_reference, row.due_at = "key_expired", "op-x", None
        row.key, row.request, row.next_check_at = shop.ids.new(), b"{}", None
        row.request_method, row.request_path = "POST", "/x"
    shop.gateway.unreadable_orders.add("order-1")
    return id_


def said(shop: Shop, id_: UUID, verb: Verb, **more: object) -> Operation:
    word = Word(verb, "Eva", "looked in the portal", unverified=True, **more)
    decide(shop.database, shop.sending.accounts, shop.ids, shop.namespace, shop.clock.now(), id_, word)
    return next(op for op in operations(shop) if op.id == id_)


@pytest.mark.parametrize("kind", KINDS)
def test_what_happened_is_linked(any_shop: Shop, kind: OperationKind) -> None:
    id_ = stuck(any_shop, kind)
    more = {name: value or any_shop.clock.now() + timedelta(days=56) for name, value in NEEDS.get(kind, {}).items()}
    assert said(any_shop, id_, Verb.LINK, **more).status == "succeeded"


@pytest.mark.parametrize("kind", KINDS)
def test_what_did_not_happen_is_retired_and_the_service_goes_on(any_shop: Shop, kind: OperationKind) -> None:
    retired = said(any_shop, stuck(any_shop, kind), Verb.RETIRE)
    assert retired.status in ("dropped", "declined")
    assert OperationStatus(retired.status) in FOLLOWS[OperationStatus.NEEDS_OPERATOR]
    any_shop.after(days=1)
    assert "operation.decided" in event_types(any_shop) or kind is OperationKind.REVOKE


@pytest.mark.parametrize("kind", KINDS)
def test_what_may_go_again_goes_again_once(any_shop: Shop, kind: OperationKind) -> None:
    id_ = stuck(any_shop, kind)
    said(any_shop, id_, Verb.ALLOW_AGAIN)
    before = len(any_shop.gateway.calls_of(kind))
    any_shop.after(minutes=31)
    assert len(any_shop.gateway.calls_of(kind)) == before + 1
