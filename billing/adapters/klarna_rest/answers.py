"""Klarna's answers to a call that changes something, as one of our five outcomes.

Strict on purpose: what is not exactly the documented shape is `Unknown`, since money may have moved. What is kept
as evidence is scrubbed of the token and cut short. Which refusal means what stands in `codes.py`.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import quote, unquote, urlsplit

from billing.adapters.klarna_rest.codes import Verdict, verdict
from billing.adapters.network import HttpAnswer, HttpOutcome, LostFailure, NotSentFailure
from billing.domain.operations import Authorization, OperationKind
from billing.domain.tokens import Token
from billing.ports import Answer, Call, Declined, NotSent, Outcome, Refused, Succeeded, Unknown

MESSAGE_MAX = 300
ID_MAX = 255
NESTING_MAX = 20
RETRY_AFTER_MAX = 3600

_DECLINES = frozenset({Verdict.SOFT, Verdict.HARD, Verdict.SUSPENDED})


def outcome(call: Call, came: HttpOutcome) -> Outcome:
    """What `came` back means for `call`. Never raises, whatever the bytes are."""
    match came:
        case HttpAnswer():
            return _success(call, came) if 200 <= came.status < 300 else _refusal(call, came)
        case NotSentFailure():
            return NotSent(Answer(message=f"not sent: {came.kind}"))
        case LostFailure():
            return Unknown(Answer(message=f"no answer: {came.kind}"))


def strict_object(http: HttpAnswer) -> dict[str, Any] | None:
    """The body as a JSON object, or None where it is anything else: another type or charset, NaN, a repeated name,
    nesting without end, a list, nothing."""
    if not _is_utf8_json(http.headers.get("content-type", "application/json")):
        return None
    try:
        value = json.loads(http.body.decode(), parse_constant=_refuse, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and _is_shallow(value, NESTING_MAX) else None


def provider_id(text: object) -> str | None:
    """`text` if it can be an id of Klarna's: printable ASCII without space or slash, at most 255 characters."""
    is_id = isinstance(text, str) and re.fullmatch(r"[!-.0-~]{1,255}", text)
    return str(text) if is_id else None


def _success(call: Call, http: HttpAnswer) -> Outcome:
    return _READERS[call.kind](call, http)


def _purchase(call: Call, http: HttpAnswer) -> Outcome:
    body = strict_object(http) or {}
    answer, order_id, fraud = _evidence(call, http, body), provider_id(body.get("order_id")), body.get("fraud_status")
    if order_id is None or _is_error(body) or _contradicts(call, body, _OF_PURCHASE):
        return Unknown(answer)
    match fraud:
        case "ACCEPTED":
            return Succeeded(answer, order_id, Authorization.AUTHORIZED.value)
        case "PENDING":
            return Succeeded(answer, order_id, Authorization.PENDING_REVIEW.value)
        case "REJECTED":
            return Declined(answer, Verdict.SOFT.value)
    return Unknown(answer)


def _capture(call: Call, http: HttpAnswer) -> Outcome:
    return _movement(call, http, "captures", "capture-id")


def _refund(call: Call, http: HttpAnswer) -> Outcome:
    return _movement(call, http, "refunds", "refund-id")


def _movement(call: Call, http: HttpAnswer, collection: str, header: str) -> Outcome:
    answer, segments = _evidence(call, http, {}), _segments(http.headers.get("location", ""))
    named_order = segments[segments.index("orders") + 1 :][:1] if "orders" in segments else []
    is_of_another = named_order not in ([], [call.purchase_id])
    if is_of_another or _is_foreign(http) or _contradicts(call, strict_object(http) or {}, _OF_MOVEMENT):
        return Unknown(answer)
    from_location = segments[-1] if segments[-2:-1] == [collection] else None
    id_ = provider_id(http.headers.get(header) or from_location)
    return Unknown(answer) if id_ is None else Succeeded(answer, id_)


def _without_id(call: Call, http: HttpAnswer) -> Outcome:
    answer = _evidence(call, http, {})
    return Unknown(answer) if _is_foreign(http) else Succeeded(answer)


def _is_foreign(http: HttpAnswer) -> bool:
    # The documented body is empty; the page of some proxy in between is no success, nor an error under a good status.
    body = strict_object(http) if http.body else {}
    return body is None or _is_error(body)


def _is_error(body: Mapping[str, Any]) -> bool:
    return "error_code" in body or "error_messages" in body


_OF_PURCHASE = {"order_amount": "amount", "merchant_reference2": "merchant_reference"}
_OF_MOVEMENT = {
    "captured_amount": "amount",
    "refunded_amount": "amount",
    "reference": "merchant_reference",
    "order_id": "purchase_id",
}


def _contradicts(call: Call, body: Mapping[str, Any], names: Mapping[str, str]) -> bool:
    """Whether the answer speaks of another amount, currency, order or reference than was asked for.

    None of them has to be there (charging rules, section 2, step 6).
    """
    pairs = ((body.get(name, getattr(call, asked)), getattr(call, asked)) for name, asked in names.items())
    # 119.0 equals 119, and is no amount of Klarna's.
    is_other = any(type(said) is not type(asked) or said != asked for said, asked in pairs)
    currency = body.get("purchase_currency", call.currency)
    return is_other or not isinstance(currency, str) or currency.upper() != call.currency.upper()


def _accepted(call: Call, http: HttpAnswer) -> Outcome:
    # Klarna shows a line of plain text as body here (wire facts, section 3): any success is one.
    return Succeeded(_evidence(call, http, {}))


def _nothing_documented(call: Call, http: HttpAnswer) -> Outcome:
    return Unknown(_evidence(call, http, {}))


_READERS: Mapping[OperationKind, Callable[[Call, HttpAnswer], Outcome]] = {
    OperationKind.PURCHASE: _purchase,
    OperationKind.CAPTURE: _capture,
    OperationKind.REFUND: _refund,
    OperationKind.VOID: _without_id,
    OperationKind.AMEND: _without_id,
    OperationKind.RELEASE: _without_id,
    OperationKind.EMAIL_INVOICE: _without_id,
    OperationKind.SHIP: _without_id,
    OperationKind.EXTEND: _without_id,
    OperationKind.EXTEND_DUE_DATE: _without_id,
    OperationKind.REVOKE: _accepted,
    OperationKind.POST_INVOICE: _nothing_documented,
}


def _refusal(call: Call, http: HttpAnswer) -> Outcome:
    body = strict_object(http)
    answer = _evidence(call, http, body or {})
    match _verdict(call.kind, http, body):
        case Verdict.ACCOUNT_STOPPED:
            return NotSent(answer, account_stopped=True)
        case Verdict.POSTPONED:
            return NotSent(answer, retry_after_seconds=_retry_after(http))
        case Verdict.REFUSED:
            return Refused(answer)
        case decline if decline in _DECLINES:
            return Declined(answer, decline.value)
    return Unknown(answer)


def _verdict(kind: OperationKind, http: HttpAnswer, body: dict[str, Any] | None) -> Verdict:
    code = (body or {}).get("error_code")
    if http.status == 401:
        # The caller is refused, on whatever page that is written.
        return verdict(kind, http.status, None)
    # Any other page, or garbage, was not written by the API, so it refuses nothing.
    is_readable = (body is not None or not http.body) and (code is None or isinstance(code, str))
    return verdict(kind, http.status, code) if is_readable else Verdict.UNKNOWN


def _retry_after(http: HttpAnswer) -> int | None:
    text = http.headers.get("x-ratelimit-reset", "")
    return min(int(text), RETRY_AFTER_MAX) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _evidence(call: Call, http: HttpAnswer, body: Mapping[str, Any]) -> Answer:
    messages = body.get("error_messages")
    message = "; ".join(str(part) for part in messages) if isinstance(messages, list) else None
    correlation = http.headers.get("klarna-correlation-id") or body.get("correlation_id")
    return Answer(
        http_status=http.status,
        code=_scrubbed(body.get("error_code"), call.token),
        message=_scrubbed(message, call.token),
        correlation_id=_scrubbed(correlation, call.token),
    )


def _scrubbed(text: object, token: Token | None) -> str | None:
    if not isinstance(text, str) or not text:
        return None
    plain = token.reveal() if token is not None else ""
    for secret in {plain, quote(plain, safe="")} - {""}:
        text = re.sub(re.escape(secret), "[token]", text, flags=re.IGNORECASE)
    # Only what every database and terminal takes.
    return "".join(character if character.isprintable() else " " for character in text)[:MESSAGE_MAX]


def _segments(location: str) -> list[str]:
    try:
        return [unquote(segment) for segment in urlsplit(location).path.split("/")]
    except ValueError:
        return []


def _is_utf8_json(content_type: str) -> bool:
    media_type, *parameters = [part.strip().lower() for part in content_type.split(";")]
    charsets = [part.partition("=")[2].strip('" ') for part in parameters if part.startswith("charset")]
    is_json = media_type == "application/json" or media_type.endswith("+json")
    return is_json and all(charset in ("utf-8", "utf8") for charset in charsets)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is given twice")
    return members


def _is_shallow(value: object, room: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return room > 0 and all(_is_shallow(part, room - 1) for part in parts)
