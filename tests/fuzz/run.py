"""Throws changed bytes at every parser that reads what others wrote, for as long as is asked.

A finding is printed with target, seed and bytes, and makes the exit code 1.
"""

import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fuzz import adapter_targets, border_targets, sandbox_targets
from tests.fuzz.mutator import mutated

FROM_NOTHING = 0.05
"""The share of inputs that no valid one was changed into."""

EXAMPLE = """\b
Example, half a minute's worth:
  python tests/fuzz/run.py --seconds 30 --seed 7
"""


@dataclass(frozen=True)
class Target:
    """A parser, valid inputs of it, and what must hold: `check` raises where it does not."""

    seeds: Callable[[], list[bytes]]
    check: Callable[[bytes, Random], None]


@dataclass(frozen=True)
class Finding:
    """What broke, and with which bytes."""

    target: str
    number: int
    content: bytes
    trace: str


TARGETS = {
    "answers of the current generation": Target(adapter_targets.rest_seeds, adapter_targets.rest_answer),
    "readings of the current generation": Target(adapter_targets.rest_seeds, adapter_targets.rest_reading),
    "answers of the older generation": Target(adapter_targets.legacy_seeds, adapter_targets.legacy_answer),
    "readings of the older generation": Target(adapter_targets.legacy_seeds, adapter_targets.legacy_reading),
    "requests to the sandbox in JSON": Target(sandbox_targets.rest_seeds, sandbox_targets.rest_request),
    "requests to the sandbox in XML": Target(sandbox_targets.xml_seeds, sandbox_targets.xml_request),
    "bodies with money": Target(border_targets.body_seeds, border_targets.money_body),
    "sealed records": Target(border_targets.record_seeds, border_targets.vault_record),
}


def inputs(name: str, target: Target, seed: int) -> Iterator[tuple[int, bytes, Random]]:
    """Numbered inputs of a target, without end; input n is the same whenever the seed is."""
    seeds: Sequence[bytes] = target.seeds()
    number = 0
    while True:
        random = Random(f"{seed} {name} {number}")
        chosen = random.choice(seeds)
        from_nothing = random.random() < FROM_NOTHING
        content = random.randbytes(random.randint(0, 200)) if from_nothing else mutated(chosen, seeds, random)
        yield number, content, random
        number += 1


def found(
    name: str, target: Target, seed: int, seconds: float, inputs_max: int | None = None
) -> tuple[int, Finding | None]:
    """How many inputs were tried, and the first that broke something."""
    until, tried = time.monotonic() + seconds, 0
    for number, content, random in inputs(name, target, seed):
        if time.monotonic() > until or number == inputs_max:
            break
        tried += 1
        try:
            target.check(content, random)
        except Exception:
            return tried, Finding(name, number, content, traceback.format_exc(limit=-6))
    return tried, None


@click.command(epilog=EXAMPLE)
@click.option("--seconds", type=click.FloatRange(1), default=300.0, show_default=True, help="In all, shared evenly.")
@click.option("--seed", type=int, default=None, help="Repeats a run; drawn and printed if left out.")
def main(seconds: float, seed: int | None) -> None:
    """Fuzz both adapters, the sandbox, the border of the API and the vault. Exit codes: 0 nothing found, 1 found."""
    chosen = seed if seed is not None else Random().randrange(2**32)
    click.echo(f"seed {chosen}")
    findings = 0
    for name, target in TARGETS.items():
        tried, finding = found(name, target, chosen, seconds / len(TARGETS))
        click.echo(f"{tried:>9,}  {name}")
        if finding is not None:
            findings += 1
            click.echo(f"input {finding.number}: {finding.content!r}\n{finding.trace}")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
