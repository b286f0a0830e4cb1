"""Watch orders: read what the provider holds of each open purchase now and then, so that what somebody did in the
provider's own portal comes in. Reading changes nothing there, so no operation stands for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.looks import DAILY, LOOK_AGAIN_SOON, next_look_at
from billing.domain.operations import WITHOUT_A_KEY, OperationKind, OperationStatus, Standing
from billing.ports import Account, Sighting
from billing.store.looks import claim_looks
from billing.store.operations import Operation, locked, of_invoices
from billing.store.paces import open_accounts
from billing.use_cases.adopt import DIFFERS, adopt
from billing.use_cases.pacing import take
from billing.use_cases.portal_acts import OPEN, Act, Seen, Wait, captured_of, portal_acts
from billing.use_cases.sending import Sending

ACTS_AT_ONCE = 20
"""A look that keeps finding more stops here and goes on with the next."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One purchase to be read: its order at the provider, our own reference, and its captures there."""

    purchase_id: UUID
    invoice_id: UUID
    account: str
    order_id: str
    reference: str
    is_open: bool
    captures: tuple[str, ...]

    def requests(self, account: Account) -> int:
        """How many requests reading it takes."""
        if account.generation != WITHOUT_A_KEY:
            return 1
        return len(self.captures) + 2 * (self.is_open and account.status_sees_recurring)


def watch_orders(sending: Sending) -> int:
    """Look at every order that is to be looked at now, one batch; returns how many purchases were claimed."""
    if not sending.may_send():
        return 0
    now = sending.clock.now()
    seen, looks = _claim(sending, now)
    for name, account in sending.accounts.items():
        mine = [look for look in looks if look.account == name]
        for start in range(0, len(mine), account.window):
            window = mine[start : start + account.window]
            read = _read(account, window, sending.clock.now())
            _compare(sending, window, read)
    return seen


def _claim(sending: Sending, now: datetime) -> tuple[int, list[_Look]]:
    """Move each look on before it is made, so that nobody else makes it; of those that are over make none."""
    with sending.database.tx() as session:
        accounts = open_accounts(session, now, list(sending.accounts))
        due = claim_looks(session, now, accounts.anything, sending.database.batch_size)
        known = _by_invoice(session, [op.invoice_id for op in due if op.invoice_id is not None])
        looks = []
        for purchase in due:
            look = _look_at(purchase, known.get(purchase.invoice_id, ()))
            purchase.look_at = None
            if look is None:
                continue
            if not look.requests(sending.accounts[look.account]):
                # Nothing can be asked about it before it is captured.
                purchase.look_at = now + DAILY
                continue
            purchase.look_at = now
            looks.append(look)
        looks = _permitted(session, sending, looks, accounts.counted, now)
        chosen = {look.purchase_id for look in looks}
        for purchase in due:
            if purchase.id in chosen:
                purchase.look_at = now + LOOK_AGAIN_SOON
    return len(due), looks


def _by_invoice(session: Session, invoice_ids: Sequence[UUID]) -> dict[UUID | None, list[Operation]]:
    found: dict[UUID | None, list[Operation]] = {}
    for operation in of_invoices(session, invoice_ids) if invoice_ids else ():
        found.setdefault(operation.invoice_id, []).append(operation)
    return found


def _look_at(purchase: Operation, siblings: Sequence[Operation]) -> _Look | None:
    captures = tuple(op.provider_id for op in _captures(purchase, siblings) if op.provider_id is not None)
    is_over = purchase.standing == Standing.DEAD and not captures
    if is_over or purchase.provider_id is None or purchase.invoice_id is None or purchase.merchant_reference is None:
        return None
    return _Look(
        purchase.id,
        purchase.invoice_id,
        purchase.provider_account,
        purchase.provider_id,
        purchase.merchant_reference,
        purchase.authorization in OPEN,
        captures,
    )


def _captures(purchase: Operation, siblings: Sequence[Operation]) -> list[Operation]:
    captures = (op for op in siblings if op.kind == OperationKind.CAPTURE and op.purchase_id == purchase.id)
    return [op for op in captures if op.status == OperationStatus.SUCCEEDED]


def _permitted(
    session: Session, sending: Sending, looks: Sequence[_Look], counted: frozenset[str], now: datetime
) -> list[_Look]:
    """As many as permits are there for; the rest stays due, and is claimed once there are some again."""
    chosen = [look for look in looks if look.account not in counted]
    for name in sorted(counted):
        mine = [look for look in looks if look.account == name]
        costs = [look.requests(sending.accounts[name]) for look in mine]
        left = take(session, name, now, sum(costs)) if mine else 0
        for look, cost in zip(mine, costs, strict=True):
            # Rounded up: one that costs more than fits into the bucket would never be read.
            if left > 0:
                chosen.append(look)
            left -= cost
    return chosen


def _read(account: Account, looks: Sequence[_Look], now: datetime) -> dict[UUID, Seen]:
    """What each purchase looks like at the provider; what said nothing is left out."""
    gateway = account.gateway
    if account.generation != WITHOUT_A_KEY:
        orders = gateway.read_orders(sorted({look.order_id for look in looks}))
        return {look.purchase_id: Seen(now, orders[look.order_id]) for look in looks if look.order_id in orders}
    invoices = gateway.read_invoices(sorted({id_ for look in looks for id_ in look.captures}))
    asked = [look for look in looks if look.is_open and account.status_sees_recurring]
    of_orders = gateway.read_sightings([look.order_id for look in asked], of_orders=True) if asked else {}
    of_references = gateway.read_sightings([look.reference for look in asked]) if asked else {}
    read = {look.purchase_id: _seen(look, now, invoices, of_orders, of_references) for look in looks}
    return {id_: seen for id_, seen in read.items() if seen.says_anything}


def _seen(
    look: _Look,
    now: datetime,
    invoices: Mapping[str, int],
    of_orders: Mapping[str, Sighting],
    of_references: Mapping[str, Sighting],
) -> Seen:
    known = {id_: invoices[id_] for id_ in look.captures if id_ in invoices}
    return Seen(now, None, known, of_orders.get(look.order_id), of_references.get(look.reference))


def _compare(sending: Sending, looks: Sequence[_Look], read: Mapping[UUID, Seen]) -> None:
    """Most orders are as we know them: those are put off in one transaction, and each other one has its own."""
    differing = _put_off(sending, looks, read)
    for look in differing:
        for _ in range(ACTS_AT_ONCE):
            now = sending.clock.now()
            seen = read[look.purchase_id]
            if not adopt(sending.database, sending.ids, now, look.purchase_id, look.invoice_id, seen):
                break
    if differing:
        _put_off(sending, differing, read, is_last=True)


def _put_off(
    sending: Sending, looks: Sequence[_Look], read: Mapping[UUID, Seen], *, is_last: bool = False
) -> list[_Look]:
    """Say when each is looked at next; returns those that differ, which wait for that unless this `is_last`."""
    now = sending.clock.now()
    differing = []
    with sending.database.tx() as session:
        purchases = locked(session, [look.purchase_id for look in looks])
        siblings = _by_invoice(session, [look.invoice_id for look in looks])
        for look in looks:
            purchase, mine = purchases[look.purchase_id], siblings[look.invoice_id]
            seen = read.get(look.purchase_id)
            acts = portal_acts(purchase, mine, seen) if seen is not None else []
            if any(not isinstance(act, Wait) for act in acts) and not is_last:
                differing.append(look)
                continue
            if seen is not None and not acts and DIFFERS in purchase.details:
                purchase.details = {name: value for name, value in purchase.details.items() if name != DIFFERS}
            purchase.look_at = _next_look(purchase, mine, acts, now)
    return differing


def _next_look(
    purchase: Operation, siblings: Sequence[Operation], acts: Sequence[Act], now: datetime
) -> datetime | None:
    waits = [act for act in acts if isinstance(act, Wait)]
    if any(not act.for_a_person for act in waits):
        return now + LOOK_AGAIN_SOON
    mine = [op for op in siblings if purchase.id in (op.id, op.purchase_id)]
    if not waits and purchase.standing == Standing.DEAD and not captured_of(mine):
        return None
    moved_at = max((op.settled_at for op in mine if op.settled_at is not None), default=now)
    return next_look_at(now, moved_at, is_open=bool(waits) or purchase.authorization in OPEN)
