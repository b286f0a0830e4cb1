"""Pausing a subscription and letting it go on: what it would do, and doing it."""

from datetime import date, datetime
from typing import Annotated

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from pydantic import Field, StrictBool

from api.answers import MoneyOut, Out
from api.bodies import In, Instant, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.replacements import QuoteId
from api.subscriptions import SubscriptionOut, subscription_out
from billing.domain.ids import Prefix, shown
from billing.domain.pauses import FrozenDays, PauseMode
from billing.store.periods import PeriodKind
from billing.use_cases.pause import Pause, PauseRequest, pause, preview_pause, undo_pause
from billing.use_cases.quoting import Quote
from billing.use_cases.renewal_pass import Span
from billing.use_cases.resume import ResumeRequest, Resumption, preview_resume, resume


class PausePreviewIn(In):
    """How to pause, from when until when."""

    model_config = described("Pause", {"mode": "freeze", "resume_at": "2028-06-20T08:00:00Z"})

    mode: Annotated[
        PauseMode,
        Field(
            description="`freeze` keeps the paid days for later, `skip` leaves out periods that start meanwhile,"
            " `collection_only` goes on without collecting."
        ),
    ] = PauseMode.FREEZE
    at: Annotated[Instant | None, Field(description="Without it, now.")] = None
    resume_at: Annotated[Instant | None, Field(description="Without it, until resumed.")] = None
    bill_stub: Annotated[
        StrictBool, Field(description="With `skip`: on resume the rest of the period that runs then is billed.")
    ] = False

    def request(self) -> PauseRequest:
        """What the use case takes."""
        return PauseRequest(self.mode, self.at, self.resume_at, self.bill_stub)


class PauseIn(PausePreviewIn):
    """A pause, with the quote of its preview."""

    quote_id: QuoteId | None = None


class ResumePreviewIn(In):
    """When to go on."""

    model_config = described("Resume", {"collect_open": True})

    at: Annotated[Instant | None, Field(description="Without it, now.")] = None
    collect_open: Annotated[
        StrictBool,
        Field(description="Collect all that came due meanwhile; else a person must look first if it is more than one."),
    ] = False

    def request(self) -> ResumeRequest:
        """What the use case takes."""
        return ResumeRequest(self.at, self.collect_open)


class ResumeIn(ResumePreviewIn):
    """A resume, with the quote of its preview."""

    quote_id: QuoteId | None = None


class FrozenOut(Out):
    """A period that is cut: `used_days` + `left_days` = `of_days`; the left ones are kept."""

    used_days: int
    left_days: int
    of_days: int


class PauseOut(Out):
    """What a pause does, or would do; no money moves."""

    subscription_id: str
    mode: PauseMode
    effective_at: datetime
    starts_now: bool
    resume_at: datetime | None
    frozen: FrozenOut | None
    waiting_invoice_ids: list[str]
    quote_id: str | None
    expires_at: datetime | None


class ResumedPeriodOut(Out):
    """Days that were paid before the pause; local dates, the end not included."""

    kind: PeriodKind
    start_date: date
    end_date: date
    ends_at: datetime


class ResumeLineOut(Out):
    """A line that is billed on resume; `derivation` is the sum behind it."""

    article_number: str
    name: str
    amount: MoneyOut
    tax_amount: MoneyOut
    derivation: str


class ResumptionOut(Out):
    """What a resume does, or would do."""

    subscription_id: str
    mode: PauseMode
    effective_at: datetime
    resumed: ResumedPeriodOut | None
    lines: list[ResumeLineOut]
    total: MoneyOut
    next_on: date | None
    next_total: MoneyOut | None
    open_invoice_ids: list[str]
    needs_approval: bool
    quote_id: str | None
    expires_at: datetime | None


def pause_out(done: Pause) -> PauseOut:
    return PauseOut(
        subscription_id=shown(Prefix.SUBSCRIPTION, done.subscription_id),
        mode=done.mode,
        effective_at=done.effective_at,
        starts_now=done.starts_now,
        resume_at=done.resume_at,
        frozen=_frozen_out(done.frozen) if done.frozen is not None else None,
        waiting_invoice_ids=[shown(Prefix.INVOICE, id_) for id_ in done.waiting_invoice_ids],
        quote_id=_id_of(done.quote),
        expires_at=_end_of(done.quote),
    )


def resumption_out(done: Resumption) -> ResumptionOut:
    currency, charge = done.currency, done.charge
    return ResumptionOut(
        subscription_id=shown(Prefix.SUBSCRIPTION, done.subscription_id),
        mode=done.mode,
        effective_at=done.effective_at,
        resumed=_period_out(done.resumed) if done.resumed is not None else None,
        lines=[
            ResumeLineOut(
                article_number=line.article_number,
                name=line.name,
                amount=MoneyOut(amount=line.amount, currency=currency),
                tax_amount=MoneyOut(amount=line.tax_amount, currency=currency),
                derivation=line.derivation,
            )
            for line in (charge.lines if charge is not None else ())
        ],
        total=MoneyOut(amount=charge.total if charge is not None else 0, currency=currency),
        next_on=done.next_on,
        next_total=MoneyOut(amount=done.next_total, currency=currency) if done.next_total is not None else None,
        open_invoice_ids=[shown(Prefix.INVOICE, id_) for id_ in done.open_invoice_ids],
        needs_approval=done.needs_approval,
        quote_id=_id_of(done.quote),
        expires_at=_end_of(done.quote),
    )


def _frozen_out(frozen: FrozenDays) -> FrozenOut:
    return FrozenOut(used_days=frozen.used_days, left_days=frozen.left_days, of_days=frozen.of_days)


def _period_out(span: Span) -> ResumedPeriodOut:
    period = span.period
    return ResumedPeriodOut(
        kind=span.kind, start_date=period.start_date, end_date=period.end_date, ends_at=period.ends_at
    )


def _id_of(quote: Quote | None) -> str | None:
    return quote.quote_id if quote is not None else None


def _end_of(quote: Quote | None) -> datetime | None:
    return quote.expires_at if quote is not None else None


class Pauses(Controller):
    path = "/subscriptions/{subscription_id:str}"
    tags = ("Subscriptions",)

    @post("/pause/preview", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def preview_pause(
        self, subscription_id: FromPath[str], data: JSONBody[PausePreviewIn], write: Write
    ) -> Response[PauseOut]:
        """Show what a pause would do; nothing is changed.

        `quote_id` holds it for 30 minutes.
        """
        wiring, pausing = write.wiring, in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda _: preview_pause(wiring.database, wiring.sign, write.now, pausing, data.request()),
            lambda _, planned: pause_out(planned),
        )

    @post("/pause", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def pause_subscription(
        self, subscription_id: FromPath[str], data: JSONBody[PauseIn], write: Write
    ) -> Response[PauseOut]:
        """Pause a subscription, now or at an instant.

        Nothing is collected while it lasts.
        """
        wiring, pausing = write.wiring, in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda record: pause(
                wiring.database,
                wiring.ids,
                wiring.sign,
                write.now,
                pausing,
                data.request(),
                data.quote_id,
                record,
            ),
            lambda _, done: pause_out(done),
        )

    @post("/pause/undo", status_code=200, sync_to_thread=True, responses=problems(404, 409))
    def undo_pause(self, subscription_id: FromPath[str], write: Write) -> Response[SubscriptionOut]:
        """Forget a pause that has not begun."""
        kept = in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda record: undo_pause(write.wiring.database, write.wiring.ids, write.now, kept, record),
            lambda _, subscription: subscription_out(subscription),
        )

    @post("/resume/preview", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def preview_resume(
        self, subscription_id: FromPath[str], data: JSONBody[ResumePreviewIn], write: Write
    ) -> Response[ResumptionOut]:
        """Show what a resume would do and cost; nothing is changed.

        `quote_id` holds it for 30 minutes.
        """
        wiring, resuming = write.wiring, in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda _: preview_resume(wiring.database, wiring.seller, wiring.sign, write.now, resuming, data.request()),
            lambda _, planned: resumption_out(planned),
        )

    @post("/resume", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def resume_subscription(
        self, subscription_id: FromPath[str], data: JSONBody[ResumeIn], write: Write
    ) -> Response[ResumptionOut]:
        """End a pause, now or at an instant.

        What came due meanwhile is collected, the oldest first.
        """
        wiring, resuming = write.wiring, in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda record: resume(
                wiring.database,
                wiring.ids,
                wiring.seller,
                wiring.sign,
                write.now,
                resuming,
                data.request(),
                data.quote_id,
                record,
            ),
            lambda _, done: resumption_out(done),
        )
