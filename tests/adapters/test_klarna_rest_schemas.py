"""Our request bodies against the schemas of Klarna's OpenAPI documents."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator  # type: ignore[import-untyped]  # it ships no stubs

from billing.adapters.klarna_rest.payloads import request_for
from billing.domain.operations import OperationKind
from billing.ports import Order, Shipment
from tests.fakes.calls import a_line, an_order

PATHS = {
    OperationKind.PURCHASE: "/customer-token/v1/tokens/{customerToken}/order",
    OperationKind.CAPTURE: "/ordermanagement/v1/orders/{order_id}/captures",
    OperationKind.REFUND: "/ordermanagement/v1/orders/{order_id}/refunds",
    OperationKind.VOID: "/ordermanagement/v1/orders/{order_id}/cancel",
    OperationKind.RELEASE: "/ordermanagement/v1/orders/{order_id}/release-remaining-authorization",
    OperationKind.AMEND: "/ordermanagement/v1/orders/{order_id}/authorization",
    OperationKind.SHIP: "/ordermanagement/v1/orders/{order_id}/captures/{capture_id}/shipping-info",
    OperationKind.EXTEND: "/ordermanagement/v1/orders/{order_id}/extend-authorization-time",
    OperationKind.EMAIL_INVOICE: "/ordermanagement/v1/orders/{order_id}/captures/{capture_id}/trigger-send-out",
    OperationKind.EXTEND_DUE_DATE: "/ordermanagement/v1/orders/{order_id}/captures/{capture_id}/extend-due-date",
    OperationKind.REVOKE: "/customer-token/v1/tokens/{customerToken}/status",
}
MORE: dict[OperationKind, dict[str, Any]] = {
    OperationKind.SHIP: {
        "capture_id": "capture-1",
        "shipments": (Shipment(carrier="Post", tracking_number="1Z", return_carrier="Post"),),
    },
    OperationKind.EXTEND_DUE_DATE: {"capture_id": "capture-1", "days": 14},
}
"""What these kinds need besides; `post_invoice` has no call here."""
FULL: dict[str, Any] = {
    "amount": 23800,
    "lines": (a_line(), a_line(reference="extra", name="Größer")),
    "description": "Gold, March",
    "subscription_name": "Gold",
    "interval": "year",
    "interval_count": 1,
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    root = Path(__file__).parents[2]
    folder = Path(os.environ.get("KLARNA_OPENAPI_DIR", str(root / "../shared/klarna/openapi")))
    path = folder / "klarna-merged.json"
    if not path.exists():
        required = os.environ.get("BILLING_TEST_REQUIRE", "")
        missing = "Klarna's OpenAPI documents are not there; KLARNA_OPENAPI_DIR says where they are"
        (pytest.fail if required == "all" or "openapi" in required else pytest.skip)(missing)
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def faults(document: dict[str, Any], kind: OperationKind, body: bytes) -> list[str]:
    operation = next(
        iter(
            document["paths"][PATHS[kind]][verb] for verb in ("post", "patch") if verb in document["paths"][PATHS[kind]]
        )
    )
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    validator = Draft4Validator({"allOf": [schema], "components": document["components"]})
    return [error.message for error in validator.iter_errors(json.loads(body))]


@pytest.mark.parametrize(
    "order",
    [
        make(kind)
        for kind in PATHS
        for make in (
            lambda kind: an_order(kind, **MORE.get(kind, {})),
            lambda kind: an_order(kind, **{**MORE.get(kind, {}), **FULL}),
        )
    ],
    ids=lambda order: order.kind.value,
)
def test_our_requests_hold_the_specification(document: dict[str, Any], order: Order) -> None:
    request = request_for(order)
    assert faults(document, order.kind, request.body) == []
    shape = PATHS[order.kind].replace("{customerToken}", "{token}")
    assert len(request.path.split("/")) == len(shape.split("/"))


def test_the_check_itself_finds_a_fault(document: dict[str, Any]) -> None:
    assert faults(document, OperationKind.PURCHASE, b'{"order_amount":0}') != []
    assert faults(document, OperationKind.REFUND, b'{"refunded_amount":"1"}') != []
