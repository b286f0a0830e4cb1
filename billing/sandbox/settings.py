"""What may be told to the sandbox while it runs: how strict, how slow and how talkative this Klarna is.

Kept in the books, so that a restart changes nothing.
"""

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from billing.sandbox.ledger import Ledger

RATE_MAX = 1_000_000
SECONDS_MAX = 400 * 86_400


class SettingRefused(ValueError):
    """There is no such setting, or it cannot have that value."""


@dataclass(frozen=True, slots=True)
class Values:
    """Durations in seconds of the sandbox's clock; rates in calls per second of real time, None for no limit."""

    status_sees_recurring: bool = False
    rest_capture_wait_seconds: int = 1_800
    legacy_capture_wait_seconds: int = 1_800
    authorization_days: int = 28
    reservation_days: int = 28
    review_seconds: int = 21_600
    extension_assessment: str = "accept"
    risk: str = "ok"
    rest_rate_limit: int | None = None
    session_rate_limit: int | None = None
    legacy_rate_limit: int | None = None


_CHOICES = {"extension_assessment": ("accept", "reject"), "risk": ("ok", "no_risk")}


class Settings:
    """The values in force: `values` to read them, `change` to set some of them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        row = ledger.row("SELECT content FROM settings")
        known = {field.name for field in fields(Values)}
        kept = json.loads(row["content"]) if row else {}
        self.values = Values(**{name: value for name, value in kept.items() if name in known})

    def change(self, wishes: dict[str, Any]) -> None:
        """Sets what is named and leaves the rest; to be called inside an effect.

        Raises SettingRefused, and sets nothing, where a name or a value makes no sense.
        """
        for name, value in wishes.items():
            _check(name, value)
        self.values = replace(self.values, **wishes)
        content = json.dumps(asdict(self.values))
        self._ledger.write("INSERT OR REPLACE INTO settings (id, content) VALUES (1, ?)", content)

    def reset(self) -> None:
        """Everything as a sandbox has it that was told nothing; to be called inside an effect."""
        self.values = Values()
        self._ledger.write("DELETE FROM settings")


def _check(name: str, value: Any) -> None:
    if name not in {field.name for field in fields(Values)}:
        raise SettingRefused(f"there is no setting {name}")
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise SettingRefused(f"{name} must be one of {', '.join(_CHOICES[name])}")
    elif name == "status_sees_recurring":
        if not isinstance(value, bool):
            raise SettingRefused(f"{name} must be true or false")
    elif name.endswith("rate_limit"):
        if value is not None and not _is_whole(value, 1, RATE_MAX):
            raise SettingRefused(f"{name} must be a whole number from 1 to {RATE_MAX}, or null for no limit")
    elif not _is_whole(value, 0, 400 if name.endswith("days") else SECONDS_MAX):
        raise SettingRefused(f"{name} must be a whole number, not negative, of at most 400 days")


def _is_whole(value: Any, lowest: int, highest: int) -> bool:
    return type(value) is int and lowest <= value <= highest
