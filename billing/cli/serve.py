"""The commands that bill: API with loops, loops alone, and one pass."""

import signal
from types import FrameType

import click
import uvicorn

from api.app import create_app
from billing.adapters.process import harden_process
from billing.bootstrap import Wiring, owned, sqlite_file, wire
from billing.cli.failing import bound_socket, kill_points
from billing.cli.observe import observed
from billing.cli.verify import check_in_a_process
from billing.domain.errors import NotReady
from billing.scheduler import Loops
from billing.worker import work
from config.settings import Settings, load_settings


@click.command()
@click.option("--host", help="Address to listen on; loopback unless the settings say otherwise.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
def serve(host: str | None, port: int | None) -> None:
    """Run the API, the clock and the loops in this process, until SIGTERM or Ctrl-C.

    \b
    Example: billing serve --port 8000
    Exit codes: 0 stopped, 3 not set up, port in use, or the SQLite file is owned by another process.
    """
    harden_process()
    settings = load_settings()
    with owned(settings):
        wiring = wire(settings, passed=kill_points())
        if wiring.guard.refusal is not None:
            click.echo(f"nothing is sent: {wiring.guard.refusal}", err=True)
        listener = bound_socket(host or settings.api.host, settings.api.port if port is None else port)
        loops = Loops(wiring, check_in_a_process(settings))
        server = uvicorn.Server(
            uvicorn.Config(create_app(wiring, loops, threads=settings.api.threads), log_config=None)
        )
        # The server hands its signal on once it has stopped; ours must live on to stop the loops.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _already_stopping)
        loops.start(settings.loops.seconds)
        address, taken = listener.getsockname()[:2]
        click.echo(f"perennial ready on http://{address}:{taken} (docs at /docs), {durability(settings, wiring)}")
        try:
            with observed(settings, wiring):
                server.run(sockets=[listener])
        finally:
            loops.stop()
            wiring.close()


@click.command()
def worker() -> None:
    """Run the clock and the loops without the API; on PostgreSQL, as many of these as you like.

    \b
    Example: billing worker
    Exit codes: 0 stopped, 3 not set up, or the database is SQLite, which has one owner, or a copy or a restored backup.
    """
    harden_process()
    settings = load_settings()
    if sqlite_file(settings) is not None:
        raise NotReady("an SQLite file has one owner, `billing serve`; several processes need PostgreSQL")
    wiring = wire(settings, passed=kill_points())
    _check_guard(wiring)
    click.echo(f"perennial worker ready, {durability(settings, wiring)}")
    with observed(settings, wiring):
        work(wiring, settings.loops.seconds, check_in_a_process(settings))
    wiring.close()


@click.command()
def run() -> None:
    """One pass of all loops: open what is due, send it, settle it, until nothing is due.

    \b
    Example: billing run
    Exit codes: 0 done, 3 not set up, the SQLite file is owned by a running service, or the database is a copy or a
    restored backup.
    """
    harden_process()
    settings = load_settings()
    with owned(settings):
        wiring = wire(settings, passed=kill_points())
        _check_guard(wiring)
        found = Loops(wiring).until_idle().found
        wiring.close()
    click.echo(f"done: {found} rows were due")


def _check_guard(wiring: Wiring) -> None:
    """Raises `NotReady` where the database is not the one that this machine has served."""
    if wiring.guard.refusal is not None:
        wiring.close()
        raise NotReady(f"nothing is sent: {wiring.guard.refusal}")


def durability(settings: Settings, wiring: Wiring) -> str:
    """Which database this is and what a commit on it survives."""
    if sqlite_file(settings) is not None:
        return "SQLite, write-ahead log, every commit synced"
    with wiring.database.engine.connect() as connection:
        version = connection.exec_driver_sql("SHOW server_version").scalar()
        synced = connection.exec_driver_sql("SHOW fsync").scalar()
        waits = connection.exec_driver_sql("SHOW synchronous_commit").scalar()
    return f"PostgreSQL {version}, fsync {synced}, synchronous_commit {waits}"


def _already_stopping(number: int, frame: FrameType | None) -> None:
    """The second time a signal arrives: the server has acted on it, the loops are being stopped."""
