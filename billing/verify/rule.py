"""What a check is: a sentence that must hold, the rows it looks at, the statement that finds those that break it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One part of an invariant.

    `looks_at` is what follows `SELECT COUNT(*) FROM`; `broken` finds the rows that break the sentence, the id first.
    `needs` names a table without which there is nothing to check: a database of an earlier version has none. A breach
    of a rule that `stops` means that new purchases of the accounts concerned must stop (charging rules, I21); its rows
    have the column `provider_account`.
    """

    invariant: str
    sentence: str
    looks_at: str
    broken: str
    needs: str | None = None
    stops: bool = False
