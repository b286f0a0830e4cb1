"""One account of the older generation over real sockets: what it sends, makes of answers, and never shows."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from billing.adapters.klarna_legacy.digest import checkout_authorization, order_management_digest
from billing.adapters.klarna_legacy.gateway import KlarnaLegacy
from billing.adapters.klarna_legacy.xmlrpc import read_call
from billing.adapters.network import Network
from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind
from billing.domain.tokens import Token
from billing.ports import (
    Call,
    Declined,
    NotSent,
    Outcome,
    PaymentGateway,
    Refused,
    Request,
    Sighting,
    Succeeded,
    TokenState,
    Unknown,
)
from tests.fakes.calls import OPERATION_ID, TOKEN_TEXT
from tests.fakes.legacy_calls import (
    INVOICE_NUMBER,
    RNO,
    legacy_call,
    legacy_order,
    xml_answer,
    xml_fault,
)
from tests.fakes.socket_server import Peer, Script, SocketServer, always, answer, reset, silence

PURCHASE, CAPTURE = OperationKind.PURCHASE, OperationKind.CAPTURE
SECRET = "sharedSecret"
Gateways = Callable[..., KlarnaLegacy]


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network(concurrency=4)
    yield network
    network.close()


@pytest.fixture
def gateway_at(network: Network) -> Gateways:
    def make(url: str, deadline_seconds: float = 20.0, **changes: Any) -> KlarnaLegacy:
        defaults: dict[str, Any] = {"order_management_url": url, "checkout_url": url, "eid": 4711, "secret": SECRET}
        return KlarnaLegacy("old", **{**defaults, **changes}, network=network, deadline_seconds=deadline_seconds)

    return make


def json_answer(status: str, body: dict[str, Any]) -> bytes:
    return answer(status, json.dumps(body).encode(), "Content-Type: application/vnd.klarna.error-v1+json")


def missing() -> bytes:
    return json_answer("404 Not Found", {"http_status_code": 404, "internal_message": "no such token"})


RESERVED = json_answer("200 OK", {"reservation": RNO})
ACTIVATED = answer("200 OK", xml_answer(["ok", INVOICE_NUMBER]).body, "Content-Type: text/xml")


def sent_to(script: Script, network: Network, gateway_at: Gateways, call: Call) -> tuple[SocketServer, Outcome]:
    with SocketServer(script) as server:
        gateway = gateway_at(server.url, 0.3 if script is silence else 20.0)
        [(operation_id, outcome)] = gateway.send([call])
        network.close()
    assert operation_id == OPERATION_ID
    return server, outcome


def test_it_is_a_payment_gateway(gateway_at: Gateways) -> None:
    gateway: PaymentGateway = gateway_at("https://payment.klarna.com:443/")
    assert gateway.prepare(legacy_order(PURCHASE)).path == "/checkout/recurring/{token}/orders"


def test_a_purchase_goes_out_with_token_and_digest_of_its_bytes(network: Network, gateway_at: Gateways) -> None:
    call = legacy_call(PURCHASE)
    server, outcome = sent_to(always(RESERVED), network, gateway_at, call)
    [received] = server.received
    assert (received.method, received.target) == ("POST", f"/checkout/recurring/{TOKEN_TEXT}/orders")
    assert received.body == call.request.body
    assert received.headers["authorization"] == checkout_authorization(call.request.body, SECRET)
    assert received.headers["content-type"] == "application/vnd.klarna.checkout.recurring-order-v1+json"
    assert received.headers["accept"] == "application/vnd.klarna.checkout.recurring-order-accepted-v1+json"
    assert isinstance(outcome, Succeeded)
    assert outcome.provider_id == RNO


def test_a_capture_goes_to_order_management_without_any_credential_in_its_headers(
    network: Network, gateway_at: Gateways
) -> None:
    call = legacy_call(CAPTURE)
    server, outcome = sent_to(always(ACTIVATED), network, gateway_at, call)
    [received] = server.received
    assert (received.method, received.target) == ("POST", "/")
    assert received.headers["content-type"] == "text/xml; charset=ISO-8859-1"
    assert "authorization" not in received.headers
    assert received.body == call.request.body
    assert isinstance(outcome, Succeeded)
    assert outcome.provider_id == INVOICE_NUMBER


def test_the_two_interfaces_have_addresses_of_their_own(network: Network, gateway_at: Gateways) -> None:
    with SocketServer(always(RESERVED)) as checkout, SocketServer(always(ACTIVATED)) as management:
        gateway = gateway_at(f"{management.url}/rpc/", checkout_url=f"{checkout.url}/kco")
        calls = [legacy_call(PURCHASE), legacy_call(CAPTURE, operation_id=UUID(int=2))]
        outcomes = dict(gateway.send(calls))
        network.close()
    assert all(isinstance(outcome, Succeeded) for outcome in outcomes.values())
    assert management.received[0].target == "/rpc/"
    assert checkout.received[0].target == f"/kco/checkout/recurring/{TOKEN_TEXT}/orders"


def test_a_token_with_odd_characters_stays_in_its_place(network: Network, gateway_at: Gateways) -> None:
    server, _ = sent_to(always(RESERVED), network, gateway_at, legacy_call(PURCHASE, token=Token("a/b?c %")))
    assert server.received[0].target == "/checkout/recurring/a%2Fb%3Fc%20%25/orders"


@pytest.mark.parametrize(
    ("status_answer", "expected"),
    [
        (missing(), Declined),
        (json_answer("200 OK", {"payment_method": {"type": "invoice"}}), Refused),
        (answer("503 Service Unavailable"), Refused),
    ],
)
def test_a_404_is_read_against_the_token_itself(
    network: Network, gateway_at: Gateways, status_answer: bytes, expected: type
) -> None:
    def script(peer: Peer) -> None:
        while received := peer.request():
            peer.send(missing() if received.method == "POST" else status_answer)

    server, outcome = sent_to(script, network, gateway_at, legacy_call(PURCHASE))
    assert isinstance(outcome, expected)
    assert [received.method for received in server.received] == ["POST", "GET"]


@pytest.mark.parametrize("kind", [PURCHASE, CAPTURE])
@pytest.mark.parametrize("script", [silence, reset, always(b"garbage\r\n\r\n"), always(answer("502 Bad Gateway"))])
def test_a_call_without_an_answer_is_unknown_after_one_send(
    network: Network, gateway_at: Gateways, script: Script, kind: OperationKind
) -> None:
    server, outcome = sent_to(script, network, gateway_at, legacy_call(kind))
    assert isinstance(outcome, Unknown)
    assert len(server.received) == 1


def test_an_answer_above_the_size_limit_is_unknown(network: Network, gateway_at: Gateways) -> None:
    huge = answer("200 OK", b" " * (1024 * 1024 + 1), "Content-Type: text/xml")
    _, outcome = sent_to(always(huge), network, gateway_at, legacy_call(CAPTURE))
    assert isinstance(outcome, Unknown)


def test_an_entity_bomb_is_unknown(network: Network, gateway_at: Gateways) -> None:
    bomb = b"<!DOCTYPE a [<!ENTITY a 'ok'>]>" + xml_answer("ok").body.replace(b"ok", b"&a;").partition(b"?>")[2]
    call = legacy_call(OperationKind.VOID)
    _, outcome = sent_to(always(answer("200 OK", bomb)), network, gateway_at, call)
    assert isinstance(outcome, Unknown)


def test_a_dead_provider_means_not_sent(gateway_at: Gateways) -> None:
    with SocketServer(silence) as server:
        url = server.url
    [(_, outcome)] = gateway_at(url).send([legacy_call(CAPTURE)])
    assert isinstance(outcome, NotSent)
    assert not outcome.account_stopped


def test_a_call_that_the_client_might_repeat_is_refused(gateway_at: Gateways) -> None:
    with pytest.raises(AssertionError):
        gateway_at("https://127.0.0.1").send([replace(legacy_call(CAPTURE), request=Request("GET", "/", b""))])


# --- reading -----------------------------------------------------------------------------------------------------


def test_our_order_ids_are_looked_up_once_each_and_unreadable_ones_left_out(
    network: Network, gateway_at: Gateways
) -> None:
    said = {"op-1": xml_answer(1), "op-2": xml_fault(9111), "op-3": xml_fault(9119)}

    def script(peer: Peer) -> None:
        while received := peer.request():
            asked = read_call(received.body)
            assert asked is not None
            peer.send(answer("200 OK", said[str(asked[1][4])].body))

    with SocketServer(script) as server:
        sightings = gateway_at(server.url).read_sightings(["op-1", "op-2", "op-3", "op-1"])
        network.close()
    assert sightings == {"op-1": Sighting.ACCEPTED, "op-2": Sighting.NOT_FOUND}
    asked = [read_call(received.body) for received in server.received]
    assert [call[1][5] for call in asked if call] == [1, 1, 1]


def test_reservations_are_looked_up_as_such(network: Network, gateway_at: Gateways) -> None:
    with SocketServer(always(answer("200 OK", xml_answer(3).body))) as server:
        sightings = gateway_at(server.url).read_sightings([RNO], of_orders=True)
        network.close()
    asked = read_call(server.received[0].body)
    assert sightings == {RNO: Sighting.DENIED}
    assert asked is not None
    assert asked[1][2:] == [4711, order_management_digest([4711, RNO], SECRET), RNO, 0]


def test_amounts_of_invoices_are_read(network: Network, gateway_at: Gateways) -> None:
    with SocketServer(always(answer("200 OK", xml_answer(11900).body))) as server:
        amounts = gateway_at(server.url).read_invoices([INVOICE_NUMBER])
        network.close()
    assert amounts == {INVOICE_NUMBER: 11900}


def test_no_order_is_ever_read_and_nobody_is_asked(gateway_at: Gateways) -> None:
    assert gateway_at("http://127.0.0.1:1").read_orders([RNO]) == {}


def test_tokens_are_read_with_the_digest_of_no_body(network: Network, gateway_at: Gateways) -> None:
    def script(peer: Peer) -> None:
        while received := peer.request():
            is_first = received.target == "/checkout/recurring/first"
            peer.send(json_answer("200 OK", {"payment_method": {"type": "invoice"}}) if is_first else missing())

    first, second = UUID(int=1), UUID(int=2)
    with SocketServer(script) as server:
        states = gateway_at(server.url).read_tokens([(first, Token("first")), (second, Token("second"))])
        network.close()
    assert states == {first: TokenState("active"), second: TokenState("revoked")}
    assert {received.method for received in server.received} == {"GET"}
    assert {received.headers["authorization"] for received in server.received} == {checkout_authorization(b"", SECRET)}


# --- addresses and secrets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://payment.klarna.com", "https://", "https://a:b@x", "https://x?y=1", "https://[x"]
)
@pytest.mark.parametrize("which", ["order_management_url", "checkout_url"])
def test_an_address_that_is_not_safe_is_refused_without_repeating_it(
    gateway_at: Gateways, which: str, url: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        gateway_at("https://127.0.0.1", **{which: url})
    assert refusal.value.where == which
    assert url not in str(refusal.value)


@pytest.mark.parametrize("changes", [{"eid": 0}, {"eid": 2**31}, {"eid": True}, {"secret": ""}, {"secret": "\u20ac"}])
def test_an_account_that_cannot_sign_is_refused(gateway_at: Gateways, changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refusal:
        gateway_at("https://127.0.0.1", **changes)
    assert refusal.value.where == next(iter(changes))


def test_the_gateway_shows_its_account_and_no_credential(gateway_at: Gateways) -> None:
    assert repr(gateway_at("https://127.0.0.1")) == "KlarnaLegacy('old')"


@pytest.mark.parametrize("kind", [PURCHASE, CAPTURE])
@pytest.mark.parametrize(
    "script",
    [
        always(RESERVED),
        always(answer("302 Found", b"", "Location: /elsewhere")),
        always(json_answer("402 Payment Required", {"reason": f"no {TOKEN_TEXT}"})),
        always(answer("200 OK", xml_fault(8104, "nej").body)),
        always(b"garbage\r\n\r\n"),
        reset,
    ],
)
def test_no_log_record_and_no_outcome_holds_token_or_secret(
    network: Network, gateway_at: Gateways, script: Script, kind: OperationKind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, outcome = sent_to(script, network, gateway_at, legacy_call(kind))
    shown = caplog.text + repr(outcome) + repr(legacy_call(kind))
    assert TOKEN_TEXT not in shown
    assert SECRET not in shown
