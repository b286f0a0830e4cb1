"""What goes out: models with explicit fields, amounts as objects, ids with their prefix. No row leaves as it is."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from billing.domain.ids import Prefix, shown
from billing.use_cases.look_up import Page

Row = TypeVar("Row")
Shown = TypeVar("Shown", bound=BaseModel)


class Out(BaseModel):
    """An answer, or an object inside one."""

    model_config = ConfigDict(frozen=True)


class MoneyOut(Out):
    """An amount in minor units with its currency."""

    amount: int
    currency: str


class ListOut(Out):
    """A part of a list, in the order of ids; every list adds its `data`."""

    next: str | None = Field(description="Ask with this as `after` for what follows; null at the end.")


def shown_or_none(prefix: Prefix, id_: UUID | None) -> str | None:
    """The public form of an id, where there is one."""
    return None if id_ is None else shown(prefix, id_)


def document_number(series_id: str | None, number: int | None) -> str | None:
    """The number of an invoice or credit note as it is printed: `invoice-000017`."""
    return None if series_id is None or number is None else f"{series_id}-{number:06d}"


def rendered(model: Out) -> bytes:
    """The bytes of an answer, the same for the first and for every repeat."""
    return model.model_dump_json().encode()


def listed(prefix: Prefix, page: Page[Row], show: Callable[[Row], Shown]) -> tuple[list[Shown], str | None]:
    """The entries of a page and its `next`."""
    return [show(row) for row in page.rows], shown_or_none(prefix, page.next)
