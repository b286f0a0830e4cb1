"""Credit notes by an operator: granted, shown before they are granted, read, and decided about."""

from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import AfterValidator, Field
from sqlmodel import Session

from api.admin.payouts import Day
from api.admin.refunds import CreditNoteOut, Reason, RefundAmountIn, RefundLines, credit_note_out
from api.answers import ListOut, MoneyOut, Out, listed
from api.bodies import In, InvoiceId, Note, described, in_path
from api.cancellations import CreditLineOut, UnshippedIn, credit_lines_out, each_article_once
from api.errors import problems
from api.idempotency import Write
from api.queries import After, Limit, Reading, by_id, id_or_none, part_of
from billing.domain.credits import GiveAs
from billing.domain.ids import Prefix, shown
from billing.domain.money import Money
from billing.store.invoices import credit_note_lines
from billing.use_cases import look_up
from billing.use_cases.credit_invoice import (
    CreditBy,
    Credited,
    CreditPreview,
    NewCredit,
    credit_invoice,
    preview_credit,
)
from billing.use_cases.resolve_credit import ResolveAs, resolve_credit

_EXAMPLE = {
    "invoice_id": "inv_00000000000000000000000000000001",
    "reason": "unused",
    "by": "time",
    "as_of": "2028-04-11",
    "give_as": "balance",
}


class CreditNoteIn(In):
    """What to credit: by unused days, by units of lines, by an amount, or everything that is left."""

    model_config = described("New credit note", _EXAMPLE)

    invoice_id: InvoiceId
    reason: Reason
    by: CreditBy
    give_as: Annotated[
        GiveAs, Field(description="What becomes of what was paid already; what is open is lowered first.")
    ] = GiveAs.REFUND
    as_of: Annotated[Day | None, Field(description="By time: the first local day that is not used.")] = None
    unshipped: Annotated[
        tuple[UnshippedIn, ...],
        AfterValidator(each_article_once),
        Field(max_length=100, description="By time: articles credited by units."),
    ] = ()
    lines: RefundLines | None = None
    amount: RefundAmountIn | None = None
    note: Note | None = None

    def new(self) -> NewCredit:
        """What the use case takes."""
        return NewCredit(
            self.invoice_id,
            self.reason,
            self.by,
            self.give_as,
            self.as_of,
            {unit.article_number: unit.quantity for unit in self.unshipped},
            {line.line_id: line.quantity for line in self.lines or ()},
            Money(self.amount.amount, self.amount.currency) if self.amount is not None else None,
            self.note,
        )


class ResolveIn(In):
    """What becomes of a refund that was refused, or of a credit that became balance."""

    model_config = described("Decision", {"as": "balance"})

    resolve_as: Annotated[ResolveAs, Field(alias="as")]


class CreditedOut(Out):
    """A credit note and the operations that pay it out: one for each capture concerned."""

    credit_note: CreditNoteOut
    operation_ids: list[str]


class CreditPreviewOut(Out):
    """What a credit note would be and do."""

    total: MoneyOut
    tax: MoneyOut
    lowered_open: MoneyOut
    to_balance: MoneyOut
    to_refund: MoneyOut
    lines: list[CreditLineOut]


class CreditNoteList(ListOut):
    """Credit notes."""

    data: list[CreditNoteOut]


def credited_out(session: Session, done: Credited) -> CreditedOut:
    lines = credit_note_lines(session, [done.credit_note.id]).get(done.credit_note.id, ())
    operation_ids = [shown(Prefix.OPERATION, id_) for id_ in done.operation_ids]
    return CreditedOut(credit_note=credit_note_out(done.credit_note, lines), operation_ids=operation_ids)


def _preview_out(planned: CreditPreview) -> CreditPreviewOut:
    def money(amount: int) -> MoneyOut:
        return MoneyOut(amount=amount, currency=planned.currency)

    return CreditPreviewOut(
        total=money(planned.draft.total),
        tax=money(planned.draft.tax_total),
        lowered_open=money(planned.effect.receivable),
        to_balance=money(planned.effect.balance),
        to_refund=money(planned.effect.refund),
        lines=credit_lines_out(planned.draft.lines, planned.currency),
    )


class CreditNotes(Controller):
    path = "/credit-notes"

    @post(status_code=201, sync_to_thread=True, responses=problems(409, 413))
    def create_credit_note(self, data: JSONBody[CreditNoteIn], write: Write) -> Response[CreditedOut]:
        """Credit an invoice.

        The credit note is final with this answer. It lowers what is open first; the rest is refunded through the
        provider by the loops, or becomes the customer's balance.
        """
        wiring, new = write.wiring, data.new()
        return write.answer(
            201, lambda record: credit_invoice(wiring.database, wiring.ids, write.now, new, record), credited_out
        )

    @post("/preview", status_code=200, sync_to_thread=True, responses=problems(409, 413))
    def preview_credit_note(self, data: JSONBody[CreditNoteIn], write: Write) -> Response[CreditPreviewOut]:
        """Show what a credit note would be and do.

        Nothing is changed.
        """
        wiring, new = write.wiring, data.new()
        return write.answer(
            200,
            lambda _: preview_credit(wiring.database, wiring.ids, write.now, new),
            lambda _, planned: _preview_out(planned),
        )

    @get(sync_to_thread=True, responses=problems())
    def list_credit_notes(
        self,
        database: Reading,
        limit: Limit = 50,
        after: After = None,
        invoice_id: Annotated[str | None, by_id("invoice")] = None,
    ) -> CreditNoteList:
        """List credit notes."""
        part = part_of(Prefix.CREDIT_NOTE, limit, after)
        wanted = id_or_none(Prefix.INVOICE, invoice_id, "invoice_id")
        page = look_up.credit_notes(database, part, invoice_id=wanted)
        data, following = listed(Prefix.CREDIT_NOTE, page, lambda found: credit_note_out(*found))
        return CreditNoteList(data=data, next=following)

    @post("/{credit_note_id:str}/resolve", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def resolve(self, credit_note_id: FromPath[str], data: JSONBody[ResolveIn], write: Write) -> Response[CreditedOut]:
        """Decide about a credit that could not be paid out, or was not.

        A refund that the provider refused becomes balance or is tried again; a credit that became balance is refunded.
        """
        wiring, note_id = write.wiring, in_path(Prefix.CREDIT_NOTE, credit_note_id)
        return write.answer(
            200,
            lambda record: resolve_credit(wiring.database, wiring.ids, write.now, note_id, data.resolve_as, record),
            credited_out,
        )
