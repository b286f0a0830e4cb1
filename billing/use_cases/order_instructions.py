"""What an operator changes about an order at the provider while nothing is captured: its number, where it goes."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.domain.errors import Conflict, Invalid
from billing.domain.operations import Authorization, OperationKind, OrderChange
from billing.ports import Address, Ids
from billing.store.batch import Batch
from billing.store.engine import Database
from billing.use_cases.instructing import (
    Instructed,
    Instruction,
    check_not_asked_already,
    planned,
    standing_authorization,
)
from billing.use_cases.invoice_scene import close_scene, open_scene
from billing.use_cases.lowering import ADDRESS, CHANGES, ORDER_NUMBER
from billing.use_cases.recording import Record, nothing
from billing.use_cases.settle_scene import Scene

NUMBER_MAX = 255


def renumber_order(
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    order_number: str,
    instruction: Instruction,
    record: Record[Instructed] = nothing,
) -> Instructed:
    """Have the provider show the customer another order number (at most 255 characters of ISO-8859-1, as the older
    generation digests it). Later calls about this order carry it too.

    Raises `NotFound`, `Invalid`, `Conflict` where nothing is authorized or something is captured, `OutcomeUnknown`.
    """
    if not 1 <= len(order_number) <= NUMBER_MAX or any(ord(one) > 0xFF for one in order_number):
        raise Invalid(f"1 to {NUMBER_MAX} characters inside ISO-8859-1 are possible", where="order_number")
    details = {CHANGES: OrderChange.ORDER_NUMBER.value, ORDER_NUMBER: order_number}
    return _changed(database, Batch(ids, now), invoice_id, details, instruction, record)


def readdress_order(
    database: Database,
    ids: Ids,
    now: datetime,
    invoice_id: UUID,
    address: Address,
    instruction: Instruction,
    record: Record[Instructed] = nothing,
) -> Instructed:
    """Have the provider deliver to another address. It is kept until the provider has answered, and no longer.

    Raises `NotFound`, `Invalid` without street or country, `Conflict` where nothing is authorized or something is
    captured, `OutcomeUnknown`.
    """
    for name in ("street_address", "country"):
        if not getattr(address, name):
            raise Invalid("this is needed in an address", where=f"address.{name}")
    details = {CHANGES: OrderChange.ADDRESS.value, ADDRESS: asdict(address)}
    return _changed(database, Batch(ids, now), invoice_id, details, instruction, record)


def _changed(
    database: Database,
    batch: Batch,
    invoice_id: UUID,
    details: Mapping[str, Any],
    instruction: Instruction,
    record: Record[Instructed],
) -> Instructed:
    with database.tx() as session:
        scene = open_scene(session, batch, invoice_id)
        done = _planned(scene, details, instruction)
        close_scene(scene)
        record(session, done)
        return done


def _planned(scene: Scene, details: Mapping[str, Any], instruction: Instruction) -> Instructed:
    purchase = standing_authorization(scene)
    if purchase.authorization != Authorization.AUTHORIZED:
        raise Conflict(
            f"the authorization is {purchase.authorization}; an order is changed while it is authorized and nothing of"
            " it is captured"
        )
    check_not_asked_already(scene, OperationKind.AMEND, purchase)
    return planned(scene, OperationKind.AMEND, purchase, instruction, details=details)
