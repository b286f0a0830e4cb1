"""A short run of the fuzzer with a fixed seed; `make fuzz` is the long one."""

from functools import partial

import pytest

from billing.ports import Answer, Call, Outcome, Succeeded
from tests.fuzz.adapter_targets import rest_answer, rest_seeds
from tests.fuzz.run import TARGETS, Target, found, inputs

SECONDS_MAX = 10.0
INPUTS = 400


@pytest.mark.parametrize("name", TARGETS)
def test_changed_bytes_break_nothing_and_are_never_taken_for_something_else(name: str) -> None:
    tried, finding = found(name, TARGETS[name], seed=1, seconds=SECONDS_MAX, inputs_max=INPUTS)
    assert finding is None, finding
    assert tried > 0


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    first, second = inputs(name, TARGETS[name], 7), inputs(name, TARGETS[name], 7)
    assert [next(first)[1] for _ in range(20)] == [next(second)[1] for _ in range(20)]


def test_a_reader_that_takes_any_answer_for_a_success_is_found() -> None:
    def gullible(_call: Call, _came: object) -> Outcome:
        return Succeeded(Answer(), "another")

    target = Target(rest_seeds, partial(rest_answer, read=gullible))
    _, finding = found("planted", target, seed=1, seconds=SECONDS_MAX, inputs_max=INPUTS)
    assert finding is not None
