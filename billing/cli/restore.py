"""The commands for after a restore from a backup: open, look, release, close."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import click

from billing.bootstrap import Wiring, owned, wire
from billing.domain.errors import BadRows, Invalid, NotReady
from billing.domain.ids import Prefix, parse, shown
from billing.scheduler import Loops
from billing.use_cases.open_restore import NewRestore, begin_restore
from billing.use_cases.release_restored import (
    Release,
    RestoreFound,
    close_restore,
    find_restore,
    release_restored,
)
from config.settings import load_settings


@click.group()
def restore() -> None:
    """After a database was restored from a backup."""


@restore.command("open")
@click.option("--from", "lost_from", required=True, help="When the backup was made, such as 2028-03-01T04:00:00Z.")
@click.option("--until", "lost_until", required=True, help="When the database was put back.")
@click.option("--export", "export_file", type=click.Path(path_type=Path, dir_okay=False), help="The provider's export.")
@click.option("--without-export", is_flag=True, help="There is none: a person decides about every charge since.")
@click.option("--account", help="Whose export it is, where its rows do not say so.")
@click.option("--by", required=True, help="Who says so; kept in the audit log.")
@click.option("--reason", required=True, help="What happened.")
def restore_open(
    lost_from: str,
    lost_until: str,
    export_file: Path | None,
    without_export: bool,
    account: str | None,
    by: str,
    reason: str,
) -> None:
    """Arm a restored database: say what it has forgotten, and link what the provider's export shows.

    \b
    Example: billing restore open --from 2028-03-01T04:00:00Z --until 2028-03-02T09:00:00Z --export klarna.csv
             --by "J. Doe" --reason "the disk died"
    Exit codes: 0 done, 2 wrong command line, 3 a line of the export is wrong, another restore is open, or the SQLite
    file is owned by a running service (then use POST /admin/v1/restores).
    """
    if (export_file is None) != without_export:
        raise click.UsageError("give either --export FILE or --without-export")
    export = None if export_file is None else export_file.read_text(encoding="utf-8-sig")
    new = NewRestore(_instant(lost_from, "--from"), _instant(lost_until, "--until"), export, by, reason, account)
    with _wired() as wiring:
        opened = _begun(wiring, new)
        loops = Loops(wiring)
        loops.renew()
        loops.link()
        _tell(find_restore(wiring.database, opened))


@restore.command("show")
@click.argument("restore_id")
def restore_show(restore_id: str) -> None:
    """Print what of a restore is matched and what is not.

    \b
    Example: billing restore show rst_0190c0de00007000800000000000000a
    Exit codes: 0 done, 3 there is no such restore, or the SQLite file is owned by a running service.
    """
    with _wired() as wiring:
        Loops(wiring).link()
        _tell(find_restore(wiring.database, parse(Prefix.RESTORE, restore_id)))


@restore.command("release")
@click.argument("restore_id")
@click.option("--operation", "operations", multiple=True, help="An operation that was not done and may be sent.")
@click.option("--record", "records", multiple=True, help="A row of the export that is none of ours.")
@click.option("--all", "all_operations", is_flag=True, help="Every operation that waits.")
@click.option("--all-records", is_flag=True, help="Every row of the export that is unmatched.")
@click.option("--by", required=True, help="Who says so; kept in the audit log.")
@click.option("--reason", required=True, help="How it is known.")
def restore_release(
    restore_id: str,
    operations: tuple[str, ...],
    records: tuple[str, ...],
    all_operations: bool,
    all_records: bool,
    by: str,
    reason: str,
) -> None:
    """Let what is unmatched be sent, one by one or all; the next `billing run` or `serve` sends it.

    \b
    Example: billing restore release rst_... --operation op_... --by "J. Doe" --reason "not in the portal"
    Exit codes: 0 done, 3 it does not wait, or the SQLite file is owned by a running service.
    """
    release = Release(
        by,
        reason,
        [parse(Prefix.OPERATION, text) for text in operations],
        [parse(Prefix.RESTORED_RECORD, text) for text in records],
        all_operations,
        all_records,
    )
    with _wired() as wiring:
        wanted = parse(Prefix.RESTORE, restore_id)
        done = release_restored(wiring.database, wiring.ids, wiring.clock.now(), wanted, release)
        Loops(wiring).link()
    click.echo(f"{done.operations} operations may be sent, {done.records} rows are taken for somebody else's")


@restore.command("close")
@click.argument("restore_id")
@click.option("--by", required=True, help="Who says so; kept in the audit log.")
@click.option("--reason", required=True, help="Why it is over.")
def restore_close(restore_id: str, by: str, reason: str) -> None:
    """End a restore once nothing is unmatched.

    \b
    Example: billing restore close rst_... --by "J. Doe" --reason "all matched"
    Exit codes: 0 done, 3 something is unmatched, or the SQLite file is owned by a running service.
    """
    with _wired() as wiring:
        now = wiring.clock.now()
        close_restore(wiring.database, wiring.ids, now, parse(Prefix.RESTORE, restore_id), by, reason)
    click.echo("the restore is closed")


@contextmanager
def _wired() -> Iterator[Wiring]:
    settings = load_settings()
    with owned(settings):
        wiring = wire(settings)
        try:
            yield wiring
        finally:
            wiring.close()


def _begun(wiring: Wiring, new: NewRestore) -> UUID:
    try:
        return begin_restore(wiring.database, wiring.ids, wiring.guard, wiring.clock.now(), new).id
    except BadRows as wrong:
        for place, message in wrong.faults:
            click.echo(f"{place}: {message}", err=True)
        raise NotReady(wrong.message) from None


def _instant(text: str, option: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{option} must be an instant such as 2028-03-01T04:00:00Z") from None
    if at.tzinfo is None:
        raise Invalid(f"{option} needs its zone, such as 2028-03-01T04:00:00Z")
    return at.astimezone(UTC)


def _tell(found: RestoreFound) -> None:
    click.echo(f"restore {shown(Prefix.RESTORE, found.restore.id)}: {found.matched_count} rows of the export matched")
    click.echo(f"operations of ours that wait: {found.unmatched_ours_count}")
    for operation in found.unmatched_ours:
        said = f"{operation.kind} {operation.amount} {operation.currency} {operation.status}"
        click.echo(f"  {shown(Prefix.OPERATION, operation.id)} {said}")
    click.echo(f"rows of the export that are nobody's: {found.unmatched_theirs_count}")
    for row in found.unmatched_theirs:
        said = f"{row.kind} {row.provider_id} {row.amount} {row.currency} {row.at.isoformat()}"
        click.echo(f"  {shown(Prefix.RESTORED_RECORD, row.id)} {said}")
    if found.unopened_count:
        click.echo(f"subscriptions whose lost periods are not opened yet: {found.unopened_count}")
