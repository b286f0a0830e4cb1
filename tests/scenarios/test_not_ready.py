"""A service that is not set up says so in one sentence, exits with 3, and touches nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from installed import Installed
from sqlalchemy import select
from sqlmodel import SQLModel

from billing.adapters.ids import SystemIds
from billing.adapters.keys_file import create_key_file
from tests.scenarios.test_serve import assert_refused, on_postgresql, on_sqlite


def missing(key_file: Path) -> None:
    key_file.unlink()


def short(key_file: Path) -> None:
    key_file.write_bytes(key_file.read_bytes()[:-20])


def empty(key_file: Path) -> None:
    key_file.write_bytes(b"")


def readable_by_others(key_file: Path) -> None:
    key_file.chmod(0o644)


def in_an_open_directory(key_file: Path) -> None:
    key_file.parent.chmod(0o777)


def a_link(key_file: Path) -> None:
    key_file.symlink_to(key_file.rename(key_file.with_name("real.key")))


def another_database_s(key_file: Path) -> None:
    key_file.unlink()
    create_key_file(key_file, SystemIds().secret)


FLAWS = (
    (missing, "there is no key file"),
    (short, "key file"),
    (empty, "key file"),
    (readable_by_others, "0644"),
    (in_an_open_directory, "writable by others"),
    (a_link, "symbolic link"),
    (another_database_s, "key"),
)


@on_sqlite
@pytest.mark.parametrize(("spoil", "sentence"), FLAWS, ids=[spoil.__name__ for spoil, _ in FLAWS])
def test_a_key_file_that_is_not_right_stops_the_start(
    installed: Installed, spoil: Callable[[Path], None], sentence: str
) -> None:
    before = everything(installed)
    spoil(installed.key_file)
    there = files(installed.key_file.parent)
    assert_refused(installed.command("serve", "--port", "0"), sentence)
    assert (everything(installed), files(installed.key_file.parent)) == (before, there)


@on_sqlite
def test_a_database_that_is_not_there_is_not_made(installed: Installed) -> None:
    url = f"sqlite:///{installed.directory / 'elsewhere.sqlite3'}"
    assert_refused(installed.command("serve", "--port", "0", BILLING_DATABASE__URL=url), "billing migrate")
    assert not (installed.directory / "elsewhere.sqlite3").exists()


def test_a_database_that_is_not_migrated_is_not_migrated_by_the_start(
    installed: Installed, request: pytest.FixtureRequest
) -> None:
    with installed.database() as database:
        SQLModel.metadata.drop_all(database.engine)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE alembic_version")
    assert_refused(installed.command("serve", "--port", "0"), "billing migrate")
    with pytest.raises(Exception, match=r"no such table|does not exist"):
        everything(installed)


@on_sqlite
def test_a_file_that_is_no_database_is_left_as_it_is(installed: Installed) -> None:
    letter = installed.directory / "letter.txt"
    letter.write_text("Dear Ada,\n" * 1000)
    url = f"sqlite:///{letter}"
    assert_refused(installed.command("serve", "--port", "0", BILLING_DATABASE__URL=url), "not a database")
    assert letter.read_text() == "Dear Ada,\n" * 1000


@on_postgresql
def test_a_server_that_does_not_answer_is_one_sentence(installed: Installed) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:9/nothing"
    assert_refused(installed.command("serve", "--port", "0", BILLING_DATABASE__URL=url), "cannot be reached")


@on_sqlite
@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"BILLING_SANDBOX_PASSWORD": ""}, "BILLING_SANDBOX_PASSWORD"),
        ({"BILLING_CONFIG_FILE": "nowhere.toml"}, "nowhere.toml"),
        ({"BILLING_API__PORT": "many"}, "api.port"),
        ({"BILLING_DATABASE__URL": "mysql://somewhere/else"}, "expected sqlite or postgresql"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_a_wrong_setting_is_one_sentence(installed: Installed, environment: dict[str, str], sentence: str) -> None:
    assert_refused(installed.command("run", **environment), sentence)


def everything(installed: Installed) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with installed.database() as database, database.engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in SQLModel.metadata.sorted_tables
        }


def files(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.lstat().st_mode, path.read_bytes()) for path in directory.iterdir()}
