"""Ship: the provider is told of parcels, there and back, after their capture; where it has no call for that, they are
kept here alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.domain.errors import Conflict, Invalid
from billing.domain.operations import WITHOUT_A_KEY, OperationKind, OperationStatus, Trigger
from billing.ports import Ids, Shipment
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.store.operations import Operation
from billing.use_cases.capturing import parcels_as_details
from billing.use_cases.invoice_scene import close_scene, open_scene
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_follow_up import parcels_known
from billing.use_cases.settle_scene import Scene


@dataclass(frozen=True, slots=True)
class ShipmentPlanned:
    """The operation that tells the provider, or (not `is_told`) that only keeps the parcels."""

    operation_id: UUID
    is_told: bool = True


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
        operation_id = plan_shipment(scene, capture, {"shipments": parcels_as_details(parcels)})
        done = ShipmentPlanned(operation_id, scene.generation != WITHOUT_A_KEY)
        close_scene(scene)
        record(session, done)
        return done


def last_capture(scene: Scene) -> Operation | None:
    """The newest capture of the invoice that was taken."""
    captures = [op for op in scene.siblings if op.kind == OperationKind.CAPTURE]
    return next((op for op in reversed(captures) if op.status == OperationStatus.SUCCEEDED), None)


def plan_shipment(scene: Scene, capture: Operation, details: Mapping[str, Any]) -> UUID:
    """Plan telling the provider of the parcels in `details`; one that takes them with a capture only is not told."""
    if scene.generation == WITHOUT_A_KEY:
        return _kept(scene, capture, details)
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


def _kept(scene: Scene, capture: Operation, details: Mapping[str, Any]) -> UUID:
    """A row that is over with its plan: nothing is sent, and whoever asks sees what was in the parcels."""
    assert capture.purchase_id is not None, "a capture acts on its purchase"
    row = Operation(
        id=scene.batch.ids.new(),
        kind=OperationKind.SHIP.value,
        subject=capture.purchase_id,
        n=scene.next_n(OperationKind.SHIP, capture.purchase_id),
        invoice_id=scene.invoice.id,
        subscription_id=scene.invoice.subscription_id,
        provider_account=scene.invoice.provider_account,
        purchase_id=capture.purchase_id,
        capture_id=capture.id,
        details=dict(details),
        amount=0,
        currency=scene.invoice.currency,
        trigger=Trigger.ADMIN.value,
        status=OperationStatus.DROPPED.value,
        answer_code="kept_here",
        answer_message="this provider takes parcels with a capture only; they are kept here and were not sent",
        settled_at=scene.now,
        created_at=scene.now,
    )
    scene.session.add(row)
    parcels_known(scene, row)
    return row.id
