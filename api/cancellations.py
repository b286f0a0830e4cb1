"""Ending a subscription: what it would do, and doing it. Both answer the same document."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from api.answers import MoneyOut, Out, shown_or_none
from api.bodies import SAID, In, Note, Text, Whole, described, in_path
from api.errors import problems
from api.idempotency import Write
from billing.domain.credits import CreditLine
from billing.domain.ids import Prefix, shown
from billing.use_cases.cancel import (
    CancelAt,
    Cancellation,
    CancelRequest,
    CreditPolicy,
    cancel,
    preview_cancel,
)


class UnshippedIn(In):
    """Units of an article that will not be sent."""

    article_number: Text
    quantity: Annotated[Whole, Field(ge=1, le=1_000_000)]


def each_article_once(units: tuple[UnshippedIn, ...]) -> tuple[UnshippedIn, ...]:
    if len({unit.article_number for unit in units}) != len(units):
        raise PydanticCustomError(SAID, "an article stands twice")
    return units


class CancelIn(In):
    """When to end, and what to give back."""

    model_config = described("Cancel", {"at": "now", "credit": "refund"})

    at: Annotated[CancelAt, Field(description="At once, or when the period that is paid for ends.")]
    credit: Annotated[CreditPolicy, Field(description="Whether the unused days are paid back.")] = CreditPolicy.NONE
    unshipped: Annotated[
        tuple[UnshippedIn, ...],
        AfterValidator(each_article_once),
        Field(max_length=100, description="Articles that are credited by units."),
    ] = ()
    note: Note | None = None

    def request(self) -> CancelRequest:
        """What the use case takes."""
        units = {unit.article_number: unit.quantity for unit in self.unshipped}
        return CancelRequest(self.at, self.credit, units, self.note)


class CreditLineOut(Out):
    """One line of a credit; `derivation` is the sum behind it."""

    line_id: str
    article_number: str
    name: str
    quantity: int
    amount: MoneyOut
    tax_amount: MoneyOut
    tax_rate: int
    by: str
    derivation: str


class CreditOut(Out):
    """What is given back of a paid invoice."""

    invoice_id: str
    total: MoneyOut
    tax: MoneyOut
    lines: list[CreditLineOut]


class CancellationOut(Out):
    """What a cancel does, or would do."""

    subscription_id: str
    at: CancelAt
    effective_at: datetime
    used_days: int | None
    of_days: int | None
    credit: CreditOut | None
    voided_invoice_ids: list[str]
    credit_note_id: str | None
    operation_id: str | None


def credit_lines_out(lines: Sequence[CreditLine], currency: str) -> list[CreditLineOut]:
    return [
        CreditLineOut(
            line_id=shown(Prefix.LINE, line.line_id),
            article_number=line.article_number,
            name=line.name,
            quantity=line.quantity,
            amount=MoneyOut(amount=line.amount, currency=currency),
            tax_amount=MoneyOut(amount=line.tax_amount, currency=currency),
            tax_rate=line.tax_rate,
            by=line.by,
            derivation=line.derivation,
        )
        for line in lines
    ]


def cancellation_out(done: Cancellation) -> CancellationOut:
    return CancellationOut(
        subscription_id=shown(Prefix.SUBSCRIPTION, done.subscription_id),
        at=done.at,
        effective_at=done.effective_at,
        used_days=done.used_days,
        of_days=done.of_days,
        credit=_credit_out(done),
        voided_invoice_ids=[shown(Prefix.INVOICE, id_) for id_ in done.voided_invoice_ids],
        credit_note_id=shown_or_none(Prefix.CREDIT_NOTE, done.credit_note_id),
        operation_id=shown_or_none(Prefix.OPERATION, done.operation_id),
    )


def _credit_out(done: Cancellation) -> CreditOut | None:
    if done.credited_invoice_id is None or done.currency is None:
        return None
    return CreditOut(
        invoice_id=shown(Prefix.INVOICE, done.credited_invoice_id),
        total=MoneyOut(amount=done.credit.total, currency=done.currency),
        tax=MoneyOut(amount=done.credit.tax_total, currency=done.currency),
        lines=credit_lines_out(done.credit.lines, done.currency),
    )


class Cancellations(Controller):
    path = "/subscriptions/{subscription_id:str}/cancel"
    tags = ("Subscriptions",)

    @post("/preview", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def preview_cancel(
        self, subscription_id: FromPath[str], data: JSONBody[CancelIn], write: Write
    ) -> Response[CancellationOut]:
        """Show what a cancel would do.

        Computed by what carries it out, at this instant; nothing is changed.
        """
        ending, request = in_path(Prefix.SUBSCRIPTION, subscription_id), data.request()
        return write.answer(
            200,
            lambda _: preview_cancel(write.wiring.database, write.now, ending, request),
            lambda _, planned: cancellation_out(planned),
        )

    @post(status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def cancel_subscription(
        self, subscription_id: FromPath[str], data: JSONBody[CancelIn], write: Write
    ) -> Response[CancellationOut]:
        """End a subscription.

        At once: what is planned is dropped, what is unpaid is void, and with `credit` = `refund` the unused part of
        what is paid goes back to the customer. At the end of the period: nothing more is charged.
        """
        ending, request = in_path(Prefix.SUBSCRIPTION, subscription_id), data.request()
        return write.answer(
            200,
            lambda record: cancel(write.wiring.database, write.wiring.ids, write.now, ending, request, record),
            lambda _, done: cancellation_out(done),
        )
