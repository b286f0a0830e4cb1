"""What Klarna's refusals mean in our words: one table of HTTP status and error code, by kind of call where it matters.

Decided by status and code, never by the text. What the table does not list is nobody's decision: `UNKNOWN` where
money moves, `REFUSED` where it does not. Sources are sections of Klarna's REST wire facts and of the charging rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from billing.domain.operations import OperationKind

ANY = "*"
"""Stands for every code, and for none, that has no row of its own at that status."""

_PURCHASE = frozenset({OperationKind.PURCHASE})
_ALL = frozenset(OperationKind)
_REVOKE = frozenset({OperationKind.REVOKE})
_MOVES_NO_MONEY = frozenset(
    {
        OperationKind.EMAIL_INVOICE,
        OperationKind.SHIP,
        OperationKind.EXTEND,
        OperationKind.REVOKE,
        OperationKind.AMEND,
        OperationKind.RELEASE,
    }
)


class Verdict(StrEnum):
    """What follows from an answer that is no success; the first three are a declined charge."""

    SOFT = "soft"
    HARD = "hard"
    SUSPENDED = "suspended"
    REFUSED = "refused"
    POSTPONED = "postponed"
    ACCOUNT_STOPPED = "account_stopped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Row:
    """One documented answer. `error_code` None means that the body has none."""

    http_status: int
    error_code: str | None
    verdict: Verdict
    source: str
    kinds: frozenset[OperationKind] = _ALL


ROWS: tuple[Row, ...] = (
    # The charge of a token.
    Row(403, "PAYMENT_METHOD_FAILED", Verdict.SOFT, "wire 3", _PURCHASE),
    Row(403, "TOKEN_SUSPENDED", Verdict.SUSPENDED, "wire 3", _PURCHASE),
    Row(403, "TOKEN_CANCELLED", Verdict.HARD, "wire 3", _PURCHASE),
    Row(403, "TOKEN_CANCELED", Verdict.HARD, "wire 3 (the spelling of one page)", _PURCHASE),
    Row(403, "UNAVAILABLE_PAYMENT_METHOD", Verdict.HARD, "wire 3", _PURCHASE),
    Row(404, "TOKEN_NOT_FOUND", Verdict.HARD, "wire 3; charging 2, tokens", _PURCHASE),
    # A token that Klarna no longer knows is as gone as one that it has just canceled.
    Row(404, "TOKEN_NOT_FOUND", Verdict.HARD, "wire 3", _REVOKE),
    Row(404, "NOT_FOUND", Verdict.HARD, "wire 3", _REVOKE),
    Row(403, "TOKEN_FORBIDDEN", Verdict.REFUSED, "wire 3; charging 2, tokens", _PURCHASE),
    Row(403, "PAYMENT_METHOD_CURRENCY_MISMATCH", Verdict.REFUSED, "wire 3; charging 2, tokens", _PURCHASE),
    # The caller, not the request: nothing happened.
    Row(401, "UNAUTHORIZED", Verdict.ACCOUNT_STOPPED, "wire 6"),
    Row(401, ANY, Verdict.ACCOUNT_STOPPED, "charging 2, classes of answer"),
    Row(403, None, Verdict.ACCOUNT_STOPPED, "wire 6 (may be a shield against floods); charging 2"),
    Row(429, "TOO_MANY_REQUESTS", Verdict.POSTPONED, "wire 1, 3, 6"),
    Row(429, ANY, Verdict.POSTPONED, "charging 2: 429 with an error body"),
    Row(429, None, Verdict.UNKNOWN, "charging 2: 429 without an error body is not Klarna's own"),
    # Not in this state, or not at all.
    Row(403, "CAPTURE_NOT_ALLOWED", Verdict.REFUSED, "wire 4, 6"),
    Row(403, "REFUND_NOT_ALLOWED", Verdict.REFUSED, "wire 4, 6"),
    Row(403, "CANCEL_NOT_ALLOWED", Verdict.REFUSED, "wire 4, 6"),
    Row(403, "NOT_ALLOWED", Verdict.REFUSED, "wire 4, 6"),
    Row(403, "INVALID_OPERATION", Verdict.REFUSED, "wire 3, 6"),
    Row(403, "MERCHANT_INACTIVE", Verdict.REFUSED, "wire 6; charging 2, tokens"),
    Row(403, "REJECTED", Verdict.REFUSED, "wire 6"),
    Row(400, "BAD_REQUEST", Verdict.REFUSED, "wire 3, 6"),
    Row(400, "BAD_VALUE", Verdict.REFUSED, "wire 3, 6"),
    Row(400, "NOT_FOUND", Verdict.REFUSED, "wire 4 (a refund), 6"),
    Row(400, ANY, Verdict.REFUSED, "charging 2, classes of answer"),
    Row(404, "NO_SUCH_ORDER", Verdict.REFUSED, "wire 4, 6"),
    Row(404, "NO_SUCH_CAPTURE", Verdict.REFUSED, "wire 4, 6"),
    Row(404, "NOT_FOUND", Verdict.REFUSED, "wire 3, 4, 6", _ALL - _REVOKE),
    Row(404, "SESSION_COMPLETED", Verdict.REFUSED, "wire 6"),
    Row(404, ANY, Verdict.REFUSED, "charging 2, classes of answer"),
    Row(409, "CONFLICT", Verdict.REFUSED, "wire 6"),
    Row(409, "BAD_VALUE", Verdict.REFUSED, "wire 3"),
    Row(409, ANY, Verdict.REFUSED, "wire 3 (may come without a body); charging 2"),
    Row(413, "REQUEST_TOO_LARGE", Verdict.REFUSED, "wire 1, 6"),
    Row(413, ANY, Verdict.REFUSED, "charging 2, classes of answer"),
    Row(422, "UNPROCESSABLE_ENTITY", Verdict.REFUSED, "wire 6"),
    Row(422, "INVALID_ADDRESS", Verdict.REFUSED, "wire 6"),
    Row(422, ANY, Verdict.REFUSED, "charging 2, classes of answer"),
    # Klarna's own trouble: it may have happened.
    Row(500, "INTERNAL_SERVER_ERROR", Verdict.UNKNOWN, "wire 3, 6"),
    Row(500, "UNEXPECTED_ERROR", Verdict.UNKNOWN, "wire 6"),
    Row(500, "INTERNAL_ERROR", Verdict.UNKNOWN, "wire 1"),
    Row(500, "TIMEOUT", Verdict.UNKNOWN, "wire 1, 6"),
    Row(502, "TEMPORARILY_UNAVAILABLE", Verdict.UNKNOWN, "wire 6"),
    Row(503, "TEMPORARILY_UNAVAILABLE", Verdict.UNKNOWN, "wire 6"),
    Row(503, "SERVICE_UNAVAILABLE", Verdict.UNKNOWN, "wire 3, 6"),
    Row(504, "TEMPORARILY_UNAVAILABLE", Verdict.UNKNOWN, "wire 6"),
)


def verdict(kind: OperationKind, http_status: int, error_code: str | None) -> Verdict:
    """What an answer without success means for a call of `kind`. Never raises: what is not listed has a rule too."""
    row = listed(kind, http_status, error_code)
    if row is not None:
        return row.verdict
    is_refusal = 400 <= http_status < 500
    return Verdict.REFUSED if is_refusal and kind in _MOVES_NO_MONEY else Verdict.UNKNOWN


def listed(kind: OperationKind, http_status: int, error_code: str | None) -> Row | None:
    """The row that speaks of this answer: the one of the code itself before the one of the whole status."""
    return _TABLE.get((kind, http_status, error_code)) or _TABLE.get((kind, http_status, ANY))


def _by_kind() -> Iterator[tuple[tuple[OperationKind, int, str | None], Row]]:
    for row in ROWS:
        for kind in row.kinds:
            yield (kind, row.http_status, row.error_code), row


_TABLE = dict(_by_kind())
