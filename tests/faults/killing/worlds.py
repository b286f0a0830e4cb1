"""Worlds on each database: made, handed out, and taken down."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from faults.killing.world import World
from simulation.own_server import fresh_postgresql

import migrations
from billing.store.engine import open_database

START = datetime(2028, 1, 31, 8, tzinfo=UTC)


@contextmanager
def fresh_world(database: str, generation: str, directory: Path, *, keep: bool = False) -> Iterator[World]:
    """An installed world on `sqlite` or `postgresql`; its directory goes when the block ends without an error."""
    directory.mkdir(parents=True)
    if database == "sqlite":
        url = f"sqlite:///{directory / 'perennial.sqlite3'}"
        opened = open_database(url)
        migrations.upgrade(opened.engine)
        opened.close()
        with installed_world(url, directory, generation) as world:
            yield world
    else:
        with fresh_postgresql("world") as opened:
            url = opened.engine.url.render_as_string(hide_password=False)
            # Nothing that is open here may be open in a forked worker.
            opened.close()
            with installed_world(url, directory, generation) as world:
                yield world
    if not keep:
        shutil.rmtree(directory)


@contextmanager
def installed_world(url: str, directory: Path, generation: str) -> Iterator[World]:
    """A world on the migrated database at `url`, whose environment this process has for as long as the block lasts."""
    world = World(url, directory, generation, START)
    try:
        world.configure()
        world.install()
        with world.in_settings():
            world.open_catalogue()
            yield world
    finally:
        world.sandbox.stop()
