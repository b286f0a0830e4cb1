"""What every call is given: the books, the clock, the settings, the seed, and where new ids come from."""

import hashlib
import secrets
from dataclasses import dataclass
from uuid import uuid4

from billing.sandbox.clock import Clock
from billing.sandbox.ledger import Ledger
from billing.sandbox.settings import Settings

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class World:
    ledger: Ledger
    clock: Clock
    settings: Settings
    seed: str

    def draw(self, *about: object) -> int:
        """A number from 0 to 9999 that depends on the seed and on `about` alone."""
        text = "|".join([self.seed, *map(str, about)])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % 10_000


def new_id() -> str:
    return str(uuid4())


def new_number(digits: int) -> str:
    """A number of that many digits, as reservations (10) and invoices (17) of the older generation have them."""
    return str(secrets.randbelow(9 * 10 ** (digits - 1)) + 10 ** (digits - 1))


def short_reference() -> str:
    """A reference that a customer can read out on the telephone."""
    return "K" + "".join(secrets.choice(_LETTERS) for _ in range(9))
