"""Provider accounts: what is configured, and whether charging through one is stopped."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, update
from sqlmodel import Field, Session, SQLModel, col, select

from billing.store.bulk import table_of
from billing.store.engine import JSONX, UtcInstant


class ProviderAccount(SQLModel, table=True):
    __tablename__ = "provider_accounts"

    name: str = Field(primary_key=True, max_length=64)
    generation: str = Field(max_length=16)
    halted_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """While set, nothing of this account leaves: its credentials were refused, or a person stopped it."""
    halted_reason: str | None = Field(default=None, max_length=500)
    currencies: list[str] = Field(default_factory=list, sa_type=JSONX)
    """Currencies that the account takes; an empty list takes all."""
    countries: list[str] = Field(default_factory=list, sa_type=JSONX)
    """Countries whose customers the account takes; an empty list takes all."""
    rate_per_second: int = 0
    """Requests that all workers together may make in a second; 0 knows no limit."""
    burst: int = 0
    """How many of them may be saved up."""
    minimum_amount: int = 0
    """Minor units; what is owed below it is carried to the next invoice."""
    token_covers_any_interval: bool = False
    reopened_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    reopened_because: str | None = Field(default=None, max_length=500)
    """What the person who opened it last gave as reason."""


class Installation(SQLModel, table=True):
    """One row: what makes this database itself and no copy of another."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("only_one = 1", name="only_one_row"),)

    id: UUID = Field(primary_key=True)
    only_one: int = Field(default=1, unique=True)
    """Always 1: a second row, and with it a second set of keys, is refused by the database."""
    namespace: UUID
    """Root of every idempotency key: a restored database makes the same keys again."""
    instance: UUID | None = None
    """Which database this is: the instance file beside the KEK must name the same one before anything is sent."""
    mark: int = Field(default=0, sa_type=BigInteger)
    """Grows with every start and now and then: a database whose mark is behind the file's is an older backup."""
    canary: bytes
    """A sealed record that the configured key must open before anything is charged."""
    created_at: datetime = Field(sa_type=UtcInstant)


def installation(session: Session, *, lock: bool = False) -> Installation | None:
    query = select(Installation)
    return session.exec(query.with_for_update() if lock else query).first()


def account_names(session: Session) -> set[str]:
    return set(session.exec(select(ProviderAccount.name)))


def minimums(session: Session) -> dict[str, int]:
    """The least that each account charges, in minor units."""
    return dict(session.exec(select(ProviderAccount.name, ProviderAccount.minimum_amount)).all())


def currencies(session: Session) -> list[str] | None:
    """Every currency that some account takes, sorted; None where one takes all, or there is none yet."""
    listed = session.exec(select(ProviderAccount.currencies)).all()
    return sorted({code for codes in listed for code in codes}) if listed and all(listed) else None


def halt(session: Session, name: str, reason: str, now: datetime) -> bool:
    """Stop an account; True when it was running until now, so that one alarm is raised and not many."""
    table = table_of(ProviderAccount)
    stopped = session.execute(
        update(table)
        .where(table.c.name == name, table.c.halted_at.is_(None))
        .values(halted_at=now, halted_reason=reason[:500])
        .returning(table.c.name)
    )
    return stopped.first() is not None


def resume(session: Session, name: str, because: str, now: datetime) -> None:
    """Open an account again after a person has put right what stopped it."""
    row = session.exec(select(ProviderAccount).where(col(ProviderAccount.name) == name)).one()
    row.halted_at, row.halted_reason = None, None
    row.reopened_at, row.reopened_because = now, because
    session.add(row)
