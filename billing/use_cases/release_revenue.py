"""Release: deferred revenue that was earned becomes revenue, by day, by dispatch and with the money.

Not one posting a day: at the end of each of the seller's months, at a line's end, when the money comes, and before
whatever needs the exact sum (a credit, a void). The amounts are the domain's.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import Invalid
from billing.domain.invoicing import InvoiceStatus
from billing.domain.ledger import Posting, merged, postings_for_revenue
from billing.domain.periods import instant_of, local_date
from billing.domain.recognition import EarningLine, earned_net, next_release_on, taken_from_revenue
from billing.ports import Ids
from billing.store import invoices as invoice_store
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import Invoice, InvoiceLine, lines_of
from billing.store.releases import due_releases, seller_zone, unfinished_releases
from billing.use_cases.halving import in_halves

LOOK_AGAIN = timedelta(days=1)

Lines = Sequence[InvoiceLine]
DaysOf = Callable[[Invoice], tuple[date, date | None]]
"""Up to which day an invoice is released, and the day for which that counts where it is not today."""


def release_revenue(database: Database, ids: Ids, now: datetime) -> int:
    """Post what was earned by each instant that has come; returns how many invoices were dealt with.

    An invoice left alone for several months is taken through them one by one, each booked in its own month.
    """
    with database.tx() as session:
        found = due_releases(session, now, database.batch_size)
    in_halves(
        found,
        lambda part: _release_batch(database, ids, now, part),
        lambda invoice_id, _: _look_again(database, now, invoice_id),
    )
    return len(found)


def release_everything(database: Database, ids: Ids, now: datetime, up_to: date | None = None) -> tuple[int, date]:
    """Post what every invoice has earned before the day `up_to`, or before the seller's today: for a report in the
    middle of a month.

    Returns how many invoices were looked at, and that day. Raises `Invalid` for a day that has not come.
    """
    today = local_date(now, _zone(database))
    if up_to is not None and up_to > today:
        raise Invalid("this day has not come yet", where="up_to")
    while release_revenue(database, ids, now):
        pass
    count, after, on = 0, None, up_to or today
    while True:
        with database.tx() as session:
            found = unfinished_releases(session, after, database.batch_size)
            batch = Batch(ids, now)
            invoices = invoice_store.locked(session, found)
            _release(session, batch, list(invoices.values()), lambda _: (on, None))
            batch.write(session)
        if not found:
            return count, on
        count, after = count + len(found), found[-1]


def release_up_to(session: Session, batch: Batch, invoice: Invoice, on: date) -> None:
    """Post what the invoice's lines have earned before the local day `on`, in the caller's transaction.

    The caller holds the invoice locked. Call it before a credit is computed or a claim is voided, and again after the
    invoice has become void: of a void invoice nothing is earned, so that what was is taken back.
    """
    _release(session, batch, [invoice], lambda _: (on, None))


def take_back(session: Session, invoice: Invoice, credited: Mapping[UUID, int]) -> dict[str, int]:
    """How much of a credit had become revenue, by kind of revenue, for `postings_for_credit`.

    `credited` is the net that the credit takes from each line, by line id, in minor units; what is still deferred is
    taken first. Call it after `release_up_to` and before the lines' credited amounts grow; the caller holds the
    invoice locked.
    """
    taken: dict[str, int] = {}
    for row in lines_of(session, [invoice.id]).get(invoice.id, []):
        line = _earning(invoice, row)
        net = taken_from_revenue(line, credited.get(row.id, 0))
        if net:
            row.recognized_net -= net
            taken[line.revenue_kind] = taken.get(line.revenue_kind, 0) + net
    return taken


def give_back(session: Session, batch: Batch, adjusted: Iterable[tuple[UUID, int, int]]) -> None:
    """What a later invoice took back of earlier lines is theirs again, since that invoice is void or credited.

    `adjusted` is the line's id with gross and tax in minor units. The caller holds the invoices of these lines locked.
    """
    for line_id, amount, tax_amount in adjusted:
        row = session.get_one(InvoiceLine, line_id)
        row.adjusted_amount -= amount
        row.adjusted_tax -= tax_amount
        invoice = session.get_one(Invoice, row.invoice_id)
        if invoice.number is not None:
            invoice.release_at = batch.now


def _release_batch(database: Database, ids: Ids, now: datetime, found: Sequence[UUID]) -> None:
    with database.tx() as session:
        batch = Batch(ids, now)
        zone = seller_zone(session)
        invoices = invoice_store.locked(session, found).values()
        due = [invoice for invoice in invoices if invoice.release_at is not None and invoice.release_at <= now]
        _release(session, batch, due, lambda invoice: _days_of(invoice, zone))
        batch.write(session)


def _look_again(database: Database, now: datetime, invoice_id: UUID) -> None:
    """A release that could not be carried out holds up nobody; it is tried again, and logged each time."""
    with database.tx() as session:
        invoice_store.locked(session, [invoice_id])[invoice_id].release_at = now + LOOK_AGAIN


def _zone(database: Database) -> str:
    with database.tx() as session:
        return seller_zone(session)


def _days_of(invoice: Invoice, zone: str) -> tuple[date, date | None]:
    """Up to which day an invoice is released when it is due, and the day for which that counts.

    At the midnight that ends a month or a line it counts for the day before, though it is written after it; it never
    counts for a day before the books of the invoice were opened.
    """
    assert invoice.release_at is not None, "only what is due is released"
    on = local_date(invoice.release_at, zone)
    if instant_of(on, time.min, zone) != invoice.release_at:
        return on, None
    return on, max(on - timedelta(days=1), invoice.issue_date or date.min)


def _release(session: Session, batch: Batch, invoices: Sequence[Invoice], days_of: DaysOf) -> None:
    zone = seller_zone(session)
    lines = lines_of(session, [invoice.id for invoice in invoices])
    for invoice in invoices:
        if invoice.number is None:
            # Its books are not open; whoever numbers it makes it due.
            invoice.release_at = None
            continue
        on, booked_on = days_of(invoice)
        left = _release_one(batch, invoice, lines.get(invoice.id, []), on, booked_on)
        following = next_release_on(left, on)
        invoice.release_at = instant_of(following, time.min, zone) if following is not None else None


def _release_one(batch: Batch, invoice: Invoice, rows: Lines, on: date, booked_on: date | None) -> list[EarningLine]:
    """Post one transaction for what is newly earned; returns the lines as they are then."""
    postings: list[Posting] = []
    left: list[EarningLine] = []
    for row in rows:
        if row.adjusts_line_id is not None or row.kind in ("carried", "balance"):
            # What an adjustment takes back, it takes from the line that it adjusts; the others sell nothing.
            continue
        line = _earning(invoice, row)
        net = earned_net(line, on) - row.recognized_net
        row.recognized_net += net
        left.append(replace(line, recognized_net=row.recognized_net))
        postings += postings_for_revenue(net, line.revenue_kind)
    batch.post("revenue", invoice, merged(postings), booked_on=booked_on)
    return left


def _earning(invoice: Invoice, row: InvoiceLine) -> EarningLine:
    is_void = invoice.status == InvoiceStatus.VOID
    return EarningLine(
        amount=row.amount,
        tax_amount=row.tax_amount,
        recognize=row.recognize,
        taken_amount=row.amount if is_void else row.credited_amount + row.adjusted_amount,
        taken_tax=row.tax_amount if is_void else row.credited_tax + row.adjusted_tax,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        quantity=row.quantity,
        dispatched_quantity=row.dispatched_quantity,
        captured_amount=row.captured_amount,
        is_paid=invoice.status == InvoiceStatus.PAID,
        recognized_net=row.recognized_net,
    )
