"""What a hostile or broken server can answer, and both adapters as they call it: no sandbox, every byte written here.

`Speaker` is one generation: its gateway on a given address, its calls, and the answer that would be right. `BODIES` are
contents in place of the right one, `WIRES` ways of sending in place of sending it whole.
"""

import gzip
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import Queue
from threading import Thread
from typing import Any
from xmlrpc.client import dumps

from billing.adapters.klarna_legacy.gateway import KlarnaLegacy
from billing.adapters.klarna_rest.gateway import KlarnaRest
from billing.adapters.network import Network
from billing.domain.operations import OperationKind
from billing.ports import Call, Outcome, PaymentGateway
from tests.fakes.calls import PURCHASE_ID, a_call
from tests.fakes.legacy_calls import INVOICE_NUMBER, RNO, legacy_call
from tests.fakes.socket_server import Peer, Script, answer, silence

PURCHASE, CAPTURE, REFUND, VOID = (
    OperationKind.PURCHASE,
    OperationKind.CAPTURE,
    OperationKind.REFUND,
    OperationKind.VOID,
)
GUARD_SECONDS = 30
"""Far above every deadline given here: what has not arrived by then never will."""
DEEP = 100_000
JSON = "application/json"


@dataclass(frozen=True)
class Right:
    """The answer that would be right: its status line, its headers, its body."""

    status: str
    headers: tuple[str, ...]
    body: bytes

    def with_body(self, body: bytes, *headers: str) -> bytes:
        """The same answer around another body; `headers` replace the type of the content."""
        kept = [line for line in self.headers if not headers or not line.startswith("Content-Type")]
        return answer(self.status, body, *kept, *headers)

    @property
    def whole(self) -> bytes:
        return self.with_body(self.body)


class Speaker:
    """One adapter, and what it would be answered."""

    def gateway(self, url: str, network: Network, deadline_seconds: float) -> PaymentGateway:
        raise NotImplementedError

    def call(self, kind: OperationKind) -> Call:
        raise NotImplementedError

    def right(self, kind: OperationKind) -> Right:
        raise NotImplementedError


class RestSpeaker(Speaker):
    def gateway(self, url: str, network: Network, deadline_seconds: float) -> PaymentGateway:
        return KlarnaRest("main", url, "user", "password", network, deadline_seconds)

    def call(self, kind: OperationKind) -> Call:
        return a_call(kind)

    def right(self, kind: OperationKind) -> Right:
        place = f"Location: https://klarna.example/ordermanagement/v1/orders/{PURCHASE_ID}"
        match kind:
            case OperationKind.PURCHASE:
                body = {"order_id": PURCHASE_ID, "fraud_status": "ACCEPTED", "redirect_url": "https://shop.example"}
                return Right("200 OK", (f"Content-Type: {JSON}",), json.dumps(body).encode())
            case OperationKind.CAPTURE:
                return Right("201 Created", (f"{place}/captures/c-1", "Capture-Id: c-1"), b"")
            case OperationKind.REFUND:
                return Right("201 Created", (f"{place}/refunds/r-1", "Refund-Id: r-1"), b"")
        return Right("200 OK", (), b"")


class LegacySpeaker(Speaker):
    def gateway(self, url: str, network: Network, deadline_seconds: float) -> PaymentGateway:
        return KlarnaLegacy("main", url, url, 4711, "sharedSecret", network, deadline_seconds)

    def call(self, kind: OperationKind) -> Call:
        return legacy_call(kind)

    def right(self, kind: OperationKind) -> Right:
        if kind is OperationKind.PURCHASE:
            vendor = "application/vnd.klarna.checkout.recurring-order-accepted-v1+json"
            return Right("200 OK", (f"Content-Type: {vendor}",), json.dumps({"reservation": RNO}).encode())
        value: Any = {CAPTURE: ["ok", INVOICE_NUMBER], VOID: "ok"}.get(kind, INVOICE_NUMBER)
        text = dumps((value,), methodresponse=True, encoding="iso-8859-1")
        return Right("200 OK", ("Content-Type: text/xml",), text.encode("iso-8859-1"))


SPEAKERS: Mapping[str, Speaker] = {"rest": RestSpeaker(), "legacy": LegacySpeaker()}


def sent(speaker: Speaker, call: Call, url: str, network: Network, deadline_seconds: float = 20.0) -> Outcome:
    """What became of one call; it fails here, and does not hang, where nothing comes back at all."""
    arrived: Queue[Outcome] = Queue()

    def ask() -> None:
        [(operation_id, outcome)] = speaker.gateway(url, network, deadline_seconds).send([call])
        assert operation_id == call.operation_id
        arrived.put(outcome)

    Thread(target=ask, daemon=True).start()
    return arrived.get(timeout=GUARD_SECONDS)


# --- contents ----------------------------------------------------------------------------------------------------

BOMB = (
    b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>"
    + b"".join(b"<!ENTITY %c '%s'>" % (letter, b"&%c;" % (letter - 1) * 10) for letter in range(98, 107))
    + b"]><methodResponse><params><param><value><string>&j;</string></value></param></params></methodResponse>"
)


def xml_with(inner: bytes) -> bytes:
    """An XML-RPC answer of one value."""
    return b"<?xml version='1.0'?><methodResponse><params><param>%b</param></params></methodResponse>" % inner


def twice(body: bytes) -> bytes:
    """The members of a JSON object, each given twice; of an XML answer its parameter."""
    return body[:-1] + b"," + body[1:] if body.startswith(b"{") else body.replace(b"</params>", body[-99:] * 2)


JSON_BODIES: Mapping[str, Callable[[bytes], bytes]] = {
    "no number": lambda _: b'{"order_id": NaN, "reservation": NaN, "fraud_status": "ACCEPTED"}',
    "infinity": lambda _: (
        b'{"order_id": "o", "reservation": "1", "fraud_status": "ACCEPTED", "order_amount": Infinity}'
    ),
    "names given twice": twice,
    "a list": lambda body: b"[" + body + b"]",
    "a deep list": lambda _: b"[" * DEEP + b"]" * DEEP,
    "a deep object": lambda _: b'{"order_id":' * DEEP + b"1" + b"}" * DEEP,
    "a deep member": lambda body: body[:-1] + b',"more":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "two documents": lambda body: body + body,
    "a number of a million digits": lambda body: body[:-1] + b',"order_amount":' + b"9" * 1_000_000 + b"}",
    "half of a letter": lambda body: body[:-1] + b',"reason":"\xc3"}',
}
XML_BODIES: Mapping[str, Callable[[bytes], bytes]] = {
    "an entity bomb": lambda _: BOMB,
    "an outer entity": lambda _: (
        b"<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/hostname'>]>" + xml_with(b"<value>&f;</value>")
    ),
    "an outer definition": lambda body: b"<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'>" + body.split(b"?>", 1)[-1],
    "no number": lambda _: xml_with(b"<value><double>NaN</double></value>"),
    "infinity": lambda _: xml_with(b"<value><double>Infinity</double></value>"),
    "deep arrays": lambda _: xml_with(b"<value><array><data>" * DEEP + b"<value/>" + b"</data></array></value>" * DEEP)[
        : 4 * 1024 * 1024
    ],
    "deep elements": lambda _: b"<a>" * DEEP + b"</a>" * DEEP,
    "parameters given twice": twice,
    "an unknown charset": lambda body: b"<?xml version='1.0' encoding='klingon'?>" + body.split(b"?>", 1)[-1],
    "another document": lambda body: body.replace(b"methodResponse", b"methodCall"),
    "nothing at all": lambda _: xml_with(b"<value><nil/></value>"),
    "a number above 32 bits": lambda _: xml_with(b"<value><int>99999999999</int></value>"),
}
BODIES: Mapping[str, Callable[[bytes], bytes]] = {
    "half": lambda body: (body or b'{"order_id"')[: len(body or b'{"order_id"') // 2],
    "a page": lambda _: b"<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1>",
    "noise": lambda _: bytes(range(256)) * 4,
    "zeros": lambda _: b"\0" * 4096,
    "an error": lambda _: b'{"error_code": "CAPTURE_NOT_ALLOWED", "error_messages": ["no"], "correlation_id": "c"}',
    "UTF-16": lambda body: (body or b"{}").decode("iso-8859-1").encode("utf-16"),
    "a packed bomb": lambda _: gzip.compress(b" " * 10_000_000),
}


# --- ways of sending ---------------------------------------------------------------------------------------------


def plain(content: bytes) -> Script:
    """Answer with these bytes, as often as asked."""

    def script(peer: Peer) -> None:
        while peer.request():
            peer.send(content)

    return script


def then(head: bytes, piece: bytes, pause: float = 0.0) -> Script:
    """After `head` the same piece for ever."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(head)
        while True:
            peer.send(piece)
            time.sleep(pause)

    return script


def cut(content: bytes, size: int, *, by_reset: bool = False) -> Script:
    """The first bytes of an answer, then the end of the connection."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(content[:size])
        if by_reset:
            peer.reset()

    return script


BLOCK = b"x" * 65_536
CHUNK = b"10000\r\n" + BLOCK + b"\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

WIRES: Mapping[str, Callable[[Right], Script]] = {
    "a gigabyte declared": lambda _: then(OK + b"Content-Length: 1000000000\r\n\r\n", BLOCK),
    "a gigabyte in chunks": lambda _: then(OK + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
    "a gigabyte until the end": lambda _: then(b"HTTP/1.0 200 OK\r\n\r\n", BLOCK),
    "a packed gigabyte": lambda _: then(OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNK),
    "one byte at a time": lambda _: then(OK + b"Content-Length: 100000\r\n\r\n", b"x", 0.05),
    "headers one byte at a time": lambda _: then(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05),
    "headers without end": lambda _: then(b"HTTP/1.1 200 OK\r\n", b"X-Header: 1\r\n" * 1000),
    "one huge header": lambda _: then(b"HTTP/1.1 200 OK\r\nX: ", BLOCK),
    "a status line without end": lambda _: then(b"HTTP/1.1 200 ", BLOCK),
    "a chunk's size without end": lambda _: then(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65_536),
    "trailers without end": lambda _: then(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 1000),
    "go on without end": lambda _: then(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "processing now and then": lambda _: then(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.05),
    "silence": lambda _: silence,
}
"""Those that would never end: only the size or the deadline stops them."""

BROKEN: Mapping[str, Callable[[Right], Script]] = {
    "a longer length": lambda right: cut(whole_with_length(right, len(right.body) + 10), 10_000),
    "a negative length": lambda right: plain(whole_with_length(right, -1)),
    "two lengths": lambda right: plain(right.whole.replace(b"\r\n", b"\r\nContent-Length: 7\r\n", 1)),
    "no number as length": lambda right: plain(right.whole.replace(b"Content-Length: ", b"Content-Length: x")),
    "a chunk of no size": lambda _: plain(OK + b"Transfer-Encoding: chunked\r\n\r\nhello\r\n"),
    "no status": lambda right: plain(right.whole.replace(b"HTTP/1.1 ", b"HTTP/1.1 x")),
    "another protocol": lambda _: plain(b"SSH-2.0-OpenSSH_9\r\n\r\n"),
    "a reset at once": lambda right: cut(right.whole, 0, by_reset=True),
    "the end at once": lambda right: cut(right.whole, 0),
    "a switch of protocols": lambda _: plain(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
}


def whole_with_length(right: Right, length: int) -> bytes:
    """The right answer under a wrong length."""
    head, body = right.whole.split(b"\r\n\r\n", 1)
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % length, b"", body])
