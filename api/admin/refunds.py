"""Refunds by an operator: a credit note now, its payment by the loops; whoever wants may wait a little for that."""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Annotated

from litestar import Controller, Response, post
from litestar.params import HeaderParameter, JSONBody
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from api.answers import MoneyOut, Out, document_number
from api.bodies import SAID, Currency, In, InvoiceId, LineId, MinorUnits, Note, Whole, described
from api.cancellations import CreditLineOut
from api.errors import problems
from api.idempotency import Write
from billing.domain.ids import Prefix, parse, shown
from billing.domain.money import Money
from billing.domain.operations import OperationStatus
from billing.store.engine import Database
from billing.store.invoices import CreditNote, CreditNoteLine
from billing.use_cases import look_up
from billing.use_cases.answer_once import OPEN
from billing.use_cases.look_up import RefundFound, refund_in
from billing.use_cases.refund import NewRefund, refund

WAIT_MAX_SECONDS = 30
REASON = "^[a-z][a-z_]{0,31}$"
LOOK_EVERY_SECONDS = 0.05

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?0*(\d+)\b", re.IGNORECASE)
_SEATS = threading.BoundedSemaphore(8)
"""Who waits holds a thread; with all seats taken the answer comes at once, so that others are still served."""

_EXAMPLE = {
    "invoice_id": "inv_00000000000000000000000000000001",
    "reason": "goodwill",
    "amount": {"amount": 500, "currency": "EUR"},
}

PreferHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Prefer", required=False, description="`wait=5` waits up to 5 seconds (30 at most) for the refund's end."
    ),
]


class RefundAmountIn(In):
    """An amount to give back, tax included."""

    amount: Annotated[MinorUnits, Field(ge=1)]
    currency: Currency


class RefundLineIn(In):
    """Units of an invoice line to give back."""

    line_id: LineId
    quantity: Annotated[Whole, Field(ge=1, le=1_000_000)]


def _each_line_once(lines: list[RefundLineIn]) -> list[RefundLineIn]:
    if len({line.line_id for line in lines}) != len(lines):
        raise PydanticCustomError(SAID, "a line stands twice")
    return lines


RefundLines = Annotated[list[RefundLineIn], AfterValidator(_each_line_once), Field(min_length=1, max_length=100)]


def _reason(value: str) -> str:
    if not re.fullmatch(REASON, value):
        raise PydanticCustomError(SAID, "a reason is one word in small letters, such as goodwill")
    return value


Reason = Annotated[
    str,
    AfterValidator(_reason),
    Field(description="Such as goodwill, returned, withdrawal, other.", json_schema_extra={"pattern": REASON}),
]


class RefundIn(In):
    """What to give back: units by line, or an amount, or (with neither) everything that is left."""

    model_config = described("New refund", _EXAMPLE)

    invoice_id: InvoiceId
    reason: Reason
    lines: RefundLines | None = None
    amount: RefundAmountIn | None = None
    note: Note | None = None

    def new(self) -> NewRefund:
        """What the use case takes."""
        units = {line.line_id: line.quantity for line in self.lines or ()}
        amount = Money(self.amount.amount, self.amount.currency) if self.amount is not None else None
        return NewRefund(self.invoice_id, self.reason, units, amount, self.note)


class CreditNoteOut(Out):
    """The document that lowers an invoice."""

    id: str
    number: str | None
    invoice_id: str
    total: MoneyOut
    tax: MoneyOut
    reason: str
    note: str | None
    issue_date: date
    lowered_open: MoneyOut
    to_balance: MoneyOut
    to_refund: MoneyOut
    lines: list[CreditLineOut]


class RefundOut(Out):
    """The credit note and the operation that pays it out."""

    credit_note: CreditNoteOut
    operation_id: str
    operation_status: OperationStatus


def credit_note_out(row: CreditNote, lines: Sequence[CreditNoteLine]) -> CreditNoteOut:
    currency = row.currency
    return CreditNoteOut(
        id=shown(Prefix.CREDIT_NOTE, row.id),
        number=document_number(row.series_id, row.number),
        invoice_id=shown(Prefix.INVOICE, row.invoice_id),
        total=MoneyOut(amount=row.total, currency=currency),
        tax=MoneyOut(amount=row.tax_total, currency=currency),
        reason=row.reason,
        note=row.note,
        issue_date=row.issue_date,
        lowered_open=MoneyOut(amount=row.effect_open, currency=currency),
        to_balance=MoneyOut(amount=row.effect_balance, currency=currency),
        to_refund=MoneyOut(amount=row.effect_refund, currency=currency),
        lines=_lines_out(lines, currency),
    )


def refund_out(found: RefundFound) -> RefundOut:
    note = credit_note_out(found.credit_note, found.lines)
    operation_id = shown(Prefix.OPERATION, found.operation_id)
    return RefundOut(credit_note=note, operation_id=operation_id, operation_status=found.operation_status)


def _lines_out(lines: Sequence[CreditNoteLine], currency: str) -> list[CreditLineOut]:
    return [
        CreditLineOut(
            line_id=shown(Prefix.LINE, line.line_id),
            article_number=line.article_number,
            name=line.name,
            quantity=line.quantity,
            amount=MoneyOut(amount=line.amount, currency=currency),
            tax_amount=MoneyOut(amount=line.tax_amount, currency=currency),
            tax_rate=line.tax_rate,
            by=line.how,
            derivation=line.derivation,
        )
        for line in lines
    ]


def seconds_to_wait(prefer: str | None) -> int:
    """How long a Prefer header asks to wait; 0 for none, never more than 30."""
    found = _WAIT.search(prefer or "")
    if not found:
        return 0
    # Python refuses to read more than some thousand digits; three are more than is ever waited.
    return WAIT_MAX_SECONDS if len(found[1]) > 3 else min(int(found[1]), WAIT_MAX_SECONDS)


def status_after(database: Database, operation_id: str, seconds: int) -> OperationStatus:
    """The operation's status at its end, or after `seconds` of real time."""
    wanted, deadline = parse(Prefix.OPERATION, operation_id), time.monotonic() + seconds
    status, ended = look_up.operation_status(database, wanted)
    with _seat() as seated:
        while seated and not ended and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_SECONDS)
            status, ended = look_up.operation_status(database, wanted)
    return status


@contextmanager
def _seat() -> Iterator[bool]:
    seated = _SEATS.acquire(blocking=False)
    try:
        yield seated
    finally:
        if seated:
            _SEATS.release()


class Refunds(Controller):
    path = "/refunds"

    @post(status_code=202, sync_to_thread=True, responses=problems(409, 413))
    def create_refund(self, data: JSONBody[RefundIn], write: Write, prefer: PreferHeader = None) -> Response[RefundOut]:
        """Give captured money back.

        The credit note is final with this answer; the provider is called afterwards by the loops. With
        `Prefer: wait=5` the answer comes at the end of that call, or after 5 seconds.
        """
        seconds = seconds_to_wait(prefer)
        database, new = write.wiring.database, data.new()
        given = write.give(
            OPEN if seconds else 202,
            lambda record: refund(database, write.wiring.ids, write.now, new, record),
            lambda session, done: refund_out(refund_in(session, done.credit_note, done.operation_id)),
        )
        if given.status == OPEN:
            # Fixed once, by whoever is done waiting first: every repeat is answered alike.
            answer = RefundOut.model_validate_json(given.body)
            status = status_after(database, answer.operation_id, seconds)
            given = write.complete(given, 202, answer.model_copy(update={"operation_status": status}))
        return write.send(given, {"Preference-Applied": f"wait={seconds}"} if seconds else None)
