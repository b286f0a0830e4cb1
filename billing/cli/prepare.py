"""What is done before the first start: the schema, the vault key, an API key."""

import click

import migrations
from billing.adapters.clock import SystemClock
from billing.adapters.ids import SystemIds
from billing.adapters.keys_file import FileKeys, create_key_file
from billing.bootstrap import instance_notes, make_room, migrated_database, owned
from billing.domain.errors import NotReady
from billing.store.engine import open_database
from billing.use_cases.api_keys import create_key
from billing.use_cases.clone_guard import Arming, Guard, arm
from billing.use_cases.install import install, is_installed
from billing.vault.keyring import Keyring
from config.settings import load_settings


@click.command()
def migrate() -> None:
    """Bring the database to this version's schema; one that is there already is left as it is.

    \b
    Example: billing migrate
    Exit codes: 0 done, 3 the database cannot be reached or is owned by a running service.
    """
    settings = load_settings()
    with owned(settings):
        make_room(settings)
        database = open_database(settings.database.url)
        migrations.upgrade(database.engine)
        database.close()
    click.echo(f"the database has schema {migrations.newest()}")


@click.group()
def vault() -> None:
    """The vault's key."""


@vault.command("init")
def vault_init() -> None:
    """Make the key file (mode 0600) unless it is there, tie the database to it, and write the instance file beside it.

    Keep a copy of the key file apart from the database's backups: without it no token opens.

    \b
    Example: billing vault init
    Exit codes: 0 done, 3 the database is not migrated, or the key file is unsafe or another database's.
    """
    settings, ids = load_settings(), SystemIds()
    path = settings.vault.key_file
    with owned(settings):
        database = migrated_database(settings)
        if not (path.is_symlink() or path.exists() or is_installed(database)):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            create_key_file(path, ids.secret)
            click.echo(f"made the key file {path}; keep a copy of it apart from the database")
        now = SystemClock().now()
        install(database, Keyring(FileKeys(path), ids.secret), ids, now)
        guard = Guard(database, ids, instance_notes(settings))
        guard.check(now)
        database.close()
        if guard.refusal is not None:
            raise NotReady(guard.refusal)
    click.echo("the database is tied to this key")


@vault.command("arm")
@click.option("--by", required=True, help="Who says so; kept in the audit log.")
@click.option("--reason", required=True, help="What was done to the database or the machine.")
@click.option("--nothing-lost", is_flag=True, help="The service stood still; every charge it made is in this database.")
def vault_arm(by: str, reason: str, nothing_lost: bool) -> None:
    """Let a database send that was moved, failed over, or is served by a further machine.

    Checks that the key opens it, that its mark is not behind what this machine has seen, and that no work has long been
    due, which is how a backup looks. After a restore from a backup use `billing restore open` instead.

    \b
    Example: billing vault arm --by "J. Doe" --reason "moved to the new disk"
    Exit codes: 0 done, 3 it is armed already, was restored from a backup, or is owned by a running service.
    """
    settings, ids = load_settings(), SystemIds()
    with owned(settings):
        database = migrated_database(settings)
        now = SystemClock().now()
        install(database, Keyring(FileKeys(settings.vault.key_file), ids.secret), ids, now)
        trouble = arm(database, ids, instance_notes(settings), now, Arming(by, reason, nothing_lost))
        database.close()
    click.echo(f"the database is armed; what was wrong: {trouble}")


@click.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@click.option("--name", required=True, help="Who will hold this key; shown in the audit log.")
@click.option("--admin", is_flag=True, help="May also use /admin: refunds and what moves money by hand.")
@click.option("--live", is_flag=True, help="Marks the key sk_live_ instead of sk_test_.")
def keys_create(name: str, admin: bool, live: bool) -> None:
    """Make an API key and print it, this one time: only a digest of it is kept.

    \b
    Example: billing keys create --name shop-backend
    Exit codes: 0 done, 3 the database is not migrated, or its SQLite file is owned by a running service.
    """
    settings = load_settings()
    role = "admin" if admin else "merchant"
    with owned(settings):
        database = migrated_database(settings)
        click.echo(create_key(database, SystemIds(), SystemClock().now(), name=name, role=role, live=live))
        database.close()
