"""Klarna's older answers to a call that changes something, as one of our five outcomes.

Strict on purpose: what is not exactly the documented shape is `Unknown`, since money may have moved. What is kept as
evidence is scrubbed of the token and of digests, and cut short. Which refusal means what stands in `codes.py`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from billing.adapters.klarna_legacy.codes import Channel, Verdict, is_already_so, listed, may_have_ended, verdict
from billing.adapters.klarna_legacy.payloads import may_be_repeated
from billing.adapters.klarna_legacy.xmlrpc import Fault, Value, read_call, read_response
from billing.adapters.klarna_rest.answers import provider_id, strict_object
from billing.adapters.network import HttpAnswer, HttpOutcome, LostFailure, NotSentFailure
from billing.domain.operations import Authorization, OperationKind
from billing.domain.tokens import Token
from billing.ports import Answer, Call, Declined, NotSent, Outcome, Refused, Succeeded, TokenState, Unknown

MESSAGE_MAX = 300
FROZEN_RETRY_SECONDS = 1800
"""How long a frozen invoice is left alone: as long as Klarna takes no capture after a purchase."""

_STOCKHOLM = ZoneInfo("Europe/Stockholm")
_RISKS = frozenset({"ok", "no_risk"})


def outcome(call: Call, came: HttpOutcome, token: TokenState | None = None) -> Outcome:
    """What `came` back means for `call`. Never raises, whatever the bytes are.

    `token` is the state that was read after a purchase met a 404 (see `is_missing`).
    """
    match came:
        case HttpAnswer():
            is_recurring = call.kind is OperationKind.PURCHASE
            return _recurring(call, came, token) if is_recurring else _order_management(call, came)
        case NotSentFailure():
            return NotSent(Answer(message=f"not sent: {came.kind}"))
        case LostFailure():
            return Unknown(Answer(message=f"no answer: {came.kind}"))


def is_missing(call: Call, came: HttpOutcome) -> bool:
    """Whether a purchase met Klarna's own 404, which is read against the state of its token."""
    is_404 = isinstance(came, HttpAnswer) and came.status == 404 and call.kind is OperationKind.PURCHASE
    return is_404 and is_klarnas_error(came)


def is_klarnas_error(http: HttpOutcome) -> bool:
    """Whether Klarna itself wrote this error: any other page refuses nothing (legacy wire facts, section 6)."""
    body = strict_object(http) if isinstance(http, HttpAnswer) else None
    return isinstance(http, HttpAnswer) and body is not None and body.get("http_status_code") == http.status


# --- order management ------------------------------------------------------------------------------------------


def _order_management(call: Call, http: HttpAnswer) -> Outcome:
    if http.status != 200:
        # Answers and faults alike come with 200; anything else is the transport's, and says nothing.
        return Unknown(Answer(http_status=http.status, code=str(http.status)))
    match read_response(http.body):
        case None:
            return Unknown(Answer(http_status=200, message="no answer of order management"))
        case Fault() as fault:
            return _fault(call, fault)
        case value:
            return _READERS[call.kind](call, value) or Unknown(Answer(http_status=200, message="another answer"))


def _fault(call: Call, fault: Fault) -> Outcome:
    row = listed(call.kind, Channel.FAULT, fault.code)
    message = ": ".join(part for part in (row.name if row else "", _scrubbed(fault.message, call.token) or "") if part)
    answer = Answer(http_status=200, code=str(fault.code), message=message[:MESSAGE_MAX] or None)
    if is_already_so(call.kind, fault.code) and may_be_repeated(call.request):
        return Refused(answer, is_already_so=True)
    if may_have_ended(call.kind, fault.code):
        return Refused(answer, may_have_ended=True)
    return _refused(verdict(call.kind, Channel.FAULT, fault.code), answer)


def _captured(_call: Call, value: Value) -> Outcome | None:
    match value:
        case [str() as risk, str() as number] if risk in _RISKS and provider_id(number):
            return Succeeded(Answer(http_status=200), number, facts={"risk": risk})
    return None


def _agreed(_call: Call, value: Value) -> Outcome | None:
    return Succeeded(Answer(http_status=200)) if value == "ok" else None


def _same_invoice(call: Call, value: Value) -> Outcome | None:
    # The invoice is answered again, and no new id made: another number is another invoice's answer.
    sent = read_call(call.request.body)
    is_same = sent is not None and len(sent[1]) > 3 and value == sent[1][3] and isinstance(value, str)
    return Succeeded(Answer(http_status=200), facts={"provider_reference": str(value)}) if is_same else None


def _extended(_call: Call, value: Value) -> Outcome | None:
    if not isinstance(value, str) or not re.fullmatch("[0-9]{8}T[0-9]{6}", value):
        return None
    try:
        local = datetime.strptime(value, "%Y%m%dT%H%M%S").replace(tzinfo=_STOCKHOLM)
        return Succeeded(Answer(http_status=200), expires_at=local.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def _due_date_moved(_call: Call, value: Value) -> Outcome | None:
    match value:
        case {"cost": int() as cost, "new_date": str() as day} if type(cost) is int and _is_date(day):
            return Succeeded(Answer(http_status=200), facts={"cost": str(cost), "due_on": day})
    return None


def _nothing_documented(_call: Call, _value: Value) -> Outcome | None:
    return None


_READERS: Mapping[OperationKind, Callable[[Call, Value], Outcome | None]] = {
    OperationKind.CAPTURE: _captured,
    OperationKind.VOID: _agreed,
    OperationKind.RELEASE: _agreed,
    OperationKind.AMEND: _agreed,
    OperationKind.REFUND: _same_invoice,
    OperationKind.EMAIL_INVOICE: _same_invoice,
    OperationKind.POST_INVOICE: _same_invoice,
    OperationKind.EXTEND: _extended,
    OperationKind.EXTEND_DUE_DATE: _due_date_moved,
    OperationKind.SHIP: _nothing_documented,
    OperationKind.REVOKE: _nothing_documented,
}


# --- recurring orders ------------------------------------------------------------------------------------------


def _recurring(call: Call, http: HttpAnswer, token: TokenState | None) -> Outcome:
    body = strict_object(http)
    answer = _evidence(call, http, body or {})
    if http.status == 200:
        return _reserved(answer, body or {})
    if is_missing(call, http) and token == TokenState("revoked"):
        return Declined(answer, Verdict.HARD.value)
    return _refused(_recurring_verdict(call.kind, http, body), answer)


def _reserved(answer: Answer, body: Mapping[str, Any]) -> Outcome:
    number = provider_id(body.get("reservation"))
    # An invoice answers a purchase that was activated at once, and none of ours is; the others are errors.
    if number is None or body.keys() & {"invoice", "reason", "http_status_code", "internal_message"}:
        return Unknown(answer)
    return Succeeded(answer, number, Authorization.AUTHORIZED.value)


def _recurring_verdict(kind: OperationKind, http: HttpAnswer, body: Mapping[str, Any] | None) -> Verdict:
    if http.status == 401:
        # The caller is refused, on whatever page that is written.
        return verdict(kind, Channel.STATUS, 401)
    is_rejection = http.status == 402 and body is not None and isinstance(body.get("reason"), str)
    is_readable = is_rejection or is_klarnas_error(http) or (http.status == 403 and not http.body)
    return verdict(kind, Channel.STATUS, http.status) if is_readable else Verdict.UNKNOWN


def _evidence(call: Call, http: HttpAnswer, body: Mapping[str, Any]) -> Answer:
    message = body.get("reason") or body.get("internal_message")
    code = None if http.status == 200 else str(http.status)
    return Answer(http_status=http.status, code=code, message=_scrubbed(message, call.token))


# --- both ------------------------------------------------------------------------------------------------------


def _refused(what: Verdict, answer: Answer) -> Outcome:
    match what:
        case Verdict.SOFT | Verdict.HARD:
            return Declined(answer, what.value)
        case Verdict.REFUSED:
            return Refused(answer)
        case Verdict.POSTPONED:
            return NotSent(answer, retry_after_seconds=FROZEN_RETRY_SECONDS)
        case Verdict.ACCOUNT_STOPPED:
            return NotSent(answer, account_stopped=True)
        case Verdict.UNKNOWN:
            return Unknown(answer)


def _scrubbed(words: object, token: Token | None) -> str | None:
    if not isinstance(words, str) or not words:
        return None
    plain = token.reveal() if token is not None else ""
    for secret in {plain, quote(plain, safe="")} - {""}:
        words = re.sub(re.escape(secret), "[token]", words, flags=re.IGNORECASE)
    # SHA-512 and SHA-256 in Base64: whoever reads a digest can use it again.
    words = re.sub("[A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}=", "[digest]", words)
    return "".join(character if character.isprintable() else " " for character in words)[:MESSAGE_MAX]


def _is_date(day: str) -> bool:
    try:
        return date.fromisoformat(day).isoformat() == day
    except ValueError:
        return False
