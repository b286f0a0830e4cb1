"""A worker's life, lived in a forked process until it is killed: acts, renewals, sends and questions, on the world's
clock, with the real adapters over real sockets.
"""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
from faults.killing.acts import Actor
from faults.killing.mark import Mark
from faults.killing.world import World, rows

from billing.adapters.clock import SimulatedClock
from billing.bootstrap import Wiring, wire
from billing.scheduler import Loops
from billing.use_cases.operate import operate
from billing.use_cases.reconcile import reconcile
from billing.use_cases.sending import OPENS_THE_TOKEN
from config.settings import load_settings

SPEEDS = (timedelta(minutes=1), timedelta(minutes=11), timedelta(hours=7))
"""How far the clock goes on after a round, at most."""

_NEXT = {"reveal.committed": "gate", "gate.committed": "call", "call.begins": "call", "settle.begins": "settle"}
_MINE = "SELECT kind FROM operations WHERE lease_owner IS NOT NULL ORDER BY lease_until DESC LIMIT 1"


def wired(world: World, mark: Mark, clock: SimulatedClock) -> Wiring:
    """The service in this process; it tells `mark` of every step. One row a batch, so that its kind is known."""
    before = ""

    def passed(name: str) -> None:
        nonlocal before
        kind = kind_in_hand(wiring) if name in ("claim.committed", "replay.committed", "settle.begins") else None
        match name:
            case "claim.committed":
                mark.enter("reveal" if kind in OPENS_THE_TOKEN else "gate", kind)
            case "replay.committed":
                mark.enter("call", kind)
            case "call.answered":
                mark.enter("read")
            case "settle.committed":
                # What was refused at the gate is settled before the call.
                mark.enter("call" if before == "gate.committed" else "idle")
            case _ if name in _NEXT:
                mark.enter(_NEXT[name], kind)
        before = before if name.startswith("settle") else name

    wiring = wire(load_settings(), clock=clock, passed=passed)
    wiring.database.batch_size = 1
    for network in wiring.networks:
        _tell_of_answers(network, mark)
    return wiring


def live(world: World, mark: Mark, seed: int, wish: str) -> None:
    """Until it is killed. What is asked for most makes operations of the kind `wish`."""
    draw, clock = random.Random(seed), SimulatedClock(mark.now)
    wiring = wired(world, mark, clock)
    loops, client = Loops(wiring, watches=False), httpx.Client(base_url=world.sandbox.url, timeout=20)
    actor = Actor(world, wiring, client, draw, mark)
    while True:
        actor.act(wish if draw.random() < 0.6 else None)
        turn(wiring, loops, mark)
        go_on(world, client, mark, clock, _then(loops, clock, draw))


def turn(wiring: Wiring, loops: Loops, mark: Mark) -> None:
    """Everything that is due now, once."""
    sending = wiring.sending()
    mark.enter("plan", "purchase")
    loops.renew()
    for step, work in (("claim", operate), ("ask", reconcile)):
        mark.enter(step)
        while work(sending):
            mark.enter(step)
    mark.enter("idle")


def go_on(world: World, client: httpx.Client, mark: Mark, clock: SimulatedClock, to: Any) -> None:
    """Both clocks go on, the provider's first, which thus is never behind."""
    client.post("/_sandbox/clock", json={"set": to.isoformat()}).raise_for_status()
    clock.set(to)
    mark.now = to


def kind_in_hand(wiring: Wiring) -> str | None:
    """The kind of the operation that this process has claimed."""
    with wiring.database.tx() as session:
        found = rows(session, _MINE)
    return str(found[0][0]) if found else None


def _then(loops: Loops, clock: SimulatedClock, draw: random.Random) -> Any:
    now = clock.now()
    due, latest = loops.next_due_at(), now + draw.choice(SPEEDS)
    return latest if due is None else min(max(due, now + timedelta(seconds=1)), latest)


def _tell_of_answers(network: Any, mark: Mark) -> None:
    """An answer that has arrived is being read until it is settled."""
    exchange = network.exchange

    def told(requests: Any) -> Iterator[Any]:
        for answer in exchange(requests):
            if mark.cell.step == "call":
                mark.enter("read")
            yield answer

    network.exchange = told
