"""I11: states, and combinations of states, that no listed transition leads to; final states that did not stay final."""

# ruff: noqa: S608  (every statement is put together from names of this package alone)

from collections.abc import Mapping, Sequence

from billing.verify.rule import Rule

_STATES: Mapping[str, Sequence[str]] = {
    "subscriptions.status": ("pending", "trialing", "active", "past_due", "paused", "unpaid", "ended"),
    "invoices.status": ("draft", "open", "paid", "void", "uncollectible", "discarded"),
    "operations.status": (
        "planned",
        "sending",
        "unknown",
        "succeeded",
        "declined",
        "dropped",
        "needs_operator",
    ),
    'operations."authorization"': (
        "none",
        "pending_review",
        "authorized",
        "part_captured",
        "captured",
        "released",
        "voided",
        "expired",
        "rejected",
    ),
    "tokens.status": ("active", "suspended", "revoked", "erased"),
    "disputes.status": ("open", "won", "lost"),
}


def _known(name: str, states: Sequence[str]) -> Rule:
    table, column = name.split(".")
    listed = ", ".join(f"'{state}'" for state in states)
    return Rule(
        "I11",
        f"every {column.strip(chr(34))} of {table} is a listed one",
        table,
        f"SELECT id, {column} FROM {table} WHERE {column} IS NULL OR {column} NOT IN ({listed})",
    )


# Somebody's word that an operation came to its end: an answer that settled it, or a person's decision.
_DECIDED = "OR EXISTS (SELECT 1 FROM decisions d WHERE d.operation_id = o.id)"

RULES = (
    *(_known(name, states) for name, states in _STATES.items()),
    Rule(
        "I11",
        "an ended subscription says when and why, and is never due again",
        "subscriptions",
        "SELECT id, status, ended_at, end_reason, due_at, next_period_at FROM subscriptions"
        " WHERE status = 'ended' AND (ended_at IS NULL OR end_reason IS NULL OR due_at IS NOT NULL"
        " OR next_period_at IS NOT NULL) OR status <> 'ended' AND (ended_at IS NOT NULL OR end_reason IS NOT NULL)",
    ),
    Rule(
        "I11",
        "a paused subscription says since when and how",
        "subscriptions WHERE status = 'paused'",
        "SELECT id, paused_at, pause_mode FROM subscriptions WHERE status = 'paused'"
        " AND (paused_at IS NULL OR pause_mode IS NULL)",
    ),
    Rule(
        "I11",
        "a subscription ends once, and has ended where its events say so",
        "events WHERE type = 'subscription.ended'",
        "SELECT s.id, s.status, COALESCE(e.ends, 0) AS ends FROM subscriptions s LEFT JOIN ("
        "  SELECT subscription_id, COUNT(*) AS ends FROM events WHERE type = 'subscription.ended'"
        "  GROUP BY subscription_id) e ON e.subscription_id = s.id"
        " WHERE COALESCE(e.ends, 0) <> CASE s.status WHEN 'ended' THEN 1 ELSE 0 END",
    ),
    Rule(
        "I11",
        "a subscription that runs has begun: it has a period once it is more than pending",
        "subscriptions WHERE status IN ('trialing', 'paused', 'unpaid', 'past_due')",
        "SELECT s.id, s.status FROM subscriptions s WHERE s.status IN ('trialing', 'paused', 'unpaid', 'past_due')"
        " AND NOT EXISTS (SELECT 1 FROM periods p WHERE p.subscription_id = s.id)",
    ),
    Rule(
        "I11",
        "a paid invoice says when, an open one is neither paid nor closed, a void or uncollectible one is closed",
        "invoices",
        "SELECT id, status, paid_at, closed_at FROM invoices WHERE status = 'paid' AND paid_at IS NULL"
        " OR status = 'open' AND (paid_at IS NOT NULL OR closed_at IS NOT NULL)"
        " OR status IN ('void', 'uncollectible') AND closed_at IS NULL",
    ),
    Rule(
        "I11",
        "nothing was captured of a void invoice, and no dunning goes on for a paid one",
        "invoices WHERE status IN ('paid', 'void')",
        "SELECT id, status, captured, dunning_state FROM invoices WHERE status = 'void' AND captured > 0"
        " OR status = 'paid' AND dunning_state <> 'none'",
    ),
    Rule(
        "I11",
        "a purchase has a standing and nothing else has; a declined or dropped one is dead",
        "operations",
        "SELECT id, kind, status, standing FROM operations WHERE (kind = 'purchase') <> (standing IS NOT NULL)"
        " OR kind = 'purchase' AND status IN ('declined', 'dropped') AND standing <> 'dead'",
    ),
    Rule(
        "I11",
        "a call that came to its end says when, and nobody asks about it any more",
        "operations WHERE status IN ('succeeded', 'declined', 'dropped')",
        "SELECT id, kind, status, settled_at, next_check_at, lease_until FROM operations"
        " WHERE status IN ('succeeded', 'declined', 'dropped') AND (settled_at IS NULL AND origin = 'ours'"
        " OR next_check_at IS NOT NULL AND \"authorization\" <> 'pending_review')",
    ),
    Rule(
        "I11",
        "what may be happening was frozen before it was sent",
        "operations WHERE status IN ('sending', 'unknown')",
        "SELECT id, kind, status, sent_at, sends FROM operations WHERE status IN ('sending', 'unknown')"
        " AND (key IS NULL OR request IS NULL OR sent_at IS NULL OR sends < 1)",
    ),
    Rule(
        "I11",
        "only a purchase has an authorization: one that succeeded has, one that never did has none",
        "operations",
        'SELECT id, kind, status, "authorization" FROM operations'
        " WHERE kind <> 'purchase' AND \"authorization\" <> 'none'"
        " OR kind = 'purchase' AND status = 'succeeded' AND \"authorization\" = 'none'"
        " OR kind = 'purchase' AND status IN ('planned', 'sending', 'unknown', 'declined', 'dropped')"
        "  AND \"authorization\" NOT IN ('none', 'expired', 'voided')",
    ),
    Rule(
        "I11",
        "an authorization holds what is left of it, and nothing once it is over",
        "operations WHERE kind = 'purchase' AND status = 'succeeded'",
        "SELECT id, invoice_id, \"authorization\", amount, remaining FROM operations WHERE kind = 'purchase'"
        " AND status = 'succeeded' AND (\"authorization\" IN ('authorized', 'part_captured')"
        "  AND (remaining IS NULL OR remaining <= 0 OR remaining > amount)"
        " OR \"authorization\" IN ('captured', 'voided', 'released', 'expired') AND remaining <> 0)",
    ),
    Rule(
        "I11",
        "an order that is captured, wholly or in part, has its capture; one that is not has none",
        "operations WHERE kind = 'purchase' AND status = 'succeeded'",
        'SELECT p.id, p.invoice_id, p."authorization", COALESCE(c.captures, 0) AS captures FROM operations p'
        " LEFT JOIN (SELECT purchase_id, COUNT(*) AS captures FROM operations WHERE kind = 'capture'"
        "   AND status = 'succeeded' GROUP BY purchase_id) c ON c.purchase_id = p.id"
        " WHERE p.kind = 'purchase' AND (p.\"authorization\" IN ('captured', 'part_captured')"
        "  AND COALESCE(c.captures, 0) = 0 AND p.origin = 'ours'"
        " OR p.\"authorization\" IN ('none', 'pending_review', 'authorized', 'voided', 'rejected')"
        "  AND COALESCE(c.captures, 0) > 0)",
    ),
    Rule(
        "I11",
        "no call succeeded or was declined by nobody's word",
        "operations WHERE status IN ('succeeded', 'declined')",
        "SELECT o.id, o.kind, o.status FROM operations o WHERE o.status IN ('succeeded', 'declined')"
        " AND o.origin = 'ours' AND NOT (EXISTS (SELECT 1 FROM observations b WHERE b.operation_id = o.id"
        f" AND b.settled) {_DECIDED})",
        needs="decisions",
    ),
    Rule(
        "I11",
        "what an answer settled as done is not held for undone",
        "observations WHERE settled AND outcome = 'succeeded'",
        "SELECT o.id, o.kind, o.status FROM operations o WHERE o.status IN ('planned', 'declined', 'dropped')"
        " AND EXISTS (SELECT 1 FROM observations b WHERE b.operation_id = o.id AND b.settled"
        f" AND b.outcome = 'succeeded') AND NOT (1 = 0 {_DECIDED})",
        needs="decisions",
    ),
    Rule(
        "I11",
        "a dispute that is decided says when",
        "disputes",
        "SELECT id, invoice_id, status FROM disputes WHERE (status = 'open') <> (closed_at IS NULL)",
    ),
)
