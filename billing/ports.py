"""What the use cases ask of the outside world, and the values that cross that line.

Every port is small enough that an adapter has nothing in it to decide. A provider's answer is always one of the
five outcomes below; adapters raise nothing for what a provider or a network did.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from billing.domain.instances import Seen
from billing.domain.operations import OperationKind, OrderChange
from billing.domain.tokens import Token


class Clock(Protocol):
    """Where `now` comes from: the wall clock in production, a simulated one in the demo and in tests."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class Ids(Protocol):
    """Where identifiers and randomness come from, so that a simulation can own them."""

    def new(self) -> UUID:
        """A fresh UUIDv7."""
        ...

    def secret(self, size: int) -> bytes:
        """`size` unpredictable bytes."""
        ...


# --- what is asked of a provider -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of a purchase, capture or refund. Amounts are minor units, tax included; rates are basis points.

    `amount` need not be `quantity` x `unit_amount`: a share of a period or a discounted line is one piece at `amount`.
    It is negative for a discount, a used balance or a credit of unused days.
    """

    reference: str
    name: str
    quantity: int
    unit_amount: int
    amount: int
    tax_amount: int
    tax_rate: int


@dataclass(frozen=True, slots=True)
class Shipment:
    """One parcel: who carries it and how it is tracked, there and back."""

    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    return_carrier: str | None = None
    return_tracking_number: str | None = None
    return_tracking_url: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where an order is delivered. `country` is ISO 3166 alpha-2; what is empty is left out."""

    given_name: str = ""
    family_name: str = ""
    street_address: str = ""
    street_address2: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """Everything an adapter needs to write one request; it holds no token and no credential.

    `purchase_id` and `capture_id` are the provider's own ids of what is acted upon, where the kind needs them.
    `invoice_reference` is what the customer sees as order number; `merchant_reference` is this operation's own.
    `lines` of a capture are those captured now, and `is_whole` says that nothing stays behind. `lines` of a refund are
    what is credited; it is `is_whole` where it gives back all that is left of its capture, and it `has_lines` unless it
    is by amount alone. `kept` are the shares of credited time lines that were used (billing rules, section 5): for a
    provider that credits whole articles only; each has quantity and unit amount of its article as invoiced, and the
    share as `amount`. `country`, `locale` and `customer_email` are the customer's.
    """

    kind: OperationKind
    amount: int
    currency: str
    merchant_reference: str
    invoice_reference: str
    lines: Sequence[OrderLine] = ()
    purchase_id: str | None = None
    capture_id: str | None = None
    subscription_name: str | None = None
    interval: str | None = None
    interval_count: int | None = None
    description: str | None = None
    is_whole: bool = True
    has_lines: bool = True
    kept: Sequence[OrderLine] = ()
    shipments: Sequence[Shipment] = ()
    country: str | None = None
    locale: str | None = None
    customer_email: str | None = None
    due_on: date | None = None
    days: int | None = None
    """By how many days the due date of an invoice moves."""
    changes: OrderChange = OrderChange.AMOUNT
    """What an `amend` is about; `invoice_reference` is the new order number, `address` the new place of delivery."""
    address: Address | None = None
    tax_rate: int | None = None
    """The one rate (basis points) of all that a refund by amount gives back; None where there are several."""


@dataclass(frozen=True, slots=True)
class Request:
    """A frozen request: stored with the operation before it is sent, sent again byte for byte on a replay.

    `path` may hold the placeholder `{token}`, filled in on the way to the wire and nowhere else.
    """

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """One request to be made now. `amount`, `currency` and the references are what the answer is compared with."""

    operation_id: UUID
    kind: OperationKind
    request: Request
    key: UUID
    amount: int
    currency: str
    merchant_reference: str
    purchase_id: str | None = None
    token: Token | None = None


# --- what came back --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said, scrubbed: kept on the operation as evidence. Never holds a token."""

    http_status: int | None = None
    code: str | None = None
    message: str | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The provider did it. `authorization` is set for purchases: `authorized`, `pending_review` or `captured`."""

    answer: Answer
    provider_id: str | None = None
    authorization: str | None = None
    expires_at: datetime | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declined:
    """A documented refusal of the charge. `reason` is ours: `soft`, `hard` or `suspended` (token asleep)."""

    answer: Answer
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Our request is wrong; a person must look (`needs_operator`).

    `is_already_so` says that the provider has nothing left to do of what was asked: the answer to a call sent twice.
    `may_have_ended` says that a capture may have come too late, where no order can be read to know.
    """

    answer: Answer
    is_already_so: bool = False
    may_have_ended: bool = False


@dataclass(frozen=True, slots=True)
class NotSent:
    """Surely nothing happened; back to `planned`.

    `account_stopped` says that the caller was refused (401), so the whole account must stop.
    `retry_after_seconds` is the provider's own wish (429), where it gave one.
    """

    answer: Answer
    account_stopped: bool = False
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows yet whether it happened: time-outs, resets, 5xx, nonsense."""

    answer: Answer


Outcome = Succeeded | Declined | Refused | NotSent | Unknown


@dataclass(frozen=True, slots=True)
class TokenState:
    """A token as the provider sees it: `active`, `suspended`, `revoked`, or `unknown` where it could not be read."""

    status: str


@dataclass(frozen=True, slots=True)
class Movement:
    """A capture or refund as the provider lists it, with the reference that our operation gave it."""

    provider_id: str
    reference: str | None
    amount: int


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as the provider sees it. Amounts are minor units of `currency` (upper case)."""

    purchase_id: str
    authorization: str
    currency: str
    amount: int
    captured_amount: int
    refunded_amount: int
    merchant_reference: str | None
    expires_at: datetime | None
    captures: Sequence[Movement] = ()
    refunds: Sequence[Movement] = ()


class Sighting(StrEnum):
    """What a provider whose orders cannot be read says about an id: a hint, and never a proof by itself."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    DENIED = "denied"
    NOT_FOUND = "not_found"


class PaymentGateway(Protocol):
    """One provider account, spoken to in our words."""

    def prepare(self, order: Order) -> Request:
        """Write the request for `order`.

        Raises `billing.domain.errors.Invalid` naming the field when the provider's specification would refuse it.
        """
        ...

    def send(self, calls: Sequence[Call]) -> Iterator[tuple[UUID, Outcome]]:
        """Make all `calls` with bounded concurrency and yield `(operation_id, outcome)` as each arrives.

        Exactly one outcome per call, always; nothing is retried inside.
        """
        ...

    def read_orders(self, purchase_ids: Sequence[str]) -> dict[str, OrderState]:
        """The orders as the provider has them; one that is missing or cannot be read is left out.

        A provider that tells nothing about an order leaves all of them out: there `read_invoices` and `read_sightings`
        are what can be asked, which in turn say nothing where orders can be read.
        """
        ...

    def read_invoices(self, capture_ids: Sequence[str]) -> dict[str, int]:
        """What each capture still stands at, credits taken off, in minor units; what cannot be read is left out."""
        ...

    def read_sightings(self, ids: Sequence[str], *, of_orders: bool = False) -> dict[str, Sighting]:
        """What became of the purchases under our own references, or (`of_orders`) under the provider's order ids.

        An id of which nobody said anything is left out.
        """
        ...

    def read_tokens(self, tokens: Sequence[tuple[UUID, Token]]) -> dict[UUID, TokenState]:
        """The present state of each token, by the caller's id."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """A configured provider account: how to speak to it, and how much at once.

    `window` is the number of calls in flight at most; `deadline` the time after which an answer no longer counts.
    """

    gateway: PaymentGateway
    window: int
    deadline: timedelta
    generation: str = "rest"
    """`rest` knows idempotency keys; `legacy` does not, so that some kinds are never sent twice there."""
    status_sees_recurring: bool = False
    """Whether `read_sightings` is known to see recurring orders on this account; only then "not found" says anything
    (charging rules, section 3)."""


class KeyProvider(Protocol):
    """Who holds the key-encryption keys (KEKs). A key server can stand behind it: a KEK never crosses this line."""

    def current(self) -> bytes:
        """The 16-byte id of the key that seals new records."""
        ...

    def wrap(self, dek: bytes, salt: bytes, context: bytes) -> tuple[bytes, bytes]:
        """Wrap a 32-byte data key under the current KEK: `(key id, 12-byte nonce + 48-byte wrapped key)`."""
        ...

    def unwrap(self, key_id: bytes, wrapped: bytes, salt: bytes, context: bytes) -> bytes:
        """The data key back. Raises `VaultError`, the same for every cause."""
        ...

    def index_key(self) -> tuple[int, bytes]:
        """Version and 32 bytes of the key of the blind index, which is no KEK."""
        ...


class InstanceNotes(Protocol):
    """What is kept outside the database about which database this machine serves."""

    def read(self) -> Seen | None:
        """What was noted last, None before the first note. Raises `NotReady` where it cannot be read or trusted."""
        ...

    def note(self, seen: Seen) -> None:
        """Keep it; never a lower mark of the same instance. Raises `NotReady` where that cannot be done."""
        ...
