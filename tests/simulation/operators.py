"""The operators' daily round: accounts opened again, reviews decided, hand captures made, open questions answered from
the provider's own records.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from simulation.decisions import answer_question
from simulation.people import People
from simulation.provider import Provider
from simulation.stage import Breach
from simulation.verbs import Asked, bring_a_new_token
from simulation.world import DAY, Injected, World
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select

from billing.domain.errors import BillingError
from billing.domain.operations import OperationStatus
from billing.domain.terms import CatchUp
from billing.store.accounts import ProviderAccount
from billing.store.invoices import Invoice
from billing.store.operations import Observation, Operation
from billing.store.paces import AccountPace
from billing.store.subscriptions import Subscription
from billing.use_cases.capture import capture
from billing.use_cases.catch_up import CATCH_UP, Decision, catch_up
from billing.use_cases.release_brake import BrakeRelease, list_brakes, release_brake
from billing.use_cases.reopen_account import reopen_account
from billing.use_cases.review import clear_review

QUARANTINE = timedelta(hours=6)
"""Nobody answers a question sooner: the provider may still be at it."""

KEY_WINDOW = timedelta(hours=19)
"""So long at least a question is asked again under its key, before it goes to a person."""

_TO_CAPTURE = (
    "SELECT i.id FROM invoices i JOIN operations p ON p.invoice_id = i.id AND p.kind = 'purchase'"
    " AND p.standing = 'live' AND p.\"authorization\" IN ('authorized', 'part_captured')"
    " WHERE i.status = 'open' AND NOT EXISTS (SELECT 1 FROM operations c WHERE c.purchase_id = p.id"
    " AND c.kind IN ('capture', 'void', 'release', 'amend')"
    " AND c.status IN ('planned', 'sending', 'unknown', 'needs_operator'))"
)


@dataclass(slots=True)
class Operators:
    """Who looks after the service."""

    world: World
    people: People
    asked: set[UUID] = field(default_factory=set)
    """Operations that ever needed a person."""
    refused: Counter[str] = field(default_factory=Counter)
    first_seen: dict[UUID, datetime] = field(default_factory=dict)

    def begin(self, end: datetime) -> None:
        """Rounds until `end`."""
        at = self.world.now + timedelta(hours=9)
        while at < end:
            self.world.stage.call_at(at, lambda: self.world.stage.start("operator", self.round))
            self.world.stage.call_at(at, self._decide_reviews_of_the_provider)
            at += DAY

    def round(self) -> None:
        """Everything that waits for a person today."""
        self._open_accounts()
        self._let_go()
        self._decide_reviews()
        self._answer_questions()
        if self.people.is_calm or not self.world.swarm.late_captures or self.world.stage.happens(40_000):
            self._capture_by_hand()
        if self.people.is_calm:
            self._bring_tokens()
        self.world.look_again()

    def _try(self, name: str, verb: Callable[..., object], *arguments: Any) -> None:
        try:
            verb(*arguments)
        except BillingError as refused:
            self.refused[f"{name}: {type(refused).__name__}: {refused.message[:60]}"] += 1
        except OperationalError as failed:
            if not isinstance(failed.orig, Injected):
                raise

    def _open_accounts(self) -> None:
        world = self.world
        with world.plain.tx() as session:
            account, pace = session.get_one(ProviderAccount, "main"), session.get_one(AccountPace, "main")
            stopped = account.halted_at is not None
            rests = pace.breaker != "closed" and pace.breaker_until is None
        if stopped:
            world.line.spells.pop("unauthorized", None)
        if stopped or rests:
            self._try("reopen", reopen_account, world.database, world.ids, world.now, "main", "put right")

    def _let_go(self) -> None:
        """Whatever a brake has halted was looked at."""
        world = self.world
        for brake in list_brakes(world.plain, released=False):
            release = BrakeRelease("operator", "it is as it should be")
            self._try("brake", release_brake, world.database, world.ids, world.now, brake.id, release)

    def _decide_reviews(self) -> None:
        world = self.world
        with world.plain.tx() as session:
            rows = session.exec(select(Subscription).where(col(Subscription.review_reason).is_not(None))).all()
        for row in rows:
            if row.review_reason == CATCH_UP:
                policy = world.stage.draw.choice(list(CatchUp))
                decision = Decision(policy, "operator", "talked to the customer")
                arguments = (world.database, world.ids, world.shop.seller, world.now, row.id, decision)
                self._try("catch up", catch_up, *arguments)
            else:
                self._try("review", clear_review, world.database, world.ids, world.now, row.id, "looked", "operator")

    def _answer_questions(self) -> None:
        world = self.world
        with world.plain.tx() as session:
            query = select(Operation).where(Operation.status == OperationStatus.NEEDS_OPERATOR.value)
            rows: Sequence[Operation] = session.exec(query.order_by(col(Operation.id))).all()
        for row in rows:
            if row.id not in self.asked:
                self.asked.add(row.id)
                self._check_a_person_is_needed(row)
            if world.now - self.first_seen.setdefault(row.id, world.now) >= QUARANTINE or self.people.is_calm:
                self._try(f"answer {row.kind}", answer_question, world, row)

    def _check_a_person_is_needed(self, row: Operation) -> None:
        """With a provider key nobody is asked about a mere fault of the transport before the key's life is over."""
        if not self.world.swarm.is_rest or row.sent_at is None:
            return
        with self.world.plain.tx() as session:
            query = select(Observation).where(Observation.operation_id == row.id).order_by(col(Observation.id).desc())
            last = session.exec(query.limit(1)).one()
        if self.people.is_calm or last.outcome in ("retired", "allowedagain"):
            return
        is_fault = last.outcome in ("unknown", "notsent") or last.code in ("key_expired", "CONFLICT")
        if is_fault and last.at - row.sent_at < KEY_WINDOW:
            raise Breach(f"a person is asked about {row.kind} {row.id} after {last.at - row.sent_at}: {last.outcome}")

    def _capture_by_hand(self) -> None:
        world = self.world
        with world.plain.tx() as session:
            invoice_ids = [UUID(str(row[0])) for row in session.execute(text(_TO_CAPTURE))]
        for invoice_id in sorted(invoice_ids):
            self._try("capture", capture, world.database, world.ids, world.now, invoice_id)

    def _bring_tokens(self) -> None:
        """Everybody who was asked for a token brings one."""
        world = self.world
        with world.plain.tx() as session:
            query = select(Invoice.subscription_id).where(
                Invoice.status == "open", Invoice.dunning_state == "awaiting_token"
            )
            waiting = sorted(set(session.exec(query)))
        for subscription_id in waiting:
            self._try("token", bring_a_new_token, Asked(world, subscription_id))

    def _decide_reviews_of_the_provider(self) -> None:
        decide_reviews(self.world.provider, accepts=self.world.stage.draw.random() < 0.7)


def decide_reviews(provider: Provider, *, accepts: bool) -> None:
    """The provider makes up its mind about the orders it has under review."""
    for order_id in provider.reviewed:
        order = provider.orders[order_id]
        if order.status == "pending_review":
            order.status = "authorized" if accepts else "rejected"
    provider.reviewed.clear()
