"""What must be true of any database after any step of anybody's life: one function an invariant of the charging rules.

Plain SQL, apart from the code that it judges; each function raises `AssertionError` with the rows that break it.
Those that need a provider's memory, or that of an earlier look, stand in `watching.py`; the books in `accounts.py`.
"""

from collections.abc import Callable

from sqlalchemy import text
from sqlmodel import Session

from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import OperationStatus
from billing.domain.subscriptions import SubscriptionStatus

Invariant = Callable[[Session], None]


def nothing_found(session: Session, sentence: str, sql: str, **values: object) -> None:
    """Fail with `sentence` and what `sql` finds, unless that is nothing."""
    found = session.execute(text(sql), values).all()
    assert not found, f"{sentence}: {[tuple(row) for row in found[:5]]}"


def one_live_purchase_per_invoice(session: Session) -> None:
    """I1."""
    nothing_found(
        session,
        "an invoice has two live purchases",
        "SELECT invoice_id FROM operations WHERE kind = 'purchase' AND standing = 'live'"
        " GROUP BY invoice_id HAVING COUNT(*) > 1",
    )


def one_recurring_invoice_per_period(session: Session) -> None:
    """I1."""
    nothing_found(
        session,
        "a period has two recurring invoices",
        "SELECT period_id FROM invoices WHERE kind = 'recurring' GROUP BY period_id HAVING COUNT(*) > 1",
    )


def every_billed_period_has_its_invoice(session: Session) -> None:
    """I2: all prices of these lives cost something."""
    nothing_found(
        session,
        "a billed period has no invoice",
        "SELECT p.subscription_id, p.seq, p.kind FROM periods p"
        " LEFT JOIN invoices i ON i.period_id = p.id AND i.kind = 'recurring'"
        " WHERE p.kind IN ('regular', 'stub') AND i.id IS NULL",
    )


def what_is_not_billed_says_why(session: Session) -> None:
    """I2: withheld and forgiven periods have their reason, forgiven ones the person."""
    nothing_found(
        session,
        "an unbilled period gives no reason",
        "SELECT subscription_id, seq, kind FROM periods WHERE kind IN ('withheld', 'forgiven') AND reason IS NULL"
        " OR kind = 'forgiven' AND decided_by IS NULL",
    )


def every_life_goes_on(session: Session) -> None:
    """I2: whoever is neither over nor with a person is looked at again."""
    nothing_found(
        session,
        "a live subscription waits for nothing",
        "SELECT id, status, next_period_at, cycles_done, term_cycles FROM subscriptions"
        " WHERE status NOT IN ('ended', 'paused', 'unpaid') AND next_period_at IS NULL"
        " AND review_reason IS NULL AND hold IS NULL AND NOT (term_cycles IS NOT NULL AND cycles_done >= term_cycles)",
    )


def every_open_invoice_is_followed(session: Session) -> None:
    """I2: somebody collects it, asks about it, gives it up on a known day, or a person has it."""
    nothing_found(
        session,
        "nobody follows an open invoice",
        """
        SELECT i.id, i.dunning_state, i.payment_state, s.status FROM invoices i
        JOIN subscriptions s ON s.id = i.subscription_id
        JOIN customers c ON c.id = i.customer_id
        WHERE i.status = 'open' AND i.exhausts_at IS NULL AND i.held_because IS NULL
          AND s.review_reason IS NULL AND s.hold IS NULL AND s.gate_expires_at IS NULL
          AND NOT (i.dunning_state = 'awaiting_token' AND s.token_id IS NULL) AND i.dunning_state <> 'exhausted'
          AND NOT EXISTS (
            SELECT 1 FROM operations o WHERE o.invoice_id = i.id
              AND o.kind IN ('purchase', 'capture', 'void', 'release', 'extend')
              AND (o.status IN ('sending', 'unknown', 'needs_operator')
                OR (o.status = 'planned'
                  AND (o.due_at IS NOT NULL OR s.status = 'paused' OR c.dunning_paused_at IS NOT NULL))
                OR (o.status = 'planned' AND o.kind = 'purchase' AND EXISTS (
                  SELECT 1 FROM invoices older WHERE older.subscription_id = i.subscription_id
                    AND older.status = 'open' AND older.id <> i.id AND older.opened_at <= i.opened_at
                    AND (older.first_declined_at IS NOT NULL OR older.dunning_state <> 'none')))
                OR (o.status = 'planned' AND o.kind = 'capture' AND EXISTS (
                  SELECT 1 FROM operations a WHERE a.invoice_id = i.id AND a.kind = 'amend'
                    AND a.status IN ('planned', 'sending', 'unknown', 'needs_operator')))
                OR (o.authorization = 'pending_review' AND o.next_check_at IS NOT NULL)))
        """.replace("o.authorization", 'o."authorization"'),
    )


def every_sent_call_is_asked_about(session: Session) -> None:
    """I4: what may be happening has the instant of its next look."""
    nothing_found(
        session,
        "nobody asks about a sent call",
        "SELECT id, kind, status FROM operations WHERE status IN ('sending', 'unknown') AND next_check_at IS NULL",
    )


def a_next_purchase_follows_dead_ones_only(session: Session) -> None:
    """I5."""
    nothing_found(
        session,
        "a purchase follows one that lives",
        "SELECT later.id, later.n, earlier.n, earlier.status FROM operations later JOIN operations earlier"
        " ON earlier.kind = 'purchase' AND earlier.subject = later.subject AND earlier.n < later.n"
        " WHERE later.kind = 'purchase' AND (earlier.standing <> 'dead' OR earlier.dead_because IS NULL)",
    )


def nothing_is_paid_twice(session: Session) -> None:
    """I6: captured + balance + outside + carried <= total - credits of what was open."""
    nothing_found(
        session,
        "more came in than was owed",
        "SELECT id, total, captured, balance_used, paid_outside, carried, credited_open FROM invoices"
        " WHERE captured + balance_used + paid_outside + carried > total - credited_open"
        " OR captured < 0 OR credited < 0 OR credited_open < 0 OR credited_balance < 0 OR refunded > captured",
    )


def paid_is_equality(session: Session) -> None:
    """I6: an invoice is paid if and only if nothing is due."""
    due = "(total - credited_open - captured - balance_used - paid_outside - carried)"
    nothing_found(
        session,
        "paid and due do not agree",
        f"SELECT id, status, {due} FROM invoices WHERE (status = 'paid') <> ({due} = 0) AND status <> 'void'",
    )


def figures_of_an_invoice_are_sums(session: Session) -> None:
    """I6: what stands on an invoice is what its operations, payments, disputes and credit notes come to."""
    for column, sql in _SUMS.items():
        nothing_found(
            session,
            f"`{column}` of an invoice is not the sum of its parts",
            f"SELECT i.id, i.{column}, ({sql}) FROM invoices i WHERE i.{column} <> ({sql})",
        )


_SUMS = {
    "captured": "SELECT COALESCE(SUM(o.amount), 0) FROM operations o"
    " WHERE o.invoice_id = i.id AND o.kind = 'capture' AND o.status = 'succeeded'",
    "refunded": "SELECT COALESCE(SUM(o.amount), 0) FROM operations o"
    " WHERE o.invoice_id = i.id AND o.kind = 'refund' AND o.status = 'succeeded'",
    "paid_outside": "SELECT COALESCE(SUM(p.amount), 0) FROM outside_payments p WHERE p.invoice_id = i.id",
    "disputed": "SELECT COALESCE(SUM(d.amount), 0) FROM disputes d WHERE d.invoice_id = i.id AND d.status = 'lost'",
    "credited": "SELECT COALESCE(SUM(n.total), 0) FROM credit_notes n WHERE n.invoice_id = i.id",
    "credited_open": "SELECT COALESCE(SUM(n.effect_open), 0) FROM credit_notes n WHERE n.invoice_id = i.id",
    "credited_balance": "SELECT COALESCE(SUM(n.effect_balance), 0) FROM credit_notes n WHERE n.invoice_id = i.id",
    "total": "SELECT COALESCE(SUM(l.amount), 0) FROM invoice_lines l WHERE l.invoice_id = i.id",
    "tax_total": "SELECT COALESCE(SUM(l.tax_amount), 0) FROM invoice_lines l WHERE l.invoice_id = i.id",
}


def figures_of_a_line_are_sums(session: Session) -> None:
    """Section 11, 2: what was credited of a line is what the notes say, and never more than the line."""
    for column, of_note in (("credited_amount", "amount"), ("credited_tax", "tax_amount")):
        nothing_found(
            session,
            f"`{column}` of a line is not the sum of its notes",
            f"SELECT l.id, l.{column}, SUM(c.{of_note}) FROM invoice_lines l"
            f" LEFT JOIN credit_note_lines c ON c.line_id = l.id GROUP BY l.id, l.{column}"
            f" HAVING l.{column} <> COALESCE(SUM(c.{of_note}), 0)",
        )
    nothing_found(
        session,
        "more is credited than was on the line",
        "SELECT id, amount, credited_amount, adjusted_amount, tax_amount, credited_tax, adjusted_tax"
        " FROM invoice_lines WHERE amount >= 0 AND (credited_amount + adjusted_amount > amount"
        " OR credited_tax + adjusted_tax > tax_amount OR credited_amount < 0 OR adjusted_amount < 0"
        " OR credited_quantity > quantity OR captured_amount > amount)",
    )


def figures_of_a_credit_note_are_sums(session: Session) -> None:
    """Section 11, 2: a note is the sum of its lines and of its effects."""
    nothing_found(
        session,
        "a credit note is not the sum of its lines",
        "SELECT n.id, n.total, n.tax_total FROM credit_notes n JOIN credit_note_lines l ON l.credit_note_id = n.id"
        " GROUP BY n.id, n.total, n.tax_total HAVING SUM(l.amount) <> n.total OR SUM(l.tax_amount) <> n.tax_total",
    )
    nothing_found(
        session,
        "a credit note does more or less than it says",
        "SELECT id, total, effect_open, effect_balance, effect_refund FROM credit_notes"
        " WHERE effect_open + effect_balance + effect_refund <> total OR total <= 0"
        " OR effect_open < 0 OR effect_balance < 0 OR effect_refund < 0",
    )


def no_more_is_captured_than_authorized(session: Session) -> None:
    """I6."""
    nothing_found(
        session,
        "more is captured than was authorized",
        "SELECT p.id, p.amount, SUM(c.amount) FROM operations p JOIN operations c ON c.purchase_id = p.id"
        " AND c.kind = 'capture' AND c.status NOT IN ('declined', 'dropped')"
        " WHERE p.kind = 'purchase' AND p.standing = 'live'"
        " GROUP BY p.id, p.amount HAVING SUM(c.amount) > p.amount OR MIN(p.remaining) < 0",
    )


def no_more_is_refunded_than_captured(session: Session) -> None:
    """I6: counted from the plan on, so that two refunds never promise the same money."""
    nothing_found(
        session,
        "more is refunded than the capture holds",
        "SELECT c.id, c.amount, SUM(r.amount) FROM operations c JOIN operations r ON r.capture_id = c.id"
        " AND r.kind = 'refund' AND r.status NOT IN ('declined', 'dropped')"
        " WHERE c.kind = 'capture' GROUP BY c.id, c.amount HAVING SUM(r.amount) > c.amount",
    )
    nothing_found(
        session,
        "refunds do not come to what the credit note pays back",
        "SELECT n.id, n.effect_refund, COALESCE(SUM(r.amount), 0) FROM credit_notes n LEFT JOIN operations r"
        " ON r.subject = n.id AND r.kind = 'refund' AND r.status NOT IN ('declined', 'dropped')"
        " GROUP BY n.id, n.effect_refund HAVING COALESCE(SUM(r.amount), 0) <> n.effect_refund",
    )


def numbers_are_gapless_and_dates_follow_them(session: Session) -> None:
    """I8."""
    for series, table in (("invoice", "invoices"), ("credit_note", "credit_notes")):
        found = session.execute(
            text(f"SELECT number, issue_date FROM {table} WHERE number IS NOT NULL ORDER BY number")
        ).all()
        assert [row[0] for row in found] == list(range(1, len(found) + 1)), f"numbers of {table}: {found}"
        dates = [str(row[1]) for row in found]
        assert dates == sorted(dates), f"dates of {table} run backwards: {dates}"
        coming = session.execute(text("SELECT next FROM series WHERE id = :id"), {"id": series}).scalar_one()
        assert coming == len(found) + 1, f"series {series} goes on with {coming} after {len(found)} numbers"


def money_is_whole(session: Session) -> None:
    """I9: SQLite would store a fraction where another database refuses it."""
    if session.get_bind().dialect.name != "sqlite":
        return
    for table, columns in _MONEY.items():
        wrong = " OR ".join(f"typeof({column}) <> 'integer'" for column in columns)
        nothing_found(session, f"an amount of {table} is no integer", f"SELECT id FROM {table} WHERE {wrong}")


_MONEY = {
    "invoices": ("total", "tax_total", "captured", "credited", "balance_used", "paid_outside", "refunded"),
    "invoice_lines": ("amount", "tax_amount", "credited_amount", "credited_tax", "adjusted_amount", "recognized_net"),
    "credit_notes": ("total", "tax_total", "effect_open", "effect_balance", "effect_refund"),
    "operations": ("amount",),
    "ledger_entries": ("amount",),
    "balance_entries": ("amount",),
    "pending_lines": ("amount", "tax_amount"),
}


def periods_tile(session: Session) -> None:
    """I10: no gap, no overlap, counted from 1; and the next one opens where the last one ends."""
    nothing_found(
        session,
        "periods leave a gap or overlap",
        "SELECT a.subscription_id, a.seq, a.ends_at, b.seq, b.starts_at FROM periods a JOIN periods b"
        " ON b.subscription_id = a.subscription_id AND b.seq = a.seq + 1 WHERE b.starts_at <> a.ends_at",
    )
    nothing_found(
        session,
        "periods are not counted from 1 without a gap",
        "SELECT subscription_id, COUNT(*), MIN(seq), MAX(seq) FROM periods"
        " GROUP BY subscription_id HAVING MIN(seq) <> 1 OR MAX(seq) <> COUNT(*)",
    )
    nothing_found(
        session,
        "the next period opens elsewhere than the last one ends",
        "SELECT s.id, s.next_period_at, p.ends_at, p.kind FROM subscriptions s JOIN periods p"
        " ON p.subscription_id = s.id AND p.seq = s.next_seq - 1"
        " WHERE s.next_period_at <> p.ends_at AND s.status NOT IN ('paused', 'ended')",
    )


def statuses_are_known(session: Session) -> None:
    """I11."""
    for table, known in _STATUSES.items():
        listed = ", ".join(f"'{status}'" for status in known)
        nothing_found(
            session, f"unknown status in {table}", f"SELECT id, status FROM {table} WHERE status NOT IN ({listed})"
        )


_STATUSES = {"subscriptions": SubscriptionStatus, "invoices": InvoiceStatus, "operations": OperationStatus}


def nobody_wants_it_so_it_is_given_back(session: Session) -> None:
    """I12: an authorization for an invoice that is no longer open has a void or release on its way."""
    nothing_found(
        session,
        "an unwanted authorization stays",
        'SELECT p.id, p."authorization", i.status FROM operations p JOIN invoices i ON i.id = p.invoice_id'
        " WHERE p.kind = 'purchase' AND p.standing = 'live' AND p.\"authorization\" IN ('authorized', 'part_captured')"
        " AND i.status <> 'open' AND NOT EXISTS (SELECT 1 FROM operations v WHERE v.purchase_id = p.id"
        " AND v.kind IN ('void', 'release', 'capture') AND v.status NOT IN ('succeeded', 'declined', 'dropped'))",
    )


def events_are_counted(session: Session) -> None:
    """I14: each subscription's events are 1, 2, 3 ... up to its own count."""
    nothing_found(
        session,
        "events of a subscription are not counted without a gap",
        "SELECT s.id, s.event_seq, COUNT(e.id), MAX(e.seq) FROM subscriptions s LEFT JOIN events e"
        " ON e.subscription_id = s.id GROUP BY s.id, s.event_seq"
        " HAVING COUNT(e.id) <> s.event_seq OR COALESCE(MAX(e.seq), 0) <> s.event_seq",
    )


def access_follows_the_state(session: Session) -> None:
    """Billing rules, section 8: all or nothing where the state leaves no doubt."""
    nothing_found(
        session,
        "access does not follow the state",
        "SELECT id, status, access, pause_mode FROM subscriptions"
        " WHERE status IN ('active', 'trialing') AND access <> 'full'"
        " OR status IN ('unpaid', 'ended') AND access <> 'none'",
    )


def past_due_owes_something(session: Session) -> None:
    """Billing rules, section 8: with no dunning invoice left a subscription recovers."""
    nothing_found(
        session,
        "past due, and nothing is owed",
        "SELECT s.id, s.status FROM subscriptions s WHERE s.status = 'past_due' AND s.review_reason IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM invoices i WHERE i.subscription_id = s.id AND i.status = 'open'"
        " AND (i.first_declined_at IS NOT NULL OR i.dunning_state <> 'none'))",
    )


def no_row_was_parked_by_a_fault(session: Session) -> None:
    """A person is asked for business reasons, never since our own code failed on a row."""
    nothing_found(
        session,
        "our own fault sent a subscription to a person",
        "SELECT id, review_reason FROM subscriptions WHERE review_reason LIKE '%failed:%'",
    )
    nothing_found(
        session,
        "our own fault sent a call to a person",
        "SELECT id, kind, answer_message FROM operations WHERE answer_code IN ('not_recorded', 'not_prepared')",
    )


ALWAYS: tuple[Invariant, ...] = (
    one_live_purchase_per_invoice,
    one_recurring_invoice_per_period,
    every_billed_period_has_its_invoice,
    what_is_not_billed_says_why,
    every_life_goes_on,
    every_open_invoice_is_followed,
    every_sent_call_is_asked_about,
    a_next_purchase_follows_dead_ones_only,
    nothing_is_paid_twice,
    paid_is_equality,
    figures_of_an_invoice_are_sums,
    figures_of_a_line_are_sums,
    figures_of_a_credit_note_are_sums,
    no_more_is_captured_than_authorized,
    no_more_is_refunded_than_captured,
    numbers_are_gapless_and_dates_follow_them,
    money_is_whole,
    periods_tile,
    statuses_are_known,
    nobody_wants_it_so_it_is_given_back,
    events_are_counted,
    access_follows_the_state,
    past_due_owes_something,
    no_row_was_parked_by_a_fault,
)
"""True at any moment, between two transactions."""
