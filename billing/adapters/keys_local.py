"""Keys held in this process: their text form, and the wrapping of data keys that file and environment share.

    perennial-keys v1 2
    kek:active <id, 32 hex digits> <key, base64> <checksum, 16 hex digits>
    index <version, 32 hex digits> <key, base64> <checksum, 16 hex digits>

The first line counts the keys. The first `kek:active` seals, every KEK opens; there is exactly one index key.
"""

import binascii
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from billing.domain.errors import NotReady, VaultError

KEY_BYTES = 32
ID_BYTES = 16

_HEADER = "perennial-keys v1"
_CHECKSUM_BYTES = 8
_NONCE = 12
_KEYS_MAX = 1000
# Record v1: the context of a wrap begins with the record's header, whose fifth byte names the suite.
_SUITE_AT = 4
_CIPHERS: dict[int, type[AESGCM] | type[AESGCMSIV]] = {1: AESGCMSIV, 2: AESGCM}


class Role(StrEnum):
    ACTIVE = "kek:active"
    DECRYPT_ONLY = "kek:decrypt_only"
    INDEX = "index"


@dataclass(frozen=True, slots=True, eq=False)
class LocalKey:
    """One key with its 16-byte id; of the index key the id is its version as a number. `secret` has 32 bytes."""

    role: Role
    id: bytes
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a text is no set of keys, in one sentence without any of the text.

    It is returned, not raised, so that the frame that raises holds no key for a traceback to show.
    """

    sentence: str


class LocalKeys:
    """A `KeyProvider` over keys in memory; `random(size)` gives the nonces of the wraps."""

    def __init__(self, keys: Sequence[LocalKey], random: Callable[[int], bytes]) -> None:
        self._keks = {key.id: key for key in keys if key.role is not Role.INDEX}
        self._current = next(key.id for key in keys if key.role is Role.ACTIVE)
        self._index = next(key for key in keys if key.role is Role.INDEX)
        self._random = random

    def current(self) -> bytes:
        """The 16-byte id of the first active KEK."""
        return self._current

    def wrap(self, dek: bytes, salt: bytes, context: bytes) -> tuple[bytes, bytes]:
        """The data key under the current KEK: `(key id, 12-byte nonce + 48-byte wrapped key)`."""
        nonce = self._random(_NONCE)
        return self._current, nonce + _cipher(self._keks[self._current], salt, context).encrypt(nonce, dek, context)

    def unwrap(self, key_id: bytes, wrapped: bytes, salt: bytes, context: bytes) -> bytes:
        """The data key back. Raises `VaultError`, the same for an unknown key, a wrong one and a changed context."""
        dek = self._unwrapped(key_id, wrapped, salt, context)
        if dek is None:
            raise VaultError
        return dek

    def key_ids(self) -> frozenset[str]:
        """The ids of all KEKs in hex, by which sealed records name them."""
        return frozenset(id_.hex() for id_ in self._keks)

    def index_key(self) -> tuple[int, bytes]:
        """Version and 32 bytes of the key of the blind index."""
        return int.from_bytes(self._index.id), self._index.secret

    def _unwrapped(self, key_id: bytes, wrapped: bytes, salt: bytes, context: bytes) -> bytes | None:
        kek = self._keks.get(key_id)
        if kek is None:
            return None
        try:
            return _cipher(kek, salt, context).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], context)
        except (InvalidTag, KeyError, UnsupportedAlgorithm):
            return None


def new_keys(random: Callable[[int], bytes]) -> list[LocalKey]:
    """A first set: one active KEK and version 1 of the index key."""
    return [
        LocalKey(Role.ACTIVE, random(ID_BYTES), random(KEY_BYTES)),
        LocalKey(Role.INDEX, (1).to_bytes(ID_BYTES), random(KEY_BYTES)),
    ]


def text_of(keys: Sequence[LocalKey]) -> str:
    """The text form of `keys`. It holds them in plain: it belongs in a key file and nowhere else."""
    lines = [f"{_HEADER} {len(keys)}"]
    lines += [f"{key.role} {key.id.hex()} {b64encode(key.secret).decode()} {_checksum(key)}" for key in keys]
    return "\n".join(lines) + "\n"


def parsed(content: bytes) -> list[LocalKey] | Flaw:
    """The keys of a text, or what is wrong with it."""
    if not content:
        return Flaw("is empty")
    if not content.isascii():
        return Flaw("holds other than plain ASCII text; bring back a copy of the right file")
    first, *lines = content.decode().split("\n")
    count = first.removeprefix(f"{_HEADER} ")
    if count == first or not count.isdigit() or len(count) > len(str(_KEYS_MAX)):
        return Flaw(f"does not begin with the line '{_HEADER} <number of keys>'")
    if not lines or lines.pop() != "" or len(lines) != int(count):
        return Flaw(f"is cut off or has lines too many: {count} whole lines of keys must follow the first line")
    keys = [_key(line) for line in lines]
    for number, key in enumerate(keys, start=2):
        if isinstance(key, Flaw):
            return Flaw(f"line {number} {key.sentence}")
    return _complete([key for key in keys if isinstance(key, LocalKey)])


def sound(keys: list[LocalKey] | Flaw, place: str) -> list[LocalKey]:
    """`keys`, or `NotReady` with the flaw, said of `place`."""
    if isinstance(keys, Flaw):
        raise NotReady(f"{place} {keys.sentence}")
    return keys


def _cipher(kek: LocalKey, salt: bytes, context: bytes) -> AESGCM | AESGCMSIV:
    cipher = _CIPHERS[context[_SUITE_AT]]
    return cipher(HKDF(algorithm=SHA512(), length=KEY_BYTES, salt=salt, info=b"wrap").derive(kek.secret))


def _key(line: str) -> LocalKey | Flaw:
    fields = line.split(" ")
    if len(fields) != 4:
        return Flaw(f"has {len(fields)} fields instead of four: role, id, key, checksum")
    role, id_, secret, checksum = fields
    if role not in list(Role):
        return Flaw(f"names no role; it must be one of {', '.join(Role)}")
    if len(id_) != 2 * ID_BYTES or id_.strip("0123456789abcdef"):
        return Flaw(f"has an id that is not {2 * ID_BYTES} hex digits")
    try:
        key = LocalKey(Role(role), bytes.fromhex(id_), b64decode(secret, validate=True))
    except binascii.Error:
        return Flaw("has a key that is not base64")
    if b64encode(key.secret).decode() != secret:
        return Flaw("has a key that is not base64 in its one right form")
    if len(key.secret) != KEY_BYTES:
        return Flaw(f"has a key of {len(key.secret)} bytes instead of {KEY_BYTES}")
    if checksum != _checksum(key):
        return Flaw("has a wrong checksum: the key or its id was changed; bring back a copy of the right file")
    return key


def _complete(keys: list[LocalKey]) -> list[LocalKey] | Flaw:
    roles = [key.role for key in keys]
    if Role.ACTIVE not in roles:
        return Flaw(f"holds no key with the role {Role.ACTIVE}; one is needed to seal")
    if roles.count(Role.INDEX) != 1:
        return Flaw(f"holds {roles.count(Role.INDEX)} keys with the role {Role.INDEX}; exactly one is needed")
    keks = [key.id for key in keys if key.role is not Role.INDEX]
    if len(set(keks)) != len(keks):
        return Flaw("names one key id twice; every KEK needs an id of its own")
    return keys


def _checksum(key: LocalKey) -> str:
    """Covers kind, id and key, not the state, so that a KEK may be set to `kek:decrypt_only` in place."""
    kind = str(key.role).partition(":")[0].encode()
    return hashlib.sha256(b"perennial key " + kind + b" " + key.id + key.secret).hexdigest()[: 2 * _CHECKSUM_BYTES]
