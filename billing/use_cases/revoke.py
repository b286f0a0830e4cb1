"""Revoke: a token is canceled at its provider; nothing is charged through it any more. Raised for whoever waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Conflict, NotFound, OutcomeUnknown, TransitionNotAllowed
from billing.domain.ids import Prefix, shown
from billing.domain.operations import MAY_BE_HAPPENING, OperationStatus, Trigger
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.customers import StoredToken, TokenStatus
from billing.store.engine import Database
from billing.store.operations import Operation, revocations_of, under_way_with
from billing.store.subscriptions import locked, of_customer
from billing.use_cases.recording import Record, nothing

_UNDER_WAY = (OperationStatus.PLANNED, *MAY_BE_HAPPENING)


@dataclass(frozen=True, slots=True)
class Revoked:
    """The operation that cancels a token at the provider."""

    token_id: UUID
    operation_id: UUID


def revoke(database: Database, ids: Ids, now: datetime, token_id: UUID, record: Record[Revoked] = nothing) -> Revoked:
    """Plan the cancellation of a token.

    Raises `NotFound`; `TransitionNotAllowed` for a token that is gone already; `OutcomeUnknown` naming the operations
    of the token whose outcome is awaited; `Conflict` while a revocation is under way.
    """
    with database.tx() as session:
        token = session.get(StoredToken, token_id)
        if token is None:
            raise NotFound("there is no such token")
        locked(session, of_customer(session, token.customer_id))
        if token.status in (TokenStatus.REVOKED, TokenStatus.ERASED):
            raise TransitionNotAllowed(f"this token is {token.status} already")
        check_not_being_charged(session, [token])
        batch = Batch(ids, now)
        operation_id = plan_revocation(session, batch, token, Trigger.ADMIN)
        batch.write(session)
        done = Revoked(token_id, operation_id)
        record(session, done)
        return done


def check_not_being_charged(session: Session, tokens: Sequence[StoredToken]) -> None:
    """Raises `OutcomeUnknown` naming charges of these tokens of which nobody knows what became: once a token is gone,
    nobody could ask. The caller holds the customer's subscriptions locked.
    """
    open_questions: list[Operation] = []
    for token in tokens:
        open_questions += under_way_with(session, token.id, of_customer(session, token.customer_id))
    if open_questions:
        named = ", ".join(shown(Prefix.OPERATION, op.id) for op in open_questions[:10])
        raise OutcomeUnknown(f"the outcome of {named} must be known first; try again then, or decide about it")


def plan_revocation(session: Session, batch: Batch, token: StoredToken, trigger: Trigger) -> UUID:
    """Plan the one revocation of a token that is under way. Raises `Conflict` while there is another."""
    before = revocations_of(session, [token.id])
    for operation in before:
        if operation.status in _UNDER_WAY:
            raise Conflict(f"{shown(Prefix.OPERATION, operation.id)} is revoking this token already")
    return batch.plan_revoke(token, n=1 + max((op.n for op in before), default=0), trigger=trigger)
