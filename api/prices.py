"""Prices: currency, billing cycle and article lines of a plan; never changed once written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import Field, StrictBool

from api.answers import ListOut, MoneyOut, Out, listed, shown_or_none
from api.bodies import Currency, In, MoneyIn, PlanId, Text, Whole, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import After, Limit, Reading, by_id, id_or_none, part_of
from billing.domain.errors import CurrencyMismatch
from billing.domain.ids import Prefix, shown
from billing.domain.periods import Interval
from billing.domain.pricing import CreditRule, Phase, PriceItem, Recognize
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
    """One article line. Its amount includes its tax, unless the price says otherwise."""

    article_number: Text
    name: Text
    quantity: Annotated[Whole, Field(ge=1, le=QUANTITY_MAX)]
    unit_amount: MoneyIn
    tax_rate: Annotated[Whole, Field(ge=0, le=10_000, description="Basis points: 1900 is 19 %.")]
    credit_rule: Annotated[CreditRule, Field(description="How a canceled period credits this line.")]
    recognize: Annotated[Recognize, Field(description="When this line becomes revenue.")] = Recognize.TIME
    tax_code: Annotated[
        str | None,
        Field(max_length=32, description="Looked up by country and day, in place of the rate: `reduced`."),
    ] = None
    once: Annotated[StrictBool, Field(description="Charged with the first paid period only: a setup fee.")] = False


class PhaseAmountIn(In):
    """What an article costs a unit in an introductory phase."""

    article_number: Text
    unit_amount: MoneyIn


class PhaseIn(In):
    """An introductory phase: so many paid cycles at these amounts; other articles keep their price."""

    cycles: Annotated[Whole, Field(ge=1, le=10_000)]
    unit_amounts: Annotated[list[PhaseAmountIn], Field(min_length=1, max_length=100)]


Items = Annotated[list[PriceItemIn], Field(min_length=1, max_length=100)]
Phases = Annotated[tuple[PhaseIn, ...], Field(max_length=20, description="Introductory phases, one after the other.")]


class PriceIn(In):
    """A price of a plan."""

    model_config = described("New price", _EXAMPLE)

    plan_id: PlanId
    currency: Currency
    interval: Annotated[Interval, Field(description="The unit of the billing cycle.")]
    interval_count: Annotated[Whole, Field(ge=1, le=120, description="How many units make a period.")]
    items: Items
    month_end: Annotated[StrictBool, Field(description="Bill to the last day of every month.")] = False
    tax_included: Annotated[StrictBool, Field(description="Whether the unit amounts include their tax.")] = True
    phases: Phases = ()

    def new(self) -> NewPrice:
        """What the use case takes. Raises `CurrencyMismatch` for an amount in another currency."""
        return NewPrice(
            self.plan_id,
            self.currency,
            self.interval,
            self.interval_count,
            items_in(self.items, self.currency),
            self.month_end,
            self.tax_included,
            phases_in(self.phases, self.currency),
        )


def items_in(items: Sequence[PriceItemIn], currency: str) -> list[PriceItem]:
    """The lines of a price in `currency`. Raises `CurrencyMismatch` naming the field."""
    return [
        PriceItem(
            item.article_number,
            item.name,
            item.quantity,
            _amount(item.unit_amount, currency, f"items[{index}].unit_amount.currency"),
            item.tax_rate,
            item.credit_rule,
            item.recognize,
            item.tax_code,
            item.once,
        )
        for index, item in enumerate(items)
    ]


def phases_in(phases: Sequence[PhaseIn], currency: str) -> list[Phase]:
    """The phases of a price in `currency`. Raises `CurrencyMismatch` naming the field."""
    return [
        Phase(
            phase.cycles,
            {
                entry.article_number: _amount(
                    entry.unit_amount, currency, f"phases[{index}].unit_amounts[{place}].unit_amount.currency"
                )
                for place, entry in enumerate(phase.unit_amounts)
            },
        )
        for index, phase in enumerate(phases)
    ]


def _amount(money: MoneyIn, currency: str, where: str) -> int:
    if money.currency != currency:
        raise CurrencyMismatch(f"the amount is in {money.currency}, the price in {currency}", where=where)
    return money.amount


class PriceItemOut(Out):
    """One article line."""

    article_number: str
    name: str
    quantity: int
    unit_amount: MoneyOut
    tax_rate: int
    credit_rule: CreditRule
    recognize: Recognize
    tax_code: str | None
    once: bool


class PhaseAmountOut(Out):
    """What an article costs a unit in an introductory phase."""

    article_number: str
    unit_amount: MoneyOut


class PhaseOut(Out):
    """An introductory phase."""

    cycles: int
    unit_amounts: list[PhaseAmountOut]


class PriceOut(Out):
    """A price."""

    id: str
    plan_id: str
    currency: str
    interval: Interval
    interval_count: int
    month_end: bool
    tax_included: bool
    items: list[PriceItemOut]
    phases: list[PhaseOut]
    replaced_by_id: str | None
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
        tax_included=row.tax_included,
        items=_items_out(found.items, row.currency),
        phases=[_phase_out(phase, row.currency) for phase in row.phases],
        replaced_by_id=shown_or_none(Prefix.PRICE, row.replaced_by_id),
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
            tax_code=item.tax_code,
            once=item.once,
        )
        for item in items
    ]


def _phase_out(phase: dict[str, Any], currency: str) -> PhaseOut:
    amounts = [
        PhaseAmountOut(article_number=name, unit_amount=MoneyOut(amount=amount, currency=currency))
        for name, amount in phase["unit_amounts"].items()
    ]
    return PhaseOut(cycles=phase["cycles"], unit_amounts=amounts)


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
