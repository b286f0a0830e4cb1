"""Customers: who pays, and the zone that rules their calendar."""

from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from api.answers import ListOut, Out, listed
from api.bodies import SAID, In, Readable, Reference, Text, described, in_path
from api.errors import problems
from api.idempotency import Write
from api.queries import After, ByReference, Limit, Reading, part_of, reference_or_none
from billing.domain.ids import Prefix, shown
from billing.store.customers import Customer
from billing.use_cases import look_up
from billing.use_cases.catalogue import NewCustomer, create_customer


def _mailbox(value: str) -> str:
    # Only what is surely wrong: whether a mailbox exists is known to its own server alone.
    local, at, domain = value.rpartition("@")
    if not (local and at and domain) or " " in value:
        raise PydanticCustomError(SAID, "a mail address is needed, such as ada@example.com")
    return value


_EXAMPLE = {
    "reference": "customer-17",
    "name": "Ada Example",
    "email": "ada@example.com",
    "country": "SE",
    "zone": "Europe/Stockholm",
    "locale": "sv-SE",
}

Email = Annotated[str, Field(max_length=254), Readable, AfterValidator(_mailbox)]


class CustomerIn(In):
    """A customer."""

    model_config = described("New customer", _EXAMPLE)

    reference: Reference
    name: Text
    email: Email | None = None
    country: Annotated[str, Field(min_length=2, max_length=2, description="ISO 3166, such as SE."), Readable]
    zone: Annotated[str, Field(max_length=64, description="IANA time zone, such as Europe/Stockholm."), Readable]
    locale: Annotated[str, Field(min_length=2, max_length=16, description="Such as sv-SE."), Readable]
    vat_id: Annotated[
        str | None,
        Field(max_length=40, description="Of an EU member state; its check digits are checked, VAT is then reversed."),
    ] = None


class CustomerOut(Out):
    """A customer."""

    id: str
    reference: str
    name: str
    email: str | None
    country: str
    zone: str
    locale: str
    vat_id: str | None
    created_at: datetime


class CustomerList(ListOut):
    """Customers."""

    data: list[CustomerOut]


def customer_out(row: Customer) -> CustomerOut:
    return CustomerOut(
        id=shown(Prefix.CUSTOMER, row.id),
        reference=row.reference,
        name=row.name,
        email=row.email,
        country=row.country,
        zone=row.zone,
        locale=row.locale,
        vat_id=row.vat_id,
        created_at=row.created_at,
    )


class Customers(Controller):
    path = "/customers"
    tags = ("Customers",)

    @post(sync_to_thread=True, responses=problems(409, 413))
    def create_customer(self, data: JSONBody[CustomerIn], write: Write) -> Response[CustomerOut]:
        """Make a customer."""
        new = NewCustomer(data.reference, data.name, data.email, data.country, data.zone, data.locale, data.vat_id)
        return write.answer(
            201,
            lambda record: create_customer(write.wiring.database, write.wiring.ids, write.now, new, record),
            lambda _, customer: customer_out(customer),
        )

    @get(sync_to_thread=True, responses=problems())
    def list_customers(
        self, database: Reading, limit: Limit = 50, after: After = None, reference: ByReference = None
    ) -> CustomerList:
        """List customers."""
        part = part_of(Prefix.CUSTOMER, limit, after)
        page = look_up.customers(database, part, reference=reference_or_none(reference))
        data, following = listed(Prefix.CUSTOMER, page, customer_out)
        return CustomerList(data=data, next=following)

    @get("/{customer_id:str}", sync_to_thread=True, responses=problems(404))
    def get_customer(self, database: Reading, customer_id: FromPath[str]) -> CustomerOut:
        """Get a customer."""
        return customer_out(look_up.customer(database, in_path(Prefix.CUSTOMER, customer_id)))
