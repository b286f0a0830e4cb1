"""Customers' lives as a state machine: in every order that comes to mind, with every invariant after each step.

`who` and `which` are taken modulo what is there, so that shrinking makes them small and never wrong.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from fakes.gateway import TakenButLost
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from lives.life import KINDS, Life

from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined, NotSent, Refused, Succeeded, Unknown
from billing.store.engine import Database
from billing.store.invoices import Invoice, InvoiceLine, lines_of
from billing.store.subscriptions import Subscription

Row = TypeVar("Row")

FEW = st.integers(0, 3)
SHARES = st.sampled_from([100, 50, 33, 1, 99, 150])
"""Percent of what could be asked for."""

ZONES = st.sampled_from(["Europe/Stockholm", "America/New_York", "Pacific/Apia"])

ANSWERS: dict[str, tuple[OperationKind, Any]] = {
    "purchase soft": (OperationKind.PURCHASE, Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")),
    "purchase hard": (OperationKind.PURCHASE, Declined(Answer(403, "TOKEN_CANCELLED"), "hard")),
    "purchase asleep": (OperationKind.PURCHASE, Declined(Answer(403, "TOKEN_SUSPENDED"), "suspended")),
    "purchase unknown": (OperationKind.PURCHASE, Unknown(Answer(message="no answer"))),
    "purchase lost": (OperationKind.PURCHASE, TakenButLost()),
    "purchase declined in silence": (
        OperationKind.PURCHASE,
        TakenButLost(Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft")),
    ),
    "purchase not sent": (OperationKind.PURCHASE, NotSent(Answer(message="refused connection"))),
    "purchase wrong": (OperationKind.PURCHASE, Refused(Answer(400, "BAD_VALUE"))),
    "account stopped": (OperationKind.PURCHASE, NotSent(Answer(401, "UNAUTHORIZED"), account_stopped=True)),
    "capture lost": (OperationKind.CAPTURE, TakenButLost()),
    "capture unknown": (OperationKind.CAPTURE, Unknown(Answer(message="no answer"))),
    "capture wrong": (OperationKind.CAPTURE, Refused(Answer(403, "CAPTURE_NOT_ALLOWED"))),
    "refund lost": (OperationKind.REFUND, TakenButLost()),
    "refund wrong": (OperationKind.REFUND, Refused(Answer(403, "REFUND_NOT_ALLOWED"))),
    "void lost": (OperationKind.VOID, TakenButLost()),
    "amend lost": (OperationKind.AMEND, TakenButLost()),
}
"""What the provider may say next to a call of a kind."""

STEPS = st.sampled_from(
    [
        "claim.committed",
        "reveal.committed",
        "gate.committed",
        "call.begins",
        "call.answered",
        "settle.begins",
        "settle.committed",
        "replay.committed",
    ]
)


class Lives(RuleBasedStateMachine):
    """Time, the provider's moods, and the world that all rules act in. `new_database` gives each example its own."""

    new_database: Callable[[], AbstractContextManager[Database]]

    def __init__(self) -> None:
        super().__init__()
        self._opened = type(self).new_database()
        self.life = Life(self._opened.__enter__())

    def teardown(self) -> None:
        self._opened.__exit__(None, None, None)

    @invariant()
    def everything_holds(self) -> None:
        self.life.check()

    @initialize(kind=st.sampled_from(sorted(KINDS)))
    def first(self, kind: str) -> None:
        self.life.begin(kind, "Europe/Stockholm", None, None)

    @rule(kind=st.sampled_from(sorted(KINDS)), zone=ZONES, start_in_days=st.sampled_from([None, None, 3, -2]))
    @precondition(lambda self: len(self.life.subscriptions()) < 4)
    def subscribe(self, kind: str, zone: str, start_in_days: int | None) -> None:
        start = None if start_in_days is None else self.life.now + timedelta(days=start_in_days)
        self.life.begin(kind, zone, None, start)

    @rule()
    def tick(self) -> None:
        self.life.tick()

    @rule(times=st.integers(1, 6))
    def go_to_what_is_due(self, times: int) -> None:
        """From one due instant to the next, as simulated time goes; a blocked one is passed by."""
        for _ in range(times):
            at = self.life.next_due()
            if at is None:
                return
            later = self.life.now + timedelta(minutes=5)
            self.life.at(at if at > self.life.now else later)

    @rule(hours=st.sampled_from([1, 7, 24, 72]))
    def wait_hours(self, hours: int) -> None:
        self.life.after(hours=hours)

    @rule(days=st.sampled_from([8, 31, 40]))
    def sleep_for_days(self, days: int) -> None:
        """The machine was off: nothing ran in between."""
        self.life.after(days=days)

    @rule(days=st.sampled_from([7, 21, 31]))
    def live_on(self, days: int) -> None:
        """Every due instant of so many days, one after the other."""
        until = self.life.now + timedelta(days=days)
        for _ in range(150):
            at = self.life.next_due()
            if at is None or at > until:
                break
            self.life.at(max(at, self.life.now + timedelta(seconds=1)))
        self.life.at(max(until, self.life.now))

    @rule(minutes=st.sampled_from([1, 20, 90]))
    def clock_goes_back(self, minutes: int) -> None:
        self.life.is_idle = False
        self.life.clock.set(self.life.now - timedelta(minutes=minutes))

    @rule(said=st.sampled_from(sorted(ANSWERS)), times=st.sampled_from([1, 1, 2, 12]))
    def provider_will_say(self, said: str, times: int) -> None:
        kind, answer = ANSWERS[said]
        self.life.gateway.answer(kind, *[answer] * times)

    @rule()
    def provider_will_review(self) -> None:
        """The next purchase is taken, but not yet decided about."""
        gateway = self.life.gateway

        def taken(_call: Any) -> Succeeded:
            number = len(gateway.effects_of(OperationKind.PURCHASE)) + 1
            return Succeeded(Answer(200), f"order-{number}", "pending_review")

        gateway.answer(OperationKind.PURCHASE, taken)

    @rule(then=st.sampled_from(["authorized", "rejected"]))
    def reviews_are_decided(self, then: str) -> None:
        orders = self.life.gateway.orders
        for id_, order in orders.items():
            if order.authorization == "pending_review":
                orders[id_] = replace(order, authorization=then)

    @rule(status=st.sampled_from(["active", "suspended", "revoked"]))
    def tokens_are_read_as(self, status: str) -> None:
        self.life.gateway.default_token_status = status

    @precondition(lambda self: self.life.is_halted())
    @rule()
    def account_is_reopened(self) -> None:
        self.life.reopen()

    @rule(step=STEPS, times=st.integers(1, 2))
    def process_will_die(self, step: str, times: int) -> None:
        self.life.die_at(step, times)

    def one(self, rows: list[Row], which: int) -> Row | None:
        return rows[which % len(rows)] if rows else None

    def a_subscription(self, who: int) -> Subscription:
        return self.life.subscriptions()[who % len(self.life.subscriptions())]

    def an_invoice(self, which: int) -> Invoice | None:
        """Counted from the newest."""
        return self.one(self.life.invoices()[::-1], which)

    def lines(self, invoice_id: UUID) -> list[InvoiceLine]:
        with self.life.database.tx() as session:
            return lines_of(session, [invoice_id])[invoice_id]
