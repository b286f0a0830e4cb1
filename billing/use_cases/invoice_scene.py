"""The scene of an operator's act on one invoice: everything of it held locked, and written as one at the end."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session

from billing.domain.credits import Settled
from billing.domain.errors import CurrencyMismatch, Invalid, NotFound
from billing.domain.money import Money
from billing.domain.operations import OperationKind, OperationStatus
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.invoices import Invoice, amount_due
from billing.store.numbers import number_invoices
from billing.store.operations import Operation
from billing.use_cases.settle_scene import Scene

_GIVES_NOTHING = (OperationStatus.DROPPED, OperationStatus.DECLINED)


def open_scene(session: Session, batch: Batch, invoice_id: UUID, *, where: str | None = None) -> Scene:
    """Lock the invoice's subscription, itself and its operations: the order of every writer.

    Raises `NotFound`, or `Invalid` where the id stood in the field `where` of a body.
    """
    known = session.get(Invoice, invoice_id)
    if known is None:
        absent = "there is no such invoice"
        raise NotFound(absent) if where is None else Invalid(absent, where=where)
    subscription = subscription_store.locked(session, [known.subscription_id])[known.subscription_id]
    adjusted = invoice_store.adjusted_by(session, [invoice_id])
    invoice = invoice_store.locked(session, [invoice_id, *adjusted])[invoice_id]
    operations = operation_store.of_invoices(session, [invoice_id], lock=True)
    return Scene(session, batch, batch.now, subscription, invoice, operations, {})


def close_scene(scene: Scene) -> None:
    """Write what was gathered; numbers are taken last, since everybody waits for their counter."""
    scene.batch.write(scene.session)
    if scene.to_number:
        number_invoices(scene.session, scene.batch, list(scene.to_number.values()))
        scene.batch.write(scene.session)


def check_currency(invoice: Invoice, money: Money, what: str) -> None:
    """Raises `CurrencyMismatch` unless `money` is in the invoice's currency."""
    if money.currency != invoice.currency:
        raise CurrencyMismatch(
            f"the invoice is in {invoice.currency}, the {what} in {money.currency}", where="amount.currency"
        )


def left_of_captures(invoice: Invoice, operations: Sequence[Operation]) -> list[tuple[Operation, int]]:
    """Each capture with what can still be refunded from it, oldest first.

    A refund counts from its plan on, so that two can never promise the same money; what disputes took is missing from
    the newest captures.
    """
    lost = invoice.disputed
    left: list[tuple[Operation, int]] = []
    for capture in reversed(_captures(operations)):
        promised = sum(
            op.amount
            for op in operations
            if op.kind == OperationKind.REFUND and op.capture_id == capture.id and op.status not in _GIVES_NOTHING
        )
        taken = min(lost, capture.amount - promised)
        lost -= taken
        left.append((capture, capture.amount - promised - taken))
    return left[::-1]


def settled_so_far(scene: Scene) -> Settled:
    """What the invoice's money has done until now."""
    invoice = scene.invoice
    return Settled(
        due=amount_due(invoice),
        captured=invoice.captured,
        paid_otherwise=invoice.balance_used + invoice.paid_outside + invoice.carried,
        given_back=invoice.credited - invoice.credited_open,
        lost=invoice.disputed,
        refundable=sum(left for _, left in left_of_captures(invoice, scene.siblings)),
    )


def _captures(operations: Sequence[Operation]) -> list[Operation]:
    return [op for op in operations if op.kind == OperationKind.CAPTURE and op.status == OperationStatus.SUCCEEDED]
