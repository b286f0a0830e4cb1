"""Orders as the checkout of the older generation writes them: fields, carts and addresses, and how it refuses.

Every wrong field is 400 in its own error form; nothing of the state is known here.
"""

import json
from fractions import Fraction
from http import HTTPStatus
from typing import Any

from billing.sandbox import goods
from billing.sandbox.merchant import EID
from billing.sandbox.places import CURRENCIES, LEGACY_COUNTRIES
from billing.sandbox.validation import COUNTRY, CURRENCY, INT64, Fields, Limits
from billing.sandbox.wire import Answer, Refusal

_VENDOR = "application/vnd.klarna."
ERROR_TYPE = f"{_VENDOR}error-v1+json"
RATE_MAX = 10_000

LEGACY = Limits(0, 0, 0, 0, 0, 0, 0, frozenset(), 400, "BAD_VALUE")
_PERSON = ("given_name", "family_name", "street_address", "postal_code", "city", "email", "phone", "care_of", "title")
_HTTP = {status.value: status.phrase for status in HTTPStatus} | {422: "Unprocessable Entity"}


def refusal_answer(refusal: Refusal, correlation_id: str) -> Answer:  # noqa: ARG001  one signature for all interfaces
    """The three fields of that time's errors; one that says nothing itself has no body."""
    if refusal.error_code is None:
        return Answer(refusal.status, b"", refusal.headers)
    error = {
        "http_status_code": refusal.status,
        "http_status_message": _HTTP.get(refusal.status, "Error"),
        "internal_message": refusal.message,
    }
    return Answer(refusal.status, json.dumps(error).encode(), {"Content-Type": ERROR_TYPE} | refusal.headers)


def typed_answer(kind: str, content: Any, status: int = 200) -> Answer:
    """An answer of one of the vendor's types."""
    return Answer(status, json.dumps(content).encode(), {"Content-Type": f"{_VENDOR}checkout.{kind}+json"})


def read_place(fields: Fields) -> tuple[str, str]:
    """Country and currency, which must belong together."""
    country = fields.needed_text("purchase_country", 2, pattern=COUNTRY).upper()
    currency = fields.needed_text("purchase_currency", 3, pattern=CURRENCY).upper()
    if country not in LEGACY_COUNTRIES:
        fields.refuse("purchase_country", "is not sold to")
    if CURRENCIES[country] != currency:
        fields.refuse("purchase_currency", f"is not the currency of purchases in {country}")
    fields.needed_text("locale", 20)
    return country, currency


def check_merchant(fields: Fields) -> None:
    """Refuses an order of another merchant than the one whose secret signed it, with 401."""
    merchant = fields.block("merchant")
    named = merchant.values.get("id") if merchant else None
    if str(named) != str(EID):
        raise Refusal(401, "UNAUTHORIZED", "Unknown merchant")


def read_references(fields: Fields) -> tuple[str | None, str | None]:
    """The order number (`orderid2`) and the merchant's own reference (`orderid1`)."""
    references = fields.block("merchant_reference")
    if references is None:
        return None, None
    return references.text("orderid2", 255), references.text("orderid1", 255)


def read_addresses(fields: Fields) -> dict[str, Any]:
    """The addresses that were sent, their countries in capitals."""
    found = {}
    for name in ("billing_address", "shipping_address"):
        address = fields.block(name)
        if address is None:
            continue
        shown = {part: address.text(part, 255) for part in _PERSON}
        country = address.text("country", 2, pattern=COUNTRY)
        kept = shown | {"country": country.upper() if country else None}
        found[name] = {part: value for part, value in kept.items() if value}
    return found


def read_cart(fields: Fields) -> list[goods.Line]:
    """The lines of the cart; it must have one at least, and come to more than nothing."""
    cart = fields.block("cart")
    items = cart.blocks("items", 1000) if cart else []
    if not items:
        fields.refuse("cart.items", "must have at least one entry")
    lines = [_line(item) for item in items]
    if goods.total(lines) <= 0:
        fields.refuse("cart.items", "must come to more than nothing")
    return lines


def _line(item: Fields) -> goods.Line:
    reference, name = item.needed_text("reference", 64), item.needed_text("name", 255)
    quantity = item.needed_whole("quantity", 1, 1_000_000)
    unit_price = item.needed_whole("unit_price", -INT64, INT64)
    tax_rate = item.needed_whole("tax_rate", 0, RATE_MAX)
    discount = item.whole("discount_rate", 0, RATE_MAX) or 0
    total = goods.half_up(Fraction(quantity * unit_price * (RATE_MAX - discount), RATE_MAX))
    return goods.order_line(reference, name, quantity, unit_price, total, tax_rate, item.text("type", 64) or "physical")
