"""One seed from its first day to its last: a time with faults, watched all along, and a calm in which all ends well."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random

from factories import START
from simulation.judge import look, look_at_the_end
from simulation.operators import Operators, decide_reviews
from simulation.people import People
from simulation.provider import Provider
from simulation.stage import Breach, Stage
from simulation.swarm import Swarm
from simulation.verified import verify
from simulation.world import DAY, World, build

from billing.store.engine import Database
from billing.use_cases.seal_ledger import seal_ledger

LOOK_EVERY = timedelta(days=30)
LOOK_CLOSELY_EVERY = timedelta(days=91)
CALM = timedelta(days=80)
MESSAGE_MAX = 1000
OLD_ENOUGH = timedelta(days=50)
"""What is older than this at the end of the calm had its whole dunning ladder within it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a seed came to. `digest` is equal for two runs of a seed; `breach` is None where all went well."""

    seed: int
    generation: str
    digest: str
    years: float
    counts: Counter[str] = field(default_factory=Counter)
    breach: str | None = None
    last: tuple[str, ...] = ()


def simulate(swarm: Swarm, plain: Database, days: int, provider: Provider | None = None) -> Result:
    """Live through `days` with faults and a calm after them, on an empty, migrated database."""
    stage = Stage(Random(f"stage {swarm.seed}"), START)
    world = build(swarm, stage, plain, provider or Provider(swarm.generation))
    people = People(world)
    operators = Operators(world, people)
    end, breach = START + DAY * days, None
    try:
        _live(world, people, operators, end)
        _calm_down(world, people)
    except Breach as broken:
        breach = f"{stage.now:%Y-%m-%d %H:%M} {str(broken)[:MESSAGE_MAX]}"
    finally:
        stage.close()
    counts = _counted(world, people, operators)
    lived = people.years(min(end, stage.now))
    return Result(swarm.seed, swarm.generation, stage.digest, lived, counts, breach, tuple(stage.last[-60:]))


def _live(world: World, people: People, operators: Operators, end: datetime) -> None:
    swarm, stage = world.swarm, world.stage
    stage.mishaps = swarm.mishaps
    people.begin(end)
    operators.begin(end + CALM)
    _plan_spells(world, end - START)
    looks, closely = stage.now + LOOK_EVERY, stage.now + LOOK_CLOSELY_EVERY
    while stage.now < end:
        stage.run_until(min(looks, end))
        seal_ledger(world.plain, stage.now)
        looks += LOOK_EVERY
        look(world, closely=stage.now >= closely)
        if stage.now >= closely:
            closely += LOOK_CLOSELY_EVERY


def _plan_spells(world: World, duration: timedelta) -> None:
    swarm, stage = world.swarm, world.stage
    for _ in range(swarm.spells_a_year * (duration // DAY) // 365 if swarm.spells else 0):
        spell, at = stage.draw.choice(swarm.spells), _some_time(world, duration)
        longest = timedelta(hours=30 if stage.happens(200_000) else 2)
        stage.call_at(at, partial(_cast, world, spell, stage.between(timedelta(minutes=2), longest)))
    for _ in range(swarm.sleeps * (duration // DAY) // 365):
        stage.call_at(_some_time(world, duration), partial(_fall_asleep, world))


def _cast(world: World, spell: str, lasts: timedelta) -> None:
    world.stage.count(f"spell: {spell}")
    world.line.spells[spell] = world.now + lasts


def _fall_asleep(world: World) -> None:
    world.stage.count("service down")
    world.asleep_until = world.now + world.stage.between(timedelta(hours=1), DAY * 9)


def _some_time(world: World, duration: timedelta) -> datetime:
    return START + world.stage.between(DAY * 2, duration - DAY * 10)


def _calm_down(world: World, people: People) -> None:
    """No fault from here on; everybody is awake, and what was asked for comes to its end."""
    world.calm_down()
    people.is_calm = True
    for mood in world.provider.moods.values():
        mood.declines, mood.asleep_until = 0, None
    world.look_again()
    begun = world.now
    for day in range(1, CALM.days + 1):
        world.stage.run_until(begun + DAY * day)
        decide_reviews(world.provider, accepts=True)
    while any(worker.is_busy for worker in world.workers):
        world.stage.run_until(world.now + timedelta(minutes=1))
    look_at_the_end(world, world.now - OLD_ENOUGH)
    verify(world)


def _counted(world: World, people: People, operators: Operators) -> Counter[str]:
    counts = Counter(world.stage.counts)
    counts["calls"], counts["orders"] = world.line.sent, len(world.provider.orders)
    counts["declines at the provider"], counts["ticks"] = len(world.provider.declines), world.ticks
    counts["questions for a person"] = len(operators.asked)
    for person in people.everybody:
        counts.update({f"done: {name}": times for name, times in person.done.items()})
    counts.update({f"refused: {name}": times for name, times in people.refused.items()})
    counts.update({f"operator refused: {name}": times for name, times in operators.refused.items()})
    return counts


__all__ = ["Result", "simulate"]
