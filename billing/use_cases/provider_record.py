"""What the provider's own record says about an operation that a person decides about: read first, outside any
transaction, and compared with what we hold (charging rules, section 3).

Only reads. Where orders can be read the order decides; where they cannot, the invoices and sightings that can be asked
about; and where nothing can be asked, that is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from billing.domain.operations import WITHOUT_A_KEY, Authorization, OperationKind, is_merchant_reference
from billing.ports import Account, Movement, OrderState, Sighting, Succeeded
from billing.store.operations import Operation
from billing.use_cases.reconcile import shown_in_order

Facts = Mapping[str, str | int | None]


class Shows(StrEnum):
    DONE = "done"
    NOT_DONE = "not_done"
    OTHERWISE = "otherwise"
    """Something like it, but not what we asked for."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """What the record shows, in plain words and in figures (amounts in minor units).

    `provider_id`, `authorization` and `expires_at` are the record's own; `is_another` says that somebody else did it.
    """

    shows: Shows
    said: str
    facts: Facts = field(default_factory=dict)
    provider_id: str | None = None
    authorization: str | None = None
    expires_at: datetime | None = None
    is_another: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One operation and what it acts on: the provider's ids of its order and its capture, and what we think that the
    captured invoice still stands at. `reference` is the operation's own, `known` are captures and refunds of this order
    that we know, by the provider's ids. `said_id` is what the person calls it, where they say that it happened.
    """

    operation: Operation
    reference: str
    order_id: str | None = None
    capture_id: str | None = None
    left_of_capture: int | None = None
    known: frozenset[str] = frozenset()
    said_id: str | None = None


def provider_record(account: Account | None, question: Question) -> ProviderRecord:
    """Ask the provider. Changes nothing there, and raises nothing for what it does not say."""
    if account is None:
        return _unreadable("the provider account of this operation is not configured here")
    if account.generation == WITHOUT_A_KEY:
        return _older_record(account, question)
    if question.operation.kind == OperationKind.PURCHASE:
        return _purchase(account, question)
    if question.order_id is None:
        return _unreadable("the provider shows nothing about it")
    order = account.gateway.read_orders([question.order_id]).get(question.order_id)
    if order is None:
        return _unreadable("the order could not be read")
    return _in_order(question, order)


# --- a provider whose orders can be read -----------------------------------------------------------------------


def _purchase(account: Account, question: Question) -> ProviderRecord:
    operation, wanted = question.operation, question.said_id or question.operation.provider_id
    if wanted is None:
        return _unreadable("this provider cannot be searched for an order whose id is not known")
    order = account.gateway.read_orders([wanted]).get(wanted)
    if order is None:
        return _unreadable("the order could not be read")
    facts: Facts = {
        "amount": order.amount,
        "currency": order.currency,
        "reference": order.merchant_reference,
        "authorization": order.authorization,
    }
    wrong = [
        name
        for name, theirs, ours in (
            ("amount", order.amount, operation.amount),
            ("currency", order.currency, operation.currency),
            ("reference", order.merchant_reference, question.reference),
        )
        if theirs != ours
    ]
    if wrong:
        return ProviderRecord(Shows.OTHERWISE, f"the order has another {' and '.join(wrong)}", facts)
    if operation.authorization == Authorization.PENDING_REVIEW:
        return _reviewed(order, facts)
    return ProviderRecord(
        Shows.DONE, f"the order is there, {order.authorization}", facts, wanted, order.authorization, order.expires_at
    )


def _reviewed(order: OrderState, facts: Facts) -> ProviderRecord:
    """The order of a purchase under review: it is there in any case; done is what the provider has accepted."""
    said = f"the order is {order.authorization}"
    if order.authorization in (Authorization.REJECTED, Authorization.VOIDED, Authorization.EXPIRED):
        return ProviderRecord(Shows.NOT_DONE, said, facts)
    if order.authorization == Authorization.PENDING_REVIEW:
        return ProviderRecord(Shows.OTHERWISE, "the provider still reviews the order", facts)
    return ProviderRecord(Shows.DONE, said, facts, order.purchase_id, order.authorization, order.expires_at)


def _in_order(question: Question, order: OrderState) -> ProviderRecord:
    operation, facts = question.operation, _figures(order)
    if operation.kind in (OperationKind.CAPTURE, OperationKind.REFUND):
        return _movement(question, order)
    shown = shown_in_order(operation, order)
    if isinstance(shown, Succeeded):
        return ProviderRecord(Shows.DONE, shown.answer.message or "", facts, expires_at=order.expires_at)
    if operation.kind in (OperationKind.VOID, OperationKind.RELEASE, OperationKind.EXTEND):
        return ProviderRecord(Shows.NOT_DONE, f"the order is {order.authorization}", facts)
    if operation.kind == OperationKind.AMEND and not operation.details.get("changes"):
        return ProviderRecord(Shows.NOT_DONE, f"the order is over {order.amount}", facts)
    return _unreadable("the order does not show whether this was done")


def _movement(question: Question, order: OrderState) -> ProviderRecord:
    operation, kind = question.operation, question.operation.kind
    movements = order.captures if kind == OperationKind.CAPTURE else order.refunds
    facts = _figures(order)
    if question.said_id is not None:
        return _named(question, movements, facts)
    for movement in movements:
        is_ours = movement.reference == question.reference
        if is_ours and movement.amount == operation.amount:
            return ProviderRecord(Shows.DONE, f"the order shows this {kind}", _of(movement), movement.provider_id)
        is_nobodys = movement.provider_id not in question.known and not is_merchant_reference(movement.reference or "")
        if is_ours or (is_nobodys and movement.amount == operation.amount):
            said = f"the order shows a {kind} that may be this one; link it"
            return ProviderRecord(Shows.OTHERWISE, said, _of(movement))
    return ProviderRecord(Shows.NOT_DONE, f"the order shows no such {kind}", facts)


def _named(question: Question, movements: Sequence[Movement], facts: Facts) -> ProviderRecord:
    operation, kind = question.operation, question.operation.kind
    found = next((one for one in movements if one.provider_id == question.said_id), None)
    if found is None:
        return ProviderRecord(Shows.OTHERWISE, f"the order has no {kind} of this id", facts)
    if found.amount != operation.amount:
        return ProviderRecord(Shows.OTHERWISE, f"the {kind} of this id has another amount", _of(found))
    is_ours = found.reference == question.reference
    if not is_ours and is_merchant_reference(found.reference or ""):
        return ProviderRecord(Shows.OTHERWISE, f"the {kind} of this id is another operation's", _of(found))
    return ProviderRecord(
        Shows.DONE, f"the order shows this {kind}", _of(found), found.provider_id, is_another=not is_ours
    )


def _figures(order: OrderState) -> Facts:
    return {
        "authorization": order.authorization,
        "amount": order.amount,
        "currency": order.currency,
        "captured": order.captured_amount,
        "refunded": order.refunded_amount,
    }


def _of(movement: Movement) -> Facts:
    return {"provider_id": movement.provider_id, "amount": movement.amount, "reference": movement.reference}


# --- one whose invoices and references alone can be asked about ------------------------------------------------


def _older_record(account: Account, question: Question) -> ProviderRecord:
    match OperationKind(question.operation.kind):
        case OperationKind.PURCHASE:
            return _sighted(account, question)
        case OperationKind.CAPTURE if question.said_id is not None:
            return _invoice(account, question, question.said_id)
        case OperationKind.REFUND if question.capture_id is not None:
            return _credited(account, question, question.capture_id)
    return _unreadable("this provider tells nothing about it; look in its portal")


def _sighted(account: Account, question: Question) -> ProviderRecord:
    """A hint: what is found is there, what is not found may be there all the same."""
    said_id = question.said_id or question.operation.provider_id
    asked, of_orders = (question.reference, False) if said_id is None else (said_id, True)
    seen = account.gateway.read_sightings([asked], of_orders=of_orders).get(asked)
    facts: Facts = {"status": None if seen is None else seen.value}
    if seen is Sighting.ACCEPTED:
        return ProviderRecord(Shows.DONE, "the provider calls it accepted", facts, said_id)
    if seen is Sighting.PENDING and question.operation.authorization == Authorization.NONE:
        pending = Authorization.PENDING_REVIEW.value
        return ProviderRecord(Shows.DONE, "the provider has it and reviews it", facts, said_id, pending)
    if seen is Sighting.PENDING:
        return ProviderRecord(Shows.OTHERWISE, "the provider still reviews it", facts)
    if seen is Sighting.DENIED:
        return ProviderRecord(Shows.NOT_DONE, "the provider calls it denied", facts)
    return _unreadable("the provider does not find it, which proves nothing; look in its portal")


def _invoice(account: Account, question: Question, number: str) -> ProviderRecord:
    amount = account.gateway.read_invoices([number]).get(number)
    if amount is None:
        return _unreadable("the provider's invoice could not be read")
    facts: Facts = {"amount": amount}
    if amount != question.operation.amount:
        return ProviderRecord(Shows.OTHERWISE, "the provider's invoice stands at another amount", facts)
    return ProviderRecord(Shows.DONE, "the provider's invoice stands at this amount", facts, number)


def _credited(account: Account, question: Question, number: str) -> ProviderRecord:
    amount, left = account.gateway.read_invoices([number]).get(number), question.left_of_capture
    if amount is None or left is None:
        return _unreadable("the provider's invoice could not be read")
    facts: Facts = {"invoice_stands_at": amount}
    if amount == left:
        return ProviderRecord(Shows.NOT_DONE, "nothing more is credited on the provider's invoice", facts)
    if amount == left - question.operation.amount:
        return ProviderRecord(Shows.DONE, "the provider's invoice is credited by this amount", facts)
    return ProviderRecord(Shows.OTHERWISE, "the provider's invoice is credited by another amount", facts)


def _unreadable(why: str) -> ProviderRecord:
    return ProviderRecord(Shows.UNREADABLE, why)
