"""What a fault makes of an answer, in the form of the API that was called; how it is sent stands elsewhere."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from billing.sandbox import faults
from billing.sandbox.wire import Answer, Fault, Refusal

Refuse = Callable[[Refusal, str], Answer]
"""How an API puts a refusal into an answer, given the correlation id."""

_PAGE = b"<!doctype html><title>Bad gateway</title><h1>Something is in the way</h1>"
_LIMITS = {"X-Ratelimit-Limit": "200", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1"}

REFUSALS = {
    "500_before": Refusal(500, "INTERNAL_SERVER_ERROR", "Something went wrong."),
    "503_before": Refusal(503, "SERVICE_UNAVAILABLE", "Not available at present."),
    "401": Refusal(401, "UNAUTHORIZED", "The credentials are wrong."),
    "429": Refusal(429, "TOO_MANY_REQUESTS", "Too many calls.", _LIMITS),
}
_SERVER_ERRORS = ("500_after", "replayed_500", "replayed_500_before")


def spoilt(answer: Answer, refuse: Refuse, correlation_id: str) -> Answer:
    """The answer as its fault leaves it; the fault stays with it, for those who send it."""
    fault = answer.fault
    if fault is None:
        return answer
    refusal = REFUSALS["500_before"] if fault.name in _SERVER_ERRORS else REFUSALS.get(fault.name)
    if refusal is not None:
        return replace(refuse(refusal, correlation_id), fault=fault)
    match fault.name:
        case "garbage":
            return replace(answer, status=200, content=_PAGE, headers={"Content-Type": "text/html"})
        case "truncated":
            whole = answer.content or b'{"order_id": "'
            return replace(answer, content=whole[: len(whole) // 2])
        case "malformed":
            return replace(answer, content=_malformed(answer.content))
        case "empty":
            return replace(answer, content=b"")
        case "wrong_amount":
            return replace(answer, content=_altered(answer.content, _other_amount, rb"<(int|i4)>(-?\d+)<"))
        case "wrong_reference":
            return replace(answer, content=_altered(answer.content, _other_reference, rb"<(string)>(\d+)<"))
        case "canned_before" | "canned_after":
            return _canned(fault)
    return answer


def not_found(call_path: str) -> Refusal:
    """How an order that is there is denied."""
    code = "TOKEN_NOT_FOUND" if call_path.startswith("/customer-token/") else "NO_SUCH_ORDER"
    return Refusal(404, code, "There is no such order.")


def is_before(fault: Fault) -> bool:
    return fault.name in faults.BEFORE


def _canned(fault: Fault) -> Answer:
    kind = {"Content-Type": fault.content_type or "application/json"}
    return Answer(fault.status or 200, fault.content or b"", kind | dict(fault.headers), fault)


def _malformed(content: bytes) -> bytes:
    if content.lstrip().startswith(b"<"):
        return content.replace(b"</", b"<", 1) + b"<"
    return b'{"order_id": "unquoted, "captured_amount": 1.0.0,, NaN}'


def _altered(content: bytes, alter: Callable[[str, Any], Any], xml_number: bytes) -> bytes:
    """The same answer with other figures: JSON by its keys, XML by its types."""
    if content.lstrip().startswith(b"<"):
        return re.sub(xml_number, lambda found: b"<%b>%d<" % (found[1], int(found[2]) + 1), content)
    try:
        return json.dumps(_walk(json.loads(content), alter)).encode()
    except ValueError:
        return content


def _walk(value: Any, alter: Callable[[str, Any], Any], name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _walk(inner, alter, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_walk(inner, alter, name) for inner in value]
    return alter(name, value)


def _other_amount(name: str, value: Any) -> Any:
    return value + 1 if name.endswith("amount") and type(value) is int else value


def _other_reference(name: str, value: Any) -> Any:
    names = ("order_id", "merchant_reference1", "merchant_reference2", "reference", "reservation", "invoice")
    return f"{value}9" if name in names and isinstance(value, str) else value
