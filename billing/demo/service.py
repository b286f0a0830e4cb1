"""What the demo is handed: where to call, which files to read, and the hand on the clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Service:
    """A running service on simulated time, with its sandbox. Instants are aware UTC."""

    api_url: str
    api_key: str = field(repr=False)
    """An admin key."""
    sandbox_url: str
    provider_account: str
    service_file: Path
    sandbox_file: Path
    advance: Callable[[datetime], None]
    """Moves the service's clock to that instant, never back, and runs all loops until nothing is due."""
    next_due_at: Callable[[], datetime | None]
    """The earliest instant at which anything becomes due; in the past for what a dead process still holds leased."""
