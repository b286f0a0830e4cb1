"""A worker is stopped (SIGSTOP) between the gate and the send for longer than its lease; another takes over; then the
first one goes on as if nothing had happened.
"""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
from faults.killing.judge import judged
from faults.killing.killer import forked
from faults.killing.life import live
from faults.killing.mark import Mark
from faults.killing.world import World
from faults.killing.worlds import START, installed_world

PATIENCE = 30.0
SOME_TIME = timedelta(hours=3)
"""Longer than any lease, and than the first questions about what is not known."""


class StopsBeforeTheSend(Mark):
    """Whoever writes it stops itself when an operation of `kind` has passed the gate and nothing was sent yet."""

    kind = "purchase"

    def enter(self, step: str, kind: str | None = None) -> None:
        super().enter(step, kind)
        if step == "call" and self.cell.kind == self.kind:
            os.kill(os.getpid(), signal.SIGSTOP)


@pytest.mark.parametrize("kind", ["purchase", "capture", "refund"])
def test_what_a_worker_sends_long_after_its_lease_was_done_once(database_url: str, tmp_path: Path, kind: str) -> None:
    with installed_world(database_url, tmp_path / "world", "rest") as world:
        stopped = StopsBeforeTheSend(START)
        stopped.kind = kind
        pid = forked(lambda: live(world, stopped, 7, kind), world.directory / "stopped.txt")
        try:
            wait_until_stopped(pid)
            assert (stopped.cell.step, stopped.cell.kind) == ("call", kind)
            others = at_work_elsewhere(world, stopped)
            stopped.kind = ""
            os.kill(pid, signal.SIGCONT)
            time.sleep(1)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        assert others.breaches == []
        # The late one has moved the provider's clock, and ours with it: go on behind both.
        latest = Mark(max(stopped.now, START) + 2 * SOME_TIME + timedelta(days=4))
        world.sandbox.freeze(latest.now.isoformat()).raise_for_status()
        verdict = judged(world, latest)
    assert verdict.breaches == []
    assert verdict.charges > 0
    assert verdict.duplicates == 0


def at_work_elsewhere(world: World, stopped: Mark) -> object:
    """Another worker, hours later, does all there is to do."""
    later = Mark(stopped.now + SOME_TIME)
    world.sandbox.freeze(later.now.isoformat()).raise_for_status()
    return judged(world, later)


def wait_until_stopped(pid: int) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < give_up_at:
        seen = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if seen is not None:
            assert seen.si_code == os.CLD_STOPPED, "it ended and was not stopped"
            return
        time.sleep(0.01)
    pytest.fail("no worker came to where it stops")
