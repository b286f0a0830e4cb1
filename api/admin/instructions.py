"""What an operator asks of the provider about one invoice: to email or post it, to change its order, to extend or give
back its authorization. Each answers with the operation that carries it out.
"""

from typing import Annotated

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from api.answers import Out
from api.bodies import SAID, In, Note, OperationId, Readable, Whole, described, in_path
from api.errors import problems
from api.idempotency import Write
from billing.domain.ids import Prefix, shown
from billing.domain.operations import OperationKind
from billing.ports import Address
from billing.use_cases.authorization_instructions import (
    AfterVoid,
    extend_authorization,
    release_authorization,
    void_authorization,
)
from billing.use_cases.instructing import Instructed, Instruction
from billing.use_cases.invoice_instructions import DUE_DAYS_MAX, email_invoice, move_due_date, post_invoice
from billing.use_cases.order_instructions import NUMBER_MAX, readdress_order, renumber_order


class WhyIn(In):
    """Why it is asked; kept with the operation."""

    model_config = described("Why", {"reason": "asked by phone"})

    reason: Note


class AboutCaptureIn(WhyIn):
    """About the invoice of the newest capture, or of the one named."""

    model_config = described("About a capture", {"reason": "lost in the mail"})

    capture_id: OperationId | None = None


class PostIn(AboutCaptureIn):
    """A letter, which the provider charges for; `again` for another one."""

    model_config = described("Post an invoice", {"reason": "the customer has no computer"})

    again: bool = False


class DueDateIn(AboutCaptureIn):
    """By how many days the customer may pay later."""

    model_config = described("Move a due date", {"days": 14, "reason": "in hospital"})

    days: Annotated[Whole, Field(ge=1, le=DUE_DAYS_MAX)]


class OrderNumberIn(WhyIn):
    """The number that the customer sees."""

    model_config = described("Order number", {"order_number": "SHOP-2028-17", "reason": "the shop's own number"})

    order_number: Annotated[str, Field(min_length=1, max_length=NUMBER_MAX), Readable]


Part = Annotated[str, Field(min_length=1, max_length=99), Readable]


def _country(value: str) -> str:
    if not (len(value) == 2 and value.isascii() and value.isalpha() and value.isupper()):
        raise PydanticCustomError(SAID, "a country code of two capital letters is needed, such as SE")
    return value


class AddressIn(In):
    """Where an order is delivered."""

    given_name: Part
    family_name: Part
    street_address: Part
    postal_code: Annotated[str, Field(min_length=1, max_length=10), Readable]
    city: Part
    country: Annotated[str, AfterValidator(_country), Field(json_schema_extra={"pattern": "^[A-Z]{2}$"})]
    street_address2: Part | None = None
    region: Part | None = None
    phone: Annotated[str, Field(min_length=5, max_length=99), Readable] | None = None
    email: Part | None = None


class ReaddressIn(WhyIn):
    """The new address; it is kept until the provider has answered."""

    model_config = described(
        "Address",
        {
            "address": {
                "given_name": "Ada",
                "family_name": "Example",
                "street_address": "Storgatan 1",
                "postal_code": "12345",
                "city": "Ankeborg",
                "country": "SE",
            },
            "reason": "moved",
        },
    )

    address: AddressIn

    def new(self) -> Address:
        """What the use case takes."""
        return Address(**{name: value for name, value in self.address.model_dump().items() if value is not None})


class VoidIn(WhyIn):
    """What follows where the invoice is open: its customer is charged again, or a person decides."""

    model_config = described("Give an authorization back", {"then": "charge_again", "reason": "the wrong token"})

    then: AfterVoid | None = None


class InstructedOut(Out):
    """The operation that carries it out."""

    operation_id: str
    kind: OperationKind


def _out(done: Instructed) -> InstructedOut:
    return InstructedOut(operation_id=shown(Prefix.OPERATION, done.operation_id), kind=done.kind)


def _why(write: Write, data: WhyIn) -> Instruction:
    return Instruction(write.holder.name, data.reason)


class Instructions(Controller):
    path = "/invoices/{invoice_id:str}"

    @post("/email", status_code=202, sync_to_thread=True, responses=problems(404, 409, 413))
    def email_invoice(
        self, invoice_id: FromPath[str], data: JSONBody[AboutCaptureIn], write: Write
    ) -> Response[InstructedOut]:
        """Have the provider email an invoice once more."""
        id_, here = in_path(Prefix.INVOICE, invoice_id), (write.wiring.database, write.wiring.ids, write.now)
        return write.answer(
            202,
            lambda record: email_invoice(*here, id_, _why(write, data), data.capture_id, record),
            lambda _, done: _out(done),
        )

    @post("/post", status_code=202, sync_to_thread=True, responses=problems(404, 409, 413))
    def post_invoice(self, invoice_id: FromPath[str], data: JSONBody[PostIn], write: Write) -> Response[InstructedOut]:
        """Have the provider post an invoice on paper.

        Only the older generation does, and charges for it; it is never sent twice by itself.
        """
        id_, here = in_path(Prefix.INVOICE, invoice_id), (write.wiring.database, write.wiring.ids, write.now)
        return write.answer(
            202,
            lambda record: post_invoice(
                *here, id_, _why(write, data), data.capture_id, again=data.again, record=record
            ),
            lambda _, done: _out(done),
        )

    @post("/due-date", status_code=202, sync_to_thread=True, responses=problems(404, 409, 413))
    def move_due_date(
        self, invoice_id: FromPath[str], data: JSONBody[DueDateIn], write: Write
    ) -> Response[InstructedOut]:
        """Let the customer pay the provider later.

        It costs a fee, and is done once a capture.
        """
        id_, here = in_path(Prefix.INVOICE, invoice_id), (write.wiring.database, write.wiring.ids, write.now)
        return write.answer(
            202,
            lambda record: move_due_date(*here, id_, data.days, _why(write, data), data.capture_id, record),
            lambda _, done: _out(done),
        )

    @post("/order-number", status_code=202, sync_to_thread=True, responses=problems(404, 409, 413))
    def renumber_order(
        self, invoice_id: FromPath[str], data: JSONBody[OrderNumberIn], write: Write
    ) -> Response[InstructedOut]:
        """Show the customer another order number.

        Possible while the invoice is authorized and nothing of it is captured.
        """
        id_, here = in_path(Prefix.INVOICE, invoice_id), (write.wiring.database, write.wiring.ids, write.now)
        return write.answer(
            202,
            lambda record: renumber_order(*here, id_, data.order_number, _why(write, data), record),
            lambda _, done: _out(done),
        )

    @post("/address", status_code=202, sync_to_thread=True, responses=problems(404, 409, 413))
    def readdress_order(
        self, invoice_id: FromPath[str], data: JSONBody[ReaddressIn], write: Write
    ) -> Response[InstructedOut]:
        """Deliver to another address.

        Possible while the invoice is authorized and nothing of it is captured.
        """
        id_, here = in_path(Prefix.INVOICE, invoice_id), (write.wiring.database, write.wiring.ids, write.now)
        return write.answer(
            202,
            lambda record: readdress_order(*here, id_, data.new(), _why(write, data), record),
            lambda _, done: _out(done),
        )

    @post("/authorization/extend", status_code=202, sync_to_thread=True, responses=problems(404, 409, 413))
    def extend_authorization(
        self, invoice_id: FromPath[str], data: JSONBody[WhyIn], write: Write
    ) -> Response[InstructedOut]:
        """Ask for a later end of an authorization.

        The older generation brings an expired one back, after a new assessment of the customer.
        """
        id_, here = in_path(Prefix.INVOICE, invoice_id), (write.wiring.database, write.wiring.ids, write.now)
        return write.answer(
            202,
            lambda record: extend_authorization(*here, id_, _why(write, data), record),
            lambda _, done: _out(done),
        )

    @post("/authorization/void", status_code=202, sync_to_thread=True, responses=problems(404, 409, 413))
    def void_authorization(
        self, invoice_id: FromPath[str], data: JSONBody[VoidIn], write: Write
    ) -> Response[InstructedOut]:
        """Give an authorization back of which nothing is captured.

        The invoice stays as it is; of an open one `then` says what follows.
        """
        id_, here = in_path(Prefix.INVOICE, invoice_id), (write.wiring.database, write.wiring.ids, write.now)
        return write.answer(
            202,
            lambda record: void_authorization(*here, id_, data.then, _why(write, data), record),
            lambda _, done: _out(done),
        )

    @post("/authorization/release", status_code=202, sync_to_thread=True, responses=problems(404, 409, 413))
    def release_authorization(
        self, invoice_id: FromPath[str], data: JSONBody[WhyIn], write: Write
    ) -> Response[InstructedOut]:
        """Give back what is left of an authorization after a capture.

        What is still owed of the rest is credited first: that releases it by itself.
        """
        id_, here = in_path(Prefix.INVOICE, invoice_id), (write.wiring.database, write.wiring.ids, write.now)
        return write.answer(
            202,
            lambda record: release_authorization(*here, id_, _why(write, data), record),
            lambda _, done: _out(done),
        )
