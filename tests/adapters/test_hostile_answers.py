"""Both adapters against a server whose every byte is hostile: each call ends in the right class, in time, sent once."""

import itertools
from collections.abc import Iterator
from threading import Event

import pytest

from billing.adapters.network import Network
from billing.domain.operations import OperationKind
from billing.ports import Outcome, Succeeded, Unknown
from tests.adapters.hostile import (
    BODIES,
    BROKEN,
    CAPTURE,
    JSON_BODIES,
    PURCHASE,
    REFUND,
    SPEAKERS,
    VOID,
    WIRES,
    XML_BODIES,
    Speaker,
    cut,
    plain,
    sent,
)
from tests.fakes.socket_server import Peer, Script, SocketServer, always, answer

MONEY = (PURCHASE, CAPTURE, REFUND, VOID)
SHORT = 0.6
"""Seconds of a total deadline that a test can wait for."""


@pytest.fixture(params=SPEAKERS.values(), ids=SPEAKERS.keys())
def speaker(request: pytest.FixtureRequest) -> Speaker:
    """Either adapter in turn."""
    spoken: Speaker = request.param
    return spoken


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network(concurrency=4)
    yield network
    network.close()


def outcome_of(
    speaker: Speaker, kind: OperationKind, script: Script, network: Network, deadline_seconds: float = 20.0
) -> Outcome:
    with SocketServer(script) as server:
        outcome = sent(speaker, speaker.call(kind), server.url, network, deadline_seconds)
        network.close()
    assert len(server.received) <= 1, "a call is sent once, whatever is answered"
    return outcome


@pytest.mark.parametrize("kind", MONEY)
def test_the_right_answer_is_a_success_so_that_the_others_are_not_refused_for_nothing(
    speaker: Speaker, kind: OperationKind, network: Network
) -> None:
    assert isinstance(outcome_of(speaker, kind, plain(speaker.right(kind).whole), network), Succeeded)


# --- contents ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("kind", MONEY)
def test_a_content_that_is_not_klarnas_is_unknown(
    speaker: Speaker, kind: OperationKind, name: str, network: Network
) -> None:
    right = speaker.right(kind)
    assert_unknown(outcome_of(speaker, kind, plain(right.with_body(BODIES[name](right.body))), network))


@pytest.mark.parametrize("name", JSON_BODIES)
def test_a_charge_answered_with_strange_json_is_unknown(speaker: Speaker, name: str, network: Network) -> None:
    right = speaker.right(PURCHASE)
    assert_unknown(outcome_of(speaker, PURCHASE, plain(right.with_body(JSON_BODIES[name](right.body))), network))


@pytest.mark.parametrize("name", XML_BODIES)
@pytest.mark.parametrize("kind", [CAPTURE, REFUND, VOID])
def test_order_management_answered_with_strange_xml_is_unknown(
    kind: OperationKind, name: str, network: Network
) -> None:
    legacy = SPEAKERS["legacy"]
    right = legacy.right(kind)
    assert_unknown(outcome_of(legacy, kind, plain(right.with_body(XML_BODIES[name](right.body))), network))


@pytest.mark.parametrize(
    "media_type", ["text/html", "text/plain", "application/json; charset=utf-16", "image/png", ";"]
)
def test_a_charge_answered_under_another_type_or_charset_is_unknown(
    speaker: Speaker, media_type: str, network: Network
) -> None:
    right = speaker.right(PURCHASE)
    script = plain(right.with_body(right.body, f"Content-Type: {media_type}"))
    assert_unknown(outcome_of(speaker, PURCHASE, script, network))


def test_an_empty_answer_to_a_charge_is_unknown(speaker: Speaker, network: Network) -> None:
    assert_unknown(outcome_of(speaker, PURCHASE, plain(speaker.right(PURCHASE).with_body(b"")), network))


# --- ways of sending ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WIRES)
@pytest.mark.parametrize("kind", [PURCHASE, CAPTURE])
def test_an_answer_without_end_is_unknown_at_the_deadline_at_the_latest(
    speaker: Speaker, kind: OperationKind, name: str, network: Network
) -> None:
    assert_unknown(outcome_of(speaker, kind, WIRES[name](speaker.right(kind)), network, SHORT))


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("kind", [PURCHASE, CAPTURE])
def test_a_broken_answer_is_unknown(speaker: Speaker, kind: OperationKind, name: str, network: Network) -> None:
    assert_unknown(outcome_of(speaker, kind, BROKEN[name](speaker.right(kind)), network, SHORT))


@pytest.mark.parametrize("by_reset", [False, True], ids=["end", "reset"])
@pytest.mark.parametrize("kind", [PURCHASE, CAPTURE, REFUND])
def test_an_answer_cut_after_any_number_of_bytes_is_unknown_and_only_the_whole_one_counts(
    speaker: Speaker, kind: OperationKind, by_reset: bool, network: Network
) -> None:
    whole = speaker.right(kind).whole
    # Every byte of the end, where an answer might look whole, and steps before it.
    sizes = [*range(0, len(whole) - 40, 17), *range(len(whole) - 40, len(whole))]
    following = iter(sizes)

    def script(peer: Peer) -> None:
        cut(whole, next(following), by_reset=by_reset)(peer)

    with SocketServer(script) as server:
        outcomes = [sent(speaker, speaker.call(kind), server.url, network) for _ in sizes]
        network.close()
    assert {type(outcome) for outcome in outcomes} == {Unknown}


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("kind", [PURCHASE, CAPTURE])
def test_a_redirect_is_never_followed_and_is_unknown(
    speaker: Speaker, kind: OperationKind, status: str, network: Network
) -> None:
    with SocketServer(always(speaker.right(kind).whole)) as elsewhere:
        script = plain(answer(status, b"", f"Location: {elsewhere.url}/take"))
        assert_unknown(outcome_of(speaker, kind, script, network))
    assert elsewhere.connections == 0


@pytest.mark.parametrize("status", ["500 Broken", "502 Bad Gateway", "503 Unavailable", "504 Timeout", "599 Odd"])
@pytest.mark.parametrize("kind", MONEY)
def test_an_error_of_a_server_is_unknown_even_around_the_right_answer(
    speaker: Speaker, kind: OperationKind, status: str, network: Network
) -> None:
    right = speaker.right(kind)
    assert_unknown(outcome_of(speaker, kind, plain(answer(status, right.body, *right.headers)), network))


@pytest.mark.parametrize("kind", MONEY)
def test_an_older_protocol_and_a_pause_before_the_answer_are_taken(
    speaker: Speaker, kind: OperationKind, network: Network
) -> None:
    whole = speaker.right(kind).whole.replace(b"HTTP/1.1", b"HTTP/1.0")
    script = cut(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + whole, 100_000)
    assert isinstance(outcome_of(speaker, kind, script, network), Succeeded)


# --- one connection, several calls -------------------------------------------------------------------------------


def test_an_answer_that_nobody_asked_for_is_not_taken_for_that_of_the_next_call(
    speaker: Speaker, network: Network
) -> None:
    right, said = speaker.right(PURCHASE), Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(right.whole)
        peer.send(right.whole)
        said.set()
        while peer.request():
            peer.send(answer("500 Broken"))

    with SocketServer(script) as server:
        first = sent(speaker, speaker.call(PURCHASE), server.url, network)
        assert said.wait(20)
        second = sent(speaker, speaker.call(PURCHASE), server.url, network)
        network.close()
    assert isinstance(first, Succeeded)
    # Either the connection was given up, and another script answered the same way, or the error was read.
    assert isinstance(second, Unknown) or server.connections == 2


def test_a_connection_that_was_closed_between_two_calls_repeats_nothing(speaker: Speaker, network: Network) -> None:
    whole = speaker.right(PURCHASE).whole
    with SocketServer(cut(whole, len(whole))) as server:
        outcomes = [sent(speaker, speaker.call(PURCHASE), server.url, network) for _ in range(5)]
        network.close()
    assert isinstance(outcomes[0], Succeeded)
    assert {type(outcome) for outcome in outcomes} <= {Succeeded, Unknown}
    assert len(server.received) <= 5


def test_a_hostile_answer_spoils_no_call_beside_it_or_after_it(speaker: Speaker, network: Network) -> None:
    whole, turns = speaker.right(PURCHASE).whole, itertools.count()

    def script(peer: Peer) -> None:
        if next(turns) == 0:
            WIRES["a gigabyte declared"](speaker.right(PURCHASE))(peer)
        plain(whole)(peer)

    with SocketServer(script) as server:
        outcomes = [sent(speaker, speaker.call(PURCHASE), server.url, network) for _ in range(3)]
        network.close()
    assert [type(outcome) for outcome in outcomes] == [Unknown, Succeeded, Succeeded]


def assert_unknown(outcome: Outcome) -> None:
    assert isinstance(outcome, Unknown), outcome
