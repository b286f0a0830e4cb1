"""The list of what needs a person: what an entry is, and which comes first.

What halts charging comes first, since nobody knows how much waits behind it; then the largest amount. Amounts of
different currencies are compared by their number in major units: there are no rates of exchange here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from billing.domain.errors import Invalid
from billing.domain.money import exponent

_DIGITS = 4
"""More digits after the point than any currency has."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AttentionKind(StrEnum):
    ACCOUNT_STOPPED = "account_stopped"
    BREAKER_OPEN = "breaker_open"
    BRAKE = "brake"
    RESTORE = "restore"
    BREACH = "breach"
    NEEDS_OPERATOR = "needs_operator"
    NOT_ASKED = "not_asked"
    REVIEW_OVERDUE = "review_overdue"
    SECOND_ORDER = "second_order"
    REVIEW = "review"
    CATCH_UP = "catch_up"
    HOLD = "hold"
    INVOICE_HELD = "invoice_held"
    DISPUTE = "dispute"
    NO_RISK = "no_risk"


HALTS = (
    AttentionKind.ACCOUNT_STOPPED,
    AttentionKind.BREAKER_OPEN,
    AttentionKind.BRAKE,
    AttentionKind.RESTORE,
    AttentionKind.BREACH,
)
"""What keeps more than one thing from being charged."""


@dataclass(frozen=True, slots=True)
class Action:
    """The one thing to do, in words, and the call or the command that does it."""

    what: str
    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that needs a person. `amount` is minor units of `currency`, both empty where no money is known."""

    key: str
    kind: AttentionKind
    since: datetime
    why: str
    action: Action
    amount: int | None = None
    currency: str | None = None
    operation_id: UUID | None = None
    invoice_id: UUID | None = None
    subscription_id: UUID | None = None
    customer_id: UUID | None = None
    provider_account: str | None = None


Place = tuple[int, int, int, str]


def place_of(entry: Entry) -> Place:
    """Where an entry stands: lower comes first."""
    money = 0
    if entry.amount is not None and entry.currency is not None:
        money = int(entry.amount * 10 ** (_DIGITS - exponent(entry.currency)))
    rank = 0 if entry.kind in HALTS else 1
    return rank, -money, (entry.since - _EPOCH) // timedelta(microseconds=1), entry.key


def written(place: Place) -> str:
    """A place as text, to ask for what follows it."""
    return ".".join(str(part) for part in place)


def read_place(text: str) -> Place:
    """The place that `written` wrote. Raises `Invalid`."""
    parts = text.split(".", 3)
    if len(parts) != 4 or not all(part.removeprefix("-").isdecimal() and len(part) < 25 for part in parts[:3]):
        raise Invalid("this is no `next` of this list", where="after")
    return int(parts[0]), int(parts[1]), int(parts[2]), parts[3]
