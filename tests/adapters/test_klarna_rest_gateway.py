"""One Klarna account over real sockets: what it sends, what it makes of answers, what it never shows."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from billing.adapters.klarna_rest.gateway import KlarnaRest
from billing.adapters.network import Network
from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind
from billing.domain.tokens import Token
from billing.ports import NotSent, Outcome, PaymentGateway, Request, Succeeded, TokenState, Unknown
from tests.fakes.calls import KEY, OPERATION_ID, PURCHASE_ID, TOKEN_TEXT, a_call, an_order
from tests.fakes.socket_server import Peer, Script, SocketServer, always, answer, reset, silence

PURCHASE = OperationKind.PURCHASE
PASSWORD = "correct-horse"
Gateways = Callable[..., KlarnaRest]


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network(concurrency=4)
    yield network
    network.close()


@pytest.fixture
def gateway_at(network: Network) -> Gateways:
    def make(url: str, deadline_seconds: float = 20.0) -> KlarnaRest:
        return KlarnaRest("main", url, "PK1_user", PASSWORD, network, deadline_seconds)

    return make


def json_answer(status: str, body: dict[str, Any], *headers: str) -> bytes:
    return answer(status, json.dumps(body).encode(), "Content-Type: application/json", *headers)


ORDERED = json_answer("200 OK", {"order_id": "o-1", "fraud_status": "ACCEPTED"})


def sent_to(script: Script, network: Network, gateway_at: Gateways, **changes: Any) -> tuple[SocketServer, Outcome]:
    with SocketServer(script) as server:
        call = a_call(PURCHASE, **changes)
        [(operation_id, outcome)] = gateway_at(server.url, 0.3 if script is silence else 20.0).send([call])
        network.close()
    assert operation_id == OPERATION_ID
    return server, outcome


def test_it_is_a_payment_gateway(gateway_at: Gateways) -> None:
    gateway: PaymentGateway = gateway_at("https://api.klarna.com/")
    assert gateway.prepare(an_order(PURCHASE)).path == "/customer-token/v1/tokens/{token}/order"


def test_a_purchase_goes_out_with_token_key_and_credentials(network: Network, gateway_at: Gateways) -> None:
    request = Request("POST", "/customer-token/v1/tokens/{token}/order", b'{"order_amount":1}')
    server, outcome = sent_to(always(ORDERED), network, gateway_at, request=request)
    [received] = server.received
    assert (received.method, received.target) == ("POST", f"/customer-token/v1/tokens/{TOKEN_TEXT}/order")
    assert received.body == b'{"order_amount":1}'
    assert received.headers["klarna-idempotency-key"] == str(KEY)
    assert received.headers["authorization"] == "Basic UEsxX3VzZXI6Y29ycmVjdC1ob3JzZQ=="
    assert received.headers["content-type"] == "application/json"
    assert isinstance(outcome, Succeeded)
    assert outcome.provider_id == "o-1"


def test_a_token_with_odd_characters_stays_in_its_place(network: Network, gateway_at: Gateways) -> None:
    server, _ = sent_to(always(ORDERED), network, gateway_at, token=Token("a/b?c %"))
    assert server.received[0].target == "/customer-token/v1/tokens/a%2Fb%3Fc%20%25/order"


def test_a_path_of_the_base_address_is_kept(network: Network, gateway_at: Gateways) -> None:
    with SocketServer(always(ORDERED)) as server:
        list(gateway_at(f"{server.url}/klarna/").send([a_call(PURCHASE)]))
        network.close()
    assert server.received[0].target.startswith("/klarna/customer-token/")


def test_each_call_of_a_batch_has_its_own_outcome(network: Network, gateway_at: Gateways) -> None:
    def script(peer: Peer) -> None:
        while received := peer.request():
            peer.send(
                json_answer(
                    "200 OK", {"order_id": received.headers["klarna-idempotency-key"], "fraud_status": "ACCEPTED"}
                )
            )

    ids = [UUID(int=number) for number in range(1, 31)]
    with SocketServer(script) as server:
        calls = [a_call(PURCHASE, operation_id=id_, key=id_) for id_ in ids]
        outcomes = dict(gateway_at(server.url).send(calls))
        network.close()
    assert sorted(outcomes) == ids
    assert all(isinstance(o, Succeeded) and o.provider_id == str(id_) for id_, o in outcomes.items())


@pytest.mark.parametrize("script", [silence, reset])
def test_a_call_without_an_answer_is_unknown_after_one_send(
    network: Network, gateway_at: Gateways, script: Script
) -> None:
    server, outcome = sent_to(script, network, gateway_at)
    assert isinstance(outcome, Unknown)
    assert len(server.received) == 1


def test_a_call_that_finds_no_free_connection_goes_back_long_before_its_deadline(gateway_at: Gateways) -> None:
    network = Network(concurrency=1)
    with SocketServer(silence) as server:
        gateway = KlarnaRest("main", server.url, "user", PASSWORD, network, 60.0)
        arrivals = gateway.send([a_call(PURCHASE), a_call(PURCHASE, operation_id=UUID(int=2))])
        operation_id, outcome = next(arrivals)
        network.close()
        assert isinstance(next(arrivals)[1], Unknown)
    assert operation_id == UUID(int=2)
    assert isinstance(outcome, NotSent)
    assert len(server.received) == 1


def test_a_dead_provider_means_not_sent(gateway_at: Gateways) -> None:
    with SocketServer(silence) as server:
        url = server.url
    [(_, outcome)] = gateway_at(url).send([a_call(PURCHASE)])
    assert isinstance(outcome, NotSent)
    assert not outcome.account_stopped


def test_a_call_that_the_client_might_repeat_is_refused(gateway_at: Gateways) -> None:
    with pytest.raises(AssertionError):
        gateway_at("https://127.0.0.1").send([a_call(PURCHASE, request=Request("GET", "/x", b""))])


# --- reading -----------------------------------------------------------------------------------------------------


def test_orders_are_read_once_each_and_missing_ones_left_out(network: Network, gateway_at: Gateways) -> None:
    order = {
        "order_id": PURCHASE_ID,
        "status": "CAPTURED",
        "purchase_currency": "eur",
        "order_amount": 100,
        "captured_amount": 100,
        "refunded_amount": 0,
    }

    def script(peer: Peer) -> None:
        while received := peer.request():
            is_known = received.target == f"/ordermanagement/v1/orders/{PURCHASE_ID}"
            missing = json_answer("404 Not Found", {"error_code": "NO_SUCH_ORDER"})
            peer.send(json_answer("200 OK", order) if is_known else missing)

    with SocketServer(script) as server:
        states = gateway_at(server.url).read_orders([PURCHASE_ID, "missing", PURCHASE_ID])
        network.close()
    assert {id_: state.authorization for id_, state in states.items()} == {PURCHASE_ID: "captured"}
    assert [received.method for received in server.received] == ["GET", "GET"]


def test_tokens_are_read_by_the_callers_id(network: Network, gateway_at: Gateways) -> None:
    def script(peer: Peer) -> None:
        while received := peer.request():
            is_first = received.target.endswith("/first")
            peer.send(json_answer("200 OK", {"status": "ACTIVE" if is_first else "SUSPENDED"}))

    first, second = UUID(int=1), UUID(int=2)
    with SocketServer(script) as server:
        states = gateway_at(server.url).read_tokens([(first, Token("first")), (second, Token("second"))])
        network.close()
    assert states == {first: TokenState("active"), second: TokenState("suspended")}


# --- addresses and secrets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["https://api.klarna.com", "http://127.0.0.1:7001", "http://[::1]:1", "http://localhost"]
)
def test_https_or_loopback_is_taken(gateway_at: Gateways, url: str) -> None:
    assert gateway_at(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.klarna.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "https://",
        "api.klarna.com",
        "https://user:pass@api.klarna.com",
        "https://api.klarna.com?x=1",
        "https://[broken",
        "https://api.klarna.com:99999",
    ],
)
def test_any_other_address_is_refused_without_repeating_it(gateway_at: Gateways, url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        gateway_at(url)
    assert refusal.value.where == "base_url"
    assert url not in str(refusal.value)


@pytest.mark.parametrize("username", ["", "a:b"])
def test_a_username_that_basic_authentication_cannot_carry_is_refused(network: Network, username: str) -> None:
    with pytest.raises(Invalid):
        KlarnaRest("main", "https://api.klarna.com", username, PASSWORD, network, 20.0)


def test_the_gateway_shows_its_account_and_no_credential(gateway_at: Gateways) -> None:
    assert repr(gateway_at("https://api.klarna.com")) == "KlarnaRest('main')"


@pytest.mark.parametrize(
    "script",
    [
        always(ORDERED),
        always(answer("302 Found", b"", "Location: /elsewhere")),
        always(json_answer("403 Forbidden", {"error_code": TOKEN_TEXT, "error_messages": [TOKEN_TEXT]})),
        always(b"garbage\r\n\r\n"),
        reset,
        silence,
    ],
)
def test_no_log_record_and_no_outcome_holds_token_or_password(
    network: Network, gateway_at: Gateways, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, outcome = sent_to(script, network, gateway_at)
    shown = caplog.text + repr(outcome) + repr(a_call(PURCHASE))
    assert TOKEN_TEXT not in shown
    assert PASSWORD not in shown
