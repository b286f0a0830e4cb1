"""Taking authorized money by a call, and telling the provider of parcels afterwards."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from api.answers import MoneyOut, Out
from api.bodies import SAID, In, LineId, Readable, Whole, described, in_path
from api.errors import problems
from api.idempotency import Write
from billing.domain.ids import Prefix, shown
from billing.ports import Shipment
from billing.use_cases.capture import capture
from billing.use_cases.capturing import CapturePlanned
from billing.use_cases.ship import ShipmentPlanned, ship

Carrier = Annotated[str, Field(min_length=1, max_length=100), Readable]


def _web_address(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise PydanticCustomError(SAID, "a web address is needed, such as https://carrier.example/parcel/1")
    return value


WebAddress = Annotated[str, Field(min_length=1, max_length=1024), Readable, AfterValidator(_web_address)]


class ParcelIn(In):
    """A parcel: who carries it and how it is tracked, there and back."""

    carrier: Carrier | None = None
    tracking_number: Carrier | None = None
    tracking_url: WebAddress | None = None
    return_carrier: Carrier | None = None
    return_tracking_number: Carrier | None = None
    return_tracking_url: WebAddress | None = None


def _says_something(parcels: Sequence[ParcelIn]) -> Sequence[ParcelIn]:
    if any(not any(parcel.model_dump().values()) for parcel in parcels):
        raise PydanticCustomError(SAID, "a parcel names a carrier or how it is tracked")
    return parcels


Parcels = Annotated[tuple[ParcelIn, ...], AfterValidator(_says_something), Field(max_length=500)]


def parcels_in(parcels: Sequence[ParcelIn]) -> list[Shipment]:
    """What the use cases take."""
    return [Shipment(**parcel.model_dump()) for parcel in parcels]


class CaptureLineIn(In):
    """Units of an invoice line to take the money of."""

    line_id: LineId
    quantity: Annotated[Whole, Field(ge=1, le=1_000_000)]


def _each_line_once(lines: Sequence[CaptureLineIn]) -> Sequence[CaptureLineIn]:
    if len({line.line_id for line in lines}) != len(lines):
        raise PydanticCustomError(SAID, "a line stands twice")
    return lines


class CaptureIn(In):
    """What to take: units by line, or (without lines) everything that is left."""

    model_config = described(
        "Capture", {"lines": [{"line_id": "line_00000000000000000000000000000001", "quantity": 1}]}
    )

    lines: (
        Annotated[tuple[CaptureLineIn, ...], AfterValidator(_each_line_once), Field(min_length=1, max_length=1000)]
        | None
    ) = None


class ShipmentIn(In):
    """Parcels of an invoice that was captured."""

    model_config = described(
        "Shipment", {"parcels": [{"return_carrier": "PostNord", "return_tracking_number": "UU123456789SE"}]}
    )

    parcels: Annotated[Parcels, Field(min_length=1)]


class CaptureOut(Out):
    """The operation that takes the money, not before `due_at`."""

    operation_id: str
    amount: MoneyOut
    due_at: datetime


class ShipmentOut(Out):
    """The operation that tells the provider of the parcels.

    Where it takes them with a capture only (`is_told` false) they are kept with the operation and not sent.
    """

    operation_id: str
    is_told: bool


def _capture_out(done: CapturePlanned) -> CaptureOut:
    return CaptureOut(
        operation_id=shown(Prefix.OPERATION, done.operation_id),
        amount=MoneyOut(amount=done.amount, currency=done.currency),
        due_at=done.due_at,
    )


def _shipment_out(done: ShipmentPlanned) -> ShipmentOut:
    return ShipmentOut(operation_id=shown(Prefix.OPERATION, done.operation_id), is_told=done.is_told)


class Captures(Controller):
    path = "/invoices/{invoice_id:str}"
    tags = ("Invoices",)

    @post("/capture", status_code=202, sync_to_thread=True, responses=problems(404, 409, 413))
    def capture_invoice(
        self, invoice_id: FromPath[str], data: JSONBody[CaptureIn], write: Write
    ) -> Response[CaptureOut]:
        """Take authorized money.

        All that is left, or units of lines; what stays is still reserved and can be taken later. The provider takes
        nothing in the first 30 minutes after the purchase: `due_at` says when it is sent.
        """
        taken = in_path(Prefix.INVOICE, invoice_id)
        units = None if data.lines is None else {line.line_id: line.quantity for line in data.lines}
        return write.answer(
            202,
            lambda record: capture(write.wiring.database, write.wiring.ids, write.now, taken, units, record),
            lambda _, done: _capture_out(done),
        )

    @post("/shipments", status_code=202, sync_to_thread=True, responses=problems(404, 409, 413))
    def add_shipment(
        self, invoice_id: FromPath[str], data: JSONBody[ShipmentIn], write: Write
    ) -> Response[ShipmentOut]:
        """Add parcels to what was captured last, such as a return label."""
        sent, parcels = in_path(Prefix.INVOICE, invoice_id), parcels_in(data.parcels)
        return write.answer(
            202,
            lambda record: ship(write.wiring.database, write.wiring.ids, write.now, sent, parcels, record),
            lambda _, done: _shipment_out(done),
        )
