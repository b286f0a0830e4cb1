"""Change: another price, other quantities, another interval; at once, with the next invoice, or at the period's end.

Preview and change share one planner, so that what is shown is what is done, and a quote holds it for 30 minutes. What
is given back of earlier lines stands on them as adjusted, in the same transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.changes import ChangeMode
from billing.domain.errors import Conflict, NotFound
from billing.domain.invoicing import InvoiceDraft, LineDraft
from billing.domain.operations import Trigger
from billing.domain.periods import local_date
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import subscriptions as subscription_store
from billing.store.balances import PendingLine
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import Invoice, InvoiceKind, amount_due
from billing.store.numbers import number_invoices
from billing.store.operations import Operation
from billing.store.subscriptions import Subscription
from billing.use_cases.change_case import Case, ChangeRequest, read_case
from billing.use_cases.change_later import REPLACE, PendingChange, WaitsFor, pending_change, put_terms
from billing.use_cases.change_plan import Planned, planned_change
from billing.use_cases.next_period import open_period
from billing.use_cases.opening import NewInvoice, Seller, numbered_now, open_invoice
from billing.use_cases.quoting import Quote, QuoteStale, Signer, check_same, effective, quote
from billing.use_cases.recording import Record, nothing
from billing.use_cases.renewal_pass import Pass, Renewed

_VERB = "change"


@dataclass(frozen=True, slots=True)
class Change:
    """What a change does or would do. Amounts are minor units of `currency`, tax included.

    `due_now` is what is charged at once after the balance paid its part, `balance_after` what the customer then has
    with us. A preview has a quote; a change that billed something has its invoice and the operations planned for it.
    """

    subscription_id: UUID
    currency: str
    price_id: UUID
    quantities: Mapping[str, int]
    plan: Planned
    due_now: int
    balance_after: int
    quote: Quote | None = None
    invoice_id: UUID | None = None
    operation_ids: Sequence[UUID] = ()


def preview_change(
    database: Database, seller: Seller, sign: Signer, now: datetime, subscription_id: UUID, request: ChangeRequest
) -> Change:
    """What `change` would do at `now`, with a quote for it, and nothing of it done. Raises what `change` raises."""
    with database.tx() as session:
        case = read_case(session, seller, subscription_id, request)
        planned = planned_change(session, case, request, now)
        return replace(_shown(case, planned), quote=quote(sign, _VERB, subscription_id, request, now, planned.money))


def change(
    database: Database,
    ids: Ids,
    seller: Seller,
    sign: Signer,
    now: datetime,
    subscription_id: UUID,
    request: ChangeRequest,
    quote_id: str | None = None,
    record: Record[Change] = nothing,
) -> Change:
    """Change a subscription; with a quote for the instant and the cents that were shown.

    Raises `NotFound`; what `planned_change` raises; `QuoteInvalid`, `QuoteExpired` and `QuoteStale`.
    """
    with database.tx() as session:
        at, quoted = effective(sign, quote_id, _VERB, subscription_id, request, now)
        case = read_case(session, seller, subscription_id, request)
        if quoted is not None and case.running is not None and at < case.running.period.starts_at:
            raise QuoteStale("a new period has begun since the quote; ask for a new preview", where="quote_id")
        planned = planned_change(session, case, request, at)
        if quoted is not None:
            check_same(quoted, planned.money)
        batch = Batch(ids, now)
        done = _carry_out(session, batch, case, planned, request)
        batch.write(session)
        if done.invoice_id is not None:
            _number(session, batch, done.invoice_id)
        record(session, done)
        return done


def cancel_change(
    database: Database, ids: Ids, now: datetime, subscription_id: UUID, record: Record[Subscription] = nothing
) -> Subscription:
    """Forget the pending change. Raises `NotFound`, and `Conflict` where none is pending."""
    with database.tx() as session:
        subscription = _locked(session, subscription_id)
        if subscription.pending_change is None:
            raise Conflict("no change is pending")
        batch = Batch(ids, now)
        _forget(batch, subscription)
        batch.write(session)
        record(session, subscription)
        return subscription


def answer_change(
    database: Database,
    ids: Ids,
    now: datetime,
    subscription_id: UUID,
    *,
    accepts: bool,
    record: Record[Subscription] = nothing,
) -> Subscription:
    """The customer's answer to a price change that asks for it: accepted it is no longer held up, refused it is gone.

    Raises `NotFound`, and `Conflict` where nothing asks for consent.
    """
    with database.tx() as session:
        subscription = _locked(session, subscription_id)
        pending = pending_change(subscription)
        if pending is None or pending.consent == "none":
            raise Conflict("no change asks for the customer's consent")
        batch = Batch(ids, now)
        if accepts:
            held = None if pending.waits_for is WaitsFor.CONSENT else pending.waits_for
            subscription.pending_change = replace(pending, waits_for=held, consent="none").as_json()
            batch.event(subscription, "subscription.change_accepted", to_price=pending.price_id.hex)
        else:
            _forget(batch, subscription)
        batch.write(session)
        record(session, subscription)
        return subscription


def _locked(session: Session, subscription_id: UUID) -> Subscription:
    subscription = subscription_store.locked(session, [subscription_id]).get(subscription_id)
    if subscription is None:
        raise NotFound("there is no such subscription")
    return subscription


def _forget(batch: Batch, subscription: Subscription) -> None:
    subscription.pending_change = None
    batch.event(subscription, "subscription.change_canceled")


def _shown(case: Case, planned: Planned) -> Change:
    due, balance = _payment(case, planned)
    return Change(
        case.subscription.id, case.price.currency, case.price.id, dict(case.quantities), planned, due, balance
    )


def _payment(case: Case, planned: Planned) -> tuple[int, int]:
    """What is due at once, and the balance afterwards."""
    subscription, books = case.subscription, case.books
    balance = books.balances.get((subscription.customer_id, case.price.currency), 0)
    if planned.is_later or planned.mode is ChangeMode.NEXT_INVOICE:
        return 0, balance
    owed = planned.total
    if planned.span is not None:
        owed += sum(row.amount for row in case.waiting) - planned.shortened_by
    if owed < 0:
        return 0, balance - owed
    due = owed - min(balance, owed)
    is_carried = due < books.minimums.get(subscription.provider_account, 0)
    return 0 if is_carried else due, balance - min(balance, owed)


def _carry_out(session: Session, batch: Batch, case: Case, planned: Planned, request: ChangeRequest) -> Change:
    shown = _shown(case, planned)
    if planned.is_later:
        _schedule(batch, case, planned)
        return shown
    subscription = case.subscription
    before = subscription.price_id
    subscription.status = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.CHANGE).value
    _take_back(session, batch, case, planned)
    _keep_replacement(case)
    invoice = _bill(session, batch, case, planned)
    batch.event(
        subscription,
        "subscription.changed",
        mode=planned.mode.value,
        direction=planned.direction.value,
        from_price=before.hex,
        to_price=case.price.id.hex,
        override=request.override,
    )
    if invoice is None:
        return shown
    planned_for = [row["id"] for row in batch.rows.get(Operation, []) if row["invoice_id"] == invoice.id]
    return replace(shown, due_now=amount_due(invoice), invoice_id=invoice.id, operation_ids=planned_for)


def _schedule(batch: Batch, case: Case, planned: Planned) -> None:
    subscription = case.subscription
    pending = pending_change(subscription)
    if pending is not None and pending.mode == REPLACE and case.price.id == subscription.price_id:
        raise Conflict("the price itself is about to be replaced; change the quantities now, or after that")
    kept = PendingChange(
        case.price.id,
        case.price.plan_id,
        case.quantities,
        planned.effective_at or planned.at,
        planned.mode.value,
        planned.waits_for,
    )
    subscription.pending_change = kept.as_json()
    batch.event(
        subscription,
        "subscription.change_scheduled",
        mode=planned.mode.value,
        direction=planned.direction.value,
        to_price=case.price.id.hex,
        effective_at=kept.from_at.isoformat(),
        reason=planned.waits_for.value if planned.waits_for else None,
    )


def _keep_replacement(case: Case) -> None:
    """A new change takes the place of a pending one; other quantities of a price leave its replacement pending."""
    subscription = case.subscription
    pending = pending_change(subscription)
    is_kept = pending is not None and pending.mode == REPLACE and case.price.id == subscription.price_id
    if pending is not None and is_kept:
        subscription.pending_change = replace(pending, quantities=case.quantities).as_json()
    else:
        subscription.pending_change = None


def _take_back(session: Session, batch: Batch, case: Case, planned: Planned) -> None:
    """Write on the earlier lines what the change takes of them; what they had earned is looked at again."""
    invoices = {invoice.id: invoice for invoice in case.invoices}
    for row, line in planned.credits:
        row.adjusted_amount -= line.amount
        row.adjusted_tax -= line.tax_amount
        if invoices[row.invoice_id].number is not None:
            invoices[row.invoice_id].release_at = batch.now
    for waiting, amount, tax_amount in planned.shortened:
        if not amount:
            session.delete(waiting)
            continue
        waiting.derivation += f"; shortened by a later change to {amount}"
        waiting.amount, waiting.tax_amount = amount, tax_amount
        assert case.running is not None, "only a charge of the running period is shortened"
        waiting.ends_on = local_date(planned.at, case.running.period.zone)


def _bill(session: Session, batch: Batch, case: Case, planned: Planned) -> Invoice | None:
    """Put the new terms in force and write what the change costs where its mode says; returns the invoice opened."""
    subscription, running = case.subscription, case.running
    assert running is not None, "money moves in a running period"
    if planned.span is not None:
        return _start_afresh(session, batch, case, planned)
    put_terms(subscription, case.price, case.quantities, local_date(planned.at, running.period.zone))
    if planned.mode is ChangeMode.NEXT_INVOICE:
        _wait(session, batch, subscription, case.price.currency, planned.lines, planned.at)
        return None
    if not planned.lines:
        return None
    draft = InvoiceDraft(case.price.currency, planned.lines)
    new = NewInvoice(batch.ids.new(), InvoiceKind.CHANGE, running.period.id, draft, planned.at, trigger=Trigger.CHANGE)
    return open_invoice(session, batch, case.books, subscription, new)


def _start_afresh(session: Session, batch: Batch, case: Case, planned: Planned) -> Invoice | None:
    """Close the running period and open a whole one; what is given back stands on its invoice."""
    subscription, running = case.subscription, case.running
    assert running is not None, "a running period is closed"
    assert planned.span is not None, "a new period has its span"
    assert planned.effective_at is not None, "a new period starts at an instant"
    period, starts_at = running.period, planned.effective_at
    period.original_ends_at = period.original_ends_at or period.ends_at
    # By the old zone's wall, as planned: with a move of zone pending, the new period may begin on the day before.
    on = local_date(starts_at, period.zone)
    period.ends_at, period.end_date = starts_at, on
    period.reason = "changed"
    put_terms(subscription, case.price, case.quantities, on, new_anchor=True)
    subscription.next_period_at = starts_at
    credits_of = [line for _, line in planned.credits]
    gone = {row.id for row, amount, _ in planned.shortened if not amount}
    rows = _wait(session, batch, subscription, case.price.currency, credits_of, planned.at)
    waiting = [*(row for row in case.waiting if row.id not in gone), *rows]
    books = replace(case.books, waiting={subscription.id: waiting})
    here = Pass(session, batch, books, Renewed())
    opened = open_period(here, subscription, planned.span, at_once=True)
    return opened[0] if opened else None


def _wait(
    session: Session,
    batch: Batch,
    subscription: Subscription,
    currency: str,
    lines: Sequence[LineDraft],
    at: datetime,
) -> list[PendingLine]:
    """Lines for the next invoice, which pay for time from `at` on."""
    rows = [
        PendingLine(
            id=batch.ids.new(),
            subscription_id=subscription.id,
            currency=currency,
            position=line.position,
            kind=line.kind.value,
            article_number=line.article_number,
            name=line.name,
            quantity=line.quantity,
            unit_amount=line.unit_amount,
            amount=line.amount,
            tax_amount=line.tax_amount,
            tax_rate=line.tax_rate,
            tax_treatment=line.tax_treatment,
            credit_rule=line.credit_rule,
            recognize=line.recognize,
            derivation=line.derivation,
            price_id=line.price_id,
            starts_on=line.starts_on,
            ends_on=line.ends_on,
            adjusts_line_id=line.adjusts_line_id,
            created_at=at,
        )
        for line in lines
    ]
    session.add_all(rows)
    return rows


def _number(session: Session, batch: Batch, invoice_id: UUID) -> None:
    """Last, since everybody waits for the counter."""
    invoice = invoice_store.locked(session, [invoice_id])[invoice_id]
    if numbered_now(invoice):
        number_invoices(session, batch, [invoice])
        batch.write(session)
