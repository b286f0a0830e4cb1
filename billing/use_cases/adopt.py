"""Adopt: write what somebody did in the provider's own portal, with the effects of our own operation of that kind.

One act a transaction, under the locks of every writer. What cannot be told raises before anything is written, and a
person is asked instead; the row of another's act has `origin = external` and was never sent by us.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import combinations
from typing import Any
from uuid import UUID

from billing.domain.credits import CreditDraft, GiveAs, credit_amount, credit_whole
from billing.domain.errors import BillingError, Conflict
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import EXTEND_BEFORE, OperationKind, OperationStatus, Trigger
from billing.domain.subscriptions import SubscriptionStatus
from billing.ports import Answer, Ids, Succeeded
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import InvoiceLine, amount_due, lines_of
from billing.store.operations import Observation, Operation, drop
from billing.use_cases.capturing import parts_of, planned_captures, units_left
from billing.use_cases.crediting import Terms, billed_lines, grant_paid_out
from billing.use_cases.invoice_scene import close_scene, left_of_captures, open_scene
from billing.use_cases.lowering import WAITS_FOR_EXTENSION, moves_the_claim
from billing.use_cases.portal_acts import (
    INVOICE_SEEN,
    OPEN,
    Act,
    Captured,
    EndMoved,
    GivenBack,
    Odd,
    Ours,
    Refunded,
    Seen,
    SeenWhole,
    portal_acts,
)
from billing.use_cases.settle import Settlement, settle
from billing.use_cases.settle_amend import release_succeeded
from billing.use_cases.settle_authorization import let_go
from billing.use_cases.settle_follow_up import THEN, capture_succeeded, refund_succeeded, void_succeeded
from billing.use_cases.settle_locks import write_whole_lines
from billing.use_cases.settle_scene import Scene

DIFFERS = "differs"
"""Where a purchase keeps the difference that a person was told of, so that each is told once."""

REASON = "provider_portal"
LINES_TRIED = 12
"""Of more lines than these it is not looked for which ones make up an amount."""

_REVIEW = "order_differs"
_DECIDE = {THEN: "review"}
_LINK = Answer(message="done in the provider's own portal")


def adopt(database: Database, ids: Ids, now: datetime, purchase_id: UUID, invoice_id: UUID, seen: Seen) -> bool:
    """Write the first act about a purchase that is not ours; returns whether one was, so that more may follow.

    A question of ours that is answered goes through `settle`; what nobody can explain goes to a person, once.
    """
    try:
        act = _adopt_one(database, ids, now, purchase_id, invoice_id, seen)
    except BillingError as error:
        act = Odd(error.code, because=error.message)
    if isinstance(act, Ours):
        facts = {"linked": "done by somebody else"} if act.is_linked else {}
        news = Succeeded(Answer(message="found by a look at the order"), act.provider_id, facts=facts)
        settle(database, ids, now, [Settlement(act.operation_id, ids.new(), news)])
    if isinstance(act, Odd):
        _tell_once(database, ids, now, (purchase_id, invoice_id), seen, act)
    return isinstance(act, Captured | Refunded | GivenBack | EndMoved | SeenWhole)


def _adopt_one(
    database: Database, ids: Ids, now: datetime, purchase_id: UUID, invoice_id: UUID, seen: Seen
) -> Act | None:
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        purchase = scene.operation(purchase_id)
        acts = portal_acts(purchase, scene.siblings, seen)
        act = acts[0] if acts else None
        _write(scene, purchase, act)
        scene.batch.write(session)
        write_whole_lines(session, list(scene.whole))
        close_scene(scene)
        return act


def _write(scene: Scene, purchase: Operation, act: Act | None) -> None:
    match act:
        case Captured():
            _capture(scene, purchase, act)
        case Refunded():
            _refund(scene, purchase, act)
        case GivenBack():
            _give_back(scene, purchase, act)
        case EndMoved():
            _move_end(scene, purchase, act)
        case SeenWhole():
            capture = scene.operation(act.capture_id)
            capture.details = {**capture.details, INVOICE_SEEN: True}


def _tell_once(database: Database, ids: Ids, now: datetime, whose: tuple[UUID, UUID], seen: Seen, odd: Odd) -> None:
    """A person is asked, and the subscription waits for the answer; nothing of the order is taken over."""
    purchase_id, invoice_id = whose
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        purchase, told = scene.operation(purchase_id), [odd.what, odd.amount, odd.provider_id, _figures(seen)]
        if purchase.details.get(DIFFERS) == told:
            return
        purchase.details = {**purchase.details, DIFFERS: told}
        about = {"what": odd.what, "because": odd.because, "amount": odd.amount, "provider_id": odd.provider_id}
        scene.tell("order.differs", invoice=invoice_id.hex, operation=purchase_id.hex, **about)
        _ask_a_person(scene, _REVIEW)
        _observe(scene, purchase, odd.because or odd.what, seen)
        close_scene(scene)


def _figures(seen: Seen) -> list[Any]:
    order = seen.order
    if order is None:
        return [[id_, amount] for id_, amount in sorted(seen.invoices.items())]
    return [order.authorization, order.amount, order.captured_amount, order.refunded_amount]


def _ask_a_person(scene: Scene, reason: str) -> None:
    subscription = scene.subscription
    if subscription.status != SubscriptionStatus.ENDED and subscription.review_reason is None:
        subscription.review_reason = reason
        scene.tell("subscription.needs_review", reason=reason)


# --- a capture -------------------------------------------------------------------------------------------------


def _capture(scene: Scene, purchase: Operation, act: Captured) -> None:
    amount, planned = act.movement.amount, planned_captures(scene, purchase)
    _check_may_be_captured(scene, purchase, amount)
    is_whole = amount == purchase.remaining
    twin = next((op for op in planned if op.amount == amount), None)
    details = _lines_taken(scene, purchase, planned, twin, amount)
    gone = planned if is_whole else [op for op in planned if op is twin]
    for operation in gone:
        drop(operation, "captured in the provider's own portal", scene.now)
    row = _external(scene, OperationKind.CAPTURE, purchase, amount, purchase.id, details=details)
    row.provider_id = act.movement.provider_id
    facts = {"linked": "captured by somebody else"}
    capture_succeeded(scene, row, Succeeded(_LINK, row.provider_id, facts=facts))
    for operation in planned:
        if operation.status == OperationStatus.PLANNED and "lines" not in operation.details:
            # What takes the rest by itself takes what is left now; whoever holds it would let the old amount through.
            operation.amount, operation.lease_owner, operation.lease_until = purchase.remaining or 0, None, None
    _observe(scene, row, "captured")


def _check_may_be_captured(scene: Scene, purchase: Operation, amount: int) -> None:
    if scene.invoice.status != InvoiceStatus.OPEN or purchase.authorization not in OPEN:
        raise Conflict(f"the invoice is {scene.invoice.status}, and {amount} minor units were captured for it")
    if amount > min(purchase.remaining or 0, amount_due(scene.invoice)):
        raise Conflict(f"{amount} minor units were captured; owed are {amount_due(scene.invoice)}")
    changing = (op for op in scene.siblings if op.kind == OperationKind.AMEND and moves_the_claim(op))
    if any(op.status == OperationStatus.PLANNED for op in changing):
        raise Conflict("the order was captured while its amount is about to be changed")


def _lines_taken(
    scene: Scene, purchase: Operation, planned: Sequence[Operation], twin: Operation | None, amount: int
) -> dict[str, Any]:
    """What of the lines was taken, as a capture of ours keeps it. Raises `Conflict` where the amount does not say."""
    if twin is not None and ("lines" in twin.details or amount == purchase.remaining):
        return {name: value for name, value in twin.details.items() if name in ("lines", "dispatched")}
    if amount == purchase.remaining:
        return _dispatched(planned)
    if any("lines" in op.details for op in planned) or scene.invoice.credited:
        raise Conflict(f"nobody can tell which lines make up {amount} minor units: others are planned or credited")
    lines = lines_of(scene.session, [scene.invoice.id]).get(scene.invoice.id, [])
    return {"lines": _lines_of_amount(lines, amount)}


def _dispatched(planned: Sequence[Operation]) -> dict[str, Any]:
    units: dict[str, int] = {}
    for operation in planned:
        for line, count in operation.details.get("dispatched", {}).items():
            units[line] = units.get(line, 0) + count
    return {"dispatched": units} if units else {}


def _lines_of_amount(lines: Sequence[InvoiceLine], amount: int) -> list[dict[str, Any]]:
    """The one set of lines that is left whole and costs exactly `amount`."""
    left = units_left(lines, [])
    parts = parts_of(lines, left, left)
    if len(parts) > LINES_TRIED:
        raise Conflict(f"nobody can tell which of {len(parts)} lines make up {amount} minor units")
    sets = (chosen for size in range(1, len(parts) + 1) for chosen in combinations(parts, size))
    fitting = [chosen for chosen in sets if sum(part["amount"] for part in chosen) == amount]
    if len(fitting) != 1:
        raise Conflict(f"{len(fitting)} sets of lines make up {amount} minor units; one is needed to tell")
    return [dict(part) for part in fitting[0]]


# --- a refund --------------------------------------------------------------------------------------------------


def _refund(scene: Scene, purchase: Operation, act: Refunded) -> None:
    """Money that went back has its credit note by amount, with the tax of what is left of the lines (billing rules,
    section 5); the refund is paid out already.
    """
    fitting = [
        capture
        for capture, left in left_of_captures(scene.invoice, scene.siblings)
        if left >= act.amount and capture.purchase_id == purchase.id and act.capture_id in (None, capture.id)
    ]
    if not fitting:
        raise Conflict(f"{act.amount} minor units went back, more than is left of one capture")
    capture = fitting[0]
    note = grant_paid_out(scene, _draft(scene, act.amount), Terms(REASON, None, Trigger.ADMIN, GiveAs.REFUND))
    row = _external(scene, OperationKind.REFUND, purchase, act.amount, note.id, capture_id=capture.id)
    row.provider_id = act.provider_id
    if act.provider_id is None:
        row.provider_reference = capture.provider_id
    refund_succeeded(scene, row, Succeeded(_LINK, act.provider_id))
    about = {"invoice": scene.invoice.id.hex, "operation": row.id.hex, "credit_note": note.id.hex}
    scene.tell("refund.linked", **about, amount=act.amount)
    _observe(scene, row, "refunded")


def _draft(scene: Scene, amount: int) -> CreditDraft:
    lines = billed_lines(scene.session, scene.invoice)
    is_all = amount == sum(line.left_amount for line in lines)
    return credit_whole(lines) if is_all else credit_amount(lines, amount)


# --- an authorization ------------------------------------------------------------------------------------------


def _give_back(scene: Scene, purchase: Operation, act: GivenBack) -> None:
    """A person gave it back on purpose: nothing is charged again by a machine, and somebody decides about what is
    still owed.
    """
    kind = OperationKind.VOID if act.is_whole else OperationKind.RELEASE
    details = _drop_what_waits(scene, purchase, kind)
    row = _external(scene, kind, purchase, purchase.remaining or 0, purchase.id, details=details)
    if act.is_whole:
        void_succeeded(scene, row, Succeeded(_LINK))
    else:
        release_succeeded(scene, row, Succeeded(_LINK))
        if scene.invoice.status == InvoiceStatus.OPEN and amount_due(scene.invoice):
            _ask_a_person(scene, "authorization_given_back")
    scene.tell("authorization.linked", invoice=scene.invoice.id.hex, operation=row.id.hex, kind=kind.value)
    _observe(scene, row, "given back")


def _drop_what_waits(scene: Scene, purchase: Operation, kind: OperationKind) -> dict[str, Any]:
    """Plans for an authorization that is gone. A void of ours that was about to go has said what follows."""
    details = dict(_DECIDE) if kind is OperationKind.VOID else {}
    let_go(scene, purchase, "given back in the provider's own portal")
    for operation in scene.siblings:
        if operation.purchase_id != purchase.id or operation.status != OperationStatus.PLANNED:
            continue
        if operation.kind == kind:
            details = dict(operation.details)
        if moves_the_claim(operation) or (operation.kind == OperationKind.SHIP and kind is OperationKind.VOID):
            drop(operation, "given back in the provider's own portal", scene.now)
    return details


def _move_end(scene: Scene, purchase: Operation, act: EndMoved) -> None:
    """The order's own date replaces ours; an extension that is planned goes by it, unless a capture waits for it."""
    before, purchase.expires_at = purchase.expires_at, act.expires_at
    is_waited_for = any(WAITS_FOR_EXTENSION in op.details for op in planned_captures(scene, purchase))
    for operation in scene.siblings:
        is_extension = operation.kind == OperationKind.EXTEND and operation.status == OperationStatus.PLANNED
        if is_extension and operation.purchase_id == purchase.id and not is_waited_for:
            operation.due_at = max(scene.now, act.expires_at - EXTEND_BEFORE)
            operation.details = {**operation.details, "ends_at": act.expires_at.isoformat()}
    if before is not None:
        about = {"before": before.isoformat(), "expires_at": act.expires_at.isoformat()}
        scene.tell("authorization.end_moved", invoice=scene.invoice.id.hex, **about)


# --- rows ------------------------------------------------------------------------------------------------------


def _external(
    scene: Scene,
    kind: OperationKind,
    purchase: Operation,
    amount: int,
    subject: UUID,
    *,
    capture_id: UUID | None = None,
    details: dict[str, Any] | None = None,
) -> Operation:
    """The row of an act that is done and was never sent by us."""
    row = Operation(
        id=scene.batch.ids.new(),
        kind=kind.value,
        subject=subject,
        n=scene.next_n(kind, subject),
        invoice_id=scene.invoice.id,
        subscription_id=scene.subscription.id,
        provider_account=purchase.provider_account,
        purchase_id=purchase.id,
        capture_id=capture_id,
        details=details or {},
        amount=amount,
        currency=purchase.currency,
        trigger=Trigger.ADMIN.value,
        origin="external",
        status=OperationStatus.SUCCEEDED.value,
        settled_at=scene.now,
        created_at=scene.now,
    )
    scene.session.add(row)
    scene.session.flush()
    scene.siblings = [*scene.siblings, row]
    return row


def _observe(scene: Scene, operation: Operation, what: str, seen: Seen | None = None) -> None:
    facts = {"read": _figures(seen)} if seen is not None else {}
    scene.batch.add(
        Observation,
        operation_id=operation.id,
        epoch=operation.epoch,
        outcome="look",
        settled=seen is None,
        http_status=None,
        code=None,
        message=f"a look at the order: {what}"[:300],
        correlation_id=None,
        provider_id=operation.provider_id,
        facts=facts,
        at=scene.now,
    )
