"""What a new subscription would be billed first, and when."""

from datetime import date, datetime

from litestar import Controller, Response, post
from litestar.params import JSONBody

from api.answers import MoneyOut, Out
from api.errors import problems
from api.idempotency import Write
from api.subscriptions import SubscriptionIn
from billing.store.periods import PeriodKind
from billing.use_cases.preview_subscription import FirstCharge, FirstLine, preview_subscription


class FirstPeriodOut(Out):
    """A period that opens; local dates, the end not included."""

    kind: PeriodKind
    start_date: date
    end_date: date


class FirstLineOut(Out):
    """A line of the first invoice."""

    article_number: str
    name: str
    quantity: int
    amount: MoneyOut
    tax_amount: MoneyOut
    tax_rate: int
    derivation: str


class SubscriptionPreviewOut(Out):
    """The periods until the first invoice, that invoice, and the period that follows."""

    periods: list[FirstPeriodOut]
    lines: list[FirstLineOut]
    total: MoneyOut
    tax: MoneyOut
    due: MoneyOut
    collect_at: datetime | None
    next_on: date | None
    next_total: MoneyOut | None
    quote_id: str | None
    expires_at: datetime | None


def preview_out(found: FirstCharge) -> SubscriptionPreviewOut:
    currency = found.currency
    return SubscriptionPreviewOut(
        periods=[
            FirstPeriodOut(kind=PeriodKind(period.kind), start_date=period.start_date, end_date=period.end_date)
            for period in found.periods
        ],
        lines=[_line_out(line, currency) for line in found.lines],
        total=MoneyOut(amount=found.total, currency=currency),
        tax=MoneyOut(amount=found.tax_total, currency=currency),
        due=MoneyOut(amount=found.due, currency=currency),
        collect_at=found.collect_at,
        next_on=found.next_on,
        next_total=MoneyOut(amount=found.next_total, currency=currency) if found.next_total is not None else None,
        quote_id=found.quote.quote_id if found.quote else None,
        expires_at=found.quote.expires_at if found.quote else None,
    )


def _line_out(line: FirstLine, currency: str) -> FirstLineOut:
    return FirstLineOut(
        article_number=line.article_number,
        name=line.name,
        quantity=line.quantity,
        amount=MoneyOut(amount=line.amount, currency=currency),
        tax_amount=MoneyOut(amount=line.tax_amount, currency=currency),
        tax_rate=line.tax_rate,
        derivation=line.derivation,
    )


class SubscriptionPreviews(Controller):
    path = "/subscriptions/preview"
    tags = ("Subscriptions",)

    @post(status_code=200, sync_to_thread=True, responses=problems(409, 413))
    def preview_subscription(self, data: JSONBody[SubscriptionIn], write: Write) -> Response[SubscriptionPreviewOut]:
        """Show what a new subscription would be billed first, and when; nothing is made."""
        wiring = write.wiring
        return write.answer(
            200,
            lambda _: preview_subscription(
                wiring.database, wiring.ids, wiring.seller, wiring.sign, write.now, data.new()
            ),
            lambda _, found: preview_out(found),
        )
