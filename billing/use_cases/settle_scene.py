"""What a settlement looks at and writes to, held locked: one operation with its subscription and invoice, or a call
about a token alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.dunning import Ladder
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import MAY_BE_HAPPENING, OperationKind, Trigger
from billing.domain.subscriptions import SubscriptionStatus
from billing.store.accounts import ProviderAccount
from billing.store.batch import Batch
from billing.store.customers import Customer
from billing.store.invoices import Invoice, amount_due
from billing.store.operations import Operation
from billing.store.plans import Plan
from billing.store.subscriptions import Subscription


@dataclass(slots=True)
class Shared:
    """What the scenes of one transaction read and never write. A session forgets a row that nobody holds: without this
    each scene would read the same plan again, and have what is changed so far written one row at a time before it.
    """

    plans: dict[UUID, Plan] = field(default_factory=dict)
    generations: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Scene:
    """One operation among all operations of its invoice.

    `to_number` collects invoices that take their number now, `whole` those whose lines are captured as they are.
    """

    session: Session
    batch: Batch
    now: datetime
    subscription: Subscription
    invoice: Invoice
    siblings: Sequence[Operation]
    to_number: dict[UUID, Invoice]
    whole: set[UUID] = field(default_factory=set)
    shared: Shared = field(default_factory=Shared)

    @property
    def plan(self) -> Plan:
        """The subscription's plan, read when something asks for it."""
        plan_id = self.subscription.plan_id
        if plan_id not in self.shared.plans:
            self.shared.plans[plan_id] = self.session.get_one(Plan, plan_id)
        return self.shared.plans[plan_id]

    @property
    def ladder(self) -> Ladder:
        """The plan's own dunning ladder."""
        return Ladder(tuple(self.plan.dunning_days), self.plan.dunning_terminal_day)

    @property
    def dunning_is_paused(self) -> bool:
        """Whether a person has stopped dunning for this customer, or the subscription is paused."""
        if self.subscription.status == SubscriptionStatus.PAUSED:
            return True
        return self.session.get_one(Customer, self.subscription.customer_id).dunning_paused_at is not None

    @property
    def generation(self) -> str:
        """Which provider generation holds the money: `rest` or `legacy`."""
        name = self.invoice.provider_account
        if name not in self.shared.generations:
            self.shared.generations[name] = self.session.get_one(ProviderAccount, name).generation
        return self.shared.generations[name]

    @property
    def told(self) -> UUID | None:
        """The subscription among whose events `tell` writes."""
        return self.subscription.id

    def tell(self, type_: str, **payload: Any) -> None:
        """An event of the subscription."""
        self.batch.event(self.subscription, type_, **payload)

    def next_n(self, kind: OperationKind, subject: UUID) -> int:
        """The number of the next operation of this kind on this subject, those that are about to be written counted."""
        known = max((op.n for op in self.siblings if op.kind == kind and op.subject == subject), default=0)
        coming = self.batch.rows.get(Operation, ())
        return 1 + known + sum(1 for row in coming if row["kind"] == kind.value and row["subject"] == subject)

    def plan_purchase(self, trigger: Trigger, due_at: datetime | None, *, reads_token_first: bool = False) -> None:
        """Purchase n+1 with the subscription's present token; the caller has just seen the row before it die."""
        self.batch.plan(
            OperationKind.PURCHASE,
            self.invoice,
            subject=self.invoice.id,
            n=self.next_n(OperationKind.PURCHASE, self.invoice.id),
            amount=amount_due(self.invoice),
            trigger=trigger,
            due_at=due_at,
            token_id=self.subscription.token_id,
            reads_token_first=reads_token_first,
        )

    def plan_follow_up(  # one planner for everything that acts on a purchase
        self,
        kind: OperationKind,
        purchase: Operation,
        amount: int,
        due_at: datetime | None,
        *,
        trigger: Trigger,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """An operation that acts on `purchase`: a capture, a void, an extension."""
        self.batch.plan(
            kind,
            self.invoice,
            subject=purchase.id,
            n=self.next_n(kind, purchase.id),
            amount=amount,
            trigger=trigger,
            due_at=due_at,
            purchase=purchase.id,
            details=details,
        )

    def close_if_nobody_collects(self) -> None:
        """An open invoice of a subscription that is over is closed like one whose dunning has run out."""
        over = self.subscription.cancel_at is not None and self.subscription.cancel_at <= self.now
        ended = self.subscription.status == SubscriptionStatus.ENDED
        if self.invoice.status == InvoiceStatus.OPEN and (over or ended):
            self.invoice.exhausts_at = self.now

    def operation(self, operation_id: UUID | None) -> Operation:
        """A sibling by id."""
        return next(op for op in self.siblings if op.id == operation_id)

    def has_open_question(self) -> bool:
        """Whether a purchase of this invoice may be happening at this moment."""
        return any(op.kind == OperationKind.PURCHASE and op.status in MAY_BE_HAPPENING for op in self.siblings)


@dataclass(slots=True)
class TokenScene:
    """A call about a token alone, and the subscriptions that are charged through it: they hear of it."""

    session: Session
    batch: Batch
    now: datetime
    row: Operation
    subscriptions: Sequence[Subscription]

    @property
    def told(self) -> UUID | None:
        """One of the subscriptions among whose events `tell` writes, if there are any."""
        return self.subscriptions[0].id if self.subscriptions else None

    def tell(self, type_: str, **payload: Any) -> None:
        """An event of every subscription concerned."""
        for subscription in self.subscriptions:
            self.batch.event(subscription, type_, **payload)

    def operation(self, operation_id: UUID | None) -> Operation:
        """The call itself."""
        assert operation_id == self.row.id, "a token's scene has one operation"
        return self.row


Stage = Scene | TokenScene
"""What every settlement has: news is kept, and a question is asked again, alike in both."""
