"""Well-formed answers that say something else than what was asked: another order, amount, currency, reference, id."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from billing.adapters.klarna_legacy.gateway import KlarnaLegacy
from billing.adapters.klarna_rest.gateway import KlarnaRest
from billing.adapters.network import Network
from billing.domain.operations import OperationKind
from billing.domain.tokens import Token
from billing.ports import Outcome, Succeeded, Unknown
from tests.adapters.hostile import CAPTURE, PURCHASE, REFUND, SPEAKERS, VOID, plain, sent, xml_with
from tests.fakes.calls import OPERATION_ID, PURCHASE_ID
from tests.fakes.legacy_calls import INVOICE_NUMBER, RNO
from tests.fakes.socket_server import SocketServer, answer

REST, LEGACY = SPEAKERS["rest"], SPEAKERS["legacy"]
STRANGE_IDS = [
    *("", " ", "a b", "a/b", "a\n", "\u0661\u0662", "o\u0435", "\u202eabc", "x" * 256, "\ud800", "a\u0000b"),
    *(7, 1.5, None, True, ["a"], {"a": 1}),
]
STRANGE_AMOUNTS = [11901, -11900, 11900.0, 11900.5, 10**30, "11900", None, True, [11900]]
EXTEND, LATER = OperationKind.EXTEND, OperationKind.EXTEND_DUE_DATE


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network(concurrency=2)
    yield network
    network.close()


def rest(kind: OperationKind, network: Network, body: Any, status: str = "200 OK", *headers: str) -> Outcome:
    content = b"" if body is None else json.dumps(body).encode()
    with SocketServer(plain(answer(status, content, "Content-Type: application/json", *headers))) as server:
        outcome = sent(REST, REST.call(kind), server.url, network)
        network.close()
    return outcome


def legacy(kind: OperationKind, network: Network, content: bytes) -> Outcome:
    with SocketServer(plain(LEGACY.right(kind).with_body(content))) as server:
        outcome = sent(LEGACY, LEGACY.call(kind), server.url, network)
        network.close()
    return outcome


def order(**changes: Any) -> dict[str, Any]:
    return {"order_id": PURCHASE_ID, "fraud_status": "ACCEPTED"} | changes


# --- the current generation --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order_id", STRANGE_IDS, ids=ascii)
def test_a_charge_answered_with_what_can_be_no_id_is_unknown(order_id: Any, network: Network) -> None:
    assert isinstance(rest(PURCHASE, network, order(order_id=order_id)), Unknown)


@pytest.mark.parametrize("amount", STRANGE_AMOUNTS, ids=repr)
def test_a_charge_answered_with_another_amount_is_unknown(amount: Any, network: Network) -> None:
    assert isinstance(rest(PURCHASE, network, order(order_amount=amount)), Unknown)


@pytest.mark.parametrize(
    "named", [{"purchase_currency": "SEK"}, {"purchase_currency": 978}, {"merchant_reference2": "op-x"}]
)
def test_a_charge_answered_with_another_currency_or_reference_is_unknown(named: Any, network: Network) -> None:
    assert isinstance(rest(PURCHASE, network, order(**named)), Unknown)


@pytest.mark.parametrize("status", ["", "accepted?", None, 1, ["ACCEPTED"]])
def test_a_charge_whose_review_nobody_understands_is_unknown(status: Any, network: Network) -> None:
    assert isinstance(rest(PURCHASE, network, order(fraud_status=status)), Unknown)


@pytest.mark.parametrize("kind", [PURCHASE, CAPTURE, REFUND, VOID])
def test_an_error_under_a_good_status_is_unknown(kind: OperationKind, network: Network) -> None:
    body = order(error_code="BAD_VALUE", error_messages=["no"], correlation_id="c")
    assert isinstance(rest(kind, network, body, "200 OK", "Capture-Id: c", "Refund-Id: r"), Unknown)


@pytest.mark.parametrize("kind", [CAPTURE, REFUND])
@pytest.mark.parametrize(
    "body", [{"captured_amount": 1}, {"refunded_amount": -11900}, {"order_id": "another"}, {"reference": "op-x"}]
)
def test_a_movement_answered_with_another_amount_order_or_reference_is_unknown(
    kind: OperationKind, body: Any, network: Network
) -> None:
    assert isinstance(rest(kind, network, body, "201 Created", "Capture-Id: c", "Refund-Id: r"), Unknown)


@pytest.mark.parametrize("kind", [CAPTURE, REFUND])
def test_a_movement_of_another_order_is_unknown(kind: OperationKind, network: Network) -> None:
    place = "Location: https://klarna.example/ordermanagement/v1/orders/another"
    ids = ("Capture-Id: c", "Refund-Id: r")
    assert isinstance(rest(kind, network, None, "201 Created", f"{place}/captures/c", *ids), Unknown)


@pytest.mark.parametrize(
    "named", ["Capture-Id: a b", "Capture-Id: caf\u00e9", "Capture-Id: ", "X: y", "Location: //[x"]
)
def test_a_capture_without_a_usable_id_is_unknown(named: str, network: Network) -> None:
    assert isinstance(rest(CAPTURE, network, None, "201 Created", named), Unknown)


def test_what_is_said_besides_and_agrees_is_tolerated(network: Network) -> None:
    more = {"order_amount": 11900, "purchase_currency": "eur", "new_field": {"deep": [1, 2]}, "redirect_url": None}
    outcome = rest(PURCHASE, network, order(**more), "202 Accepted", "X-New: 1")
    assert isinstance(outcome, Succeeded)


READ = order(
    status="AUTHORIZED", order_amount=11900, captured_amount=0, refunded_amount=0, purchase_currency="eur", captures=[]
)
MISREAD: list[dict[str, Any]] = [
    *({"order_amount": amount} for amount in STRANGE_AMOUNTS[1:]),
    *(
        {"captured_amount": -1},
        {"refunded_amount": 1.5},
        {"purchase_currency": "\u20acuro"},
        {"purchase_currency": None},
    ),
    *({"order_id": "another"}, {"order_id": None}, {"status": "ODD"}, {"status": None}, {"expires_at": "2028-02-30"}),
    *({"expires_at": "9999-12-31T23:59:59-23:59"}, {"captures": 7}, {"captures": [7]}, {"captures": [{}]}),
    *({"captures": [{"capture_id": "a b", "captured_amount": 1}]}, {"refunds": [{"refund_id": "r"}]}),
]


@pytest.mark.parametrize("changes", MISREAD, ids=repr)
def test_an_order_that_reads_strangely_is_left_out(changes: Any, network: Network) -> None:
    assert read(READ | changes, network) == {}


def test_an_order_is_read_with_the_references_that_a_database_takes(network: Network) -> None:
    seen = read(READ | {"merchant_reference2": "a\u0000b", "later": 1}, network)[PURCHASE_ID]
    assert (seen.amount, seen.currency, seen.merchant_reference) == (11900, "EUR", None)


def read(body: Any, network: Network) -> Any:
    content = answer("200 OK", json.dumps(body).encode(), "Content-Type: application/json")
    with SocketServer(plain(content)) as server:
        state = KlarnaRest("main", server.url, "u", "p", network, 20.0).read_orders([PURCHASE_ID])
        network.close()
    return state


# --- the older generation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", STRANGE_IDS, ids=ascii)
def test_a_legacy_charge_answered_with_what_can_be_no_number_is_unknown(number: Any, network: Network) -> None:
    assert isinstance(legacy(PURCHASE, network, json.dumps({"reservation": number}).encode()), Unknown)


@pytest.mark.parametrize("more", [{"invoice": "1"}, {"reason": "no"}, {"http_status_code": 500}, {"invoice": None}])
def test_a_legacy_charge_that_says_two_things_is_unknown(more: Any, network: Network) -> None:
    assert isinstance(legacy(PURCHASE, network, json.dumps({"reservation": RNO} | more).encode()), Unknown)


def array(*values: str) -> bytes:
    return xml_with(f"<value><array><data>{''.join(values)}</data></array></value>".encode())


def text(value: str) -> str:
    return f"<value><string>{value}</string></value>"


STRANGE_VALUES = {
    CAPTURE: [
        array(text("maybe"), text("1")),
        array(text("ok"), text("")),
        array(text("ok"), "<value><int>1</int></value>"),
        array(text("ok"), text("1"), text("2")),
        array(text("ok"), text("&#x661;")),
        array(text("ok")),
        xml_with(b"<value>ok</value>"),
    ],
    REFUND: [xml_with(b"<value>99999999999999999</value>"), xml_with(b"<value><int>1</int></value>"), array()],
    VOID: [xml_with(b"<value>OK</value>"), xml_with(b"<value>ok </value>"), xml_with(b"<value><int>1</int></value>")],
    EXTEND: [xml_with(b"<value>20281332T000000</value>"), xml_with(b"<value>00010101T000000</value>")],
    LATER: [
        xml_with(
            b"<value><struct><member><name>cost</name><value><double>1.5</double></value></member></struct></value>"
        )
    ],
}
STRANGE = [(kind, content) for kind, contents in STRANGE_VALUES.items() for content in contents]


@pytest.mark.parametrize(("kind", "content"), STRANGE, ids=repr)
def test_a_legacy_answer_about_something_else_is_unknown(kind: OperationKind, content: bytes, network: Network) -> None:
    assert isinstance(legacy(kind, network, content), Unknown)


@pytest.mark.parametrize(
    "value", ["<int>-1</int>", "<double>100.0</double>", "<string>100</string>", "<boolean>1</boolean>"]
)
def test_an_amount_of_an_invoice_that_is_none_is_left_out(value: str, network: Network) -> None:
    content = xml_with(f"<value>{value}</value>".encode())
    with SocketServer(plain(answer("200 OK", content, "Content-Type: text/xml"))) as server:
        gateway = KlarnaLegacy("main", server.url, server.url, 4711, "secret", network, 20.0)
        amounts = gateway.read_invoices([INVOICE_NUMBER])
        network.close()
    assert amounts == {}


@pytest.mark.parametrize("speaker", SPEAKERS.values(), ids=SPEAKERS.keys())
@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "410 Gone"])
@pytest.mark.parametrize("content", [b"", b"{}", b"null", b'{"status": 7}', b'{"payment_method": "card"}', b"<html/>"])
def test_a_token_whose_state_cannot_be_read_is_unknown_and_never_revoked(
    speaker: Any, status: str, content: bytes, network: Network
) -> None:
    with SocketServer(plain(answer(status, content, "Content-Type: application/json"))) as server:
        states = speaker.gateway(server.url, network, 20.0).read_tokens([(OPERATION_ID, Token("a-token"))])
        network.close()
    assert states[OPERATION_ID].status == "unknown"
