"""Klarna's Order Management: what happens to an order once it is placed, and how order, capture and refund read."""

import json
import sqlite3
from typing import Any

from billing.sandbox import tokens
from billing.sandbox.clock import instant
from billing.sandbox.validation import AMOUNT_MAX, ORDER_MANAGEMENT, Fields, check_shipping_info, read_lines
from billing.sandbox.wire import Answer, Call, Refusal, json_answer
from billing.sandbox.world import World, new_id, short_reference

_OPEN = ("AUTHORIZED", "PART_CAPTURED")


def read_order(world: World, call: Call) -> Answer:
    order = _order(world, call.ids[0])
    captures, refunds = _captures(world, order), _refunds(world, order)
    ties = _ties(captures, refunds)
    view = _order_view(world, order)
    view["captures"] = [_capture_view(capture, refunds, ties) for capture in captures]
    view["refunds"] = [_refund_view(refund, ties) for refund in refunds]
    return json_answer(view)


def capture(world: World, call: Call) -> Answer:
    fields = Fields(call.body, ORDER_MANAGEMENT)
    amount = fields.needed_whole("captured_amount", 0, AMOUNT_MAX)
    _read_notes(fields)
    check_shipping_info(fields)
    if fields.whole("shipping_delay", 0, 2**63 - 1):
        fields.refuse("shipping_delay", "is not enabled for this account")
    order = _order(world, call.ids[0])
    _check_capture(world, order, amount)
    fault = tokens.fault_of_follow_up(world, order, call, "capture")
    capture_id = _insert_capture(world, order, amount, call.body)
    return Answer(201, b"", _created(call, "captures", capture_id, "Capture-Id"), fault)


def capture_whole(world: World, order_id: str) -> None:
    """Captures everything at once, as an order with `auto_capture` asks for."""
    order = _order(world, order_id)
    _insert_capture(world, order, order["order_amount"], {})


def list_captures(world: World, call: Call) -> Answer:
    order = _order(world, call.ids[0])
    captures, refunds = _captures(world, order), _refunds(world, order)
    ties = _ties(captures, refunds)
    return json_answer([_capture_view(capture, refunds, ties) for capture in captures])


def read_capture(world: World, call: Call) -> Answer:
    order = _order(world, call.ids[0])
    found = _capture(world, order, call.ids[1])
    refunds = _refunds(world, order)
    return json_answer(_capture_view(found, refunds, _ties(_captures(world, order), refunds)))


def trigger_send_out(world: World, call: Call) -> Answer:
    _check_no_body(call)
    order = _order(world, call.ids[0])
    if not _captures(world, order):
        raise Refusal(403, "NOT_ALLOWED", "The order has no captures.")
    found = _capture(world, order, call.ids[1])
    _send_out(world, order["order_id"], found["capture_id"], "trigger")
    return Answer(204)


def refund(world: World, call: Call) -> Answer:
    fields = Fields(call.body, ORDER_MANAGEMENT)
    amount = fields.needed_whole("refunded_amount", 0, AMOUNT_MAX)
    _read_notes(fields)
    order = _order(world, call.ids[0], "NOT_FOUND")
    _check_refund(order, amount)
    fault = tokens.fault_of_follow_up(world, order, call, "refund")
    refund_id = new_id()
    world.ledger.insert(
        "refunds",
        refund_id=refund_id,
        order_id=order["order_id"],
        amount=amount,
        refunded_at=world.clock.stamp_now(),
        **_notes(call.body),
    )
    world.ledger.write(
        "UPDATE orders SET refunded_amount = refunded_amount + ? WHERE order_id = ?", amount, order["order_id"]
    )
    return Answer(201, b"", _created(call, "refunds", refund_id, "Refund-Id"), fault)


def read_refund(world: World, call: Call) -> Answer:
    order = _order(world, call.ids[0], "NOT_FOUND")
    refunds = _refunds(world, order)
    found = next((row for row in refunds if row["refund_id"] == call.ids[1]), None)
    if found is None:
        raise Refusal(404, "NOT_FOUND", "There is no such refund.")
    return json_answer(_refund_view(found, _ties(_captures(world, order), refunds)))


def cancel(world: World, call: Call) -> Answer:
    _check_no_body(call)
    order = _order(world, call.ids[0])
    if _status(world, order) != "AUTHORIZED":
        raise Refusal(403, "CANCEL_NOT_ALLOWED", f"An order that is {_status(world, order)} cannot be cancelled.")
    world.ledger.write("UPDATE orders SET status = 'CANCELLED' WHERE order_id = ?", order["order_id"])
    return Answer(204)


def _order(world: World, order_id: str, missing: str = "NO_SUCH_ORDER") -> sqlite3.Row:
    order = world.ledger.row("SELECT * FROM orders WHERE order_id = ?", order_id)
    if order is None:
        raise Refusal(404, missing, "There is no such order.")
    return order


def _status(world: World, order: sqlite3.Row) -> str:
    """The status as of now: expiry is computed from the clock, and never written down."""
    if order["status"] in _OPEN and world.clock.now() >= instant(order["expires_at"]):
        return "EXPIRED"
    return str(order["status"])


def _captures(world: World, order: sqlite3.Row) -> list[sqlite3.Row]:
    return world.ledger.rows("SELECT * FROM captures WHERE order_id = ? ORDER BY rowid", order["order_id"])


def _refunds(world: World, order: sqlite3.Row) -> list[sqlite3.Row]:
    return world.ledger.rows("SELECT * FROM refunds WHERE order_id = ? ORDER BY rowid", order["order_id"])


def _capture(world: World, order: sqlite3.Row, capture_id: str) -> sqlite3.Row:
    found = world.ledger.row(
        "SELECT * FROM captures WHERE capture_id = ? AND order_id = ?", capture_id, order["order_id"]
    )
    if found is None:
        raise Refusal(404, "NO_SUCH_CAPTURE", "The order has no such capture.")
    return found


def _read_notes(fields: Fields) -> None:
    fields.text("description", 255)
    fields.text("reference", 255)
    read_lines(fields)


def _check_no_body(call: Call) -> None:
    _ = call.body  # public clients send an empty object; anything but an object is refused on reading


def _check_capture(world: World, order: sqlite3.Row, amount: int) -> None:
    status = _status(world, order)
    if status not in _OPEN:
        raise Refusal(403, "CAPTURE_NOT_ALLOWED", f"An order that is {status} cannot be captured.")
    if not 0 < amount <= order["order_amount"] - order["captured_amount"]:
        raise Refusal(403, "CAPTURE_NOT_ALLOWED", "The amount must lie between 1 and what remains authorized.")


def _check_refund(order: sqlite3.Row, amount: int) -> None:
    if order["captured_amount"] == 0:
        raise Refusal(403, "REFUND_NOT_ALLOWED", "The order has no captures.")
    if not 0 < amount <= order["captured_amount"] - order["refunded_amount"]:
        raise Refusal(403, "REFUND_NOT_ALLOWED", "The amount must lie between 1 and what is captured, less refunds.")


def _insert_capture(world: World, order: sqlite3.Row, amount: int, body: dict[str, Any]) -> str:
    capture_id, order_id = new_id(), order["order_id"]
    captured = order["captured_amount"] + amount
    notes = _notes(body)
    if amount == order["order_amount"] and not body.get("order_lines"):
        notes["lines"] = order["lines"]
    world.ledger.insert(
        "captures",
        capture_id=capture_id,
        order_id=order_id,
        amount=amount,
        captured_at=world.clock.stamp_now(),
        klarna_reference=f"{order['klarna_reference']}-{short_reference()[1:4]}",
        **notes,
    )
    world.ledger.write(
        "UPDATE orders SET captured_amount = ?, status = ? WHERE order_id = ?",
        captured,
        "CAPTURED" if captured == order["order_amount"] else "PART_CAPTURED",
        order_id,
    )
    _send_out(world, order_id, capture_id, "capture")
    return capture_id


def _notes(body: dict[str, Any]) -> dict[str, Any]:
    lines = json.dumps(body.get("order_lines") or [])
    return {"reference": body.get("reference"), "description": body.get("description"), "lines": lines}


def _send_out(world: World, order_id: str, capture_id: str, cause: str) -> None:
    world.ledger.insert(
        "send_outs", order_id=order_id, capture_id=capture_id, cause=cause, sent_at=world.clock.stamp_now()
    )


def _created(call: Call, kind: str, new: str, header: str) -> dict[str, str]:
    return {"Location": f"http://{call.host}/ordermanagement/v1/orders/{call.ids[0]}/{kind}/{new}", header: new}


def _ties(captures: list[sqlite3.Row], refunds: list[sqlite3.Row]) -> dict[str, str]:
    """Refund id -> capture id, where the refund's lines repeat that capture's references and its amount fits in.

    A refund without lines, or with lines that do not add up to it, is accepted but tied to no capture.
    """
    left = {capture["capture_id"]: capture["amount"] for capture in captures}
    references = {capture["capture_id"]: _line_references(capture) for capture in captures}
    ties: dict[str, str] = {}
    for given in refunds:
        fitting = (
            capture_id
            for capture_id, known in references.items()
            if _is_itemized(given) and _line_references(given) <= known and given["amount"] <= left[capture_id]
        )
        capture_id = next(fitting, None)
        if capture_id is not None:
            left[capture_id] -= given["amount"]
            ties[given["refund_id"]] = capture_id
    return ties


def _is_itemized(refund: sqlite3.Row) -> bool:
    lines = json.loads(refund["lines"])
    return bool(lines) and sum(line["total_amount"] for line in lines) == refund["amount"]


def _line_references(row: sqlite3.Row) -> set[str | None]:
    return {line.get("reference") for line in json.loads(row["lines"])}


def _order_view(world: World, order: sqlite3.Row) -> dict[str, Any]:
    status = _status(world, order)
    remaining = order["order_amount"] - order["captured_amount"] if status in _OPEN else 0
    token = world.ledger.one("SELECT country, locale FROM tokens WHERE token_id = ?", order["token_id"])
    details = world.ledger.row("SELECT details FROM order_details WHERE order_id = ?", order["order_id"])
    view = {
        "order_id": order["order_id"],
        "status": status,
        "fraud_status": order["fraud_status"],
        "order_amount": order["order_amount"],
        "original_order_amount": order["order_amount"],
        "captured_amount": order["captured_amount"],
        "refunded_amount": order["refunded_amount"],
        "remaining_authorized_amount": remaining,
        # Klarna's own samples answer in lower case, whatever was sent: a client must compare without case.
        "purchase_currency": order["currency"].lower(),
        "purchase_country": token["country"].lower(),
        "locale": token["locale"],
        "order_lines": json.loads(order["lines"]),
        "created_at": order["created_at"],
        "expires_at": order["expires_at"],
        "klarna_reference": order["klarna_reference"],
        "initial_payment_method": {"type": "INVOICE", "description": "Pay later"},
    }
    references = {name: order[name] for name in ("merchant_reference1", "merchant_reference2") if order[name]}
    return view | references | (json.loads(details["details"]) if details else {})


def _capture_view(capture: sqlite3.Row, refunds: list[sqlite3.Row], ties: dict[str, str]) -> dict[str, Any]:
    tied = (refund["amount"] for refund in refunds if ties.get(refund["refund_id"]) == capture["capture_id"])
    view = {
        "capture_id": capture["capture_id"],
        "klarna_reference": capture["klarna_reference"],
        "captured_amount": capture["amount"],
        "refunded_amount": sum(tied),
        "captured_at": capture["captured_at"],
        "order_lines": json.loads(capture["lines"]),
    }
    return view | _present(capture)


def _refund_view(refund: sqlite3.Row, ties: dict[str, str]) -> dict[str, Any]:
    view = {
        "refund_id": refund["refund_id"],
        "refunded_amount": refund["amount"],
        "refunded_at": refund["refunded_at"],
        "credit_invoice": refund["refund_id"] in ties,
        "order_lines": json.loads(refund["lines"]),
    }
    return view | _present(refund)


def _present(row: sqlite3.Row) -> dict[str, str]:
    return {name: row[name] for name in ("reference", "description") if row[name] is not None}
