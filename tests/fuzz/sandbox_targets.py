"""The sandbox's readers of requests, in this process: a request is answered or refused, and breaks nothing."""

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any, NoReturn
from uuid import uuid4
from xmlrpc.client import dumps

from billing.sandbox import methods, routes, tokens, xmlrpc
from billing.sandbox.arguments import Arguments
from billing.sandbox.clock import Clock
from billing.sandbox.ledger import Ledger
from billing.sandbox.settings import Settings
from billing.sandbox.wire import Answer, Call, Refusal, Withheld
from billing.sandbox.world import World
from tests.adapters.klarna_of_that_time import EID, VERSIONS, article, good, item

LINE = {"name": "Coffee", "quantity": 1, "unit_price": 1990, "total_amount": 1990, "tax_rate": 2500}
LINE |= {"total_tax_amount": 398, "reference": "coffee", "type": "physical"}
PLACE = {"purchase_country": "DE", "purchase_currency": "EUR", "locale": "de-DE"}
ORDER = {"purchase_currency": "EUR", "order_amount": 1990, "order_tax_amount": 398, "order_lines": [LINE]}
CART = {"purchase_country": "SE", "purchase_currency": "SEK", "locale": "sv-se", "merchant": {"id": "4711"}}
CART |= {"cart": {"items": [item()]}, "recurring": True, "merchant_reference": {"orderid1": "a", "orderid2": "b"}}
ADDRESS = {"email": "a@example.com", "fname": "Kim", "lname": "Ek", "street": "Stårgatan 1", "zip": "1", "country": 209}


class _Undone(Exception):
    """Rolls an effect back, so that each request meets the same books."""


@cache
def world() -> World:
    """Books in a directory of their own, with one order and one invoice to speak of."""
    directory = tempfile.mkdtemp(prefix="fuzz-sandbox-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    ledger = Ledger(Path(directory))
    return World(ledger, Clock(ledger), Settings(ledger), "fuzz")


@cache
def known() -> dict[str, str]:
    """Ids of what the books hold."""
    with world().ledger.effect():
        place = _answered(world(), "POST", "/customer-token/v1/tokens/always_ok/order", json.dumps(ORDER).encode())
        body = json.dumps(CART | {"activate": False}).encode()
        reserved = _answered(world(), "POST", "/checkout/recurring/always_ok/orders", body)
        session = json.dumps(PLACE | ORDER | {"intent": "tokenize"}).encode()
        opened = _answered(world(), "POST", "/payments/v1/sessions", session)
        tokens.add(world(), "tok", behaviour="always_ok", generation="both", currency="")
    return {
        "order": json.loads(place.content)["order_id"],
        "rno": json.loads(reserved.content)["reservation"],
        "session": json.loads(opened.content)["session_id"],
    }


def rest_seeds() -> list[bytes]:
    """Valid bodies of the JSON interfaces and of the control of the sandbox."""
    bodies: list[dict[str, Any]] = [
        *(
            ORDER,
            PLACE | ORDER | {"intent": "buy_and_tokenize", "merchant_urls": {"confirmation": "https://s.example"}},
        ),
        *(
            {"captured_amount": 1990, "order_lines": [LINE]},
            {"refunded_amount": 1, "reference": "op"},
            {"status": "CANCELLED"},
        ),
        *(
            PLACE | {"description": "x", "intended_use": "SUBSCRIPTION"},
            {"number_of_days": 14},
            CART | {"activate": True},
        ),
        *({"shipping_info": [{"tracking_number": "T", "shipping_method": "Home"}]}, {"advance_seconds": 60}),
        *(
            {"answers": [{"fault": "not_found", "seconds": 60, "reference": "x"}]},
            {"behaviour": "flaky", "generation": "rest"},
        ),
        *(
            {"risk": "no_risk", "review_seconds": 60},
            {"token": "decline_soft", "seed": "x"},
            {"set": "2028-01-01T00:00:00Z"},
        ),
        *({"action": "refund", "amount": 10}, {"shipping_address": {"city": "Bremen"}}, {"order_amount": 1000}),
    ]
    return [json.dumps(body).encode() for body in bodies]


def xml_seeds() -> list[bytes]:
    """Valid calls of the older generation; what they sign is not looked at here."""
    info = {"orderid1": "a", "artnos": [article(1)], "shipment_info": {"delay_adjust": 1}, "flags": 8}
    change = {"goods_list": [good(10000)], "dlv_addr": ADDRESS, "bill_addr": [], "orderid1": "", "orderid2": "b"}
    rno, invno = known()["rno"], "12345678901234567"
    calls: list[tuple[Any, ...]] = [
        *(("activate", EID, "d", rno, info), ("update", EID, "d", rno, change), ("cancel_reservation", rno, EID, "d")),
        *(("change_reservation", rno, 100, EID, "d", 1), ("split_reservation", rno, 100, "a", "b", 0, EID, "d")),
        *(
            ("credit_part", EID, invno, [article(1)], "c", "d", 0, [good(1)]),
            ("return_amount", EID, invno, 1, 25, "d", 32, "x"),
        ),
        *(
            ("check_order_status", EID, "d", rno, 0),
            ("extend_invoice_due_date", EID, invno, "d", {"days": 1, "calculate_only": True}),
        ),
        *(
            ("extend_expiry_date", rno, EID, "d"),
            ("get_pclasses", EID, 0, "d", 209, 138),
            ("reserve_ocr_nums", 2, EID, "d", 209),
        ),
        (
            "reserve_amount",
            "410321-9202",
            "",
            10000,
            "",
            "",
            "a",
            "b",
            ADDRESS,
            ADDRESS,
            "",
            0,
            0,
            209,
            138,
            EID,
            "d",
            2,
            -1,
            [good(1)],
        ),
    ]
    written = [dumps((*VERSIONS, *params), name, encoding="iso-8859-1") for name, *params in calls]
    return [text.encode("iso-8859-1", "xmlcharrefreplace") for text in written]


def rest_request(content: bytes, random: Random) -> None:
    """These bytes as the body of any call but XML-RPC."""
    path, method = random.choice(_addresses())
    _undone(partial(_answered, world(), method, path, content))


def xml_request(content: bytes, random: Random) -> None:
    """These bytes as an XML-RPC call, first whole, then past the check of its digest."""
    path = random.choice(sorted(routes.XMLRPC_PATHS))
    _undone(partial(_answered, world(), "POST", path, content))
    try:
        name, parameters = xmlrpc.read_call(content, random.choice(("text/xml", "text/xml; charset=ISO-8859-1")))
    except Refusal:
        return
    if method := methods.METHODS.get(name):
        named = dict(zip(("p", "c", *method.parameters.split()), parameters, strict=False))
        call = Call("POST", f"/xmlrpc/{name}", "h", None, content, "c", parameters=parameters)
        _undone(lambda: xmlrpc.response(method.handler(world(), Arguments(named, call))))


@cache
def _addresses() -> list[tuple[str, str]]:
    """Every path with what the books know in it, and every method that takes a body."""
    ids = {"tokens": "tok", "sessions": known()["session"], "recurring": "tok", "orders": known()["order"]}
    found = []
    for path, rows in routes._TABLE.items():
        parts = path.split("/")
        filled = [ids.get(parts[n - 1], "unknown") if part == "{id}" else part for n, part in enumerate(parts)]
        found += [("/".join(filled), method) for method in rows if method in ("POST", "PATCH")]
    return found


def _answered(world: World, method: str, path: str, content: bytes) -> Answer:
    found = routes.find(path)
    assert found is not None, path
    rows, ids = found
    kind = "application/json" if path != "/_sandbox/approve" else "application/x-www-form-urlencoded"
    call = Call(method, path, "127.0.0.1", str(uuid4()), content, "c", ids, content_type=kind)
    call = methods.read(call) if path in routes.XMLRPC_PATHS else call
    return rows[method].handler(world, call)


def _undone(ask: Callable[[], Answer]) -> None:
    try:
        with world().ledger.effect():
            _check_and_undo(ask())
    except (_Undone, Refusal, Withheld):
        return


def _check_and_undo(answer: Answer) -> NoReturn:
    assert 200 <= answer.status < 500, "a request broke the sandbox"
    raise _Undone
