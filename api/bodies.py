"""What comes in: JSON read strictly, models that refuse every field they do not know, and sentences for what is wrong.

Owns the kinds of field that bodies share (amounts, ids, instants, texts). A sentence names the field and what is
possible there, never the value that was sent: it may be a token.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request
from litestar.plugins.pydantic import PydanticInitPlugin
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from api.errors import Fault, Refused
from billing.domain.errors import Invalid, NotFound
from billing.domain.ids import Prefix, parse
from billing.domain.money import EXPONENTS
from billing.domain.pricing import PROVIDER_AMOUNT_MAX

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
"""Instants that a calendar with zones can still count from, both ways."""

SAID = "said"
_NAME = re.compile(r"[a-z_]{1,32}")
_DIGITS_MAX = 40
_SENTENCES = {
    "missing": "this field is needed",
    "extra_forbidden": "there is no such field",
    "string_type": "a text is needed",
    "string_too_short": "at least {min_length} characters are needed",
    "string_too_long": "at most {max_length} characters are possible",
    "greater_than_equal": "at least {ge} is needed",
    "less_than_equal": "at most {le} is possible",
    "enum": "possible are {expected}",
    "bool_type": "true or false is needed",
    "list_type": "a list is needed",
    "tuple_type": "a list is needed",
    "too_short": "at least {min_length} entries are needed",
    "too_long": "at most {max_length} entries are possible",
    "model_type": "a JSON object is needed",
    "model_attributes_type": "a JSON object is needed",
}


class In(BaseModel):
    """A body, or an object inside one; it takes its fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def described(title: str, example: Any) -> ConfigDict:
    """The model configuration of a whole body: its title and one example in the OpenAPI."""
    return ConfigDict(title=title, json_schema_extra={"example": example})


def whole(value: object) -> object:
    """Only what JSON wrote as an integer. Raises in pydantic's way for 1.0, 1e3, "12" and true."""
    if type(value) is int:
        return value
    kinds = {float: "a number with a point or an exponent", str: "a text", bool: "true or false"}
    kind = kinds.get(type(value), "something else")
    raise PydanticCustomError(SAID, f"a whole number is needed, written without point, exponent or quotes, not {kind}")


Whole = Annotated[int, BeforeValidator(whole)]

MinorUnits = Annotated[
    int,
    BeforeValidator(whole),
    Field(ge=0, le=PROVIDER_AMOUNT_MAX, description="Minor units of the currency: 2990 is 29.90 EUR and 2990 JPY."),
]


def _currency(value: str) -> str:
    if value not in EXPONENTS:
        raise PydanticCustomError(SAID, "a currency code of ISO 4217 in upper case is needed, such as EUR")
    return value


Currency = Annotated[
    str,
    AfterValidator(_currency),
    Field(description="ISO 4217, upper case.", json_schema_extra={"pattern": "^[A-Z]{3}$", "examples": ["EUR"]}),
]


class MoneyIn(In):
    """An amount in minor units with its currency."""

    amount: MinorUnits
    currency: Currency


def _readable(value: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise PydanticCustomError(SAID, "a text without control characters is needed")
    if not value.strip():
        raise PydanticCustomError(SAID, "a text with more than blanks is needed")
    return value


Readable = AfterValidator(_readable)
Reference = Annotated[str, Field(min_length=1, max_length=200, description="Your own name for it; unique."), Readable]
Text = Annotated[str, Field(min_length=1, max_length=255), Readable]
Note = Annotated[str, Field(min_length=1, max_length=500), Readable]


def _instant(value: object) -> datetime:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise PydanticCustomError(SAID, "an instant is needed, such as 2028-01-31T00:00:00Z")
    if instant.tzinfo is None:
        raise PydanticCustomError(SAID, "an instant needs its zone, such as 2028-01-31T00:00:00Z")
    if not EARLIEST <= instant < LATEST:
        raise PydanticCustomError(SAID, "an instant between the years 2000 and 2999 is needed")
    return instant.astimezone(UTC)


Instant = Annotated[
    datetime, BeforeValidator(_instant), Field(json_schema_extra={"examples": ["2028-01-31T00:00:00Z"]})
]


def _id(prefix: Prefix) -> Any:
    """The kind of field that holds a public id; inside it is the UUID."""

    def parsed(value: object) -> UUID:
        try:
            return parse(prefix, value if isinstance(value, str) else "")
        except Invalid:
            raise PydanticCustomError(SAID, f"an id of the form {prefix}_ and 32 hex digits is needed") from None

    shape: dict[str, Any] = {
        "format": None,
        "pattern": f"^{prefix}_[0-9a-f]{{32}}$",
        "examples": [f"{prefix}_{'0' * 31}1"],
    }
    return (BeforeValidator(parsed), Field(json_schema_extra=shape))


CustomerId = Annotated[UUID, *_id(Prefix.CUSTOMER)]
PlanId = Annotated[UUID, *_id(Prefix.PLAN)]
PriceId = Annotated[UUID, *_id(Prefix.PRICE)]
TokenId = Annotated[UUID, *_id(Prefix.TOKEN)]
InvoiceId = Annotated[UUID, *_id(Prefix.INVOICE)]
LineId = Annotated[UUID, *_id(Prefix.LINE)]
OperationId = Annotated[UUID, *_id(Prefix.OPERATION)]
RecordId = Annotated[UUID, *_id(Prefix.RESTORED_RECORD)]


def in_path(prefix: Prefix, text: str) -> UUID:
    """The id in an address. Raises `NotFound` for one that no id of this kind looks like."""
    try:
        return parse(prefix, text)
    except Invalid:
        raise NotFound(f"there is nothing here; an id of this kind is {prefix}_ and 32 hex digits") from None


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON is what RFC 8259 says it is, each field of an object once."""

    async def json(self) -> Any:
        """The body. Raises `Refused` 400 for what is not JSON, without repeating any of it."""
        return read_json(await self.body())


def read_json(body: bytes) -> Any:
    """`body` as JSON text in UTF-8. Raises `Refused` 400."""
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_each_field_once, parse_constant=_no_constant, parse_int=_bounded
        )
    except UnicodeDecodeError:
        raise _unparsable("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _unparsable(f"the body is not JSON: line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _unparsable("the body is nested too deeply") from None


def _each_field_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers of one text could take two different amounts from it.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _unparsable("a field stands twice in one object")
    return found


def _no_constant(_: str) -> Any:
    raise _unparsable("NaN and Infinity are not JSON")


def _bounded(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise _unparsable(f"a whole number has more than {_DIGITS_MAX} digits")
    return int(digits)


def _unparsable(detail: str) -> Refused:
    return Refused(400, "bad_request", detail)


class BodyPlugin(PydanticInitPlugin):
    """Validates our models as they are declared and lists every fault in our words."""

    @classmethod
    def decoders(
        cls,
        validate_strict: bool = False,  # noqa: ARG003  (the interface; fields say themselves how strict they are)
    ) -> list[tuple[Callable[[Any], bool], Callable[[Any, Any], Any]]]:
        return [(_is_body, _decoded)]


def _is_body(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, In)


def _decoded(model: type[In], value: Any) -> In:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = [_fault(detail) for detail in error.errors(include_url=False, include_input=False)]
        raise Refused(422, "invalid", f"the body has {_counted(len(faults))}", faults) from None


def _counted(faults: int) -> str:
    return "a fault" if faults == 1 else f"{faults} faults"


def _fault(detail: ErrorDetails) -> Fault:
    if detail["type"] == SAID:
        return Fault(where=_where(detail["loc"]), message=detail["msg"])
    sentence = _SENTENCES.get(detail["type"], "this is not possible here")
    return Fault(where=_where(detail["loc"]), message=sentence.format(**detail.get("ctx", {})))


def _where(loc: Sequence[int | str]) -> str:
    # A name that is no name of a field may be a value in the wrong place.
    parts = [f"[{part}]" if isinstance(part, int) else f".{part if _NAME.fullmatch(part) else '?'}" for part in loc]
    return "".join(parts).removeprefix(".")
