"""Link: while a restore is open, what the provider's export shows is settled as done, so that it is not done again.

Runs with every tick: periods that open later find their rows then. Purchases first, then what acts on them. Whatever
was cleared by a person is put back to be sent. All of it goes through `settle`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Invalid
from billing.domain.ids import Prefix, parse, shown
from billing.domain.operations import (
    Authorization,
    OperationKind,
    OperationStatus,
    Trigger,
    merchant_reference,
    operation_key,
)
from billing.domain.restores import LINKED_IN_ORDER, RESTORED, Candidate, ExportRow, Matcher
from billing.ports import Answer, Ids, Succeeded
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.operations import Operation
from billing.store.restored import named_by, released, unmatched
from billing.store.restores import RestoredRecord, open_restore
from billing.use_cases.settle import PutBack, Settlement, settle
from billing.use_cases.settle_follow_up import THEN
from billing.use_cases.settle_purchase import AUTHORIZATION_LIFE

LINKED_AT_ONCE = 100
"""Records looked at in one transaction."""

LEASE = timedelta(minutes=3)
_OPEN = (
    OperationStatus.PLANNED,
    OperationStatus.SENDING,
    OperationStatus.UNKNOWN,
    OperationStatus.NEEDS_OPERATOR,
)
_HELD_BY_THE_PROVIDER = (Authorization.AUTHORIZED, Authorization.PART_CAPTURED)


@dataclass(frozen=True, slots=True)
class _Pass:
    """One pass over the records of a restore; `lease` marks the operations that it is about to settle."""

    database: Database
    ids: Ids
    namespace: UUID
    now: datetime
    restore_id: UUID
    lease: UUID


def link_restored(database: Database, ids: Ids, namespace: UUID, now: datetime) -> int:
    """Settle what the export of the open restore shows, and put back what was cleared; returns how many rows moved.

    Nothing happens where no restore is open.
    """
    with database.tx() as session:
        restore = open_restore(session)
    if restore is None:
        return 0
    here = _Pass(database, ids, namespace, now, restore.id, ids.new())
    return sum(_link_kind(here, kind) for kind in LINKED_IN_ORDER) + _put_back(here)


def _link_kind(here: _Pass, kind: str) -> int:
    moved, after = 0, None
    while True:
        with here.database.tx() as session:
            records = unmatched(session, here.restore_id, kind, after, LINKED_AT_ONCE)
            found = _leased(session, here, records)
        if not records:
            return moved
        settlements = [Settlement(op_id, here.lease, _happened(record)) for record, op_id, is_new in found if is_new]
        if settlements:
            settle(here.database, here.ids, here.now, settlements)
        moved += _mark(here, [(record.id, op_id) for record, op_id, _ in found])
        after = records[-1].id


def _leased(
    session: Session, here: _Pass, records: Sequence[RestoredRecord]
) -> list[tuple[RestoredRecord, UUID, bool]]:
    """Each record with the operation that it is, and whether that is news; operations of news are leased for us."""
    invoice_ids = _invoices_of(records)
    named = named_by(session, invoice_ids, records)
    subscription_store.locked(session, [op.subscription_id for op in named if op.subscription_id is not None])
    # Read again now that nobody else writes: what another process has just linked may have planned its capture.
    operations = operation_store.locked(session, [op.id for op in named_by(session, invoice_ids, records)])
    orders = {op.id: op.provider_id for op in operations.values() if op.kind == OperationKind.PURCHASE}
    matcher = Matcher([_candidate(here, op, orders) for op in operations.values() if _is_free(op, here.now)])
    found = []
    for record in records:
        row = _row(record)
        candidate = matcher.match(row)
        operation = operations[candidate.operation_id] if candidate else _made_up(session, here, record, operations)
        if operation is None:
            continue
        is_new = candidate is None or candidate.is_open
        if is_new:
            _lease(here, operation, record, candidate)
        found.append((record, operation.id, is_new))
    session.flush()
    return found


def _invoices_of(records: Sequence[RestoredRecord]) -> list[UUID]:
    found = []
    for record in records:
        try:
            found.append(parse(Prefix.INVOICE, record.reference1 or ""))
        except Invalid:
            # Somebody else's order, or one whose number was changed: its provider id may still be known.
            continue
    return found


def _is_free(operation: Operation, now: datetime) -> bool:
    return operation.lease_until is None or operation.lease_until <= now


def _candidate(here: _Pass, operation: Operation, orders: dict[UUID, str | None]) -> Candidate:
    kind = OperationKind(operation.kind)
    is_purchase = kind is OperationKind.PURCHASE
    order_id = operation.provider_id if is_purchase else orders.get(operation.purchase_id or operation.id)
    invoice_id = operation.invoice_id
    return Candidate(
        operation.id,
        kind,
        operation.provider_account,
        operation.amount,
        operation.currency,
        operation.merchant_reference or merchant_reference(_key(here, operation)),
        shown(Prefix.INVOICE, invoice_id) if invoice_id is not None else "",
        order_id,
        operation.provider_id,
        is_open=operation.status in _OPEN,
    )


def _key(here: _Pass, operation: Operation) -> UUID:
    kind = OperationKind(operation.kind)
    token_id = operation.token_id if kind is OperationKind.PURCHASE else None
    return operation_key(
        here.namespace, kind, operation.subject, operation.n, operation.amount, operation.currency, token_id
    )


def _lease(here: _Pass, operation: Operation, record: RestoredRecord, candidate: Candidate | None) -> None:
    """Ours until it is settled; it carries the reference under which the provider knows it."""
    operation.lease_owner, operation.lease_until = here.lease, here.now + LEASE
    operation.epoch += 1
    reference = record.reference2 or (candidate.reference if candidate is not None else None)
    operation.merchant_reference = reference[:64] if reference else None
    key = _key(here, operation)
    if reference == merchant_reference(key):
        operation.key = key


def _made_up(
    session: Session, here: _Pass, record: RestoredRecord, operations: dict[UUID, Operation]
) -> Operation | None:
    """An operation that was planned and done in the lost stretch: the whole capture of an order that we know, or its
    end. A part of one is left to a person, who knows of what it was.
    """
    purchase = next((op for op in operations.values() if _is_order_of(op, record)), None)
    if purchase is None or purchase.authorization not in _HELD_BY_THE_PROVIDER or purchase.invoice_id is None:
        return None
    kind = {"capture": OperationKind.CAPTURE, "void": OperationKind.VOID}.get(record.kind)
    others = [op for op in operations.values() if op.kind == kind and op.purchase_id == purchase.id]
    is_whole = purchase.remaining == (record.amount if kind is OperationKind.CAPTURE else purchase.amount)
    if kind is None or not is_whole or any(op.status in _OPEN for op in others):
        return None
    invoice = invoice_store.locked(session, [purchase.invoice_id])[purchase.invoice_id]
    batch = Batch(here.ids, here.now)
    planned = batch.plan(
        kind,
        invoice,
        subject=purchase.id,
        n=1 + max((op.n for op in others), default=0),
        amount=purchase.remaining or 0,
        trigger=Trigger.FOLLOW_UP,
        due_at=None,
        purchase=purchase.id,
        # Whoever gave it back had a reason that this database forgot: a person says what follows.
        details={THEN: "review"} if kind is OperationKind.VOID else None,
    )
    batch.write(session)
    return operation_store.locked(session, [planned])[planned]


def _is_order_of(operation: Operation, record: RestoredRecord) -> bool:
    is_purchase = operation.kind == OperationKind.PURCHASE and operation.provider_id == record.order_id
    return is_purchase and operation.provider_account == record.provider_account


def _row(record: RestoredRecord) -> ExportRow:
    return ExportRow(
        record.kind,
        record.provider_account,
        record.provider_id,
        record.order_id or "",
        record.reference1,
        record.reference2,
        record.amount,
        record.currency,
        record.at,
    )


def _happened(record: RestoredRecord) -> Succeeded:
    answer = Answer(code=RESTORED, message="found in the provider's export after a restore")
    if record.kind == "purchase":
        authorized = Authorization.AUTHORIZED.value
        return Succeeded(answer, record.provider_id, authorized, record.at + AUTHORIZATION_LIFE)
    return Succeeded(answer, None if record.kind == "void" else record.provider_id)


def _mark(here: _Pass, found: Sequence[tuple[UUID, UUID]]) -> int:
    """Write down which operation each record is, where that is settled by now; returns how many are."""
    marked = 0
    with here.database.tx() as session:
        for record_id, operation_id in found:
            operation = session.get_one(Operation, operation_id)
            if operation.status == OperationStatus.SUCCEEDED:
                session.get_one(RestoredRecord, record_id).operation_id = operation_id
                operation.cleared_at = operation.cleared_at or here.now
                marked += 1
    return marked


def _put_back(here: _Pass) -> int:
    """What was cleared is planned again; had it been sent before the backup, that send is forgotten with its key's
    answer, and the same key goes out again.
    """
    with here.database.tx() as session:
        chosen = operation_store.locked(session, [op.id for op in released(session, LINKED_AT_ONCE)])
        for operation in chosen.values():
            operation.lease_owner, operation.lease_until = here.lease, here.now + LEASE
            operation.sent_at, operation.sends, operation.next_check_at = None, 0, None
    cleared = PutBack(here.now, Answer(code="cleared", message="cleared for sending after a restore"))
    if chosen:
        settle(here.database, here.ids, here.now, [Settlement(id_, here.lease, cleared) for id_ in chosen])
    return len(chosen)
