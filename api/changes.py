"""Changing a subscription: what it would do, doing it, and what is pending; and what a new one would be billed."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import AfterValidator, Field, StrictBool

from api.answers import MoneyOut, Out, shown_or_none
from api.bodies import In, Note, PriceId, described, in_path
from api.cancellations import UnshippedIn, each_article_once
from api.errors import Refused, problems
from api.idempotency import Write
from api.queries import Reading
from api.replacements import QuoteId
from billing.domain.changes import ChangeMode, Direction
from billing.domain.ids import Prefix, shown
from billing.domain.invoicing import LineDraft, LineKind
from billing.store.plans import Consent
from billing.store.subscriptions import Subscription
from billing.use_cases import look_up
from billing.use_cases.api_keys import KeyHolder, Role
from billing.use_cases.change import Change, answer_change, cancel_change, change, preview_change
from billing.use_cases.change_case import ChangeRequest
from billing.use_cases.change_later import WaitsFor, pending_change


class UnitsIn(UnshippedIn):
    """So many units of an article."""


class ChangePreviewIn(In):
    """What the subscription is to have; what is left out stays as it is."""

    model_config = described("Change", {"price_id": "price_00000000000000000000000000000002"})

    price_id: PriceId | None = None
    quantities: Annotated[
        tuple[UnitsIn, ...],
        AfterValidator(each_article_once),
        Field(max_length=100, description="Units by article, in place of what it has."),
    ] = ()
    mode: Annotated[ChangeMode | None, Field(description="Without it, what the plan says for the direction.")] = None
    override: Annotated[
        Note | None, Field(description="A reason to lower the price inside the minimum term; operators only.")
    ] = None

    def request(self, holder: KeyHolder) -> ChangeRequest:
        """What the use case takes. Raises `Refused` 403 for an override by anybody but an operator."""
        if self.override is not None and holder.role is not Role.ADMIN:
            raise Refused(403, "forbidden", "a key of role admin is needed to override the minimum term")
        units = {entry.article_number: entry.quantity for entry in self.quantities}
        return ChangeRequest(self.price_id, units, self.mode, self.override)


class ChangeIn(ChangePreviewIn):
    """A change, with the quote of its preview."""

    quote_id: QuoteId | None = None


class AnswerIn(In):
    """The customer's answer."""

    model_config = described("Consent", {"accepts": True})

    accepts: StrictBool


class ChangeLineOut(Out):
    """One line that a change bills; `derivation` is the sum behind it. Below 0 it takes back `adjusts_line_id`."""

    article_number: str
    name: str
    quantity: int
    amount: MoneyOut
    tax_amount: MoneyOut
    tax_rate: int
    kind: LineKind
    starts_on: date | None
    ends_on: date | None
    adjusts_line_id: str | None
    derivation: str


class ChangeOut(Out):
    """What a change does, or would do."""

    subscription_id: str
    direction: Direction
    mode: ChangeMode
    effective_at: datetime | None
    waits_for: WaitsFor | None
    price_id: str
    quantities: dict[str, int]
    lines: list[ChangeLineOut]
    total: MoneyOut
    tax: MoneyOut
    due_now: MoneyOut
    balance_after: MoneyOut
    next_on: date | None
    next_total: MoneyOut | None
    quote_id: str | None
    expires_at: datetime | None
    invoice_id: str | None
    operation_ids: list[str]


class PendingChangeOut(Out):
    """What a subscription becomes at the first boundary from `from_at` on, and what holds it up."""

    price_id: str
    quantities: dict[str, int]
    from_at: datetime
    mode: str
    waits_for: WaitsFor | None
    consent: Consent


class PendingOut(Out):
    """The pending change of a subscription, if there is one."""

    subscription_id: str
    pending: PendingChangeOut | None


def change_out(done: Change) -> ChangeOut:
    plan, currency = done.plan, done.currency
    return ChangeOut(
        subscription_id=shown(Prefix.SUBSCRIPTION, done.subscription_id),
        direction=plan.direction,
        mode=plan.mode,
        effective_at=plan.effective_at,
        waits_for=plan.waits_for,
        price_id=shown(Prefix.PRICE, done.price_id),
        quantities=dict(done.quantities),
        lines=_lines_out(plan.lines, currency),
        total=_money(plan.total, currency),
        tax=_money(plan.tax_total, currency),
        due_now=_money(done.due_now, currency),
        balance_after=_money(done.balance_after, currency),
        next_on=plan.next_on,
        next_total=_money(plan.next_total, currency) if plan.next_total is not None else None,
        quote_id=done.quote.quote_id if done.quote else None,
        expires_at=done.quote.expires_at if done.quote else None,
        invoice_id=shown_or_none(Prefix.INVOICE, done.invoice_id),
        operation_ids=[shown(Prefix.OPERATION, id_) for id_ in done.operation_ids],
    )


def pending_out(subscription: Subscription) -> PendingOut:
    found, pending = pending_change(subscription), None
    if found is not None:
        pending = PendingChangeOut(
            price_id=shown(Prefix.PRICE, found.price_id),
            quantities=dict(found.quantities),
            from_at=found.from_at,
            mode=found.mode,
            waits_for=found.waits_for,
            consent=Consent(found.consent),
        )
    return PendingOut(subscription_id=shown(Prefix.SUBSCRIPTION, subscription.id), pending=pending)


def _lines_out(lines: Sequence[LineDraft], currency: str) -> list[ChangeLineOut]:
    return [
        ChangeLineOut(
            article_number=line.article_number,
            name=line.name,
            quantity=line.quantity,
            amount=_money(line.amount, currency),
            tax_amount=_money(line.tax_amount, currency),
            tax_rate=line.tax_rate,
            kind=line.kind,
            starts_on=line.starts_on,
            ends_on=line.ends_on,
            adjusts_line_id=shown_or_none(Prefix.LINE, line.adjusts_line_id),
            derivation=line.derivation,
        )
        for line in lines
    ]


def _money(amount: int, currency: str) -> MoneyOut:
    return MoneyOut(amount=amount, currency=currency)


class Changes(Controller):
    path = "/subscriptions/{subscription_id:str}"
    tags = ("Subscriptions",)

    @post("/change/preview", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def preview_change(
        self, subscription_id: FromPath[str], data: JSONBody[ChangePreviewIn], write: Write
    ) -> Response[ChangeOut]:
        """Show what a change would do.

        Computed by what carries it out, at this instant; nothing is changed. `quote_id` holds it for 30 minutes.
        """
        wiring, changing, request = (
            write.wiring,
            in_path(Prefix.SUBSCRIPTION, subscription_id),
            data.request(write.holder),
        )
        return write.answer(
            200,
            lambda _: preview_change(wiring.database, wiring.seller, wiring.sign, write.now, changing, request),
            lambda _, planned: change_out(planned),
        )

    @post("/change", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def change_subscription(
        self, subscription_id: FromPath[str], data: JSONBody[ChangeIn], write: Write
    ) -> Response[ChangeOut]:
        """Change price, quantities or interval.

        At once, with the next invoice, at the end of the period, or as a new start today; with a quote it costs what
        was quoted, or nothing is done. Units of goods change with the next period.
        """
        wiring, changing, request = (
            write.wiring,
            in_path(Prefix.SUBSCRIPTION, subscription_id),
            data.request(write.holder),
        )
        return write.answer(
            200,
            lambda record: change(
                wiring.database,
                wiring.ids,
                wiring.seller,
                wiring.sign,
                write.now,
                changing,
                request,
                data.quote_id,
                record,
            ),
            lambda _, done: change_out(done),
        )

    @get("/change", sync_to_thread=True, responses=problems(404))
    def get_pending_change(self, database: Reading, subscription_id: FromPath[str]) -> PendingOut:
        """Show the pending change of a subscription."""
        return pending_out(look_up.subscription(database, in_path(Prefix.SUBSCRIPTION, subscription_id)))

    @post("/change/cancel", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def cancel_change(self, subscription_id: FromPath[str], write: Write) -> Response[PendingOut]:
        """Forget the pending change."""
        changing = in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda record: cancel_change(write.wiring.database, write.wiring.ids, write.now, changing, record),
            lambda _, subscription: pending_out(subscription),
        )

    @post("/consent", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def answer_change(
        self, subscription_id: FromPath[str], data: JSONBody[AnswerIn], write: Write
    ) -> Response[PendingOut]:
        """Record the customer's answer to a new price."""
        changing = in_path(Prefix.SUBSCRIPTION, subscription_id)
        return write.answer(
            200,
            lambda record: answer_change(
                write.wiring.database, write.wiring.ids, write.now, changing, accepts=data.accepts, record=record
            ),
            lambda _, subscription: pending_out(subscription),
        )
