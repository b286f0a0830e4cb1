"""Check ready: whether this process could bill right now, said in one word a check and without any secret."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from billing.domain.errors import NotReady
from billing.store.accounts import installation
from billing.store.engine import Database
from billing.vault.keyring import Keyring

OVERDUE_AFTER = timedelta(minutes=15)
"""Work that has been due for longer means that the loops do not run."""

OK = "ok"


def check_ready(
    database: Database,
    keyring: Keyring,
    now: datetime,
    schema: str | None,
    next_due_at: Callable[[], datetime | None],
) -> Mapping[str, str]:
    """Each check by name: `ok`, or what is wrong. `schema` is the revision that this version needs.

    A check that cannot be made because an earlier one failed is `not checked`.
    """
    checks = dict.fromkeys(("database", "schema", "vault_key", "due_work"), "not checked")
    try:
        checks["schema"] = OK if _schema(database) == schema else "not this version's; run `billing migrate`"
        checks["database"] = OK
        if checks["schema"] == OK:
            checks["vault_key"] = _vault_key(database, keyring)
            checks["due_work"] = _due_work(now, next_due_at())
    except DatabaseError:
        checks["database"] = "cannot be reached or used"
    return checks


def _schema(database: Database) -> str | None:
    with database.tx() as session:
        return session.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _vault_key(database: Database, keyring: Keyring) -> str:
    with database.tx() as session:
        known = installation(session)
    if known is None:
        return "the database is not tied to a key; run `billing vault init`"
    try:
        keyring.check_canary(known.canary)
    except NotReady:
        return "does not open this database's canary"
    return OK


def _due_work(now: datetime, due_at: datetime | None) -> str:
    if due_at is None or now - due_at <= OVERDUE_AFTER:
        return OK
    return f"the oldest has been due for {int((now - due_at).total_seconds())} seconds"
