"""A provider in memory behind the `PaymentGateway` port: tests say what it answers and read what it was asked.

Keys are honored: a call whose key was answered for good gets that answer again, and nothing happens twice.
"""

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from billing.domain.operations import OperationKind
from billing.domain.tokens import Token
from billing.ports import (
    Answer,
    Call,
    Movement,
    NotSent,
    Order,
    OrderState,
    Outcome,
    Request,
    Sighting,
    Succeeded,
    TokenState,
    Unknown,
)


@dataclass(frozen=True, slots=True)
class TakenButLost:
    """The provider does it, but the answer never arrives: `Unknown` now, the real answer when the key is sent again."""

    then: Outcome | None = None


Programmed = Outcome | TakenButLost | Callable[[Call], Outcome]


@dataclass
class FakeGateway:
    """Everything succeeds unless `answer` or `always` says otherwise.

    `calls` holds every call made, replays included; `effects` those that did something, each key once. `orders` is
    kept up to date from the effects and may be overwritten, as may `tokens` (by the caller's id). `invoices` and
    `sightings` say nothing until a test writes into them.
    """

    calls: list[Call] = field(default_factory=list)
    effects: list[Call] = field(default_factory=list)
    prepared: list[Order] = field(default_factory=list)
    orders: dict[str, OrderState] = field(default_factory=dict)
    tokens: dict[UUID, str] = field(default_factory=dict)
    default_token_status: str = "active"
    unreadable_orders: set[str] = field(default_factory=set)
    invoices: dict[str, int] = field(default_factory=dict)
    sightings: dict[str, Sighting] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Every id of which somebody wanted to know something, in order."""
    _queued: dict[OperationKind, deque[Programmed]] = field(default_factory=lambda: defaultdict(deque))
    _standing: dict[OperationKind, Programmed] = field(default_factory=dict)
    _by_key: dict[UUID, Outcome] = field(default_factory=dict)

    def answer(self, kind: OperationKind, *answers: Programmed) -> None:
        """The next new calls of `kind` get these, one each, in this order."""
        self._queued[kind].extend(answers)

    def always(self, kind: OperationKind, answer: Programmed) -> None:
        """Every new call of `kind` gets this once the queue is empty."""
        self._standing[kind] = answer

    def calls_of(self, kind: OperationKind) -> list[Call]:
        return [call for call in self.calls if call.kind is kind]

    def effects_of(self, kind: OperationKind) -> list[Call]:
        return [call for call in self.effects if call.kind is kind]

    def prepare(self, order: Order) -> Request:
        self.prepared.append(order)
        place = "/{token}" if order.kind is OperationKind.PURCHASE else f"/{order.purchase_id}"
        body = {
            "amount": order.amount,
            "currency": order.currency,
            "reference": order.merchant_reference,
            "capture": order.capture_id,
            "lines": [[line.reference, line.quantity, line.amount] for line in order.lines],
        }
        return Request("POST", f"/{order.kind.value}{place}", json.dumps(body, separators=(",", ":")).encode())

    def send(self, calls: Sequence[Call]) -> Iterator[tuple[UUID, Outcome]]:
        # All are made before the first is handed over, as by the real one, even if nobody asks for the rest.
        self.calls.extend(calls)
        return iter([(call.operation_id, self._outcome(call)) for call in calls])

    def read_orders(self, purchase_ids: Sequence[str]) -> dict[str, OrderState]:
        self.asked.extend(purchase_ids)
        readable = [id_ for id_ in purchase_ids if id_ in self.orders and id_ not in self.unreadable_orders]
        return {id_: self.orders[id_] for id_ in readable}

    def read_invoices(self, capture_ids: Sequence[str]) -> dict[str, int]:
        self.asked.extend(capture_ids)
        return {id_: self.invoices[id_] for id_ in capture_ids if id_ in self.invoices}

    def read_sightings(self, ids: Sequence[str], *, of_orders: bool = False) -> dict[str, Sighting]:  # noqa: ARG002  (the port's shape)
        self.asked.extend(ids)
        return {id_: self.sightings[id_] for id_ in ids if id_ in self.sightings}

    def read_tokens(self, tokens: Sequence[tuple[UUID, Token]]) -> dict[UUID, TokenState]:
        return {id_: TokenState(self.tokens.get(id_, self.default_token_status)) for id_, _ in tokens}

    def _outcome(self, call: Call) -> Outcome:
        if call.key in self._by_key:
            return self._by_key[call.key]
        queue = self._queued[call.kind]
        programmed = queue.popleft() if queue else self._standing.get(call.kind)
        if isinstance(programmed, TakenButLost):
            self._remember(call, programmed.then or self._success(call))
            return Unknown(Answer(message="no answer: TimeoutError"))
        outcome = programmed(call) if callable(programmed) else programmed or self._success(call)
        # Of a call that never arrived, or whose fate is open, the provider keeps nothing under its key.
        if not isinstance(outcome, NotSent | Unknown):
            self._remember(call, outcome)
        return outcome

    def _remember(self, call: Call, outcome: Outcome) -> None:
        self._by_key[call.key] = outcome
        if isinstance(outcome, Succeeded):
            self.effects.append(call)
            self._apply(call, outcome)

    def _success(self, call: Call) -> Succeeded:
        number = len(self.effects_of(call.kind)) + 1
        match call.kind:
            case OperationKind.PURCHASE:
                return Succeeded(Answer(200), f"order-{number}", "authorized")
            case OperationKind.CAPTURE | OperationKind.REFUND:
                return Succeeded(Answer(201), f"{call.kind.value}-{number}")
        return Succeeded(Answer(204))

    def _apply(self, call: Call, outcome: Succeeded) -> None:
        if call.kind is OperationKind.PURCHASE and outcome.provider_id is not None:
            self.orders[outcome.provider_id] = _opened(call, outcome, outcome.provider_id)
        elif call.purchase_id in self.orders:
            self.orders[call.purchase_id] = _changed(self.orders[call.purchase_id], call, outcome)


def _opened(call: Call, outcome: Succeeded, purchase_id: str) -> OrderState:
    return OrderState(
        purchase_id=purchase_id,
        authorization=outcome.authorization or "authorized",
        currency=call.currency,
        amount=call.amount,
        captured_amount=0,
        refunded_amount=0,
        merchant_reference=call.merchant_reference,
        expires_at=outcome.expires_at,
    )


def _changed(order: OrderState, call: Call, outcome: Succeeded) -> OrderState:
    movement = Movement(outcome.provider_id or "", call.merchant_reference, call.amount)
    match call.kind:
        case OperationKind.CAPTURE:
            captured = order.captured_amount + call.amount
            authorization = "captured" if captured >= order.amount else "part_captured"
            captures = (*order.captures, movement)
            return replace(order, authorization=authorization, captured_amount=captured, captures=captures)
        case OperationKind.REFUND:
            refunded = order.refunded_amount + call.amount
            return replace(order, refunded_amount=refunded, refunds=(*order.refunds, movement))
        case OperationKind.VOID:
            return replace(order, authorization="voided")
    return order
