"""Disputes over captured money, as the provider tells of them: opened, won, lost."""

from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from pydantic import Field

from api.admin.refunds import RefundAmountIn
from api.answers import MoneyOut, Out
from api.bodies import In, Note, Readable, described, in_path
from api.errors import problems
from api.idempotency import Write
from billing.domain.ids import Prefix, shown
from billing.domain.money import Money
from billing.store.payments import Dispute, DisputeStatus
from billing.use_cases.dispute import NewDispute, close_dispute, open_dispute

_EXAMPLE = {"amount": {"amount": 1000, "currency": "SEK"}, "reference": "case 17"}


class DisputeIn(In):
    """How much is disputed, tax included."""

    model_config = described("New dispute", _EXAMPLE)

    amount: RefundAmountIn
    reference: Annotated[str | None, Field(min_length=1, max_length=200), Readable] = None
    note: Note | None = None


class DisputeOut(Out):
    """A dispute over captured money."""

    id: str
    invoice_id: str
    status: DisputeStatus
    amount: MoneyOut
    reference: str | None
    note: str | None
    opened_at: datetime
    closed_at: datetime | None


def dispute_out(row: Dispute) -> DisputeOut:
    return DisputeOut(
        id=shown(Prefix.DISPUTE, row.id),
        invoice_id=shown(Prefix.INVOICE, row.invoice_id),
        status=DisputeStatus(row.status),
        amount=MoneyOut(amount=row.amount, currency=row.currency),
        reference=row.reference,
        note=row.note,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )


class Disputes(Controller):
    path = "/invoices/{invoice_id:str}/disputes"

    @post(status_code=201, sync_to_thread=True, responses=problems(404, 409, 413))
    def open_dispute(self, invoice_id: FromPath[str], data: JSONBody[DisputeIn], write: Write) -> Response[DisputeOut]:
        """Open a dispute.

        Until it is decided nothing of the invoice is refunded, captured or dunned.
        """
        wiring, disputed = write.wiring, in_path(Prefix.INVOICE, invoice_id)
        new = NewDispute(Money(data.amount.amount, data.amount.currency), data.reference, data.note)
        return write.answer(
            201,
            lambda record: open_dispute(wiring.database, wiring.ids, write.now, disputed, new, record),
            lambda _, dispute: dispute_out(dispute),
        )

    @post("/{dispute_id:str}/won", status_code=200, sync_to_thread=True, responses=problems(404, 409))
    def win_dispute(self, invoice_id: FromPath[str], dispute_id: FromPath[str], write: Write) -> Response[DisputeOut]:
        """Record that a dispute was won.

        The money is ours again, and what waited goes on.
        """
        return _close(write, invoice_id, dispute_id, DisputeStatus.WON)

    @post("/{dispute_id:str}/lost", status_code=200, sync_to_thread=True, responses=problems(404, 409))
    def lose_dispute(self, invoice_id: FromPath[str], dispute_id: FromPath[str], write: Write) -> Response[DisputeOut]:
        """Record that a dispute was lost.

        The money is gone and can be refunded no more.
        """
        return _close(write, invoice_id, dispute_id, DisputeStatus.LOST)


def _close(write: Write, invoice_id: str, dispute_id: str, outcome: DisputeStatus) -> Response[DisputeOut]:
    wiring = write.wiring
    invoice, dispute = in_path(Prefix.INVOICE, invoice_id), in_path(Prefix.DISPUTE, dispute_id)
    return write.answer(
        200,
        lambda record: close_dispute(wiring.database, wiring.ids, write.now, invoice, dispute, outcome, record),
        lambda _, closed: dispute_out(closed),
    )
