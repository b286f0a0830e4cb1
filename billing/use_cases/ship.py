"""Ship: the provider is told of parcels, there and back, after their capture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.domain.errors import Conflict, Invalid
from billing.domain.operations import OperationKind, OperationStatus, Trigger
from billing.ports import Ids, Shipment
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.operations import Operation
from billing.use_cases.capturing import parcels_as_details
from billing.use_cases.invoice_scene import close_scene, open_scene
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_scene import Scene


@dataclass(frozen=True, slots=True)
class ShipmentPlanned:
    """The operation that tells the provider."""

    operation_id: UUID


def ship(  # the verb's arguments
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    parcels: Sequence[Shipment],
    record: Record[ShipmentPlanned] = nothing,
) -> ShipmentPlanned:
    """Add parcels, such as a return label, to the newest capture of an invoice.

    Raises `NotFound`, `Invalid` without a parcel, and `Conflict` where nothing has been captured.
    """
    if not parcels:
        raise Invalid("there is no parcel to tell of", where="parcels")
    with database.tx() as session:
        scene = open_scene(session, Batch(ids, now), invoice_id)
        capture = last_capture(scene)
        if capture is None:
            raise Conflict("nothing of this invoice has been captured yet; parcels are added to a capture")
        done = ShipmentPlanned(plan_shipment(scene, capture, {"shipments": parcels_as_details(parcels)}))
        close_scene(scene)
        record(session, done)
        return done


def last_capture(scene: Scene) -> Operation | None:
    """The newest capture of the invoice that was taken."""
    captures = [op for op in scene.siblings if op.kind == OperationKind.CAPTURE]
    return next((op for op in reversed(captures) if op.status == OperationStatus.SUCCEEDED), None)


def plan_shipment(scene: Scene, capture: Operation, details: Mapping[str, Any]) -> UUID:
    """Plan telling the provider of the parcels in `details`."""
    assert capture.purchase_id is not None, "a capture acts on its purchase"
    return scene.batch.plan(
        OperationKind.SHIP,
        scene.invoice,
        subject=capture.purchase_id,
        n=scene.next_n(OperationKind.SHIP, capture.purchase_id),
        amount=0,
        trigger=Trigger.ADMIN,
        due_at=scene.now,
        purchase=capture.purchase_id,
        capture=capture.id,
        details=details,
    )
