"""Identifiers and randomness from the system."""

import os
from uuid import UUID

from uuid_utils.compat import uuid7


class SystemIds:
    """UUIDv7 by the wall clock, whatever the simulated one says: an id tells nothing about billing time."""

    def new(self) -> UUID:
        """A fresh UUIDv7."""
        return uuid7()

    def secret(self, size: int) -> bytes:
        """`size` unpredictable bytes of the operating system."""
        return os.urandom(size)
