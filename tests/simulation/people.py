"""Everybody's year: three changes, a pause, a decline and a refund for each subscription, and what else may happen.

Acts come in sessions, some at one moment, so that they race with each other and with the workers.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from simulation.verbs import EVENTS, LATER, WISHES, Asked, Verb
from simulation.world import DAY, Injected, World
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from billing.domain.errors import BillingError
from billing.store.subscriptions import Subscription
from billing.use_cases.subscribe import NewSubscription, subscribe

YEAR = timedelta(days=365)
SESSION_EVERY = timedelta(days=4)
ASK_AGAIN = (3, 12)


@dataclass(slots=True)
class Wish:
    """What somebody will ask for at an instant; `counts` says that it belongs to every year."""

    at: datetime
    name: str
    verb: Verb
    counts: bool


@dataclass(slots=True)
class Person:
    """A subscription's life as its customer leads it."""

    subscription_id: UUID
    since: datetime
    wishes: list[Wish] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    until: datetime | None = None


@dataclass(slots=True)
class People:
    """Everybody, and what they got."""

    world: World
    everybody: list[Person] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    is_calm: bool = False
    _joining: int = 0

    def begin(self, end: datetime) -> None:
        """Sessions until `end`."""
        at = self.world.now
        while at < end:
            self.world.stage.call_at(at + self.world.stage.between(timedelta(), DAY), self._session)
            at += SESSION_EVERY

    def years(self, end: datetime) -> float:
        """Subscription-years lived until `end`; a figure to print, not one to decide by."""
        lived = sum(((person.until or end) - person.since for person in self.everybody), timedelta())
        return lived / YEAR

    def _session(self) -> None:
        if self.is_calm:
            return
        self._notice_ends()
        alive = [person for person in self.everybody if person.until is None]
        missing = self.world.swarm.people - len(alive) - self._joining
        for _ in range(min(missing, 1 + self.world.swarm.people // 4)):
            self._joining += 1
            self.world.act("newcomer", self._join)
        for person in alive:
            for wish in [wish for wish in person.wishes if wish.at <= self.world.now]:
                person.wishes.remove(wish)
                self.world.act(wish.name, lambda person=person, wish=wish: self._ask(person, wish))
        self.world.poll_at(self.world.now)

    def _notice_ends(self) -> None:
        known = {person.subscription_id: person for person in self.everybody if person.until is None}
        with self.world.plain.tx() as session:
            ended = session.exec(select(Subscription.id, Subscription.ended_at).where(Subscription.status == "ended"))
            for id_, at in ended:
                if id_ in known:
                    known[id_].until = max(known[id_].since, min(at or self.world.now, self.world.now))

    def _join(self) -> None:
        world, draw = self.world, self.world.stage.draw
        zone = draw.choice(("Europe/Stockholm", "Europe/Stockholm", "America/New_York", "Pacific/Apia"))
        kind = "monthly" if draw.random() < 0.75 else draw.choice(world.swarm.kinds)
        try:
            customer_id = world.shop.customer(zone=zone)
            new = NewSubscription(customer_id, world.offered(kind), world.new_token(customer_id), None)
            made = subscribe(world.database, world.ids, world.now, new)
        except OperationalError as failed:
            _only_injected(failed)
            return
        finally:
            self._joining -= 1
        person = Person(made.id, world.now)
        self.everybody.append(person)
        self._plan_year(person)
        world.look_again()

    def _plan_year(self, person: Person) -> None:
        """Wishes of one year from now on, and the planning of the next."""
        world = self.world
        for name, (verb, times) in WISHES.items():
            for _ in range(times):
                person.wishes.append(Wish(self._some_day(10, 330), name, verb, counts=True))
        for name, (verb, rate) in EVENTS.items():
            if world.stage.draw.random() < rate:
                person.wishes.append(Wish(self._some_day(5, 360), name, verb, counts=False))
        world.stage.call_at(world.now + YEAR, lambda: self._plan_year(person))

    def _some_day(self, first: int, last: int) -> datetime:
        return self.world.now + timedelta(days=self.world.stage.draw.randint(first, last))

    def _ask(self, person: Person, wish: Wish) -> None:
        world = self.world
        try:
            done = wish.verb(Asked(world, person.subscription_id))
        except BillingError as refused:
            self.refused[f"{wish.name}: {type(refused).__name__}"] += 1
            world.stage.note(f"refused {wish.name}: {refused.message}")
            if wish.counts or wish.name == "resume":
                self._again(person, wish)
            return
        except OperationalError as failed:
            _only_injected(failed)
            self._again(person, wish)
            return
        if done is not None:
            person.done[wish.name] += 1
        if wish.name in LATER:
            name, verb, (first, last) = LATER[wish.name]
            person.wishes.append(Wish(self._some_day(first, last), name, verb, counts=False))
        world.look_again()

    def _again(self, person: Person, wish: Wish) -> None:
        person.wishes.append(Wish(self._some_day(*ASK_AGAIN), wish.name, wish.verb, wish.counts))


def _only_injected(failed: OperationalError) -> None:
    if not isinstance(failed.orig, Injected):
        raise failed
