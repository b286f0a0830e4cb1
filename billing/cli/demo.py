"""The demo: sandbox, API and loops of one directory, under a clock that this file alone moves."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import uvicorn
from rich.console import Console

import migrations
from api.app import create_app
from billing.adapters.clock import SimulatedClock, SystemClock
from billing.adapters.ids import SystemIds
from billing.adapters.keys_file import FileKeys, create_key_file
from billing.adapters.process import harden_process
from billing.bootstrap import Wiring, make_room, owned, wire
from billing.cli.failing import bound_socket, kill_points
from billing.cli.verify import demo_report
from billing.demo.calling import Caller
from billing.demo.service import Service
from billing.demo.story import tell
from billing.domain.errors import NotReady
from billing.scheduler import Loops
from billing.store.engine import open_database
from billing.store.runs import Due
from billing.use_cases.api_keys import create_key
from billing.use_cases.install import install
from billing.vault.keyring import Keyring
from config.settings import Settings, load_settings

CATALOGUE = Path(__file__).parents[2] / "config" / "demo"
FIRST_INSTANT = datetime(2028, 1, 31, tzinfo=UTC)
READY = "sandbox ready on "


@click.command()
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=Path("var/demo"), show_default=True)
@click.option("--exit", "leave", is_flag=True, help="End when the story ends instead of staying up.")
@click.option(
    "--json", "figures_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file."
)
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Stop the story on this day instead of 2029-03-01.")
def demo(directory: Path, leave: bool, figures_file: Path | None, end: datetime | None) -> None:
    """Thirteen months of renewals on SQLite and the sandbox, then the books against the provider's.

    A demo that was killed is taken up where it stood: call it again with the same directory.

    \b
    Example: billing demo --exit --json var/demo.json
    Exit codes: 0 the books equal the provider's and every invariant holds, 1 not so, 3 the directory is in use or
    cannot be used, 130 stopped with Ctrl-C.
    """
    harden_process()
    if figures_file is not None:
        # Found out now, not after the story.
        figures_file.touch()
    console = Console(stderr=False)
    with _sandbox(directory) as sandbox_url:
        settings = _settings(directory, sandbox_url)
        with owned(settings):
            key = _prepare(directory, settings)
            wiring = wire(settings, clock=SimulatedClock(FIRST_INSTANT), passed=kill_points())
            if wiring.guard.refusal is not None:
                wiring.close()
                raise NotReady(f"the directory was copied or put back: {wiring.guard.refusal}; use a fresh one")
            try:
                is_right = _told(directory, wiring, (key, sandbox_url), end, console, figures_file, leave=leave)
            finally:
                wiring.close()
    if not is_right:
        raise SystemExit(1)


def _told(
    directory: Path,
    wiring: Wiring,
    access: tuple[str, str],
    end: datetime | None,
    console: Console,
    figures_file: Path | None,
    *,
    leave: bool,
) -> bool:
    """The story over a running service, its figures written and its database checked; then, unless asked to `leave`,
    the API stays up. Whether the books are the provider's and every invariant holds.
    """
    # Nobody works in the sandbox's portal while the story runs, and thirteen months of looks would take their time.
    loops = Loops(wiring, watches=False)
    with _api(wiring, loops) as api_url:
        service = _service(directory, wiring, loops, (api_url, *access))
        figures = tell(service, CATALOGUE, console, end=end.replace(tzinfo=UTC, hour=12) if end else None)
        if figures_file is not None:
            figures_file.write_text(json.dumps(figures.as_json(), indent=2) + "\n")
        loops.seal()
        holds = _verified(directory, wiring, access[1], console)
        if not leave:
            _stay(console, loops, api_url, directory)
    return holds and not figures.as_json()["ledger_difference"]


def _verified(directory: Path, wiring: Wiring, sandbox_url: str, console: Console) -> bool:
    """What `billing verify` says of the demo's database, held against the sandbox's own ledger."""
    # Beside the sandbox's own books: it names the tokens, which no file of the service may hold in the clear.
    ledger = directory / "sandbox" / "ledger.json"
    with Caller(sandbox_url) as sandbox:
        ledger.write_text(json.dumps(sandbox.get("/_sandbox/ledger"), indent=1))
    database, key_file = directory / "perennial.sqlite3", directory / "keys" / "vault.key"
    report = demo_report(f"sqlite:///{database.absolute()}", wiring.clock.now(), key_file, ledger)
    said = report.summary if report.holds else report.as_text()
    console.print(f"billing verify: {said}", markup=False, highlight=False)
    return report.holds


def _settings(directory: Path, sandbox_url: str) -> Settings:
    # The sandbox's credentials are printed in its own help: they protect nothing.
    os.environ["BILLING_SANDBOX_PASSWORD"] = "sandbox"  # noqa: S105
    settings = load_settings()
    account = settings.provider_accounts[0].model_copy(
        update={
            "name": "sandbox",
            "base_url": sandbox_url,
            "username": "sandbox",
            "password_env": "BILLING_SANDBOX_PASSWORD",
            "password_file": None,
            "deadline_seconds": 0.5,
        }
    )
    return settings.model_copy(
        update={
            "database": settings.database.model_copy(
                update={"url": f"sqlite:///{(directory / 'perennial.sqlite3').absolute()}"}
            ),
            "vault": settings.vault.model_copy(update={"key_file": directory / "keys" / "vault.key"}),
            "provider_accounts": [account],
        }
    )


def _prepare(directory: Path, settings: Settings) -> str:
    """Schema, vault key, API key; each is made once and found again. Returns the API key."""
    ids, now = SystemIds(), SystemClock().now()
    key_file, api_key_file = settings.vault.key_file, directory / "api.key"
    key_file.parent.mkdir(mode=0o700, exist_ok=True)
    if not key_file.exists():
        create_key_file(key_file, ids.secret)
    make_room(settings)
    database = open_database(settings.database.url)
    migrations.upgrade(database.engine)
    install(database, Keyring(FileKeys(key_file), ids.secret), ids, now)
    if not api_key_file.exists():
        text = create_key(database, ids, now, name="demo", role="admin", live=False)
        written = api_key_file.with_suffix(".new")
        written.touch(mode=0o600)
        written.write_text(text)
        written.rename(api_key_file)
    database.close()
    return api_key_file.read_text()


def _service(directory: Path, wiring: Wiring, loops: Loops, where: tuple[str, str, str]) -> Service:
    clock = wiring.clock
    assert isinstance(clock, SimulatedClock), "the demo runs on simulated time"

    known: list[Due | None] = [None]

    def advance(instant: datetime) -> None:
        # What the story asks of the API is written between two calls at one instant; else nobody but we write.
        moved = instant > clock.now()
        if moved:
            clock.set(instant)
        known[0] = loops.until_idle(known[0] if moved else None).due

    def next_due_at() -> datetime | None:
        return known[0].first() if known[0] is not None else loops.next_due_at()

    api_url, key, sandbox_url = where
    return Service(
        api_url=api_url,
        api_key=key,
        sandbox_url=sandbox_url,
        provider_account="sandbox",
        service_file=directory / "perennial.sqlite3",
        sandbox_file=directory / "sandbox" / "sandbox.sqlite3",
        advance=advance,
        next_due_at=next_due_at,
    )


@contextmanager
def _sandbox(directory: Path) -> Iterator[str]:
    """The sandbox as a process of its own; it ends when our end of its standard input closes, however we die."""
    try:
        (directory / "sandbox").mkdir(parents=True, exist_ok=True)
    except OSError:
        raise NotReady(f"the directory {directory} cannot be made or used") from None
    command = [sys.executable, "-m", "billing.sandbox", "--port", "0", "--parent-pipe"]
    process = subprocess.Popen(  # noqa: S603  (our own module, no input of anybody's)
        [*command, "--data", str(directory / "sandbox")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith(READY):
            raise NotReady("the sandbox did not start; it said why above")
        yield line.removeprefix(READY).strip()
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


@contextmanager
def _api(wiring: Wiring, loops: Loops) -> Iterator[str]:
    """The API in a thread of this process, on a free loopback port."""
    listener = bound_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(wiring, loops), log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="api", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise NotReady("the API did not start")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _stay(console: Console, loops: Loops, api_url: str, directory: Path) -> None:
    """Carry out what is asked of the API, at the instant at which the story ended."""
    console.print(f"\nThe API stays up at {api_url}, its documentation at {api_url}/docs; the clock stands still.")
    console.print(f"An admin key lies in {directory / 'api.key'}. Ctrl-C ends it.")
    try:
        while True:
            loops.until_idle()
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("stopped")
