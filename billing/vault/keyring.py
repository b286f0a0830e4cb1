"""The vault as the use cases see it: the first key seals, all keys open, old records are re-wrapped.

It owns the canary, by which a start with a wrong or missing key is refused before anything is charged.
"""

from collections.abc import Callable
from uuid import UUID

from billing.domain.errors import NotReady, VaultError
from billing.domain.tokens import Token
from billing.ports import KeyProvider
from billing.vault import blind_index, envelope
from billing.vault.envelope import Context

_NOBODY = UUID(int=0)
_CANARY_CONTEXT = Context("canary", "", _NOBODY, _NOBODY, 1)
_CANARY = Token("perennial canary v1")


class Keyring:
    """Seals and opens with the keys of `keys`; `random(size)` gives unpredictable bytes."""

    def __init__(self, keys: KeyProvider, random: Callable[[int], bytes]) -> None:
        self._keys = keys
        self._random = random

    def seal(self, context: Context, token: Token) -> bytes:
        """A record under the current key. Raises `Invalid` for a token that is empty, too long or not encodable."""
        return envelope.seal(self._keys, self._random, context, token)

    def open(self, context: Context, blob: bytes) -> Token:
        """The token of a record made for this `context`. Raises `VaultError`, the same whatever failed."""
        return envelope.open_record(self._keys, context, blob)

    def rewrap(self, context: Context, blob: bytes) -> bytes:
        """The record under the current key, its body byte for byte as before. Raises `VaultError`."""
        return envelope.rewrap(self._keys, context, blob)

    def blind_index(self, provider_account: str, token: Token) -> tuple[int, bytes]:
        """Version of the index key and 16 bytes, equal for equal tokens of one provider account."""
        return blind_index.blind_index(self._keys, provider_account, token)

    def mac(self, purpose: bytes, message: bytes) -> bytes:
        """32 bytes that only a holder of the index key can make, under a key of its own for each `purpose`."""
        return blind_index.mac(self._keys, purpose, message)

    def canary(self) -> bytes:
        """A sealed text that everybody knows, under the current key: stored with each key that records refer to."""
        return self.seal(_CANARY_CONTEXT, _CANARY)

    def check_canary(self, blob: bytes) -> None:
        """Raises `NotReady` naming the key (its id in hex) when the key that sealed `blob` is missing or another."""
        try:
            key_id = envelope.key_id_of(blob).hex()
        except VaultError:
            raise NotReady("the canary in the database is damaged: it names no key") from None
        try:
            right = self.open(_CANARY_CONTEXT, blob) == _CANARY
        except VaultError:
            right = False
        if not right:
            raise NotReady(
                f"key {key_id}, to which the database refers, is missing or is not the key of that name:"
                " its canary does not open; provide the keys with which this database was sealed",
                key_id=key_id,
            )
