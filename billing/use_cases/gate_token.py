"""What the gate decides about a call to a provider that concerns a token alone: its cancellation."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from billing.store import operations as operation_store
from billing.store.accounts import ProviderAccount
from billing.store.customers import StoredToken, TokenStatus
from billing.store.operations import Operation, under_way_with
from billing.store.subscriptions import of_customer


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row does not pass: gone for good (`final`), perhaps as a decline, or only not now."""

    reason: str
    final: bool
    as_decline: str | None = None
    at_once: bool = False
    """Nothing is wrong with the row: it may be claimed anew at once."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """What the gate looks at for one revocation."""

    operation: Operation
    token: StoredToken
    account_halted: bool
    is_being_charged: bool
    """A charge of this token may be happening: once the token is gone, nobody could ask what became of it."""


def revocations(session: Session, operation_ids: Sequence[UUID]) -> list[Revocation]:
    """Lock these revocations, in id order, and read what they stand for as it is now."""
    if not operation_ids:
        return []
    found = []
    for operation in operation_store.locked(session, operation_ids).values():
        token = session.get_one(StoredToken, operation.subject, populate_existing=True)
        account = session.get_one(ProviderAccount, operation.provider_account, populate_existing=True)
        charges = under_way_with(session, token.id, of_customer(session, token.customer_id))
        found.append(Revocation(operation, token, account.halted_at is not None, bool(charges)))
    return found


def revocation_refusal(revocation: Revocation) -> Refusal | None:
    """Why this revocation must not be sent now, or None."""
    if revocation.account_halted:
        return Refusal("the provider account is stopped", final=False)
    if revocation.token.status == TokenStatus.ERASED:
        return Refusal("the token is erased", final=True)
    if revocation.is_being_charged:
        return Refusal("a charge of this token may be happening", final=False)
    return None
