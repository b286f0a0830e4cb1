"""Where a database lies: what differs between a database and its copy, and not between two looks at the same one."""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session


def fingerprint(session: Session) -> str:
    """SQLite: resolved path and inode. PostgreSQL: the cluster's identifier and the database's oid.

    Empty where this may not be read, or for a database that lies in memory.
    """
    return _sqlite(session) if session.get_bind().dialect.name == "sqlite" else _postgresql(session)


def _sqlite(session: Session) -> str:
    file = session.execute(text("SELECT file FROM pragma_database_list WHERE name = 'main'")).scalar()
    if not file:
        return ""
    path = Path(str(file)).resolve()
    return f"sqlite:{path}:{path.stat().st_ino}"


def _postgresql(session: Session) -> str:
    query = text(
        "SELECT (SELECT system_identifier FROM pg_control_system()), oid FROM pg_database"
        " WHERE datname = current_database()"
    )
    try:
        # A server may keep these from us; the transaction goes on without them.
        with session.begin_nested():
            cluster, database = session.execute(query).one()
    except DatabaseError:
        return ""
    return f"postgresql:{cluster}:{database}"
