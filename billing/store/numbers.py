"""Taking numbers: the last thing a transaction does, since everybody waits for the counter's row.

With its number an invoice enters the books: the opening posting is made here and nowhere else.
"""

from collections.abc import Sequence
from datetime import date, datetime

from sqlmodel import Session

from billing.domain.ledger import postings_for_balance_used, postings_for_carry, postings_for_opening
from billing.store.batch import Batch
from billing.store.invoices import Invoice, InvoiceLine, lines_of, take_numbers

INVOICES = "invoice"
CREDIT_NOTES = "credit_note"


def number_invoices(session: Session, batch: Batch, invoices: Sequence[Invoice]) -> None:
    """Give each invoice that has none the next number, and post its opening. `invoices` are held locked.

    The order is that of `collect_at`, then id, so that numbers follow time (billing rules, section 10).
    """
    unnumbered = sorted((i for i in invoices if i.number is None), key=lambda i: (i.collect_at, i.id))
    if not unnumbered:
        return
    lines = lines_of(session, [invoice.id for invoice in unnumbered])
    first, issue_date = take_numbers(session, INVOICES, len(unnumbered), batch.now)
    for offset, invoice in enumerate(unnumbered):
        invoice.series_id, invoice.number, invoice.issue_date = INVOICES, first + offset, issue_date
        _open_books(batch, invoice, lines.get(invoice.id, []))


def number_credit_note(session: Session, now: datetime) -> tuple[int, date]:
    """The next credit note number and its issue date."""
    return take_numbers(session, CREDIT_NOTES, 1, now)


def _open_books(batch: Batch, invoice: Invoice, lines: Sequence[InvoiceLine]) -> None:
    batch.post("opening", invoice, postings_for_opening(lines, invoice.country))
    # What paid or moved the claim before it was booked is booked with it.
    batch.post("balance", invoice, postings_for_balance_used(invoice.balance_used))
    batch.post("carry", invoice, postings_for_carry(invoice.carried))
