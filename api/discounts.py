"""Discounts of a subscription: granted, listed, ended."""

from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import Field

from api.answers import MoneyOut, Out
from api.bodies import In, MoneyIn, Text, Whole, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import Reading
from billing.domain.ids import Prefix, shown
from billing.domain.money import Money
from billing.store.balances import Discount
from billing.use_cases.discount import NewDiscount, currency_of, discounts, end_discount, grant_discount


class DiscountIn(In):
    """A percentage or an amount off each invoice, before tax is computed."""

    model_config = described("New discount", {"name": "Welcome", "percent": 1000, "cycles": 3})

    name: Text
    percent: Annotated[Whole, Field(ge=1, le=10_000, description="Basis points: 1000 is 10 %.")] | None = None
    amount: MoneyIn | None = None
    cycles: Annotated[Whole, Field(ge=1, le=10_000, description="How many invoices take it; all without.")] | None = (
        None
    )
    article_number: Annotated[Text | None, Field(description="Only off this article.")] = None

    def new(self) -> NewDiscount:
        """What the use case takes."""
        amount = Money(self.amount.amount, self.amount.currency) if self.amount else None
        return NewDiscount(self.name, self.percent, amount, self.cycles, self.article_number)


class DiscountOut(Out):
    """A discount of a subscription."""

    id: str
    subscription_id: str
    name: str
    percent: int | None
    amount: MoneyOut | None
    cycles: int | None
    cycles_used: int
    article_number: str | None
    ended_at: datetime | None
    created_at: datetime


class DiscountList(Out):
    """All discounts of a subscription, oldest first."""

    data: list[DiscountOut]


def discount_out(row: Discount, currency: str) -> DiscountOut:
    return DiscountOut(
        id=shown(Prefix.DISCOUNT, row.id),
        subscription_id=shown(Prefix.SUBSCRIPTION, row.subscription_id),
        name=row.name,
        percent=row.percent,
        amount=MoneyOut(amount=row.amount, currency=currency) if row.amount is not None else None,
        cycles=row.cycles,
        cycles_used=row.cycles_used,
        article_number=row.article_number,
        ended_at=row.ended_at,
        created_at=row.created_at,
    )


class Discounts(Controller):
    path = "/subscriptions/{subscription_id:str}/discounts"
    tags = ("Subscriptions",)

    @post(sync_to_thread=True, responses=problems(404, 409, 413))
    def grant_discount(
        self, subscription_id: FromPath[str], data: JSONBody[DiscountIn], write: Write
    ) -> Response[DiscountOut]:
        """Grant a discount from the next invoice on."""
        granted_to, new = in_path(Prefix.SUBSCRIPTION, subscription_id), data.new()
        return write.answer(
            201,
            lambda record: grant_discount(write.wiring.database, write.wiring.ids, write.now, granted_to, new, record),
            lambda session, row: discount_out(row, currency_of(session, row)),
        )

    @get(sync_to_thread=True, responses=problems(404))
    def list_discounts(self, database: Reading, subscription_id: FromPath[str]) -> DiscountList:
        """List the discounts of a subscription."""
        found, currency = discounts(database, in_path(Prefix.SUBSCRIPTION, subscription_id))
        return DiscountList(data=[discount_out(row, currency) for row in found])

    @post("/{discount_id:str}/end", status_code=200, sync_to_thread=True, responses=problems(404, 409, 413))
    def end_discount(
        self, subscription_id: FromPath[str], discount_id: FromPath[str], write: Write
    ) -> Response[DiscountOut]:
        """End a discount: no further invoice takes it."""
        subscription, ended = in_path(Prefix.SUBSCRIPTION, subscription_id), in_path(Prefix.DISCOUNT, discount_id)
        return write.answer(
            200,
            lambda record: end_discount(
                write.wiring.database, write.wiring.ids, write.now, subscription, ended, record
            ),
            lambda session, row: discount_out(row, currency_of(session, row)),
        )
