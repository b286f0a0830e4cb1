"""Opening an invoice: its lines, what the customer's balance pays of it, and the purchase of the rest.

Shared by renewal and by changes that are charged at once. Amounts are decided in the domain; this writes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.discounts import Discount
from billing.domain.invoicing import InvoiceDraft, InvoiceStatus, LineDraft, LineKind
from billing.domain.money import Money, formatted
from billing.domain.operations import OperationKind, Trigger
from billing.domain.pricing import Offer
from billing.domain.subscriptions import SubscriptionStatus
from billing.domain.tax import TaxPosition, TaxTable, reverse_charge_applies
from billing.store import balances as balance_store
from billing.store import invoices as invoice_store
from billing.store.accounts import minimums
from billing.store.balances import BalanceEntry, PendingLine
from billing.store.batch import Batch
from billing.store.customers import Customer, customers_by_id
from billing.store.invoices import DunningState, Invoice, InvoiceKind, InvoiceLine, PaymentState, amount_due
from billing.store.plans import NumberOn, Plan, offers_of, plans_by_id
from billing.store.subscriptions import Subscription


@dataclass(frozen=True, slots=True)
class Seller:
    """Who bills: the country whose rules hold, the zone of its calendar, and the rates of every country."""

    country: str
    zone: str
    taxes: TaxTable


@dataclass(frozen=True, slots=True)
class Books:
    """What a batch of subscriptions needs to know to be billed, read once."""

    seller: Seller
    plans: Mapping[UUID, Plan]
    offers: Mapping[UUID, Offer]
    customers: Mapping[UUID, Customer]
    in_arrears: Mapping[UUID, list[Invoice]]
    discounts: Mapping[UUID, list[balance_store.Discount]]
    waiting: Mapping[UUID, list[PendingLine]]
    balances: Mapping[tuple[UUID, str], int]
    minimums: Mapping[str, int]

    def offer(self, subscription: Subscription) -> Offer:
        """The subscription's price with its own quantities."""
        return replace(self.offers[subscription.price_id], quantities=dict(subscription.quantities))

    def tax(self, subscription: Subscription, on: date) -> TaxPosition:
        """What taxes a supply to this customer on the local day `on`."""
        customer = self.customers[subscription.customer_id]
        checked = customer.vat_id_checked_at is not None
        reverse = reverse_charge_applies(self.seller.country, customer.country, vat_id_checked=checked)
        return TaxPosition(customer.country, reverse, self.seller.taxes, on)

    def discounts_of(self, subscription: Subscription) -> list[Discount]:
        """The discounts in force, as the domain reads them."""
        return [
            Discount(row.id, row.name, row.percent, row.amount, None, row.article_number)
            for row in self.discounts.get(subscription.id, [])
        ]


@dataclass(frozen=True, slots=True)
class NewInvoice:
    """An invoice about to be opened: which period it belongs to, its lines, and from when it is collected."""

    id: UUID
    kind: InvoiceKind
    period_id: UUID
    draft: InvoiceDraft
    collect_at: datetime
    trigger: Trigger = Trigger.RENEWAL
    takes_waiting: bool = False
    """Whether lines that wait for the next invoice, and discounts, are used up by this one."""


def read_books(
    session: Session, subscriptions: Sequence[Subscription], seller: Seller, prices: Sequence[UUID] = ()
) -> Books:
    """Read what billing these subscriptions needs, now and after their pending changes; `prices` are further ones."""
    ids = [row.id for row in subscriptions]
    customer_ids = list({row.customer_id for row in subscriptions})
    later = [row.pending_change for row in subscriptions if row.pending_change is not None]
    plan_ids = {row.plan_id for row in subscriptions} | {UUID(change["plan_id"]) for change in later}
    price_ids = list({row.price_id for row in subscriptions} | {UUID(c["price_id"]) for c in later} | set(prices))
    return Books(
        seller=seller,
        plans=plans_by_id(session, list(plan_ids)),
        offers=offers_of(session, price_ids),
        customers=customers_by_id(session, customer_ids),
        in_arrears={
            id_: invoice_store.in_arrears(found) for id_, found in invoice_store.open_invoices(session, ids).items()
        },
        discounts=balance_store.discounts_of(session, ids),
        waiting=balance_store.waiting_lines(session, ids),
        balances=balance_store.balances_of(session, customer_ids),
        minimums=minimums(session),
    )


def open_invoice(session: Session, batch: Batch, books: Books, subscription: Subscription, new: NewInvoice) -> Invoice:
    """Write an invoice with its lines, let the balance pay what it can, and plan the purchase of the rest.

    The row returned is not in the session: numbers are taken later, with the row locked. The caller holds the
    subscription locked.
    """
    waiting = books.waiting.get(subscription.id, []) if new.takes_waiting else []
    draft = _settled(InvoiceDraft(new.draft.currency, (*new.draft.lines, *map(_from_waiting, waiting))))
    columns = _columns(batch, books, subscription, new, draft)
    _use_balance(session, batch, books, columns, draft)
    _carry(batch, books, subscription, columns)
    if columns["total"] == columns["balance_used"] + columns["carried"]:
        columns["status"], columns["paid_at"] = InvoiceStatus.PAID.value, batch.now
        # Whoever is in arrears or has no token owes nothing here: nobody waits for it.
        columns["dunning_state"] = DunningState.NONE.value
    batch.add(Invoice, **columns)
    for position, line in enumerate(draft.lines, start=1):
        batch.add(InvoiceLine, **_line_columns(new.id, replace(line, position=position)))
    for row in waiting:
        batch.set_later(row, "invoice_id", new.id)
    if new.takes_waiting:
        _use_discounts(books, subscription, batch.now)
    invoice = Invoice(**columns)
    batch.event(subscription, "invoice.opened", invoice=invoice.id.hex, total=invoice.total, currency=invoice.currency)
    _collect(batch, subscription, invoice, new.trigger)
    return invoice


def numbered_now(invoice: Invoice) -> bool:
    """Whether an invoice takes its number when it opens: by its plan, or since nothing of it will be captured."""
    return invoice.number_on == NumberOn.OPEN or amount_due(invoice) == 0


def _from_waiting(row: PendingLine) -> LineDraft:
    return LineDraft(
        position=row.position,
        article_number=row.article_number,
        name=row.name,
        quantity=row.quantity,
        unit_amount=row.unit_amount,
        amount=row.amount,
        tax_amount=row.tax_amount,
        tax_rate=row.tax_rate,
        credit_rule=row.credit_rule,
        recognize=row.recognize,
        derivation=row.derivation,
        kind=LineKind(row.kind),
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        adjusts_line_id=row.adjusts_line_id,
        tax_treatment=row.tax_treatment,
        price_id=row.price_id,
    )


def _settled(draft: InvoiceDraft) -> InvoiceDraft:
    """An invoice is never negative: what it would give back becomes the customer's balance by a line of its own."""
    if draft.total >= 0:
        return draft
    excess = -draft.total
    line = LineDraft(
        position=len(draft.lines) + 1,
        article_number="BALANCE",
        name="Moved to your balance",
        quantity=1,
        unit_amount=excess,
        amount=excess,
        tax_amount=0,
        tax_rate=0,
        credit_rule="none",
        recognize="at_capture",
        derivation=f"{formatted(Money(excess, draft.currency))} more credited than charged, moved to the balance",
        kind=LineKind.BALANCE,
        tax_treatment="outside_scope",
    )
    return InvoiceDraft(draft.currency, (*draft.lines, line))


def _columns(
    batch: Batch, books: Books, subscription: Subscription, new: NewInvoice, draft: InvoiceDraft
) -> dict[str, Any]:
    waits_its_turn = bool(books.in_arrears.get(subscription.id)) and new.kind is InvoiceKind.RECURRING
    state = DunningState.WAITING_TURN if waits_its_turn else DunningState.NONE
    if subscription.token_id is None:
        state = DunningState.AWAITING_TOKEN
    return {
        "id": new.id,
        "kind": new.kind.value,
        "subscription_id": subscription.id,
        "period_id": new.period_id,
        "customer_id": subscription.customer_id,
        "provider_account": subscription.provider_account,
        "currency": draft.currency,
        "country": books.customers[subscription.customer_id].country,
        "status": InvoiceStatus.OPEN.value,
        "payment_state": PaymentState.NONE.value,
        "total": draft.total,
        "tax_total": draft.tax_total,
        "captured": 0,
        "credited": 0,
        "credited_open": 0,
        "credited_balance": 0,
        "balance_used": 0,
        "paid_outside": 0,
        "carried": 0,
        "disputed": 0,
        "refunded": 0,
        "authorizations_lost": 0,
        "number_on": books.plans[subscription.plan_id].number_on,
        "dunning_state": state.value,
        "dunning_step": 0,
        "opened_at": batch.now,
        "collect_at": new.collect_at,
        "paid_at": None,
    }


def _line_columns(invoice_id: UUID, line: LineDraft) -> dict[str, Any]:
    return {
        "invoice_id": invoice_id,
        "position": line.position,
        "article_number": line.article_number,
        "name": line.name,
        "quantity": line.quantity,
        "unit_amount": line.unit_amount,
        "amount": line.amount,
        "tax_amount": line.tax_amount,
        "tax_rate": line.tax_rate,
        "credit_rule": line.credit_rule,
        "recognize": line.recognize,
        "derivation": line.derivation,
        "kind": line.kind.value,
        "price_id": line.price_id,
        "discount_amount": line.discount_amount,
        "starts_on": line.starts_on,
        "ends_on": line.ends_on,
        "adjusts_line_id": line.adjusts_line_id,
        "tax_treatment": line.tax_treatment,
        "credited_amount": 0,
        "credited_tax": 0,
        "credited_quantity": 0,
        "adjusted_amount": 0,
        "adjusted_tax": 0,
        "captured_amount": 0,
        "captured_quantity": 0,
        "dispatched_quantity": 0,
        "recognized_net": 0,
    }


def _use_balance(session: Session, batch: Batch, books: Books, columns: dict[str, Any], draft: InvoiceDraft) -> None:
    """Move money between the invoice and the customer's balance, in either direction."""
    moved_in = sum(line.amount for line in draft.lines if line.kind is LineKind.BALANCE)
    has_some = books.balances.get((columns["customer_id"], draft.currency), 0) > 0
    if not moved_in and not (has_some and columns["total"] > 0):
        return
    balance = balance_store.locked_balance(session, columns["customer_id"], draft.currency)
    columns["balance_used"] = 0 if moved_in else min(balance.amount, columns["total"])
    change = moved_in - columns["balance_used"]
    balance.amount += change
    if change:
        batch.add(
            BalanceEntry,
            customer_id=columns["customer_id"],
            currency=draft.currency,
            amount=change,
            reason="a change gave back more than it cost" if moved_in else "paid an invoice",
            invoice_id=columns["id"],
            credit_note_id=None,
            created_at=batch.now,
        )


def _carry(batch: Batch, books: Books, subscription: Subscription, columns: dict[str, Any]) -> None:
    """What is too little to be charged through the account stands on the next invoice instead."""
    due = columns["total"] - columns["balance_used"]
    if not 0 < due < books.minimums.get(subscription.provider_account, 0):
        return
    columns["carried"] = due
    words = f"{formatted(Money(due, columns['currency']))} carried from an earlier invoice; its tax was stated there"
    batch.add(
        PendingLine,
        subscription_id=subscription.id,
        invoice_id=None,
        currency=columns["currency"],
        position=1,
        kind=LineKind.CARRIED.value,
        article_number="CARRIED",
        name="Carried from an earlier invoice",
        quantity=1,
        unit_amount=due,
        amount=due,
        tax_amount=0,
        tax_rate=0,
        tax_treatment="outside_scope",
        credit_rule="none",
        recognize="at_capture",
        derivation=words,
        price_id=None,
        starts_on=None,
        ends_on=None,
        adjusts_line_id=None,
        created_at=batch.now,
    )


def _use_discounts(books: Books, subscription: Subscription, now: datetime) -> None:
    for row in books.discounts.get(subscription.id, []):
        row.cycles_used += 1
        if row.cycles is not None and row.cycles_used >= row.cycles:
            row.ended_at = now


def _collect(batch: Batch, subscription: Subscription, invoice: Invoice, trigger: Trigger) -> None:
    """Plan the purchase; while an older invoice is unpaid it waits for its turn: the oldest is collected first."""
    if invoice.status != InvoiceStatus.OPEN or subscription.token_id is None:
        return
    is_paused = subscription.status == SubscriptionStatus.PAUSED
    must_wait = is_paused or invoice.dunning_state == DunningState.WAITING_TURN
    batch.plan(
        OperationKind.PURCHASE,
        invoice,
        subject=invoice.id,
        n=1,
        amount=amount_due(invoice),
        trigger=trigger,
        due_at=None if must_wait else invoice.collect_at,
        token_id=subscription.token_id,
    )
