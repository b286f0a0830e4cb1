"""A shop that looks at its orders, and a portal in which somebody works."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from factories import Shop
from reading import entries, invoices, operations, subscription

from billing.domain.money import Money
from billing.ports import Account, Movement, OrderState, Sighting
from billing.store.operations import Operation
from billing.use_cases.refund import NewRefund, refund
from billing.use_cases.sending import Sending
from billing.use_cases.subscribe import NewSubscription, subscribe
from billing.use_cases.watch_orders import watch_orders


class WatchedShop(Shop):
    """A shop that looks at its orders, too, and a portal in which somebody works."""

    def once(self) -> int:
        return super().once() + watch_orders(self.sending)

    def bought(self, **plan: Any) -> Operation:
        """A month of 39.70, authorized; captured 31 minutes later where the plan says nothing else."""
        made = subscribe(self.database, self.ids, self.clock.now(), self.wanted(**plan))
        self.tick()
        (purchase,) = operations(self, "purchase")
        assert purchase.subscription_id == made.id
        return purchase

    def wanted(self, **plan: Any) -> NewSubscription:
        customer_id = self.customer()
        return NewSubscription(customer_id, self.price(**plan), self.token(customer_id), None)

    def paid(self, **plan: Any) -> Operation:
        purchase = self.bought(**plan)
        self.after(minutes=31)
        return purchase

    def order(self, purchase: Operation) -> OrderState:
        return self.gateway.orders[purchase.provider_id or ""]

    def portal(self, purchase: Operation, **changes: Any) -> None:
        """The order looks like this now, without a call of ours."""
        self.gateway.orders[purchase.provider_id or ""] = replace(self.order(purchase), **changes)

    def takes(self, purchase: Operation, amount: int, id_: str = "portal-1", reference: str | None = None) -> None:
        order = self.order(purchase)
        captured = order.captured_amount + amount
        captures = (*order.captures, Movement(id_, reference, amount))
        authorization = "captured" if captured == order.amount else "part_captured"
        self.portal(purchase, authorization=authorization, captured_amount=captured, captures=captures)

    def gives(self, purchase: Operation, amount: int, id_: str = "portal-2", reference: str | None = None) -> None:
        order = self.order(purchase)
        refunds = (*order.refunds, Movement(id_, reference, amount))
        self.portal(purchase, refunded_amount=order.refunded_amount + amount, refunds=refunds)

    def looks(self, **later: float) -> None:
        """Time passes until the next look."""
        self.after(**(later or {"days": 1}))

    def now_of(self, operation: Operation) -> Operation:
        return next(op for op in operations(self) if op.id == operation.id)

    def review_of(self, purchase: Operation) -> str | None:
        assert purchase.subscription_id is not None
        return subscription(self, purchase.subscription_id).review_reason


class OlderShop(WatchedShop):
    """An account whose orders cannot be read; `sees` says that its order status sees recurring orders."""

    sees = False

    @property
    def sending(self) -> Sending:
        account = Account(self.gateway, 8, timedelta(seconds=30), "legacy", self.sees)
        return replace(super().sending, accounts={"main": account})

    def stands_at(self, amount: int) -> None:
        """The invoice comes to this now."""
        self.gateway.invoices[operations(self, "capture")[0].provider_id or ""] = amount

    def said(self, purchase: Operation, of_order: Sighting, of_reference: Sighting) -> None:
        self.gateway.sightings = {
            purchase.provider_id or "": of_order,
            purchase.merchant_reference or "": of_reference,
        }


def booked(shop: Shop) -> dict[str, int]:
    sums: dict[str, int] = {}
    for _, account, _, amount in entries(shop):
        sums[account] = sums.get(account, 0) + amount
    assert sum(sums.values()) == 0
    return sums


def only(found: list[Any]) -> Any:
    (one,) = found
    return one


def refunded(shop: Shop, amount: int) -> None:
    new = NewRefund(invoices(shop)[0].id, "goodwill", amount=Money(amount, "SEK"))
    refund(shop.database, shop.ids, shop.clock.now(), new)
    shop.tick()
