"""I1, I5 and I12: at most one purchase that may take money, the next one only after proof, none past a closed gate."""

# ruff: noqa: S608  (every statement is put together from names of this package alone)

from billing.verify.rule import Rule

_PURCHASES = "operations WHERE kind = 'purchase'"

# What ends or closes a subscription to charges, and what opens it again, in the order of its own events.
_TURNS = """
SELECT subscription_id, seq, type, at, LEAD(at) OVER (PARTITION BY subscription_id ORDER BY seq) AS until_at FROM events
WHERE type IN ('subscription.paused', 'subscription.resumed', 'subscription.ended', 'subscription.unpaid')
"""

# A clock that was put back says nothing about what came first: then an answer is older than its call, or the events of
# the subscription run backwards.
_CLOCK_RAN = """
(o.settled_at IS NULL OR o.settled_at >= o.sent_at) AND NOT EXISTS (SELECT 1 FROM events e JOIN events f
  ON f.subscription_id = e.subscription_id AND f.seq = e.seq + 1 AND <<f.at|later>> < e.at
  WHERE e.subscription_id = o.subscription_id)
"""

RULES = (
    Rule(
        "I1",
        "an invoice has at most one live purchase",
        _PURCHASES,
        "SELECT invoice_id, MIN(provider_account) AS provider_account, COUNT(*) AS live"
        " FROM operations WHERE kind = 'purchase' AND standing = 'live'"
        " GROUP BY invoice_id HAVING COUNT(*) > 1",
        stops=True,
    ),
    Rule(
        "I1",
        "a period has at most one recurring invoice",
        "invoices WHERE kind = 'recurring'",
        "SELECT period_id, MIN(provider_account) AS provider_account, COUNT(*) AS invoices"
        " FROM invoices WHERE kind = 'recurring'"
        " GROUP BY period_id HAVING COUNT(*) > 1",
        stops=True,
    ),
    Rule(
        "I5",
        "an earlier purchase of an invoice is dead, with its proof",
        _PURCHASES,
        "SELECT o.id, o.invoice_id, o.n, o.status, o.standing, later.last_n FROM operations o JOIN ("
        "  SELECT invoice_id, MAX(n) AS last_n FROM operations WHERE kind = 'purchase'"
        "  GROUP BY invoice_id HAVING COUNT(*) > 1) later ON later.invoice_id = o.invoice_id"
        " WHERE o.kind = 'purchase' AND o.n < later.last_n"
        " AND (o.standing <> 'dead' OR o.dead_because IS NULL OR o.dead_because = '')",
    ),
    Rule(
        "I5",
        "a purchase that is dead can take no money any more",
        _PURCHASES,
        'SELECT id, invoice_id, status, "authorization", dead_because FROM operations'
        " WHERE kind = 'purchase' AND standing = 'dead' AND (status IN ('planned', 'sending', 'unknown')"
        " OR \"authorization\" IN ('pending_review', 'authorized', 'part_captured', 'captured'))",
    ),
    Rule(
        "I5",
        "the purchases of an invoice are counted 1, 2, 3",
        _PURCHASES,
        "SELECT invoice_id, COUNT(*) AS purchases, MIN(n) AS first_n, MAX(n) AS last_n FROM operations"
        " WHERE kind = 'purchase' GROUP BY invoice_id HAVING MIN(n) <> 1 OR MAX(n) <> COUNT(*)",
    ),
    Rule(
        "I12",
        "an authorization that nobody wants is given back",
        _PURCHASES,
        'SELECT p.id, p.invoice_id, p.provider_account, p."authorization", i.status AS invoice,'
        " s.status AS subscription"
        " FROM operations p JOIN invoices i ON i.id = p.invoice_id JOIN subscriptions s ON s.id = p.subscription_id"
        " WHERE p.kind = 'purchase' AND p.standing = 'live' AND p.\"authorization\" IN ('authorized', 'part_captured')"
        # What was authorized before a subscription ended may still be taken: its last period was used.
        " AND (i.status <> 'open' OR s.status = 'ended' AND p.settled_at > <<s.ended_at|later>>)"
        " AND NOT EXISTS (SELECT 1 FROM operations v WHERE v.purchase_id = p.id"
        " AND v.kind IN ('void', 'release', 'capture') AND v.status NOT IN ('succeeded', 'declined', 'dropped'))",
        stops=True,
    ),
    Rule(
        "I12",
        "a purchase that nobody has sent yet belongs to an open invoice of a subscription that goes on",
        _PURCHASES,
        "SELECT p.id, p.invoice_id, p.provider_account, i.status AS invoice, s.status AS subscription"
        " FROM operations p JOIN invoices i ON i.id = p.invoice_id JOIN subscriptions s ON s.id = p.subscription_id"
        " WHERE p.kind = 'purchase' AND p.status = 'planned' AND i.status IN ('paid', 'void', 'discarded')",
        stops=True,
    ),
    Rule(
        "I12",
        "nothing was charged after a subscription was paused or had ended",
        _PURCHASES,
        "SELECT o.id, o.subscription_id, o.provider_account, t.type AS closed_by, t.at AS closed_at, o.sent_at"
        f" FROM operations o JOIN ({_TURNS}) t ON t.subscription_id = o.subscription_id"
        " WHERE o.kind = 'purchase' AND o.origin = 'ours' AND o.sent_at IS NOT NULL"
        " AND t.type IN ('subscription.paused', 'subscription.ended') AND o.sent_at > <<t.at|later>>"
        " AND (t.until_at IS NULL OR <<o.sent_at|later>> < t.until_at)"
        f" AND {_CLOCK_RAN}",
        stops=True,
    ),
    Rule(
        "I12",
        "nothing was charged past the end that was asked for",
        _PURCHASES,
        "SELECT o.id, o.subscription_id, o.provider_account, s.cancel_at, o.sent_at FROM operations o"
        " JOIN subscriptions s ON s.id = o.subscription_id WHERE o.kind = 'purchase' AND o.origin = 'ours'"
        " AND s.cancel_at IS NOT NULL AND o.sent_at > <<s.cancel_at|later>>"
        f" AND {_CLOCK_RAN}",
        stops=True,
    ),
    Rule(
        "I12",
        "nothing was charged for an invoice that was paid or closed before",
        _PURCHASES,
        "SELECT o.id, o.invoice_id, o.provider_account, i.status AS invoice, i.paid_at, i.closed_at, o.sent_at"
        " FROM operations o"
        " JOIN invoices i ON i.id = o.invoice_id WHERE o.kind = 'purchase' AND o.origin = 'ours'"
        f" AND {_CLOCK_RAN}"
        " AND (i.status = 'paid' AND o.sent_at > <<i.paid_at|later>>"
        " OR i.status = 'void' AND o.sent_at > <<i.closed_at|later>>)",
        stops=True,
    ),
    Rule(
        "I12",
        "nothing was charged through an account after it was stopped",
        _PURCHASES,
        "SELECT o.id, o.provider_account, a.halted_at, o.sent_at FROM operations o"
        " JOIN provider_accounts a ON a.name = o.provider_account WHERE o.kind = 'purchase' AND o.origin = 'ours'"
        " AND a.halted_at IS NOT NULL AND o.sent_at > <<a.halted_at|later>>"
        f" AND {_CLOCK_RAN}",
        stops=True,
    ),
)
