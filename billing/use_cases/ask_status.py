"""Ask what became of a purchase where no key can be sent again: the older generation's order status.

A hint and no more, since it is documented as not being for recurring orders: what is found needs its reservation from
a person, and "not found" proves something only on an account that is known to see such orders, beside one that was
found, said twice (charging rules, section 3).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from billing.domain.operations import WITHOUT_A_KEY, Authorization, OperationKind, OperationStatus
from billing.ports import Account, Answer, Declined, Refused, Sighting, Unknown
from billing.store.operations import Observation, Operation
from billing.use_cases.sending import Sending
from billing.use_cases.settle import NeverReceived, News, NotSeen

QUARANTINE = timedelta(minutes=15)
"""From the send on; before that "not found" may only be too early."""

APART = timedelta(minutes=5)
CONTROL_HOLDS_FOR = timedelta(hours=1)
"""How long both sayings, each beside something that was found, count together."""

NOT_SEEN = "status_not_found"
"""The code under which a "not found" is kept as an observation, with the purchase that was found beside it."""

_FOUND = (Sighting.ACCEPTED, Sighting.PENDING)
_ASKED = (OperationStatus.SENDING, OperationStatus.UNKNOWN)


def ask_status(sending: Sending, name: str, window: Sequence[Operation]) -> dict[UUID, News]:
    """What the status of each purchase of `window` says about it, by operation; nothing where a key can be sent again.

    Costs a request a purchase and one for the control.
    """
    account = sending.accounts[name]
    purchases = [op for op in window if op.kind == OperationKind.PURCHASE and op.status in _ASKED]
    if account.generation != WITHOUT_A_KEY or not purchases:
        return {}
    with sending.database.tx() as session:
        control = _accepted_one(session, name) if account.status_sees_recurring else None
        said_before = _sayings(session, [op.id for op in purchases])
    wanted = [op.merchant_reference or "" for op in purchases] + ([control] if control else [])
    said = account.gateway.read_sightings(wanted)
    found = control if control is not None and said.get(control) is Sighting.ACCEPTED else None
    now = sending.clock.now()
    return {
        op.id: _news(op, said.get(op.merchant_reference or ""), account, found, said_before.get(op.id, ()), now)
        for op in purchases
    }


def _accepted_one(session: Session, name: str) -> str | None:
    """Our reference of the newest purchase of the account that is known to have been accepted."""
    query = select(Operation.merchant_reference).where(
        Operation.provider_account == name,
        Operation.kind == OperationKind.PURCHASE.value,
        Operation.status == OperationStatus.SUCCEEDED.value,
        Operation.origin == "ours",
        col(Operation.authorization).not_in((Authorization.PENDING_REVIEW, Authorization.REJECTED)),
        col(Operation.merchant_reference).is_not(None),
    )
    return session.exec(query.order_by(col(Operation.id).desc()).limit(1)).first()


def _sayings(session: Session, operation_ids: Sequence[UUID]) -> dict[UUID, list[datetime]]:
    """When each was not found before, beside something that was found."""
    query = select(Observation).where(col(Observation.operation_id).in_(operation_ids), Observation.code == NOT_SEEN)
    found: dict[UUID, list[datetime]] = {}
    for row in session.exec(query.order_by(col(Observation.id))):
        if row.facts.get("control"):
            found.setdefault(row.operation_id, []).append(row.at)
    return found


def _news(
    purchase: Operation,
    said: Sighting | None,
    account: Account,
    control: str | None,
    said_before: Sequence[datetime],
    now: datetime,
) -> News:
    if said in _FOUND:
        message = f"its status says {said}: a person links its reservation"
        return Refused(Answer(code="status_found", message=message))
    if said is Sighting.DENIED:
        return Declined(Answer(code="status_denied", message="its status says denied"), "soft")
    if not account.status_sees_recurring:
        hint = "its status was not found, which proves nothing here" if said is not None else "nothing told its status"
        return Refused(Answer(code="not_repeated", message=f"sent once, and never to be sent twice; {hint}"))
    if said is None:
        return Unknown(Answer(message="its status could not be read"))
    return _not_found(purchase, control, said_before, now)


def _not_found(purchase: Operation, control: str | None, said_before: Sequence[datetime], now: datetime) -> News:
    assert purchase.sent_at is not None, "only what was sent is asked about"
    trusted_from = purchase.sent_at + QUARANTINE
    if now < trusted_from:
        return NotSeen(Answer(code=NOT_SEEN, message="not found, which may be too early"), trusted_from)
    if control is None:
        return Unknown(Answer(code=NOT_SEEN, message="not found, but nothing that was accepted was found either"))
    facts: Mapping[str, str] = {"control": control}
    before = [at for at in said_before if at >= trusted_from and now - at <= CONTROL_HOLDS_FOR]
    if any(now - at >= APART for at in before):
        return NeverReceived(Answer(code=NOT_SEEN, message="not found twice, while the control was"), facts)
    answer = Answer(code=NOT_SEEN, message="not found, while the control was")
    return NotSeen(answer, (min(before) if before else now) + APART, facts)
