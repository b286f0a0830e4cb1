"""The audit log of opened tokens, the API keys, and the stored answers of repeated requests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, select

from billing.store.engine import UtcInstant


class Reveal(SQLModel, table=True):
    """Committed before a token is opened: no row, no token. Each is for a claimed operation, or for a due look at the
    token's state (purpose `check`), which changes nothing at the provider."""

    __tablename__ = "audit_reveals"
    __table_args__ = (UniqueConstraint("operation_id", "epoch"),)

    id: UUID = Field(primary_key=True)
    operation_id: UUID | None = Field(default=None, foreign_key="operations.id")
    epoch: int = 0
    token_id: UUID = Field(foreign_key="tokens.id", index=True)
    purpose: str = Field(max_length=32)
    worker: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcInstant)


class AuditBlock(SQLModel, table=True):
    """A sealed stretch of the audit log; each block holds the hash of the one before."""

    __tablename__ = "audit_blocks"
    __table_args__ = (
        CheckConstraint("seq >= 1 AND reveals >= 1", name="counts_from_one"),
        CheckConstraint("(seq = 1) = (previous_sha256 = '" + "0" * 64 + "')", name="only_the_first_has_none_before"),
    )

    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    reveals: int
    previous_sha256: str = Field(max_length=64, unique=True)
    sha256: str = Field(max_length=64)
    last_id: UUID
    sealed_at: datetime = Field(sa_type=UtcInstant)


class AuditBlockMember(SQLModel, table=True):
    __tablename__ = "audit_block_members"
    __table_args__ = (Index("ix_audit_block_members_block", "seq"),)

    reveal_id: UUID = Field(primary_key=True, foreign_key="audit_reveals.id")
    seq: int = Field(foreign_key="audit_blocks.seq")


class ApiKey(SQLModel, table=True):
    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("role IN ('merchant', 'admin')", name="role_known"),)

    id: UUID = Field(primary_key=True)
    name: str = Field(max_length=100)
    role: str = Field(max_length=16)
    live: bool
    public: str = Field(max_length=16, unique=True)
    """The part of the key that may be shown; the rest is kept as a digest only."""
    secret_sha256: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=UtcInstant)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcInstant)


class StoredAnswer(SQLModel, table=True):
    """The answer to a request that carried an Idempotency-Key, written with the request's effect or not at all."""

    __tablename__ = "stored_answers"
    __table_args__ = (UniqueConstraint("api_key_id", "idempotency_key"),)

    id: UUID = Field(primary_key=True)
    api_key_id: UUID = Field(foreign_key="api_keys.id")
    idempotency_key: str = Field(max_length=255)
    request_sha256: str = Field(max_length=64)
    """Of method, path and body: another request under the same key is refused."""
    status: int
    body: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=UtcInstant)


def api_key(session: Session, public: str) -> ApiKey | None:
    return session.exec(select(ApiKey).where(ApiKey.public == public)).first()


def stored_answer(session: Session, api_key_id: UUID, idempotency_key: str) -> StoredAnswer | None:
    query = select(StoredAnswer).where(
        StoredAnswer.api_key_id == api_key_id, StoredAnswer.idempotency_key == idempotency_key
    )
    return session.exec(query).first()
