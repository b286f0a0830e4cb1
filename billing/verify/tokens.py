"""I18 and I19 by the rows alone: who opened which token for what, and which key each sealed token names."""

from collections.abc import Collection, Iterator

from billing.verify.reading import Snapshot
from billing.verify.report import Finding, row_of
from billing.verify.rule import Rule

_MAGIC = b"RBV1"
_KEY_AT = slice(6, 22)
"""Where a sealed record names its key: after the magic, the suite and the flags (charging rules, section 5)."""

RULES = (
    Rule(
        "I18",
        "no call that carries a token was sent without its audit row",
        "operations WHERE kind IN ('purchase', 'revoke') AND sent_at IS NOT NULL",
        "SELECT o.id, o.kind, o.token_id, o.sends, COALESCE(r.reveals, 0) AS reveals FROM operations o LEFT JOIN ("
        "  SELECT operation_id, COUNT(*) AS reveals FROM audit_reveals WHERE operation_id IS NOT NULL"
        "  GROUP BY operation_id) r ON r.operation_id = o.id"
        " WHERE o.kind IN ('purchase', 'revoke') AND o.origin = 'ours' AND o.sent_at IS NOT NULL"
        " AND COALESCE(r.reveals, 0) < o.sends",
    ),
    Rule(
        "I18",
        "a token is opened once for a claimed operation, or to look at its state",
        "audit_reveals",
        "SELECT r.id, r.operation_id, r.epoch, r.purpose, o.kind, o.epoch AS claims FROM audit_reveals r"
        " LEFT JOIN operations o ON o.id = r.operation_id"
        " WHERE r.operation_id IS NULL AND r.purpose IN ('charge', 'revoke')"
        " OR r.operation_id IS NOT NULL AND (o.id IS NULL OR r.epoch < 1 OR r.epoch > o.epoch"
        "  OR r.purpose = 'charge' AND o.kind <> 'purchase' OR r.purpose = 'revoke' AND o.kind <> 'revoke'"
        "  OR r.purpose = 'check')",
    ),
    Rule(
        "I18",
        "an operation's token is opened once a claim",
        "audit_reveals WHERE operation_id IS NOT NULL",
        "SELECT operation_id, epoch, COUNT(*) AS reveals FROM audit_reveals WHERE operation_id IS NOT NULL"
        " GROUP BY operation_id, epoch HAVING COUNT(*) > 1",
    ),
)


def judged_keys(snapshot: Snapshot, keys: Collection[str] | None) -> Iterator[Finding]:
    """I19: each token that can still be charged is a whole record under the key that its row names; where `keys` (ids
    in hex) are known, one of those. An erased token has nothing left.
    """
    looked_at, wrong = 0, []
    for row in snapshot.rows("SELECT id, status, sealed, kek_id, blind_index FROM tokens"):
        looked_at += 1
        sealed = bytes(row.sealed or b"")
        if row.status == "erased":
            why = "" if not sealed and row.blind_index is None else "it is erased, and something of it is left"
        else:
            why = _flaw(sealed, row.kek_id, keys)
        if why:
            wrong.append(row_of([("id", row.id), ("status", row.status), ("key", row.kek_id), ("because", why)]))
    sentence = "every token that is not erased is sealed under a key that is there"
    yield Finding("I19", sentence, looked_at, len(wrong), wrong[:5])


def _flaw(sealed: bytes, named: str, keys: Collection[str] | None) -> str:
    if sealed[:4] != _MAGIC:
        return "it is no sealed record"
    if sealed[_KEY_AT].hex() != named.replace("-", ""):
        return f"it is sealed under key {sealed[_KEY_AT].hex()}"
    if keys is not None and named not in keys:
        return "that key is not among the keys of the vault"
    return ""
