"""Every command says in `--help` what it does, how it is called and how it ends."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from billing.cli import main


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", [(), *commands(main)], ids=" ".join)
def test_help_gives_an_example_and_the_exit_codes(path: tuple[str, ...]) -> None:
    said = CliRunner().invoke(main, [*path, "--help"])
    assert said.exit_code == 0
    assert "Example" in said.output
    assert "Exit codes" in said.output


@pytest.mark.parametrize("path", [(), *commands(main)], ids=" ".join)
def test_a_wrong_option_is_exit_code_2(path: tuple[str, ...]) -> None:
    assert CliRunner().invoke(main, [*path, "--no-such-option"]).exit_code == 2
