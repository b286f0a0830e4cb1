"""Record a payment made outside: a bank transfer, cash. It lowers what is due, and ends dunning as a capture would."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from billing.domain.errors import AlreadyExists, Invalid, PaymentExceedsDue, TransitionNotAllowed
from billing.domain.invoicing import InvoiceStatus
from billing.domain.ledger import (
    Posting,
    postings_for_outside_payment,
    postings_for_recovery,
    postings_for_void,
    postings_for_write_off,
)
from billing.domain.money import Money
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import Invoice, amount_due
from billing.store.ledger import entries_of
from billing.store.payments import OutsidePayment, payment_named
from billing.use_cases.invoice_scene import check_currency, close_scene, open_scene
from billing.use_cases.lowering import check_nothing_authorized, check_nothing_under_way, follow_the_claim
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_scene import Scene

DATE_SLACK = timedelta(days=1)
"""A payment of today may bear tomorrow's date: it is already tomorrow somewhere."""

_PAYABLE = (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE)


@dataclass(frozen=True, slots=True)
class NewPayment:
    """What was paid, on which local date, and the name under which a repeat is recognized (the bank's reference)."""

    amount: Money
    paid_on: date
    reference: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """The payment and the invoice as it stands now; `is_new` is False where it had been recorded before."""

    payment: OutsidePayment
    invoice: Invoice
    is_new: bool


def record_payment(
    database: Database, ids: Ids, now: datetime, invoice_id: UUID, new: NewPayment, record: Record[Recorded] = nothing
) -> Recorded:
    """Record `new` on an invoice; the same reference with the same amount and date again has no second effect.

    Raises `NotFound`, `CurrencyMismatch`, `Invalid` for a date that is still to come, `PaymentExceedsDue` with what is
    possible, `AlreadyExists` for a reference used for another payment, `TransitionNotAllowed` for an invoice that
    takes none, `OutcomeUnknown` and `AuthorizationStands` while it may be paid through the provider too.
    """
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        known = payment_named(session, invoice_id, new.reference)
        if known is None:
            _check(scene, new)
            known, is_new = _pay(scene, new), True
        else:
            _check_same(known, new)
            is_new = False
        close_scene(scene)
        done = Recorded(known, scene.invoice, is_new)
        record(session, done)
        return done


def _check(scene: Scene, new: NewPayment) -> None:
    invoice, due = scene.invoice, amount_due(scene.invoice)
    if invoice.status not in _PAYABLE:
        raise TransitionNotAllowed(f"an invoice that is {invoice.status} takes no payment; it must be open")
    check_currency(invoice, new.amount, "payment")
    if new.paid_on > scene.now.date() + DATE_SLACK:
        raise Invalid(f"{new.paid_on} is still to come; record a payment once it is made", where="paid_on")
    if not 1 <= new.amount.amount <= due:
        raise PaymentExceedsDue(
            f"a payment of {new.amount.amount} is not possible: 1 to {due} minor units are due",
            where="amount.amount",
            requested=new.amount.amount,
            possible=due,
        )
    check_nothing_under_way(scene)
    check_nothing_authorized(scene)


def _check_same(known: OutsidePayment, new: NewPayment) -> None:
    same = (known.amount, known.currency, known.paid_on) == (new.amount.amount, new.amount.currency, new.paid_on)
    if not same:
        raise AlreadyExists(
            f"under this reference {known.amount} {known.currency} minor units of {known.paid_on} are recorded; another"
            " payment needs another reference",
            where="reference",
        )


def _pay(scene: Scene, new: NewPayment) -> OutsidePayment:
    invoice, amount = scene.invoice, new.amount.amount
    payment = OutsidePayment(
        id=scene.batch.ids.new(),
        invoice_id=invoice.id,
        amount=amount,
        currency=invoice.currency,
        paid_on=new.paid_on,
        reference=new.reference,
        note=new.note,
        created_at=scene.now,
    )
    scene.session.add(payment)
    was_uncollectible = invoice.status == InvoiceStatus.UNCOLLECTIBLE
    invoice.paid_outside += amount
    if was_uncollectible:
        _bring_back(scene, amount)
    if invoice.number is None:
        scene.to_number[invoice.id] = invoice
    scene.batch.post("payment", invoice, postings_for_outside_payment(amount))
    scene.tell("invoice.payment_recorded", invoice=invoice.id.hex, amount=amount, currency=invoice.currency)
    follow_the_claim(scene, "it was paid outside")
    return payment


def _bring_back(scene: Scene, amount: int) -> None:
    """What is paid of a written-off claim was owed after all; paid in full, its VAT is owed again too."""
    invoice, rest = scene.invoice, amount_due(scene.invoice)
    if invoice.number is None:
        # Its books open now with the whole claim, of which the unpaid rest is written off at once.
        scene.batch.post("write_off", invoice, postings_for_write_off(rest))
        return
    scene.batch.post("recovery", invoice, postings_for_recovery(amount))
    if rest == 0:
        relief = entries_of(scene.session, invoice.id, "vat_relief")
        relieved = [Posting(entry.account, entry.amount, entry.detail) for entry in relief]
        scene.batch.post("vat_relief_end", invoice, postings_for_void(relieved))
