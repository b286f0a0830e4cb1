"""I3 among our own rows, the sums of I7, and the counters of I8 and I14."""

# ruff: noqa: S608  (every statement is put together from names of this package alone)

from billing.verify.rule import Rule

_MOVED = "('capture', 'refund')"


def _series(table: str, series: str) -> tuple[Rule, ...]:
    numbered = f"{table} WHERE number IS NOT NULL"
    return (
        Rule(
            "I8",
            f"the numbers of {table} are 1 to n",
            numbered,
            "SELECT x.id, x.series_id, x.number, x.expected FROM (SELECT id, series_id, number,"
            f" ROW_NUMBER() OVER (PARTITION BY series_id ORDER BY number, id) AS expected FROM {numbered}) x"
            " WHERE x.number <> x.expected",
        ),
        Rule(
            "I8",
            f"the dates of {table} never run backwards",
            numbered,
            "SELECT x.id, x.series_id, x.number, x.issue_date, x.before FROM (SELECT id, series_id, number, issue_date,"
            f" LAG(issue_date) OVER (PARTITION BY series_id ORDER BY number, id) AS before FROM {numbered}) x"
            " WHERE x.issue_date IS NULL OR x.issue_date < x.before",
        ),
        Rule(
            "I8",
            f"the series of {table} goes on after its last number and day",
            "series",
            "SELECT s.id, s.next, s.last_date, x.last_number, x.last_day FROM series s LEFT JOIN ("
            f" SELECT series_id, MAX(number) AS last_number, MAX(issue_date) AS last_day FROM {numbered}"
            f" GROUP BY series_id) x ON x.series_id = s.id WHERE s.id = '{series}'"
            " AND (s.next <> COALESCE(x.last_number, 0) + 1 OR x.last_day IS NOT NULL"
            " AND (s.last_date IS NULL OR s.last_date < x.last_day))",
        ),
    )


RULES = (
    Rule(
        "I3",
        "one order, capture or refund at the provider is one row here",
        "operations WHERE provider_id IS NOT NULL",
        "SELECT provider_account, kind, provider_id, COUNT(*) AS operations FROM operations"
        " WHERE provider_id IS NOT NULL AND kind IN ('purchase', 'capture', 'refund')"
        " GROUP BY provider_account, kind, provider_id HAVING COUNT(*) > 1",
        stops=True,
    ),
    Rule(
        "I3",
        "a purchase that succeeded names the provider's order, and a capture belongs to such a purchase",
        "operations WHERE kind IN ('purchase', 'capture') AND status = 'succeeded'",
        "SELECT o.id, o.kind, o.invoice_id FROM operations o LEFT JOIN operations p ON p.id = o.purchase_id"
        " WHERE o.status = 'succeeded' AND (o.kind = 'purchase' AND o.provider_id IS NULL"
        " OR o.kind = 'capture' AND p.provider_id IS NULL)",
    ),
    Rule(
        "I3",
        "a capture or refund that succeeded is booked once, with its amount",
        f"operations WHERE kind IN {_MOVED} AND status = 'succeeded'",
        "SELECT o.id, o.kind, o.invoice_id, o.amount, COALESCE(b.amount, 0) AS booked,"
        " COALESCE(b.transactions, 0) AS transactions FROM operations o LEFT JOIN ("
        "  SELECT t.operation_id, SUM(e.amount) AS amount, COUNT(DISTINCT t.id) AS transactions"
        "  FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id"
        f"  WHERE t.operation_id IS NOT NULL AND t.kind IN {_MOVED} AND e.account = 'provider_clearing'"
        "  GROUP BY t.operation_id) b ON b.operation_id = o.id"
        f" WHERE o.kind IN {_MOVED} AND o.status = 'succeeded' AND o.amount > 0 AND (b.operation_id IS NULL"
        " OR b.transactions <> 1 OR b.amount <> CASE o.kind WHEN 'refund' THEN -o.amount ELSE o.amount END)",
    ),
    Rule(
        "I3",
        "money is booked as taken or given back only where an operation that succeeded did it",
        f"ledger_transactions WHERE kind IN {_MOVED}",
        "SELECT t.id, t.kind, t.invoice_id, t.operation_id, o.status FROM ledger_transactions t"
        f" LEFT JOIN operations o ON o.id = t.operation_id WHERE t.kind IN {_MOVED}"
        " AND (o.id IS NULL OR o.status <> 'succeeded' OR o.invoice_id <> t.invoice_id)",
    ),
    Rule(
        "I7",
        "each ledger transaction sums to zero in its currency",
        "ledger_transactions",
        "SELECT t.id, t.kind, t.currency, COUNT(e.id) AS entries, SUM(e.amount) AS rest FROM ledger_transactions t"
        " LEFT JOIN ledger_entries e ON e.transaction_id = t.id GROUP BY t.id, t.kind, t.currency"
        " HAVING COUNT(e.id) = 0 OR SUM(e.amount) <> 0 OR MIN(e.currency) <> t.currency"
        " OR MAX(e.currency) <> t.currency",
    ),
    *_series("invoices", "invoice"),
    *_series("credit_notes", "credit_note"),
    Rule(
        "I14",
        "the events of a subscription are counted 1, 2, 3",
        "events",
        "SELECT s.id, s.event_seq, COALESCE(e.events, 0) AS events, e.last_seq FROM subscriptions s LEFT JOIN ("
        "  SELECT subscription_id, COUNT(*) AS events, MIN(seq) AS first_seq, MAX(seq) AS last_seq FROM events"
        "  WHERE subscription_id IS NOT NULL GROUP BY subscription_id) e ON e.subscription_id = s.id"
        " WHERE s.event_seq <> COALESCE(e.events, 0) OR e.events IS NOT NULL AND (e.first_seq <> 1"
        " OR e.last_seq <> s.event_seq)",
    ),
)
