"""Klarna's older interfaces as a client of that time speaks them, written from the wire facts alone.

Knows nothing of the service and nothing of the sandbox: XML-RPC with the digests given by hand, recurring orders in
JSON. The digest of a call is made from a list of parts, so that each test shows what it signs.
"""

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from xmlrpc.client import Fault, dumps, loads

import httpx

EID, SECRET = 4711, "sharedSecret"
VERSIONS = ("4.1", "python:api:3.1.0")
VENDOR = "application/vnd.klarna.checkout.recurring-order"


def digest(*parts: Any) -> str:
    preimage = ":".join([*(str(part) for part in parts), SECRET])
    return base64.b64encode(hashlib.sha512(preimage.encode("iso-8859-1")).digest()).decode()


def authorization(body: bytes = b"", secret: str = SECRET) -> str:
    return "Klarna " + base64.b64encode(hashlib.sha256(body + secret.encode()).digest()).decode()


def item(**changes: Any) -> dict[str, Any]:
    """A month of plants: 100.00 SEK with 25 % tax in it."""
    return {"reference": "PLANT", "name": "Växt", "quantity": 1, "unit_price": 10000, "tax_rate": 2500} | changes


def good(price: int, artno: str = "PLANT", **changes: Any) -> dict[str, Any]:
    goods = {"artno": artno, "title": artno or "Växt", "price": price, "vat": 25, "discount": 0, "flags": 32}
    quantity = changes.pop("qty", 1)
    return {"goods": goods | changes, "qty": quantity}


def article(quantity: int, artno: str = "PLANT") -> dict[str, Any]:
    return {"artno": artno, "qty": quantity}


class OlderKlarna:
    """One merchant. A method returns its answer, or the number of its fault where `fault` is asked for."""

    def __init__(self, sandbox: Any, path: str = "/xmlrpc") -> None:
        self.sandbox, self.path = sandbox, path

    def post(self, content: bytes, content_type: str = "text/xml", path: str | None = None) -> httpx.Response:
        headers = {"Content-Type": content_type}
        return httpx.post(self.sandbox.url + (path or self.path), content=content, headers=headers, timeout=20)

    def call(self, method: str, *parameters: Any) -> Any:
        text = dumps((*VERSIONS, *parameters), method, encoding="iso-8859-1")
        answer = self.post(text.encode("iso-8859-1", "xmlcharrefreplace"))
        assert answer.status_code == 200
        return loads(answer.content)[0][0]

    def fault(self, method: str, *parameters: Any) -> int:
        try:
            answer = self.call(method, *parameters)
        except Fault as fault:
            return fault.faultCode
        raise AssertionError(f"{method} was not refused but answered {answer!r}")

    def order(self, token: str = "always_ok", *, items: Any = None, **changes: Any) -> httpx.Response:
        body: dict[str, Any] = {
            "purchase_country": "SE",
            "purchase_currency": "SEK",
            "locale": "sv-se",
            "merchant": {"id": str(EID)},
            "activate": False,
            "cart": {"items": items or [item()]},
        }
        raw = json.dumps(body | changes, ensure_ascii=False).encode()
        headers = {"Content-Type": f"{VENDOR}-v1+json", "Authorization": authorization(raw)}
        return httpx.post(
            f"{self.sandbox.url}/checkout/recurring/{token}/orders", content=raw, headers=headers, timeout=20
        )

    def status(self, token: str) -> httpx.Response:
        return httpx.get(f"{self.sandbox.url}/checkout/recurring/{token}", headers={"Authorization": authorization()})

    def rno(self, token: str = "always_ok", **changes: Any) -> str:
        return self.order(token, **changes).json()["reservation"]

    def ripe_rno(self, token: str = "always_ok", **changes: Any) -> str:
        """A reservation that is old enough to be activated."""
        rno = self.rno(token, **changes)
        self.sandbox.advance(minutes=31)
        return rno

    def invoice(self, **changes: Any) -> str:
        return self.activate(self.ripe_rno(**changes))[1]

    def activation(self, rno: str, artnos: Any = None, **info: Any) -> tuple[Any, ...]:
        own = [info[name] for name in sorted(info) if name != "shipment_info"]
        listed = [value for entry in artnos or [] for value in (entry["artno"], entry["qty"])]
        shipment = info.get("shipment_info", {"delay_adjust": 1})
        signed = digest("4", "1", VERSIONS[1], EID, rno, *own, shipment["delay_adjust"], *listed)
        sent = info | {"shipment_info": shipment} | ({"artnos": artnos} if artnos else {})
        return ("activate", EID, signed, rno, sent)

    def activate(self, rno: str, artnos: Any = None, **info: Any) -> list[str]:
        return self.call(*self.activation(rno, artnos, **info))

    def on_rno(self, method: str, rno: str) -> tuple[Any, ...]:
        return (method, rno, EID, digest(EID, rno))

    def on_invoice(self, method: str, invno: str, *before: Any, after: tuple[Any, ...] = ()) -> tuple[Any, ...]:
        return (method, EID, invno, *before, digest(EID, invno), *after)

    def credit(self, invno: str, artnos: Any, credno: str = "", goods: Any = None) -> tuple[Any, ...]:
        listed = [value for entry in artnos or [] for value in (entry["artno"], entry["qty"])]
        charged = (0, goods) if goods else ()
        return ("credit_part", EID, invno, artnos, credno, digest(EID, invno, *listed), *charged)

    def update(self, rno: str, goods: Any = "", orderid1: str = "", orderid2: str = "") -> tuple[Any, ...]:
        listed = [value for line in goods for value in (line["goods"]["artno"] or line["goods"]["title"], line["qty"])]
        parts = ["4", "1", VERSIONS[1], EID, rno, *listed, orderid1, orderid2]
        signed = digest(*(part for part in parts if part != ""))
        info = {"goods_list": goods, "dlv_addr": [], "bill_addr": [], "orderid1": orderid1, "orderid2": orderid2}
        return ("update", EID, signed, rno, info)

    def reserve(self, amount: int = 10000, *, country: int = 209, **address: Any) -> tuple[Any, ...]:
        """A purchase with the customer present, as the PHP client sends it: empty arrays for empty structs."""
        place = {"email": "", "fname": "Testperson-se", "lname": "Approved", "country": country} | address
        nothing: list[Any] = []
        return (
            *("reserve_amount", "410321-9202", "", amount, "", "", "o1", "o2", place, place, "203.0.113.7", 0, 0),
            *(country, 138, EID, digest(EID, "410321-9202", amount), 2, -1, [good(amount)], "", nothing, nothing),
            *(nothing, nothing, nothing, nothing),
        )

    def check(self, wanted: str, kind: int) -> tuple[Any, ...]:
        return ("check_order_status", EID, digest(EID, wanted), wanted, kind)

    def row(self, rno: str) -> dict[str, Any]:
        """The reservation in the sandbox's books."""
        return self.sandbox.rows("SELECT * FROM orders WHERE order_id = ?", rno)[0]

    def now(self) -> datetime:
        return datetime.fromisoformat(self.sandbox.client.get("/_sandbox/clock").json()["now"]).astimezone(UTC)
