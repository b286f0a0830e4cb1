"""The books against the provider: our ledger entries and the sandbox's rows, read from both files with plain SQL.

A reader of its own: it shares no code and no connection with the service, opens both files read-only, and believes
neither. What is found on one side only is a difference like any other.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Compared:
    """One currency of one comparison: how many rows were put side by side, and both sums in minor units."""

    what: str
    currency: str
    rows: int
    ours: int
    theirs: int
    differing: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One order, capture or refund on which the two disagree, in minor units."""

    what: str
    order_id: str
    currency: str
    ours: int
    theirs: int


# Side by side: what, order, the row's own names on both sides, currency, our minor units, theirs. An order is compared
# three times: what it holds (its purchase), what was taken and what was given back (its ledger entries).
_SIDES = """
CREATE TEMP VIEW entered AS
  SELECT t.kind, p.provider_id AS order_id, o.provider_id AS row_id, o.merchant_reference AS reference, e.currency,
    CASE t.kind WHEN 'refund' THEN -e.amount ELSE e.amount END AS amount
  FROM main.ledger_entries e JOIN main.ledger_transactions t ON t.id = e.transaction_id
  LEFT JOIN main.operations o ON o.id = t.operation_id LEFT JOIN main.operations p ON p.id = o.purchase_id
  WHERE e.account = 'provider_clearing';
CREATE TEMP VIEW sides (what, order_id, name, currency, ours, theirs) AS
  SELECT 'order authorized', provider_id, 'inv_' || invoice_id || ' ' || merchant_reference, currency, amount, 0
    FROM main.operations WHERE kind = 'purchase' AND provider_id IS NOT NULL
    AND authorization NOT IN ('none', 'voided', 'released', 'expired', 'rejected')
  UNION ALL SELECT 'order authorized', order_id, merchant_reference1 || ' ' || merchant_reference2, currency, 0,
    order_amount FROM provider.orders WHERE status <> 'CANCELLED'
  UNION ALL SELECT CASE kind WHEN 'refund' THEN 'order given back' ELSE 'order taken' END, order_id, '', currency,
    amount, 0 FROM entered
  UNION ALL SELECT 'order taken', order_id, '', currency, 0, captured_amount FROM provider.orders
  UNION ALL SELECT 'order given back', order_id, '', currency, 0, refunded_amount FROM provider.orders
  UNION ALL SELECT kind, order_id, row_id || ' ' || reference, currency, amount, 0 FROM entered
  UNION ALL SELECT 'capture', c.order_id, c.capture_id || ' ' || c.reference, o.currency, 0, c.amount
    FROM provider.captures c LEFT JOIN provider.orders o ON o.order_id = c.order_id
  UNION ALL SELECT 'refund', r.order_id, r.refund_id || ' ' || r.reference, o.currency, 0, r.amount
    FROM provider.refunds r LEFT JOIN provider.orders o ON o.order_id = r.order_id;
CREATE TEMP TABLE compared AS
  SELECT what, coalesce(order_id, '') AS order_id, coalesce(currency, 'XXX') AS currency,
    sum(ours) AS ours, sum(theirs) AS theirs FROM sides GROUP BY what, order_id, name, currency;
"""

# A difference shows in a capture and in its order, but counts once: per order, the comparison that differs most.
_BY_CURRENCY = """
SELECT currency, sum(worst) FROM (
  SELECT currency, max(differing) AS worst FROM (
    SELECT currency, order_id, what, sum(abs(ours - theirs)) AS differing
    FROM compared WHERE ours <> theirs GROUP BY currency, order_id, what)
  GROUP BY currency, order_id)
GROUP BY currency ORDER BY currency
"""

_SUMMARY = """
SELECT what, currency, count(*), sum(ours), sum(theirs), sum(ours <> theirs) FROM compared
WHERE ours <> 0 OR theirs <> 0 GROUP BY what, currency ORDER BY currency, what
"""

_DIFFERENCES = """
SELECT what, order_id, currency, ours, theirs FROM compared WHERE ours <> theirs
ORDER BY currency, order_id, what, ours, theirs
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comes of holding the two sets of books against each other.

    `difference` is currency -> minor units, and empty where they agree.
    """

    difference: dict[str, int]
    summary: tuple[Compared, ...]
    differences: tuple[Difference, ...]


@contextmanager
def opened(service_file: Path, sandbox_file: Path) -> Iterator[sqlite3.Connection]:
    """Both files in one connection, read-only: ours as `main`, the sandbox's as `provider`. Raises sqlite3.Error."""
    connection = sqlite3.connect(_read_only(service_file), uri=True)
    try:
        connection.execute("ATTACH DATABASE ? AS provider", (_read_only(sandbox_file),))
        yield connection
    finally:
        connection.close()


def compare(connection: sqlite3.Connection) -> Comparison:
    """Hold every order, capture and refund of `opened` books against the other side's."""
    connection.executescript(_SIDES)
    return Comparison(
        dict(connection.execute(_BY_CURRENCY).fetchall()),
        tuple(Compared(*row) for row in connection.execute(_SUMMARY)),
        tuple(Difference(*row) for row in connection.execute(_DIFFERENCES)),
    )


def frozen_clock(sandbox_file: Path) -> datetime | None:
    """The instant (aware UTC) at which the sandbox's clock was left standing; None before it was ever set.

    Its own answer does not tell a frozen clock from the real one, which may be past the story one day.
    """
    connection = sqlite3.connect(_read_only(sandbox_file), uri=True)
    try:
        row = connection.execute("SELECT frozen_at FROM clock").fetchone()
    finally:
        connection.close()
    return datetime.fromisoformat(row[0]) if row and row[0] else None


def _read_only(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"
