"""The daily scan for what was charged though we hold it for not charged: purchases without a key that were given up,
and that the provider knows under our reference all the same (charging rules, section 3).

What is found goes through `settle` like any late answer: the account stops, the invoice is held, a person is asked.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from billing.domain.operations import WITHOUT_A_KEY, OperationKind, OperationStatus, Standing
from billing.ports import Answer, Sighting, Succeeded
from billing.store.invoices import Invoice
from billing.store.operations import Operation
from billing.store.paces import open_accounts
from billing.use_cases.pacing import take
from billing.use_cases.sending import Sending
from billing.use_cases.settle import Settlement
from billing.use_cases.settle_contradiction import CONTRADICTED

SCANNED_FOR = timedelta(days=30)
"""How long after it was given up a purchase is still looked for."""

SCANNED_MAX = 1000
"""The youngest so many of each account."""

_PROVED_BY_THE_PROVIDER = "declined:%"


def scan_duplicates(sending: Sending) -> int:
    """Look for every purchase that was given up within 30 days; returns how many were found after all."""
    if not sending.may_send():
        return 0
    now, found = sending.clock.now(), 0
    for name, account in sending.accounts.items():
        if account.generation != WITHOUT_A_KEY:
            continue
        with sending.database.tx() as session:
            asked = _given_up(session, sending, name, now)
        seen = account.gateway.read_sightings([op.merchant_reference or "" for op in asked]) if asked else {}
        there = [op for op in asked if seen.get(op.merchant_reference or "") in (Sighting.ACCEPTED, Sighting.PENDING)]
        answer = Answer(code="status_found", message="the daily scan found it, though it was given up")
        if there:
            sending.settle([Settlement(op.id, sending.ids.new(), Succeeded(answer)) for op in there])
        found += len(there)
    return found


def _given_up(session: Session, sending: Sending, name: str, now: datetime) -> Sequence[Operation]:
    """Sent, dead without a word of the provider, and not found before: then its invoice is held already."""
    accounts = open_accounts(session, now, list(sending.accounts))
    if name not in accounts.anything:
        return ()
    query = (
        select(Operation)
        .join(Invoice, col(Invoice.id) == col(Operation.invoice_id))
        .where(
            Operation.provider_account == name,
            Operation.kind == OperationKind.PURCHASE.value,
            Operation.standing == Standing.DEAD.value,
            Operation.origin == "ours",
            col(Operation.status).in_([OperationStatus.DROPPED.value, OperationStatus.DECLINED.value]),
            col(Operation.sent_at).is_not(None),
            col(Operation.provider_id).is_(None),
            col(Operation.settled_at) >= now - SCANNED_FOR,
            col(Operation.dead_because).not_like(_PROVED_BY_THE_PROVIDER),
            col(Invoice.held_because).is_(None) | col(Invoice.held_because).not_like(f"{CONTRADICTED}%"),
        )
    )
    rows = session.exec(query.order_by(col(Operation.id).desc()).limit(SCANNED_MAX)).all()
    return rows[: take(session, name, now, len(rows))] if name in accounts.counted else rows
