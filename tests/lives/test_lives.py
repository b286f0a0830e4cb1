"""Whatever happens to customers, in whatever order: the invariants hold after every step.

The examples are always the same ones, so that a red run can be run again; `tests/lives/run.py` looks for new ones.
"""

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from lives.turns import Turns

EXAMPLES = {"sqlite": 20, "postgresql": 4}
STEPS = 30


def test_every_invariant_holds_after_every_step_of_any_life(new_database, request) -> None:
    backend = "sqlite" if "sqlite" in request.node.name else "postgresql"
    run_state_machine_as_test(
        machine_on(new_database),
        settings=settings(
            max_examples=EXAMPLES[backend],
            stateful_step_count=STEPS,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        ),
    )


def machine_on(new_database) -> type[Turns]:
    """The machine whose every example lives on a database of its own."""
    return type("LivesOfCustomers", (Turns,), {"new_database": staticmethod(new_database)})
