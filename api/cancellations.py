"""Ending a subscription: what it would do, and doing it. Both answer the same document."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from pydantic import AfterValidator, Field, StrictBool
from pydantic_core import PydanticCustomError

from api.answers import MoneyOut, Out
from api.bodies import SAID, In, Instant, Note, Text, Whole, described, in_path
from api.errors import Refused, problems
from api.idempotency import Write
from api.replacements import Day, QuoteId
from api.subscriptions import SubscriptionOut, subscription_out
from billing.domain.credits import CreditLine
from billing.domain.errors import Invalid
from billing.domain.ids import Prefix, shown
from billing.use_cases.api_keys import KeyHolder, Role
from billing.use_cases.cancel import (
    CancelAt,
    Cancellation,
    CancelRequest,
    CreditPolicy,
    cancel,
    preview_cancel,
    undo_cancel,
)
from billing.use_cases.ending import InvoiceCredit


class UnshippedIn(In):
    """Units of an article that will not be sent."""

    article_number: Text
    quantity: Annotated[Whole, Field(ge=1, le=1_000_000)]


def each_article_once(units: tuple[UnshippedIn, ...]) -> tuple[UnshippedIn, ...]:
    if len({unit.article_number for unit in units}) != len(units):
        raise PydanticCustomError(SAID, "an article stands twice")
    return units


class CancelPreviewIn(In):
    """When to end, and what to give back."""

    model_config = described("Cancel", {"at": "now", "credit": "refund"})

    at: Annotated[CancelAt, Field(description="At once, when the period that is paid for ends, or at a date.")]
    ends_on: Annotated[Day | None, Field(description="With `date`: the local day on which it ends.")] = None
    ends_at: Annotated[Instant | None, Field(description="With `date`: the instant, in place of a day.")] = None
    credit: Annotated[
        CreditPolicy | None,
        Field(description="What becomes of unused days: balance or money back. Without it, what the plan says."),
    ] = None
    unshipped: Annotated[
        tuple[UnshippedIn, ...],
        AfterValidator(each_article_once),
        Field(max_length=100, description="Articles that are credited by units."),
    ] = ()
    withdrawal: Annotated[StrictBool, Field(description="Within 14 days of the contract: everything back.")] = False
    note: Note | None = None
    override: Annotated[StrictBool, Field(description="Pass over minimum term and notice; operators only.")] = False
    reason: Annotated[Note | None, Field(description="Why an operator overrides.")] = None

    def request(self, holder: KeyHolder) -> CancelRequest:
        """What the use case takes. Raises `Refused` 403 for an override by anybody but an operator."""
        if self.override and holder.role is not Role.ADMIN:
            raise Refused(403, "forbidden", "a key of role admin is needed to override minimum term and notice")
        if self.override != (self.reason is not None):
            raise Invalid("an override needs a reason, and a reason an override", where="reason")
        units = {unit.article_number: unit.quantity for unit in self.unshipped}
        return CancelRequest(
            self.at, self.credit, units, self.note, self.ends_at, self.ends_on, self.withdrawal, self.reason
        )


class CancelIn(CancelPreviewIn):
    """A cancel, with the quote of its preview."""

    quote_id: QuoteId | None = None


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


class CreditEffectOut(Out):
    """What becomes of a credit, in this order: it lowers what is open, becomes balance, or is paid back."""

    lowered: MoneyOut
    balance: MoneyOut
    refund: MoneyOut


class CreditOut(Out):
    """What is given back of a paid invoice."""

    invoice_id: str
    effect: CreditEffectOut
    total: MoneyOut
    tax: MoneyOut
    lines: list[CreditLineOut]


class CancellationOut(Out):
    """What a cancel does, or would do."""

    subscription_id: str
    at: CancelAt
    effective_at: datetime
    policy: CreditPolicy
    used_days: int | None
    of_days: int | None
    credit: CreditOut | None
    credits: list[CreditOut]
    voided_invoice_ids: list[str]
    credit_note_id: str | None
    operation_id: str | None
    credit_note_ids: list[str]
    operation_ids: list[str]
    quote_id: str | None
    expires_at: datetime | None


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
    credits_ = [_credit_out(credit) for credit in done.credits]
    granted = [credit.credit_note_id for credit in done.credits if credit.credit_note_id is not None]
    notes = [shown(Prefix.CREDIT_NOTE, id_) for id_ in granted]
    operations = [shown(Prefix.OPERATION, id_) for credit in done.credits for id_ in credit.operation_ids]
    return CancellationOut(
        subscription_id=shown(Prefix.SUBSCRIPTION, done.subscription_id),
        at=done.at,
        effective_at=done.effective_at,
        policy=done.policy,
        used_days=done.used_days,
        of_days=done.of_days,
        credit=credits_[0] if credits_ else None,
        credits=credits_,
        voided_invoice_ids=[shown(Prefix.INVOICE, id_) for id_ in done.voided_invoice_ids],
        credit_note_id=next(iter(notes), None),
        operation_id=next(iter(operations), None),
        credit_note_ids=notes,
        operation_ids=operations,
        quote_id=done.quote.quote_id if done.quote is not None else None,
        expires_at=done.quote.expires_at if done.quote is not None else None,
    )


def _credit_out(credit: InvoiceCredit) -> CreditOut:
    currency, effect = credit.currency, credit.effect
    return CreditOut(
        invoice_id=shown(Prefix.INVOICE, credit.invoice_id),
        effect=CreditEffectOut(
            lowered=MoneyOut(amount=effect.receivable, currency=currency),
            balance=MoneyOut(amount=effect.balance, currency=currency),
            refund=MoneyOut(amount=effect.refund, currency=currency),
        ),
        total=MoneyOut(amount=credit.draft.total, currency=currency),
        tax=MoneyOut(amount=credit.draft.tax_total, currency=currency),
        lines=credit_lines_out(credit.draft.lines, currency),
    )


class Cancellations(Controller):
    path = "/subscriptions/{subscription_id:str}/cancel"
    tags = ("Subscriptions",)

    @post("/preview", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def preview_cancel(
        self, subscription_id: FromPath[str], data: JSONBody[CancelPreviewIn], write: Write
    ) -> Response[CancellationOut]:
        """Show what a cancel would do.

        Computed by what carries it out, at this instant; nothing is changed. `quote_id` holds it for 30 minutes.
        """
        ending, request = in_path(Prefix.SUBSCRIPTION, subscription_id), data.request(write.holder)
        return write.answer(
            200,
            lambda _: preview_cancel(write.wiring.database, write.now, ending, request, write.wiring.sign),
            lambda _, planned: cancellation_out(planned),
        )

    @post(status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def cancel_subscription(
        self, subscription_id: FromPath[str], data: JSONBody[CancelIn], write: Write
    ) -> Response[CancellationOut]:
        """End a subscription.

        At once: what is planned is dropped, what is unpaid is void, and with `credit` the unused part of what is paid
        becomes balance or goes back to the customer. At the end of the period: nothing more is charged.
        """
        ending, request = in_path(Prefix.SUBSCRIPTION, subscription_id), data.request(write.holder)
        wiring = write.wiring
        return write.answer(
            200,
            lambda record: cancel(
                wiring.database,
                wiring.ids,
                write.now,
                ending,
                request,
                record,
                sign=wiring.sign,
                quote_id=data.quote_id,
            ),
            lambda _, done: cancellation_out(done),
        )

    @post("/undo", status_code=200, sync_to_thread=True, responses=problems(404, 409))
    def undo_cancel(self, subscription_id: FromPath[str], write: Write) -> Response[SubscriptionOut]:
        """Let a subscription go on that was to end; possible until it does."""
        kept = in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda record: undo_cancel(write.wiring.database, write.wiring.ids, write.now, kept, record),
            lambda _, subscription: subscription_out(subscription),
        )
