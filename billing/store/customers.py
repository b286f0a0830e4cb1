"""Customers and their sealed tokens. A row holds ciphertext only; opening it is the vault's work."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, bindparam, update
from sqlmodel import Field, Session, SQLModel, col, select

from billing.store.bulk import table_of
from billing.store.engine import UtcInstant, one_of


class TokenStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    ERASED = "erased"


class Customer(SQLModel, table=True):
    __tablename__ = "customers"

    id: UUID = Field(primary_key=True)
    reference: str = Field(max_length=200, unique=True)
    """The merchant's own name of this customer; the only thing by which an import can find it again."""
    name: str
    email: str | None = None
    country: str = Field(max_length=2)
    zone: str = Field(max_length=64)
    locale: str = Field(max_length=16)
    vat_id: str | None = Field(default=None, max_length=20)
    vat_id_checked_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """When the number was found to be well-formed and its check digits right; only then may VAT be reversed."""
    dunning_paused_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    dunning_paused_because: str | None = Field(default=None, max_length=500)
    erased_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    created_at: datetime = Field(sa_type=UtcInstant)


class StoredToken(SQLModel, table=True):
    __tablename__ = "tokens"
    __table_args__ = (
        one_of("status", TokenStatus),
        CheckConstraint("version >= 1", name="version_positive"),
        Index("ix_tokens_blind_index", "provider_account", "index_version", "blind_index", unique=True),
    )

    id: UUID = Field(primary_key=True)
    customer_id: UUID = Field(foreign_key="customers.id", index=True)
    provider_account: str = Field(foreign_key="provider_accounts.name")
    currency: str = Field(max_length=3)
    """A token charges one currency, that of the session it was signed in."""
    signed_interval: str | None = Field(default=None, max_length=8)
    signed_interval_count: int | None = None
    """The billing cycle that the customer agreed to, where the merchant told us."""
    read_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """When the provider was last asked for its state."""
    status: str = Field(max_length=16)
    sealed: bytes = Field(sa_type=LargeBinary)
    version: int
    """Part of the record's context: an older value of the same row does not open."""
    kek_id: str = Field(max_length=32)
    index_version: int
    blind_index: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=UtcInstant)


_TOKENS = select(StoredToken).where(col(StoredToken.id).in_(bindparam("ids", expanding=True)))


def customer_by_reference(session: Session, reference: str) -> Customer | None:
    return session.exec(select(Customer).where(Customer.reference == reference)).first()


def lock_customer(session: Session, customer_id: UUID) -> Customer | None:
    """Lock a customer; the caller holds what of their subscriptions it writes already."""
    query = select(Customer).where(Customer.id == customer_id).with_for_update()
    return session.exec(query, execution_options={"populate_existing": True}).first()


def tokens_of(session: Session, customer_id: UUID) -> Sequence[StoredToken]:
    query = select(StoredToken).where(StoredToken.customer_id == customer_id).order_by(col(StoredToken.id))
    return session.exec(query).all()


def tokens_by_id(session: Session, ids: Sequence[UUID]) -> dict[UUID, StoredToken]:
    return {row.id: row for row in session.exec(_TOKENS, params={"ids": list(set(ids))})} if ids else {}


def token_with_index(session: Session, account: str, version: int, index: bytes) -> StoredToken | None:
    query = select(StoredToken).where(
        StoredToken.provider_account == account,
        StoredToken.index_version == version,
        StoredToken.blind_index == index,
    )
    return session.exec(query).first()


def lock_tokens(session: Session, ids: Sequence[UUID | None]) -> None:
    """Lock these tokens in id order, so that two batches that share some never wait for each other crosswise."""
    wanted = {token_id for token_id in ids if token_id is not None}
    if wanted and session.get_bind().dialect.name != "sqlite":
        query = select(StoredToken.id).where(col(StoredToken.id).in_(wanted)).order_by(col(StoredToken.id))
        session.exec(query.with_for_update(key_share=True)).all()


def set_token_status(session: Session, ids: Sequence[UUID], status: TokenStatus) -> None:
    """An erased or revoked token never comes back; everything else follows what the provider says."""
    if ids:
        table = table_of(StoredToken)
        final = (TokenStatus.ERASED.value, TokenStatus.REVOKED.value)
        session.execute(
            update(table).where(table.c.id.in_(ids), table.c.status.not_in(final)).values(status=status.value)
        )


_CUSTOMERS = select(Customer).where(col(Customer.id).in_(bindparam("ids", expanding=True)))


def customers_by_id(session: Session, ids: Sequence[UUID]) -> dict[UUID, Customer]:
    return {row.id: row for row in session.exec(_CUSTOMERS, params={"ids": list(ids)})}
