"""What a new subscription would be billed first, and when: it is really started and renewed, and all of it undone.

Nothing that is tried here leaves its transaction, no number is taken, and nobody is called.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import InvoiceLine, amount_due
from billing.store.periods import PeriodRow
from billing.store.plans import Price
from billing.store.subscriptions import Subscription
from billing.use_cases.next_period import next_span, period_draft
from billing.use_cases.opening import Seller, read_books
from billing.use_cases.quoting import Quote, Signer, accepted, check_same, quote
from billing.use_cases.renewal_pass import Pass, Renewed
from billing.use_cases.renewal_steps import step
from billing.use_cases.subscribe import NewSubscription, subscribe

_VERB = "subscribe"
_STEPS_MAX = 4
"""A trial, a stub and a whole period, and one to spare."""


@dataclass(frozen=True, slots=True)
class FirstLine:
    """A line of the first invoice, in minor units, tax included."""

    article_number: str
    name: str
    quantity: int
    amount: int
    tax_amount: int
    tax_rate: int
    derivation: str


@dataclass(frozen=True, slots=True)
class FirstPeriod:
    """A period that opens; local dates, the end not included."""

    kind: str
    start_date: date
    end_date: date


@dataclass(frozen=True, slots=True)
class FirstCharge:
    """The periods until the first invoice, that invoice with the instant from which it is collected, and what follows.

    Amounts are minor units of `currency`; `due` is what is left for the token after the customer's balance.
    """

    currency: str
    periods: Sequence[FirstPeriod]
    lines: Sequence[FirstLine]
    total: int
    tax_total: int
    due: int
    collect_at: datetime | None
    next_on: date | None
    next_total: int | None
    quote: Quote | None = None

    @property
    def money(self) -> dict[str, Any]:
        """What a quote of it freezes."""
        lines = [(line.article_number, line.amount, line.tax_amount) for line in self.lines]
        following = (self.next_on, self.next_total)
        return {"total": self.total, "tax": self.tax_total, "lines": lines, "next": following}


class _Undo(Exception):
    """Ends a transaction so that nothing of it stays."""


class _Rehearsal(Database):
    """A database whose transactions are all parts of one that is about to be undone."""

    def __init__(self, database: Database, session: Session) -> None:
        super().__init__(database.engine)
        self._session = session

    @contextmanager
    def tx(self) -> Iterator[Session]:
        yield self._session
        self._session.flush()


def preview_subscription(
    database: Database, ids: Ids, seller: Seller, sign: Signer, now: datetime, new: NewSubscription
) -> FirstCharge:
    """What `subscribe` at `now` leads to, with a quote for it. Raises what `subscribe` raises."""
    found = _rehearsed(database, ids, seller, now, new)
    return replace(found, quote=quote(sign, _VERB, new.customer_id, new, now, found.money))


def hold_to_quote(
    database: Database, ids: Ids, seller: Seller, sign: Signer, now: datetime, new: NewSubscription, quote_id: str
) -> datetime:
    """The instant for which `subscribe` is to be called so that it costs what was quoted.

    Raises `QuoteInvalid`, `QuoteExpired`, `QuoteStale`, and what `subscribe` raises.
    """
    quoted = accepted(sign, quote_id, _VERB, new.customer_id, new, now)
    check_same(quoted, _rehearsed(database, ids, seller, quoted.effective_at, new).money)
    return quoted.effective_at


def _rehearsed(database: Database, ids: Ids, seller: Seller, now: datetime, new: NewSubscription) -> FirstCharge:
    found: list[FirstCharge] = []
    with suppress(_Undo), database.tx() as session:
        subscription = subscribe(_Rehearsal(database, session), ids, now, new)
        found.append(_first_charge(session, ids, seller, now, subscription))
        _undo()
    return found[0]


def _undo() -> None:
    raise _Undo


def _first_charge(session: Session, ids: Ids, seller: Seller, now: datetime, subscription: Subscription) -> FirstCharge:
    currency = session.get_one(Price, subscription.price_id).currency
    charge = FirstCharge(currency, (), (), 0, 0, 0, None, None, None)
    for _ in range(_STEPS_MAX):
        if subscription.next_period_at is None or charge.collect_at is not None:
            break
        at = max(now, subscription.next_period_at)
        here = Pass(session, Batch(ids, at), read_books(session, [subscription], seller), Renewed())
        opened = step(here, subscription)
        charge = replace(charge, periods=(*charge.periods, *_periods(here)))
        if opened:
            due, lines = amount_due(opened[0]), _lines(here, opened[0].id)
            total, tax, when = opened[0].total, opened[0].tax_total, opened[0].collect_at
            charge = replace(charge, lines=lines, total=total, tax_total=tax, due=due, collect_at=when)
        here.batch.write(session)
        now = at
        if subscription.cycles_done:
            break
    return _with_next(session, seller, subscription, charge)


def _with_next(session: Session, seller: Seller, subscription: Subscription, charge: FirstCharge) -> FirstCharge:
    over = subscription.term_cycles is not None and subscription.cycles_done >= subscription.term_cycles
    if subscription.next_period_at is None or over:
        return charge
    span = next_span(subscription)
    draft = period_draft(read_books(session, [subscription], seller), subscription, span)
    return replace(charge, next_on=span.period.start_date, next_total=draft.total)


def _periods(here: Pass) -> list[FirstPeriod]:
    rows = here.batch.rows.get(PeriodRow, [])
    return [FirstPeriod(row["kind"], row["start_date"], row["end_date"]) for row in rows]


def _lines(here: Pass, invoice_id: UUID) -> list[FirstLine]:
    names = ("article_number", "name", "quantity", "amount", "tax_amount", "tax_rate", "derivation")
    rows = here.batch.rows.get(InvoiceLine, [])
    return [FirstLine(*(row[name] for name in names)) for row in rows if row["invoice_id"] == invoice_id]
