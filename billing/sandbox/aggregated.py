"""The checkout of the older generation, as far as a recurring token comes of it.

An order is created, completed by the customer on a page, read for its reservation and token, and acknowledged.
"""

import json
import sqlite3
from typing import Any

from billing.sandbox import carts, goods, orders, tokens
from billing.sandbox.validation import Fields
from billing.sandbox.wire import Answer, Call, Refusal
from billing.sandbox.world import World, new_id, new_number

INCOMPLETE, COMPLETE, CREATED = "checkout_incomplete", "checkout_complete", "created"


def create(world: World, call: Call) -> Answer:
    fields = Fields(call.body, carts.LEGACY)
    carts.check_merchant(fields)
    _read(fields)
    checkout_id = new_id()
    world.ledger.insert(
        "checkouts",
        checkout_id=checkout_id,
        content=json.dumps(call.body),
        status=INCOMPLETE,
        created_at=world.clock.stamp_now(),
    )
    return Answer(201, b"", {"Location": f"http://{call.host}/checkout/orders/{checkout_id}"})


def read(world: World, call: Call) -> Answer:
    return carts.typed_answer("aggregated-order-v2", _view(world, existing(world, call.ids[0]), call.host))


def update(world: World, call: Call) -> Answer:
    """Another cart while it is incomplete; `created` and the merchant's references once it is complete."""
    checkout, fields = existing(world, call.ids[0]), Fields(call.body, carts.LEGACY)
    content = json.loads(checkout["content"]) | {name: call.body[name] for name in call.body if name != "status"}
    status = fields.text("status", 255) or checkout["status"]
    if status != checkout["status"] and (checkout["status"], status) != (COMPLETE, CREATED):
        raise Refusal(400, "BAD_VALUE", f"An order that is {checkout['status']} cannot become {status}.")
    references = carts.read_references(fields)
    if checkout["order_id"] and any(references):
        order = orders.find(world, checkout["order_id"], orders.LEGACY)
        assert order is not None, "a completed checkout has its reservation"
        orders.refer(world, order, *references)
    if checkout["status"] == INCOMPLETE:
        _read(Fields(content, carts.LEGACY))
    world.ledger.write(
        "UPDATE checkouts SET content = ?, status = ? WHERE checkout_id = ?",
        json.dumps(content),
        status,
        checkout["checkout_id"],
    )
    return carts.typed_answer("aggregated-order-v2", _view(world, existing(world, call.ids[0]), call.host))


def existing(world: World, checkout_id: str) -> sqlite3.Row:
    checkout = world.ledger.row("SELECT * FROM checkouts WHERE checkout_id = ?", checkout_id)
    if checkout is None:
        raise Refusal(404, "NOT_FOUND", "There is no such order")
    return checkout


def complete(world: World, checkout_id: str, behaviour: str, seed: str | None) -> str | None:
    """What the customer does on the page; returns the recurring token, if the order asks for one."""
    checkout = existing(world, checkout_id)
    if checkout["status"] != INCOMPLETE:
        raise Refusal(409, "CONFLICT", "The order is complete already.")
    fields = Fields(json.loads(checkout["content"]), carts.LEGACY)
    country, currency, lines, addresses = _read(fields)
    references, locale = carts.read_references(fields), str(fields.values["locale"])
    token_id = None
    if fields.flag("recurring"):
        token_id = new_id()
        place = {"country": country, "locale": locale}
        tokens.add(
            world, token_id, behaviour=behaviour, seed=seed, generation=orders.LEGACY, currency=currency, **place
        )
    new = orders.NewOrder(
        order_id=new_number(10),
        generation=orders.LEGACY,
        origin="checkout",
        currency=currency,
        country=country,
        locale=locale,
        amount=goods.total(lines),
        tax=sum(line["total_tax_amount"] for line in lines),
        lines=lines,
        token_id=token_id or "",
        reference1=references[0],
        reference2=references[1],
        review=tokens.REVIEWS.get(behaviour),
        details=addresses,
    )
    world.ledger.write(
        "UPDATE checkouts SET status = ?, order_id = ?, token_id = ? WHERE checkout_id = ?",
        COMPLETE,
        orders.place(world, new)["order_id"],
        token_id,
        checkout_id,
    )
    return token_id


def _read(fields: Fields) -> tuple[str, str, list[goods.Line], dict[str, Any]]:
    country, currency = carts.read_place(fields)
    fields.flag("recurring")
    carts.read_references(fields)
    return country, currency, carts.read_cart(fields), carts.read_addresses(fields)


def _view(world: World, checkout: sqlite3.Row, host: str) -> dict[str, Any]:
    page = f"http://{host}/_sandbox/checkouts/{checkout['checkout_id']}"
    view: dict[str, Any] = json.loads(checkout["content"]) | {
        "id": checkout["checkout_id"],
        "status": checkout["status"],
        "started_at": checkout["created_at"],
        "gui": {"layout": "desktop", "snippet": f'<div><a href="{page}">Approve the purchase</a></div>'},
    }
    if checkout["order_id"]:
        view["reservation"] = checkout["order_id"]
    if checkout["token_id"]:
        token = tokens.find(world, checkout["token_id"], orders.LEGACY)
        if token is not None:
            view["recurring_token"] = token["token_id"]
    return view
