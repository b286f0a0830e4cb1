"""What came of a check: one verdict an invariant, made of its findings; as values, as a table, as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

INVARIANTS: Mapping[str, str] = {
    "I1": "one live purchase an invoice, one recurring invoice a period",
    "I2": "no period is lost",
    "I3": "what the provider did has its one row, with its amount, and the reverse",
    "I4": "what was sent is asked about in time",
    "I5": "a next purchase follows dead ones only, each with its proof",
    "I6": "nothing is paid, captured, credited or refunded beyond its limit; paid is equality",
    "I7": "the ledger sums to zero and is what was sealed",
    "I8": "numbers are 1 to n, dates never run backwards",
    "I9": "money is a whole number of minor units of a known currency",
    "I10": "periods tile and end where the calendar says",
    "I11": "only states that a listed transition can reach",
    "I12": "the gate decides: nothing is charged for whom was closed before",
    "I14": "events are counted without a gap",
    "I18": "no send without its audit row; the audit log is what was sealed",
    "I19": "every live token names a key that is there",
}
"""Every invariant that is checked here, in the words of its result (charging rules, section 1)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence checked: how many rows it looked at, how many break it, and the first of those."""

    invariant: str
    sentence: str
    looked_at: int
    offending: int = 0
    rows: Sequence[Mapping[str, str]] = ()
    stops: frozenset[str] = frozenset()
    """Provider accounts whose new purchases must stop because of it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that was found about one invariant."""

    invariant: str
    findings: Sequence[Finding]

    @property
    def looked_at(self) -> int:
        """Rows looked at, those that several sentences are about counted for each."""
        return sum(finding.looked_at for finding in self.findings)

    @property
    def offending(self) -> int:
        return sum(finding.offending for finding in self.findings)

    @property
    def broken(self) -> Sequence[Finding]:
        """The sentences that do not hold."""
        return [finding for finding in self.findings if finding.offending]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole check of one database as of `at` (aware UTC)."""

    database: str
    schema: str
    at: datetime
    findings: Sequence[Finding]
    ledgers: Sequence[str] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def verdicts(self) -> Sequence[Verdict]:
        """One for each invariant that was checked, in their order."""
        return [
            Verdict(name, found)
            for name in INVARIANTS
            if (found := [finding for finding in self.findings if finding.invariant == name])
        ]

    @property
    def breaches(self) -> Mapping[str, int]:
        """Offending rows by invariant; 0 where it holds."""
        return {verdict.invariant: verdict.offending for verdict in self.verdicts}

    @property
    def broken(self) -> Sequence[str]:
        """The invariants that do not hold."""
        return [name for name, offending in self.breaches.items() if offending]

    @property
    def stops(self) -> frozenset[str]:
        """Provider accounts whose new purchases must stop: a breach of I1, I3 (purchases) or I12 concerns them."""
        return frozenset().union(*(finding.stops for finding in self.findings))

    @property
    def holds(self) -> bool:
        return not self.broken

    def as_json(self) -> dict[str, Any]:
        """The form of `--json`, documented in `docs/verify.md`."""
        return {
            "holds": self.holds,
            "database": self.database,
            "schema": self.schema,
            "at": self.at.isoformat(),
            "ledgers": list(self.ledgers),
            "seconds": round(self.seconds, 3),
            "stops": sorted(self.stops),
            "invariants": [_verdict_json(verdict) for verdict in self.verdicts],
        }

    def as_text(self) -> str:
        """One line an invariant; below one that does not hold, its sentences and the first rows."""
        lines = [f"{self.database}, schema {self.schema}, as of {self.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"]
        for verdict in self.verdicts:
            lines.extend(_verdict_lines(verdict))
        lines.append(self.summary)
        return "\n".join(lines)

    @property
    def summary(self) -> str:
        """The whole check in one line."""
        looked_at = sum(verdict.looked_at for verdict in self.verdicts)
        took = f"{looked_at:,} rows looked at in {self.seconds:.1f} s"
        if self.holds:
            return f"Every invariant holds: {len(self.verdicts)} checked, {took}."
        return f"NOT every invariant holds: {', '.join(self.broken)} of {len(self.verdicts)} broken, {took}."


def row_of(columns: Iterable[tuple[str, object]]) -> dict[str, str]:
    """An offending row as text: ids as 32 hex digits, instants in UTC, nothing as an empty text."""
    return {name: _shown(value) for name, value in columns}


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    as_hex = getattr(value, "hex", None)
    return as_hex if isinstance(as_hex, str) else str(value)


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "invariant": verdict.invariant,
        "says": INVARIANTS[verdict.invariant],
        "holds": not verdict.offending,
        "looked_at": verdict.looked_at,
        "offending": verdict.offending,
        "broken": [
            {"sentence": finding.sentence, "offending": finding.offending, "first": [dict(row) for row in finding.rows]}
            for finding in verdict.broken
        ],
    }


def _verdict_lines(verdict: Verdict) -> list[str]:
    word = "BROKEN" if verdict.offending else "holds"
    says = INVARIANTS[verdict.invariant]
    lines = [
        f"{verdict.invariant:4} {word:6} {verdict.looked_at:>11,} looked at {verdict.offending:>7,} break it  {says}"
    ]
    for finding in verdict.broken:
        lines.append(f"       not so: {finding.sentence} ({finding.offending:,})")
        lines.extend(f"         {_row_text(row)}" for row in finding.rows)
    return lines


def _row_text(row: Mapping[str, str]) -> str:
    return "  ".join(f"{name}={value}" for name, value in row.items())
