"""Payments made outside, recorded on an invoice by an operator."""

from datetime import date, datetime
from typing import Annotated

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from pydantic import Field

from api.admin.payouts import Day
from api.admin.refunds import RefundAmountIn
from api.answers import MoneyOut, Out
from api.bodies import In, Note, Readable, described, in_path
from api.errors import problems
from api.idempotency import Write
from billing.domain.ids import Prefix, shown
from billing.domain.invoicing import InvoiceStatus
from billing.domain.money import Money
from billing.store.invoices import amount_due
from billing.use_cases.record_payment import NewPayment, Recorded, record_payment

_EXAMPLE = {
    "amount": {"amount": 3970, "currency": "SEK"},
    "paid_on": "2028-04-12",
    "reference": "bank transfer 4711",
}


class PaymentIn(In):
    """A payment that came past the provider; the same reference again is the same payment."""

    model_config = described("Payment made outside", _EXAMPLE)

    amount: RefundAmountIn
    paid_on: Day
    reference: Annotated[str, Field(min_length=1, max_length=200, description="Unique on its invoice."), Readable]
    note: Note | None = None

    def new(self) -> NewPayment:
        """What the use case takes."""
        return NewPayment(Money(self.amount.amount, self.amount.currency), self.paid_on, self.reference, self.note)


class PaymentOut(Out):
    """The payment, and how the invoice stands after it."""

    id: str
    invoice_id: str
    amount: MoneyOut
    paid_on: date
    reference: str
    note: str | None
    created_at: datetime
    invoice_status: InvoiceStatus
    due: MoneyOut


def payment_out(done: Recorded) -> PaymentOut:
    row, invoice = done.payment, done.invoice
    return PaymentOut(
        id=shown(Prefix.PAYMENT, row.id),
        invoice_id=shown(Prefix.INVOICE, row.invoice_id),
        amount=MoneyOut(amount=row.amount, currency=row.currency),
        paid_on=row.paid_on,
        reference=row.reference,
        note=row.note,
        created_at=row.created_at,
        invoice_status=InvoiceStatus(invoice.status),
        due=MoneyOut(amount=amount_due(invoice), currency=invoice.currency),
    )


class Payments(Controller):
    path = "/invoices/{invoice_id:str}/payments"

    @post(status_code=201, sync_to_thread=True, responses=problems(404, 409, 413))
    def record_payment(
        self, invoice_id: FromPath[str], data: JSONBody[PaymentIn], write: Write
    ) -> Response[PaymentOut]:
        """Record a payment made outside.

        It lowers what is due; a planned charge takes the rest or is dropped, and what is paid in full leaves dunning.
        """
        wiring, paying, new = write.wiring, in_path(Prefix.INVOICE, invoice_id), data.new()
        return write.answer(
            201,
            lambda record: record_payment(wiring.database, wiring.ids, write.now, paying, new, record),
            lambda _, done: payment_out(done),
        )
