"""I2 and I4: no period is lost, and nothing that was sent is forgotten.

`:now` is the instant of the check, `:late` how far back something may lie before it counts as forgotten, `:asked` two
ticks before `:now`.
"""

# ruff: noqa: S608  (every statement is put together from names of this package alone)

from billing.verify.rule import Rule

_UNDER_WAY = "('sending', 'unknown', 'needs_operator')"
_NOT_WITH_A_PERSON = "s.review_reason IS NULL AND s.hold IS NULL"

# A period that costs nothing has no invoice where the plan suppresses those: its price is 0, or something lowers it.
_MAY_BE_FREE = """
EXISTS (SELECT 1 FROM prices r JOIN plans l ON l.id = r.plan_id JOIN subscriptions s ON s.id = p.subscription_id
  WHERE r.id = p.price_id AND l.zero_invoices = 'suppressed'
  AND (NOT EXISTS (SELECT 1 FROM price_items x WHERE x.price_id = r.id AND x.unit_amount > 0 AND NOT x.once)
    OR CAST(r.phases AS text) <> '[]' OR CAST(s.quantities AS text) <> '{}'
    OR EXISTS (SELECT 1 FROM discounts d WHERE d.subscription_id = s.id)))
"""

# Who follows an open invoice: a call that may be happening or is planned, one that waits for its turn or for the end
# of a pause, a review that is looked at, or an authorization that a plan leaves to a person's capture.
_FOLLOWED = f"""
EXISTS (SELECT 1 FROM operations o WHERE o.invoice_id = i.id
  AND o.kind IN ('purchase', 'capture', 'void', 'release', 'extend')
  AND (o.status IN {_UNDER_WAY}
    OR o.status = 'planned' AND (o.due_at IS NOT NULL OR s.status = 'paused' OR c.dunning_paused_at IS NOT NULL)
    OR o.status = 'planned' AND o.kind = 'purchase' AND EXISTS (
      SELECT 1 FROM invoices older WHERE older.subscription_id = i.subscription_id AND older.status = 'open'
      AND older.id <> i.id AND older.opened_at <= i.opened_at
      AND (older.first_declined_at IS NOT NULL OR older.dunning_state <> 'none'))
    OR o.status = 'planned' AND o.kind = 'capture' AND EXISTS (
      SELECT 1 FROM operations a WHERE a.invoice_id = i.id AND a.kind = 'amend'
      AND a.status IN ('planned', 'sending', 'unknown', 'needs_operator'))
    OR o."authorization" = 'pending_review' AND o.next_check_at IS NOT NULL
    OR o.kind = 'purchase' AND o.standing = 'live' AND o."authorization" IN ('authorized', 'part_captured')
      AND EXISTS (SELECT 1 FROM plans l WHERE l.id = s.plan_id AND l.capture <> 'automatic')))
"""

RULES = (
    Rule(
        "I2",
        "a period that was opened to be billed has its invoice",
        "periods WHERE kind IN ('regular', 'stub')",
        "SELECT p.id, p.subscription_id, p.seq, p.kind, p.start_date FROM periods p"
        " LEFT JOIN invoices i ON i.period_id = p.id AND i.kind = 'recurring'"
        f" WHERE p.kind IN ('regular', 'stub') AND i.id IS NULL AND NOT {_MAY_BE_FREE}",
    ),
    Rule(
        "I2",
        "a period that is not billed says why, and a forgiven one who forgave it",
        "periods WHERE kind IN ('withheld', 'forgiven')",
        "SELECT id, subscription_id, seq, kind FROM periods WHERE kind IN ('withheld', 'forgiven') AND (reason IS NULL"
        " OR reason = '') OR kind = 'forgiven' AND (decided_by IS NULL OR decided_by = '')",
    ),
    Rule(
        "I2",
        "the next period of a subscription that goes on opens in time",
        "subscriptions WHERE status <> 'ended'",
        "SELECT s.id, s.status, s.next_period_at, s.due_at FROM subscriptions s WHERE s.status <> 'ended'"
        " AND s.next_period_at <= :late AND (s.not_before IS NULL OR s.not_before <= :late)"
        f" AND {_NOT_WITH_A_PERSON} AND NOT <<s|braked>>",
    ),
    Rule(
        "I2",
        "a subscription that goes on is looked at when its next period opens",
        "subscriptions WHERE status <> 'ended'",
        "SELECT s.id, s.status, s.next_period_at, s.not_before, s.due_at FROM subscriptions s WHERE s.status <> 'ended'"
        " AND s.next_period_at IS NOT NULL AND (s.due_at IS NULL OR s.due_at > s.next_period_at"
        " AND (s.not_before IS NULL OR s.due_at > s.not_before))",
    ),
    Rule(
        "I2",
        "a subscription that is neither over nor standing still has a next period, or is with a person",
        "subscriptions WHERE status <> 'ended'",
        "SELECT s.id, s.status, s.cycles_done, s.term_cycles FROM subscriptions s"
        " WHERE s.status NOT IN ('ended', 'paused', 'unpaid') AND s.next_period_at IS NULL"
        f" AND {_NOT_WITH_A_PERSON} AND NOT (s.term_cycles IS NOT NULL AND s.cycles_done >= s.term_cycles)",
    ),
    Rule(
        "I2",
        "an open invoice whose hour of collection has come is collected, in dunning, asked about, or with a person",
        "invoices WHERE status = 'open'",
        "SELECT i.id, i.subscription_id, i.payment_state, i.dunning_state, i.collect_at, s.status AS subscription"
        " FROM invoices i JOIN subscriptions s ON s.id = i.subscription_id JOIN customers c ON c.id = i.customer_id"
        " WHERE i.status = 'open' AND i.collect_at <= :now AND i.exhausts_at IS NULL AND i.held_because IS NULL"
        f" AND {_NOT_WITH_A_PERSON} AND s.gate_expires_at IS NULL AND i.dunning_state <> 'exhausted'"
        f" AND NOT (i.dunning_state = 'awaiting_token' AND s.token_id IS NULL) AND NOT {_FOLLOWED}",
    ),
    Rule(
        "I2",
        "dunning ends on its day",
        "invoices WHERE status = 'open' AND exhausts_at IS NOT NULL",
        "SELECT i.id, i.subscription_id, i.exhausts_at FROM invoices i"
        " JOIN subscriptions s ON s.id = i.subscription_id JOIN customers c ON c.id = i.customer_id"
        " WHERE i.status = 'open' AND i.exhausts_at <= :late AND s.status <> 'paused'"
        " AND c.dunning_paused_at IS NULL",
    ),
    Rule(
        "I2",
        "a charge is sent when it is due",
        "operations WHERE kind IN ('purchase', 'capture') AND status = 'planned'",
        "SELECT o.id, o.kind, o.invoice_id, o.due_at FROM operations o"
        " JOIN subscriptions s ON s.id = o.subscription_id"
        " WHERE o.kind IN ('purchase', 'capture') AND o.status = 'planned' AND o.due_at <= :late"
        " AND (o.lease_until IS NULL OR o.lease_until <= :now)"
        f" AND {_NOT_WITH_A_PERSON} AND NOT <<o.provider_account|stopped>> AND NOT <<s|braked>>",
    ),
    Rule(
        "I4",
        "a call whose outcome is not known is asked about within two ticks of its next check",
        "operations WHERE status IN ('sending', 'unknown')",
        "SELECT o.id, o.kind, o.status, o.invoice_id, o.sent_at, o.next_check_at FROM operations o"
        " WHERE o.status IN ('sending', 'unknown') AND (o.next_check_at IS NULL OR o.next_check_at <= :asked"
        " AND (o.lease_until IS NULL OR o.lease_until <= :asked) AND NOT <<o.provider_account|stopped>>)",
    ),
)
