"""What needs a person today, and the holds that persons set and lift."""

from datetime import datetime, timedelta
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import Field

from api.admin.restores import By, said_by
from api.answers import MoneyOut, Out, shown_or_none
from api.bodies import In, Note, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.invoices import InvoiceOut, invoice_out
from api.queries import Limit, Now, Reading
from api.subscriptions import SubscriptionOut, subscription_out
from billing.domain.attention import AttentionKind, Entry
from billing.domain.ids import Prefix
from billing.use_cases.attention import AttentionList, attention
from billing.use_cases.hold import hold, unhold, unhold_invoice
from billing.use_cases.look_up import invoice_in

AfterPlace = Annotated[str | None, QueryParameter(description="`next` of the part before.")]


class HoldIn(In):
    """Why it is held, or why it may go on."""

    model_config = described("Hold", {"reason": "the customer asked us to wait for their new address"})

    by: By = None
    reason: Note


class ActionOut(Out):
    """The one thing to do, and the call that does it (`COMMAND` for a command)."""

    what: str
    method: str
    path: str


class AttentionOut(Out):
    """One thing that needs a person. `amount` is empty where no money is known."""

    key: str
    kind: AttentionKind
    amount: MoneyOut | None
    since: datetime
    age_seconds: int
    why: str
    action: ActionOut
    operation_id: str | None
    invoice_id: str | None
    subscription_id: str | None
    customer_id: str | None
    provider_account: str | None


class AttentionListOut(Out):
    """What halts charging first, then the largest amounts; amounts of two currencies are compared by their number."""

    data: list[AttentionOut]
    count: Annotated[int, Field(description="How many there are in all.")]
    next: Annotated[str | None, Field(description="Ask with this as `after` for what follows; null at the end.")]


def attention_out(found: AttentionList, now: datetime) -> AttentionListOut:
    return AttentionListOut(
        data=[_entry_out(entry, now) for entry in found.entries], count=found.count, next=found.next
    )


def _entry_out(entry: Entry, now: datetime) -> AttentionOut:
    money = None
    if entry.amount is not None and entry.currency is not None:
        money = MoneyOut(amount=entry.amount, currency=entry.currency)
    return AttentionOut(
        key=entry.key,
        kind=entry.kind,
        amount=money,
        since=entry.since,
        age_seconds=(now - entry.since) // timedelta(seconds=1),
        why=entry.why,
        action=ActionOut(what=entry.action.what, method=entry.action.method, path=entry.action.path),
        operation_id=shown_or_none(Prefix.OPERATION, entry.operation_id),
        invoice_id=shown_or_none(Prefix.INVOICE, entry.invoice_id),
        subscription_id=shown_or_none(Prefix.SUBSCRIPTION, entry.subscription_id),
        customer_id=shown_or_none(Prefix.CUSTOMER, entry.customer_id),
        provider_account=entry.provider_account,
    )


class Attention(Controller):
    @get("/attention", sync_to_thread=True, responses=problems())
    def list_attention(
        self, database: Reading, now: Now, limit: Limit = 50, after: AfterPlace = None
    ) -> AttentionListOut:
        """List what needs a person today, each with the one thing to do."""
        return attention_out(attention(database, now, limit=limit, after=after), now)

    @post(
        "/subscriptions/{subscription_id:str}/hold",
        status_code=200,
        sync_to_thread=True,
        responses=problems(404, 409, 413),
    )
    def hold(self, subscription_id: FromPath[str], data: JSONBody[HoldIn], write: Write) -> Response[SubscriptionOut]:
        """Hold a subscription: nothing of it is opened or charged until it is let go."""
        wiring, held = write.wiring, in_path(Prefix.SUBSCRIPTION, subscription_id)
        by = said_by(data.by, write.holder.name)
        return write.answer(
            200,
            lambda record: hold(wiring.database, wiring.ids, write.now, held, by, data.reason, record),
            lambda _, row: subscription_out(row),
        )

    @post(
        "/subscriptions/{subscription_id:str}/unhold",
        status_code=200,
        sync_to_thread=True,
        responses=problems(404, 409, 413),
    )
    def unhold(self, subscription_id: FromPath[str], data: JSONBody[HoldIn], write: Write) -> Response[SubscriptionOut]:
        """Let a held subscription go on.

        What came due meanwhile is done at once.
        """
        wiring, held = write.wiring, in_path(Prefix.SUBSCRIPTION, subscription_id)
        by = said_by(data.by, write.holder.name)
        return write.answer(
            200,
            lambda record: unhold(wiring.database, wiring.ids, write.now, held, by, data.reason, record),
            lambda _, row: subscription_out(row),
        )

    @post("/invoices/{invoice_id:str}/unhold", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def unhold_invoice(self, invoice_id: FromPath[str], data: JSONBody[HoldIn], write: Write) -> Response[InvoiceOut]:
        """Let an invoice go on of which money may have been taken twice, once that is put right."""
        wiring, held = write.wiring, in_path(Prefix.INVOICE, invoice_id)
        by = said_by(data.by, write.holder.name)
        return write.answer(
            200,
            lambda record: unhold_invoice(wiring.database, wiring.ids, write.now, held, by, data.reason, record),
            lambda session, row: invoice_out(invoice_in(session, row)),
        )
