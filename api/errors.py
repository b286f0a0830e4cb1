"""What is answered when something is wrong: the one table from error to status, and problem documents (RFC 9457).

Nothing here repeats a value that was sent: not in an answer, not in a log.
"""

import json
import logging
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap
from pydantic import BaseModel, Field

from billing.domain.errors import (
    BadRows,
    BillingError,
    Conflict,
    ContradictsProvider,
    Invalid,
    NotFound,
    NotReady,
    VaultError,
)

logger = logging.getLogger(__name__)

STATUSES: Mapping[type[BillingError], int] = {
    NotFound: 404,
    Invalid: 422,
    Conflict: 409,
    VaultError: 500,
    NotReady: 503,
}
"""The numbers of each branch of the error tree; a class without a row has that of its nearest parent."""

PROBLEM = "application/problem+json"

_ADDRESSES = {
    400: ("bad_request", "the request cannot be read"),
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not take this method; see the Allow header"),
    413: ("too_large", "a body has at most 1 MiB"),
}


class Fault(BaseModel):
    """One thing that is wrong with a body or a query."""

    where: str = Field(description="The field, such as `items[0].unit_amount.amount`; empty for the whole body.")
    message: str


class Problem(BaseModel):
    """What went wrong. `code` is stable and for machines, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[Fault] | None = None
    ours: dict[str, str | int | None] | None = Field(
        default=None, description="What this service holds, where a decision contradicts the provider's record."
    )
    provider: dict[str, str | int | None] | None = Field(default=None, description="What the provider's record says.")


class Refused(Exception):
    """A request refused at the border, before any use case saw it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status, self.code, self.detail = status, code, detail
        self.faults, self.headers = faults, headers
        super().__init__(detail)


def status_of(error: BillingError) -> int:
    """The HTTP status of an error of ours."""
    return next(STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES)


def problem(
    status: int, code: str, detail: str, faults: Sequence[Fault] = (), sides: Mapping[str, Any] | None = None
) -> bytes:
    """A problem document; `sides` are ours and the provider's, where they contradict each other."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if faults:
        document["errors"] = [fault.model_dump() for fault in faults]
    document.update(sides or {})
    return json.dumps(document, ensure_ascii=False).encode()


def refusal(error: BillingError) -> tuple[int, bytes]:
    """Status and problem document of an error of ours."""
    faults = [Fault(where=error.where, message=error.message)] if error.where else []
    if isinstance(error, BadRows):
        faults = [Fault(where=where, message=message) for where, message in error.faults]
    sides = {"ours": error.ours, "provider": error.provider} if isinstance(error, ContradictsProvider) else None
    return status_of(error), problem(status_of(error), error.code, error.message, faults, sides)


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """What an operation may answer besides success, for the OpenAPI; every one may answer 400, 401, 403 and 422."""
    return {status: _declared(status) for status in sorted({400, 401, 403, 422, *statuses})}


def handlers() -> ExceptionHandlersMap:
    """Who answers for which exception."""
    return {
        BillingError: _billing_error,
        Refused: _refused,
        ValidationException: _wrong_parameters,
        HTTPException: _framework_error,
        Exception: _unexpected,
    }


Asking = Request[Any, Any, Any]


def _declared(status: int) -> ResponseSpec:
    phrase = HTTPStatus(status).phrase
    return ResponseSpec(Problem, description=phrase, media_type=PROBLEM, generate_examples=False)


def _billing_error(_: Asking, error: BillingError) -> Response[bytes]:
    status, body = refusal(error)
    if status >= 500:
        _log(error)
    return Response(body, status_code=status, media_type=PROBLEM)


def _refused(_: Asking, refused: Refused) -> Response[bytes]:
    body = problem(refused.status, refused.code, refused.detail, refused.faults)
    return Response(body, status_code=refused.status, media_type=PROBLEM, headers=dict(refused.headers or {}))


def _wrong_parameters(_: Asking, error: ValidationException) -> Response[bytes]:
    """A query or header that the framework refused; its own words would repeat what was sent."""
    listed = error.extra if isinstance(error.extra, list) else []
    if any(isinstance(entry, dict) and entry.get("key") == "data" for entry in listed):
        # The framework looks for a body before ours is asked to read it: what it misses is an empty one.
        body = problem(400, "bad_request", "the body is empty, and a JSON object is needed")
        return Response(body, status_code=400, media_type=PROBLEM)
    faults = [_parameter_fault(str(entry.get("key", ""))) for entry in listed if isinstance(entry, dict)]
    body = problem(422, "invalid", "the request has faults", faults)
    return Response(body, status_code=422, media_type=PROBLEM)


def _parameter_fault(key: str) -> Fault:
    if key == "limit":
        return Fault(where="limit", message="a whole number from 1 to 200 is needed")
    return Fault(where=key, message="this is not a possible value")


def _framework_error(_: Asking, error: HTTPException) -> Response[bytes]:
    code, detail = _ADDRESSES.get(error.status_code, ("refused", "the request was refused"))
    if error.status_code >= 500:
        _log(error)
        code, detail = "internal", "something went wrong here; the log says where"
    body = problem(error.status_code, code, detail)
    return Response(body, status_code=error.status_code, media_type=PROBLEM, headers=error.headers)


def _unexpected(_: Asking, error: Exception) -> Response[bytes]:
    _log(error)
    body = problem(500, "internal", "something went wrong here; the log says where")
    return Response(body, status_code=500, media_type=PROBLEM)


def _log(error: BaseException) -> None:
    """Types and places only: the text of an exception and the variables of a frame may hold what must not be kept."""
    told: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(told) < 5:
        frames = traceback.extract_tb(seen.__traceback__)
        places = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
        told.append(f"{type(seen).__qualname__} at {places}")
        seen = seen.__cause__ or seen.__context__
    logger.error("unexpected error: %s", "; from ".join(told))
