"""The books as one table: every order, capture, refund and void of both generations, with the merchant's references."""

import csv
import io

from billing.sandbox.world import World

COLUMNS = (
    "generation",
    "kind",
    "id",
    "order_id",
    "amount",
    "currency",
    "merchant_reference1",
    "merchant_reference2",
    "reference",
    "idempotency_key",
    "status",
    "at",
)
"""Amounts are minor units; instants are UTC. `reference1` is the order number (`orderid2`), `reference2` the
merchant's own reference (`orderid1`), `reference` that of the capture or refund itself (its credit number)."""

_ROWS = """
SELECT generation, 'order' AS kind, order_id AS id, order_id, order_amount AS amount, currency, merchant_reference1,
  merchant_reference2, NULL AS reference, idempotency_key, status, created_at AS at FROM orders
UNION ALL SELECT o.generation, 'capture', c.capture_id, c.order_id, c.amount, o.currency, o.merchant_reference1,
  o.merchant_reference2, c.reference, NULL, c.risk, c.captured_at FROM captures c JOIN orders o USING (order_id)
UNION ALL SELECT o.generation, 'refund', r.refund_id, r.order_id, r.amount, o.currency, o.merchant_reference1,
  o.merchant_reference2, r.reference, NULL, r.kind, r.refunded_at FROM refunds r JOIN orders o USING (order_id)
UNION ALL SELECT o.generation, 'void', v.id, v.order_id, v.amount, o.currency, o.merchant_reference1,
  o.merchant_reference2, NULL, v.idempotency_key, v.kind, v.voided_at FROM voids v JOIN orders o USING (order_id)
ORDER BY at, order_id, kind
"""


def table(world: World) -> str:
    """CSV with a heading; a missing value is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(tuple(row) for row in world.ledger.rows(_ROWS))
    return text.getvalue()
