"""What tests of persons' decisions say, and what they are about."""

from uuid import UUID

from factories import Shop
from reading import operations, rows

from billing.domain.decisions import Verb
from billing.domain.money import Money
from billing.domain.operations import OperationKind
from billing.ports import Answer, OrderState, Refused, Unknown
from billing.store.decisions import Decision
from billing.store.operations import Operation
from billing.use_cases.decide import Word, decide

PURCHASE, CAPTURE = OperationKind.PURCHASE, OperationKind.CAPTURE
REFUND, VOID = OperationKind.REFUND, OperationKind.VOID
SILENCE = Unknown(Answer(message="no answer"))
WRONG, PRICE = Refused(Answer(400, "BAD_VALUE", "our request is wrong")), Money(3970, "SEK")


def said(shop: Shop, operation_id: UUID, verb: Verb, **more: object) -> UUID:
    word = Word(verb, "Eva", "looked in the portal", **more)
    accounts = shop.sending.accounts
    return decide(shop.database, accounts, shop.ids, shop.namespace, shop.clock.now(), operation_id, word)


def stuck(shop: Shop, kind: OperationKind = PURCHASE) -> Operation:
    """An operation of this kind that nobody heard of until it needed a person."""
    shop.gateway.always(kind, SILENCE)
    shop.subscription()
    shop.tick()
    if kind is not PURCHASE:
        shop.after(minutes=31)
    while (found := operations(shop, kind.value)[-1]).status != "needs_operator":
        shop.at(found.next_check_at)
    shop.gateway.always(kind, None)
    return found


def order(purchase: Operation, **more: object) -> OrderState:
    known = {"currency": "SEK", "amount": purchase.amount, "captured_amount": 0, "refunded_amount": 0}
    known |= {"merchant_reference": purchase.merchant_reference, "expires_at": None, "authorization": "authorized"}
    return OrderState(purchase_id="order-9", **(known | more))


def decisions(shop: Shop) -> list[Decision]:
    return rows(shop, Decision)
