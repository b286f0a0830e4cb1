"""How a person answers an open question: they look it up in the provider's portal and say what they found."""

from dataclasses import dataclass
from datetime import datetime

from simulation.provider import OrderKept
from simulation.world import World
from sqlmodel import col, select

from billing.domain.decisions import Then, Verb
from billing.domain.errors import Conflict
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.store.operations import Operation
from billing.use_cases.decide import Word, decide

BY, REASON = "operator", "looked in the portal"
_ASKS_AGAIN = 600_000
"""How often, per million, what never happened is allowed again and not retired."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the portal shows of an operation that happened."""

    provider_id: str | None = None
    expires_at: datetime | None = None


def answer_question(world: World, operation: Operation) -> None:
    """Say what the provider's records say about `operation`."""
    order = _order(world, operation)
    if order is not None and operation.kind == OperationKind.PURCHASE and order.status == "pending_review":
        return
    found = what_happened(world, operation, order)
    word = _not_done(world, operation, order) if found is None else _done(operation, found)
    accounts, namespace = world.workers[0].wiring.accounts, world.shop.namespace
    try:
        decide(world.database, accounts, world.ids, namespace, world.now, operation.id, word)
    except Conflict:
        if word.verb is Verb.LINK or operation.kind not in (OperationKind.PURCHASE, OperationKind.CAPTURE):
            raise
        # Nothing of the invoice is wanted any more, so that nothing can take the place of what never happened.
        word = Word(Verb.RETIRE, BY, REASON, then=Then.LEAVE, unverified=True)
        decide(world.database, accounts, world.ids, namespace, world.now, operation.id, word)


def what_happened(world: World, operation: Operation, order: OrderKept | None) -> Found | None:
    """The provider's record of it, None where it did not happen, or came to nothing."""
    if order is None:
        return None
    kind = OperationKind(operation.kind)
    if kind is OperationKind.PURCHASE:
        return Found(order.id, order.expires_at) if order.is_alive(world.now) else None
    if kind in (OperationKind.CAPTURE, OperationKind.REFUND):
        moves = order.captures if kind is OperationKind.CAPTURE else order.refunds
        moved = next((one for one in moves if one.reference == operation.merchant_reference), None)
        makes_an_id = kind is OperationKind.CAPTURE or world.swarm.is_rest
        return None if moved is None else Found(moved.id if makes_an_id else None)
    if kind is OperationKind.EXTEND:
        is_later = order.expires_at > datetime.fromisoformat(operation.details["ends_at"])
        return Found(expires_at=order.expires_at) if is_later else None
    is_done = {
        OperationKind.VOID: order.status == "voided",
        OperationKind.RELEASE: order.status == "released",
        OperationKind.AMEND: order.amount == operation.amount,
    }
    return Found() if is_done.get(kind, False) else None


def _done(operation: Operation, found: Found) -> Word:
    amount = Money(operation.amount, operation.currency)
    return Word(Verb.LINK, BY, REASON, found.provider_id, amount, found.expires_at, unverified=True)


def _not_done(world: World, operation: Operation, order: OrderKept | None) -> Word:
    kind, again = OperationKind(operation.kind), world.stage.happens(_ASKS_AGAIN)
    cannot_be_said = operation.answer_code == "invalid"
    retired: dict[OperationKind, Then] = {
        OperationKind.PURCHASE: Then.VOID_INVOICE if cannot_be_said else Then.PURCHASE_AGAIN,
        OperationKind.CAPTURE: Then.PURCHASE_AGAIN,
        OperationKind.REFUND: Then.TO_BALANCE,
    }
    can_go_again = kind in (*retired, OperationKind.AMEND, OperationKind.VOID, OperationKind.RELEASE)
    if kind in (OperationKind.CAPTURE, OperationKind.VOID, OperationKind.RELEASE, OperationKind.AMEND):
        again = order is not None and order.authorization(world.now) in ("authorized", "part_captured")
    if again and can_go_again and not cannot_be_said:
        return Word(Verb.ALLOW_AGAIN, BY, REASON, unverified=True)
    return Word(Verb.RETIRE, BY, REASON, then=retired.get(kind, Then.LEAVE), unverified=True)


def _order(world: World, operation: Operation) -> OrderKept | None:
    if operation.kind == OperationKind.PURCHASE:
        return world.provider.order_of(operation.merchant_reference or "-")
    if operation.purchase_id is None:
        return None
    with world.plain.tx() as session:
        query = select(Operation.provider_id).where(col(Operation.id) == operation.purchase_id)
        return world.provider.orders.get(session.exec(query).one() or "-")
