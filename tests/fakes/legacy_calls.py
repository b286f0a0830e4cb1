"""Orders, calls and answers of the older generation, with sensible defaults; every field can be given by keyword."""

import xmlrpc.client
from typing import Any

from billing.adapters.klarna_legacy.payloads import Merchant, request_for
from billing.adapters.network import HttpAnswer
from billing.domain.operations import OperationKind
from billing.ports import Call, Order, OrderLine
from tests.fakes.calls import a_call, a_line, an_order

RNO = "2347660000"
INVOICE_NUMBER = "31402485123226872"
MERCHANT = Merchant(4711, "sharedSecret")
XML = {"content-type": "text/xml"}
JSON = {"content-type": "application/vnd.klarna.error-v1+json"}
UNSPEAKABLE = (OperationKind.SHIP, OperationKind.REVOKE)
"""Kinds that this generation has no call for."""


def legacy_order(kind: OperationKind, **changes: Any) -> Order:
    """119.00 EUR in Germany, whole, in one line."""
    defaults = {
        "purchase_id": None if kind is OperationKind.PURCHASE else RNO,
        "capture_id": INVOICE_NUMBER,
        "country": "DE",
        "locale": "de-DE",
        "customer_email": "kim@example.com",
        "days": 14,
    }
    return an_order(kind, **{**defaults, **changes})


def legacy_call(kind: OperationKind, *, order: Order | None = None, **changes: Any) -> Call:
    """The call of a default order, or of `order`; a kind that cannot be said borrows the bytes of an email."""
    spoken = OperationKind.EMAIL_INVOICE if kind in UNSPEAKABLE else kind
    request = request_for(order or legacy_order(spoken), MERCHANT)
    return a_call(kind, request=request, **({} if kind is OperationKind.PURCHASE else {"purchase_id": RNO}), **changes)


def xml_answer(value: Any, status: int = 200) -> HttpAnswer:
    """`value` as order management answers it, written by the standard library."""
    body = xmlrpc.client.dumps((value,), methodresponse=True, encoding="iso-8859-1").encode("iso-8859-1")
    return HttpAnswer(status, XML, body)


def xml_fault(code: int, message: str = "nej") -> HttpAnswer:
    fault = xmlrpc.client.Fault(code, message)
    return HttpAnswer(200, XML, xmlrpc.client.dumps(fault, methodresponse=True).encode())


def box(**changes: Any) -> OrderLine:
    """Two boxes of 7.45 at 12 %."""
    defaults = {"reference": "box", "name": "Box", "quantity": 2, "unit_amount": 745, "amount": 1490}
    return a_line(**{**defaults, "tax_amount": 160, "tax_rate": 1200, **changes})


def base_fee(**changes: Any) -> OrderLine:
    """A month for 19.90 at 25 %."""
    defaults = {"reference": "base", "name": "Grundavgift", "unit_amount": 1990, "amount": 1990}
    return a_line(**{**defaults, "tax_amount": 398, "tax_rate": 2500, **changes})
