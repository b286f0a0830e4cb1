"""Reading an entry of the script: which fault, for which calls, how often, and with what beside it."""

import base64
import binascii
import json
import math
from collections.abc import Collection
from typing import Any

from billing.sandbox.wire import Refusal

TIMES_MAX = 1_000_000
SECONDS_MAX = 86_400
SIZE_MAX = 4 * 1024**3

OPTIONS = ("seconds", "bytes", "body", "body_base64", "content_type", "headers")

_TAKE_SECONDS = frozenset({"delay_before", "delay_after", "drip", "not_found"})
_TAKE_BYTES = frozenset({"reset_after", "huge"})
_CANNED = frozenset({"canned_before", "canned_after"})


def entry_of(entry: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The row of the script that `entry` asks for; raises Refusal 422 with a sentence where it makes no sense."""
    fault, times = entry.get("fault"), entry.get("times", 1)
    if not isinstance(fault, str) or fault not in names:
        raise unprocessable(f"fault must be one of {', '.join(sorted(names))}.")
    if type(times) is not int or not 1 <= times <= TIMES_MAX:
        raise unprocessable(f"times must be a whole number from 1 to {TIMES_MAX}.")
    texts = {name: _optional_text(entry, name) for name in ("method", "path_contains", "reference", "error_code")}
    if texts["method"] is not None:
        texts["method"] = texts["method"].upper()
    _check_code(fault, texts["error_code"])
    options = {name: entry[name] for name in OPTIONS if entry.get(name) is not None}
    _check_options(fault, options)
    return {
        "fault": fault,
        "times": times,
        "status": _status(fault, entry.get("status")),
        "options": json.dumps(options),
        **texts,
    }


def options_of(options: dict[str, Any]) -> dict[str, Any]:
    """What stands beside a fault's name, by the names of its fields."""
    if "body_base64" in options:
        content: bytes | None = base64.b64decode(options["body_base64"])
    else:
        content = options["body"].encode() if "body" in options else None
    return {
        "seconds": options.get("seconds"),
        "size": options.get("bytes"),
        "content": content,
        "content_type": options.get("content_type"),
        "headers": options.get("headers", {}),
    }


def unprocessable(message: str) -> Refusal:
    return Refusal(422, "UNPROCESSABLE_ENTITY", message)


def _status(fault: str, status: Any) -> int | None:
    if fault in _CANNED:
        status = 200 if status is None else status
        if type(status) is not int or not 200 <= status < 600:
            raise unprocessable("status must lie between 200 and 599.")
    elif (status is None) == (fault == "refuse") or (status is not None and not _is_error(status)):
        raise unprocessable("status, from 400 to 599, belongs to the fault refuse and to canned answers.")
    return status  # type: ignore[no-any-return]  # an int or None by the checks above


def _check_code(fault: str, error_code: str | None) -> None:
    if fault == "xmlrpc_fault" and (error_code is None or not error_code.lstrip("-").isdecimal()):
        raise unprocessable("error_code must be the number of a fault, as text.")


def _check_options(fault: str, options: dict[str, Any]) -> None:
    if "seconds" in options and (fault not in _TAKE_SECONDS or not _is_duration(options["seconds"])):
        raise unprocessable(f"seconds, up to {SECONDS_MAX}, belongs to {', '.join(sorted(_TAKE_SECONDS))}.")
    if "bytes" in options and (fault not in _TAKE_BYTES or not _is_size(options["bytes"])):
        raise unprocessable(f"bytes, a whole number, belongs to {', '.join(sorted(_TAKE_BYTES))}.")
    canned = options.keys() & {"body", "body_base64", "content_type", "headers"}
    if canned and fault not in _CANNED:
        raise unprocessable(f"{', '.join(sorted(canned))} belongs to canned answers.")
    for name in canned - {"headers"}:
        _optional_text(options, name)
    headers = options.get("headers", {})
    if not isinstance(headers, dict) or not all(_is_header(name, value) for name, value in headers.items()):
        raise unprocessable("headers must be an object of texts on one line.")
    _check_base64(options.get("body_base64", ""))


def _check_base64(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise unprocessable("body_base64 must be base64.") from None


def _is_error(status: Any) -> bool:
    return type(status) is int and 400 <= status < 600


def _is_duration(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= SECONDS_MAX


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value <= SIZE_MAX


def _is_header(name: Any, value: Any) -> bool:
    return isinstance(value, str) and not {"\r", "\n"} & set(name + value)


def _optional_text(entry: dict[str, Any], name: str) -> str | None:
    value = entry.get(name)
    if value is not None and not isinstance(value, str):
        raise unprocessable(f"{name} must be text.")
    return value
