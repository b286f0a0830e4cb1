"""How each provider account is being spoken to: its bucket, its breaker and what came back lately; a row each, which
all workers see. It stands apart from the account's own row, to which every operation refers and which hardly changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, bindparam, case, update
from sqlalchemy import select as sql_select
from sqlmodel import Field, Session, SQLModel, col, select

from billing.domain.pacing import PARTS, Breaker, BreakerCause, BreakerState, Bucket, Counts, Tally
from billing.store.accounts import ProviderAccount
from billing.store.bulk import table_of
from billing.store.engine import JSONX, UtcInstant, one_of


class AccountPace(SQLModel, table=True):
    __tablename__ = "provider_account_paces"
    __table_args__ = (
        one_of("breaker", BreakerState),
        one_of("breaker_cause", BreakerCause, nullable=True),
        CheckConstraint("bucket_level >= 0", name="bucket_level_positive"),
    )

    name: str = Field(primary_key=True, max_length=64, foreign_key="provider_accounts.name")
    bucket_level: int = Field(default=0, sa_type=BigInteger)
    """Millionths of a permit at `bucket_at`; before the first, the bucket is full."""
    bucket_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    paced_until: datetime | None = Field(default=None, sa_type=UtcInstant)
    """Nothing of the account is claimed before: the bucket was empty, or the provider asked us to wait."""
    breaker: str = Field(default=BreakerState.CLOSED.value, max_length=16)
    breaker_cause: str | None = Field(default=None, max_length=16)
    breaker_reason: str | None = Field(default=None, max_length=200)
    breaker_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """Since when it is in this state; `opened_at` is since when it is not closed."""
    opened_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    breaker_until: datetime | None = Field(default=None, sa_type=UtcInstant)
    """No charge before this instant while the breaker is not closed; empty: not before a person approves."""
    breaker_rests: int = 0
    breaker_told: UUID | None = Field(default=None, foreign_key="subscriptions.id")
    """Among whose events it was said that it opened; a person's approval is told there too."""
    declines_accepted_until: datetime | None = Field(default=None, sa_type=UtcInstant)
    window_began_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    window_calls: int = 0
    window_faults: int = 0
    window_answers: int = 0
    window_declines: int = 0
    faults_in_a_row: int = 0
    days: dict[str, list[int]] = Field(default_factory=dict, sa_type=JSONX)
    """First charges answered and declined by day, of the windows that are over."""


@dataclass(frozen=True, slots=True)
class Open:
    """Accounts of which something may be claimed now, those among them that may charge, and those whose every window
    needs permits.
    """

    anything: Sequence[str]
    charging: Sequence[str]
    counted: frozenset[str]


_ACCOUNTS = (
    sql_select(ProviderAccount, AccountPace)
    .outerjoin(AccountPace, col(AccountPace.name) == col(ProviderAccount.name))
    .where(col(ProviderAccount.name).in_(bindparam("names", expanding=True)))
)
_FRESH = {"populate_existing": True}


def open_accounts(session: Session, now: datetime, names: Sequence[str]) -> Open:
    """Which of these accounts may be spoken to at `now`, as all workers see it; nothing is locked."""
    anything, charging, counted = [], [], set()
    for account, pace in session.execute(_ACCOUNTS, {"names": list(names)}, execution_options=_FRESH):
        if account.halted_at is not None or is_paced(pace, now):
            continue
        anything.append(account.name)
        if pace is None or breaker_of(pace).lets_charges_out(now):
            charging.append(account.name)
        if pace is not None and (account.rate_per_second or pace.breaker != BreakerState.CLOSED):
            counted.add(account.name)
    return Open(anything, charging, frozenset(counted))


def is_paced(pace: AccountPace | None, now: datetime) -> bool:
    """Whether nothing of this account may be claimed at `now`."""
    return pace is not None and pace.paced_until is not None and pace.paced_until > now


@dataclass(frozen=True, slots=True)
class AccountState:
    """A provider account and how it is being spoken to."""

    account: ProviderAccount
    pace: AccountPace


_STATES = (
    select(ProviderAccount, AccountPace)
    .join(AccountPace, col(AccountPace.name) == col(ProviderAccount.name))
    .order_by(col(ProviderAccount.name))
)


def account_states(session: Session) -> Sequence[AccountState]:
    """Every provider account, by name."""
    return [AccountState(*found) for found in session.exec(_STATES)]


def locked_state(session: Session, name: str) -> AccountState | None:
    """One provider account, held against everybody who would stop or open it, and every worker."""
    query = _STATES.where(col(ProviderAccount.name) == name).with_for_update()
    found = session.exec(query, execution_options=_FRESH).first()
    return AccountState(*found) if found is not None else None


def paced_until(session: Session, now: datetime) -> datetime | None:
    """The earliest instant after `now` at which an account that is out of permits may go on."""
    query = select(AccountPace.paced_until).where(col(AccountPace.paced_until) > now)
    return session.exec(query.order_by(col(AccountPace.paced_until)).limit(1)).first()


def pace_of(session: Session, name: str, *, lock: bool = False) -> AccountPace | None:
    """The pace of an account, perhaps locked against all other workers."""
    return session.get(AccountPace, name, with_for_update=lock or None, populate_existing=True)


def bucket_of(account: ProviderAccount, pace: AccountPace, now: datetime) -> Bucket:
    """The account's bucket; one that was never drawn from is full."""
    if pace.bucket_at is None:
        return Bucket(account.rate_per_second, account.burst, account.burst * PARTS, now)
    return Bucket(account.rate_per_second, account.burst, pace.bucket_level, pace.bucket_at)


def put_bucket(pace: AccountPace, bucket: Bucket) -> None:
    pace.bucket_level, pace.bucket_at = bucket.level, bucket.at


def breaker_of(pace: AccountPace) -> Breaker:
    """The account's breaker as a value."""
    cause = BreakerCause(pace.breaker_cause) if pace.breaker_cause else None
    return Breaker(
        BreakerState(pace.breaker),
        cause,
        pace.breaker_reason,
        pace.breaker_at,
        pace.breaker_until,
        pace.breaker_rests,
    )


def put_breaker(pace: AccountPace, breaker: Breaker) -> None:
    """Write a breaker down. One that closes forgets what was counted, so that the past opens it no second time."""
    if breaker.state is BreakerState.CLOSED:
        pace.opened_at = None
        pace.window_calls = pace.window_faults = pace.faults_in_a_row = 0
    elif pace.opened_at is None:
        pace.opened_at = breaker.since
    pace.breaker, pace.breaker_cause, pace.breaker_reason = breaker.state.value, breaker.cause, breaker.reason
    pace.breaker_at, pace.breaker_until, pace.breaker_rests = breaker.since, breaker.until, breaker.rests


def counts_of(pace: AccountPace, now: datetime) -> Counts:
    """What came back in the window that runs."""
    return Counts(
        pace.window_began_at or now,
        pace.window_calls,
        pace.window_faults,
        pace.faults_in_a_row,
        pace.window_answers,
        pace.window_declines,
    )


def days_of(pace: AccountPace) -> dict[str, tuple[int, int]]:
    """(answers, declines) of first charges by day, of the windows that are over."""
    return {day: (answers, declines) for day, (answers, declines) in pace.days.items()}


def put_counts(pace: AccountPace, counts: Counts, days: Mapping[str, tuple[int, int]]) -> None:
    pace.window_began_at = counts.began_at
    pace.window_calls, pace.window_faults, pace.faults_in_a_row = counts.calls, counts.faults, counts.in_a_row
    pace.window_answers, pace.window_declines = counts.answers, counts.declines
    pace.days = {day: list(found) for day, found in days.items()}


def _add_statement() -> Any:
    table = table_of(AccountPace)
    all_failed: Any = bindparam("all_failed", type_=Boolean)
    return (
        update(AccountPace)
        .where(table.c.name == bindparam("account"))
        .values(
            window_calls=table.c.window_calls + bindparam("calls"),
            window_faults=table.c.window_faults + bindparam("faults"),
            window_answers=table.c.window_answers + bindparam("answers"),
            window_declines=table.c.window_declines + bindparam("declines"),
            faults_in_a_row=case((all_failed, table.c.faults_in_a_row), else_=0) + bindparam("trailing"),
        )
        .returning(AccountPace)
    )


# Built once: it runs for every window.
_ADD = _add_statement()


def add(session: Session, name: str, tally: Tally) -> AccountPace | None:
    """Count what a window brought, in one statement; the row as it is then, which stays locked until the commit."""
    values = {
        "account": name,
        "calls": tally.calls,
        "faults": tally.faults,
        "answers": tally.answers,
        "declines": tally.declines,
        "trailing": tally.trailing,
        "all_failed": tally.trailing == tally.calls,
    }
    options = {"synchronize_session": False, "populate_existing": True}
    return session.scalars(_ADD, values, execution_options=options).first()
