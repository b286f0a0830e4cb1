"""What customers and operators ask for: one function a verb, each a real use case with drawn arguments.

A refusal (`BillingError`) goes to the caller, who asks again on another day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from simulation.world import World
from sqlmodel import col, select

from billing.domain.changes import ChangeMode
from billing.domain.credits import GiveAs
from billing.domain.errors import Conflict
from billing.domain.money import Money
from billing.domain.pauses import PauseMode
from billing.store.invoices import Invoice, InvoiceLine, lines_of
from billing.store.payments import Dispute, DisputeStatus
from billing.store.subscriptions import Subscription
from billing.use_cases.adjust_balance import adjust_balance
from billing.use_cases.cancel import CancelAt, CancelRequest, cancel
from billing.use_cases.capture import capture
from billing.use_cases.change import change
from billing.use_cases.change_case import ChangeRequest
from billing.use_cases.change_zone import change_zone
from billing.use_cases.credit_invoice import CreditBy, NewCredit, credit_invoice
from billing.use_cases.discount import NewDiscount, grant_discount
from billing.use_cases.dispute import NewDispute, close_dispute, open_dispute
from billing.use_cases.ending import CreditPolicy
from billing.use_cases.issue_invoice import issue_invoice
from billing.use_cases.pause import PauseRequest, pause
from billing.use_cases.pause_dunning import pause_dunning, resume_dunning
from billing.use_cases.record_payment import NewPayment, record_payment
from billing.use_cases.refund import NewRefund, refund
from billing.use_cases.replace_token import replace_token
from billing.use_cases.resume import ResumeRequest, resume
from billing.use_cases.revoke import revoke
from billing.use_cases.void_invoice import void_invoice
from billing.use_cases.write_off import write_off

SHARES = (100, 50, 33, 1, 99)
"""Percent of what could be asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, of which world."""

    world: World
    subscription_id: UUID

    @property
    def subscription(self) -> Subscription:
        """As it stands now."""
        with self.world.plain.tx() as session:
            return session.get_one(Subscription, self.subscription_id)

    def invoice(self, *, captured: bool = False) -> Invoice:
        """One of the newest invoices, drawn; raises `Conflict` where there is none."""
        query = select(Invoice).where(Invoice.subscription_id == self.subscription_id)
        query = query.where(Invoice.captured > Invoice.refunded) if captured else query
        with self.world.plain.tx() as session:
            found = session.exec(query.order_by(col(Invoice.id).desc()).limit(3)).all()
        if not found:
            raise Conflict("there is no such invoice yet")
        return self.world.stage.draw.choice(found)

    def lines(self, invoice: Invoice) -> Sequence[InvoiceLine]:
        with self.world.plain.tx() as session:
            return lines_of(session, [invoice.id])[invoice.id]

    def share(self, invoice: Invoice) -> Money:
        percent = self.world.stage.draw.choice(SHARES)
        return Money(max(1, invoice.total * percent // 100), invoice.currency)


Verb = Callable[[Asked], object]


def ask_for_change(asked: Asked) -> object:
    """Other quantities, or another plan."""
    world, draw = asked.world, asked.world.stage.draw
    mode = draw.choice([None, None, *ChangeMode])
    if draw.random() < 0.75:
        request = ChangeRequest(None, {draw.choice(["BOX", "BASE"]): draw.randint(1, 4)}, mode)
    else:
        request = ChangeRequest(world.offered(draw.choice(world.swarm.kinds)), {}, mode)
    shop = world.shop
    return change(world.database, world.ids, shop.seller, shop.sign, world.now, asked.subscription_id, request)


def ask_for_pause(asked: Asked) -> object:
    world, draw = asked.world, asked.world.stage.draw
    mode, begins, ends = draw.choice(list(PauseMode)), draw.choice([None, None, 3]), draw.choice([None, 12])
    at = None if begins is None else world.now + timedelta(days=begins)
    until = None if ends is None else world.now + timedelta(days=ends)
    request = PauseRequest(mode, at, until, mode is PauseMode.SKIP and draw.random() < 0.5)
    return pause(world.database, world.ids, world.shop.sign, world.now, asked.subscription_id, request)


def ask_to_resume(asked: Asked) -> object:
    world, shop = asked.world, asked.world.shop
    if asked.subscription.status != "paused":
        return None
    request = ResumeRequest(None, world.stage.draw.random() < 0.5)
    return resume(world.database, world.ids, shop.seller, shop.sign, world.now, asked.subscription_id, request)


def ask_for_refund(asked: Asked) -> object:
    world, draw = asked.world, asked.world.stage.draw
    invoice = asked.invoice(captured=True)
    lines = asked.lines(invoice)
    new = draw.choice(
        [
            NewRefund(invoice.id, "asked"),
            NewRefund(invoice.id, "asked", amount=asked.share(invoice)),
            NewRefund(invoice.id, "asked", units={draw.choice(lines).id: 1}),
        ]
    )
    return refund(world.database, world.ids, world.now, new)


def be_short_of_money(asked: Asked) -> object:
    """The next charge is declined, softly."""
    asked.world.provider.mood(_token_text(asked)).declines += 1
    return True


def lose_the_card(asked: Asked) -> object:
    asked.world.provider.mood(_token_text(asked)).gone = True
    return True


def fall_asleep(asked: Asked) -> object:
    world = asked.world
    days = timedelta(days=world.stage.draw.randint(1, 12))
    world.provider.mood(_token_text(asked)).asleep_until = world.now + days
    return True


def bring_a_new_token(asked: Asked) -> object:
    world = asked.world
    token_id = world.new_token(asked.subscription.customer_id)
    return replace_token(world.database, world.ids, world.now, asked.subscription_id, token_id)


def leave(asked: Asked) -> object:
    world, draw = asked.world, asked.world.stage.draw
    at = draw.choice(list(CancelAt))
    ends_at = world.now + timedelta(days=5) if at is CancelAt.DATE else None
    request = CancelRequest(at, draw.choice([None, *CreditPolicy]), ends_at=ends_at)
    return cancel(world.database, world.ids, world.now, asked.subscription_id, request)


def ask_for_credit(asked: Asked) -> object:
    world, draw, invoice = asked.world, asked.world.stage.draw, asked.invoice()
    by, lines = draw.choice(list(CreditBy)), asked.lines(invoice)
    more: dict[CreditBy, dict[str, object]] = {
        CreditBy.TIME: {"as_of": world.now.date()},
        CreditBy.QUANTITY: {"units": {draw.choice(lines).id: 1}},
        CreditBy.AMOUNT: {"amount": asked.share(invoice)},
    }
    new = NewCredit(invoice.id, "asked", by, draw.choice(list(GiveAs)), **more.get(by, {}))  # type: ignore[arg-type]  # as drawn
    return credit_invoice(world.database, world.ids, world.now, new)


def pay_at_the_bank(asked: Asked) -> object:
    world, invoice = asked.world, asked.invoice()
    new = NewPayment(asked.share(invoice), world.now.date(), f"bank-{world.stage.draw.randint(1, 10**9)}")
    return record_payment(world.database, world.ids, world.now, invoice.id, new)


def dispute(asked: Asked) -> object:
    world, invoice = asked.world, asked.invoice(captured=True)
    return open_dispute(world.database, world.ids, world.now, invoice.id, NewDispute(asked.share(invoice)))


def decide_disputes(asked: Asked) -> object:
    world = asked.world
    with world.plain.tx() as session:
        found = session.exec(
            select(Dispute)
            .join(Invoice, col(Invoice.id) == col(Dispute.invoice_id))
            .where(Invoice.subscription_id == asked.subscription_id, Dispute.status == "open")
        ).first()
    if found is None:
        return None
    outcome = world.stage.draw.choice([DisputeStatus.WON, DisputeStatus.LOST])
    return close_dispute(world.database, world.ids, world.now, found.invoice_id, found.id, outcome)


def ask_for_time(asked: Asked) -> object:
    world = asked.world
    return pause_dunning(world.database, world.ids, world.now, asked.subscription.customer_id, "asked for time")


def time_is_over(asked: Asked) -> object:
    world = asked.world
    return resume_dunning(world.database, world.ids, world.now, asked.subscription.customer_id)


def get_a_gift(asked: Asked) -> object:
    world = asked.world
    change_ = Money(world.stage.draw.choice((500, 5000)), "SEK")
    return adjust_balance(world.database, world.ids, world.now, asked.subscription.customer_id, change_, "goodwill")


def get_a_discount(asked: Asked) -> object:
    world, draw = asked.world, asked.world.stage.draw
    new = NewDiscount("welcome", draw.choice((1000, 3333, 10000)), cycles=draw.choice((1, 2)))
    return grant_discount(world.database, world.ids, world.now, asked.subscription_id, new)


def move_away(asked: Asked) -> object:
    world, shop = asked.world, asked.world.shop
    zone = world.stage.draw.choice(("Europe/Stockholm", "America/New_York", "Pacific/Apia"))
    return change_zone(world.database, world.ids, shop.sign, world.now, asked.subscription_id, zone)


def have_it_voided(asked: Asked) -> object:
    world = asked.world
    return void_invoice(world.database, world.ids, world.now, asked.invoice().id, "a mistake")


def be_written_off(asked: Asked) -> object:
    world = asked.world
    return write_off(world.database, world.ids, world.now, asked.invoice().id, "lost")


def capture_now(asked: Asked) -> object:
    world, draw, invoice = asked.world, asked.world.stage.draw, asked.invoice()
    units = None if draw.random() < 0.5 else {draw.choice(asked.lines(invoice)).id: 1}
    return capture(world.database, world.ids, world.now, invoice.id, units)


def send_document(asked: Asked) -> object:
    world = asked.world
    return issue_invoice(world.database, world.ids, world.now, asked.invoice().id)


def revoke_token(asked: Asked) -> object:
    world, token_id = asked.world, asked.subscription.token_id
    return None if token_id is None else revoke(world.database, world.ids, world.now, token_id)


def _token_text(asked: Asked) -> str:
    token_id = asked.subscription.token_id
    if token_id is None:
        raise Conflict("there is no token yet")
    return asked.world.token_texts[token_id]


WISHES: dict[str, tuple[Verb, int]] = {
    "change": (ask_for_change, 3),
    "pause": (ask_for_pause, 1),
    "refund": (ask_for_refund, 1),
    "decline": (be_short_of_money, 1),
}
"""What happens to every subscription in every year, and how often."""

EVENTS: dict[str, tuple[Verb, float]] = {
    "lost card": (lose_the_card, 0.15),
    "asleep": (fall_asleep, 0.15),
    "new token": (bring_a_new_token, 0.2),
    "leave": (leave, 0.15),
    "credit": (ask_for_credit, 0.4),
    "bank": (pay_at_the_bank, 0.1),
    "dispute": (dispute, 0.08),
    "time": (ask_for_time, 0.1),
    "gift": (get_a_gift, 0.1),
    "discount": (get_a_discount, 0.15),
    "moved": (move_away, 0.08),
    "voided": (have_it_voided, 0.05),
    "written off": (be_written_off, 0.05),
    "capture": (capture_now, 0.3),
    "document": (send_document, 0.1),
    "revoked": (revoke_token, 0.04),
}
"""What may happen besides, times a year to each."""

LATER: dict[str, tuple[str, Verb, tuple[int, int]]] = {
    "pause": ("resume", ask_to_resume, (6, 25)),
    "dispute": ("decided", decide_disputes, (5, 40)),
    "time": ("time is over", time_is_over, (4, 15)),
    "lost card": ("new token", bring_a_new_token, (5, 30)),
    "revoked": ("new token", bring_a_new_token, (5, 30)),
}
"""What follows by itself, so many days after."""
