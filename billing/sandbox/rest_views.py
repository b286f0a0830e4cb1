"""How an order, a capture and a refund read in Klarna's Order Management, and which refund belongs to which capture."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from billing.sandbox import orders
from billing.sandbox.world import World


def order_view(world: World, order: sqlite3.Row) -> dict[str, Any]:
    captures, refunds = orders.captures(world, order), orders.refunds(world, order)
    tied = ties(captures, refunds)
    details = orders.details(world, order)
    view = {
        "order_id": order["order_id"],
        "status": orders.status(world, order),
        "fraud_status": order["fraud_status"],
        "order_amount": order["order_amount"],
        "original_order_amount": order["original_amount"] or order["order_amount"],
        "captured_amount": order["captured_amount"],
        "refunded_amount": order["refunded_amount"],
        "remaining_authorized_amount": orders.remaining(world, order),
        # Klarna's own samples answer in lower case, whatever was sent: a client must compare without case.
        "purchase_currency": order["currency"].lower(),
        "purchase_country": order["country"].lower(),
        "locale": order["locale"],
        "order_lines": json.loads(order["lines"]),
        "captures": [capture_view(capture, refunds, tied) for capture in captures],
        "refunds": [refund_view(refund, tied) for refund in refunds],
        "created_at": order["created_at"],
        "expires_at": order["expires_at"],
        "klarna_reference": order["klarna_reference"],
        "initial_payment_method": {"type": "INVOICE", "description": "Pay later"},
    }
    references = {name: order[name] for name in ("merchant_reference1", "merchant_reference2") if order[name]}
    return view | references | details


def capture_views(world: World, order: sqlite3.Row) -> list[dict[str, Any]]:
    captures, refunds = orders.captures(world, order), orders.refunds(world, order)
    tied = ties(captures, refunds)
    return [capture_view(capture, refunds, tied) for capture in captures]


def capture_view(capture: sqlite3.Row, refunds: Sequence[sqlite3.Row], tied: dict[str, str]) -> dict[str, Any]:
    given_back = (refund["amount"] for refund in refunds if tied.get(refund["refund_id"]) == capture["capture_id"])
    view = {
        "capture_id": capture["capture_id"],
        "klarna_reference": capture["klarna_reference"],
        "captured_amount": capture["amount"],
        "refunded_amount": sum(given_back),
        "captured_at": capture["captured_at"],
        "order_lines": json.loads(capture["lines"]),
    }
    shipping = json.loads(capture["details"]).get("shipping_info")
    return view | ({"shipping_info": shipping} if shipping else {}) | _present(capture)


def refund_view(refund: sqlite3.Row, tied: dict[str, str]) -> dict[str, Any]:
    view = {
        "refund_id": refund["refund_id"],
        "refunded_amount": refund["amount"],
        "refunded_at": refund["refunded_at"],
        "credit_invoice": refund["refund_id"] in tied,
        "order_lines": json.loads(refund["lines"]),
    }
    return view | _present(refund)


def ties(captures: Sequence[sqlite3.Row], refunds: Sequence[sqlite3.Row]) -> dict[str, str]:
    """Refund id -> capture id, where the refund's lines repeat that capture's references and its amount fits in.

    A refund without lines, or with lines that do not add up to it, is accepted but tied to no capture. One that was
    made on an invoice belongs to that invoice.
    """
    left = {capture["capture_id"]: capture["amount"] for capture in captures}
    references = {capture["capture_id"]: _line_references(capture) for capture in captures}
    tied: dict[str, str] = {}
    for given in refunds:
        fitting = (
            capture_id
            for capture_id, known in references.items()
            if _is_itemized(given) and _line_references(given) <= known and given["amount"] <= left[capture_id]
        )
        capture_id = given["capture_id"] or next(fitting, None)
        if capture_id is not None:
            left[capture_id] -= given["amount"]
            tied[given["refund_id"]] = capture_id
    return tied


def _is_itemized(refund: sqlite3.Row) -> bool:
    lines = json.loads(refund["lines"])
    return bool(lines) and sum(line["total_amount"] for line in lines) == refund["amount"]


def _line_references(row: sqlite3.Row) -> set[str | None]:
    # A fee for the return is no article of the capture.
    return {line.get("reference") for line in json.loads(row["lines"]) if line.get("type") != "return_fee"}


def _present(row: sqlite3.Row) -> dict[str, str]:
    return {name: row[name] for name in ("reference", "description") if row[name] is not None}
