"""Schema changes, one file each; the configuration is built here in code, so there is no ini file."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest schema; one already there is left as it is."""
    command.upgrade(_config(engine), "head")


def check(engine: Engine) -> None:
    """Raises when tables, columns or plain indexes differ from the models."""
    command.check(_config(engine))


def is_current(engine: Engine) -> bool:
    """Whether the database has exactly the schema that this code knows."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == newest()


def newest() -> str | None:
    """The newest revision that this code knows."""
    return ScriptDirectory(str(Path(__file__).parent)).get_current_head()


def _config(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config
