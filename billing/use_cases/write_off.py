"""Write an invoice off as uncollectible, and, apart from that, take back its VAT on the accountant's decision."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from billing.domain.errors import TransitionNotAllowed
from billing.domain.invoicing import InvoiceStatus, next_invoice_status
from billing.domain.ledger import postings_for_vat_relief
from billing.domain.operations import OperationStatus
from billing.domain.proration import value_of_days
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import DunningState, Invoice, InvoiceLine, amount_due, lines_of
from billing.store.ledger import entries_of
from billing.use_cases.exhaust import give_up, is_booked
from billing.use_cases.invoice_scene import close_scene, open_scene
from billing.use_cases.lowering import check_nothing_authorized, check_nothing_under_way
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_follow_up import next_in_line


def write_off(
    database: Database, ids: Ids, now: datetime, invoice_id: UUID, reason: str, record: Record[Invoice] = nothing
) -> Invoice:
    """Give an open invoice up: what is due becomes bad debt, its VAT stays owed; the subscription goes on without it.

    Raises `NotFound`, `TransitionNotAllowed`, and `OutcomeUnknown` or `AuthorizationStands` while it may be paid yet.
    """
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        next_invoice_status(InvoiceStatus(scene.invoice.status), InvoiceStatus.UNCOLLECTIBLE)
        check_nothing_under_way(scene)
        check_nothing_authorized(scene)
        was_in_dunning = scene.invoice.dunning_state != DunningState.NONE
        planned = [op for op in scene.siblings if op.status == OperationStatus.PLANNED]
        give_up(scene.batch, scene.subscription, scene.invoice, planned)
        if is_booked(scene.invoice):
            scene.to_number[invoice_id] = scene.invoice
        scene.tell("invoice.written_off", invoice=invoice_id.hex, amount=amount_due(scene.invoice), reason=reason)
        if was_in_dunning:
            next_in_line(scene)
        close_scene(scene)
        record(session, scene.invoice)
        return scene.invoice


def relieve_vat(
    database: Database, ids: Ids, now: datetime, invoice_id: UUID, reason: str, record: Record[Invoice] = nothing
) -> Invoice:
    """Book that the VAT of what was never paid is not owed: the accountant's decision, once an invoice.

    Raises `NotFound` and `TransitionNotAllowed` for an invoice that is not uncollectible, has no number, or whose VAT
    was relieved before.
    """
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        invoice = scene.invoice
        if invoice.status != InvoiceStatus.UNCOLLECTIBLE or invoice.number is None:
            raise TransitionNotAllowed(
                "VAT is relieved of a numbered invoice that is uncollectible; this one is"
                f" {invoice.status} and has {'a' if invoice.number is not None else 'no'} number"
            )
        if entries_of(session, invoice_id, "vat_relief"):
            raise TransitionNotAllowed("the VAT of this invoice was relieved already")
        taxes = unpaid_taxes(lines_of(session, [invoice_id])[invoice_id], amount_due(invoice))
        scene.batch.post("vat_relief", invoice, postings_for_vat_relief(taxes, invoice.country))
        scene.tell("invoice.vat_relieved", invoice=invoice_id.hex, amount=sum(taxes.values()), reason=reason)
        close_scene(scene)
        record(session, invoice)
        return invoice


def unpaid_taxes(lines: Sequence[InvoiceLine], due: int) -> dict[int, int]:
    """The VAT inside what is due, by rate in basis points: each rate's share of what credits left of the invoice."""
    gross = sum(line.amount - line.credited_amount for line in lines)
    by_rate: dict[int, int] = {}
    for line in lines:
        by_rate[line.tax_rate] = by_rate.get(line.tax_rate, 0) + line.tax_amount - line.credited_tax
    return {rate: value_of_days(tax, due, gross) for rate, tax in by_rate.items() if tax} if gross else {}
