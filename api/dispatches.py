"""What was sent to customers: as JSON, or as a file of shipped articles; it captures what was waiting for that."""

from typing import Annotated, Any

from litestar import Controller, Response, post
from litestar.params import JSONBody
from pydantic import Field

from api.answers import Out, shown_or_none
from api.bodies import In, InvoiceId, StrictRequest, Text, Whole, described
from api.captures import Parcels, parcels_in
from api.errors import Refused, problems
from api.idempotency import Write
from billing.domain.dispatches import PARCEL_COLUMNS, ROWS_MAX, Row, SentArticle, read_csv
from billing.domain.ids import Prefix, shown
from billing.domain.operations import OperationKind
from billing.use_cases.dispatch import Dispatch, Dispatched, dispatch

_EXAMPLE = {
    "dispatches": [
        {
            "invoice_id": "inv_00000000000000000000000000000001",
            "articles": [{"article_number": "BOX", "quantity": 1}],
            "parcels": [{"carrier": "PostNord", "tracking_number": "UU123456789SE"}],
        }
    ]
}


class SentArticleIn(In):
    """Units of an article that left the house."""

    article_number: Text
    quantity: Annotated[Whole, Field(ge=1, le=999_999)]
    row: Annotated[
        Whole | None, Field(ge=1, description="Where it stands in a list of yours; a fault then names that line.")
    ] = None


class InvoiceDispatchIn(In):
    """What was sent of one invoice, and in which parcels."""

    invoice_id: InvoiceId
    articles: Annotated[tuple[SentArticleIn, ...], Field(min_length=1, max_length=1000)]
    parcels: Parcels = ()


class DispatchIn(In):
    """Everything that was sent, by invoice: all of it is recorded, or nothing."""

    model_config = described("Dispatch", _EXAMPLE)

    dispatches: Annotated[tuple[InvoiceDispatchIn, ...], Field(min_length=1, max_length=ROWS_MAX)]

    def all(self) -> list[Dispatch]:
        """What the use case takes."""
        return [_dispatch(one, f"dispatches[{index}]") for index, one in enumerate(self.dispatches)]


class DispatchedOut(Out):
    """What follows for one invoice: the operation that takes its money or tells the provider of its parcels, if any."""

    invoice_id: str
    operation_id: str | None
    kind: OperationKind | None


class DispatchOut(Out):
    """What follows, in the order of the request."""

    dispatches: list[DispatchedOut]


class DispatchRequest(StrictRequest):
    """A request whose body may be a file of shipped articles instead of JSON: it is read into the same fields."""

    async def json(self) -> Any:
        """The body as JSON has it. Raises `Invalid` or `BadRows` for a file that is not of our form."""
        if not self.headers.get("content-type", "").lower().startswith("text/csv"):
            return await super().json()
        try:
            return _fields(read_csv((await self.body()).decode()))
        except UnicodeDecodeError:
            raise Refused(400, "bad_request", "the body is not UTF-8") from None


def _fields(rows: list[Row]) -> dict[str, Any]:
    """A file as the JSON body that says the same: by invoice, each parcel once."""
    found: dict[str, dict[str, Any]] = {}
    for number, fields in rows:
        one = found.setdefault(
            fields["invoice_id"].strip(), {"invoice_id": fields["invoice_id"].strip(), "articles": [], "parcels": []}
        )
        article = {"article_number": fields["article_number"].strip(), "quantity": int(fields["quantity"])}
        one["articles"].append({**article, "row": number})
        parcel = {name: fields[name].strip() for name in PARCEL_COLUMNS if fields[name].strip()}
        if parcel and parcel not in one["parcels"]:
            one["parcels"].append(parcel)
    return {"dispatches": list(found.values())}


def _dispatch(one: InvoiceDispatchIn, where: str) -> Dispatch:
    articles = [
        SentArticle(
            article.article_number,
            article.quantity,
            f"{where}.articles[{index}]" if article.row is None else f"line {article.row}",
        )
        for index, article in enumerate(one.articles)
    ]
    first = one.articles[0].row
    named = f"{where}.invoice_id" if first is None else f"line {first}"
    return Dispatch(one.invoice_id, articles, parcels_in(one.parcels), named)


def _dispatched_out(done: Dispatched) -> DispatchedOut:
    return DispatchedOut(
        invoice_id=shown(Prefix.INVOICE, done.invoice_id),
        operation_id=shown_or_none(Prefix.OPERATION, done.operation_id),
        kind=done.kind,
    )


class Dispatches(Controller):
    path = "/dispatches"
    tags = ("Invoices",)
    request_class = DispatchRequest

    @post(status_code=202, sync_to_thread=True, responses=problems(409, 413))
    def create_dispatch(self, data: JSONBody[DispatchIn], write: Write) -> Response[DispatchOut]:
        """Report what was sent.

        As JSON, or as a file with `Content-Type: text/csv` and the columns `invoice_id, article_number, quantity,
        carrier, tracking_number, tracking_url, return_carrier, return_tracking_number, return_tracking_url`, one row
        an article of a parcel. Every row that cannot be is named with its line, and then nothing is written.
        """
        sent = data.all()
        return write.answer(
            202,
            lambda record: dispatch(write.wiring.database, write.wiring.ids, write.now, sent, record),
            lambda _, done: DispatchOut(dispatches=[_dispatched_out(one) for one in done]),
        )
