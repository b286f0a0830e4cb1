"""Identifiers as they are shown outside: a prefix that names the thing, then the 32 hex digits of its UUID."""

import hashlib
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from billing.domain.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Prefix(StrEnum):
    CUSTOMER = "cus"
    TOKEN = "tok"  # noqa: S105
    PLAN = "plan"
    PRICE = "price"
    SUBSCRIPTION = "sub"
    PERIOD = "per"
    INVOICE = "inv"
    LINE = "line"
    CREDIT_NOTE = "cn"
    OPERATION = "op"
    EVENT = "evt"
    RUN = "run"
    PAYOUT = "po"
    KEY = "key"
    BALANCE_ENTRY = "bal"
    PAYMENT = "pay"
    DISPUTE = "dsp"
    DISCOUNT = "dis"
    APPROVAL = "apv"
    RESTORE = "rst"
    RESTORED_RECORD = "rec"
    BRAKE = "brk"


def derived_id(at: datetime, *parts: bytes) -> UUID:
    """A UUIDv7 of the instant `at` whose random bits are drawn from `parts`: the same whenever it is made again.

    A database restored from a backup opens the same period with the same invoice id, and so charges it under the
    same idempotency key (charging rules, section 2).
    """
    digest = hashlib.sha256(b"|".join(parts)).digest()
    milliseconds = (at - _EPOCH) // timedelta(milliseconds=1)
    bits = (milliseconds << 80) | int.from_bytes(digest[:10], "big")
    bits = (bits & ~(0xF << 76)) | (0x7 << 76)
    return UUID(int=(bits & ~(0x3 << 62)) | (0x2 << 62))


def shown(prefix: Prefix, id_: UUID) -> str:
    """The public form of an id: `shown(Prefix.INVOICE, u)` is `inv_0190...`."""
    return f"{prefix}_{id_.hex}"


def parse(prefix: Prefix, text: str, where: str | None = None) -> UUID:
    """The UUID inside a public id. Raises `Invalid` naming the expected form when it is not one of `prefix`."""
    head, _, tail = text.partition("_")
    if head != prefix or len(tail) != 32 or tail.strip("0123456789abcdef"):
        raise Invalid(f"this is not an id of this kind; expected {prefix}_ and 32 hex digits", where=where)
    return UUID(tail)
