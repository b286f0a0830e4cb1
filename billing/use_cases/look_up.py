"""Look up: everything that is read without changing anything. Rows come back detached, lists in the order of ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, SQLModel, col, select

from billing.domain.errors import NotFound
from billing.domain.operations import FOLLOWS, OperationStatus
from billing.domain.pricing import PriceItem
from billing.store.bulk import table_of
from billing.store.customers import Customer, StoredToken
from billing.store.decisions import Decision, decisions_about
from billing.store.engine import Database
from billing.store.invoices import CreditNote, CreditNoteLine, Invoice, InvoiceLine, credit_note_lines, lines_of
from billing.store.operations import Observation, Operation, risks_of
from billing.store.paces import AccountState, account_states
from billing.store.periods import PeriodRow
from billing.store.plans import Plan, Price, items_of
from billing.store.subscriptions import Subscription

Row = TypeVar("Row", bound=SQLModel)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a list: at most `limit` rows, those after the id `after`."""

    limit: int = 50
    after: UUID | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list; `next` is what to ask for as `after` next, None at the end."""

    rows: Sequence[Item]
    next: UUID | None


@dataclass(frozen=True, slots=True)
class PriceFound:
    """A price with its article lines."""

    price: Price
    items: Sequence[PriceItem]


@dataclass(frozen=True, slots=True)
class InvoiceFound:
    """An invoice with its lines, and the risk of what was captured of it: the worst that the provider named."""

    invoice: Invoice
    lines: Sequence[InvoiceLine]
    risk: str | None = None


@dataclass(frozen=True, slots=True)
class OperationFound:
    """An operation with everything its provider ever answered, and what persons decided about it, oldest first."""

    operation: Operation
    observations: Sequence[Observation]
    decisions: Sequence[Decision] = ()


@dataclass(frozen=True, slots=True)
class RefundFound:
    """A credit note with its lines, and how far the operation that pays it out has come."""

    credit_note: CreditNote
    lines: Sequence[CreditNoteLine]
    operation_id: UUID
    operation_status: OperationStatus


def plan(database: Database, plan_id: UUID) -> Plan:
    """Raises `NotFound`."""
    with database.tx() as session:
        return _one(session, Plan, plan_id, "plan")


def plans(database: Database, part: Slice, *, reference: str | None = None) -> Page[Plan]:
    """Plans, or the one with this reference."""
    with database.tx() as session:
        return page_of(session, Plan, part, reference=reference)


def price(database: Database, price_id: UUID) -> PriceFound:
    """Raises `NotFound`."""
    with database.tx() as session:
        return price_in(session, _one(session, Price, price_id, "price"))


def prices(database: Database, part: Slice, *, plan_id: UUID | None = None) -> Page[PriceFound]:
    """Prices, or those of one plan."""
    with database.tx() as session:
        page = page_of(session, Price, part, plan_id=plan_id)
        items = items_of(session, [row.id for row in page.rows])
        return Page([PriceFound(row, items.get(row.id, ())) for row in page.rows], page.next)


def price_in(session: Session, row: Price) -> PriceFound:
    """A price with its lines, in the caller's transaction."""
    return PriceFound(row, items_of(session, [row.id]).get(row.id, ()))


def customer(database: Database, customer_id: UUID) -> Customer:
    """Raises `NotFound`."""
    with database.tx() as session:
        return _one(session, Customer, customer_id, "customer")


def customers(database: Database, part: Slice, *, reference: str | None = None) -> Page[Customer]:
    """Customers, or the one with this reference."""
    with database.tx() as session:
        return page_of(session, Customer, part, reference=reference)


def tokens(database: Database, part: Slice, customer_id: UUID) -> Page[StoredToken]:
    """The tokens of a customer; nothing is opened. Raises `NotFound` for an unknown customer."""
    with database.tx() as session:
        _one(session, Customer, customer_id, "customer")
        return page_of(session, StoredToken, part, customer_id=customer_id)


def subscription(database: Database, subscription_id: UUID) -> Subscription:
    """Raises `NotFound`."""
    with database.tx() as session:
        return _one(session, Subscription, subscription_id, "subscription")


def subscriptions(
    database: Database, part: Slice, *, customer_id: UUID | None = None, status: str | None = None
) -> Page[Subscription]:
    """Subscriptions, narrowed by whatever is given."""
    with database.tx() as session:
        return page_of(session, Subscription, part, customer_id=customer_id, status=status)


def periods(database: Database, part: Slice, subscription_id: UUID) -> Page[PeriodRow]:
    """The periods of a subscription. Raises `NotFound` for an unknown one."""
    with database.tx() as session:
        _one(session, Subscription, subscription_id, "subscription")
        return page_of(session, PeriodRow, part, subscription_id=subscription_id)


def invoice(database: Database, invoice_id: UUID) -> InvoiceFound:
    """Raises `NotFound`."""
    with database.tx() as session:
        return invoice_in(session, _one(session, Invoice, invoice_id, "invoice"))


def invoice_in(session: Session, row: Invoice) -> InvoiceFound:
    """An invoice with its lines, in the caller's transaction."""
    return InvoiceFound(row, lines_of(session, [row.id]).get(row.id, ()), risks_of(session, [row.id]).get(row.id))


def invoices(
    database: Database,
    part: Slice,
    *,
    subscription_id: UUID | None = None,
    customer_id: UUID | None = None,
    status: str | None = None,
) -> Page[InvoiceFound]:
    """Invoices, narrowed by whatever is given."""
    with database.tx() as session:
        page = page_of(session, Invoice, part, subscription_id=subscription_id, customer_id=customer_id, status=status)
        ids = [row.id for row in page.rows]
        lines, risks = lines_of(session, ids), risks_of(session, ids)
        return Page([InvoiceFound(row, lines.get(row.id, ()), risks.get(row.id)) for row in page.rows], page.next)


def operation(database: Database, operation_id: UUID) -> OperationFound:
    """Raises `NotFound`."""
    with database.tx() as session:
        return operation_in(session, operation_id)


def operation_in(session: Session, operation_id: UUID) -> OperationFound:
    """An operation with its history, in the caller's transaction. Raises `NotFound`."""
    row = _one(session, Operation, operation_id, "operation")
    observed = _observations(session, [row.id]).get(row.id, ())
    return OperationFound(row, observed, decisions_about(session, row.id))


def operations(
    database: Database,
    part: Slice,
    *,
    status: str | None = None,
    kind: str | None = None,
    invoice_id: UUID | None = None,
    subscription_id: UUID | None = None,
    provider_account: str | None = None,
) -> Page[OperationFound]:
    """Operations, narrowed by whatever is given."""
    wanted = {"status": status, "kind": kind, "invoice_id": invoice_id, "subscription_id": subscription_id}
    with database.tx() as session:
        page = page_of(session, Operation, part, **wanted, provider_account=provider_account)
        seen = _observations(session, [row.id for row in page.rows])
        return Page([OperationFound(row, seen.get(row.id, ())) for row in page.rows], page.next)


def provider_accounts(database: Database) -> Sequence[AccountState]:
    """Every provider account with its bucket and breaker, by name."""
    with database.tx() as session:
        return account_states(session)


def operation_status(database: Database, operation_id: UUID) -> tuple[OperationStatus, bool]:
    """The status of an operation, and whether nothing more will happen to it by itself. Raises `NotFound`."""
    with database.tx() as session:
        status = OperationStatus(_one(session, Operation, operation_id, "operation").status)
    return status, not FOLLOWS[status] or status is OperationStatus.NEEDS_OPERATOR


def credit_notes(
    database: Database, part: Slice, *, invoice_id: UUID | None = None
) -> Page[tuple[CreditNote, Sequence[CreditNoteLine]]]:
    """Credit notes with their lines, or those of one invoice."""
    with database.tx() as session:
        page = page_of(session, CreditNote, part, invoice_id=invoice_id)
        lines = credit_note_lines(session, [row.id for row in page.rows])
        return Page([(row, lines.get(row.id, ())) for row in page.rows], page.next)


def refund_in(session: Session, credit_note: CreditNote, operation_id: UUID) -> RefundFound:
    """A credit note just granted, in the caller's transaction."""
    lines = credit_note_lines(session, [credit_note.id]).get(credit_note.id, ())
    paid_out_by = session.get_one(Operation, operation_id)
    return RefundFound(credit_note, lines, operation_id, OperationStatus(paid_out_by.status))


def _one(session: Session, model: type[Row], row_id: UUID, what: str) -> Row:
    row = session.get(model, row_id)
    if row is None:
        raise NotFound(f"there is no such {what}")
    return row


def page_of(session: Session, model: type[Row], part: Slice, **wanted: Any) -> Page[Row]:
    """A part of a table, narrowed by equal columns where a value is given."""
    columns = table_of(model).c
    conditions: list[ColumnElement[bool]] = [
        columns[name] == value for name, value in wanted.items() if value is not None
    ]
    if part.after is not None:
        conditions.append(columns.id > part.after)
    found = session.exec(select(model).where(*conditions).order_by(columns.id).limit(part.limit + 1)).all()
    rows = found[: part.limit]
    return Page(rows, rows[-1].id if len(found) > part.limit else None)  # type: ignore[attr-defined]  # every table of ours has an id but the accounts


def _observations(session: Session, operation_ids: Sequence[UUID]) -> dict[UUID, list[Observation]]:
    query = select(Observation).where(col(Observation.operation_id).in_(operation_ids)).order_by(col(Observation.id))
    found: dict[UUID, list[Observation]] = {}
    for row in session.exec(query):
        found.setdefault(row.operation_id, []).append(row)
    return found
