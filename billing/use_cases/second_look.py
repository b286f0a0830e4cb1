"""Answers that the order itself explains: a refused capture or release, an extension that does not tell its new end.

Only reads, and only for a provider whose orders can be read (charging rules, section 2, classes of answer).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from billing.domain.operations import (
    WITHOUT_A_KEY,
    Authorization,
    OperationKind,
    is_merchant_reference,
)
from billing.ports import Account, Answer, Call, OrderState, Outcome, Refused, Succeeded, Unknown
from billing.use_cases.settle import Lost, News

_NOTHING_LEFT = (Authorization.CAPTURED.value, Authorization.RELEASED.value, Authorization.VOIDED.value)
_ENDED = (Authorization.EXPIRED.value, Authorization.VOIDED.value)

_NO_PERMIT = Unknown(Answer(message="no permit was left to look at the order"))

Answers = Sequence[tuple[UUID, Outcome]]


def second_look(
    account: Account, calls: Sequence[Call], outcomes: Answers, permits: Callable[[int], int]
) -> list[tuple[UUID, News]]:
    """The `outcomes` of `calls`, those that leave a question answered from the order.

    `permits` grants up to so many requests; what none is left for stays unknown, and is asked again under its key.
    """
    by_id = {call.operation_id: call for call in calls}
    asked = {id_: by_id[id_] for id_, outcome in outcomes if _leaves_a_question(account, by_id[id_], outcome)}
    if not asked:
        return list(outcomes)
    wanted = sorted({call.purchase_id or "" for call in asked.values()} - {""})
    read = wanted[: permits(len(wanted))]
    orders = account.gateway.read_orders(read) if read else {}
    left = {id_ for id_, call in asked.items() if call.purchase_id in wanted[len(read) :]}
    return [
        (id_, _NO_PERMIT if id_ in left else _looked_up(asked[id_], outcome, orders) if id_ in asked else outcome)
        for id_, outcome in outcomes
    ]


def nothing_is_left(order: OrderState) -> bool:
    """Whether nothing of an order can be captured any more, so that a release of its rest is done."""
    return order.authorization in _NOTHING_LEFT


def _leaves_a_question(account: Account, call: Call, outcome: Outcome) -> bool:
    if account.generation == WITHOUT_A_KEY:
        return False
    if call.kind in (OperationKind.CAPTURE, OperationKind.RELEASE):
        return isinstance(outcome, Refused)
    return call.kind is OperationKind.EXTEND and isinstance(outcome, Succeeded) and outcome.expires_at is None


def _looked_up(call: Call, outcome: Outcome, orders: Mapping[str, OrderState]) -> News:
    order = orders.get(call.purchase_id or "")
    if isinstance(outcome, Succeeded):
        if order is None or order.expires_at is None:
            # Asked again under the same key, it is done no second time.
            return Unknown(Answer(message="extended, but the new end could not be read"))
        return replace(outcome, expires_at=order.expires_at)
    if order is not None and call.kind is OperationKind.RELEASE and nothing_is_left(order):
        # Somebody gave it back in the provider's own portal, or all of it is captured.
        return Succeeded(replace(outcome.answer, message="nothing of the order is left"))
    if order is None or call.kind is OperationKind.RELEASE:
        return outcome
    return _refused_capture(call, outcome, order)


def _refused_capture(call: Call, refused: Outcome, order: OrderState) -> News:
    answer = refused.answer
    if order.captured_amount == 0 and order.authorization in _ENDED:
        return Lost(answer, Authorization(order.authorization))
    for movement in order.captures:
        if movement.amount != call.amount:
            continue
        if movement.reference == call.merchant_reference:
            return Succeeded(replace(answer, message="found in the order"), movement.provider_id)
        if not is_merchant_reference(movement.reference or ""):
            # Somebody has taken this very amount in the provider's own portal.
            facts = {"linked": "captured by somebody else"}
            return Succeeded(
                replace(answer, message="linked to a capture by somebody else"), movement.provider_id, facts=facts
            )
    return refused
