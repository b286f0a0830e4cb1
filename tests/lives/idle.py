"""What must be true right after a tick that went through: whatever was due at its instant is dealt with."""

from datetime import datetime

from lives.invariants import nothing_found
from sqlmodel import Session


def nothing_due_is_left(session: Session, now: datetime) -> None:
    """I2 and I4, right after a tick at `now` with the account open: no row is still due."""
    for table, due in _DUE.items():
        columns = "id, status" if table != "invoices" else "id, release_at, remind_at, exhausts_at"
        nothing_found(
            session, f"a tick left {table} behind", f"SELECT {columns} FROM {table} WHERE {due}", now=_sql(session, now)
        )


_DUE = {
    "subscriptions": "due_at <= :now AND review_reason IS NULL AND hold IS NULL",
    "operations": "(status = 'planned' AND due_at <= :now OR next_check_at <= :now)"
    " AND (lease_until IS NULL OR lease_until <= :now)",
    "invoices": "release_at <= :now OR status = 'open' AND (remind_at <= :now OR exhausts_at <= :now)"
    " AND NOT EXISTS (SELECT 1 FROM customers c WHERE c.id = customer_id AND c.dunning_paused_at IS NOT NULL)"
    " AND NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = subscription_id AND s.status = 'paused')",
}


def _sql(session: Session, at: datetime) -> object:
    """An instant as a plain statement compares it: SQLite keeps the text."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f") if session.get_bind().dialect.name == "sqlite" else at
