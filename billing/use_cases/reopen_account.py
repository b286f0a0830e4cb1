"""Reopen a provider account: its credentials are right again, or a person has looked at what its breaker saw."""

from datetime import datetime

from sqlmodel import Session

from billing.domain.errors import Conflict, NotFound
from billing.domain.pacing import BreakerState
from billing.ports import Ids
from billing.store import subscriptions as subscription_store
from billing.store.accounts import resume
from billing.store.batch import Batch
from billing.store.brakes import BrakeKind
from billing.store.braking import let_go
from billing.store.engine import Database
from billing.store.paces import AccountState, locked_state, pace_of
from billing.store.subscriptions import Subscription
from billing.use_cases.pacing import approve
from billing.use_cases.recording import Record, nothing


def reopen_account(
    database: Database, ids: Ids, now: datetime, name: str, because: str, record: Record[AccountState] = nothing
) -> AccountState:
    """Let everything of this account leave again, for the reason `because`; what was planned meanwhile is sent.

    Its breaker closes too, and opens for declines no more in the next 24 hours. Raises `NotFound` for an unknown name
    and `Conflict` for an account that is neither stopped nor resting.
    """
    with database.tx() as session:
        told = _told(session, name)
        state = locked_state(session, name)
        if state is None:
            raise NotFound("there is no such provider account")
        rests = state.pace.breaker != BreakerState.CLOSED
        if state.account.halted_at is None and not rests:
            raise Conflict("this provider account is not stopped")
        batch = Batch(ids, now)
        if rests:
            approve(state.pace, now)
            let_go(session, now, BrakeKind.DECLINE_RATE, name, "whoever reopened the account", because)
            if told is not None:
                batch.event(told, "account.breaker_closed", account=name, because=because)
        if state.account.halted_at is not None:
            batch.tell_all("account.reopened", account=name, because=because)
        batch.write(session)
        resume(session, name, because, now)
        session.flush()
        record(session, state)
        return state


def _told(session: Session, name: str) -> Subscription | None:
    """The subscription among whose events the opening stands, held before the account as every writer does."""
    pace = pace_of(session, name)
    if pace is None or pace.breaker_told is None:
        return None
    return subscription_store.locked(session, [pace.breaker_told])[pace.breaker_told]
