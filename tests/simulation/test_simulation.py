"""The simulation in short: worlds of both generations end well, a seed repeats exactly, and a planted breach is seen.

`make simulate` lives through many more; these worlds are always the same ones.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from lives.databases import fresh_sqlite
from simulation.provider import Provider, Reply
from simulation.simulate import Result, simulate
from simulation.stage import Breach, Killed, Mishaps, Stage
from simulation.swarm import Swarm, swarm_of

from billing.store.engine import Database

NOON = datetime(2028, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def empty(migrated_file, tmp_path) -> Iterator[Database]:
    with fresh_sqlite(migrated_file, tmp_path / "world.sqlite3") as database:
        yield database


@pytest.mark.parametrize("generation", ["rest", "legacy"])
def test_a_world_under_faults_keeps_every_invariant_and_ends_well(empty, generation) -> None:
    result = simulate(_small(generation), empty, days=100)
    assert result.breach is None
    assert result.counts["killed"] > 0
    assert result.counts["timeout_after"] > 0


def test_a_seed_repeats_to_the_last_step(migrated_file, tmp_path) -> None:
    first, second = (_short(migrated_file, tmp_path / name) for name in ("first.sqlite3", "second.sqlite3"))
    assert first.digest == second.digest
    assert first.counts == second.counts


def test_another_seed_is_another_world() -> None:
    assert swarm_of(1) == swarm_of(1)
    assert swarm_of(1) != swarm_of(2)


def test_a_provider_that_forgets_its_keys_is_found_out(empty) -> None:
    swarm = replace(_small("rest"), calls={"timeout_after": 500_000})
    result = simulate(swarm, empty, days=60, provider=Forgetful("rest"))
    assert result.breach is not None
    assert "charged twice" in result.breach


def test_everybody_goes_on_in_an_order_that_the_seed_alone_decides() -> None:
    orders = {tuple(_order_of_three(seed)) for seed in range(40)}
    assert len(orders) > 3
    assert _order_of_three(5) == _order_of_three(5)


def test_whoever_is_killed_passes_no_further_point() -> None:
    stage, seen = Stage(Random(1), NOON, Mishaps(kills=1_000_000)), []

    def work() -> None:
        try:
            stage.point("first")
        except Killed:
            seen.append("killed")
            raise
        seen.append("went on")

    stage.start("somebody", work, is_mortal=True)
    stage.run_until(NOON)
    assert seen == ["killed"]


def test_time_stands_still_while_anybody_can_go_on() -> None:
    stage, seen = Stage(Random(1), NOON), []

    def work() -> None:
        seen.append(stage.now)
        stage.sleep(timedelta(hours=3))
        seen.append(stage.now)

    stage.start("somebody", work)
    stage.run_until(NOON + timedelta(days=1))
    assert seen == [NOON, NOON + timedelta(hours=3)]


def test_a_failure_is_told_to_who_runs_the_stage() -> None:
    stage = Stage(Random(1), NOON)

    def work() -> None:
        raise Breach("it broke")

    stage.start("somebody", work)
    with pytest.raises(Breach, match="it broke"):
        stage.run_until(NOON)


class Forgetful(Provider):
    """It answers every call as if it were the first."""

    def remember(self, key: object, reply: Reply | None) -> None:  # noqa: ARG002  (the provider's own shape)
        self.keys.clear()


def _small(generation: str) -> Swarm:
    return replace(
        swarm_of(3),
        generation=generation,
        people=5,
        workers=2,
        grain=timedelta(days=1),
        calls={"timeout_before": 40_000, "timeout_after": 90_000, "too_many": 20_000, "late": 30_000},
        commits={"lost_after": 3_000, "serialization": 3_000},
        mishaps=Mishaps(kills=6_000, stops=500),
        window=64,
        batch_size=100,
        reviews=0,
        sleeps=0,
        spells=(),
        kinds=("monthly", "by_second"),
    )


def _short(template, path) -> Result:
    with fresh_sqlite(template, path) as database:
        return simulate(replace(_small("rest"), people=2), database, days=40)


def _order_of_three(seed: int) -> list[str]:
    stage, seen = Stage(Random(seed), NOON), []
    for name in "abc":
        stage.start(name, lambda name=name: (stage.point("begin"), seen.append(name)))
    stage.run_until(NOON)
    return seen
