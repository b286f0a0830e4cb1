"""Prices over time: a price is followed by another, for everybody from a date on or only for those to come."""

from datetime import date, datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import BeforeValidator, Field, StrictBool
from pydantic_core import PydanticCustomError

from api.answers import MoneyOut, Out, shown_or_none
from api.bodies import SAID, In, Whole, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.prices import Items, Phases, items_in, phases_in
from api.queries import Reading
from billing.domain.ids import Prefix, shown
from billing.store.plans import Consent, Whom
from billing.use_cases import look_up
from billing.use_cases.replace_price import (
    NewReplacement,
    Replacement,
    preview_replace_price,
    replace_price,
    replacement,
)

_EXAMPLE = {
    "items": [
        {
            "article_number": "BASE",
            "name": "Base fee",
            "quantity": 1,
            "unit_amount": {"amount": 3290, "currency": "EUR"},
            "tax_rate": 1900,
            "credit_rule": "time",
        }
    ],
    "from": "2028-04-01",
    "for": "all",
    "notice_days": 30,
    "dry_run": True,
}


def _day(value: object) -> date:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else _no_day()
    except ValueError:
        return _no_day()


def _no_day() -> date:
    raise PydanticCustomError(SAID, "a date is needed, such as 2028-04-01")


Day = Annotated[date, BeforeValidator(_day), Field(json_schema_extra={"format": "date", "examples": ["2028-04-01"]})]
QuoteId = Annotated[str, Field(min_length=1, max_length=200, description="From a preview: the same cents, or 409.")]


class ReplacementIn(In):
    """The price that follows, and on what terms."""

    model_config = described("Replace a price", _EXAMPLE)

    items: Items
    from_date: Annotated[Day, Field(alias="from", description="The local day from which a boundary takes it.")]
    whom: Annotated[Whom, Field(alias="for", description="Everybody, or only subscriptions to come.")] = Whom.ALL
    notice_days: Annotated[Whole, Field(ge=0, le=730, description="Days between the notice and the new price.")] = 0
    consent: Annotated[Consent, Field(description="Whether customers must agree, or may refuse.")] = Consent.NONE
    tax_included: StrictBool | None = None
    phases: Phases = ()
    dry_run: Annotated[StrictBool, Field(description="Only count who and how much; nothing is changed.")] = False
    quote_id: QuoteId | None = None

    def new(self, currency: str) -> NewReplacement:
        """What the use case takes. Raises `CurrencyMismatch` for an amount in another currency."""
        return NewReplacement(
            items_in(self.items, currency),
            self.from_date,
            self.whom,
            self.notice_days,
            self.consent,
            self.tax_included,
            phases_in(self.phases, currency),
        )


class ReplacementOut(Out):
    """What replacing does, or would do; the amounts are what all subscriptions together pay for a cycle."""

    price_id: str
    new_price_id: str | None
    whom: Whom
    from_date: date
    notice_days: int
    consent: Consent
    subscriptions: int
    amount_before: MoneyOut
    amount_after: MoneyOut
    scheduled: int
    passed_over: int
    is_done: bool
    quote_id: str | None
    expires_at: datetime | None


def replacement_out(found: Replacement) -> ReplacementOut:
    return ReplacementOut(
        price_id=shown(Prefix.PRICE, found.price_id),
        new_price_id=shown_or_none(Prefix.PRICE, found.new_price_id),
        whom=found.whom,
        from_date=found.from_date,
        notice_days=found.notice_days,
        consent=found.consent,
        subscriptions=found.subscriptions,
        amount_before=MoneyOut(amount=found.amount_before, currency=found.currency),
        amount_after=MoneyOut(amount=found.amount_after, currency=found.currency),
        scheduled=found.scheduled,
        passed_over=found.passed_over,
        is_done=found.is_done,
        quote_id=found.quote.quote_id if found.quote else None,
        expires_at=found.quote.expires_at if found.quote else None,
    )


class Replacements(Controller):
    path = "/prices/{price_id:str}"
    tags = ("Prices",)

    @post("/replace", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def replace_price(
        self, database: Reading, price_id: FromPath[str], data: JSONBody[ReplacementIn], write: Write
    ) -> Response[ReplacementOut]:
        """Let another price follow this one.

        With `dry_run` only what it would do. Else the old price takes no new subscriptions from now on; with `for` =
        `all` everybody who has it is told, in batches, and gets the new price at the first boundary on or after the
        date and the notice.
        """
        replaced = in_path(Prefix.PRICE, price_id)
        new = data.new(look_up.price(database, replaced).price.currency)
        wiring = write.wiring
        if data.dry_run:
            return write.answer(
                200,
                lambda _: preview_replace_price(wiring.database, wiring.sign, write.now, replaced, new),
                lambda _, found: replacement_out(found),
            )
        return write.answer(
            200,
            lambda record: replace_price(
                wiring.database, wiring.ids, wiring.sign, write.now, replaced, new, data.quote_id, record
            ),
            lambda _, done: replacement_out(done),
        )

    @get("/replacement", sync_to_thread=True, responses=problems(404))
    def get_replacement(self, database: Reading, price_id: FromPath[str]) -> ReplacementOut:
        """Show how far the replacement of a price has come."""
        return replacement_out(replacement(database, in_path(Prefix.PRICE, price_id)))
