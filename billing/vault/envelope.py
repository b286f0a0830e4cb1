"""Record v1: how one sealed token lies in the database, byte by byte.

Every record has a data key (DEK) of its own, wrapped by whoever holds the KEKs, and a commitment to that one data key.
Tokens and data keys stay out of the frames that raise, so that a traceback with locals shows neither.
"""

import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from billing.domain.errors import Invalid, VaultError
from billing.domain.tokens import Token
from billing.ports import KeyProvider

SUITE_GCM_SIV = 1
SUITE_GCM = 2
TOKEN_BYTES_MAX = 16_384

_CIPHERS: dict[int, type[AESGCM] | type[AESGCMSIV]] = {SUITE_GCM_SIV: AESGCMSIV, SUITE_GCM: AESGCM}
_MAGIC = b"RBV1"
_FLAGS = 0
# Magic, suite, flags, KEK id, salt, wrap nonce with wrapped DEK, commitment, body nonce, length of the body.
_FIXED = struct.Struct(">4sBB16s32s60s32s12sI")
_BLOCK = 64
_TAG = 16
_LENGTH = 4
_WRAPPED = 60
# A key server may move to a new key between naming the current one and wrapping; the header must name the right one.
_WRAP_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Context:
    """What a record belongs to; it opens for exactly this and nothing else. `version` is the row's, from 0."""

    purpose: str
    provider_account: str
    customer_id: UUID
    record_id: UUID
    version: int

    def encoded(self) -> bytes:
        """The five fields in this order, each after its length (4 bytes, big-endian); ids as 16, version as 8 bytes."""
        fields = (
            self.purpose.encode(),
            self.provider_account.encode(),
            self.customer_id.bytes,
            self.record_id.bytes,
            self.version.to_bytes(8),
        )
        return b"".join(len(one).to_bytes(4) + one for one in fields)


def default_suite() -> int:
    """The suite of new records: AES-256-GCM-SIV where the OpenSSL at hand has it, AES-256-GCM otherwise."""
    try:
        AESGCMSIV(bytes(32))
    except UnsupportedAlgorithm:
        return SUITE_GCM
    return SUITE_GCM_SIV


DEFAULT_SUITE = default_suite()


def seal(
    keys: KeyProvider,
    random: Callable[[int], bytes],
    context: Context,
    token: Token,
    *,
    suite: int = DEFAULT_SUITE,
) -> bytes:
    """The record of `token`, which `open_record` opens for the same `context` only.

    Draws data key (32), salt (32) and body nonce (12 bytes) from `random`, in this order; the wrap nonce is the key
    provider's. Raises `Invalid` for a token that is empty, too long or not encodable.
    """
    dek, salt, nonce = _DataKey(random(32)), random(32), random(12)
    body = dek.cipher(suite, salt).encrypt(nonce, _padded(token), _body_aad(suite, salt, context))
    key_id, wrapped = _wrapped(keys, dek, suite, salt, context)
    return _Record(suite, key_id, salt, wrapped, dek.commitment(salt), nonce, body).encoded()


def open_record(keys: KeyProvider, context: Context, blob: bytes) -> Token:
    """The token inside. Raises `VaultError`, the same whatever failed: form, key, context, commitment or padding."""
    token = _opened(keys, context, blob)
    if token is None:
        raise VaultError
    return token


def rewrap(keys: KeyProvider, context: Context, blob: bytes) -> bytes:
    """The same record under the current KEK: only KEK id and wrapped data key change, the token is not decrypted.

    Raises `VaultError` as `open_record` does, but for the body, which is not looked at.
    """
    record = _parsed(blob)
    dek = None if record is None else _data_key(keys, context, record)
    if record is None or dek is None:
        raise VaultError
    key_id, wrapped = _wrapped(keys, dek, record.suite, record.salt, context)
    return _Record(record.suite, key_id, record.salt, wrapped, record.commitment, record.nonce, record.body).encoded()


def key_id_of(blob: bytes) -> bytes:
    """The 16-byte id of the KEK that wraps this record; not authenticated. Raises `VaultError` for a wrong form."""
    record = _parsed(blob)
    if record is None:
        raise VaultError
    return record.key_id


def token_bytes(token: Token) -> bytes:
    """The token as UTF-8. Raises `Invalid` when it is empty, too long or holds half a surrogate pair."""
    size = _encoded_size(token)
    if not 1 <= size <= TOKEN_BYTES_MAX:
        raise Invalid(f"a token has 1 to {TOKEN_BYTES_MAX} bytes of valid text", where="token")
    return token.reveal().encode()


@dataclass(frozen=True, slots=True)
class _Record:
    suite: int
    key_id: bytes
    salt: bytes
    wrapped: bytes
    commitment: bytes
    nonce: bytes
    body: bytes

    def encoded(self) -> bytes:
        fixed = _FIXED.pack(
            _MAGIC,
            self.suite,
            _FLAGS,
            self.key_id,
            self.salt,
            self.wrapped,
            self.commitment,
            self.nonce,
            len(self.body),
        )
        return fixed + self.body


class _DataKey:
    """A DEK that does not print itself; from it come the commitment and the key of the body."""

    __slots__ = ("_dek",)

    def __init__(self, dek: bytes) -> None:
        self._dek = dek

    def reveal(self) -> bytes:
        return self._dek

    def commitment(self, salt: bytes) -> bytes:
        return self._derived(salt, b"commit")

    def cipher(self, suite: int, salt: bytes) -> AESGCM | AESGCMSIV:
        return _CIPHERS[suite](self._derived(salt, b"enc"))

    def _derived(self, salt: bytes, label: bytes) -> bytes:
        return HKDF(algorithm=SHA512(), length=32, salt=salt, info=label).derive(self._dek)


def _wrapped(keys: KeyProvider, dek: _DataKey, suite: int, salt: bytes, context: Context) -> tuple[bytes, bytes]:
    for _ in range(_WRAP_ATTEMPTS):
        key_id = keys.current()
        used, wrapped = keys.wrap(dek.reveal(), salt, _wrap_aad(suite, key_id, salt, context))
        # Of another length it would be cut or filled up without a word, and the token be lost.
        if used == key_id and len(wrapped) == _WRAPPED:
            return key_id, wrapped
    raise VaultError


def _opened(keys: KeyProvider, context: Context, blob: bytes) -> Token | None:
    record = _parsed(blob)
    dek = None if record is None else _data_key(keys, context, record)
    if record is None or dek is None:
        return None
    aad = _body_aad(record.suite, record.salt, context)
    try:
        return _unpadded(dek.cipher(record.suite, record.salt).decrypt(record.nonce, record.body, aad))
    except (InvalidTag, UnsupportedAlgorithm):
        return None


def _data_key(keys: KeyProvider, context: Context, record: _Record) -> _DataKey | None:
    aad = _wrap_aad(record.suite, record.key_id, record.salt, context)
    try:
        dek = _DataKey(keys.unwrap(record.key_id, record.wrapped, record.salt, aad))
    except VaultError:
        return None
    # A tag alone does not pin the key: one ciphertext of AES-GCM can be made to open under two. The commitment does.
    return dek if hmac.compare_digest(dek.commitment(record.salt), record.commitment) else None


def _parsed(blob: bytes) -> _Record | None:
    if len(blob) < _FIXED.size:
        return None
    magic, suite, flags, key_id, salt, wrapped, commitment, nonce, length = _FIXED.unpack_from(blob)
    body = bytes(blob[_FIXED.size :])
    if (magic, flags) != (_MAGIC, _FLAGS) or suite not in _CIPHERS or length != len(body):
        return None
    if length > _padded_size(TOKEN_BYTES_MAX) + _TAG or length < _BLOCK + _TAG or (length - _TAG) % _BLOCK:
        return None
    return _Record(suite, key_id, salt, wrapped, commitment, nonce, body)


def _wrap_aad(suite: int, key_id: bytes, salt: bytes, context: Context) -> bytes:
    return _MAGIC + bytes((suite, _FLAGS)) + key_id + salt + context.encoded()


def _body_aad(suite: int, salt: bytes, context: Context) -> bytes:
    """Without the KEK id, so that a re-wrap does not touch the body."""
    return _MAGIC + bytes((suite, _FLAGS)) + salt + context.encoded()


def _padded(token: Token) -> bytes:
    text = token_bytes(token)
    return (len(text).to_bytes(_LENGTH) + text).ljust(_padded_size(len(text)), b"\0")


def _unpadded(padded: bytes) -> Token | None:
    size = int.from_bytes(padded[:_LENGTH])
    if not 1 <= size <= TOKEN_BYTES_MAX or len(padded) != _padded_size(size) or any(padded[_LENGTH + size :]):
        return None
    try:
        return Token(padded[_LENGTH : _LENGTH + size].decode())
    except UnicodeDecodeError:
        return None


def _padded_size(size: int) -> int:
    return -(-(_LENGTH + size) // _BLOCK) * _BLOCK


def _encoded_size(token: Token) -> int:
    try:
        return len(token.reveal().encode())
    except UnicodeEncodeError:
        # The error holds the text; it ends here, not in the context of what is raised.
        return 0
