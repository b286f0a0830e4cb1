"""Provider accounts as an operator sees them: which run, which were stopped and why; and opening one again."""

from datetime import datetime

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody

from api.answers import Out
from api.bodies import In, Note, described
from api.errors import problems
from api.idempotency import Write
from api.queries import Reading
from billing.store.accounts import ProviderAccount
from billing.use_cases import look_up
from billing.use_cases.reopen_account import reopen_account


class ReopenIn(In):
    """Why an account may run again; kept with it."""

    model_config = described("Reopen", {"reason": "the password was corrected"})

    reason: Note


class AccountOut(Out):
    """A provider account; stopped while `halted_at` is set, and then nothing of it leaves."""

    name: str
    generation: str
    halted_at: datetime | None
    halted_reason: str | None


class AccountList(Out):
    """All configured provider accounts."""

    data: list[AccountOut]


def account_out(row: ProviderAccount) -> AccountOut:
    return AccountOut(
        name=row.name, generation=row.generation, halted_at=row.halted_at, halted_reason=row.halted_reason
    )


class Accounts(Controller):
    path = "/provider-accounts"

    @get(sync_to_thread=True, responses=problems())
    def list_accounts(self, database: Reading) -> AccountList:
        """List provider accounts."""
        return AccountList(data=[account_out(row) for row in look_up.provider_accounts(database)])

    @post("/{name:str}/reopen", status_code=200, sync_to_thread=True, responses=problems(404, 409))
    def reopen(self, name: FromPath[str], data: JSONBody[ReopenIn], write: Write) -> Response[AccountOut]:
        """Open an account that was stopped.

        What waited meanwhile is sent at once.
        """
        return write.answer(
            200,
            lambda record: reopen_account(write.wiring.database, write.now, name, data.reason, record),
            lambda _, account: account_out(account),
        )
