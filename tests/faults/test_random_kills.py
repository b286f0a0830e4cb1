"""Workers killed with SIGKILL wherever they are, some dozens of times on each database with each generation; the
command `tests/faults/run.py` does the same by the thousand.
"""

import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from faults.killing.command import is_good, main
from faults.killing.judge import Verdict, compare
from faults.killing.killer import Killer, Tally
from faults.killing.mark import Cell, Mark
from faults.killing.worlds import START, fresh_world, installed_world

KILLS = 14
SEED = 20280131


@pytest.mark.parametrize("generation", ["rest", "legacy"])
def test_workers_killed_anywhere_charge_nobody_twice_and_forget_nobody(
    database_url: str, generation: str, tmp_path: Path
) -> None:
    tally = Tally()
    with installed_world(database_url, tmp_path / "world", generation) as world:
        killer = Killer(world, random.Random(SEED), tally)
        for _ in range(KILLS):
            killer.kill_one(least=1)
        verdict = killer.judge()
    assert verdict.breaches == []
    assert (tally.kills.total(), tally.duplicates, tally.lost) == (KILLS, 0, 0)
    assert tally.charges > 0
    assert len({cell.step for cell in tally.kills}) > 2


def test_two_orders_that_stand_for_one_invoice_are_found(tmp_path: Path) -> None:
    with fresh_world("sqlite", "rest", tmp_path / "world") as world:
        for _ in range(2):
            placed = world.sandbox.charge(merchant_reference1="inv_1")
            assert placed.status_code == 200, placed.text
        verdict = Verdict()
        compare(world, verdict)
    assert verdict.duplicates == 1
    assert verdict.breaches == ["inv_1 has 2 orders that stand"]


def test_a_worker_that_fails_by_itself_is_no_kill(tmp_path: Path) -> None:
    with fresh_world("sqlite", "rest", tmp_path / "world") as world:
        # Without its key file a worker does not start.
        world.key_file.unlink()
        with pytest.raises(AssertionError, match="NotReady"):
            Killer(world, random.Random(SEED), Tally()).kill_one(least=1)


def test_a_mark_outlives_who_wrote_it_and_knows_how_long_steps_last() -> None:
    mark = Mark(START)
    mark.enter("gate", "capture")
    mark.enter("call")
    assert mark.cell == Cell("call", "capture")
    assert mark.now == START
    assert mark.lasts("gate") > 0
    assert set(mark.seen()) == {Cell("gate", "capture"), Cell("call", "capture")}


def test_a_tally_is_good_only_with_enough_kills_in_every_cell_that_exists_and_most_after_the_gate() -> None:
    gate, call = Cell("gate", "capture"), Cell("call", "capture")
    tally = Tally(seen={gate, call, Cell("idle", "capture")})
    tally.kills.update({gate: 4, call: 6})
    assert is_good(tally, 10, 4)
    assert tally.lacking(5) == [gate]
    assert not is_good(tally, 10, 5)
    assert not is_good(tally, 11, 4)
    tally.kills.update({gate: 1})
    assert not is_good(tally, 10, 4)
    tally.kills.update({call: 3})
    tally.duplicates = 1
    assert not is_good(tally, 10, 4)


def test_a_combination_that_is_not_there_is_refused() -> None:
    said = CliRunner().invoke(main, ["--only", "oracle/rest"])
    assert said.exit_code == 2
    assert "none of sqlite/rest, sqlite/legacy, postgresql/rest, postgresql/legacy is oracle/rest" in said.stderr
