"""The books: what the ledger says of an invoice is what its row says (billing rules, section 11, 6).

Debits are positive. An invoice is in the books from its number on; everything here is in minor units.
"""

from collections import defaultdict

from lives.invariants import Invariant, nothing_found
from sqlalchemy import text
from sqlmodel import Session

_CARRIED = (
    "SELECT currency, SUM(amount) FROM pending_lines WHERE kind = 'carried' AND invoice_id IS NULL GROUP BY currency"
)
_DUE = "(i.total - i.credited_open - i.captured - i.balance_used - i.paid_outside - i.carried)"


def every_transaction_sums_to_zero(session: Session) -> None:
    """I7: per currency, and none is empty."""
    nothing_found(
        session,
        "a ledger transaction does not sum to zero",
        "SELECT transaction_id, currency, SUM(amount) FROM ledger_entries"
        " GROUP BY transaction_id, currency HAVING SUM(amount) <> 0",
    )
    nothing_found(
        session,
        "a ledger transaction has no entries or another currency",
        "SELECT t.id, t.kind FROM ledger_transactions t LEFT JOIN ledger_entries e"
        " ON e.transaction_id = t.id AND e.currency = t.currency WHERE e.id IS NULL",
    )


def only_numbered_invoices_are_in_the_books(session: Session) -> None:
    """Billing rules, section 10: a declined renewal takes no number and posts nothing."""
    nothing_found(
        session,
        "an invoice without a number is in the books",
        "SELECT i.id, t.kind FROM invoices i JOIN ledger_transactions t ON t.invoice_id = i.id WHERE i.number IS NULL",
    )


def receivable_is_what_is_due(session: Session) -> None:
    """Receivable of an invoice = total - paid - credited; of a void or uncollectible one nothing is left."""
    _tied(session, "receivable", f"CASE WHEN i.status IN ('open', 'paid') THEN {_DUE} ELSE 0 END")


def clearing_is_what_the_provider_holds(session: Session) -> None:
    """Captured, less refunded, less what is or was disputed."""
    contested = "(SELECT COALESCE(SUM(d.amount), 0) FROM disputes d WHERE d.invoice_id = i.id AND d.status <> 'won')"
    _tied(session, "provider_clearing", f"i.captured - i.refunded - {contested}")


def refund_payable_is_what_is_promised(session: Session) -> None:
    """What credit notes pay back and the provider has not yet paid out."""
    owed = "(SELECT COALESCE(SUM(n.effect_refund), 0) FROM credit_notes n WHERE n.invoice_id = i.id)"
    _tied(session, "refund_payable", f"i.refunded - {owed}")


def disputes_hold_what_is_open(session: Session) -> None:
    contested = "(SELECT COALESCE(SUM(d.amount), 0) FROM disputes d WHERE d.invoice_id = i.id AND d.status = 'open')"
    _tied(session, "disputes", contested)


def revenue_is_what_lines_have_earned(session: Session) -> None:
    earned = "(SELECT COALESCE(SUM(l.recognized_net), 0) FROM invoice_lines l WHERE l.invoice_id = i.id)"
    _tied(session, "revenue", f"-{earned}")


def vat_is_what_lines_say_and_notes_leave(session: Session) -> None:
    """Apart from invoices whose VAT was relieved as a bad debt."""
    relieved = "EXISTS (SELECT 1 FROM ledger_transactions r WHERE r.invoice_id = i.id AND r.kind = 'vat_relief')"
    credited = "(SELECT COALESCE(SUM(n.tax_total), 0) FROM credit_notes n WHERE n.invoice_id = i.id)"
    _tied(
        session,
        "vat_payable",
        f"CASE WHEN i.status = 'void' THEN 0 ELSE {credited} - i.tax_total END",
        f"AND NOT {relieved}",
    )


def deferred_is_what_is_still_to_be_earned(session: Session) -> None:
    """Net of what is left of the lines that sell something, less what was earned; never below 0 but for credits."""
    sold = (
        "(SELECT COALESCE(SUM(l.amount - l.tax_amount - l.credited_amount + l.credited_tax - l.recognized_net), 0)"
        " FROM invoice_lines l WHERE l.invoice_id = i.id AND l.kind NOT IN ('carried', 'balance'))"
    )
    _tied(session, "deferred_revenue", f"CASE WHEN i.status = 'void' THEN 0 ELSE -{sold} END")


def balances_are_in_the_books(session: Session) -> None:
    """A balance is the sum of its entries; the ledger owes all of them, but for what unbooked invoices have used."""
    nothing_found(
        session,
        "a balance is not the sum of its entries",
        "SELECT b.customer_id, b.currency, b.amount FROM customer_balances b WHERE b.amount <>"
        " (SELECT COALESCE(SUM(e.amount), 0) FROM balance_entries e"
        " WHERE e.customer_id = b.customer_id AND e.currency = b.currency)",
    )
    owed: dict[str, int] = defaultdict(int)
    for sql in (
        "SELECT currency, SUM(amount) FROM customer_balances GROUP BY currency",
        "SELECT currency, SUM(balance_used) FROM invoices WHERE number IS NULL GROUP BY currency",
        _CARRIED,
        "SELECT currency, SUM(amount) FROM ledger_entries WHERE account = 'customer_balance' GROUP BY currency",
    ):
        for currency, amount in session.execute(text(sql)):
            owed[currency] += int(amount)
    assert not any(owed.values()), f"balances and the ledger differ: {dict(owed)}"


def _tied(session: Session, account: str, expected: str, further: str = "") -> None:
    """Fail where an account's sum for a numbered invoice is not `expected`, SQL over the invoice `i`."""
    booked = (
        "(SELECT COALESCE(SUM(e.amount), 0) FROM ledger_transactions t JOIN ledger_entries e"
        f" ON e.transaction_id = t.id WHERE t.invoice_id = i.id AND e.account = '{account}')"
    )
    nothing_found(
        session,
        f"{account} of an invoice is not what its row says",
        f"SELECT i.id, i.status, {booked}, {expected} FROM invoices i"
        f" WHERE i.number IS NOT NULL AND {booked} <> {expected} {further}",
    )


BOOKS: tuple[Invariant, ...] = (
    every_transaction_sums_to_zero,
    only_numbered_invoices_are_in_the_books,
    receivable_is_what_is_due,
    clearing_is_what_the_provider_holds,
    refund_payable_is_what_is_promised,
    disputes_hold_what_is_open,
    revenue_is_what_lines_have_earned,
    vat_is_what_lines_say_and_notes_leave,
    deferred_is_what_is_still_to_be_earned,
    balances_are_in_the_books,
)
