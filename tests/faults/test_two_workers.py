"""Two processes, and ten, on one PostgreSQL share the work, and each row is done once."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import UUID

import pytest
from both_books import BothBooks
from installed import Installed, first_line

from billing.bootstrap import wire
from config.settings import load_settings

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

COUNT = 60
PATIENCE = 30.0


def test_sixty_subscriptions_due_under_two_workers_are_charged_once_each(installed: Installed) -> None:
    now = datetime.now(UTC)
    workers = [installed.start("worker") for _ in range(2)]
    for worker in workers:
        assert "ready" in first_line(worker)
    with installed.at(now) as (wiring, _, _):
        for n in range(COUNT):
            # They fall due one after another, so that neither worker can take them all at once.
            installed.subscribe(wiring, now, start_at=datetime.now(UTC) + timedelta(milliseconds=500 + 100 * n))
    wait_for_orders(installed)
    for worker in workers:
        worker.terminate()
        assert worker.wait(timeout=PATIENCE) == 0
    both = Counter(reveal.worker for reveal in BothBooks(installed).reveals)
    assert sum(both.values()) == COUNT
    assert len(both) == 2
    installed.carry_on(datetime.now(UTC), now + timedelta(hours=2))
    BothBooks(installed).assert_agree()


def test_processes_that_start_together_on_a_new_database_all_start(installed: Installed) -> None:
    together = Barrier(8)

    def start() -> UUID:
        together.wait()
        wiring = wire(load_settings())
        wiring.close()
        return wiring.namespace

    with ThreadPoolExecutor(together.parties) as threads:
        started = [threads.submit(start) for _ in range(together.parties)]
    assert len({one.result() for one in started}) == 1


def test_rows_that_are_due_already_are_shared_out_once_each(installed: Installed) -> None:
    now = datetime.now(UTC)
    with installed.at(now) as (wiring, _, _):
        for _ in range(COUNT):
            installed.subscribe(wiring, now)
    workers = [installed.start("worker") for _ in range(2)]
    for worker in workers:
        assert "ready" in first_line(worker)
    wait_for_orders(installed)
    for worker in workers:
        worker.terminate()
        assert worker.wait(timeout=PATIENCE) == 0
    installed.carry_on(datetime.now(UTC), now + timedelta(hours=2))
    BothBooks(installed).assert_agree()


def test_ten_workers_at_once_charge_each_once(installed: Installed) -> None:
    now = datetime.now(UTC)
    with installed.at(now) as (wiring, _, _):
        for _ in range(COUNT):
            installed.subscribe(wiring, now)
    workers = [installed.start("worker") for _ in range(10)]
    for worker in workers:
        assert "ready" in first_line(worker)
    wait_for_orders(installed)
    for worker in workers:
        worker.terminate()
        assert worker.wait(timeout=PATIENCE) == 0
    installed.carry_on(datetime.now(UTC), now + timedelta(hours=2))
    BothBooks(installed).assert_agree()


def wait_for_orders(installed: Installed) -> None:
    """Until every subscription has an order and its answer is written down."""
    give_up_at = time.monotonic() + PATIENCE
    while sum(op.status == "succeeded" for op in BothBooks(installed).of_kind("purchase")) < COUNT:
        assert time.monotonic() < give_up_at, Counter(op.status for op in BothBooks(installed).operations)
        time.sleep(0.1)
