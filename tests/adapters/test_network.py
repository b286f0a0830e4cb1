"""The network stage over real sockets: what counts as answered, as lost, and as never sent."""

import datetime
import ipaddress
import itertools
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from billing.adapters.network import (
    BODY_MAX,
    HttpAnswer,
    HttpOutcome,
    HttpRequest,
    LostFailure,
    Network,
    NotSentFailure,
)
from tests.fakes.socket_server import Peer, Script, SocketServer, always, answer, reset, silence

SECRET = "token-that-must-not-show"


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network(concurrency=4)
    yield network
    network.close()


def post(url: str, **changes: Any) -> HttpRequest:
    defaults = {"method": "POST", "headers": {}, "body": b"{}", "deadline_seconds": 20.0}
    return HttpRequest(url=url, **{**defaults, **changes})


def outcome_of(network: Network, request: HttpRequest) -> HttpOutcome:
    [(index, outcome)] = network.exchange([request])
    assert index == 0
    return outcome


def outcome_from(network: Network, script: Script, **changes: Any) -> HttpOutcome:
    with SocketServer(script) as server:
        outcome = outcome_of(network, post(f"{server.url}/{SECRET}", **changes))
        network.close()
        return outcome


# --- answers -----------------------------------------------------------------------------------------------------


def test_an_answer_comes_back_with_status_headers_in_lower_case_and_body(network: Network) -> None:
    outcome = outcome_from(network, always(answer("201 Created", b"hi", "Capture-ID: c1", "Capture-ID: c2")))
    assert outcome == HttpAnswer(201, {"content-length": "2", "capture-id": "c1"}, b"hi")


def test_the_request_goes_out_as_given_with_an_encoded_path_left_alone(network: Network) -> None:
    with SocketServer(always(answer())) as server:
        outcome_of(network, post(f"{server.url}/a%2Fb%7E", headers={"X-Key": "k"}, body=b'{"a":1}'))
        network.close()
    [received] = server.received
    assert (received.method, received.target, received.body) == ("POST", "/a%2Fb%7E", b'{"a":1}')
    assert received.headers["x-key"] == "k"


def test_a_fast_answer_does_not_wait_for_a_slow_one(network: Network) -> None:
    fast_was_seen = Event()

    def script(peer: Peer) -> None:
        received = peer.request()
        if received and received.target == "/slow":
            fast_was_seen.wait()
        peer.send(answer())

    with SocketServer(script) as server:
        arrivals = network.exchange([post(f"{server.url}/slow"), post(f"{server.url}/fast")])
        assert next(arrivals)[0] == 1
        fast_was_seen.set()
        assert next(arrivals)[0] == 0
        network.close()


def test_a_batch_larger_than_the_concurrency_is_answered_whole_on_few_connections(network: Network) -> None:
    with SocketServer(always(answer())) as server:
        outcomes = dict(network.exchange([post(server.url) for _ in range(50)]))
        network.close()
    assert sorted(outcomes) == list(range(50))
    assert all(isinstance(outcome, HttpAnswer) for outcome in outcomes.values())
    assert server.connections <= 4


def test_connections_stay_open_between_batches(network: Network) -> None:
    with SocketServer(always(answer())) as server:
        for _ in range(3):
            outcome_of(network, post(server.url))
        network.close()
    assert (server.connections, len(server.received)) == (1, 3)


def test_an_empty_batch_has_no_outcomes_and_opens_nothing(network: Network) -> None:
    assert list(network.exchange([])) == []


def test_a_redirect_is_an_answer_and_is_not_followed(network: Network) -> None:
    with SocketServer(always(answer())) as other:
        outcome = outcome_from(network, always(answer("307 Temporary Redirect", b"", f"Location: {other.url}")))
    assert isinstance(outcome, HttpAnswer)
    assert (outcome.status, other.connections) == (307, 0)


def test_a_compressed_body_is_not_unpacked(network: Network) -> None:
    outcome = outcome_from(network, always(answer("200 OK", b"\x1f\x8b\x08bomb", "Content-Encoding: gzip")))
    assert isinstance(outcome, HttpAnswer)
    assert outcome.body == b"\x1f\x8b\x08bomb"


def test_cookies_are_not_kept_and_a_proxy_of_the_environment_is_not_used(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with SocketServer(always(answer("200 OK", b"", "Set-Cookie: a=b"))) as server:
        outcomes = [outcome_of(network, post(server.url)) for _ in range(2)]
        network.close()
    assert all(isinstance(outcome, HttpAnswer) for outcome in outcomes)
    assert "cookie" not in server.received[1].headers


# --- never sent --------------------------------------------------------------------------------------------------


def test_a_refused_connection_is_not_sent(network: Network) -> None:
    with SocketServer(always(answer())) as server:
        url = server.url
    assert outcome_of(network, post(url)) == NotSentFailure("ClientConnectorError")


def test_a_certificate_that_nobody_trusts_is_not_sent_and_the_server_sees_no_request(
    network: Network, tmp_path: Path
) -> None:
    with SocketServer(always(answer()), tls=self_signed(tmp_path)) as server:
        outcome = outcome_of(network, post(server.url))
        network.close()
    assert outcome == NotSentFailure("ClientConnectorCertificateError")
    assert server.received == []


def test_a_server_that_speaks_no_tls_is_not_sent(network: Network) -> None:
    with SocketServer(lambda peer: peer.send(b"SSH-2.0-x\r\n" * 20)) as server:
        outcome = outcome_of(network, post(server.url.replace("http", "https")))
        network.close()
    assert isinstance(outcome, NotSentFailure)


def test_a_trusted_certificate_is_enough(tmp_path: Path) -> None:
    tls = self_signed(tmp_path)
    network = Network(1, tls=ssl.create_default_context(cafile=str(tmp_path / "certificate.pem")))
    with SocketServer(always(answer()), tls=tls) as server:
        outcome = outcome_of(network, post(server.url))
        network.close()
    assert isinstance(outcome, HttpAnswer)


def test_a_call_that_gets_no_connection_before_its_handover_limit_is_not_sent() -> None:
    network = Network(concurrency=1)
    with SocketServer(silence) as server:
        requests = [post(server.url, deadline_seconds=0.5), post(server.url, handover_seconds=0.05)]
        outcomes = dict(network.exchange(requests))
        network.close()
    assert outcomes[0] == LostFailure("TimeoutError")
    assert isinstance(outcomes[1], NotSentFailure)
    assert len(server.received) == 1


def test_a_call_whose_time_is_up_at_the_start_is_not_sent(network: Network) -> None:
    with SocketServer(always(answer())) as server:
        outcome = outcome_of(network, post(server.url, deadline_seconds=0.0))
    assert outcome == NotSentFailure("HandoverTimeout")
    assert server.received == []


# --- lost --------------------------------------------------------------------------------------------------------


def test_silence_is_lost_at_the_deadline(network: Network) -> None:
    assert outcome_from(network, silence, deadline_seconds=0.2) == LostFailure("TimeoutError")


def test_a_slow_drip_is_lost_at_the_deadline(network: Network) -> None:
    stop = Event()

    def drip(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not stop.wait(0.02):
            peer.send(b"x")

    assert outcome_from(network, drip, deadline_seconds=0.3) == LostFailure("TimeoutError")


def test_a_reset_after_the_request_is_lost(network: Network) -> None:
    assert isinstance(outcome_from(network, reset), LostFailure)


def test_an_answer_cut_after_any_number_of_bytes_is_lost(network: Network) -> None:
    whole = answer("200 OK", b'{"order_id":"o"}', "Content-Type: application/json")
    lengths = itertools.count()

    def cut(peer: Peer) -> None:
        peer.request()
        peer.send(whole[: next(lengths)])

    with SocketServer(cut) as server:
        outcomes = [outcome_of(network, post(server.url)) for _ in range(len(whole) + 1)]
        network.close()
    assert {type(outcome) for outcome in outcomes[:-1]} == {LostFailure}
    assert isinstance(outcomes[-1], HttpAnswer)


def test_a_chunked_answer_without_its_end_is_lost(network: Network) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")

    assert isinstance(outcome_from(network, script), LostFailure)


def test_a_body_up_to_the_limit_is_an_answer(network: Network) -> None:
    outcome = outcome_from(network, always(answer("200 OK", b"x" * BODY_MAX)))
    assert isinstance(outcome, HttpAnswer)
    assert len(outcome.body) == BODY_MAX


def test_a_body_above_the_limit_is_lost(network: Network) -> None:
    outcome = outcome_from(network, always(answer("200 OK", b"x" * (BODY_MAX + 1))))
    assert outcome == LostFailure("BodyTooLarge")


def test_a_body_of_a_gigabyte_is_lost_long_before_its_end(network: Network) -> None:
    assert outcome_from(network, endless) == LostFailure("BodyTooLarge")


def endless(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    while True:
        peer.send(b"x" * 65536)


def test_garbage_is_lost(network: Network) -> None:
    assert isinstance(outcome_from(network, always(b"\x00\xff garbage \r\n\r\n")), LostFailure)


def test_a_kept_open_connection_that_dies_is_lost_and_the_request_is_not_sent_again(network: Network) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer())
        peer.request()

    with SocketServer(script) as server:
        outcomes = [outcome_of(network, post(server.url)) for _ in range(2)]
        network.close()
    assert isinstance(outcomes[0], HttpAnswer)
    assert isinstance(outcomes[1], LostFailure)
    assert len(server.received) == 2


# --- life --------------------------------------------------------------------------------------------------------


def test_closing_answers_what_is_under_way_as_lost_and_later_calls_as_not_sent(network: Network) -> None:
    arrived = Event()

    def script(peer: Peer) -> None:
        peer.request()
        arrived.set()
        peer.wait_until_gone()

    with SocketServer(script) as server:
        arrivals = network.exchange([post(server.url)])
        arrived.wait()
        network.close()
        assert list(arrivals) == [(0, LostFailure("NetworkClosed"))]
        assert outcome_of(network, post(server.url)) == NotSentFailure("NetworkClosed")


def test_closing_twice_or_before_any_use_is_fine() -> None:
    network = Network(1)
    network.close()
    network.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
def test_a_method_that_the_client_repeats_by_itself_is_refused(network: Network, method: str) -> None:
    with pytest.raises(AssertionError):
        network.exchange([post("http://127.0.0.1:1", method=method)])


@pytest.mark.parametrize("script", [silence, reset, endless, always(b"garbage\r\n\r\n"), always(answer("302 Found"))])
def test_no_log_record_and_no_value_shows_the_url_or_a_header(
    network: Network, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    request = post(f"http://127.0.0.1:1/{SECRET}", headers={"Authorization": SECRET}, body=SECRET.encode())
    outcomes = [outcome_of(network, request), outcome_from(network, script, deadline_seconds=0.2)]
    assert SECRET not in caplog.text + repr(outcomes) + repr(request)


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's context with a fresh certificate for 127.0.0.1, signed by nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start.replace(year=2090))
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = builder.add_extension(host, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context
