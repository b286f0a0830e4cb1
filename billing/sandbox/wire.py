"""What comes in and what goes out: one call, one answer, one refusal, and Klarna's error envelope.

Knows JSON and HTTP statuses; knows neither the ledger nor the server.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

JSON_TYPE = {"Content-Type": "application/json"}


class Refusal(Exception):
    """The call is answered with an HTTP error and a code of Klarna's tables."""

    def __init__(
        self, status: int, error_code: str | None, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message
        self.headers = dict(headers or {})


class XmlRpcFault(Refusal):
    """The call is answered, with HTTP 200, by a fault of the older generation's table."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(200, str(code), message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Fault:
    """How one call is spoilt; beside the name stands what only some faults need.

    `status` and `error_code` belong to a refusal or a canned answer; `seconds` to a delay, a drip and a window in
    which nothing is found; `size` counts bytes.
    """

    name: str
    status: int | None = None
    error_code: str | None = None
    seconds: float | None = None
    size: int | None = None
    content: bytes | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Withheld(Exception):
    """A fault comes before the effect: nothing is executed, and the answer is spoilt as `fault` says."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.name)
        self.fault = fault


@dataclass(frozen=True)
class Call:
    """One request, authenticated and routed. `ids` are the variable parts of the path, in order.

    An XML-RPC call has its method as the last part of its path, its parameters as `parameters`, and the references
    found among them as `named`, since its body is not JSON.
    """

    method: str
    path: str
    host: str
    key: str | None
    raw: bytes
    correlation_id: str
    ids: tuple[str, ...] = ()
    scripted: Fault | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""
    accept: str = ""
    parameters: tuple[Any, ...] = ()
    named: tuple[str, ...] = ()

    @cached_property
    def body(self) -> dict[str, Any]:
        """The JSON object of the request; an empty body reads as an empty object.

        Raises Refusal 400 BAD_REQUEST for anything that is not one JSON object in UTF-8.
        """
        if not self.raw.strip():
            return {}
        try:
            parsed = json.loads(self.raw.decode("utf-8"), parse_constant=_refuse_constant)
            if b"\\u" in self.raw:
                json.dumps(parsed, ensure_ascii=False).encode("utf-8")  # an unpaired surrogate is no text
        except (ValueError, RecursionError):
            raise Refusal(400, "BAD_REQUEST", "The body is not valid JSON in UTF-8.") from None
        if not isinstance(parsed, dict):
            raise Refusal(400, "BAD_REQUEST", "The body must be a JSON object.")
        return parsed

    def references(self) -> list[str]:
        """The references that the body carries, the merchant's own first; empty for a body that cannot be read."""
        if self.named:
            return list(self.named)
        try:
            body = self.body
        except Refusal:
            return []
        nested = body.get("merchant_reference")
        older = (nested.get(name) for name in ("orderid1", "orderid2")) if isinstance(nested, dict) else ()
        newer = (body.get(name) for name in ("merchant_reference2", "reference", "merchant_reference1"))
        return [value for value in (*newer, *older) if isinstance(value, str)]

    def own_reference(self) -> str | None:
        """The reference that tells this very call apart, as far as the body has one."""
        return next(iter(self.references()), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; `fault` says how the way back is spoilt once the effect is committed."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None


def json_answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode(), JSON_TYPE)


def error_answer(refusal: Refusal, correlation_id: str) -> Answer:
    """The common error envelope; a refusal without a code is sent without a body, as a proxy in front would."""
    if refusal.error_code is None:
        return Answer(refusal.status, b"", refusal.headers)
    envelope = {
        "error_code": refusal.error_code,
        "error_messages": [refusal.message],
        "correlation_id": correlation_id,
    }
    return Answer(refusal.status, json.dumps(envelope).encode(), JSON_TYPE | refusal.headers)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
