"""The line to the provider, behind the `PaymentGateway` port: everything that can happen to a call happens here.

What an answer means is read from the tables of the real adapters, so that a refusal is classed as in production.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from simulation.provider import Provider, Reply
from simulation.stage import Stage
from simulation.swarm import Swarm

from billing.adapters.klarna_legacy import codes as legacy_codes
from billing.adapters.klarna_legacy import payloads as legacy_payloads
from billing.adapters.klarna_rest import codes as rest_codes
from billing.adapters.klarna_rest import payloads as rest_payloads
from billing.domain.operations import OperationKind
from billing.domain.tokens import Token
from billing.ports import (
    Answer,
    Call,
    Declined,
    NotSent,
    Order,
    OrderState,
    Outcome,
    Refused,
    Request,
    Sighting,
    Succeeded,
    TokenState,
    Unknown,
)

DEADLINE = {"rest": timedelta(seconds=65), "legacy": timedelta(seconds=30)}
UNREADABLE_FOR = timedelta(minutes=10)
_MERCHANT = legacy_payloads.Merchant(1, "secret")
_BEFORE = {"timeout_before", "reset_before", "error_before"}
_SLOW = {"timeout_before", "timeout_after", "late"}
_LOST = (*_BEFORE, "timeout_after", "reset_after", "error_after", "malformed", "wrong_amount", "late")


@dataclass(slots=True, eq=False, repr=False)
class Line:
    """One account's line. `spells` holds what lasts, each until an instant; `is_calm` switches every fault off."""

    stage: Stage
    swarm: Swarm
    provider: Provider
    spells: dict[str, datetime] = field(default_factory=dict)
    is_calm: bool = False
    harmed: dict[UUID, list[tuple[datetime, str]]] = field(default_factory=dict)
    """By operation: what happened to its calls, and when."""
    sent: int = 0

    def prepare(self, order: Order) -> Request:
        """What the real adapter would refuse is refused; what goes out are the same values in a body of our own."""
        writer = rest_payloads if self.swarm.is_rest else legacy_payloads
        real = writer.request_for(order) if self.swarm.is_rest else writer.request_for(order, _MERCHANT)
        body = {
            "kind": order.kind.value,
            "order": order.purchase_id,
            "capture": order.capture_id,
            "invoice": order.invoice_reference,
            "reference": order.merchant_reference,
            "amount": order.amount,
            "currency": order.currency,
            "is_whole": order.is_whole,
            "lines": [[line.reference, line.quantity, line.amount] for line in order.lines],
            "units": _credited_units(order),
        }
        return Request("POST", real.path, json.dumps(body, separators=(",", ":")).encode())

    def send(self, calls: Sequence[Call]) -> Iterator[tuple[UUID, Outcome]]:
        """All calls, one after another as far as the provider is concerned; the slowest answer decides the wait."""
        outcomes, slowest = [], timedelta()
        self.stage.point(f"calls {len(calls)}")
        for call in calls:
            outcome, took = self._one(call)
            outcomes.append((call.operation_id, outcome))
            slowest = max(slowest, took)
            self.stage.note(f"{call.kind} {call.merchant_reference} {type(outcome).__name__} {outcome.answer.code}")
            self.stage.point("called")
        self.stage.sleep(slowest)
        self.stage.point("answered")
        return iter(outcomes)

    def read_orders(self, purchase_ids: Sequence[str]) -> dict[str, OrderState]:
        self.stage.point("read orders")
        if not self.swarm.is_rest or self._lasts("unreachable") or self._lasts("unauthorized"):
            return {}
        now = self.stage.now
        found = {id_: self.provider.state(id_, now) for id_ in purchase_ids}
        hidden = self._lasts("not_found")
        return {
            id_: state
            for id_, state in found.items()
            if state is not None and not (hidden and now - self.provider.orders[id_].made_at < UNREADABLE_FOR)
        }

    def read_invoices(self, capture_ids: Sequence[str]) -> dict[str, int]:  # noqa: ARG002  (the port's shape)
        """Nothing: nobody works in the portal of this provider."""
        return {}

    def read_sightings(
        self,
        ids: Sequence[str],  # noqa: ARG002  (the port's shape)
        *,
        of_orders: bool = False,  # noqa: ARG002  (the port's shape)
    ) -> dict[str, Sighting]:
        """Nothing, as from an account that is blind to recurring orders."""
        return {}

    def read_tokens(self, tokens: Sequence[tuple[UUID, Token]]) -> dict[UUID, TokenState]:
        self.stage.point("read tokens")
        if self._lasts("unreachable") or self._lasts("unauthorized"):
            return {id_: TokenState("unknown") for id_, _ in tokens}
        return {id_: TokenState(self.provider.token_status(token.reveal(), self.stage.now)) for id_, token in tokens}

    def _one(self, call: Call) -> tuple[Outcome, timedelta]:
        self.sent += 1
        took = timedelta(milliseconds=self.stage.draw.randint(20, 900))
        if (spell := self._spell()) is not None:
            self._harm(call, spell[0])
            return spell[1], took
        fault = self._fault()
        if fault is None:
            return self._outcome(call, self._do(call)), took
        self._harm(call, fault)
        return self._faulty(call, fault), DEADLINE[self.swarm.generation] if fault in _SLOW else took

    def _spell(self) -> tuple[str, Outcome] | None:
        if self._lasts("unreachable"):
            return "unreachable", NotSent(Answer(message="not sent: refused"))
        if self._lasts("unauthorized"):
            return "unauthorized", NotSent(Answer(401, "UNAUTHORIZED"), account_stopped=True)
        return None

    def _fault(self) -> str | None:
        if self.is_calm:
            return None
        return next((kind for kind, rate in self.swarm.calls.items() if self.stage.happens(rate)), None)

    def _faulty(self, call: Call, fault: str) -> Outcome:
        if fault == "refused_connection":
            return NotSent(Answer(message="not sent: refused"))
        if fault == "too_many":
            if not self.swarm.is_rest:
                return Unknown(Answer(429, "429"))
            return NotSent(Answer(429, "TOO_MANY_REQUESTS"), retry_after_seconds=self.stage.draw.randint(1, 300))
        if fault == "conflict":
            return self._conflict(call)
        if fault == "replayed_error":
            self._do(call, answer=Reply(500, "INTERNAL_SERVER_ERROR"))
        elif fault == "late":
            self._begin_late(call)
        elif fault not in _BEFORE:
            self._do(call)
        return Unknown(Answer(message=f"no answer: {fault}"))

    def _conflict(self, call: Call) -> Outcome:
        """Said to a repeat only: the first call under this key is still under way, the provider thinks."""
        if call.key not in self.provider.keys:
            return self._outcome(call, self._do(call))
        return Refused(Answer(409, "CONFLICT"))

    def _do(self, call: Call, answer: Reply | None = None) -> Reply:
        """What the provider does and answers; `answer` is what it says and remembers, whatever it did."""
        now = self.stage.now
        known = self.provider.begin(call.key, call.request.body, now)
        if known is not None:
            return known.reply or Reply(409, "CONFLICT")
        return self._finish(call, answer)

    def _finish(self, call: Call, answer: Reply | None = None) -> Reply:
        self.provider.reviews = not self.is_calm and self.stage.happens(self.swarm.reviews)
        token = call.token.reveal() if call.token is not None else None
        reply = self.provider.do(call.request.body, token, self.stage.now)
        self.provider.reviews = False
        self.stage.note(f"provider {call.kind} {call.merchant_reference} {reply.status} {reply.code} {reply.id}")
        reply = answer or reply
        self.provider.remember(call.key, reply if reply.status not in (401, 429) else None)
        return reply

    def _begin_late(self, call: Call) -> None:
        """The provider takes longer over it than we wait."""
        known = self.provider.begin(call.key, call.request.body, self.stage.now)
        if known is None:
            wait = DEADLINE[self.swarm.generation] + self.stage.between(timedelta(seconds=1), timedelta(seconds=120))
            self.stage.call_at(self.stage.now + wait, lambda: self._come_late(call))

    def _come_late(self, call: Call) -> None:
        self._finish(call)

    def _outcome(self, call: Call, reply: Reply) -> Outcome:
        answer = Answer(reply.status, reply.code)
        if reply.is_success:
            return Succeeded(answer, reply.id, reply.authorization, reply.expires_at, reply.facts)
        return _rest(call, reply, answer) if self.swarm.is_rest else _legacy(call, reply, answer)

    def _lasts(self, spell: str) -> bool:
        until = self.spells.get(spell)
        return not self.is_calm and until is not None and until > self.stage.now

    def _harm(self, call: Call, what: str) -> None:
        self.stage.count(what)
        self.harmed.setdefault(call.operation_id, []).append((self.stage.now, what))


def _rest(call: Call, reply: Reply, answer: Answer) -> Outcome:
    verdict = rest_codes.verdict(call.kind, reply.status, reply.code).value
    return _MEANS[verdict](answer) if verdict in _MEANS else Declined(answer, verdict)


def _legacy(call: Call, reply: Reply, answer: Answer) -> Outcome:
    code = int(reply.code or 0)
    if call.kind is OperationKind.PURCHASE:
        if code == 404:
            return Declined(answer, "hard")
        verdict = legacy_codes.verdict(call.kind, legacy_codes.Channel.STATUS, code).value
    else:
        is_whole = call.kind is not OperationKind.REFUND or json.loads(call.request.body)["is_whole"]
        if legacy_codes.is_already_so(call.kind, code) and is_whole:
            return Refused(answer, is_already_so=True)
        verdict = legacy_codes.verdict(call.kind, legacy_codes.Channel.FAULT, code).value
    return _MEANS[verdict](answer) if verdict in _MEANS else Declined(answer, verdict)


_MEANS: dict[str, Callable[[Answer], Outcome]] = {
    "refused": Refused,
    "unknown": Unknown,
    "postponed": NotSent,
    "account_stopped": lambda answer: NotSent(answer, account_stopped=True),
}


def _credited_units(order: Order) -> list[list[object]]:
    """Whole articles that the older generation credits; none where it returns an amount."""
    if order.kind is not OperationKind.REFUND or not order.has_lines or (order.is_whole and not order.kept):
        return []
    shares = {line.reference: line.quantity for line in order.kept}
    return [[line.reference, shares.get(line.reference, line.quantity)] for line in order.lines]
