"""What a test of an invoice's life looks at: the account sums of its books, and whether they agree with its row."""

from factories import Shop
from reading import credit_notes, entries, invoices
from sqlmodel import select

from billing.store.balances import CustomerBalance
from billing.store.invoices import Invoice, amount_due


def account_sums(shop: Shop) -> dict[str, int]:
    """What stands on each account, debits positive; accounts at 0 are left out."""
    sums: dict[str, int] = {}
    for _, account, _, amount in entries(shop):
        sums[account] = sums.get(account, 0) + amount
    return {account: amount for account, amount in sums.items() if amount}


def held(shop: Shop) -> int:
    """What all customers have with us."""
    with shop.database.tx() as session:
        return sum(row.amount for row in session.exec(select(CustomerBalance)))


def assert_books_agree(shop: Shop) -> None:
    """Receivable is what is due, the liabilities are what the rows say, and everything sums to 0."""
    sums = account_sums(shop)
    booked = [invoice for invoice in invoices(shop) if invoice.number is not None and invoice.status != "void"]
    due = sum(amount_due(invoice) for invoice in booked if invoice.status != "uncollectible")
    assert sums.get("receivable", 0) == due
    assert -sums.get("customer_balance", 0) == held(shop)
    owed = sum(note.effect_refund for note in credit_notes(shop)) - sum(i.refunded for i in invoices(shop))
    assert -sums.get("refund_payable", 0) == owed
    assert sum(sums.values()) == 0
    for note in credit_notes(shop):
        assert note.effect_open + note.effect_balance + note.effect_refund == note.total


def the_invoice(shop: Shop) -> Invoice:
    (invoice,) = invoices(shop)
    return invoice
