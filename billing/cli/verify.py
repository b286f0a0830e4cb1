"""The checker as a command, and as what a running service has checked once a day."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from billing.adapters.clock import SystemClock
from billing.adapters.keys_file import FileKeys
from billing.adapters.process import harden_process
from billing.domain.errors import NotReady
from billing.scheduler import Checker
from billing.use_cases.verify_daily import Judgement
from billing.verify import NotVerifiable, Report, check
from config.settings import Settings, load_settings

NOT_VERIFIABLE = 2
_LOOK_EVERY = 0.5
"""Seconds between two looks at whether the service is being stopped."""


class _Instant(click.ParamType[datetime]):
    name = "instant"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no instant such as 2028-01-31T08:00:00Z", param, ctx)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.option(
    "--provider-ledger",
    "ledgers",
    multiple=True,
    metavar="[ACCOUNT=]FILE",
    help="The provider's own ledger: the sandbox's export or a CSV, see docs/verify.md. May be given more than once.",
)
@click.option(
    "--ledger-from", type=_Instant(), help="The ledgers are complete from then on; from the start unless said."
)
@click.option("--now", type=_Instant(), help="The instant as of which is checked; the wall clock's unless said.")
@click.option(
    "--tick", type=click.IntRange(1), default=60, show_default=True, help="Seconds between two looks of a loop."
)
@click.option(
    "--late", type=click.IntRange(1), default=3600, show_default=True, help="Seconds before what is due is lost."
)
@click.option(
    "--rows", "shown", type=click.IntRange(1, 1000), default=5, show_default=True, help="Offending rows shown."
)
def verify(
    as_json: bool,
    ledgers: Sequence[str],
    ledger_from: datetime | None,
    now: datetime | None,
    tick: int,
    late: int,
    shown: int,
) -> None:
    """Check every invariant of the charging rules on the configured database. It only reads; a service may be running.

    \b
    Example: billing verify --provider-ledger klarna-eu=ledger.csv
    Exit codes: 0 every invariant holds, 1 one does not, 2 wrong command line or no database of this version,
    3 the database cannot be reached.
    """
    harden_process()
    settings = load_settings()
    keys, unread = _key_ids(settings)
    try:
        report = check(
            settings.database.url,
            now=now or SystemClock().now(),
            ledgers=ledgers,
            ledgers_since=ledger_from,
            keys=keys,
            tick=timedelta(seconds=tick),
            late=timedelta(seconds=late),
            shown=shown,
        )
    except NotVerifiable as reason:
        click.echo(f"not verified: {reason}", err=True)
        raise SystemExit(NOT_VERIFIABLE) from None
    if unread:
        click.echo(f"keys are not compared with the vault's: {unread}", err=True)
    click.echo(json.dumps(report.as_json(), indent=2) if as_json else report.as_text())
    raise SystemExit(0 if report.holds else 1)


def check_in_a_process(settings: Settings) -> Checker:
    """The checker in a process of its own, so that it takes no time from those who charge.

    It ends early where the service is stopping. Where it cannot check at all, it raises `NotReady`.
    """

    def checked(now: datetime, is_stopping: Callable[[], bool]) -> Judgement | None:
        # The URL goes through the environment: arguments are seen by everybody on the machine.
        environment = {**os.environ, "BILLING_DATABASE__URL": settings.database.url}
        environment["BILLING_VAULT__KEY_FILE"] = str(settings.vault.key_file)
        command = [sys.executable, "-c", "from billing.cli import main; main()", "verify", "--json"]
        process = subprocess.Popen(  # noqa: S603  (our own command, no input of anybody's)
            [*command, "--now", now.isoformat()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        said = _said(process, is_stopping)
        return None if said is None else _judgement(process.returncode, *said)

    return checked


def judgement_of(said: dict[str, object]) -> Judgement:
    """What the checker's JSON comes to."""
    invariants = said["invariants"]
    assert isinstance(invariants, list), "the checker lists its invariants"
    stops = said["stops"]
    assert isinstance(stops, list), "the checker lists the accounts that must stop"
    return Judgement(
        {one["invariant"]: one["looked_at"] for one in invariants},
        {one["invariant"]: one["offending"] for one in invariants},
        stops,
    )


def demo_report(url: str, now: datetime, key_file: Path, ledger: Path) -> Report:
    """The check at the end of the demo: as of its simulated end, against the sandbox's ledger."""
    return check(url, now=now, ledgers=[ledger], keys=FileKeys(key_file).key_ids())


def _said(process: subprocess.Popen[str], is_stopping: Callable[[], bool]) -> tuple[str, str] | None:
    while True:
        try:
            return process.communicate(timeout=_LOOK_EVERY)
        except subprocess.TimeoutExpired:
            if is_stopping():
                process.terminate()
                process.communicate()
                return None


def _judgement(code: int, out: str, errors: str) -> Judgement:
    if code not in (0, 1):
        raise NotReady(f"the daily check could not be made: {errors.strip() or f'it ended with {code}'}")
    return judgement_of(json.loads(out))


def _key_ids(settings: Settings) -> tuple[frozenset[str] | None, str]:
    """The ids of the vault's keys, or why this user cannot read them: who only audits need not."""
    try:
        return FileKeys(settings.vault.key_file).key_ids(), ""
    except (NotReady, OSError) as reason:
        return None, str(reason)
