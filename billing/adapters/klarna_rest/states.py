"""What Klarna's reading calls say about an order or a token, in our words.

Reading changes nothing, so there is no doubt to keep: what cannot be read whole is left out (`None`, `unknown`).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from billing.adapters.klarna_rest.answers import provider_id, strict_object
from billing.adapters.network import HttpAnswer, HttpOutcome
from billing.domain.money import AMOUNT_MAX
from billing.domain.operations import Authorization
from billing.ports import Movement, OrderState, TokenState

REFERENCE_MAX = 255

_AUTHORIZATIONS: Mapping[str, Authorization] = {
    "AUTHORIZED": Authorization.AUTHORIZED,
    "PART_CAPTURED": Authorization.PART_CAPTURED,
    "CAPTURED": Authorization.CAPTURED,
    "CANCELLED": Authorization.VOIDED,
    "EXPIRED": Authorization.EXPIRED,
    "CLOSED": Authorization.CAPTURED,
}
_REVIEWS: Mapping[str, Authorization] = {
    "PENDING": Authorization.PENDING_REVIEW,
    "REJECTED": Authorization.REJECTED,
}
_TOKENS: Mapping[str, str] = {"ACTIVE": "active", "SUSPENDED": "suspended", "CANCELLED": "revoked"}
_NO_SUCH_TOKEN = frozenset({"NOT_FOUND", "TOKEN_NOT_FOUND"})


def order_state(purchase_id: str, came: HttpOutcome) -> OrderState | None:
    """The order as Klarna has it, or None where the answer is no success, no order or another order."""
    body = strict_object(came) if isinstance(came, HttpAnswer) and came.status == 200 else None
    if body is None or body.get("order_id") != purchase_id:
        return None
    try:
        return _order_state(purchase_id, body)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None


def token_state(came: HttpOutcome) -> TokenState:
    """The token's status; `unknown` unless Klarna itself said it."""
    body = strict_object(came) if isinstance(came, HttpAnswer) else None
    if not isinstance(came, HttpAnswer) or body is None:
        return TokenState("unknown")
    # A bare 404 also comes from a wrong address, and must not revoke every token there is.
    if came.status == 404 and str(body.get("error_code")) in _NO_SUCH_TOKEN:
        return TokenState("revoked")
    return TokenState(_TOKENS.get(str(body.get("status")).upper(), "unknown") if came.status == 200 else "unknown")


def _order_state(purchase_id: str, body: Mapping[str, Any]) -> OrderState:
    captured = _amount(body["captured_amount"])
    return OrderState(
        purchase_id=purchase_id,
        authorization=_authorization(str(body["status"]), body.get("fraud_status"), captured).value,
        currency=_currency(body["purchase_currency"]),
        amount=_amount(body["order_amount"]),
        captured_amount=captured,
        refunded_amount=_amount(body["refunded_amount"]),
        merchant_reference=_reference(body.get("merchant_reference2")),
        expires_at=_instant(body.get("expires_at")),
        captures=tuple(_movements(body.get("captures"), "capture_id", "captured_amount")),
        refunds=tuple(_movements(body.get("refunds"), "refund_id", "refunded_amount")),
    )


def _authorization(status: str, fraud_status: object, captured_amount: int) -> Authorization:
    authorization = _AUTHORIZATIONS[status.upper()]
    if captured_amount > 0:
        # What was captured at the merchant's own risk stays captured, whatever the review said.
        return authorization
    if status.upper() == "CLOSED":
        return Authorization.RELEASED
    return _REVIEWS.get(str(fraud_status).upper(), authorization)


def _movements(entries: Any, id_field: str, amount_field: str) -> Iterator[Movement]:
    for entry in entries or ():
        id_ = provider_id(entry[id_field])
        if id_ is None:
            raise ValueError(id_field)
        yield Movement(id_, _reference(entry.get("reference")), _amount(entry[amount_field]))


def _amount(value: object) -> int:
    if type(value) is not int or not 0 <= value <= AMOUNT_MAX:
        raise ValueError("not an amount")
    return value


def _currency(value: object) -> str:
    # Klarna answers in either case (wire facts, section 1).
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z]{3}", value):
        raise ValueError("not a currency")
    return value.upper()


def _reference(value: object) -> str | None:
    """A reference that every database takes; another one is nobody's that we know."""
    is_text = isinstance(value, str) and len(value) <= REFERENCE_MAX and value.isprintable()
    return str(value) if is_text else None


def _instant(text: object) -> datetime | None:
    instant = datetime.fromisoformat(text) if isinstance(text, str) else None
    if instant is not None and instant.tzinfo is None:
        raise ValueError("an instant without a zone")
    return instant and instant.astimezone(UTC)
