"""Capture: a person takes authorized money now, all of it or the price of some units of some lines."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from billing.domain.errors import Conflict, Invalid
from billing.domain.operations import Trigger, planned_capture_at
from billing.ports import Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.invoices import lines_of
from billing.store.operations import Operation
from billing.use_cases.capturing import CapturePlanned, capturable, parts_of, plan_part, planned_captures, units_left
from billing.use_cases.invoice_scene import close_scene, open_scene
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_scene import Scene


def capture(  # the verb's arguments
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    units: Mapping[UUID, int] | None = None,
    record: Record[CapturePlanned] = nothing,
) -> CapturePlanned:
    """Plan the capture of `units` by line id, or (None) of all that is left; never sooner than the provider allows.

    A capture of the whole that was planned for later is brought forward. Raises `NotFound`; `Invalid` for a line that
    is not the invoice's or more units than are left; `Conflict` where nothing is authorized, less is reserved, or a
    call may be under way.
    """
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        purchase = capturable(scene)
        planned = planned_captures(scene, purchase)
        whole = next((op for op in planned if "lines" not in op.details), None)
        if whole is not None:
            done = _bring_forward(scene, purchase, whole, is_part=units is not None)
        else:
            done = _plan(scene, purchase, planned, units)
        close_scene(scene)
        record(session, done)
        return done


def _bring_forward(scene: Scene, purchase: Operation, whole: Operation, *, is_part: bool) -> CapturePlanned:
    if is_part:
        raise Conflict("the whole invoice is about to be captured by itself; a part of it cannot be taken before")
    if whole.due_at is None:
        raise Conflict("the amount of this invoice is being changed at the provider; try again once that is done")
    whole.due_at = min(whole.due_at, planned_capture_at(scene.now, purchase.settled_at or scene.now))
    return CapturePlanned(whole.id, whole.amount, whole.currency, whole.due_at)


def _plan(
    scene: Scene, purchase: Operation, planned: list[Operation], units: Mapping[UUID, int] | None
) -> CapturePlanned:
    lines = lines_of(scene.session, [scene.invoice.id]).get(scene.invoice.id, [])
    left = units_left(lines, planned)
    wanted = dict(left) if units is None else dict(units)
    for line_id, quantity in wanted.items():
        if line_id not in left:
            raise Invalid("the invoice has no such line", where="lines")
        if not 0 <= quantity <= left[line_id]:
            raise Invalid(f"{quantity} units of a line of which {left[line_id]} are left to capture", where="lines")
    return plan_part(scene, purchase, planned, parts_of(lines, left, wanted), trigger=Trigger.ADMIN)
