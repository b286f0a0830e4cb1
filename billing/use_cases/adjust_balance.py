"""A customer's balance: what we owe them and their next invoices use; granted or taken back by an operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import BalanceTooLow, Invalid, NotFound
from billing.domain.ledger import postings_for_balance_adjusted
from billing.domain.money import Money
from billing.ports import Ids
from billing.store.balances import BalanceEntry, balances_of, locked_balance, move_balance
from billing.store.batch import Batch
from billing.store.customers import Customer
from billing.store.engine import Database
from billing.use_cases.look_up import Page, Slice, page_of
from billing.use_cases.recording import Record, nothing


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The movement, and what the balance holds after it in minor units of its currency."""

    entry: BalanceEntry
    balance: int


def adjust_balance(  # the verb's arguments
    database: Database,
    ids: Ids,
    now: datetime,
    customer_id: UUID,
    change: Money,
    reason: str,
    record: Record[Adjusted] = nothing,
) -> Adjusted:
    """Grant a customer balance (`change` above 0) or take some back (below 0), with a ledger entry.

    Raises `NotFound`, `Invalid` for a change of 0, and `BalanceTooLow` with what is possible.
    """
    if change.amount == 0:
        raise Invalid("a change of 0 moves nothing", where="amount.amount")
    with database.tx() as session:
        _known(session, customer_id)
        batch = Batch(ids, now)
        held = locked_balance(session, customer_id, change.currency).amount
        if held + change.amount < 0:
            raise BalanceTooLow(
                f"the balance holds {held} minor units; {-change.amount} cannot be taken back",
                requested=-change.amount,
                possible=held,
            )
        entry = move_balance(session, ids.new(), now, customer_id, change.currency, change.amount, reason)
        postings = postings_for_balance_adjusted(change.amount)
        batch.post("balance_adjusted", None, postings, currency=change.currency)
        batch.write(session)
        done = Adjusted(entry, held + change.amount)
        record(session, done)
        return done


def balance_of(database: Database, customer_id: UUID) -> Mapping[str, int]:
    """What a customer has with us by currency, in minor units, only where there is something. Raises `NotFound`."""
    with database.tx() as session:
        _known(session, customer_id)
        held = balances_of(session, [customer_id])
    return {currency: amount for (_, currency), amount in sorted(held.items(), key=lambda item: item[0][1])}


def balance_entries(database: Database, part: Slice, customer_id: UUID) -> Page[BalanceEntry]:
    """Every movement of a customer's balance. Raises `NotFound`."""
    with database.tx() as session:
        _known(session, customer_id)
        return page_of(session, BalanceEntry, part, customer_id=customer_id)


def _known(session: Session, customer_id: UUID) -> Customer:
    customer = session.get(Customer, customer_id)
    if customer is None:
        raise NotFound("there is no such customer")
    return customer
