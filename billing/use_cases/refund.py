"""Refund: an operator gives captured money back, by lines, by amount, or all that is left."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from billing.domain.credits import BilledLine, CreditDraft, GiveAs, credit_amount, credit_quantities, credit_whole
from billing.domain.errors import Conflict, EmptyInvoice, Invalid, RefundExceedsCapture
from billing.domain.ledger import CreditEffect
from billing.domain.money import Money
from billing.domain.operations import Trigger
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import CreditNote, Invoice
from billing.use_cases.crediting import Terms, billed_lines, grant_credit, planned_effect, the_capture
from billing.use_cases.invoice_scene import check_currency, close_scene, open_scene
from billing.use_cases.recording import Record, nothing


@dataclass(frozen=True, slots=True)
class NewRefund:
    """What to give back: units by line id, or an amount tax included, or (with neither) everything that is left."""

    invoice_id: UUID
    reason: str
    units: Mapping[UUID, int] = field(default_factory=dict)
    amount: Money | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """The credit note granted and the operation that will pay it out, the first one where several captures do."""

    credit_note: CreditNote
    operation_id: UUID


def refund(database: Database, ids: Ids, now: datetime, new: NewRefund, record: Record[Refund] = nothing) -> Refund:
    """Grant a credit note on a captured invoice and plan its refund: all of it goes back through the provider.

    Raises `Invalid` for an unknown invoice or line, `CurrencyMismatch`, `RefundExceedsCapture` and
    `CreditExceedsLine` with what is possible, `Conflict` where nothing has been captured or a part is still open, and
    `UnderDispute`.
    """
    if new.units and new.amount is not None:
        raise Invalid("give lines or an amount, not both", where="amount")
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), new.invoice_id, where="invoice_id")
        the_capture(scene.siblings)
        draft = _draft(billed_lines(session, scene.invoice), new, scene.invoice)
        if draft.total == 0:
            raise EmptyInvoice("there is nothing left on this invoice to give back", where="lines")
        _check_all_is_refunded(planned_effect(scene, draft, GiveAs.REFUND))
        granted = grant_credit(scene, draft, Terms(new.reason, new.note, Trigger.ADMIN, GiveAs.REFUND))
        close_scene(scene)
        result = Refund(granted.credit_note, granted.operation_ids[0])
        record(session, result)
        return result


def _draft(lines: list[BilledLine], new: NewRefund, invoice: Invoice) -> CreditDraft:
    if new.units:
        return credit_quantities(lines, new.units)
    if new.amount is not None:
        check_currency(invoice, new.amount, "refund")
        return credit_amount(lines, new.amount.amount)
    return credit_whole(lines)


def _check_all_is_refunded(effect: CreditEffect) -> None:
    """A credit that does something else first is granted where it can be seen, as a credit note."""
    if effect.receivable:
        raise Conflict(
            f"{effect.receivable} minor units of this would lower what is still open, and {effect.refund} would be paid"
            " back; grant a credit note for that"
        )
    if effect.balance:
        raise RefundExceedsCapture(
            f"only {effect.refund} minor units can go back through the provider; the rest was paid otherwise, so grant"
            " a credit note, which gives it as balance",
            requested=effect.refund + effect.balance,
            possible=effect.refund,
        )
