"""Stop a provider account by hand: nothing of it leaves until a person opens it again."""

from datetime import datetime

from billing.domain.errors import Conflict, NotFound
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.paces import AccountState, locked_state
from billing.use_cases.recording import Record, nothing


def stop_account(
    database: Database, ids: Ids, now: datetime, name: str, reason: str, record: Record[AccountState] = nothing
) -> AccountState:
    """Let nothing of this account leave any more, not even questions; what is planned waits, what is under way ends.

    Raises `NotFound` for an unknown name and `Conflict` for an account that is stopped already.
    """
    with database.tx() as session:
        state = locked_state(session, name)
        if state is None:
            raise NotFound("there is no such provider account")
        if state.account.halted_at is not None:
            raise Conflict(f"this provider account is stopped already: {state.account.halted_reason}")
        state.account.halted_at, state.account.halted_reason = now, reason
        batch = Batch(ids, now)
        batch.tell_all("account.halted", account=name, reason=reason)
        batch.write(session)
        session.flush()
        record(session, state)
        return state
