"""The database for commands that only read: of an SQLite file a copy of this moment, since the file may have another
owner, who is neither stopped nor waited for (charging rules, section 4).
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from billing.bootstrap import migrated_database, sqlite_file
from billing.store.engine import Database
from config.settings import Settings, load_settings


@contextmanager
def read_only() -> Iterator[Database]:
    """The configured database, as it is now. Raises `NotReady` where it is not migrated."""
    settings = load_settings()
    file = sqlite_file(settings)
    if file is None or not file.is_file():
        with closing(migrated_database(settings)) as database:
            yield database
        return
    with tempfile.TemporaryDirectory(prefix="perennial-copy-") as folder:
        copy = Path(folder) / "copy.sqlite3"
        _copy(file, copy)
        with closing(migrated_database(_of(settings, copy))) as database:
            yield database


def _copy(file: Path, copy: Path) -> None:
    # As a reader, in one statement: a consistent state, whatever is being written meanwhile.
    with closing(sqlite3.connect(f"file:{file.absolute()}?mode=ro", uri=True, timeout=30)) as reader:
        reader.execute("VACUUM INTO ?", (str(copy),))


def _of(settings: Settings, copy: Path) -> Settings:
    return settings.model_copy(update={"database": settings.database.model_copy(update={"url": f"sqlite:///{copy}"})})
