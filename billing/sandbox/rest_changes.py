"""Klarna's Order Management: what changes about an order without taking or giving back money."""

import json
import sqlite3
from datetime import timedelta
from typing import Any

from billing.sandbox import orders
from billing.sandbox.clock import instant
from billing.sandbox.rest import check_no_body, existing, existing_capture
from billing.sandbox.validation import (
    AMOUNT_MAX,
    ORDER_MANAGEMENT,
    Fields,
    check_address,
    check_shipping_info,
    check_sums,
    read_lines,
)
from billing.sandbox.wire import Answer, Call, Refusal, json_answer
from billing.sandbox.world import World

AUTHORIZATION_DAYS_MAX = 180
"""No authorization lives longer than this, however often it is extended."""

NOT_INCREASED = frozenset({"CH"})
"""Where an order's amount cannot be raised."""

DUE_DATE_DAYS = (14, 30, 60)
FEE_PER_DAY = 50
"""What a later due date costs the merchant, in minor units for each day of it."""


def update_authorization(world: World, call: Call) -> Answer:
    """Another amount, and other lines where some are sent: these replace all that were there."""
    fields = Fields(call.body, ORDER_MANAGEMENT)
    amount = fields.needed_whole("order_amount", 0, AMOUNT_MAX)
    fields.text("description", 255)
    lines = read_lines(fields)
    if lines:
        check_sums(fields, lines, amount, None)
    order = _open_order(world, call)
    if order["fraud_status"] != "ACCEPTED":
        raise _not_allowed("The order is under review or was rejected.")
    if amount < max(order["captured_amount"], 1):
        raise _not_allowed("The amount must not be below what is captured.")
    if amount > order["order_amount"]:
        _check_increase(world, order)
    orders.change(world, order, amount, call.body.get("order_lines"))
    return Answer(204)


def update_references(world: World, call: Call) -> Answer:
    fields = Fields(call.body, ORDER_MANAGEMENT)
    references = [fields.text(f"merchant_reference{n}", 255) for n in (1, 2)]
    order = existing(world, call.ids[0])
    if orders.status(world, order) == "CANCELLED":
        raise _not_allowed("The order is cancelled.")
    orders.refer(world, order, *references)
    return Answer(204)


def update_customer(world: World, call: Call) -> Answer:
    """Another shipping address; the billing address is what the customer was judged by, and stays."""
    fields = Fields(call.body, ORDER_MANAGEMENT)
    address = check_address(fields, "shipping_address")
    order = _open_order(world, call)
    if address is not None:
        orders.change_details(world, order, shipping_address=address)
        orders.note(world, order, "customer", {"shipping_address": address})
    return Answer(204)


def add_order_shipping(world: World, call: Call) -> Answer:
    order, added = _shipping(world, call)
    before = orders.details(world, order).get("shipping_info", [])
    orders.change_details(world, order, shipping_info=before + added)
    orders.note(world, order, "ship", added)
    return Answer(204)


def add_capture_shipping(world: World, call: Call) -> Answer:
    order, added = _shipping(world, call)
    if not orders.captures(world, order):
        raise _not_allowed("The order has no captures.")
    found = existing_capture(world, order, call.ids[1])
    details = json.loads(found["details"])
    details["shipping_info"] = details.get("shipping_info", []) + added
    _set_details(world, found, details)
    orders.note(world, order, "ship", added, found["capture_id"])
    return Answer(204)


def release(world: World, call: Call) -> Answer:
    check_no_body(call)
    order = existing(world, call.ids[0])
    if orders.status(world, order) != "PART_CAPTURED":
        raise _not_allowed("Only what is left of an order that is captured in part can be released.")
    orders.close(world, order, "release", call.key)
    return Answer(204)


def extend_authorization(world: World, call: Call) -> Answer:
    """The account's whole period from now on, but never more than 180 days after the order was made."""
    check_no_body(call)
    order = _open_order(world, call)
    period = timedelta(days=world.settings.values.authorization_days)
    latest = instant(order["created_at"]) + timedelta(days=AUTHORIZATION_DAYS_MAX)
    # The end of the day, so that a second call on the same day changes nothing.
    midnight = world.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    orders.extend(world, order, min(midnight + timedelta(days=1) + period, latest))
    return Answer(204)


def due_date_options(world: World, call: Call) -> Answer:
    order = existing(world, call.ids[0])
    existing_capture(world, order, call.ids[1])
    options = [{"number_of_days": days, "amount": days * FEE_PER_DAY} for days in DUE_DATE_DAYS]
    return json_answer({"currency": order["currency"], "options": options})


def extend_due_date(world: World, call: Call) -> Answer:
    days = Fields(call.body, ORDER_MANAGEMENT).needed_whole("number_of_days", -(2**31), 2**31 - 1)
    order = existing(world, call.ids[0])
    found = existing_capture(world, order, call.ids[1])
    if days not in DUE_DATE_DAYS:
        raise _not_allowed("The due date can only be moved by one of the options.")
    details = json.loads(found["details"])
    if "due_date_moved_days" in details:
        raise _not_allowed("The due date was moved before.")
    _set_details(world, found, details | {"due_date_moved_days": days})
    content = {"number_of_days": days, "fee": days * FEE_PER_DAY}
    orders.note(world, order, "extend_due_date", content, found["capture_id"])
    return Answer(204)


def acknowledge(world: World, call: Call) -> Answer:
    """Only orders of the checkout need it; it does no harm to others."""
    check_no_body(call)
    orders.note(world, existing(world, call.ids[0]), "acknowledge", {})
    return Answer(204)


def _open_order(world: World, call: Call) -> sqlite3.Row:
    order = existing(world, call.ids[0])
    status = orders.status(world, order)
    if status not in orders.OPEN:
        raise _not_allowed(f"An order that is {status} cannot be changed.")
    return order


def _check_increase(world: World, order: sqlite3.Row) -> None:
    """More than before is a new risk check, which a token that has ended does not pass."""
    if order["country"] in NOT_INCREASED:
        raise _not_allowed(f"An order cannot be increased in {order['country']}.")
    token = world.ledger.row("SELECT status FROM tokens WHERE token_id = ?", order["token_id"])
    if token is not None and token["status"] != "ACTIVE":
        raise _not_allowed("The increase was not approved.")


def _shipping(world: World, call: Call) -> tuple[sqlite3.Row, list[dict[str, Any]]]:
    fields = Fields(call.body, ORDER_MANAGEMENT)
    check_shipping_info(fields)
    added = call.body.get("shipping_info")
    if not added:
        fields.refuse("shipping_info", "must have at least one entry")
    order = existing(world, call.ids[0])
    if orders.status(world, order) == "CANCELLED":
        raise _not_allowed("The order is cancelled.")
    return order, added


def _set_details(world: World, capture: sqlite3.Row, details: dict[str, Any]) -> None:
    world.ledger.write(
        "UPDATE captures SET details = ? WHERE capture_id = ?", json.dumps(details), capture["capture_id"]
    )


def _not_allowed(message: str) -> Refusal:
    return Refusal(403, "NOT_ALLOWED", message)
