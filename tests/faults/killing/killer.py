"""Who kills: forks a worker, waits until it is where a kill is wanted, and sends it SIGKILL a drawn moment later."""

import json
import os
import random
import signal
import sqlite3
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from faults.killing.judge import Verdict, judged
from faults.killing.life import live
from faults.killing.mark import AFTER_THE_GATE, KINDS, Cell, Mark
from faults.killing.world import World
from sqlalchemy import make_url

PATIENCE = 1.5
"""Seconds to wait for a worker to come to the wanted place; then it is killed where it is."""

SHARE_AFTER_THE_GATE = 0.72
_AIMED, _LATE = ("plan", "claim", "reveal", "gate"), ("call", "read", "settle")
_LEFT = "SELECT id, kind, status FROM operations WHERE status IN ('sending', 'unknown')"
_HELD = "SELECT kind FROM operations WHERE lease_owner IS NOT NULL ORDER BY lease_until DESC LIMIT 1"
_DUE = "SELECT kind FROM operations WHERE status = 'planned' AND due_at <= '{at}' ORDER BY due_at, id LIMIT 1"


@dataclass(slots=True)
class Tally:
    """What the kills of one database and one generation came to."""

    kills: Counter[Cell] = field(default_factory=Counter)
    seen: set[Cell] = field(default_factory=set)
    worlds: int = 0
    charges: int = 0
    duplicates: int = 0
    lost: int = 0
    unknown: int = 0
    by_person: int = 0
    longest_seconds: float = 0.0
    breaches: list[str] = field(default_factory=list)

    def lacking(self, least: int) -> list[Cell]:
        """Cells that exist and have seen fewer kills."""
        return sorted(cell for cell in self.required() if self.kills[cell] < least)

    def required(self) -> set[Cell]:
        """Where an operation can be killed: every step that a worker was seen in with that kind, but idling."""
        return {cell for cell in self.seen if cell.step not in ("idle", "ask")}

    def after_the_gate(self) -> float:
        """The share of kills between the gate's commit and the settlement's."""
        return sum(n for cell, n in self.kills.items() if cell.step in AFTER_THE_GATE) / max(self.kills.total(), 1)


class Killer:
    """Kills the workers of one world."""

    def __init__(self, world: World, draw: random.Random, tally: Tally) -> None:
        self.world, self.draw, self.tally = world, draw, tally
        self.mark = Mark(world.start_at)
        self.stranded: dict[str, datetime] = {}

    def kill_one(self, least: int) -> Cell:
        """One life, ended where a kill is wanted most; returns where it was."""
        aim = self._aim(least)
        seed = self.draw.randrange(2**32)
        self.mark.enter("idle")
        pid = forked(lambda: live(self.world, self.mark, seed, aim.kind), self.world.directory / "life.txt")
        self._wait_for(aim, pid)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            raise AssertionError((self.world.directory / "life.txt").read_text())
        cell = self._where()
        self.tally.kills[cell] += 1
        self.tally.seen |= set(self.mark.seen())
        return cell

    def judge(self) -> Verdict:
        """The world's end; its figures are added to the tally."""
        file = self.world.directory / "verdict.json"
        pid = forked(
            lambda: file.write_text(json.dumps(asdict(judged(self.world, self.mark)))),
            self.world.directory / "judge.txt",
        )
        _, status = os.waitpid(pid, 0)
        if status:
            raise AssertionError((self.world.directory / "judge.txt").read_text())
        verdict = Verdict(**json.loads(file.read_text()))
        self._count(verdict)
        return verdict

    def _aim(self, least: int) -> Cell:
        late = self.draw.random() < SHARE_AFTER_THE_GATE
        steps = _LATE if late else _AIMED
        wanted = [cell for cell in self.tally.lacking(least) if cell.step in steps]
        if wanted and self.draw.random() < 0.9:
            return self.draw.choice(wanted)
        return Cell(self.draw.choice(steps), self.draw.choice(KINDS))

    def _wait_for(self, aim: Cell, pid: int) -> None:
        """Until the worker is where it is wanted, or, after a while, in a step of the same side of the gate."""
        began = time.monotonic()
        side = _LATE if aim.step in _LATE else _AIMED
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            cell, waited = self.mark.cell, time.monotonic() - began
            is_there = cell.step == aim.step and (cell.kind == aim.kind or aim.step == "claim")
            if is_there or (waited > 0.8 * PATIENCE and cell.step in side) or waited > 2 * PATIENCE:
                break
            time.sleep(0.0002)
        time.sleep(self.draw.uniform(0, self.mark.lasts(self.mark.cell.step)))

    def _where(self) -> Cell:
        """The step it told last, and the kind of the row it held; of a claim not yet made the kind of the next row."""
        cell = self.mark.cell
        with _reading(self.world.database_url) as read:
            held = read(_HELD)
            if not held and cell.step == "claim":
                held = read(_DUE.format(at=self.mark.now.strftime("%Y-%m-%d %H:%M:%S.%f")))
            for id_, *_ in read(_LEFT):
                self.stranded.setdefault(UUID(str(id_)).hex, self.mark.now)
        return Cell(cell.step, str(held[0][0])) if held and cell.step not in ("plan", "idle") else cell

    def _count(self, verdict: Verdict) -> None:
        tally = self.tally
        tally.worlds += 1
        tally.charges += verdict.charges
        tally.duplicates += verdict.duplicates
        tally.lost += verdict.lost
        tally.unknown += len(self.stranded)
        tally.by_person += len(self.stranded.keys() & set(verdict.decided))
        tally.breaches += verdict.breaches
        for id_, since in self.stranded.items():
            if id_ in verdict.settled:
                lasted = datetime.fromisoformat(verdict.settled[id_]).astimezone(UTC) - since
                tally.longest_seconds = max(tally.longest_seconds, lasted.total_seconds())


def forked(work: Callable[[], Any], complaint: Path) -> int:
    """A process that does `work` and ends; what it dies of by itself stands in the file."""
    pid = os.fork()
    if pid:
        return pid
    code = 0
    try:
        work()
    except BaseException:
        complaint.write_text(traceback.format_exc())
        code = 1
    finally:
        os._exit(code)


@contextmanager
def _reading(url: str) -> Iterator[Callable[[str], list[Any]]]:
    """Plain SQL on the world's database, for as long as the block lasts."""
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        connection: Any = sqlite3.connect(parsed.database or "", timeout=10)
    else:
        plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg.connect(plain, autocommit=True, options="-c timezone=UTC")
    with closing(connection):
        yield lambda sql: connection.execute(sql).fetchall()
