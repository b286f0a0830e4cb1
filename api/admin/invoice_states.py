"""What an operator makes of an unpaid invoice: void, written off, its VAT taken back."""

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody

from api.bodies import In, Note, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.invoices import InvoiceOut, invoice_out
from billing.domain.ids import Prefix
from billing.use_cases.look_up import invoice_in
from billing.use_cases.void_invoice import void_invoice
from billing.use_cases.write_off import relieve_vat, write_off


class BecauseIn(In):
    """Why; kept with what is done."""

    model_config = described("Reason", {"reason": "written to the wrong company"})

    reason: Note


class InvoiceStates(Controller):
    path = "/invoices/{invoice_id:str}"

    @post("/void", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def void_invoice(self, invoice_id: FromPath[str], data: JSONBody[BecauseIn], write: Write) -> Response[InvoiceOut]:
        """Void an invoice that nobody has seen.

        Its number is kept and its books are reversed.
        """
        wiring, voided = write.wiring, in_path(Prefix.INVOICE, invoice_id)
        return write.answer(
            200,
            lambda record: void_invoice(wiring.database, wiring.ids, write.now, voided, data.reason, record),
            lambda session, invoice: invoice_out(invoice_in(session, invoice)),
        )

    @post("/write-off", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def write_off(self, invoice_id: FromPath[str], data: JSONBody[BecauseIn], write: Write) -> Response[InvoiceOut]:
        """Give an open invoice up as uncollectible.

        Its VAT stays owed; a payment outside is still taken.
        """
        wiring, given_up = write.wiring, in_path(Prefix.INVOICE, invoice_id)
        return write.answer(
            200,
            lambda record: write_off(wiring.database, wiring.ids, write.now, given_up, data.reason, record),
            lambda session, invoice: invoice_out(invoice_in(session, invoice)),
        )

    @post("/vat-relief", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def relieve_vat(self, invoice_id: FromPath[str], data: JSONBody[BecauseIn], write: Write) -> Response[InvoiceOut]:
        """Book that the VAT of an uncollectible invoice is not owed.

        The law of the country decides whether it is; so this is the accountant's decision, and never taken by itself.
        """
        wiring, relieved = write.wiring, in_path(Prefix.INVOICE, invoice_id)
        return write.answer(
            200,
            lambda record: relieve_vat(wiring.database, wiring.ids, write.now, relieved, data.reason, record),
            lambda session, invoice: invoice_out(invoice_in(session, invoice)),
        )
