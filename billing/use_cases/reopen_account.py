"""Reopen a provider account that was stopped: its credentials are right again, or a person has looked."""

from datetime import datetime

from billing.domain.errors import Conflict, NotFound
from billing.store.accounts import ProviderAccount, resume
from billing.store.engine import Database
from billing.use_cases.recording import Record, nothing


def reopen_account(
    database: Database, now: datetime, name: str, because: str, record: Record[ProviderAccount] = nothing
) -> ProviderAccount:
    """Let everything of this account leave again, for the reason `because`; what was planned meanwhile is sent.

    Raises `NotFound` for an unknown name and `Conflict` for an account that is not stopped.
    """
    with database.tx() as session:
        account = session.get(ProviderAccount, name, with_for_update=True)
        if account is None:
            raise NotFound("there is no such provider account")
        if account.halted_at is None:
            raise Conflict("this provider account is not stopped")
        resume(session, name, because, now)
        session.flush()
        record(session, account)
        return account
