"""What a change looks at: the subscription, the period that runs and who pays for it, the price that is wanted.

Everything is read locked, in the order subscription, invoices, operations; nothing is decided here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlmodel import Session

from billing.domain.changes import ChangeMode
from billing.domain.errors import Invalid, NotFound
from billing.domain.pricing import Offer
from billing.store import invoices as invoice_store
from billing.store import operations as operation_store
from billing.store import subscriptions as subscription_store
from billing.store.balances import PendingLine
from billing.store.invoices import Invoice, InvoiceLine
from billing.store.operations import Operation
from billing.store.periods import PeriodKind, PeriodRow, latest_period
from billing.store.plans import Plan, Price
from billing.store.subscriptions import Subscription
from billing.use_cases.change_lines import Running, running_period
from billing.use_cases.opening import Books, Seller, read_books

_BILLED = (PeriodKind.REGULAR, PeriodKind.STUB, PeriodKind.RESUMED)


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """The price and the quantities wanted, by article number; what is left out stays as it is.

    `mode` None takes the plan's mode for the direction. `override` is a person's reason to lower the price inside the
    minimum term.
    """

    price_id: UUID | None = None
    quantities: Mapping[str, int] = field(default_factory=dict)
    mode: ChangeMode | None = None
    override: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Everything about one subscription that a change looks at, locked."""

    subscription: Subscription
    running: Running | None
    invoices: Sequence[Invoice]
    lines: Mapping[UUID, Sequence[InvoiceLine]]
    operations: Sequence[Operation]
    waiting: Sequence[PendingLine]
    books: Books
    old_price: Price
    price: Price
    quantities: Mapping[str, int]

    @property
    def old_offer(self) -> Offer:
        return self.books.offer(self.subscription)

    @property
    def offer(self) -> Offer:
        """What is wanted."""
        return replace(self.books.offers[self.price.id], quantities=dict(self.quantities))

    @property
    def cycle_no(self) -> int:
        """The paid cycle that runs, counted from 0."""
        counted = self.running is not None and self.running.is_counted
        return max(self.subscription.cycles_done - 1, 0) if counted else self.subscription.cycles_done


def read_case(session: Session, seller: Seller, subscription_id: UUID, request: ChangeRequest) -> Case:
    """Lock and read what a change needs. Raises `NotFound`, and `Invalid` for a price that is not there."""
    subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
    if subscription is None:
        raise NotFound("there is no such subscription")
    old_price = session.get_one(Price, subscription.price_id)
    price = session.get(Price, request.price_id) if request.price_id else old_price
    if price is None:
        raise Invalid("there is no such price", where="price_id")
    books = read_books(session, [subscription], seller, [price.id])
    plan = session.get_one(Plan, price.plan_id)
    books = replace(books, plans={**books.plans, plan.id: plan})
    period = latest_period(session, subscription_id)
    running, invoices = _running(session, subscription, books, period)
    invoice_store.locked(session, [invoice.id for invoice in invoices])
    operations = operation_store.of_invoices(session, [i.id for i in invoices], lock=True) if invoices else ()
    return Case(
        subscription,
        running,
        invoices,
        invoice_store.lines_of(session, [invoice.id for invoice in invoices]),
        operations,
        books.waiting.get(subscription_id, []),
        books,
        old_price,
        price,
        _quantities(subscription, books.offers[price.id], request),
    )


def _running(
    session: Session, subscription: Subscription, books: Books, period: PeriodRow | None
) -> tuple[Running | None, Sequence[Invoice]]:
    if period is None or period.kind not in _BILLED:
        return None, ()
    running = running_period(session, period, books.plans[subscription.plan_id].proration)
    return running, invoice_store.of_periods(session, [row.id for row in running.paid_by])


def _quantities(subscription: Subscription, offer: Offer, request: ChangeRequest) -> dict[str, int]:
    """The quantities wanted, where they are not the price's own."""
    own = {item.article_number: item.quantity for item in offer.items}
    kept = {name: units for name, units in subscription.quantities.items() if name in own}
    wanted = {**kept, **request.quantities}
    return {name: units for name, units in wanted.items() if units != own.get(name)}
