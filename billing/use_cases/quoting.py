"""Quotes: a preview that can be taken at its word for 30 minutes. Nothing is stored: the id carries it all, signed.

A quote names its verb, its subject, a digest of the request, the instant that the plan was made for and a digest of
the money in it. Who brings it back gets those cents or a refusal (billing rules, sections 4 and 12).
"""

import base64
import binascii
import hashlib
import hmac
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from billing.domain.errors import Conflict, Invalid

Signer = Callable[[bytes], bytes]
"""A keyed MAC of at least 16 bytes: only this installation can make one."""

VALID_FOR = timedelta(minutes=30)

_PREFIX = "quo_"
_FIELDS = struct.Struct(">qqqB16s16s")
_MAC_BYTES = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class QuoteInvalid(Invalid):
    """This quote is not one of ours, or is for another request."""

    code = "quote_invalid"


class QuoteExpired(Conflict):
    """This quote has expired; ask for a new preview."""

    code = "quote_expired"


class QuoteStale(Conflict):
    """The request would now cost something else than was quoted; ask for a new preview."""

    code = "quote_stale"


@dataclass(frozen=True, slots=True)
class Quote:
    """What a preview hands out: the plan was made for `effective_at` and holds until `expires_at` (not included)."""

    quote_id: str
    effective_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """A quote that was brought back: the instant to plan for, and what its money must come to.

    `total` is what the money's own field `total` said, in minor units, to be told where it differs; None without one.
    """

    effective_at: datetime
    money_digest: bytes
    total: int | None = None


def quote(sign: Signer, verb: str, subject: UUID, request: object, effective_at: datetime, money: object) -> Quote:
    """A quote for `verb` on `subject`, valid 30 minutes from `effective_at`, the instant of the preview (UTC).

    `request` is what was asked, without any quote id; `money` everything that the customer would pay or get, with no
    ids that are drawn anew each time.
    """
    expires_at = effective_at + VALID_FOR
    asked, priced, total = _asked(verb, subject, request), _digest(money), _total(money)
    body = _FIELDS.pack(_since(effective_at), _since(expires_at), total or 0, total is not None, asked, priced)
    return Quote(_written(body + sign(body)[:_MAC_BYTES]), effective_at, expires_at)


def accepted(sign: Signer, quote_id: str, verb: str, subject: UUID, request: object, now: datetime) -> Accepted:
    """The quote behind `quote_id`, for the very `request` it was given for.

    Raises `QuoteInvalid` where it is not ours or for something else, `QuoteExpired` after its 30 minutes.
    """
    body = _opened(sign, quote_id)
    effective_at, expires_at, total, has_total, asked, money_digest = _FIELDS.unpack(body)
    if asked != _asked(verb, subject, request):
        raise QuoteInvalid("this quote is for another request than this one", where="quote_id")
    if now >= _instant(expires_at):
        raise QuoteExpired(where="quote_id")
    return Accepted(_instant(effective_at), money_digest, total if has_total else None)


def check_same(quoted: Accepted, money: object) -> None:
    """Raises `QuoteStale`, telling both totals where they are known, unless `money` is what was quoted to the cent."""
    if _digest(money) == quoted.money_digest:
        return
    now_total = _total(money)
    if quoted.total is None or now_total is None or quoted.total == now_total:
        raise QuoteStale(where="quote_id")
    raise QuoteStale(
        f"{quoted.total} minor units were quoted; now it would be {now_total}: ask for a new preview",
        where="quote_id",
        quoted=quoted.total,
        now=now_total,
    )


def effective(
    sign: Signer, quote_id: str | None, verb: str, subject: UUID, request: object, now: datetime
) -> tuple[datetime, Accepted | None]:
    """The instant to plan for: that of the quote where one is brought, else `now`. Raises what `accepted` raises."""
    if quote_id is None:
        return now, None
    quoted = accepted(sign, quote_id, verb, subject, request, now)
    return quoted.effective_at, quoted


def _opened(sign: Signer, quote_id: str) -> bytes:
    text = quote_id.removeprefix(_PREFIX)
    try:
        whole = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, binascii.Error):
        whole = b""
    body, mac = whole[: _FIELDS.size], whole[_FIELDS.size :]
    # Written again, since base64 has more than one spelling of the same bytes.
    ours = len(body) == _FIELDS.size and _written(whole) == quote_id
    if not ours or not hmac.compare_digest(mac, sign(body)[:_MAC_BYTES]):
        raise QuoteInvalid("this is not a quote of ours", where="quote_id")
    return body


def _written(whole: bytes) -> str:
    return _PREFIX + base64.urlsafe_b64encode(whole).rstrip(b"=").decode()


def _asked(verb: str, subject: UUID, request: object) -> bytes:
    return _digest([verb, subject, request])


def _digest(value: object) -> bytes:
    text = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).digest()[:16]


def _canonical(value: Any) -> Any:
    """The value as JSON that is the same for equal values. Raises `TypeError` for a kind that has no such form."""
    if isinstance(value, Enum):
        return _canonical(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return _since(value)
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _canonical(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(_canonical(key)): _canonical(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_canonical(entry) for entry in value]
    raise TypeError(f"a {type(value).__name__} has no place in a quote")


def _total(money: object) -> int | None:
    total = money.get("total") if isinstance(money, Mapping) else getattr(money, "total", None)
    return total if type(total) is int else None


def _since(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _instant(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
