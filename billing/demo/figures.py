"""The figures of the demo, counted from the two files alone: a demo that was killed and resumed ends with the same."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billing.demo.books import Comparison, compare, opened
from billing.demo.catalogue import Customer

NOBODY = "(nobody of ours)"
"""The behaviour of what belongs to no customer of the catalogue; there should be none of it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened, for one scripted behaviour or in total."""

    renewals: int = 0
    """Recurring invoices that ask for money."""
    captured: int = 0
    emailed: int = 0
    """Send-outs of the provider: at each capture, and once more where the plan asks for it."""
    declined: int = 0
    recovered: int = 0
    """Invoices that were declined and then paid."""
    ended_unpaid: int = 0
    canceled: int = 0
    credited: int = 0
    credited_by_article: int = 0
    unknown: int = 0
    """Calls whose answer the provider spoilt or withheld."""
    replayed: int = 0
    """Those of them that are known by now."""
    silences: int = 0
    five_hundreds: int = 0
    needs_operator: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """The end of the demo: counts in total and by behaviour, and the books against the provider."""

    total: Counts
    by_behaviour: Mapping[str, Counts]
    books: Comparison
    seconds: float
    """Real time that the telling took."""

    def as_json(self) -> dict[str, Any]:
        """The thirteen keys of the demo's JSON file; `ledger_difference` is currency -> minor units, or empty."""
        named = {name: getattr(self.total, name) for name in _IN_JSON}
        return {**named, "ledger_difference": dict(self.books.difference), "seconds": round(self.seconds, 1)}


_IN_JSON = (
    "renewals",
    "captured",
    "emailed",
    "declined",
    "recovered",
    "ended_unpaid",
    "canceled",
    "credited",
    "unknown",
    "replayed",
    "needs_operator",
)

_PREPARED = """
CREATE TEMP TABLE billed AS
  SELECT i.id, i.kind, i.total, i.status, i.first_declined_at, p.behaviour
  FROM main.invoices i JOIN main.customers c ON c.id = i.customer_id LEFT JOIN players p ON p.reference = c.reference;
CREATE UNIQUE INDEX temp.billed_by_id ON billed (id);
CREATE TEMP TABLE ended AS
  SELECT s.end_reason, p.behaviour FROM main.subscriptions s JOIN main.customers c ON c.id = s.customer_id
  LEFT JOIN players p ON p.reference = c.reference;
CREATE TEMP TABLE ordered AS
  SELECT o.order_id, b.behaviour FROM provider.orders o
  LEFT JOIN billed b ON b.id = substr(o.merchant_reference1, 5);
CREATE UNIQUE INDEX temp.ordered_by_id ON ordered (order_id);
CREATE TEMP TABLE refused AS
  SELECT d.idempotency_key, b.behaviour FROM provider.declines d
  LEFT JOIN billed b ON b.id = substr(d.merchant_reference1, 5);
CREATE TEMP TABLE spoilt AS
  SELECT f.idempotency_key, b.behaviour,
    f.fault LIKE 'silence%' AS is_silence, f.fault LIKE '500%' AS is_five_hundred,
    coalesce(o.status NOT IN ('planned', 'sending', 'unknown', 'needs_operator'), 0) AS is_known
  FROM provider.faults f LEFT JOIN main.operations o ON o.key = replace(f.idempotency_key, '-', '')
  LEFT JOIN billed b ON b.id = o.invoice_id;
"""

# Each gives behaviour and count. The provider's rows are counted at the provider; what is ours, in our file.
_COUNTED = {
    "renewals": "SELECT behaviour, count(*) FROM billed WHERE kind = 'recurring' AND total > 0 GROUP BY 1",
    "captured": "SELECT behaviour, count(*) FROM provider.captures c LEFT JOIN ordered USING (order_id) GROUP BY 1",
    "emailed": "SELECT behaviour, count(*) FROM provider.send_outs c LEFT JOIN ordered USING (order_id) GROUP BY 1",
    "declined": "SELECT behaviour, count(DISTINCT idempotency_key) FROM refused GROUP BY 1",
    "recovered": """
      SELECT behaviour, count(*) FROM billed WHERE first_declined_at IS NOT NULL AND status = 'paid' GROUP BY 1""",
    "ended_unpaid": "SELECT behaviour, count(*) FROM ended WHERE end_reason = 'unpaid' GROUP BY 1",
    "canceled": "SELECT behaviour, count(*) FROM ended WHERE end_reason = 'canceled' GROUP BY 1",
    "credited": "SELECT behaviour, count(*) FROM main.credit_notes n JOIN billed b ON b.id = n.invoice_id GROUP BY 1",
    "credited_by_article": """
      SELECT behaviour, count(DISTINCT n.id) FROM main.credit_notes n JOIN billed b ON b.id = n.invoice_id
      JOIN main.credit_note_lines l ON l.credit_note_id = n.id AND l.how = 'quantity' GROUP BY 1""",
    "unknown": "SELECT behaviour, count(DISTINCT idempotency_key) FROM spoilt GROUP BY 1",
    "replayed": "SELECT behaviour, count(DISTINCT idempotency_key) FROM spoilt WHERE is_known GROUP BY 1",
    "silences": """
      SELECT behaviour, count(DISTINCT idempotency_key) FROM spoilt WHERE is_known AND is_silence GROUP BY 1""",
    "five_hundreds": """
      SELECT behaviour, count(DISTINCT idempotency_key) FROM spoilt WHERE is_known AND is_five_hundred GROUP BY 1""",
    "needs_operator": """
      SELECT behaviour, count(*) FROM main.operations o JOIN billed b ON b.id = o.invoice_id
      WHERE o.status = 'needs_operator' GROUP BY 1""",
}


def read_figures(
    service_file: Path, sandbox_file: Path, customers: Iterable[Customer], seconds: float = 0.0
) -> Figures:
    """Count and compare. Raises sqlite3.Error for files that are not what they should be."""
    with opened(service_file, sandbox_file) as connection:
        players = [(customer.reference, customer.part) for customer in customers]
        by_behaviour = _by_behaviour(connection, players)
        return Figures(_summed(by_behaviour.values()), by_behaviour, compare(connection), seconds)


def _by_behaviour(connection: sqlite3.Connection, players: list[tuple[str, str]]) -> dict[str, Counts]:
    connection.execute("CREATE TEMP TABLE players (reference TEXT PRIMARY KEY, behaviour TEXT NOT NULL)")
    connection.executemany("INSERT INTO players VALUES (?, ?)", players)
    connection.executescript(_PREPARED)
    found: dict[str, dict[str, int]] = {behaviour: {} for _, behaviour in players}
    for name, sql in _COUNTED.items():
        for behaviour, count in connection.execute(sql):
            found.setdefault(behaviour or NOBODY, {})[name] = count
    return {behaviour: Counts(**counts) for behaviour, counts in found.items()}


def _summed(counts: Iterable[Counts]) -> Counts:
    rows = list(counts)
    return Counts(**{name: sum(getattr(row, name) for row in rows) for name in _COUNTED})
