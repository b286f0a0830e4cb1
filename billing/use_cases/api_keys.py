"""API keys: made once, shown once, kept as a digest. A mistyped key is told apart from one that does not exist."""

import base64
import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from billing.domain.errors import Invalid
from billing.ports import Ids
from billing.store.audit import ApiKey, api_key
from billing.store.engine import Database

_FORM = re.compile(r"(sk_(?:test|live)_([0-9a-f]{8})_([A-Za-z0-9_-]{43}))([0-9a-f]{6})")
_NO_DIGEST = bytes(32)


class Role(StrEnum):
    """`merchant` may use /v1, `admin` also /admin/v1."""

    MERCHANT = "merchant"
    ADMIN = "admin"


class KeyFault(StrEnum):
    """Why a text opens nothing."""

    MALFORMED = "malformed"
    MISTYPED = "mistyped"
    UNKNOWN = "unknown"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Who is asking."""

    id: UUID
    name: str
    role: Role


def create_key(database: Database, ids: Ids, now: datetime, *, name: str, role: str, live: bool) -> str:
    """A new key; its text is returned here and never again, since only a digest of the secret is kept.

    The text is `sk_test_` or `sk_live_`, a public part, the secret, and a check over all of it. Raises `Invalid` for
    a name that is empty or longer than 100 characters and for an unknown role.
    """
    if not 1 <= len(name) <= 100:
        raise Invalid("the name of a key has 1 to 100 characters", where="name")
    if role not in set(Role):
        raise Invalid(f"{role[:20]!r} is not a role; possible: {', '.join(Role)}", where="role")
    secret = base64.urlsafe_b64encode(ids.secret(32)).rstrip(b"=").decode()
    with database.tx() as session:
        public = ids.secret(4).hex()
        while api_key(session, public) is not None:
            public = ids.secret(4).hex()
        row = ApiKey(
            id=ids.new(),
            name=name,
            role=role,
            live=live,
            public=public,
            secret_sha256=_digest(secret),
            created_at=now,
        )
        session.add(row)
    text = f"sk_{'live' if live else 'test'}_{public}_{secret}"
    return text + _check(text)


def find_key(database: Database, text: str) -> KeyHolder | KeyFault:
    """Who holds the key `text`, or why it opens nothing. Digests are compared in constant time."""
    form = _FORM.fullmatch(text)
    if form is None:
        return KeyFault.MALFORMED
    rest, public, secret, check = form.groups()
    if _check(rest) != check:
        return KeyFault.MISTYPED
    with database.tx() as session:
        row = api_key(session, public)
    fits = hmac.compare_digest(_digest(secret), row.secret_sha256 if row is not None else _NO_DIGEST)
    if row is None or not fits or row.live != rest.startswith("sk_live_"):
        return KeyFault.UNKNOWN
    return KeyHolder(row.id, row.name, Role(row.role)) if row.revoked_at is None else KeyFault.REVOKED


def _check(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"[:6]


def _digest(secret: str) -> bytes:
    # The secret has 256 random bits: nothing slower than one hash is needed to keep it from being guessed.
    return hashlib.sha256(secret.encode()).digest()
