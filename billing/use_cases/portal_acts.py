"""What a look at the provider shows that our operations do not: acts of somebody in the provider's own portal.

Decides only, from rows and from what was read; `adopt.py` writes. What an operation of ours may have done is never
taken for somebody else's act (charging rules, section 1, I3).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from billing.domain.operations import (
    MAY_BE_HAPPENING,
    Authorization,
    OperationKind,
    OperationStatus,
    is_merchant_reference,
)
from billing.ports import Movement, OrderState, Sighting
from billing.store.operations import Operation
from billing.use_cases.lowering import moves_the_claim
from billing.use_cases.reconcile import shown_in_order

OPEN = (Authorization.AUTHORIZED, Authorization.PART_CAPTURED)
INVOICE_SEEN = "invoice_seen"
"""Where a capture says that its invoice was once read at its full amount: from then on less of it is a credit."""

SAME_END = timedelta(minutes=1)
_GONE = (Authorization.VOIDED, Authorization.RELEASED)
_ACTS = (OperationKind.CAPTURE, OperationKind.REFUND)


@dataclass(frozen=True, slots=True)
class Captured:
    """Money was taken that no operation of ours asked for."""

    movement: Movement


@dataclass(frozen=True, slots=True)
class Refunded:
    """Money went back that no operation of ours gave: minor units, of one capture where the provider says which."""

    amount: int
    provider_id: str | None = None
    capture_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What was not captured is given back; `is_whole` where nothing was captured."""

    is_whole: bool


@dataclass(frozen=True, slots=True)
class EndMoved:
    """The authorization ends at another instant than we know."""

    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SeenWhole:
    """An invoice was read at the amount that we know, for the first time."""

    capture_id: UUID


@dataclass(frozen=True, slots=True)
class Ours:
    """An open question of ours, answered by what was read; `is_linked` where somebody else did the very same."""

    operation_id: UUID
    provider_id: str | None
    is_linked: bool = False


@dataclass(frozen=True, slots=True)
class Odd:
    """What no machine can explain: a person looks at it. `what` is one stable word, `because` a sentence."""

    what: str
    amount: int | None = None
    provider_id: str | None = None
    because: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Something of ours is under way, or moved since the reading: nothing can be told yet. `for_a_person`: a person has
    to decide about it first.
    """

    for_a_person: bool = False


Act = Captured | Refunded | GivenBack | EndMoved | SeenWhole | Ours | Odd | Wait


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look brought, begun at `at`: the order, or what is left of each invoice (by capture id at the provider)
    and what is said of the order under its own id and under our reference.
    """

    at: datetime
    order: OrderState | None = None
    invoices: dict[str, int] = field(default_factory=dict)
    under_its_id: Sighting | None = None
    under_our_reference: Sighting | None = None

    @property
    def says_anything(self) -> bool:
        """Whether there is anything to compare with."""
        return self.order is not None or bool(self.invoices) or self.under_its_id is not None


def portal_acts(purchase: Operation, siblings: Sequence[Operation], seen: Seen) -> list[Act]:
    """What is to be done about a purchase after this look, in this order; nothing where all is as we know it.

    `siblings` are all operations of its invoice. Where some answer questions of ours, only these are returned: the rest
    is told by the next look.
    """
    mine = [op for op in siblings if purchase.id in (op.id, op.purchase_id)]
    ours = (op for op in mine if op.origin == "ours" and op.status != OperationStatus.DROPPED)
    if any(op.settled_at is not None and op.settled_at >= seen.at for op in ours):
        return [Wait()]
    order = seen.order
    acts = _of_invoices(mine, seen) if order is None else _of_order(purchase, mine, order)
    answers: list[Act] = [act for act in acts if isinstance(act, Ours)]
    if answers:
        return answers
    asking = [op for op in mine if op.status in MAY_BE_HAPPENING and (op.kind in _ACTS or moves_the_claim(op))]
    if acts and asking:
        return [Wait(for_a_person=all(op.status == OperationStatus.NEEDS_OPERATOR for op in asking))]
    odd: list[Act] = [act for act in acts if isinstance(act, Odd)]
    return odd or acts


def captured_of(mine: Sequence[Operation]) -> int:
    """What we hold for captured, in minor units."""
    return sum(op.amount for op in _done(mine, OperationKind.CAPTURE))


# --- a provider whose orders can be read -----------------------------------------------------------------------


def _of_order(purchase: Operation, mine: Sequence[Operation], order: OrderState) -> list[Act]:
    if order.currency != purchase.currency:
        return [Odd("currency")]
    if sum(movement.amount for movement in order.captures) != order.captured_amount:
        return [Odd("captures_do_not_add_up", order.captured_amount)]
    acts = [*_answers(mine, order)]
    acts += [_captured(one, mine) for one in _unknown(order.captures, mine, OperationKind.CAPTURE)]
    acts += [_refunded(one, mine) for one in _unknown(order.refunds, mine, OperationKind.REFUND)]
    acts += _missing(mine, order)
    # With other captures than ours everything else looks different, too: they come first.
    return acts or _of_authorization(purchase, mine, order)


def _answers(mine: Sequence[Operation], order: OrderState) -> list[Act]:
    """Questions that the order answers: done as we asked, or done by somebody else in the very same amount."""
    found: list[Act] = []
    for op in mine:
        if op.status not in MAY_BE_HAPPENING or op.kind == OperationKind.PURCHASE:
            continue
        shown = shown_in_order(op, order)
        if shown is not None:
            found.append(Ours(op.id, getattr(shown, "provider_id", None)))
    return found


def _captured(movement: Movement, mine: Sequence[Operation]) -> Act:
    if is_merchant_reference(movement.reference or ""):
        return Odd("capture_contradicts", movement.amount, movement.provider_id)
    twin = _open_twin(mine, OperationKind.CAPTURE, movement.amount)
    return Captured(movement) if twin is None else Ours(twin.id, movement.provider_id, is_linked=True)


def _refunded(movement: Movement, mine: Sequence[Operation]) -> Act:
    if is_merchant_reference(movement.reference or ""):
        return Odd("refund_contradicts", movement.amount, movement.provider_id)
    twin = _open_twin(mine, OperationKind.REFUND, movement.amount)
    if twin is not None:
        return Ours(twin.id, movement.provider_id, is_linked=True)
    return _unless_planned(mine, Refunded(movement.amount, movement.provider_id))


def _unless_planned(mine: Sequence[Operation], act: Refunded) -> Act:
    """A refund that is about to be sent may be what somebody has just paid out by hand: first see what comes of it."""
    planned = (op for op in mine if op.kind == OperationKind.REFUND and op.status == OperationStatus.PLANNED)
    return Wait() if any(op.amount == act.amount for op in planned) else act


def _missing(mine: Sequence[Operation], order: OrderState) -> list[Act]:
    there = {movement.provider_id for movement in (*order.captures, *order.refunds)}
    done = [*_done(mine, OperationKind.CAPTURE), *_done(mine, OperationKind.REFUND)]
    lost = [op for op in done if op.provider_id is not None and op.provider_id not in there]
    return [Odd(f"{op.kind}_missing", op.amount, op.provider_id) for op in lost]


def _of_authorization(purchase: Operation, mine: Sequence[Operation], order: OrderState) -> list[Act]:
    if purchase.authorization not in OPEN:
        return []
    planned = [op for op in mine if op.status == OperationStatus.PLANNED]
    if order.authorization == Authorization.EXPIRED:
        # A capture that is coming finds that by itself, and what follows is its own.
        is_asked = any(op.kind == OperationKind.CAPTURE for op in planned)
        return [] if is_asked else [Odd("authorization_expired", purchase.remaining)]
    if order.authorization == Authorization.REJECTED:
        return [Odd("authorization_rejected", purchase.remaining)]
    if order.authorization in _GONE or order.authorization == Authorization.CAPTURED:
        return [GivenBack(is_whole=order.captured_amount == 0)]
    acts: list[Act] = []
    held = captured_of(mine) + (purchase.remaining or 0)
    changing = any(op.kind == OperationKind.AMEND and moves_the_claim(op) for op in planned)
    if order.amount != held and not changing:
        acts.append(Odd("order_amount", order.amount))
    known, ends_at = purchase.expires_at, order.expires_at
    if ends_at is not None and (known is None or abs(ends_at - known) >= SAME_END):
        acts.append(EndMoved(ends_at))
    return acts


def _unknown(movements: Sequence[Movement], mine: Sequence[Operation], kind: OperationKind) -> list[Movement]:
    done = _done(mine, kind)
    ids, references = {op.provider_id for op in done}, {op.merchant_reference for op in done} - {None}
    return [one for one in movements if one.provider_id not in ids and one.reference not in references]


# --- one whose invoices alone can be asked about ---------------------------------------------------------------


def _of_invoices(mine: Sequence[Operation], seen: Seen) -> list[Act]:
    acts: list[Act] = []
    for capture in _done(mine, OperationKind.CAPTURE):
        left = seen.invoices.get(capture.provider_id or "")
        if left is not None:
            acts += _of_invoice(capture, [op for op in mine if op.capture_id == capture.id], left)
    purchase = next(op for op in mine if op.kind == OperationKind.PURCHASE)
    is_known = seen.under_our_reference in (Sighting.ACCEPTED, Sighting.PENDING)
    if seen.under_its_id is Sighting.NOT_FOUND and is_known and purchase.authorization in OPEN:
        # Captured, canceled or expired: the provider does not say which.
        acts.append(Odd("authorization_gone", purchase.remaining))
    return acts


def _of_invoice(capture: Operation, refunds: Sequence[Operation], left: int) -> list[Act]:
    known = capture.amount - sum(op.amount for op in _done(refunds, OperationKind.REFUND))
    was_seen = capture.details.get(INVOICE_SEEN, False)
    if left == known:
        return [] if was_seen else [SeenWhole(capture.id)]
    if left > known:
        return [Odd("invoice_amount", left, capture.provider_id)]
    twin = _open_twin(refunds, OperationKind.REFUND, known - left)
    if twin is not None:
        return [Ours(twin.id, None)]
    if not was_seen:
        # Less from the start: it may have been credited, or not all that we asked for was captured.
        return [Odd("invoice_amount", left, capture.provider_id)]
    return [_unless_planned(refunds, Refunded(known - left, None, capture.id))]


# --- both ------------------------------------------------------------------------------------------------------


def _open_twin(mine: Sequence[Operation], kind: OperationKind, amount: int) -> Operation | None:
    """The one open question of this kind and amount, unless a call about it may be on its way at this moment."""
    waiting = (OperationStatus.UNKNOWN, OperationStatus.NEEDS_OPERATOR)
    twins = [op for op in mine if op.kind == kind and op.amount == amount and op.status in waiting]
    return twins[0] if len(twins) == 1 and twins[0].lease_owner is None else None


def _done(mine: Sequence[Operation], kind: OperationKind) -> list[Operation]:
    return [op for op in mine if op.kind == kind and op.status == OperationStatus.SUCCEEDED]
