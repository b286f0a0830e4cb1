"""Check: every invariant on one database, read once as it stood at one moment."""

# ruff: noqa: S608  (every statement is put together from names of this package alone)

import time
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import make_url

from billing.verify import books, lost, money, purchases, states, tokens
from billing.verify.chains import judged_chains
from billing.verify.exports import Ledger, read_ledger
from billing.verify.periods import judged_periods
from billing.verify.provider import judged_against
from billing.verify.reading import Snapshot, opened
from billing.verify.report import Finding, Report, row_of
from billing.verify.rule import Rule
from billing.verify.schema import known_version

RULES: Sequence[Rule] = (
    *purchases.RULES,
    *lost.RULES,
    *books.RULES,
    *money.RULES,
    *states.RULES,
    *tokens.RULES,
)

TICK = timedelta(seconds=60)
LATE = timedelta(hours=1)


def check(
    url: str,
    *,
    now: datetime | None = None,
    ledgers: Sequence[Path | str | Ledger] = (),
    ledgers_since: datetime | None = None,
    keys: Collection[str] | None = None,
    tick: timedelta = TICK,
    late: timedelta = LATE,
    shown: int = 5,
) -> Report:
    """Check every invariant of the database at `url` as of `now` (aware; the wall clock unless given).

    `ledgers` are the provider's own (files, or `account=file`), complete from `ledgers_since` on; `keys` the ids in hex
    of the keys that the vault has. `tick` is how often the loops look, `late` how far back something due may lie. Each
    sentence that does not hold shows its first `shown` rows. Nothing is ever written. Raises `NotVerifiable`.
    """
    at = now or datetime.now(UTC)
    began = time.monotonic()
    read = [one if isinstance(one, Ledger) else _ledger(one) for one in ledgers]
    with opened(url) as view:
        version = known_version(view)
        times = {"now": at, "late": at - late, "asked": at - 2 * tick}
        snapshot = Snapshot(view.connection, view.is_sqlite, view.columns, times)
        findings = list(_findings(snapshot, read, ledgers_since, keys, shown))
    name = make_url(url).render_as_string(hide_password=True)
    return Report(name, version, at, findings, [one.name for one in read], time.monotonic() - began)


def _findings(
    snapshot: Snapshot,
    ledgers: Sequence[Ledger],
    since: datetime | None,
    keys: Collection[str] | None,
    shown: int,
) -> Iterator[Finding]:
    counts: dict[str, int] = {}
    for rule in RULES:
        if rule.needs is None or snapshot.has(rule.needs):
            yield _followed(snapshot, rule, counts, shown)
    yield from money.judged_amounts(snapshot)
    yield from judged_chains(snapshot)
    yield from judged_periods(snapshot)
    yield from tokens.judged_keys(snapshot, keys)
    if ledgers:
        yield from judged_against(snapshot, ledgers, since)


def _followed(snapshot: Snapshot, rule: Rule, counts: dict[str, int], shown: int) -> Finding:
    """One statement where the rule holds; where it does not, the rows that break it are counted too."""
    if rule.looks_at not in counts:
        counts[rule.looks_at] = snapshot.count(rule.looks_at)
    first = [row_of(zip(row._fields, row, strict=True)) for row in islice(snapshot.rows(rule.broken), max(shown, 1))]
    offending = snapshot.count(f"({rule.broken}) found") if first else 0
    stops = (
        snapshot.rows(f"SELECT DISTINCT provider_account FROM ({rule.broken}) found") if first and rule.stops else ()
    )
    names = frozenset(str(row[0]) for row in stops)
    return Finding(rule.invariant, rule.sentence, counts[rule.looks_at], offending, first[:shown], names)


def _ledger(named: Path | str) -> Ledger:
    account, separator, file = str(named).partition("=")
    if separator and not Path(str(named)).exists():
        return read_ledger(Path(file), account)
    return read_ledger(Path(named))
