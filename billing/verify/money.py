"""I6 and I9: what an invoice says is what its parts come to, nothing passes its limit, and money is whole."""

# ruff: noqa: S608  (every statement is put together from names of this package alone)

from collections.abc import Iterator, Mapping, Sequence

from billing.verify.reading import Snapshot
from billing.verify.report import Finding
from billing.verify.rule import Rule

_DUE = "(i.total - i.credited_open - i.captured - i.balance_used - i.paid_outside - i.carried)"

# Column of an invoice: the grouped sums that it must equal, as `invoice_id, amount`.
_SUMS: Mapping[str, str] = {
    "captured": "SELECT invoice_id, SUM(amount) AS amount FROM operations WHERE kind = 'capture'"
    " AND status = 'succeeded' GROUP BY invoice_id",
    "refunded": "SELECT invoice_id, SUM(amount) AS amount FROM operations WHERE kind = 'refund'"
    " AND status = 'succeeded' GROUP BY invoice_id",
    "paid_outside": "SELECT invoice_id, SUM(amount) AS amount FROM outside_payments GROUP BY invoice_id",
    "disputed": "SELECT invoice_id, SUM(amount) AS amount FROM disputes WHERE status = 'lost' GROUP BY invoice_id",
    "credited": "SELECT invoice_id, SUM(total) AS amount FROM credit_notes GROUP BY invoice_id",
    "credited_open": "SELECT invoice_id, SUM(effect_open) AS amount FROM credit_notes GROUP BY invoice_id",
    "credited_balance": "SELECT invoice_id, SUM(effect_balance) AS amount FROM credit_notes GROUP BY invoice_id",
    "total": "SELECT invoice_id, SUM(amount) AS amount FROM invoice_lines GROUP BY invoice_id",
    "tax_total": "SELECT invoice_id, SUM(tax_amount) AS amount FROM invoice_lines GROUP BY invoice_id",
}


def _is_sum(column: str, sums: str) -> Rule:
    return Rule(
        "I6",
        f"`{column}` of an invoice is what its parts come to",
        "invoices",
        f"SELECT i.id, i.{column}, COALESCE(x.amount, 0) AS parts FROM invoices i"
        f" LEFT JOIN ({sums}) x ON x.invoice_id = i.id WHERE i.{column} <> COALESCE(x.amount, 0)",
    )


# What the ledger has of an invoice against what its row says; an invoice is in the books from its number on.
_BOOKED = f"""
SELECT i.id, i.status, b.receivable, CASE WHEN i.status IN ('open', 'paid') THEN {_DUE} ELSE 0 END AS due,
  b.clearing, i.captured - i.refunded - COALESCE(d.contested, 0) AS held,
  b.payable, i.refunded - COALESCE(n.promised, 0) AS owed
FROM invoices i LEFT JOIN (
    SELECT t.invoice_id, SUM(CASE WHEN e.account = 'receivable' THEN e.amount ELSE 0 END) AS receivable,
      SUM(CASE WHEN e.account = 'provider_clearing' THEN e.amount ELSE 0 END) AS clearing,
      SUM(CASE WHEN e.account = 'refund_payable' THEN e.amount ELSE 0 END) AS payable
    FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id
    WHERE t.invoice_id IS NOT NULL GROUP BY t.invoice_id) b ON b.invoice_id = i.id
  LEFT JOIN (SELECT invoice_id, SUM(amount) AS contested FROM disputes WHERE status <> 'won' GROUP BY invoice_id) d
    ON d.invoice_id = i.id
  LEFT JOIN (SELECT invoice_id, SUM(effect_refund) AS promised FROM credit_notes GROUP BY invoice_id) n
    ON n.invoice_id = i.id
WHERE i.number IS NULL AND b.invoice_id IS NOT NULL OR i.number IS NOT NULL
  AND (COALESCE(b.receivable, 0) <> CASE WHEN i.status IN ('open', 'paid') THEN {_DUE} ELSE 0 END
    OR COALESCE(b.clearing, 0) <> i.captured - i.refunded - COALESCE(d.contested, 0)
    OR COALESCE(b.payable, 0) <> i.refunded - COALESCE(n.promised, 0))
"""

RULES = (
    Rule(
        "I6",
        "captured + balance + outside + carried <= total - credits of what was open",
        "invoices",
        f"SELECT i.id, i.status, i.total, {_DUE} AS due FROM invoices i WHERE {_DUE} < 0 OR i.captured < 0"
        " OR i.balance_used < 0 OR i.paid_outside < 0 OR i.carried < 0 OR i.credited_open < 0"
        " OR i.credited_balance < 0 OR i.credited_open + i.credited_balance > i.credited",
    ),
    Rule(
        "I6",
        "an invoice is paid if and only if nothing is due",
        "invoices",
        f"SELECT i.id, i.status, i.total, {_DUE} AS due FROM invoices i"
        f" WHERE i.status IN ('open', 'paid', 'uncollectible') AND (i.status = 'paid') <> ({_DUE} = 0)",
    ),
    *(_is_sum(column, sums) for column, sums in _SUMS.items()),
    Rule(
        "I6",
        "no more is refunded or lost to a dispute than was captured",
        "invoices",
        "SELECT id, captured, refunded, disputed FROM invoices WHERE refunded + disputed > captured OR refunded < 0",
    ),
    Rule(
        "I6",
        "no more is captured than was authorized",
        "operations WHERE kind = 'capture'",
        "SELECT p.id, p.invoice_id, p.amount, p.remaining, c.taken FROM operations p JOIN ("
        "  SELECT purchase_id, SUM(CASE WHEN status = 'succeeded' THEN amount ELSE 0 END) AS taken,"
        "    SUM(amount) AS wanted FROM operations WHERE kind = 'capture'"
        "    AND status NOT IN ('declined', 'dropped') GROUP BY purchase_id) c ON c.purchase_id = p.id"
        " WHERE c.taken > p.amount OR p.remaining < 0 OR p.standing = 'live' AND c.wanted > p.amount",
    ),
    Rule(
        "I6",
        "no more is refunded of a capture than it took",
        "operations WHERE kind = 'refund'",
        "SELECT c.id, c.invoice_id, c.amount, r.refunds FROM operations c JOIN ("
        "  SELECT capture_id, SUM(amount) AS refunds FROM operations WHERE kind = 'refund'"
        "    AND status NOT IN ('declined', 'dropped') GROUP BY capture_id) r ON r.capture_id = c.id"
        " WHERE r.refunds > c.amount",
    ),
    Rule(
        "I6",
        "refunds pay out no more than their credit note promised",
        "operations WHERE kind = 'refund'",
        "SELECT r.subject AS credit_note_id, n.effect_refund, r.refunds FROM ("
        "  SELECT subject, SUM(amount) AS refunds FROM operations WHERE kind = 'refund'"
        "    AND status NOT IN ('declined', 'dropped') GROUP BY subject) r"
        " LEFT JOIN credit_notes n ON n.id = r.subject WHERE n.id IS NULL OR r.refunds > n.effect_refund",
    ),
    Rule(
        "I6",
        "no more is credited, adjusted or captured of a line than it is",
        "invoice_lines",
        "SELECT id, invoice_id, amount, credited_amount, adjusted_amount, captured_amount FROM invoice_lines"
        " WHERE amount >= 0 AND (credited_amount + adjusted_amount > amount OR captured_amount > amount"
        " OR credited_tax + adjusted_tax > tax_amount) OR credited_amount < 0 AND amount >= 0"
        " OR credited_quantity > quantity OR captured_quantity > quantity",
    ),
    Rule(
        "I6",
        "what is credited of a line is what its credit notes say",
        "credit_note_lines",
        "SELECT l.id, l.invoice_id, l.credited_amount, x.amount AS noted FROM invoice_lines l"
        " LEFT JOIN (SELECT line_id, SUM(amount) AS amount, SUM(tax_amount) AS tax FROM credit_note_lines"
        "   GROUP BY line_id) x ON x.line_id = l.id"
        " WHERE l.credited_amount <> COALESCE(x.amount, 0) OR l.credited_tax <> COALESCE(x.tax, 0)",
    ),
    Rule(
        "I6",
        "a credit note is the sum of its lines and of its effects",
        "credit_notes",
        "SELECT n.id, n.invoice_id, n.total, x.amount AS lines FROM credit_notes n"
        " LEFT JOIN (SELECT credit_note_id, SUM(amount) AS amount, SUM(tax_amount) AS tax FROM credit_note_lines"
        "   GROUP BY credit_note_id) x ON x.credit_note_id = n.id"
        " WHERE n.total <> COALESCE(x.amount, 0) OR n.tax_total <> COALESCE(x.tax, 0) OR n.total <= 0"
        " OR n.effect_open + n.effect_balance + n.effect_refund <> n.total"
        " OR n.effect_open < 0 OR n.effect_balance < 0 OR n.effect_refund < 0",
    ),
    Rule("I6", "the books of an invoice are what its row says", "invoices", _BOOKED),
    Rule(
        "I9",
        "an operation, a credit note and a ledger transaction have their invoice's currency",
        "operations WHERE invoice_id IS NOT NULL",
        "SELECT o.id, o.kind AS what, o.currency, i.currency AS of_invoice FROM operations o"
        " JOIN invoices i ON i.id = o.invoice_id WHERE o.currency <> i.currency"
        " UNION ALL SELECT n.id, 'credit note', n.currency, i.currency FROM credit_notes n"
        " JOIN invoices i ON i.id = n.invoice_id WHERE n.currency <> i.currency"
        " UNION ALL SELECT t.id, t.kind, t.currency, i.currency FROM ledger_transactions t"
        " JOIN invoices i ON i.id = t.invoice_id WHERE t.currency <> i.currency",
    ),
    Rule(
        "I9",
        "no operation moves less than nothing",
        "operations",
        "SELECT id, kind, amount FROM operations WHERE amount < 0",
    ),
)

_AMOUNTS: Mapping[str, Sequence[str]] = {
    "invoices": (
        "total",
        "tax_total",
        "captured",
        "credited",
        "credited_open",
        "credited_balance",
        "balance_used",
        "paid_outside",
        "carried",
        "disputed",
        "refunded",
    ),
    "invoice_lines": ("amount", "tax_amount", "credited_amount", "credited_tax", "adjusted_amount", "captured_amount"),
    "credit_notes": ("total", "tax_total", "effect_open", "effect_balance", "effect_refund"),
    "operations": ("amount",),
    "ledger_entries": ("amount",),
    "price_items": ("unit_amount",),
}

_WITH_A_CURRENCY = ("invoices", "credit_notes", "operations", "ledger_entries", "ledger_transactions", "prices")

# ISO 4217, the codes that have a minor unit, by its digits.
_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
          CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
          IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
          MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP
          SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG
          YER ZAR ZMW ZWG""",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
CURRENCIES = frozenset(code for codes in _DIGITS.values() for code in codes.split())


def judged_amounts(snapshot: Snapshot) -> Iterator[Finding]:
    """I9: a fraction of a minor unit, which SQLite would keep where PostgreSQL refuses it; and unknown currencies."""
    if snapshot.is_sqlite:
        for table, columns in _AMOUNTS.items():
            wrong = " OR ".join(f"typeof({column}) <> 'integer'" for column in columns)
            yield _amounts(snapshot, table, wrong)
    else:
        yield _column_types(snapshot)
    for table in _WITH_A_CURRENCY:
        counted = list(snapshot.rows(f"SELECT currency, COUNT(*) FROM {table} GROUP BY currency"))
        unknown = [(code, int(count)) for code, count in counted if code not in CURRENCIES]
        yield Finding(
            "I9",
            f"the currencies of {table} are codes of ISO 4217 that have a minor unit",
            sum(int(count) for _, count in counted),
            sum(count for _, count in unknown),
            [{"currency": str(code), "rows": str(count)} for code, count in unknown[:5]],
        )


def _amounts(snapshot: Snapshot, table: str, wrong: str) -> Finding:
    found = list(snapshot.rows(f"SELECT id FROM {table} WHERE {wrong}"))
    sentence = f"the amounts of {table} are whole numbers"
    return Finding("I9", sentence, snapshot.count(table), len(found), [{"id": str(row[0])} for row in found[:5]])


def _column_types(snapshot: Snapshot) -> Finding:
    sql = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = current_schema()"
    )
    wanted = {(table, column) for table, columns in _AMOUNTS.items() for column in columns}
    found = [row for row in snapshot.rows(sql) if (row[0], row[1]) in wanted]
    wrong = [{"column": f"{row[0]}.{row[1]}", "type": row[2]} for row in found if row[2] not in ("integer", "bigint")]
    return Finding("I9", "the columns of amounts hold whole numbers", len(found), len(wrong), wrong[:5])
