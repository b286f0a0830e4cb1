"""Operations: the schedule, the queue, the lock and the journal of every call to a provider.

One partial unique index is the first invariant: at most one live purchase per invoice.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    and_,
    bindparam,
    or_,
    text,
    update,
)
from sqlalchemy import select as sql_select
from sqlmodel import Field, Session, SQLModel, col, select

from billing.domain.operations import (
    CHARGES,
    CLAIMS_MAX,
    MAY_BE_HAPPENING,
    Authorization,
    OperationKind,
    OperationStatus,
    Standing,
    Trigger,
)
from billing.store.bulk import table_of
from billing.store.engine import JSONX, UtcInstant, one_of

_ONE_LIVE = "kind = 'purchase' AND standing = 'live'"
_PLANNED = "status = 'planned' AND due_at IS NOT NULL"
_OPEN_QUESTION = "next_check_at IS NOT NULL"
_LEASED = "lease_until IS NOT NULL"
_LOOKED_AT = "look_at IS NOT NULL"
_MAKES_AN_ID = "provider_id IS NOT NULL AND kind IN ('purchase', 'capture', 'refund')"


class Operation(SQLModel, table=True):
    __tablename__ = "operations"
    __table_args__ = (
        one_of("kind", OperationKind),
        one_of("status", OperationStatus),
        one_of("authorization", Authorization),
        one_of("standing", Standing, nullable=True),
        one_of("trigger", Trigger),
        one_of("origin", ("ours", "external")),
        UniqueConstraint("kind", "subject", "n"),
        UniqueConstraint("key"),
        CheckConstraint("amount >= 0", name="amount_positive"),
        CheckConstraint("(kind = 'purchase') = (standing IS NOT NULL)", name="purchases_have_a_standing"),
        CheckConstraint(
            "(kind = 'revoke') = (invoice_id IS NULL) AND (kind = 'revoke') = (subscription_id IS NULL)",
            name="only_a_revoke_has_no_invoice",
        ),
        CheckConstraint("standing <> 'dead' OR dead_because IS NOT NULL", name="death_has_its_proof"),
        CheckConstraint(
            "status NOT IN ('sending', 'unknown') OR (request IS NOT NULL AND key IS NOT NULL AND sent_at IS NOT NULL"
            " AND next_check_at IS NOT NULL)",
            name="sent_rows_are_frozen_and_watched",
        ),
        Index(
            "ix_operations_one_live_purchase",
            "invoice_id",
            unique=True,
            sqlite_where=text(_ONE_LIVE),
            postgresql_where=text(_ONE_LIVE),
        ),
        Index("ix_operations_due", "due_at", sqlite_where=text(_PLANNED), postgresql_where=text(_PLANNED)),
        Index(
            "ix_operations_check",
            "next_check_at",
            sqlite_where=text(_OPEN_QUESTION),
            postgresql_where=text(_OPEN_QUESTION),
        ),
        Index("ix_operations_look", "look_at", sqlite_where=text(_LOOKED_AT), postgresql_where=text(_LOOKED_AT)),
        Index("ix_operations_leased", "lease_until", sqlite_where=text(_LEASED), postgresql_where=text(_LEASED)),
        Index(
            "ix_operations_provider_id",
            "provider_account",
            "kind",
            "provider_id",
            unique=True,
            sqlite_where=text(_MAKES_AN_ID),
            postgresql_where=text(_MAKES_AN_ID),
        ),
        Index("ix_operations_invoice", "invoice_id"),
        Index("ix_operations_subscription", "subscription_id"),
    )

    id: UUID = Field(primary_key=True)
    kind: str = Field(max_length=16)
    subject: UUID
    """Invoice of a purchase, credit note of a refund, token record of a revoke, else the purchase."""
    n: int
    invoice_id: UUID | None = Field(default=None, foreign_key="invoices.id")
    subscription_id: UUID | None = Field(default=None, foreign_key="subscriptions.id")
    """Only a call about a token alone has neither."""
    provider_account: str = Field(foreign_key="provider_accounts.name")
    token_id: UUID | None = Field(default=None, foreign_key="tokens.id")
    purchase_id: UUID | None = Field(default=None, foreign_key="operations.id")
    """The purchase that this operation acts upon."""
    capture_id: UUID | None = Field(default=None, foreign_key="operations.id")
    """The capture that a refund or an email acts upon."""
    details: dict[str, Any] = Field(default_factory=dict, sa_type=JSONX)
    """What the kind needs besides: parcels of a ship, the date of an extension, units by line of a part capture."""
    risk: str | None = Field(default=None, max_length=16)
    """What the provider said about a capture it took: `ok`, or `no_risk`, which a person must look at."""
    provider_reference: str | None = Field(default=None, max_length=255)
    """An id of the provider that this operation did not make: an invoice number that was answered again."""
    amount: int
    currency: str = Field(max_length=3)
    trigger: str = Field(max_length=24)
    origin: str = Field(default="ours", max_length=16)
    status: str = Field(max_length=16)
    authorization: str = Field(default=Authorization.NONE.value, max_length=16)
    standing: str | None = Field(default=None, max_length=8)
    dead_because: str | None = Field(default=None, max_length=200)
    """The proof that frees the invoice for another purchase."""
    remaining: int | None = None
    expires_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    reads_token_first: bool = False
    """The token was asleep: ask for its state before charging it again."""
    due_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """When it may be sent; empty while it waits for its turn (an older invoice, a capture)."""
    lease_owner: UUID | None = None
    lease_until: datetime | None = Field(default=None, sa_type=UtcInstant)
    epoch: int = 0
    claims: int = 0
    backoffs: int = 0
    key: UUID | None = None
    merchant_reference: str | None = Field(default=None, max_length=64)
    request_method: str | None = Field(default=None, max_length=8)
    request_path: str | None = Field(default=None, max_length=500)
    """A template: where the token belongs it says so, and nothing else ever stands there."""
    request: bytes | None = Field(default=None, sa_type=LargeBinary)
    request_sha256: str | None = Field(default=None, max_length=64)
    sent_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """The first send; the replay ladder counts from here."""
    sends: int = 0
    next_check_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    provider_id: str | None = Field(default=None, max_length=255)
    answer_code: str | None = Field(default=None, max_length=64)
    answer_message: str | None = Field(default=None, max_length=300)
    settled_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    look_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """When a purchase's order is next read, in case somebody acted in the provider's own portal."""
    cleared_at: datetime | None = Field(default=None, sa_type=UtcInstant)
    """When an export or a person cleared it for sending after a restore."""
    created_at: datetime = Field(sa_type=UtcInstant)


class Observation(SQLModel, table=True):
    """Append-only: everything a provider ever answered about an operation, whoever asked and whenever it came."""

    __tablename__ = "observations"

    id: UUID = Field(primary_key=True)
    operation_id: UUID = Field(foreign_key="operations.id", index=True)
    epoch: int
    outcome: str = Field(max_length=16)
    settled: bool
    """Whether this answer moved the operation; a late one may only be kept."""
    http_status: int | None = None
    code: str | None = Field(default=None, max_length=64)
    message: str | None = Field(default=None, max_length=300)
    correlation_id: str | None = Field(default=None, max_length=128)
    provider_id: str | None = Field(default=None, max_length=255)
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSONX)
    at: datetime = Field(sa_type=UtcInstant)


def claim_planned(
    session: Session,
    now: datetime,
    lease: tuple[UUID, datetime],
    accounts: Sequence[str],
    limit: int,
    *,
    charging: Sequence[str],
) -> Sequence[Operation]:
    """Lease up to `limit` planned operations of `accounts` due at `now`, purchases and captures of those `charging`
    only; a row held elsewhere is left alone.
    """
    return _claim(session, _CLAIM_PLANNED, now, lease, accounts, limit, charging=list(charging))


def claim_unanswered(
    session: Session, now: datetime, lease: tuple[UUID, datetime], accounts: Sequence[str], limit: int
) -> Sequence[Operation]:
    """Lease up to `limit` operations of `accounts` whose outcome must be asked about at `now`."""
    return _claim(session, _CLAIM_UNANSWERED, now, lease, accounts, limit)


def _claim(
    session: Session,
    statement: Any,
    now: datetime,
    lease: tuple[UUID, datetime],
    accounts: Sequence[str],
    limit: int,
    **more: Sequence[str],
) -> Sequence[Operation]:
    owner, until = lease
    values = {"at": now, "most": limit, "new_owner": owner, "new_until": until, "spoken": list(accounts), **more}
    options = {"synchronize_session": False, "populate_existing": True}
    return sorted(session.scalars(statement, values, execution_options=options), key=lambda operation: operation.id)


def _claim_statement(due: Any, order: Any) -> Any:
    """Select, lock and lease in one statement that hands the rows back; rows locked elsewhere are skipped."""
    account_runs = text(
        "NOT EXISTS (SELECT 1 FROM provider_accounts a"
        " WHERE a.name = operations.provider_account AND a.halted_at IS NOT NULL)"
    )
    free = or_(col(Operation.lease_until).is_(None), col(Operation.lease_until) <= bindparam("at"))
    chosen = (
        select(Operation.id)
        .where(due, free, account_runs, col(Operation.provider_account).in_(bindparam("spoken", expanding=True)))
        .order_by(order, col(Operation.id))
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
        # Materialized: as a plain subquery it might be run again for each row, and claim more than the limit.
        .cte("chosen")
        .prefix_with("MATERIALIZED")
    )
    return (
        update(Operation)
        .where(col(Operation.id).in_(sql_select(chosen.c.id).scalar_subquery()))
        .values(
            lease_owner=bindparam("new_owner"),
            lease_until=bindparam("new_until"),
            epoch=col(Operation.epoch) + 1,
            claims=col(Operation.claims) + 1,
        )
        .returning(Operation)
    )


# Statements are built once: building one costs as much as running it.
_CLAIM_PLANNED = _claim_statement(
    and_(
        col(Operation.status) == OperationStatus.PLANNED.value,
        col(Operation.due_at).is_not(None),
        col(Operation.due_at) <= bindparam("at"),
        or_(
            col(Operation.kind).not_in(CHARGES),
            col(Operation.provider_account).in_(bindparam("charging", expanding=True)),
        ),
    ),
    col(Operation.due_at),
)
_CLAIM_UNANSWERED = _claim_statement(
    and_(col(Operation.next_check_at).is_not(None), col(Operation.next_check_at) <= bindparam("at")),
    col(Operation.next_check_at),
)


def give_back(session: Session, ids: Sequence[UUID], lease_owner: UUID) -> None:
    """End the lease of claimed operations as if they had never been claimed: their turn did not come."""
    table = table_of(Operation)
    session.execute(
        update(table)
        .where(table.c.id.in_(ids), table.c.lease_owner == lease_owner)
        .values(lease_owner=None, lease_until=None, claims=table.c.claims - 1)
    )


def claimed_too_often(operation: Operation) -> bool:
    """Whether a row keeps being claimed without ever being settled: it is parked for a person."""
    return operation.status == OperationStatus.PLANNED.value and operation.claims > CLAIMS_MAX


_BY_ID = (
    select(Operation).where(col(Operation.id).in_(bindparam("ids", expanding=True))).order_by(col(Operation.id))
).with_for_update()
_OF_INVOICES = (
    select(Operation).where(col(Operation.invoice_id).in_(bindparam("ids", expanding=True))).order_by(col(Operation.id))
)
_OF_INVOICES_LOCKED = _OF_INVOICES.with_for_update()
_FRESH = {"populate_existing": True}


def locked(session: Session, ids: Sequence[UUID]) -> dict[UUID, Operation]:
    """Lock these operations in id order."""
    rows = session.exec(_BY_ID, params={"ids": list(set(ids))}, execution_options=_FRESH)
    return {row.id: row for row in rows}


def of_invoices(session: Session, invoice_ids: Sequence[UUID], *, lock: bool = False) -> Sequence[Operation]:
    """Every operation of these invoices, oldest first."""
    if lock:
        return session.exec(_OF_INVOICES_LOCKED, params={"ids": list(invoice_ids)}, execution_options=_FRESH).all()
    return session.exec(_OF_INVOICES, params={"ids": list(invoice_ids)}).all()


def under_way_with(session: Session, token_id: UUID, subscription_ids: Sequence[UUID]) -> Sequence[Operation]:
    """Charges of this token among the operations of these subscriptions whose outcome is not known yet."""
    query = select(Operation).where(
        col(Operation.subscription_id).in_(subscription_ids),
        Operation.token_id == token_id,
        col(Operation.status).in_(MAY_BE_HAPPENING),
    )
    return session.exec(query.order_by(col(Operation.id)), execution_options=_FRESH).all()


def risks_of(session: Session, invoice_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The risk of what was captured of these invoices, where the provider named one; the worse word of several."""
    query = select(Operation.invoice_id, Operation.risk).where(
        col(Operation.invoice_id).in_(invoice_ids),
        Operation.kind == OperationKind.CAPTURE.value,
        col(Operation.risk).is_not(None),
    )
    # `no_risk` (nobody carries it for us) sorts before `ok`.
    found = sorted(((id_, risk) for id_, risk in session.exec(query) if id_ and risk), key=lambda row: row[1])
    return dict(reversed(found))


def amendments_of(session: Session, subscription_ids: Sequence[UUID]) -> Sequence[Operation]:
    """Lock every change of an order of these subscriptions, in id order; the caller holds the subscriptions."""
    query = select(Operation).where(
        Operation.kind == OperationKind.AMEND.value, col(Operation.subscription_id).in_(subscription_ids)
    )
    return session.exec(query.order_by(col(Operation.id)).with_for_update(), execution_options=_FRESH).all()


def revocations_of(session: Session, token_ids: Sequence[UUID]) -> Sequence[Operation]:
    """Every revocation of these tokens, oldest first; nothing is locked."""
    query = select(Operation).where(Operation.kind == OperationKind.REVOKE.value, col(Operation.subject).in_(token_ids))
    return session.exec(query.order_by(col(Operation.id)), execution_options=_FRESH).all()


def planned_from() -> Any:
    """As a subquery: the earliest instant at which an operation that nobody has claimed may be sent."""
    planned = (col(Operation.status) == OperationStatus.PLANNED.value, col(Operation.due_at).is_not(None))
    return _first(Operation.due_at, *planned, col(Operation.lease_until).is_(None))


def asked_from() -> Any:
    """As a subquery: the earliest instant at which an operation that nobody has claimed must be asked about."""
    return _first(
        Operation.next_check_at, col(Operation.next_check_at).is_not(None), col(Operation.lease_until).is_(None)
    )


def leased_until() -> Any:
    """As a subquery: when the earliest lease ends; whoever held it may have died."""
    return _first(Operation.lease_until, col(Operation.lease_until).is_not(None))


def _first(at: Any, *where: Any) -> Any:
    # The first row of an index, not an aggregate: it costs the same however many rows are planned.
    return select(at).where(*where).order_by(at).limit(1).scalar_subquery()


def drop(operation: Operation, reason: str, now: datetime) -> None:
    """A planned operation that will never be sent; a purchase frees its invoice. The caller holds the row locked."""
    assert operation.status == OperationStatus.PLANNED, "only what was never sent can be dropped"
    operation.status, operation.due_at, operation.settled_at = OperationStatus.DROPPED.value, None, now
    operation.lease_owner = operation.lease_until = None
    if operation.kind == OperationKind.PURCHASE:
        operation.standing, operation.dead_because = Standing.DEAD.value, f"dropped before the gate: {reason}"
