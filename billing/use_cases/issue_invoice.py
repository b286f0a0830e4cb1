"""Mark an invoice as issued: a document of it leaves us now, and from then on it is never void."""

from datetime import datetime
from uuid import UUID

from billing.domain.errors import TransitionNotAllowed
from billing.domain.invoicing import InvoiceStatus
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import Invoice
from billing.use_cases.invoice_scene import close_scene, open_scene
from billing.use_cases.recording import Record, nothing

_NEVER_SENT = (InvoiceStatus.DRAFT, InvoiceStatus.DISCARDED, InvoiceStatus.VOID)


def issue_invoice(
    database: Database, ids: Ids, now: datetime, invoice_id: UUID, record: Record[Invoice] = nothing
) -> Invoice:
    """Set `issued_at`, once: of a document sent twice the first counts.

    Raises `NotFound` and `TransitionNotAllowed` for an invoice that is void or has no number yet.
    """
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        invoice = scene.invoice
        if invoice.status in _NEVER_SENT:
            raise TransitionNotAllowed(f"an invoice that is {invoice.status} is not sent to anybody")
        if invoice.number is None:
            raise TransitionNotAllowed("this invoice takes its number with its capture; nothing of it is sent before")
        if invoice.issued_at is None:
            invoice.issued_at = now
            scene.tell("invoice.issued", invoice=invoice_id.hex)
        close_scene(scene)
        record(session, invoice)
        return invoice
