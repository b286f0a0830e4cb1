"""The command: exit codes, what it prints, and what it says of a database that cannot be checked."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import make_url, text
from verify.breaking import broken
from verify.scene import Lived, url_of

from billing.cli import main
from billing.store.engine import Database


def run(url: str, *options: str) -> Result:
    environment = {"BILLING_DATABASE__URL": url, "BILLING_VAULT__KEY_FILE": "/nowhere/vault.key"}
    return CliRunner().invoke(main, ["verify", *options], env=environment)


def as_of(shop: Lived) -> tuple[str, str]:
    return "--now", shop.clock.now().isoformat()


def test_a_good_database_is_exit_0_with_a_line_for_each_invariant(shop: Lived) -> None:
    said = run(url_of(shop), *as_of(shop))
    assert said.exit_code == 0, said.output
    assert "I1   holds" in said.output
    assert "Every invariant holds: 15 checked" in said.output
    assert "keys are not compared with the vault's" in said.stderr


def test_a_breach_is_exit_1_and_names_the_row(shop: Lived) -> None:
    broken(shop, "UPDATE series SET next = 99 WHERE id = 'invoice'")
    said = run(url_of(shop), *as_of(shop))
    assert said.exit_code == 1
    assert "I8   BROKEN" in said.output
    assert "not so: the series of invoices goes on after its last number and day (1)" in said.output
    assert "id=invoice  next=99" in said.output


def test_json_says_the_same(shop: Lived) -> None:
    broken(shop, "UPDATE series SET next = 99 WHERE id = 'invoice'")
    said = json.loads(run(url_of(shop), "--json", *as_of(shop)).stdout)
    assert (said["holds"], said["schema"], said["stops"]) == (False, "0003", [])
    (failed,) = [one for one in said["invariants"] if not one["holds"]]
    assert (failed["invariant"], failed["offending"]) == ("I8", 1)
    assert failed["broken"][0]["first"][0]["id"] == "invoice"


def test_the_password_of_the_database_is_not_printed(shop: Lived) -> None:
    url = make_url(url_of(shop)).set(username="reader", password="not-to-be-read")
    said = run(url.render_as_string(hide_password=False), *as_of(shop))
    assert said.output
    assert "not-to-be-read" not in said.output


def test_keys_that_the_vault_does_not_have_break_i19(sqlite_shop: Lived, tmp_path: Path) -> None:
    from billing.adapters.ids import SystemIds
    from billing.adapters.keys_file import create_key_file

    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    create_key_file(folder / "vault.key", SystemIds().secret)
    environment = {
        "BILLING_DATABASE__URL": url_of(sqlite_shop),
        "BILLING_VAULT__KEY_FILE": str(folder / "vault.key"),
    }
    said = CliRunner().invoke(main, ["verify", *as_of(sqlite_shop)], env=environment)
    assert said.exit_code == 1
    assert "that key is not among the keys of the vault" in said.output


def refused(url: str) -> str:
    said = run(url)
    assert said.exit_code == 2, said.output
    assert said.stderr.startswith("not verified: "), said.stderr
    return said.stderr


def test_no_file_is_exit_2_and_none_is_made(tmp_path: Path) -> None:
    assert "there is no database at" in refused(f"sqlite:///{tmp_path / 'none.sqlite3'}")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_exit_2(tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite3"
    path.touch()
    assert "it has no tables" in refused(f"sqlite:///{path}")


def test_what_is_no_database_is_exit_2(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear customer, " * 1000)
    assert "no database that can be read" in refused(f"sqlite:///{path}")


def test_another_programs_database_is_exit_2(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE albums (title TEXT)")
    assert "another program's database" in refused(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE observations", "lacks observations"),
        ("ALTER TABLE customers DROP COLUMN dunning_paused_at", "lacks customers.dunning_paused_at"),
        ("DELETE FROM alembic_version", "names 0 schema versions"),
        ("UPDATE alembic_version SET version_num = '0001'", "schema version '0001' is not known here"),
        ("UPDATE alembic_version SET version_num = '9999'", "schema version '9999' is not known here"),
    ],
)
def test_a_half_migrated_database_is_exit_2(shop: Lived, statement: str, said: str) -> None:
    with shop.database.tx() as session:
        session.execute(text(statement))
    assert said in refused(url_of(shop))


def test_a_database_that_is_not_spoken_is_exit_2() -> None:
    assert "databases of kind 'mysql' are not checked" in refused("mysql://somewhere/perennial")


def test_a_server_that_is_not_there_is_exit_3() -> None:
    said = run("postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert said.exit_code == 3
    assert "cannot be reached" in said.output


def test_a_check_runs_beside_an_owner_that_writes(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    with database.tx() as session:
        session.execute(text("UPDATE series SET next = 5"))
        assert run(url).exit_code == 0
