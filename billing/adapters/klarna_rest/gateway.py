"""One Klarna account on the current REST APIs, behind the `PaymentGateway` port.

Owns addresses, credentials and headers. What goes into a body is decided in `payloads.py`, what an answer means in
`answers.py` and `states.py`. This is where a token is put into a URL, and nowhere else.
"""

import base64
from collections.abc import Iterator, Sequence
from urllib.parse import quote
from uuid import UUID

from billing.adapters.addresses import checked_address
from billing.adapters.klarna_rest.answers import outcome
from billing.adapters.klarna_rest.payloads import TOKEN_PLACEHOLDER, request_for
from billing.adapters.klarna_rest.states import order_state, token_state
from billing.adapters.network import HttpRequest, Network
from billing.domain.errors import Invalid
from billing.domain.tokens import Token
from billing.ports import Call, Order, OrderState, Outcome, Request, Sighting, TokenState

HANDOVER_SECONDS = 2.0
"""A changing call that has no connection by then goes back to its row (charging rules, section 2, step 5)."""

_CHANGING_METHODS = frozenset({"POST", "PATCH"})


class KlarnaRest:
    """A `PaymentGateway`. `deadline_seconds` bounds one call, from hand-over to the last byte of the answer.

    Raises `Invalid` when `base_url` is not https (plain http is taken for loopback only) or a credential cannot be
    sent. The network is shared with the caller, who closes it.
    """

    def __init__(
        self, account: str, base_url: str, username: str, password: str, network: Network, deadline_seconds: float
    ) -> None:
        self.account = account
        self._base_url = checked_address(base_url, "base_url")
        self._headers = _headers(username, password)
        self._network = network
        self._deadline_seconds = deadline_seconds

    def __repr__(self) -> str:
        return f"KlarnaRest({self.account!r})"

    def prepare(self, order: Order) -> Request:
        """Write the request for `order`. Raises `Invalid` naming the field that Klarna would refuse."""
        return request_for(order)

    def send(self, calls: Sequence[Call]) -> Iterator[tuple[UUID, Outcome]]:
        """Make all `calls` at once, starting now, and yield `(operation_id, outcome)` as each arrives."""
        arrivals = self._network.exchange([self._changing(call) for call in calls])
        return ((calls[index].operation_id, outcome(calls[index], came)) for index, came in arrivals)

    def read_orders(self, purchase_ids: Sequence[str]) -> dict[str, OrderState]:
        """The orders as Klarna has them; one that is missing or cannot be read is left out."""
        wanted = list(dict.fromkeys(purchase_ids))
        requests = [self._reading(f"/ordermanagement/v1/orders/{quote(id_, safe='')}") for id_ in wanted]
        states = ((wanted[index], order_state(wanted[index], came)) for index, came in self._network.exchange(requests))
        return {id_: state for id_, state in states if state is not None}

    def read_tokens(self, tokens: Sequence[tuple[UUID, Token]]) -> dict[UUID, TokenState]:
        """The present state of each token, by the caller's id."""
        requests = [self._reading(_filled(f"/customer-token/v1/tokens/{TOKEN_PLACEHOLDER}", t)) for _, t in tokens]
        return {tokens[index][0]: token_state(came) for index, came in self._network.exchange(requests)}

    def read_invoices(self, capture_ids: Sequence[str]) -> dict[str, int]:  # noqa: ARG002  (the port's shape)
        """Nothing: the order tells what was captured and refunded."""
        return {}

    def read_sightings(
        self,
        ids: Sequence[str],  # noqa: ARG002  (the port's shape)
        *,
        of_orders: bool = False,  # noqa: ARG002  (the port's shape)
    ) -> dict[str, Sighting]:
        """Nothing: an order is read, and a purchase is asked about under its key."""
        return {}

    def _changing(self, call: Call) -> HttpRequest:
        is_safe = call.request.method in _CHANGING_METHODS
        assert is_safe, "a changing call is one that the client never repeats"
        return HttpRequest(
            method=call.request.method,
            url=self._base_url + _filled(call.request.path, call.token),
            headers={**self._headers, "Content-Type": "application/json", "Klarna-Idempotency-Key": str(call.key)},
            body=call.request.body,
            deadline_seconds=self._deadline_seconds,
            handover_seconds=HANDOVER_SECONDS,
        )

    def _reading(self, path: str) -> HttpRequest:
        return HttpRequest("GET", self._base_url + path, self._headers, b"", self._deadline_seconds)


def _filled(path: str, token: Token | None) -> str:
    if TOKEN_PLACEHOLDER not in path:
        return path
    assert token is not None, "such a request is sent with a token"
    return path.replace(TOKEN_PLACEHOLDER, quote(token.reveal(), safe=""))


def _headers(username: str, password: str) -> dict[str, str]:
    if ":" in username or not username:
        raise Invalid("the username of a Klarna account is not empty and has no colon", where="username")
    credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {credentials}", "Accept": "application/json"}
