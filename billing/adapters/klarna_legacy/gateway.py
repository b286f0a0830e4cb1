"""One Klarna account on the older generation, behind the `PaymentGateway` port.

Owns addresses, the secret and headers. What goes into a body is decided in `payloads.py`, what an answer means in
`answers.py` and `states.py`. This is where a token is put into a URL, and nowhere else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote
from uuid import UUID

from billing.adapters.addresses import checked_address
from billing.adapters.klarna_legacy import payloads
from billing.adapters.klarna_legacy.answers import is_missing, outcome
from billing.adapters.klarna_legacy.digest import checkout_authorization
from billing.adapters.klarna_legacy.payloads import TOKEN_PLACEHOLDER, Merchant
from billing.adapters.klarna_legacy.states import invoice_amount, sighting, token_state
from billing.adapters.klarna_legacy.xmlrpc import INTEGER_MAX
from billing.adapters.network import HttpOutcome, HttpRequest, Network
from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind
from billing.domain.tokens import Token
from billing.ports import Call, Order, OrderState, Outcome, Request, Sighting, TokenState

HANDOVER_SECONDS = 2.0
"""A changing call that has no connection by then goes back to its row (charging rules, section 2, step 5)."""

_XML = {"Content-Type": "text/xml; charset=ISO-8859-1", "Accept": "text/xml"}
_VENDOR = "application/vnd.klarna.checkout.recurring-"
_ORDER = {"Content-Type": f"{_VENDOR}order-v1+json", "Accept": f"{_VENDOR}order-accepted-v1+json"}
_STATUS = {"Accept": f"{_VENDOR}status-v1+json"}

Read = TypeVar("Read")


class KlarnaLegacy:
    """A `PaymentGateway`. `deadline_seconds` bounds one call, from hand-over to the last byte of the answer.

    `eid` is the merchant number, `secret` the one shared with Klarna for both of its interfaces. Raises `Invalid` when
    an address is not https (plain http is taken for loopback only) or eid or secret cannot be sent. The network is
    shared with the caller, who closes it.
    """

    def __init__(
        self,
        account: str,
        order_management_url: str,
        checkout_url: str,
        eid: int,
        secret: str,
        network: Network,
        deadline_seconds: float = 30.0,
    ) -> None:
        self.account = account
        self._order_management_url = checked_address(order_management_url, "order_management_url")
        self._checkout_url = checked_address(checkout_url, "checkout_url")
        self._merchant = _checked_merchant(eid, secret)
        self._network = network
        self._deadline_seconds = deadline_seconds

    def __repr__(self) -> str:
        return f"KlarnaLegacy({self.account!r})"

    def prepare(self, order: Order) -> Request:
        """Write the request for `order`. Raises `Invalid` naming the field that is wrong or cannot be said here."""
        return payloads.request_for(order, self._merchant)

    def send(self, calls: Sequence[Call]) -> Iterator[tuple[UUID, Outcome]]:
        """Make all `calls` at once, starting now, and yield `(operation_id, outcome)` as each arrives.

        A purchase whose answer is 404 is followed by one reading of its token; nothing that changes is sent twice.
        """
        arrivals = self._network.exchange([self._changing(call) for call in calls])
        return ((calls[index].operation_id, self._outcome(calls[index], came)) for index, came in arrivals)

    def read_orders(self, purchase_ids: Sequence[str]) -> dict[str, OrderState]:  # noqa: ARG002  (the port's shape)
        """Nothing, ever: no call of this generation tells what a reservation is about (see `read_sightings`)."""
        return {}

    def read_tokens(self, tokens: Sequence[tuple[UUID, Token]]) -> dict[UUID, TokenState]:
        """The present state of each token, by the caller's id."""
        headers = {**_STATUS, "Authorization": checkout_authorization(b"", self._merchant.secret)}
        requests = [
            HttpRequest(
                "GET",
                self._checkout_url + _filled(f"/checkout/recurring/{TOKEN_PLACEHOLDER}", token),
                headers,
                b"",
                self._deadline_seconds,
            )
            for _, token in tokens
        ]
        return {tokens[index][0]: token_state(came) for index, came in self._network.exchange(requests)}

    def read_invoices(self, capture_ids: Sequence[str]) -> dict[str, int]:
        """What invoices still come to, credits taken off, in minor units; one that cannot be read is left out."""
        return self._asked(capture_ids, lambda id_: payloads.amount_question(self._merchant, id_), invoice_amount)

    def read_sightings(self, ids: Sequence[str], *, of_orders: bool = False) -> dict[str, Sighting]:
        """What became of the orders under our own order ids, or of reservations; what nobody said is left out.

        A hint only: Klarna documents the call as not being for recurring orders, so that "not found" proves nothing.
        """
        looked_up_as = payloads.RESERVATION_OR_INVOICE if of_orders else payloads.OWN_ORDER_ID
        return self._asked(ids, lambda id_: payloads.status_question(self._merchant, id_, looked_up_as), sighting)

    @staticmethod
    def may_be_repeated(request: Request) -> bool:
        """Whether these frozen bytes can be sent again without harm while their outcome is unknown."""
        return payloads.may_be_repeated(request)

    def _outcome(self, call: Call, came: HttpOutcome) -> Outcome:
        if not is_missing(call, came) or call.token is None:
            return outcome(call, came)
        return outcome(call, came, self.read_tokens([(call.operation_id, call.token)])[call.operation_id])

    def _changing(self, call: Call) -> HttpRequest:
        assert call.request.method == "POST", "a changing call is one that the client never repeats"
        url, headers = self._order_management_url + call.request.path, _XML
        if call.kind is OperationKind.PURCHASE:
            url = self._checkout_url + _filled(call.request.path, call.token)
            headers = {**_ORDER, "Authorization": checkout_authorization(call.request.body, self._merchant.secret)}
        return self._posted(url, headers, call.request.body, HANDOVER_SECONDS)

    def _asked(
        self, ids: Sequence[str], question: Callable[[str], bytes], read: Callable[[HttpOutcome], Read | None]
    ) -> dict[str, Read]:
        wanted = list(dict.fromkeys(ids))
        url = self._order_management_url + payloads.ORDER_MANAGEMENT_PATH
        arrivals = self._network.exchange([self._posted(url, _XML, question(id_), None) for id_ in wanted])
        answers = ((wanted[index], read(came)) for index, came in arrivals)
        return {id_: answer for id_, answer in answers if answer is not None}

    def _posted(self, url: str, headers: Mapping[str, str], body: bytes, handover_seconds: float | None) -> HttpRequest:
        return HttpRequest("POST", url, headers, body, self._deadline_seconds, handover_seconds)


def _filled(path: str, token: Token | None) -> str:
    assert token is not None, "a recurring order is made with a token"
    return path.replace(TOKEN_PLACEHOLDER, quote(token.reveal(), safe=""))


def _checked_merchant(eid: int, secret: str) -> Merchant:
    if type(eid) is not int or not 1 <= eid <= INTEGER_MAX:
        raise Invalid("eid of a Klarna account is a positive whole number below 2^31", where="eid")
    if not secret or any(ord(character) > 0xFF for character in secret):
        raise Invalid("secret of a Klarna account is not empty and stays inside ISO-8859-1", where="secret")
    return Merchant(eid, secret)
