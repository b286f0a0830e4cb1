"""What a seed makes of the world: which faults there are at all, and how often. Every seed leaves most of them out,
since rare things meet only where not everything happens at once (swarm testing).
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta

from simulation.stage import Mishaps

CALL_FAULTS = {
    "refused_connection": 30_000,
    "timeout_before": 30_000,
    "timeout_after": 30_000,
    "reset_before": 20_000,
    "reset_after": 20_000,
    "error_before": 20_000,
    "error_after": 20_000,
    "malformed": 15_000,
    "wrong_amount": 8_000,
    "too_many": 30_000,
    "late": 15_000,
    "replayed_error": 4_000,
    "conflict": 10_000,
}
"""Each once in so many per million calls, before a seed makes it more or less."""

SPELLS = ("unauthorized", "unreachable", "not_found", "slow")
"""What lasts for a while: everybody meets it."""

COMMIT_FAULTS = {"lost_after": 3_000, "lost_before": 3_000, "serialization": 5_000}


@dataclass(frozen=True, slots=True)
class Swarm:
    """One seed's world. Rates are per million."""

    seed: int
    generation: str
    people: int
    workers: int
    grain: timedelta
    """Ticks come on such a grid, as a timer pokes."""
    calls: dict[str, int] = field(default_factory=dict)
    commits: dict[str, int] = field(default_factory=dict)
    spells: tuple[str, ...] = ()
    spells_a_year: int = 0
    mishaps: Mishaps = field(default_factory=Mishaps)
    skew: timedelta = timedelta()
    """How far a worker's clock may be off, either way."""
    sleeps: int = 0
    """How often a year the whole service is down, for up to nine days."""
    kinds: tuple[str, ...] = ("monthly",)
    reviews: int = 0
    """Purchases that the provider takes under review, per million."""
    window: int = 64
    batch_size: int = 100
    late_captures: bool = False
    """People capture what is captured by hand so late that authorizations must be extended, or end."""
    watches: bool = True
    """Whether orders are read in case somebody acted in the provider's portal, which takes a third of the work."""

    @property
    def is_rest(self) -> bool:
        return self.generation == "rest"


RARE_KINDS = (
    "weekly",
    "month_end",
    "yearly",
    "trial",
    "trial_signup",
    "numbered_early",
    "unpaid",
    "manual_end",
    "on_dispatch",
    "by_hand",
    "gated",
    "three_cycles",
    "by_second",
)


def swarm_of(seed: int, *, people: int | None = None) -> Swarm:
    """The world of a seed, the same every time."""
    draw = random.Random(f"swarm {seed}")
    generation = "legacy" if draw.random() < 0.3 else "rest"
    strength = draw.choice((0.3, 1.0, 1.0, 3.0))
    calls = {kind: int(rate * strength) for kind, rate in CALL_FAULTS.items() if draw.random() < 0.4}
    if generation == "legacy":
        calls.pop("conflict", None)
    commits = {kind: int(rate * strength) for kind, rate in COMMIT_FAULTS.items() if draw.random() < 0.4}
    longest = timedelta(minutes=10) if generation == "legacy" else draw.choice(_STOPS)
    grain, most = draw.choice(_GRAINS)
    mishaps = Mishaps(
        kills=draw.choice((0, 0, 500, 3_000)),
        stops=draw.choice((0, 0, 500, 2_000)),
        switches=draw.choice((50_000, 300_000, 800_000)),
        longest_stop=longest,
    )
    batch_size, is_large = draw.choice((7, 100, 100)), (people or most) > LARGE
    return Swarm(
        seed=seed,
        generation=generation,
        people=people or most,
        workers=draw.choice((1, 2, 2, 3, 5)),
        grain=grain,
        calls=calls,
        commits=commits,
        spells=tuple(spell for spell in SPELLS if draw.random() < 0.4),
        spells_a_year=draw.choice((0, 4, 12)),
        mishaps=mishaps,
        skew=draw.choice((timedelta(), timedelta(), timedelta(seconds=25))),
        sleeps=draw.choice((0, 0, 1, 3)),
        kinds=("monthly", *draw.sample(RARE_KINDS, draw.choice((1, 2, 4)))),
        reviews=draw.choice((0, 0, 20_000)) if generation == "rest" else 0,
        window=draw.choice((3, 64, 64)),
        batch_size=100 if is_large else batch_size,
        late_captures=draw.random() < 0.3,
        watches=draw.random() < 0.15,
    )


LARGE = 300
"""More people than this are not served in small batches: they would take most of the time, and show nothing else."""

_STOPS = (timedelta(seconds=90), timedelta(minutes=10), timedelta(hours=2))
_GRAINS = (
    (timedelta(minutes=1), 10),
    (timedelta(minutes=15), 25),
    (timedelta(hours=1), 100),
    (timedelta(hours=6), 400),
    (timedelta(hours=6), 400),
    *((timedelta(days=1), 800),) * 5,
)
"""How often workers are woken at most, and how many people that leaves time for."""
