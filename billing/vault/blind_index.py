"""The blind index: finds a token that is already there without opening a record.

Its key is no KEK and has a version of its own; the index of a person's token is deleted on erasure.
"""

import hmac

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from billing.domain.tokens import Token
from billing.ports import KeyProvider
from billing.vault.envelope import token_bytes

INDEX_BYTES = 16


def blind_index(keys: KeyProvider, provider_account: str, token: Token) -> tuple[int, bytes]:
    """Version of the key and 16 bytes that are equal for equal tokens of one provider account.

    HMAC-SHA256 of the account, after its length (4 bytes, big-endian), and the token; the first 128 bits.
    Raises `Invalid` for a token that could not be sealed either.
    """
    account = provider_account.encode()
    version, mac = _keyed(keys)
    mac.update(len(account).to_bytes(4) + account)
    mac.update(token_bytes(token))
    return version, mac.digest()[:INDEX_BYTES]


def mac(keys: KeyProvider, purpose: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 of `message` under a key that HKDF draws from the index key for this `purpose` alone."""
    return hmac.digest(_derived(keys, b"perennial mac v1 " + purpose), message, "sha256")


def _derived(keys: KeyProvider, label: bytes) -> bytes:
    _, key = keys.index_key()
    return HKDF(algorithm=SHA512(), length=32, salt=None, info=label).derive(key)


def _keyed(keys: KeyProvider) -> tuple[int, hmac.HMAC]:
    """The key goes no further than here, so that no frame that can raise holds it."""
    version, key = keys.index_key()
    return version, hmac.new(key, digestmod="sha256")
