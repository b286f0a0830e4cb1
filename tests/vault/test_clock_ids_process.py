import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from billing.adapters.clock import SimulatedClock, SystemClock
from billing.adapters.ids import SystemIds
from billing.domain.errors import Invalid
from billing.ports import Clock, Ids

START = datetime(2028, 1, 31, 23, 30, tzinfo=UTC)


def test_the_system_clock_tells_the_time_in_utc() -> None:
    clock: Clock = SystemClock()
    assert clock.now().tzinfo is UTC


def test_a_simulated_clock_stands_still_until_it_is_set() -> None:
    clock = SimulatedClock(START)
    seen = [clock.now(), clock.now()]
    clock.set(START + timedelta(minutes=31))
    assert [*seen, clock.now()] == [START, START, START + timedelta(minutes=31)]


def test_a_simulated_clock_may_be_set_to_where_it_is() -> None:
    clock = SimulatedClock(START)
    clock.set(START)
    assert clock.now() == START


def test_a_simulated_clock_does_not_go_back() -> None:
    clock = SimulatedClock(START)
    with pytest.raises(Invalid, match="time does not go back"):
        clock.set(START - timedelta(microseconds=1))
    assert clock.now() == START


def test_a_simulated_clock_refuses_an_instant_without_a_zone() -> None:
    naive = START.replace(tzinfo=None)
    with pytest.raises(Invalid, match="has no time zone"):
        SimulatedClock(naive)
    with pytest.raises(Invalid, match="has no time zone"):
        SimulatedClock(START).set(naive + timedelta(days=1))


def test_a_simulated_clock_answers_in_utc_whatever_zone_it_was_given() -> None:
    clock: Clock = SimulatedClock(datetime(2028, 2, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))))
    assert (clock.now(), clock.now().tzinfo) == (START, UTC)


def test_ids_are_version_7_and_rise() -> None:
    ids: Ids = SystemIds()
    made = [ids.new() for _ in range(1000)]
    assert {one.version for one in made} == {7}
    assert made == sorted(set(made))


def test_secrets_have_their_size_and_differ() -> None:
    ids = SystemIds()
    assert [len(ids.secret(size)) for size in (0, 16, 32)] == [0, 16, 32]
    assert ids.secret(32) != ids.secret(32)


ASK = """
import ctypes, resource
from billing.adapters.process import harden_process
harden_process()
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the dumpable flag")
def test_a_hardened_process_leaves_no_core_and_is_not_dumpable() -> None:
    answer = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert answer.stdout.split("\n")[0] == "(0, 0) 0"
