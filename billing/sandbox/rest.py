"""Klarna's Order Management: taking an order's money, giving it back, giving the order up, and reading all of it."""

import json
import sqlite3
from typing import Any

from billing.sandbox import orders, tokens
from billing.sandbox.rest_views import capture_view, capture_views, order_view, refund_view, ties
from billing.sandbox.validation import AMOUNT_MAX, ORDER_MANAGEMENT, Fields, check_shipping_info, read_lines
from billing.sandbox.wire import Answer, Call, Refusal, json_answer
from billing.sandbox.world import World


def read_order(world: World, call: Call) -> Answer:
    return json_answer(order_view(world, existing(world, call.ids[0])))


def capture(world: World, call: Call) -> Answer:
    fields = Fields(call.body, ORDER_MANAGEMENT)
    amount = fields.needed_whole("captured_amount", 0, AMOUNT_MAX)
    _read_notes(fields)
    check_shipping_info(fields)
    if fields.whole("shipping_delay", 0, 2**63 - 1):
        fields.refuse("shipping_delay", "is not enabled for this account")
    order = existing(world, call.ids[0])
    _check_capture(world, order, amount)
    fault = tokens.fault_of_follow_up(world, order, call, "capture")
    shipping = call.body.get("shipping_info")
    lines = call.body.get("order_lines") or _whole_lines(order, amount)
    capture_id = orders.capture(
        world,
        order,
        amount,
        lines=lines,
        reference=call.body.get("reference"),
        description=call.body.get("description"),
        risk=world.settings.values.risk if order["fraud_status"] == "ACCEPTED" else "no_risk",
        details={"shipping_info": shipping} if shipping else None,
    )
    orders.send_out(world, order["order_id"], capture_id, "capture")
    return Answer(201, b"", _created(call, "captures", capture_id, "Capture-Id"), fault)


def capture_whole(world: World, order: sqlite3.Row) -> None:
    """Captures everything at once, as an order with `auto_capture` asks for."""
    capture_id = orders.capture(world, order, order["order_amount"], lines=json.loads(order["lines"]))
    orders.send_out(world, order["order_id"], capture_id, "capture")


def list_captures(world: World, call: Call) -> Answer:
    return json_answer(capture_views(world, existing(world, call.ids[0])))


def read_capture(world: World, call: Call) -> Answer:
    order = existing(world, call.ids[0])
    found = existing_capture(world, order, call.ids[1])
    refunds = orders.refunds(world, order)
    return json_answer(capture_view(found, refunds, ties(orders.captures(world, order), refunds)))


def trigger_send_out(world: World, call: Call) -> Answer:
    check_no_body(call)
    order = existing(world, call.ids[0])
    if not orders.captures(world, order):
        raise Refusal(403, "NOT_ALLOWED", "The order has no captures.")
    found = existing_capture(world, order, call.ids[1])
    orders.send_out(world, order["order_id"], found["capture_id"], "trigger")
    return Answer(204)


def refund(world: World, call: Call) -> Answer:
    fields = Fields(call.body, ORDER_MANAGEMENT)
    amount = fields.needed_whole("refunded_amount", 0, AMOUNT_MAX)
    _read_notes(fields)
    order = existing(world, call.ids[0], "NOT_FOUND")
    _check_refund(order, amount)
    fault = tokens.fault_of_follow_up(world, order, call, "refund")
    refund_id = orders.refund(
        world,
        order,
        amount,
        lines=call.body.get("order_lines") or [],
        reference=call.body.get("reference"),
        description=call.body.get("description"),
    )
    return Answer(201, b"", _created(call, "refunds", refund_id, "Refund-Id"), fault)


def read_refund(world: World, call: Call) -> Answer:
    order = existing(world, call.ids[0], "NOT_FOUND")
    refunds = orders.refunds(world, order)
    found = next((row for row in refunds if row["refund_id"] == call.ids[1]), None)
    if found is None:
        raise Refusal(404, "NOT_FOUND", "There is no such refund.")
    return json_answer(refund_view(found, ties(orders.captures(world, order), refunds)))


def cancel(world: World, call: Call) -> Answer:
    check_no_body(call)
    order = existing(world, call.ids[0])
    status = orders.status(world, order)
    if status != "AUTHORIZED":
        raise Refusal(403, "CANCEL_NOT_ALLOWED", f"An order that is {status} cannot be cancelled.")
    orders.close(world, order, "cancel", call.key)
    return Answer(204)


def existing(world: World, order_id: str, missing: str = "NO_SUCH_ORDER") -> sqlite3.Row:
    """The order of that id as of now; raises Refusal 404 with the code `missing`."""
    order = orders.find(world, order_id, orders.REST)
    if order is None:
        raise Refusal(404, missing, "There is no such order.")
    return order


def existing_capture(world: World, order: sqlite3.Row, capture_id: str) -> sqlite3.Row:
    found = world.ledger.row(
        "SELECT * FROM captures WHERE capture_id = ? AND order_id = ?", capture_id, order["order_id"]
    )
    if found is None:
        raise Refusal(404, "NO_SUCH_CAPTURE", "The order has no such capture.")
    return found


def check_no_body(call: Call) -> None:
    _ = call.body  # public clients send an empty object; anything but an object is refused on reading


def _read_notes(fields: Fields) -> None:
    fields.text("description", 255)
    fields.text("reference", 255)
    read_lines(fields)


def _check_capture(world: World, order: sqlite3.Row, amount: int) -> None:
    status = orders.status(world, order)
    if status not in orders.OPEN:
        raise Refusal(403, "CAPTURE_NOT_ALLOWED", f"An order that is {status} cannot be captured.")
    if order["fraud_status"] == "PENDING":
        raise Refusal(403, "CAPTURE_NOT_ALLOWED", "The order is under review.")
    if not 0 < amount <= orders.remaining(world, order):
        raise Refusal(403, "CAPTURE_NOT_ALLOWED", "The amount must lie between 1 and what remains authorized.")
    if orders.is_early(world, order):
        raise Refusal(403, "CAPTURE_NOT_ALLOWED", "An order cannot be captured in its first 30 minutes.")


def _check_refund(order: sqlite3.Row, amount: int) -> None:
    if order["captured_amount"] == 0:
        raise Refusal(403, "REFUND_NOT_ALLOWED", "The order has no captures.")
    if not 0 < amount <= order["captured_amount"] - order["refunded_amount"]:
        raise Refusal(403, "REFUND_NOT_ALLOWED", "The amount must lie between 1 and what is captured, less refunds.")


def _whole_lines(order: sqlite3.Row, amount: int) -> list[dict[str, Any]]:
    """All lines for a capture of everything; which lines a bare part stands for, nobody can know."""
    lines: list[dict[str, Any]] = json.loads(order["lines"])
    return lines if amount == order["order_amount"] else []


def _created(call: Call, kind: str, new: str, header: str) -> dict[str, str]:
    return {"Location": f"http://{call.host}/ordermanagement/v1/orders/{call.ids[0]}/{kind}/{new}", header: new}
