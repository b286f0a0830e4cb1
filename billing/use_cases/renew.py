"""Renewal: due subscriptions get their next period, its invoice and a planned purchase, a batch at a time.

Decides nothing about amounts or dates itself (the domain does) and calls nobody: what it writes is picked up by
`operate`. One pass over everything due is a run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from importlib.metadata import version
from typing import Any
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import BillingError
from billing.domain.ids import derived_id
from billing.domain.invoicing import InvoiceDraft, InvoiceStatus, invoice_for_period
from billing.domain.operations import OperationKind, Trigger
from billing.domain.periods import BillingCycle, Interval, Period, collect_at, nth_period
from billing.domain.pricing import PriceItem
from billing.domain.subscriptions import SubscriptionEvent, SubscriptionStatus, next_status
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.customers import countries_of
from billing.store.engine import Database
from billing.store.invoices import DunningState, Invoice, InvoiceKind, InvoiceLine, PaymentState
from billing.store.numbers import number_invoices
from billing.store.periods import PeriodKind, PeriodRow
from billing.store.plans import NumberOn, Plan, currencies_of, items_of, plans_by_id
from billing.store.runs import Run
from billing.store.subscriptions import Subscription
from billing.use_cases.halving import in_halves

UNPAID_MAX = 2
"""With this many unpaid invoices, further periods are withheld instead of billed (billing rules, section 8)."""

_TZDATA = version("tzdata")


@dataclass(slots=True)
class Renewed:
    """Counts of one run."""

    seen: int = 0
    periods: int = 0
    invoices: int = 0
    ended: int = 0
    reviewed: int = 0


@dataclass(frozen=True, slots=True)
class _Books:
    """What a batch of subscriptions needs to know, read once."""

    plans: Mapping[UUID, Plan]
    items: Mapping[UUID, tuple[PriceItem, ...]]
    currencies: Mapping[UUID, str]
    countries: Mapping[UUID, str]
    unpaid: Mapping[UUID, list[Invoice]]


def renew(database: Database, ids: Ids, now: datetime, passed: Callable[[str], None]) -> Renewed:
    """Open every period that starts at or before `now`; returns what was done. A pass that found nothing leaves none.

    `passed` is told of each step, so that a test can die there.
    """
    run = Renewed()
    run_id = ids.new()

    def open_all(chosen: Sequence[UUID]) -> None:
        _one_batch(database, ids, now, run, run_id, chosen)
        passed("renew.committed")

    def park(subscription_id: UUID, reason: str) -> None:
        with database.tx() as session:
            found = subscription_store.locked(session, [subscription_id])
            batch = Batch(ids, now)
            _send_to_review(batch, found[subscription_id], f"renewal failed: {reason}", run)
            batch.write(session)

    before = -1
    while run.seen + run.reviewed > before:
        # A pass that moved nothing met only rows that another worker holds.
        before = run.seen + run.reviewed
        with database.tx() as session:
            chosen = subscription_store.due_ids(session, now, database.batch_size)
        in_halves(chosen, open_all, park)
    return run


def _one_batch(database: Database, ids: Ids, now: datetime, run: Renewed, run_id: UUID, chosen: Sequence[UUID]) -> None:
    """Renew those of `chosen` that are still due, in one transaction; `run` counts them once it is committed."""
    counts = replace(run)
    with database.tx() as session:
        due = subscription_store.claim_due(session, now, chosen)
        if not due:
            return
        batch = Batch(ids, now)
        books = _read_books(session, due)
        opened = [invoice for subscription in due for invoice in _renew_one(batch, books, subscription, counts)]
        counts.seen += len(due)
        _record_run(session, run_id, counts, now)
        batch.write(session)
        at_once = [invoice.id for invoice in opened if _numbered_now(invoice)]
        number_invoices(session, batch, list(invoice_store.locked(session, at_once).values()))
        batch.write(session)
    for field in fields(Renewed):
        setattr(run, field.name, getattr(counts, field.name))


def _record_run(session: Session, run_id: UUID, counts: Renewed, now: datetime) -> None:
    row = session.get(Run, run_id) or Run(id=run_id, started_at=now)
    row.finished_at = now
    row.subscriptions_seen, row.periods_opened, row.invoices_opened = counts.seen, counts.periods, counts.invoices
    row.subscriptions_ended, row.sent_to_review = counts.ended, counts.reviewed
    session.add(row)


def _read_books(session: Session, due: Sequence[Subscription]) -> _Books:
    price_ids = list({row.price_id for row in due})
    customer_ids = list({row.customer_id for row in due})
    return _Books(
        plans=plans_by_id(session, list({row.plan_id for row in due})),
        items=items_of(session, price_ids),
        currencies=currencies_of(session, price_ids),
        countries=countries_of(session, customer_ids),
        unpaid={
            subscription_id: invoice_store.in_arrears(found)
            for subscription_id, found in invoice_store.open_invoices(session, [row.id for row in due]).items()
        },
    )


def _renew_one(batch: Batch, books: _Books, subscription: Subscription, run: Renewed) -> list[Invoice]:
    """One subscription's step, its domain errors turned into a review so that they stop nobody else."""
    try:
        return _step(batch, books, subscription, run)
    except BillingError as wrong:
        _send_to_review(batch, subscription, wrong.message, run)
        return []


def _step(batch: Batch, books: _Books, subscription: Subscription, run: Renewed) -> list[Invoice]:
    due_at = subscription.next_period_at
    assert due_at is not None, "a subscription that is not due was claimed"
    if subscription.cancel_at is not None and subscription.cancel_at <= due_at:
        _end(batch, subscription, run)
        return []
    if subscription.status == SubscriptionStatus.PENDING and subscription.trial_days:
        _open_trial(batch, subscription, run)
        return []
    period = nth_period(_cycle(subscription), subscription.next_cycle_index, subscription.zone)
    if period.ends_at <= batch.now and not period.is_empty:
        # Nothing is forgiven, and nothing is billed in a heap, by a machine (billing rules, section 2, catch-up).
        _send_to_review(batch, subscription, "catch_up", run)
        return []
    return _open_period(batch, books, subscription, period, run)


def _cycle(subscription: Subscription) -> BillingCycle:
    return BillingCycle(
        Interval(subscription.interval),
        subscription.interval_count,
        subscription.anchor_date,
        subscription.anchor_day,
        subscription.month_end,
    )


def _send_to_review(batch: Batch, subscription: Subscription, reason: str, run: Renewed) -> None:
    subscription.review_reason = reason[:200]
    run.reviewed += 1
    batch.event(subscription, "subscription.needs_review", reason=reason[:200])


def _end(batch: Batch, subscription: Subscription, run: Renewed) -> None:
    subscription.status = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.END_REACHED).value
    subscription.ended_at, subscription.end_reason, subscription.next_period_at = (
        subscription.cancel_at,
        "canceled",
        None,
    )
    run.ended += 1
    batch.event(subscription, "subscription.ended", reason="canceled")


def _open_trial(batch: Batch, subscription: Subscription, run: Renewed) -> None:
    """The trial is a period of its own; the paid calendar is anchored where it ends (policy `conversion`)."""
    days = BillingCycle(Interval.DAY, subscription.trial_days, subscription.anchor_date, 1)
    trial = nth_period(days, 0, subscription.zone)
    _write_period(batch, subscription, trial, PeriodKind.TRIAL, None)
    subscription.status = next_status(SubscriptionStatus(subscription.status), SubscriptionEvent.START_TRIAL).value
    subscription.anchor_no += 1
    subscription.anchor_date, subscription.anchor_day = trial.end_date, trial.end_date.day
    subscription.next_cycle_index, subscription.next_period_at = 0, trial.ends_at
    run.periods += 1
    batch.event(subscription, "subscription.trial_started", ends_at=trial.ends_at.isoformat())


def _open_period(
    batch: Batch, books: _Books, subscription: Subscription, period: Period, run: Renewed
) -> list[Invoice]:
    unpaid = books.unpaid.get(subscription.id, [])
    withheld = len(unpaid) >= UNPAID_MAX
    kind = PeriodKind.WITHHELD if withheld else PeriodKind.SKIPPED if period.is_empty else PeriodKind.REGULAR
    is_first = subscription.next_seq == 1
    # What can be wrong with a row shows here, before anything of it is written.
    draft = invoice_for_period(books.items[subscription.price_id], books.currencies[subscription.price_id], period)
    period_id = _write_period(batch, subscription, period, kind, subscription.next_cycle_index)
    if subscription.status == SubscriptionStatus.PENDING:
        subscription.status = next_status(SubscriptionStatus.PENDING, SubscriptionEvent.START).value
        batch.event(subscription, "subscription.started")
    subscription.next_cycle_index += 1
    subscription.next_period_at = period.ends_at
    run.periods += 1
    if kind is not PeriodKind.REGULAR:
        batch.event(subscription, f"period.{kind.value}", start_date=period.start_date.isoformat())
        return []
    run.invoices += 1
    collected_at = batch.now if is_first else collect_at(period.start_date, subscription.zone, subscription.id)
    invoice = _open_invoice(batch, books, subscription, draft, (period_id, period.starts_at, collected_at))
    _collect(batch, subscription, invoice)
    return [invoice]


def _write_period(
    batch: Batch, subscription: Subscription, period: Period, kind: PeriodKind, cycle_index: int | None
) -> UUID:
    seq = subscription.next_seq
    subscription.next_seq += 1
    return batch.add(
        PeriodRow,
        subscription_id=subscription.id,
        seq=seq,
        anchor_no=subscription.anchor_no,
        cycle_index=cycle_index,
        kind=kind.value,
        start_date=period.start_date,
        end_date=period.end_date,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        full_days=period.days,
        price_id=subscription.price_id,
        zone=subscription.zone,
        tzdata_version=_TZDATA,
        reason="two invoices are unpaid" if kind is PeriodKind.WITHHELD else None,
        created_at=batch.now,
    )


def _open_invoice(
    batch: Batch, books: _Books, subscription: Subscription, draft: InvoiceDraft, when: tuple[UUID, datetime, datetime]
) -> Invoice:
    period_id, starts_at, collected_at = when
    is_free = draft.total == 0
    columns: dict[str, Any] = {
        "id": derived_id(starts_at, subscription.id.bytes, str(subscription.next_seq - 1).encode()),
        "kind": InvoiceKind.RECURRING.value,
        "subscription_id": subscription.id,
        "period_id": period_id,
        "customer_id": subscription.customer_id,
        "provider_account": subscription.provider_account,
        "currency": draft.currency,
        "country": books.countries[subscription.customer_id],
        "status": (InvoiceStatus.PAID if is_free else InvoiceStatus.OPEN).value,
        "payment_state": PaymentState.NONE.value,
        "total": draft.total,
        "tax_total": draft.tax_total,
        "captured": 0,
        "credited": 0,
        "credited_open": 0,
        "refunded": 0,
        "number_on": books.plans[subscription.plan_id].number_on,
        "dunning_state": (DunningState.WAITING_TURN if books.unpaid.get(subscription.id) else DunningState.NONE).value,
        "dunning_step": 0,
        "opened_at": batch.now,
        "collect_at": collected_at,
        "paid_at": batch.now if is_free else None,
    }
    batch.add(Invoice, **columns)
    _write_lines(batch, columns["id"], draft)
    return Invoice(**columns)


def _write_lines(batch: Batch, invoice_id: UUID, draft: InvoiceDraft) -> None:
    for line in draft.lines:
        batch.add(
            InvoiceLine,
            invoice_id=invoice_id,
            position=line.position,
            article_number=line.article_number,
            name=line.name,
            quantity=line.quantity,
            unit_amount=line.unit_amount,
            amount=line.amount,
            tax_amount=line.tax_amount,
            tax_rate=line.tax_rate,
            credit_rule=line.credit_rule,
            recognize=line.recognize,
            derivation=line.derivation,
            credited_amount=0,
            credited_tax=0,
            credited_quantity=0,
        )


def _collect(batch: Batch, subscription: Subscription, invoice: Invoice) -> None:
    """Plan the purchase; while an older invoice is unpaid it waits for its turn: the oldest is collected first."""
    batch.event(subscription, "invoice.opened", invoice=invoice.id.hex, total=invoice.total, currency=invoice.currency)
    if invoice.status != InvoiceStatus.OPEN:
        if subscription.status == SubscriptionStatus.TRIALING:
            # Nothing has to be authorized for a free period.
            subscription.status = next_status(SubscriptionStatus.TRIALING, SubscriptionEvent.TRIAL_ENDED).value
            batch.event(subscription, "subscription.activated")
        return
    must_wait = invoice.dunning_state == DunningState.WAITING_TURN
    batch.plan(
        OperationKind.PURCHASE,
        invoice,
        subject=invoice.id,
        n=1,
        amount=invoice.total,
        trigger=Trigger.RENEWAL,
        due_at=None if must_wait else invoice.collect_at,
        token_id=subscription.token_id,
    )


def _numbered_now(invoice: Invoice) -> bool:
    return invoice.number_on == NumberOn.OPEN or invoice.total == 0
