"""Lock everything that a batch of settlements concerns, and write what is the same for many of them set by set."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlmodel import Session, col, select

from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.bulk import table_of
from billing.store.customers import lock_tokens
from billing.store.invoices import InvoiceLine
from billing.store.operations import Operation
from billing.store.subscriptions import charged_through
from billing.use_cases.settle_scene import Scene, Shared, Stage, TokenScene

_WHOSE = select(Operation.id, Operation.subscription_id, Operation.invoice_id, Operation.token_id).where(
    col(Operation.id).in_(bindparam("ids", expanding=True))
)


def scenes_of(
    session: Session, batch: Batch, operation_ids: Sequence[UUID], to_number: dict[UUID, invoice_store.Invoice]
) -> dict[UUID, Stage]:
    """The scene of each operation, with everything in it locked: subscriptions first, then invoices, then operations,
    then tokens: the order of every writer.
    """
    found = session.exec(_WHOSE, params={"ids": list(operation_ids)}).all()
    alone = {row[0]: row[3] for row in found if row[1] is None}
    through = {token_id: charged_through(session, token_id) for token_id in alone.values() if token_id is not None}
    concerned = [row[1] for row in found if row[1] is not None]
    concerned += [subscription_id for ids in through.values() for subscription_id in ids]
    subscriptions = subscription_store.locked(session, concerned)
    invoices = invoice_store.locked(session, [row[2] for row in found if row[2] is not None])
    by_invoice: dict[UUID | None, list[Operation]] = {}
    for operation in operation_store.of_invoices(session, list(invoices), lock=True):
        by_invoice.setdefault(operation.invoice_id, []).append(operation)
    scenes: dict[UUID, Stage] = {}
    whole, shared = set[UUID](), Shared()
    for operation_id, subscription_id, invoice_id, _ in found:
        if subscription_id is not None and invoice_id is not None:
            subscription, siblings = subscriptions[subscription_id], by_invoice[invoice_id]
            scenes[operation_id] = Scene(
                session, batch, batch.now, subscription, invoices[invoice_id], siblings, to_number, whole, shared
            )
    for operation_id, operation in operation_store.locked(session, list(alone)).items() if alone else ():
        told = [subscriptions[subscription_id] for subscription_id in through.get(operation.subject, ())]
        scenes[operation_id] = TokenScene(session, batch, batch.now, operation, told)
    lock_tokens(session, [scene.operation(operation_id).token_id for operation_id, scene in scenes.items()])
    return scenes


def write_whole_lines(session: Session, invoice_ids: Sequence[UUID]) -> None:
    """Of these invoices everything was captured at once: each line as it stands, less what was credited before."""
    if not invoice_ids:
        return
    session.flush()
    lines = table_of(InvoiceLine)
    session.execute(
        update(lines)
        .where(lines.c.invoice_id.in_(invoice_ids))
        .values(captured_quantity=lines.c.quantity, captured_amount=lines.c.amount - lines.c.credited_amount)
    )
