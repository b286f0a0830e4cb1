"""Provider accounts as an operator sees them: which run, how fast, which were stopped or rest and why; stopping one and
opening it again.
"""

from datetime import datetime

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody

from api.answers import Out
from api.bodies import In, Note, described
from api.errors import problems
from api.idempotency import Write
from api.queries import Reading
from billing.domain.pacing import PARTS, BreakerCause, BreakerState
from billing.store.accounts import ProviderAccount
from billing.store.paces import AccountPace, AccountState, breaker_of
from billing.use_cases import look_up
from billing.use_cases.reopen_account import reopen_account
from billing.use_cases.stop_account import stop_account


class ReopenIn(In):
    """Why an account may run again; kept with it."""

    model_config = described("Reopen", {"reason": "the password was corrected"})

    reason: Note


class StopIn(In):
    """Why nothing of an account may leave; kept with it."""

    model_config = described("Stop", {"reason": "the provider announced an outage"})

    reason: Note


class BucketOut(Out):
    """Permits: one request each. Without a rate nothing is counted."""

    rate_per_second: int
    burst: int
    permits: int | None
    """How many there were at `counted_at`."""
    counted_at: datetime | None
    paced_until: datetime | None
    """Nothing of the account leaves before: the permits were used up, or the provider asked for it."""


class BreakerOut(Out):
    """While it is `open`, no purchase and no capture leaves; `half_open`, a few do, and decide."""

    state: BreakerState
    cause: BreakerCause | None
    reason: str | None
    opened_at: datetime | None
    changed_at: datetime | None
    until: datetime | None
    """Probes go out then; empty while `open`: not before the account is reopened."""
    declines_accepted_until: datetime | None


class WindowOut(Out):
    """What came back since `began_at`: calls and those without a usable answer; first charges and those declined."""

    began_at: datetime | None
    calls: int
    faults: int
    faults_in_a_row: int
    answers: int
    declines: int


class AccountOut(Out):
    """A provider account; stopped while `halted_at` is set, and then nothing of it leaves."""

    name: str
    generation: str
    currencies: list[str]
    countries: list[str]
    halted_at: datetime | None
    halted_reason: str | None
    bucket: BucketOut
    breaker: BreakerOut
    window: WindowOut


class AccountList(Out):
    """All configured provider accounts."""

    data: list[AccountOut]


def account_out(state: AccountState) -> AccountOut:
    row, pace = state.account, state.pace
    return AccountOut(
        name=row.name,
        generation=row.generation,
        currencies=row.currencies,
        countries=row.countries,
        halted_at=row.halted_at,
        halted_reason=row.halted_reason,
        bucket=_bucket(row, pace),
        breaker=_breaker(pace),
        window=WindowOut(
            began_at=pace.window_began_at,
            calls=pace.window_calls,
            faults=pace.window_faults,
            faults_in_a_row=pace.faults_in_a_row,
            answers=pace.window_answers,
            declines=pace.window_declines,
        ),
    )


def _bucket(row: ProviderAccount, pace: AccountPace) -> BucketOut:
    counted = row.burst if pace.bucket_at is None else pace.bucket_level // PARTS
    return BucketOut(
        rate_per_second=row.rate_per_second,
        burst=row.burst,
        permits=counted if row.rate_per_second else None,
        counted_at=pace.bucket_at,
        paced_until=pace.paced_until,
    )


def _breaker(pace: AccountPace) -> BreakerOut:
    breaker = breaker_of(pace)
    return BreakerOut(
        state=breaker.state,
        cause=breaker.cause,
        reason=breaker.reason,
        opened_at=pace.opened_at,
        changed_at=breaker.since,
        until=breaker.until,
        declines_accepted_until=pace.declines_accepted_until,
    )


class Accounts(Controller):
    path = "/provider-accounts"

    @get(sync_to_thread=True, responses=problems())
    def list_accounts(self, database: Reading) -> AccountList:
        """List provider accounts, each with its bucket and its breaker."""
        return AccountList(data=[account_out(state) for state in look_up.provider_accounts(database)])

    @post("/{name:str}/stop", status_code=200, sync_to_thread=True, responses=problems(404, 409))
    def stop(self, name: FromPath[str], data: JSONBody[StopIn], write: Write) -> Response[AccountOut]:
        """Stop an account.

        What is planned waits until it is reopened; what is under way is settled.
        """
        return write.answer(
            200,
            lambda record: stop_account(write.wiring.database, write.wiring.ids, write.now, name, data.reason, record),
            lambda _, state: account_out(state),
        )

    @post("/{name:str}/reopen", status_code=200, sync_to_thread=True, responses=problems(404, 409))
    def reopen(self, name: FromPath[str], data: JSONBody[ReopenIn], write: Write) -> Response[AccountOut]:
        """Open an account that was stopped, or whose breaker is open.

        What waited meanwhile is sent at once.
        """
        wiring = write.wiring
        return write.answer(
            200,
            lambda record: reopen_account(wiring.database, wiring.ids, write.now, name, data.reason, record),
            lambda _, state: account_out(state),
        )
