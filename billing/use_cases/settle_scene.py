"""What a settlement looks at and writes to: one operation's subscription and invoice, held locked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import OperationKind, OperationStatus, Trigger
from billing.domain.subscriptions import SubscriptionStatus
from billing.store.batch import Batch
from billing.store.invoices import Invoice, amount_due
from billing.store.operations import Operation
from billing.store.plans import Plan
from billing.store.subscriptions import Subscription


@dataclass(slots=True)
class Scene:
    """One operation among all operations of its invoice. `to_number` collects invoices that take their number now."""

    session: Session
    batch: Batch
    now: datetime
    subscription: Subscription
    invoice: Invoice
    siblings: Sequence[Operation]
    to_number: dict[UUID, Invoice]

    @property
    def plan(self) -> Plan:
        """The subscription's plan, read when something asks for it."""
        return self.session.get_one(Plan, self.subscription.plan_id)

    def next_n(self, kind: OperationKind, subject: UUID) -> int:
        """The number of the next operation of this kind on this subject."""
        return 1 + max((op.n for op in self.siblings if op.kind == kind and op.subject == subject), default=0)

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

    def plan_follow_up(
        self, kind: OperationKind, purchase: Operation, amount: int, due_at: datetime, *, trigger: Trigger
    ) -> None:
        """A capture or a void of `purchase`."""
        self.batch.plan(
            kind,
            self.invoice,
            subject=purchase.id,
            n=self.next_n(kind, purchase.id),
            amount=amount,
            trigger=trigger,
            due_at=due_at,
            purchase=purchase.id,
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
        asked = (OperationStatus.SENDING, OperationStatus.UNKNOWN, OperationStatus.NEEDS_OPERATOR)
        return any(op.kind == OperationKind.PURCHASE and op.status in asked for op in self.siblings)
