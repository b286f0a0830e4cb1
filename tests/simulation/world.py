"""The world of one seed: a database, workers with clocks of their own, the line to the provider, what is offered."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from factories import SELLER, START, Shop
from lives.life import KINDS, CountedIds
from simulation.line import DEADLINE, Line
from simulation.provider import Provider
from simulation.stage import Breach, Killed, Stage, Work
from simulation.swarm import Swarm
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from billing.bootstrap import Wiring
from billing.ports import Account
from billing.scheduler import Loops
from billing.store.bulk import table_of
from billing.store.engine import Database
from billing.store.plans import Plan, Price
from billing.store.runs import due_from
from billing.use_cases.sending import Sending

DAY = timedelta(days=1)
_PROMPT = timedelta(seconds=1)
_STUCK_FIRST, _STUCK_LONGEST = timedelta(minutes=10), timedelta(hours=6)


class StagedDatabase(Database):
    """The same database; every transaction begins and ends at a point, and its COMMIT may go wrong."""

    def __init__(self, plain: Database, stage: Stage, swarm: Swarm) -> None:
        super().__init__(plain.engine)
        self.batch_size = swarm.batch_size
        self.is_calm = False
        self._stage, self._swarm = stage, swarm

    @contextmanager
    def tx(self) -> Iterator[Session]:
        self._stage.point("begin")
        fault = self._fault()
        with super().tx() as session:
            yield session
            if fault in ("lost_before", "serialization"):
                session.flush()
                raise OperationalError("COMMIT", None, Injected(fault))
        if fault == "lost_after":
            raise OperationalError("COMMIT", None, Injected(fault))
        self._stage.point("committed")

    def _fault(self) -> str | None:
        if self.is_calm:
            return None
        found = next((kind for kind, rate in self._swarm.commits.items() if self._stage.happens(rate)), None)
        if found is not None:
            self._stage.count(found)
        return found


class Injected(Exception):
    """What the simulation did to a COMMIT."""


@dataclass(frozen=True, slots=True)
class SkewedClock:
    """A machine's clock: off by a while, always the same."""

    stage: Stage
    skew: timedelta = timedelta()

    def now(self) -> datetime:
        return self.stage.now + self.skew


class NamedWiring(Wiring):
    """The service's parts, with a worker's name that does not depend on the machine."""

    __slots__ = ()

    def sending(self) -> Sending:
        return replace(super().sending(), worker="worker")


@dataclass(slots=True)
class Worker:
    """One process with all loops; what it knows beyond the database dies with it."""

    name: str
    wiring: Wiring
    watches: bool
    is_busy: bool = False
    loops: Loops | None = None

    def work(self) -> None:
        if self.loops is None:
            self.loops = Loops(self.wiring, watches=self.watches)
        self.loops.until_idle()


@dataclass(slots=True)
class World:
    """Everything of one seed."""

    swarm: Swarm
    stage: Stage
    plain: Database
    database: StagedDatabase
    shop: Shop
    line: Line
    workers: list[Worker] = field(default_factory=list)
    prices: dict[str, UUID] = field(default_factory=dict)
    token_texts: dict[UUID, str] = field(default_factory=dict)
    asleep_until: datetime = START
    """The whole service is down until then."""
    ticks: int = 0
    _next_poll: datetime | None = None
    _stuck: timedelta = _STUCK_FIRST

    @property
    def now(self) -> datetime:
        return self.stage.now

    @property
    def ids(self) -> CountedIds:
        return self.shop.ids  # type: ignore[return-value]  # the shop was given these

    @property
    def provider(self) -> Provider:
        return self.line.provider

    def offered(self, kind: str) -> UUID:
        """The price of a kind of plan, made when it is first wanted."""
        if kind not in self.prices:
            arguments, columns = KINDS[kind]
            self.prices[kind] = self.shop.price(**arguments)
            with self.plain.tx() as session:
                plan_id = session.get_one(Price, self.prices[kind]).plan_id
                plans = table_of(Plan)
                if columns:
                    session.execute(plans.update().where(plans.c.id == plan_id).values(**columns))
        return self.prices[kind]

    def new_token(self, customer_id: UUID) -> UUID:
        """A token of a customer, which the provider has just issued."""
        text = f"token-{len(self.token_texts)}"
        token_id = self.shop.token(customer_id, text=text)
        self.token_texts[token_id] = text
        return token_id

    def act(self, name: str, work: Work) -> None:
        """Let somebody outside the loops do something now."""
        self.stage.start(name, work, is_mortal=True)

    def poll_at(self, at: datetime, grain: timedelta | None = None) -> None:
        """Wake workers at `at`, on the grid, unless they are woken sooner."""
        wanted = _on_grid(max(at, self.now, self.asleep_until), grain or self.swarm.grain)
        if self._next_poll is None or wanted < self._next_poll:
            self._next_poll = wanted
            self.stage.call_at(wanted, partial(self._poll, wanted))

    def look_again(self) -> None:
        """Find out when somebody has to work next. An open question is asked in time, however coarse the grid is."""
        with self.plain.tx() as session:
            due = due_from(session)
        first = due.first()
        if first is None:
            self.poll_at(self.now + DAY)
        elif first > self.now:
            self._stuck = _STUCK_FIRST
            self.poll_at(first)
        else:
            # It is due and nobody takes it: an account is stopped or rests, or a lease still runs.
            asks = due.asked is not None and due.asked <= self.now
            self.poll_at(self.now + self._stuck, _PROMPT if asks else None)
            self._stuck = min(_STUCK_LONGEST, self._stuck * 2)
        questions = [at for at in (due.asked, due.leased) if at is not None and at > self.now]
        if questions:
            self.poll_at(min(questions), _PROMPT)

    def calm_down(self) -> None:
        """From here on nothing goes wrong any more."""
        self.line.is_calm = self.database.is_calm = True
        self.stage.mishaps = type(self.stage.mishaps)(switches=self.stage.mishaps.switches)

    def _poll(self, wanted: datetime) -> None:
        if self._next_poll != wanted:
            return
        self._next_poll = None
        idle = [worker for worker in self.workers if not worker.is_busy]
        self.ticks += 1
        if not idle:
            self.poll_at(self.now + timedelta(minutes=1))
            return
        together = self.stage.happens(300_000)
        for worker in idle if together else [self.stage.draw.choice(idle)]:
            worker.is_busy = True
            self.stage.start(worker.name, partial(self._work, worker), is_mortal=True)

    def _work(self, worker: Worker) -> None:
        try:
            worker.work()
        except Killed:
            worker.loops = None
            downtime = self.stage.between(timedelta(seconds=1), timedelta(minutes=20))
            self.stage.call_at(self.now + downtime, lambda: self._back(worker))
            raise
        except OperationalError as failed:
            if not isinstance(failed.orig, Injected):
                raise
            self._back(worker)
        except Breach:
            raise
        except Exception as failed:
            raise Breach(f"{worker.name} failed: {type(failed).__name__}: {failed}") from failed
        else:
            self._back(worker)

    def _back(self, worker: Worker) -> None:
        worker.is_busy = False
        self.look_again()


def build(swarm: Swarm, stage: Stage, plain: Database, provider: Provider) -> World:
    """A fresh world on an empty, migrated database."""
    line = Line(stage, swarm, provider)
    shop = Shop(
        plain,
        clock=SkewedClock(stage),  # type: ignore[arg-type]  # only its `now` is asked
        ids=CountedIds(swarm.seed),  # type: ignore[arg-type]  # stands in for it
        generation=swarm.generation,
    )
    world = World(swarm, stage, plain, StagedDatabase(plain, stage, swarm), shop, line)
    accounts = {"main": Account(line, swarm.window, DEADLINE[swarm.generation], swarm.generation)}
    for number in range(swarm.workers):
        skew = stage.between(-swarm.skew, swarm.skew) if swarm.skew else timedelta()
        wiring = NamedWiring(
            world.database, SkewedClock(stage, skew), shop.ids, shop.keyring, accounts, (), shop.namespace, SELLER
        )
        world.workers.append(Worker(f"worker-{number}", wiring, swarm.watches))
    return world


def _on_grid(at: datetime, grain: timedelta) -> datetime:
    return at + (START - at) % grain
