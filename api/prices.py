"""Prices: currency, billing cycle and article lines of a plan; never changed once written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import Field, StrictBool

from api.answers import ListOut, MoneyOut, Out, listed
from api.bodies import Currency, In, MoneyIn, PlanId, Text, Whole, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import After, Limit, Reading, by_id, id_or_none, part_of
from billing.domain.errors import CurrencyMismatch
from billing.domain.ids import Prefix, shown
from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule, PriceItem, Recognize
from billing.use_cases import look_up
from billing.use_cases.catalogue import NewPrice, create_price
from billing.use_cases.look_up import PriceFound, price_in

QUANTITY_MAX = 1_000_000

_EXAMPLE = {
    "plan_id": "plan_00000000000000000000000000000001",
    "currency": "EUR",
    "interval": "month",
    "interval_count": 1,
    "items": [
        {
            "article_number": "BASE",
            "name": "Base fee",
            "quantity": 1,
            "unit_amount": {"amount": 2990, "currency": "EUR"},
            "tax_rate": 1900,
            "credit_rule": "time",
        }
    ],
}


class PriceItemIn(In):
    """One article line. Amounts include their tax."""

    article_number: Text
    name: Text
    quantity: Annotated[Whole, Field(ge=1, le=QUANTITY_MAX)]
    unit_amount: MoneyIn
    tax_rate: Annotated[Whole, Field(ge=0, le=10_000, description="Basis points: 1900 is 19 %.")]
    credit_rule: Annotated[CreditRule, Field(description="How a canceled period credits this line.")]
    recognize: Annotated[Recognize, Field(description="When this line becomes revenue.")] = Recognize.TIME


class PriceIn(In):
    """A price of a plan."""

    model_config = described("New price", _EXAMPLE)

    plan_id: PlanId
    currency: Currency
    interval: Annotated[Interval, Field(description="The unit of the billing cycle.")]
    interval_count: Annotated[Whole, Field(ge=1, le=120, description="How many units make a period.")]
    items: Annotated[list[PriceItemIn], Field(min_length=1, max_length=100)]
    month_end: Annotated[StrictBool, Field(description="Bill to the last day of every month.")] = False

    def new(self) -> NewPrice:
        """What the use case takes. Raises `CurrencyMismatch` for a line in another currency."""
        items = [self._item(index, item) for index, item in enumerate(self.items)]
        return NewPrice(self.plan_id, self.currency, self.interval, self.interval_count, items, self.month_end)

    def _item(self, index: int, item: PriceItemIn) -> PriceItem:
        if item.unit_amount.currency != self.currency:
            raise CurrencyMismatch(
                f"the line is in {item.unit_amount.currency}, the price in {self.currency}",
                where=f"items[{index}].unit_amount.currency",
            )
        return PriceItem(
            item.article_number,
            item.name,
            item.quantity,
            item.unit_amount.amount,
            item.tax_rate,
            item.credit_rule,
            item.recognize,
        )


class PriceItemOut(Out):
    """One article line."""

    article_number: str
    name: str
    quantity: int
    unit_amount: MoneyOut
    tax_rate: int
    credit_rule: CreditRule
    recognize: Recognize


class PriceOut(Out):
    """A price."""

    id: str
    plan_id: str
    currency: str
    interval: Interval
    interval_count: int
    month_end: bool
    items: list[PriceItemOut]
    created_at: datetime


class PriceList(ListOut):
    """Prices."""

    data: list[PriceOut]


def price_out(found: PriceFound) -> PriceOut:
    row = found.price
    return PriceOut(
        id=shown(Prefix.PRICE, row.id),
        plan_id=shown(Prefix.PLAN, row.plan_id),
        currency=row.currency,
        interval=Interval(row.interval),
        interval_count=row.interval_count,
        month_end=row.month_end,
        items=_items_out(found.items, row.currency),
        created_at=row.created_at,
    )


def _items_out(items: Sequence[PriceItem], currency: str) -> list[PriceItemOut]:
    return [
        PriceItemOut(
            article_number=item.article_number,
            name=item.name,
            quantity=item.quantity,
            unit_amount=MoneyOut(amount=item.unit_amount, currency=currency),
            tax_rate=item.tax_rate,
            credit_rule=item.credit_rule,
            recognize=item.recognize,
        )
        for item in items
    ]


class Prices(Controller):
    path = "/prices"
    tags = ("Prices",)

    @post(sync_to_thread=True, responses=problems(409, 413))
    def create_price(self, data: JSONBody[PriceIn], write: Write) -> Response[PriceOut]:
        """Make a price of a plan."""
        return write.answer(
            201,
            lambda record: create_price(write.wiring.database, write.wiring.ids, write.now, data.new(), record),
            lambda session, price: price_out(price_in(session, price)),
        )

    @get(sync_to_thread=True, responses=problems())
    def list_prices(
        self,
        database: Reading,
        limit: Limit = 50,
        after: After = None,
        plan_id: Annotated[str | None, by_id("plan")] = None,
    ) -> PriceList:
        """List prices."""
        part = part_of(Prefix.PRICE, limit, after)
        page = look_up.prices(database, part, plan_id=id_or_none(Prefix.PLAN, plan_id, "plan_id"))
        data, following = listed(Prefix.PRICE, page, price_out)
        return PriceList(data=data, next=following)

    @get("/{price_id:str}", sync_to_thread=True, responses=problems(404))
    def get_price(self, database: Reading, price_id: FromPath[str]) -> PriceOut:
        """Get a price."""
        return price_out(look_up.price(database, in_path(Prefix.PRICE, price_id)))
