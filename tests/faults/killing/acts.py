"""What customers and operators ask for, so that every kind of operation has work: one act at a time, drawn."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import httpx
from faults.killing.mark import Mark
from faults.killing.world import World, rows

from billing.bootstrap import Wiring
from billing.domain.errors import BillingError
from billing.domain.money import Money
from billing.ports import Address, Ids, Shipment
from billing.store.engine import Database
from billing.store.invoices import lines_of
from billing.use_cases.authorization_instructions import (
    AfterVoid,
    extend_authorization,
    release_authorization,
    void_authorization,
)
from billing.use_cases.capture import capture
from billing.use_cases.credit_invoice import CreditBy, NewCredit, credit_invoice
from billing.use_cases.erase import erase
from billing.use_cases.instructing import Instruction
from billing.use_cases.invoice_instructions import email_invoice, move_due_date, post_invoice
from billing.use_cases.order_instructions import readdress_order, renumber_order
from billing.use_cases.refund import NewRefund, refund
from billing.use_cases.ship import ship

WHY = Instruction("operator", "asked for")
NEWCOMERS_MAX = 400
DUE_DAYS = 14
"""One of the spans that the current generation offers."""

_AUTHORIZED = (
    "SELECT i.id, i.customer_id FROM invoices i JOIN operations p ON p.invoice_id = i.id AND p.kind = 'purchase'"
    " WHERE p.standing = 'live' AND p.\"authorization\" = :authorization ORDER BY p.id DESC LIMIT 12"
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks; everything is drawn from `draw`."""

    world: World
    wiring: Wiring
    client: httpx.Client
    draw: random.Random
    mark: Mark

    def act(self, kind: str | None = None) -> None:
        """Ask for something that makes an operation of `kind`, of any kind unless said. A refusal is an answer, too."""
        wanted = kind if kind in _ACTS else self.draw.choice(list(_ACTS))
        self.mark.enter("plan", wanted)
        try:
            _ACTS[wanted](self)
        except BillingError:
            return

    def invoice(self, authorization: str) -> UUID | None:
        """One of the youngest invoices whose authorization is in this state."""
        with self.wiring.database.tx() as session:
            found = rows(session, _AUTHORIZED, authorization=authorization)
        return UUID(str(self.draw.choice(found)[0])) if found else None


def _newcomer(actor: Actor) -> None:
    with actor.wiring.database.tx() as session:
        there = rows(session, "SELECT COUNT(*) FROM subscriptions")[0][0]
    if there < NEWCOMERS_MAX:
        actor.world.newcomer(actor.wiring, actor.client, actor.draw.choice(actor.world.prices))


def _capture(actor: Actor) -> None:
    invoice_id = actor.invoice(actor.draw.choice(("authorized", "part_captured")))
    if invoice_id is None:
        return
    units = None
    if actor.draw.random() < 0.7:
        with actor.wiring.database.tx() as session:
            line = actor.draw.choice(lines_of(session, [invoice_id])[invoice_id])
            units = {line.id: 1}
    capture(*_here(actor), invoice_id, units)


def _void(actor: Actor) -> None:
    if (invoice_id := actor.invoice("authorized")) is not None:
        void_authorization(*_here(actor), invoice_id, AfterVoid.CHARGE_AGAIN, WHY)


def _release(actor: Actor) -> None:
    """What is left to claim is credited, which gives the rest of the authorization back; or a person gives it back."""
    if (invoice_id := actor.invoice("part_captured")) is None:
        return
    if actor.draw.random() < 0.3:
        release_authorization(*_here(actor), invoice_id, WHY)
        return
    with actor.wiring.database.tx() as session:
        (row,) = rows(
            session,
            "SELECT total - credited_open - captured - balance_used - paid_outside - carried FROM invoices"
            " WHERE id = :id",
            id=invoice_id.hex if actor.wiring.database.is_sqlite else invoice_id,
        )
    amount = Money(int(row[0]), actor.world.currency)
    credit_invoice(*_here(actor), NewCredit(invoice_id, "not wanted", CreditBy.AMOUNT, amount=amount))


def _refund(actor: Actor) -> None:
    if (invoice_id := actor.invoice("captured")) is not None:
        amount = Money(actor.draw.randint(1, 300), actor.world.currency)
        refund(*_here(actor), NewRefund(invoice_id, "goodwill", amount=amount))


def _amend(actor: Actor) -> None:
    if (invoice_id := actor.invoice("authorized")) is None:
        return
    if actor.draw.random() < 0.5:
        renumber_order(*_here(actor), invoice_id, f"order-{actor.draw.randint(1, 9999)}", WHY)
    else:
        address = Address("A", "Customer", "Example street 1", "", "12345", "Stockholm", "", "SE")
        readdress_order(*_here(actor), invoice_id, address, WHY)


def _ship(actor: Actor) -> None:
    if (invoice_id := actor.invoice("captured")) is not None:
        ship(*_here(actor), invoice_id, [Shipment("Post", f"T{actor.draw.randint(1, 9999)}")])


def _extend(actor: Actor) -> None:
    if (invoice_id := actor.invoice("authorized")) is not None:
        extend_authorization(*_here(actor), invoice_id, WHY)


def _email(actor: Actor) -> None:
    if (invoice_id := actor.invoice("captured")) is not None:
        email_invoice(*_here(actor), invoice_id, WHY)


def _post(actor: Actor) -> None:
    if (invoice_id := actor.invoice("captured")) is not None:
        post_invoice(*_here(actor), invoice_id, WHY, again=True)


def _due_date(actor: Actor) -> None:
    if (invoice_id := actor.invoice("captured")) is not None:
        move_due_date(*_here(actor), invoice_id, DUE_DAYS, WHY)


def _revoke(actor: Actor) -> None:
    with actor.wiring.database.tx() as session:
        found = rows(session, "SELECT customer_id FROM subscriptions ORDER BY id DESC LIMIT 20")
    if found:
        erase(*_here(actor), UUID(str(actor.draw.choice(found)[0])))


def _here(actor: Actor) -> tuple[Database, Ids, datetime]:
    """The first three of every verb."""
    return actor.wiring.database, actor.wiring.ids, actor.wiring.clock.now()


_ACTS: dict[str, Callable[[Actor], None]] = {
    "purchase": _newcomer,
    "capture": _capture,
    "void": _void,
    "release": _release,
    "refund": _refund,
    "amend": _amend,
    "ship": _ship,
    "extend": _extend,
    "email_invoice": _email,
    "post_invoice": _post,
    "extend_due_date": _due_date,
    "revoke": _revoke,
}
