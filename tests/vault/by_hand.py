"""Record v1 a second time, written from its description with none of the vault's code, and sample keys."""

import hmac
import os
from collections.abc import Callable
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

from billing.adapters.keys_local import LocalKey, LocalKeys, Role
from billing.vault.envelope import Context

CIPHERS = {1: AESGCMSIV, 2: AESGCM}
CONTEXT = Context("charge", "nordic", UUID(int=0xC0FFEE), UUID(int=0x70CE2), 3)
INDEX = LocalKey(Role.INDEX, (1).to_bytes(16), bytes(range(32, 64)))


def kek(number: int, role: Role = Role.ACTIVE) -> LocalKey:
    """A sample KEK whose id and bytes follow from `number`."""
    return LocalKey(role, bytes([number]) * 16, bytes([number ^ 0xFF]) * 32)


def local_keys(*keks: LocalKey, random: Callable[[int], bytes] = os.urandom) -> LocalKeys:
    return LocalKeys([*keks, INDEX], random)


def tape(*chunks: bytes) -> Callable[[int], bytes]:
    """Randomness that is known: the chunks one by one, each asked for in its full size."""
    rest = list(chunks)

    def draw(size: int) -> bytes:
        assert len(rest[0]) == size
        return rest.pop(0)

    return draw


def padded(text: bytes) -> bytes:
    inner = len(text).to_bytes(4, "big") + text
    return inner + bytes(-len(inner) % 64)


def record(
    key: LocalKey,
    inner: bytes,
    *,
    suite: int = 1,
    context: Context = CONTEXT,
    dek: bytes = b"d" * 32,
    salt: bytes = b"s" * 32,
    nonces: tuple[bytes, bytes] = (b"w" * 12, b"b" * 12),
    commit_to: bytes | None = None,
) -> bytes:
    """A whole record around `inner`, which may break the rules of padding, as may the commitment."""
    fields = [context.purpose.encode(), context.provider_account.encode(), context.customer_id.bytes]
    fields += [context.record_id.bytes, context.version.to_bytes(8, "big")]
    aad = b"".join(len(one).to_bytes(4, "big") + one for one in fields)
    start, wrap_nonce, body_nonce = b"RBV1" + bytes([suite, 0]), *nonces
    wrap = CIPHERS[suite](hkdf(key.secret, salt, b"wrap"))
    wrapped = wrap.encrypt(wrap_nonce, dek, start + key.id + salt + aad)
    body = CIPHERS[suite](hkdf(dek, salt, b"enc")).encrypt(body_nonce, inner, start + salt + aad)
    commitment = hkdf(commit_to or dek, salt, b"commit")
    tail = commitment + body_nonce + len(body).to_bytes(4, "big") + body
    return start + key.id + salt + wrap_nonce + wrapped + tail


def hkdf(secret: bytes, salt: bytes, label: bytes) -> bytes:
    """RFC 5869 with SHA-512, 32 bytes."""
    return hmac.digest(hmac.digest(salt, secret, "sha512"), label + b"\x01", "sha512")[:32]
