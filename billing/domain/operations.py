"""The life of a call to the provider and the life of an authorization, as data (charging rules, sections 1 to 3).

Owns: kinds, statuses, which status may follow which, keys and references, the replay ladder. Does not own: what a
provider's code means (the adapter's `codes.py`), nor what a settlement writes (`use_cases/settle.py`).
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5


class OperationKind(StrEnum):
    PURCHASE = "purchase"
    CAPTURE = "capture"
    VOID = "void"
    """Give back an authorization of which nothing was captured."""
    RELEASE = "release"
    """Give back what is left of an authorization after a part was captured."""
    REFUND = "refund"
    AMEND = "amend"
    """Change what an order is about while nothing of it is captured."""
    SHIP = "ship"
    """Add shipping or return tracking."""
    EXTEND = "extend"
    """Move the end of an authorization."""
    EMAIL_INVOICE = "email_invoice"
    POST_INVOICE = "post_invoice"
    EXTEND_DUE_DATE = "extend_due_date"
    REVOKE = "revoke"
    """Cancel a token at the provider; its subject is the token's record."""


class OrderChange(StrEnum):
    """What an amendment changes about an order that is not captured yet."""

    AMOUNT = "amount"
    ORDER_NUMBER = "order_number"
    """What the customer sees as the number of the order."""
    ADDRESS = "address"
    """Where it is delivered."""


class OperationStatus(StrEnum):
    PLANNED = "planned"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    DROPPED = "dropped"
    NEEDS_OPERATOR = "needs_operator"


class Authorization(StrEnum):
    NONE = "none"
    PENDING_REVIEW = "pending_review"
    AUTHORIZED = "authorized"
    PART_CAPTURED = "part_captured"
    CAPTURED = "captured"
    RELEASED = "released"
    VOIDED = "voided"
    EXPIRED = "expired"
    REJECTED = "rejected"


class Standing(StrEnum):
    LIVE = "live"
    DEAD = "dead"


class Trigger(StrEnum):
    RENEWAL = "renewal"
    DUNNING = "dunning"
    CUSTOMER = "customer"
    ADMIN = "admin"
    NEW_TOKEN = "new_token"  # noqa: S105  (a trigger, not a secret)
    FOLLOW_UP = "follow_up"
    CANCEL = "cancel"
    CHANGE = "change"
    AUTHORIZATION_LOST = "authorization_lost"
    """The one purchase that follows an authorization which ended before it was captured; it costs no dunning step."""
    ERASURE = "erasure"


FOLLOWS: dict[OperationStatus, frozenset[OperationStatus]] = {
    OperationStatus.PLANNED: frozenset(
        {OperationStatus.SENDING, OperationStatus.DROPPED, OperationStatus.NEEDS_OPERATOR}
    ),
    OperationStatus.SENDING: frozenset(
        {
            OperationStatus.PLANNED,
            OperationStatus.UNKNOWN,
            OperationStatus.SUCCEEDED,
            OperationStatus.DECLINED,
            OperationStatus.NEEDS_OPERATOR,
        }
    ),
    OperationStatus.UNKNOWN: frozenset(
        {OperationStatus.SUCCEEDED, OperationStatus.DECLINED, OperationStatus.NEEDS_OPERATOR}
    ),
    OperationStatus.NEEDS_OPERATOR: frozenset(
        {
            OperationStatus.SUCCEEDED,
            OperationStatus.DECLINED,
            OperationStatus.DROPPED,
            OperationStatus.PLANNED,
            # A person has it asked about once more, under the key that it was sent with.
            OperationStatus.UNKNOWN,
        }
    ),
    OperationStatus.SUCCEEDED: frozenset(),
    OperationStatus.DECLINED: frozenset(),
    OperationStatus.DROPPED: frozenset(),
}
"""Which call status may follow which; the three last are final."""

MAY_BE_HAPPENING = (OperationStatus.SENDING, OperationStatus.UNKNOWN, OperationStatus.NEEDS_OPERATOR)
"""Nobody knows whether the provider did it: nothing that depends on it is decided meanwhile."""

CHARGES = (OperationKind.PURCHASE, OperationKind.CAPTURE)
"""What takes money; it stops while an account's breaker is open, and everything else goes on."""

CAPTURE_DELAY = timedelta(minutes=31)
"""Klarna takes no capture in the 30 minutes after the purchase (its order management guide, "Capture a Payment")."""

CLAIMS_MAX = 5
"""A row claimed this often without a settlement is parked (charging rules, section 2, step 2)."""

EXTEND_BEFORE = timedelta(days=3)
"""How long before the end of an authorization that is still wanted a later end is asked for."""

WITHOUT_A_KEY = "legacy"
"""The provider generation that knows no idempotency keys: what is sent twice there may be done twice."""

_REPLAYS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=12),
    timedelta(hours=20),
)
_REPLAYS_WITHOUT_A_KEY = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6))

MAY_BE_REPEATED = frozenset(
    {
        OperationKind.AMEND,
        OperationKind.SHIP,
        OperationKind.EXTEND,
        OperationKind.RELEASE,
        OperationKind.EMAIL_INVOICE,
        OperationKind.VOID,
        OperationKind.REVOKE,
    }
)
"""What may be sent again without a key: done twice, it is as if done once (charging rules, section 3)."""

MAY_BE_REPEATED_WHOLE = frozenset({OperationKind.CAPTURE, OperationKind.REFUND})
"""The same, where it takes or gives back everything: there is nothing left for a second one to move."""


def may_follow(before: OperationStatus, after: OperationStatus) -> bool:
    """Whether a call in status `before` may next be in status `after`."""
    return after in FOLLOWS[before]


def next_replay_at(first_sent_at: datetime, sends: int, generation: str = "rest") -> datetime | None:
    """When an unknown outcome is asked about again, or None once the ladder of that provider generation is used up.

    `sends` counts every send so far, the first included. Steps count from the first send; with a key none lies past
    20 h, so that no replay can meet a key that the provider has forgotten after 24 h (charging rules, section 3).
    """
    replays = _REPLAYS_WITHOUT_A_KEY if generation == WITHOUT_A_KEY else _REPLAYS
    return first_sent_at + replays[sends - 1] if 1 <= sends <= len(replays) else None


def may_be_repeated(generation: str, kind: OperationKind, *, is_whole: bool) -> bool:
    """Whether the same bytes may be sent again to find out what became of them (charging rules, section 3).

    Under a key always. Without one a second purchase, partial capture, partial refund, posted invoice or paid
    extension might happen on top of the first, so that only looking is left, and then a person.
    """
    if generation != WITHOUT_A_KEY or kind in MAY_BE_REPEATED:
        return True
    return is_whole and kind in MAY_BE_REPEATED_WHOLE


def planned_capture_at(now: datetime, authorized_at: datetime, delay: timedelta = CAPTURE_DELAY) -> datetime:
    """When a capture asked for at `now` may be sent: never sooner than 31 minutes after its purchase was settled."""
    return max(now, authorized_at + max(delay, CAPTURE_DELAY))


def operation_key(
    namespace: UUID, kind: OperationKind, subject: UUID, n: int, amount: int, currency: str, token_id: UUID | None
) -> UUID:
    """The idempotency key of one intended action, the same whenever it is computed again (charging rules, section 2).

    `subject` is the invoice for a purchase, the credit note for a refund, the purchase for the other kinds;
    `token_id` is the token's record, for purchases only. `amount` is in minor units of `currency`.
    """
    parts = [kind.value, subject.hex, str(n), str(amount), currency]
    if token_id is not None:
        parts.append(token_id.hex)
    return uuid5(namespace, "|".join(parts))


def merchant_reference(key: UUID) -> str:
    """A short printable reference derived from the key: it tells our operations apart in the provider's portal."""
    return "op-" + hashlib.sha256(key.bytes).hexdigest()[:20]


def is_merchant_reference(text: str) -> bool:
    """Whether a reference at the provider can be one of ours."""
    head, _, digits = text.partition("-")
    return head == "op" and len(digits) == 20 and not digits.strip("0123456789abcdef")
