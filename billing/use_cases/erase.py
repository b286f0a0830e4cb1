"""Erase: a customer's tokens and name are deleted; the books keep what was sold, since the law asks for that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Conflict, NotFound
from billing.domain.ids import Prefix, shown
from billing.domain.operations import Trigger
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.customers import Customer, StoredToken, TokenStatus, lock_customer, tokens_of
from billing.store.engine import Database
from billing.store.operations import amendments_of
from billing.store.subscriptions import locked, of_customer
from billing.use_cases.recording import Record, nothing
from billing.use_cases.revoke import check_not_being_charged, plan_revocation
from billing.use_cases.settle_amend import forget_address
from billing.use_cases.settle_token import erase_record

ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, and what is still to be revoked at the provider before its record goes too.

    `key_ids` are the key-encryption keys that could open the tokens in an old backup: once they are destroyed, the
    backups are dead too.
    """

    customer_id: UUID
    erased_at: datetime
    operation_ids: Sequence[UUID]
    key_ids: Sequence[str]


def erase(database: Database, ids: Ids, now: datetime, customer_id: UUID, record: Record[Erasure] = nothing) -> Erasure:
    """Delete a customer's name and address at once, and each token as soon as the provider has canceled it.

    Raises `NotFound`; `Conflict` naming the subscriptions that must be ended first, or where it was asked before;
    `OutcomeUnknown` naming the operations whose outcome is awaited.
    """
    with database.tx() as session:
        subscriptions = locked(session, of_customer(session, customer_id))
        customer = lock_customer(session, customer_id)
        if customer is None:
            raise NotFound("there is no such customer")
        if customer.erased_at is not None:
            raise Conflict(f"this customer was erased on {customer.erased_at.date().isoformat()}")
        live = [row.id for row in subscriptions.values() if row.status != SubscriptionStatus.ENDED]
        if live:
            named = ", ".join(shown(Prefix.SUBSCRIPTION, id_) for id_ in live[:10])
            raise Conflict(f"end these subscriptions first: {named}")
        for amend in amendments_of(session, list(subscriptions)):
            forget_address(amend)
        batch = Batch(ids, now)
        done = _erase(session, batch, customer)
        for subscription in subscriptions.values():
            batch.event(subscription, "customer.erased", customer=customer_id.hex)
        batch.write(session)
        record(session, done)
        return done


def _erase(session: Session, batch: Batch, customer: Customer) -> Erasure:
    tokens = [token for token in tokens_of(session, customer.id) if token.status != TokenStatus.ERASED]
    check_not_being_charged(session, tokens)
    key_ids = sorted({token.kek_id for token in tokens})
    operation_ids = [
        operation_id for token in tokens if (operation_id := _erase_token(session, batch, token)) is not None
    ]
    customer.name, customer.email, customer.erased_at = ERASED, None, batch.now
    # Nobody is left to wait for: what is still unpaid runs out.
    customer.dunning_paused_at = customer.dunning_paused_because = None
    session.add(customer)
    return Erasure(customer.id, batch.now, operation_ids, key_ids)


def _erase_token(session: Session, batch: Batch, token: StoredToken) -> UUID | None:
    """A token that the provider still honors is canceled there first, which needs it once more."""
    if token.status == TokenStatus.REVOKED:
        erase_record(session, token)
        return None
    return plan_revocation(session, batch, token, Trigger.ERASURE)
