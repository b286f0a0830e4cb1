"""What one transaction will write, gathered while it decides and written set by set at its end.

Owns the shape of new operations, events and ledger transactions; does not own why they are written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlmodel import Session, SQLModel

from billing.domain.ledger import Account, Posting, check_balanced
from billing.domain.operations import Authorization, OperationKind, OperationStatus, Standing, Trigger
from billing.ports import Ids
from billing.store.bulk import insert_rows, table_of
from billing.store.customers import StoredToken
from billing.store.invoices import Invoice
from billing.store.ledger import LedgerEntry, LedgerTransaction
from billing.store.operations import Operation
from billing.store.outbox import Event
from billing.store.subscriptions import Subscription

Row = dict[str, Any]


@dataclass(slots=True)
class Batch:
    """Rows to insert, by table. Amounts are minor units; `now` stamps every row."""

    ids: Ids
    now: datetime
    rows: dict[type[SQLModel], list[Row]] = field(default_factory=dict)
    later: list[tuple[SQLModel, str, Any]] = field(default_factory=list)

    def add(self, model: type[SQLModel], **columns: Any) -> UUID:
        """A row, with a fresh id unless it brings one; every row of one table must name the same columns."""
        row_id: UUID = columns.setdefault("id", self.ids.new())
        self.rows.setdefault(model, []).append(columns)
        return row_id

    def set_later(self, row: SQLModel, column: str, value: Any) -> None:
        """Set a column of a loaded row once the rows gathered here are written: it refers to one of them."""
        self.later.append((row, column, value))

    def plan(
        self,
        kind: OperationKind,
        invoice: Invoice,
        *,
        subject: UUID,
        n: int,
        amount: int,
        trigger: Trigger,
        due_at: datetime | None,
        token_id: UUID | None = None,
        purchase: UUID | None = None,
        capture: UUID | None = None,
        reads_token_first: bool = False,
        details: Mapping[str, Any] | None = None,
    ) -> UUID:
        """A planned operation: references only; request, key and digest are frozen at the gate.

        `due_at` None means that it waits for another row (an older invoice, a capture). `details` is what the kind
        needs besides: units by line, parcels, a date.
        """
        return self.add(
            Operation,
            kind=kind.value,
            subject=subject,
            n=n,
            invoice_id=invoice.id,
            subscription_id=invoice.subscription_id,
            provider_account=invoice.provider_account,
            token_id=token_id,
            purchase_id=purchase,
            capture_id=capture,
            amount=amount,
            currency=invoice.currency,
            trigger=trigger.value,
            origin="ours",
            status=OperationStatus.PLANNED.value,
            authorization=Authorization.NONE.value,
            standing=Standing.LIVE.value if kind is OperationKind.PURCHASE else None,
            reads_token_first=reads_token_first,
            due_at=due_at,
            epoch=0,
            claims=0,
            backoffs=0,
            sends=0,
            details=dict(details or {}),
            created_at=self.now,
        )

    def plan_revoke(self, token: StoredToken, *, n: int, trigger: Trigger) -> UUID:
        """A planned cancellation of a token at its provider; it belongs to no invoice and to no subscription."""
        return self.add(
            Operation,
            kind=OperationKind.REVOKE.value,
            subject=token.id,
            n=n,
            invoice_id=None,
            subscription_id=None,
            provider_account=token.provider_account,
            token_id=token.id,
            purchase_id=None,
            capture_id=None,
            amount=0,
            currency=token.currency,
            trigger=trigger.value,
            origin="ours",
            status=OperationStatus.PLANNED.value,
            authorization=Authorization.NONE.value,
            standing=None,
            reads_token_first=False,
            due_at=self.now,
            epoch=0,
            claims=0,
            backoffs=0,
            sends=0,
            details={},
            created_at=self.now,
        )

    def event(self, subscription: Subscription, type_: str, **payload: Any) -> None:
        """The next event of a subscription, whose row the caller holds locked."""
        subscription.event_seq += 1
        self.add(
            Event,
            subscription_id=subscription.id,
            seq=subscription.event_seq,
            type=type_,
            payload=payload,
            at=self.now,
        )

    def tell_all(self, type_: str, **payload: Any) -> None:
        """An event of a provider account or of the whole service; it belongs to no subscription."""
        self.add(Event, subscription_id=None, seq=None, type=type_, payload=payload, at=self.now)

    def post(
        self,
        kind: str,
        invoice: Invoice | None,
        postings: Sequence[Posting],
        *,
        currency: str | None = None,
        operation_id: UUID | None = None,
        credit_note_id: UUID | None = None,
        payout_id: UUID | None = None,
        booked_on: date | None = None,
    ) -> None:
        """A ledger transaction of `invoice`, or of none in `currency`; its postings must sum to zero.

        It counts for the seller's day of `now`, or for `booked_on`.
        """
        check_balanced(postings)
        moving = [posting for posting in postings if posting.amount]
        if not moving:
            return
        code = invoice.currency if invoice is not None else currency
        assert code is not None, "a transaction has a currency"
        if invoice is not None and any(posting.account == Account.RECEIVABLE for posting in moving):
            # Whatever opens, pays or takes back a claim may have earned revenue, or unearned it.
            invoice.release_at = self.now
        transaction_id = self.add(
            LedgerTransaction,
            kind=kind,
            invoice_id=invoice.id if invoice is not None else None,
            operation_id=operation_id,
            credit_note_id=credit_note_id,
            payout_id=payout_id,
            currency=code,
            at=self.now,
            booked_on=booked_on,
        )
        for position, posting in enumerate(moving, start=1):
            self.add(
                LedgerEntry,
                transaction_id=transaction_id,
                position=position,
                account=posting.account,
                detail=posting.detail,
                amount=posting.amount,
                currency=code,
            )

    def write(self, session: Session) -> None:
        """Write everything gathered so far, parents before children, and start afresh."""
        # What the session still holds (new parents, moved states) must be there before rows refer to it.
        session.flush()
        for model in sorted(self.rows, key=_order):
            insert_rows(session, model, self.rows[model])
        self.rows.clear()
        for row, column, value in self.later:
            setattr(row, column, value)
        self.later.clear()


@cache
def _order(model: type[SQLModel]) -> int:
    return list(SQLModel.metadata.sorted_tables).index(table_of(model))
