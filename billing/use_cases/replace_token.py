"""Replace a subscription's token: the new one is charged from now on, and at once for what is unpaid.

The planned purchase is taken over under its lock, never doubled; one that may be happening is waited for.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import CurrencyMismatch, Invalid, NotFound, TransitionNotAllowed
from billing.domain.operations import OperationKind, OperationStatus, Standing, Trigger
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.customers import StoredToken, TokenStatus
from billing.store.engine import Database
from billing.store.invoices import DunningState, Invoice, amount_due
from billing.store.operations import Operation
from billing.store.plans import Price
from billing.store.subscriptions import Subscription
from billing.use_cases.recording import Record, nothing


class Attempt(StrEnum):
    """What the new token does for an unpaid invoice."""

    NOT_NEEDED = "not_needed"
    PLANNED_NOW = "planned_now"
    WAITS = "waits_for_the_outcome_of_the_last"


@dataclass(frozen=True, slots=True)
class TokenReplaced:
    """The subscription with its new token, and whether an attempt follows at once."""

    subscription: Subscription
    attempt: Attempt


def replace_token(  # the verb's arguments
    database: Database,
    ids: Ids,
    now: datetime,
    subscription_id: UUID,
    token_id: UUID,
    record: Record[TokenReplaced] = nothing,
) -> TokenReplaced:
    """Charge `token_id` from now on; an invoice in dunning gets one attempt at once, which costs no dunning step.

    Raises `NotFound`, `TransitionNotAllowed` for an ended subscription, `Invalid` for an unknown, foreign or inactive
    token, `CurrencyMismatch`.
    """
    with database.tx() as session:
        subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
        if subscription is None:
            raise NotFound("there is no such subscription")
        token = _checked_token(session, subscription, token_id)
        subscription.token_id, subscription.provider_account = token.id, token.provider_account
        batch = Batch(ids, now)
        unpaid = invoice_store.open_invoices(session, [subscription_id]).get(subscription_id, [])
        invoice_store.locked(session, [invoice.id for invoice in unpaid])
        attempt = Attempt.NOT_NEEDED
        for position, invoice in enumerate(unpaid):
            taken = _take_over(session, batch, subscription, invoice, is_oldest=position == 0)
            attempt = taken if position == 0 else attempt
        batch.event(subscription, "subscription.token_replaced", attempt=attempt.value)
        batch.write(session)
        result = TokenReplaced(subscription, attempt)
        record(session, result)
        return result


def _checked_token(session: Session, subscription: Subscription, token_id: UUID) -> StoredToken:
    if subscription.status == SubscriptionStatus.ENDED:
        raise TransitionNotAllowed("an ended subscription takes no token; subscribe again")
    token = session.get(StoredToken, token_id)
    if token is None:
        raise Invalid("there is no such token", where="token_id")
    if token.customer_id != subscription.customer_id:
        raise Invalid("this token is another customer's", where="token_id")
    if token.status != TokenStatus.ACTIVE:
        raise Invalid(f"this token is {token.status}; an active one is needed", where="token_id")
    if token.provider_account != subscription.provider_account:
        raise Invalid("this token is of another provider account than the subscription", where="token_id")
    currency = session.get_one(Price, subscription.price_id).currency
    if token.currency != currency:
        raise CurrencyMismatch(f"the token charges {token.currency}, the price is in {currency}", where="token_id")
    return token


def _take_over(
    session: Session, batch: Batch, subscription: Subscription, invoice: Invoice, *, is_oldest: bool
) -> Attempt:
    operations = operation_store.of_invoices(session, [invoice.id], lock=True)
    purchases = [op for op in operations if op.kind == OperationKind.PURCHASE]
    live = next((op for op in purchases if op.standing == Standing.LIVE), None)
    if live is not None and live.status == OperationStatus.PLANNED:
        return _hand_over(live, subscription, invoice, batch.now, is_oldest=is_oldest)
    if live is not None:
        authorized = live.status == OperationStatus.SUCCEEDED
        return Attempt.NOT_NEEDED if authorized else Attempt.WAITS
    if invoice.first_declined_at is None and invoice.dunning_state != DunningState.AWAITING_TOKEN:
        return Attempt.NOT_NEEDED
    _plan_next(batch, subscription, invoice, purchases, is_oldest=is_oldest)
    return Attempt.PLANNED_NOW


def _hand_over(
    planned: Operation, subscription: Subscription, invoice: Invoice, now: datetime, *, is_oldest: bool
) -> Attempt:
    planned.token_id = subscription.token_id
    planned.reads_token_first = False
    # Whoever holds it has opened the old token, and must not send or settle it any more.
    planned.lease_owner = planned.lease_until = None
    in_arrears = invoice.first_declined_at is not None or invoice.dunning_state == DunningState.WAITING_TURN
    if not in_arrears or not is_oldest:
        return Attempt.NOT_NEEDED
    planned.due_at, planned.trigger = now, Trigger.NEW_TOKEN.value
    invoice.dunning_state = DunningState.RETRYING.value
    return Attempt.PLANNED_NOW


def _plan_next(
    batch: Batch, subscription: Subscription, invoice: Invoice, purchases: list[Operation], *, is_oldest: bool
) -> None:
    invoice.dunning_state = (DunningState.RETRYING if is_oldest else DunningState.WAITING_TURN).value
    batch.plan(
        OperationKind.PURCHASE,
        invoice,
        subject=invoice.id,
        n=1 + max((op.n for op in purchases), default=0),
        amount=amount_due(invoice),
        trigger=Trigger.NEW_TOKEN,
        due_at=batch.now if is_oldest else None,
        token_id=subscription.token_id,
    )
