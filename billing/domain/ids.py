"""Identifiers as they are shown outside: a prefix that names the thing, then the 32 hex digits of its UUID."""

from enum import StrEnum
from uuid import UUID

from billing.domain.errors import Invalid


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
    KEY = "key"


def shown(prefix: Prefix, id_: UUID) -> str:
    """The public form of an id: `shown(Prefix.INVOICE, u)` is `inv_0190...`."""
    return f"{prefix}_{id_.hex}"


def parse(prefix: Prefix, text: str, where: str | None = None) -> UUID:
    """The UUID inside a public id. Raises `Invalid` naming the expected form when it is not one of `prefix`."""
    head, _, tail = text.partition("_")
    if head != prefix or len(tail) != 32 or tail.strip("0123456789abcdef"):
        raise Invalid(f"{text[:60]!r} is not an id of this kind; expected {prefix}_ and 32 hex digits", where=where)
    return UUID(tail)
