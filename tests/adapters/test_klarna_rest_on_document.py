"""The adapter against a server that was made of Klarna's document alone: it must not depend on the sandbox's habits."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from billing.adapters.klarna_rest.gateway import KlarnaRest
from billing.adapters.klarna_rest.payloads import request_for
from billing.adapters.network import Network
from billing.domain.operations import OperationKind
from billing.domain.tokens import Token
from billing.ports import Outcome, Shipment, Succeeded
from tests.adapters.documented_server import ID, INSTANTS, Habit, served
from tests.adapters.exchanges import DOCUMENT, documents
from tests.fakes.calls import TOKEN_TEXT, a_call, an_order
from tests.fakes.socket_server import SocketServer, answer

KNOWN = {
    "order_id": ID,
    "fraud_status": "ACCEPTED",
    "status": "PART_CAPTURED",
    "purchase_currency": "eur",
    "order_amount": 11900,
    "captured_amount": 100,
    "refunded_amount": 50,
    "capture_id": "c-1",
    "refund_id": "r-1",
}
PLAIN = Habit(KNOWN)
HABITS = {
    "everything that may be there": PLAIN,
    "only what must be there": replace(PLAIN, is_full=False),
    "fields and headers that are new": replace(PLAIN, has_news=True),
    "fields in another order": replace(PLAIN, is_reversed=True, instant=INSTANTS[1]),
    "header names in capitals": replace(PLAIN, spells_headers="upper", instant=INSTANTS[2]),
    "header names in small letters": replace(PLAIN, spells_headers="lower"),
    "a status of 200": replace(PLAIN, status="200"),
    "a status of 202": replace(PLAIN, status="202"),
}
KINDS = [kind for kind in OperationKind if kind is not OperationKind.POST_INVOICE]
MORE: dict[OperationKind, dict[str, Any]] = {
    OperationKind.SHIP: {"capture_id": "c-1", "shipments": (Shipment(carrier="Post", tracking_number="1Z"),)},
    OperationKind.EXTEND_DUE_DATE: {"capture_id": "c-1", "days": 14},
    OperationKind.PURCHASE: {"subscription_name": "Gold", "interval": "month", "interval_count": 1},
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    path = documents() / DOCUMENT
    if not path.is_file():
        pytest.skip(f"{DOCUMENT} is not in {documents()}; set KLARNA_OPENAPI_DIR")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network(concurrency=2)
    yield network
    network.close()


def gateway(url: str, network: Network) -> KlarnaRest:
    return KlarnaRest("main", url, "user", "password", network, 20.0)


def asked(kind: OperationKind, url: str, network: Network) -> Outcome:
    order = an_order(kind, **{**({} if kind is OperationKind.PURCHASE else {"purchase_id": ID}), **MORE.get(kind, {})})
    token = Token(TOKEN_TEXT) if kind in (OperationKind.PURCHASE, OperationKind.REVOKE) else None
    call = a_call(kind, request=request_for(order), purchase_id=order.purchase_id, token=token)
    [(_, outcome)] = gateway(url, network).send([call])
    return outcome


@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS.keys())
@pytest.mark.parametrize("kind", KINDS)
def test_every_call_is_a_success_however_the_document_lets_it_be_answered(
    document: dict[str, Any], network: Network, kind: OperationKind, habit: Habit
) -> None:
    with SocketServer(served(document, habit)) as server:
        outcome = asked(kind, server.url, network)
        network.close()
    assert isinstance(outcome, Succeeded), outcome
    made = {OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.REFUND}
    assert (outcome.provider_id == ID) is (kind in made)


@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS.keys())
def test_a_charge_under_review_is_pending_however_it_is_answered(
    document: dict[str, Any], network: Network, habit: Habit
) -> None:
    pending = replace(habit, known=KNOWN | {"fraud_status": "PENDING"})
    with SocketServer(served(document, pending)) as server:
        outcome = asked(OperationKind.PURCHASE, server.url, network)
        network.close()
    assert isinstance(outcome, Succeeded)
    assert outcome.authorization == "pending_review"


READINGS = {name: habit for name, habit in HABITS.items() if habit.is_full and habit.status is None}


@pytest.mark.parametrize("habit", READINGS.values(), ids=READINGS.keys())
def test_an_order_is_read_however_it_is_written(document: dict[str, Any], network: Network, habit: Habit) -> None:
    with SocketServer(served(document, habit)) as server:
        state = gateway(server.url, network).read_orders([ID])[ID]
        network.close()
    assert (state.authorization, state.currency, state.amount) == ("part_captured", "EUR", 11900)
    assert [(movement.provider_id, movement.amount) for movement in state.captures] == [("c-1", 100)]
    assert [(movement.provider_id, movement.amount) for movement in state.refunds] == [("r-1", 50)]
    assert state.expires_at is not None
    assert state.expires_at.isoformat().startswith("2028-03-01T10:00:00")


@pytest.mark.parametrize(
    ("status", "state"), [("ACTIVE", "active"), ("SUSPENDED", "suspended"), ("CANCELLED", "revoked")]
)
@pytest.mark.parametrize("habit", READINGS.values(), ids=READINGS.keys())
def test_a_token_is_read_however_it_is_written(
    document: dict[str, Any], network: Network, habit: Habit, status: str, state: str
) -> None:
    with SocketServer(served(document, replace(habit, known={"status": status}))) as server:
        states = gateway(server.url, network).read_tokens([(UUID(int=1), Token(TOKEN_TEXT))])
        network.close()
    assert states[UUID(int=1)].status == state


@pytest.mark.parametrize("body", [b"The status of the token will be updated.", b"", b"{}"])
def test_a_revocation_is_taken_whatever_is_said_to_it(network: Network, body: bytes) -> None:
    def script(peer: Any) -> None:
        while peer.request():
            peer.send(answer("202 Accepted", body, "Content-Type: text/plain"))

    with SocketServer(script) as server:
        assert isinstance(asked(OperationKind.REVOKE, server.url, network), Succeeded)
        network.close()


def test_the_server_that_is_made_of_the_document_refuses_what_it_does_not_describe(
    document: dict[str, Any], network: Network
) -> None:
    with SocketServer(served(document, PLAIN)) as server:
        assert gateway(f"{server.url}/elsewhere", network).read_orders([ID]) == {}
        network.close()
