"""Orders and calls with sensible defaults, for tests of adapters; every field can be given by keyword."""

from typing import Any
from uuid import UUID

from billing.domain.operations import OperationKind
from billing.domain.tokens import Token
from billing.ports import Call, Order, OrderLine, Request

OPERATION_ID = UUID("01900000-0000-7000-8000-000000000001")
KEY = UUID("6f2b3c4d-0000-5000-8000-00000000000a")
TOKEN_TEXT = "0b1d9815-165e-42e2-8867-35bc03789e00"
PURCHASE_ID = "f3392f8b-6116-4073-ab96-e330819e2c07"


def a_line(**changes: Any) -> OrderLine:
    """One piece for 119.00 at 19 %, tax included."""
    defaults = {"reference": "basic", "name": "Basic", "quantity": 1, "unit_amount": 11900, "amount": 11900}
    return OrderLine(**{**defaults, "tax_amount": 1900, "tax_rate": 1900, **changes})


def an_order(kind: OperationKind, **changes: Any) -> Order:
    """119.00 EUR in one line."""
    defaults = {
        "amount": 11900,
        "currency": "EUR",
        "merchant_reference": "op-0123456789abcdef0123",
        "invoice_reference": "inv_01900000000070008000000000000002",
        "lines": (a_line(),),
        "purchase_id": None if kind is OperationKind.PURCHASE else PURCHASE_ID,
        "capture_id": "capture-1" if kind is OperationKind.EMAIL_INVOICE else None,
    }
    return Order(kind=kind, **{**defaults, **changes})


def a_call(kind: OperationKind, **changes: Any) -> Call:
    """A call of 119.00 EUR; a purchase has its token, every other kind its purchase."""
    is_purchase = kind is OperationKind.PURCHASE
    path = "/customer-token/v1/tokens/{token}/order" if is_purchase else f"/ordermanagement/v1/orders/{PURCHASE_ID}/x"
    defaults = {
        "operation_id": OPERATION_ID,
        "request": Request("POST", path, b"{}"),
        "key": KEY,
        "amount": 11900,
        "currency": "EUR",
        "merchant_reference": "op-0123456789abcdef0123",
        "purchase_id": None if is_purchase else PURCHASE_ID,
        "token": Token(TOKEN_TEXT) if is_purchase else None,
    }
    return Call(kind=kind, **{**defaults, **changes})
