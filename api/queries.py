"""What stands behind the question mark: parts of lists and filters. Raises `Invalid` naming the parameter."""

import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from billing.domain.errors import Invalid
from billing.domain.ids import Prefix, parse
from billing.store.engine import Database
from billing.use_cases.look_up import Slice

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="How many entries at most.")]
After = Annotated[str | None, QueryParameter(description="The id after which to go on: `next` of the part before.")]
ByReference = Annotated[str | None, QueryParameter(description="Only the one with this reference of yours.")]
Reading = NamedDependency[SkipValidation[Database]]
"""The database, for what is only read."""
Now = NamedDependency[SkipValidation[datetime]]
"""The present instant by the service's clock, UTC."""


def by_id(what: str) -> object:
    """The description of a filter by id."""
    return QueryParameter(description=f"Only those of this {what}, given by its id.")


def by_value(values: type[StrEnum]) -> object:
    """The description of a filter by one of `values`."""
    return QueryParameter(
        description="Only those with this value.", schema_extra={"enum": [value.value for value in values]}
    )


def part_of(prefix: Prefix, limit: int, after: str | None) -> Slice:
    """Which part of a list of things with `prefix` is asked for."""
    return Slice(limit, id_or_none(prefix, after, "after"))


def id_or_none(prefix: Prefix, text: str | None, where: str) -> UUID | None:
    """The id in a filter, None where there is no filter."""
    return None if text is None else parse(prefix, text, where)


def value_or_none(values: type[StrEnum], text: str | None, where: str) -> str | None:
    """The value in a filter, None where there is no filter."""
    if text is not None and text not in set(values):
        raise Invalid(f"possible are {', '.join(values)}", where=where)
    return text


def reference_or_none(text: str | None, where: str = "reference") -> str | None:
    """The reference, or another text, in a filter; None where there is no filter."""
    if text is not None and any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise Invalid("a text without control characters is needed", where=where)
    return text
