"""From nothing to the newest schema, and the newest schema is what the models say, to the letter."""

import pytest
from alembic.util import CommandError
from sqlalchemy import text
from sqlmodel import SQLModel

import migrations
from billing.store.engine import Database
from tests.migrations.schema_text import checks, indexes, tables


def test_an_empty_database_comes_to_the_newest_schema(migrated: Database) -> None:
    assert migrations.is_current(migrated.engine)
    assert set(tables(migrated)) == set(SQLModel.metadata.tables)


def test_coming_to_the_newest_schema_twice_changes_nothing(migrated: Database) -> None:
    before = tables(migrated), indexes(migrated)
    migrations.upgrade(migrated.engine)
    assert (tables(migrated), indexes(migrated)) == before


def test_the_models_ask_for_no_further_migration(migrated: Database) -> None:
    migrations.check(migrated.engine)


def test_a_column_that_no_migration_knows_is_noticed(migrated: Database) -> None:
    with migrated.engine.begin() as connection:
        connection.execute(text("ALTER TABLE customers ADD COLUMN shoe_size INTEGER"))
    with pytest.raises(CommandError):
        migrations.check(migrated.engine)


def test_columns_keys_and_checks_are_those_of_the_models_by_their_text(migrated: Database, modelled: Database) -> None:
    assert tables(migrated) == tables(modelled)


def test_indexes_and_their_conditions_are_those_of_the_models_by_their_text(
    migrated: Database, modelled: Database
) -> None:
    assert indexes(migrated) == indexes(modelled)
    assert any(" WHERE " in line for line in indexes(migrated)["operations"])


def test_every_check_is_named_after_its_table_once(migrated: Database) -> None:
    names = [(table, name) for table, named in checks(migrated).items() for name in named]
    assert len(names) > 30
    assert [(t, n) for t, n in names if not n.startswith(f"ck_{t}_") or n.count("ck_") != 1] == []


def test_checks_of_known_words_are_named_after_their_column(migrated: Database) -> None:
    for table, named in checks(migrated).items():
        for name in named:
            column = name.removeprefix(f"ck_{table}_").removesuffix("_known")
            assert not name.endswith("_known") or column in SQLModel.metadata.tables[table].columns
