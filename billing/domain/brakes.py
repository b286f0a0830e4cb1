"""When charging looks wrong enough to halt and ask: too many periods at once, too large a run, too many charges.

Owns the figures and the decisions over values; reads no row. The decline rate, which halts an account, is decided in
`pacing.py`. Amounts are minor units.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.domain.periods import BillingCycle, nth_period

RUN_REACH = timedelta(days=1)
"""What came due longer ago should have been opened by an earlier run: no forecast counts on it."""

CHARGES_WINDOW = timedelta(days=1)
"""In which the charges of one customer are counted."""

ALLOWED_FOR = timedelta(hours=24)
"""How long a released brake lets its subject go, unless the person says otherwise."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is not exceeded without a person.

    More than `periods_at_once` due periods halt a subscription; a run of more than `run_percent` of its forecast and
    `run_slack_invoices` average invoices halts the run; more than `charges_per_customer` in a day halt the customer.
    """

    periods_at_once: int = 3
    run_percent: int = 120
    run_slack_invoices: int = 10
    charges_per_customer: int = 10


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run has opened in one currency, and what the calendar and the invoices before had promised."""

    expected: int = 0
    opened: int = 0
    invoices: int = 0

    def plus(self, expected: int, opened: int) -> "Tally":
        """With one more invoice."""
        return Tally(self.expected + expected, self.opened + opened, self.invoices + 1)

    def as_json(self) -> dict[str, int]:
        return {"expected": self.expected, "opened": self.opened, "invoices": self.invoices}


@dataclass(slots=True)
class RunTotals:
    """The tally of a run by currency."""

    tallies: dict[str, Tally] = field(default_factory=dict)

    @property
    def invoices(self) -> int:
        return sum(tally.invoices for tally in self.tallies.values())

    def add(self, currency: str, expected: int, opened: int) -> None:
        """One more invoice of `opened`, where `expected` was promised."""
        self.tallies[currency] = self.tallies.get(currency, Tally()).plus(expected, opened)

    def copy(self) -> "RunTotals":
        return RunTotals(dict(self.tallies))

    def as_json(self) -> dict[str, dict[str, int]]:
        """By currency: expected, opened, and how many invoices."""
        return {currency: tally.as_json() for currency, tally in sorted(self.tallies.items())}


def has_more_periods_due(cycle: BillingCycle, next_index: int, zone: str, now: datetime, limit: int) -> bool:
    """Whether more than `limit` periods, counted from the one with `next_index`, have begun by `now`."""
    return nth_period(cycle, next_index + limit, zone).starts_at <= now


def expected_amount(starts_at: datetime, now: datetime, before: int | None, opened: int) -> int:
    """What a forecast has for a period that starts at `starts_at`: what the same subscription was billed `before`.

    Where nothing comparable was, what it is billed now; nothing for a period that an earlier run should have opened.
    """
    if starts_at < now - RUN_REACH:
        return 0
    return opened if before is None else before


def run_excess(totals: RunTotals, limits: Limits) -> str | None:
    """Why a run halts, or None. A few invoices over any forecast are no reason, whatever their share."""
    for currency, tally in sorted(totals.tallies.items()):
        over = tally.opened * 100 - tally.expected * limits.run_percent
        # More than so many average invoices of this run, without a division.
        if over * tally.invoices > limits.run_slack_invoices * tally.opened * 100:
            return (
                f"{tally.invoices} invoices of {tally.opened} {currency} in all, where {tally.expected} were to be"
                " expected (minor units)"
            )
    return None


def may_be_charged(charges: int, limits: Limits) -> bool:
    """Whether a customer who was charged `charges` times within the last day may be charged once more."""
    return charges < limits.charges_per_customer
