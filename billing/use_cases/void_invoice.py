"""Void an invoice that nobody has seen: its number is kept, its books are reversed in full, VAT included."""

from datetime import datetime
from uuid import UUID

from billing.domain.errors import TransitionNotAllowed
from billing.domain.invoicing import InvoiceStatus, next_invoice_status
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import DunningState, Invoice
from billing.use_cases.invoice_scene import close_scene, open_scene
from billing.use_cases.lowering import check_nothing_under_way
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_follow_up import next_in_line
from billing.use_cases.settle_scene import Scene
from billing.use_cases.voiding import void


def void_invoice(
    database: Database, ids: Ids, now: datetime, invoice_id: UUID, reason: str, record: Record[Invoice] = nothing
) -> Invoice:
    """Make an unpaid invoice void; what is authorized for it is given back, and so is the balance that it used.

    Raises `NotFound`, `OutcomeUnknown` while a call may be under way, and `TransitionNotAllowed` once a document of it
    has left us or money came in: then only a credit note cancels it (billing rules, section 9).
    """
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        check_may_be_void(scene)
        check_nothing_under_way(scene)
        was_in_dunning = scene.invoice.dunning_state != DunningState.NONE
        is_over = scene.subscription.status == SubscriptionStatus.ENDED
        void(session, scene.batch, scene.subscription, scene.invoice, scene.siblings, reason, is_over=is_over)
        scene.invoice.dunning_state = DunningState.NONE.value
        if was_in_dunning:
            next_in_line(scene)
        close_scene(scene)
        record(session, scene.invoice)
        return scene.invoice


def check_may_be_void(scene: Scene) -> None:
    """Raises `TransitionNotAllowed` where a document of the invoice has left us or money came in."""
    invoice = scene.invoice
    next_invoice_status(InvoiceStatus(invoice.status), InvoiceStatus.VOID)
    credit = "only a full credit note cancels it now"
    if invoice.issued_at is not None:
        raise TransitionNotAllowed(f"a document of this invoice left us at {invoice.issued_at.isoformat()}; {credit}")
    if invoice.captured or invoice.paid_outside or invoice.carried:
        taken = invoice.captured + invoice.paid_outside + invoice.carried
        raise TransitionNotAllowed(f"{taken} minor units of this invoice are paid or carried on; {credit}")
    if invoice.credited:
        raise TransitionNotAllowed(f"a credit note refers to this invoice; {credit}")
