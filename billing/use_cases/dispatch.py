"""Dispatch: articles of an invoice have left the house, in these parcels: their money is taken, their revenue earned.

Several invoices in one call are one transaction: with one bad row nothing of the others is written.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.dispatches import SentArticle
from billing.domain.errors import BadRows, BillingError, Conflict, Invalid
from billing.domain.invoicing import InvoiceStatus
from billing.domain.operations import MAY_BE_HAPPENING, OperationKind, OperationStatus, Trigger
from billing.domain.pricing import Recognize
from billing.ports import Ids, Shipment
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import InvoiceLine, lines_of
from billing.store.plans import CaptureMode
from billing.use_cases.capturing import (
    capturable,
    parcels_as_details,
    parts_of,
    plan_part,
    planned_captures,
    units_left,
)
from billing.use_cases.invoice_scene import close_scene, open_scene
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_follow_up import grow_dispatched
from billing.use_cases.settle_scene import Scene
from billing.use_cases.ship import last_capture, plan_shipment


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What of one invoice was sent, and in which parcels; `where` is how a fault about the invoice names it."""

    invoice_id: UUID
    articles: Sequence[SentArticle]
    parcels: Sequence[Shipment] = ()
    where: str = "invoice_id"


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The operation that takes the money or tells the provider of the parcels; None where neither is needed."""

    invoice_id: UUID
    operation_id: UUID | None
    kind: OperationKind | None


def dispatch(
    database: Database,
    ids: Ids,
    now: datetime,
    dispatches: Sequence[Dispatch],
    record: Record[Sequence[Dispatched]] = nothing,
) -> Sequence[Dispatched]:
    """Record all `dispatches` or none: each captures its articles where they are not captured yet, the first one of an
    invoice with everything that is not sent in parcels.

    Raises `BadRows` naming every invoice, article or number of units that cannot be, and why.
    """
    if len({one.invoice_id for one in dispatches}) != len(dispatches):
        raise Invalid("an invoice stands twice; give all its articles and parcels together", where="dispatches")
    done: list[Dispatched] = []
    faults: list[tuple[str, str]] = []
    with database.tx() as session:
        # In id order, as every writer of several locks them.
        for one in sorted(dispatches, key=lambda one: one.invoice_id):
            try:
                done.append(_one(session, Batch(ids, now), one))
            except BadRows as bad:
                faults += bad.faults
            except BillingError as wrong:
                faults.append((one.where, wrong.message))
        if faults:
            raise BadRows(faults)
        order = [one.invoice_id for one in dispatches]
        done.sort(key=lambda one: order.index(one.invoice_id))
        record(session, done)
    return done


def _one(session: Session, batch: Batch, one: Dispatch) -> Dispatched:
    scene = open_scene(session, batch, one.invoice_id, where=one.where)
    lines = lines_of(session, [scene.invoice.id]).get(scene.invoice.id, [])
    units = _units_of_lines(scene, lines, one.articles)
    details: dict[str, object] = {
        "dispatched": {line_id.hex: count for line_id, count in units.items()},
        "shipments": parcels_as_details(one.parcels),
    }
    done = _carry_out(scene, lines, units, details)
    scene.tell("invoice.dispatched", invoice=scene.invoice.id.hex, parcels=len(one.parcels), units=sum(units.values()))
    close_scene(scene)
    return done


def _units_of_lines(scene: Scene, lines: Sequence[InvoiceLine], articles: Sequence[SentArticle]) -> dict[UUID, int]:
    """Which line the units of each article are of; lines of one article are used up in their order."""
    coming = _dispatches_under_way(scene)
    left = {line.id: line.quantity - line.dispatched_quantity - coming[line.id.hex] for line in lines}
    units: dict[UUID, int] = {}
    faults = []
    for article in articles:
        sold = [i for i in lines if i.article_number == article.article_number and i.recognize == Recognize.DISPATCH]
        possible = sum(max(left[line.id], 0) for line in sold)
        if not sold:
            faults.append((article.where, "no line of the invoice is an article of this number that is sent"))
        elif article.quantity > possible:
            faults.append((article.where, f"{article.quantity} units, of which {possible} are still to be sent"))
        rest = min(article.quantity, possible)
        for line in sold:
            taken = min(rest, max(left[line.id], 0))
            left[line.id], rest = left[line.id] - taken, rest - taken
            if taken:
                units[line.id] = units.get(line.id, 0) + taken
    if faults:
        raise BadRows(faults)
    return units


def _dispatches_under_way(scene: Scene) -> Counter[str]:
    coming: Counter[str] = Counter()
    for operation in scene.siblings:
        if operation.status in (OperationStatus.PLANNED, *MAY_BE_HAPPENING):
            coming.update(operation.details.get("dispatched", {}))
    return coming


def _carry_out(
    scene: Scene, lines: Sequence[InvoiceLine], units: dict[UUID, int], details: dict[str, object]
) -> Dispatched:
    taken = {line.id: line.captured_quantity for line in lines}
    # What was credited or paid otherwise makes the last capture smaller, so that units may be left when all is paid.
    is_paid = scene.invoice.status == InvoiceStatus.PAID
    if not is_paid and any(line.quantity - taken[line.id] and units.get(line.id) for line in lines):
        return _capture(scene, lines, units, details)
    capture = last_capture(scene)
    if capture is not None and details["shipments"]:
        return Dispatched(scene.invoice.id, plan_shipment(scene, capture, details), OperationKind.SHIP)
    grow_dispatched(scene.invoice, lines, {line_id.hex: count for line_id, count in units.items()}, scene.now)
    return Dispatched(scene.invoice.id, None, None)


def _capture(
    scene: Scene, lines: Sequence[InvoiceLine], units: dict[UUID, int], details: dict[str, object]
) -> Dispatched:
    purchase = capturable(scene)
    planned = planned_captures(scene, purchase)
    whole = next((op for op in planned if "lines" not in op.details), None)
    if whole is not None:
        if "dispatched" in whole.details:
            raise Conflict("a dispatch of this invoice waits for its capture already; report the next one after it")
        # It is about to be captured as a whole: the parcels go with that.
        whole.details = {**whole.details, **details}
        return Dispatched(scene.invoice.id, whole.id, OperationKind.CAPTURE)
    if scene.plan.capture == CaptureMode.MANUAL:
        raise Conflict("this plan is captured by hand: capture the invoice first, then report what was sent")
    left = units_left(lines, planned)
    wanted = {line_id: min(count, left[line_id]) for line_id, count in units.items()}
    for line in lines:
        if line.recognize != Recognize.DISPATCH:
            # What is not sent in parcels is taken with the first of them.
            wanted[line.id] = left[line.id]
    parts = parts_of(lines, left, wanted)
    done = plan_part(scene, purchase, planned, parts, trigger=Trigger.FOLLOW_UP, details=details)
    return Dispatched(scene.invoice.id, done.operation_id, OperationKind.CAPTURE)
