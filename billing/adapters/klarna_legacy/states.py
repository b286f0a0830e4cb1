"""What the older generation's reading calls say about orders, invoices and tokens, in our words.

Reading changes nothing, so there is no doubt to keep: what cannot be read whole is left out (`None`, `unknown`).
"""

from collections.abc import Mapping

from billing.adapters.klarna_legacy.answers import is_klarnas_error
from billing.adapters.klarna_legacy.xmlrpc import Fault, Value, read_response
from billing.adapters.klarna_rest.answers import strict_object
from billing.adapters.network import HttpAnswer, HttpOutcome
from billing.ports import Sighting, TokenState

_SIGHTINGS: Mapping[str, Sighting] = {"1": Sighting.ACCEPTED, "2": Sighting.PENDING, "3": Sighting.DENIED}
_NO_SUCH_ID = frozenset({8101, 9109, 9111})
"""Unknown invoice, reservation or order number; which of them is given where is not documented (section 4)."""


def sighting(came: HttpOutcome) -> Sighting | None:
    """How an order stands, or None where nobody said so."""
    value = _value(came)
    if isinstance(value, Fault):
        return Sighting.NOT_FOUND if value.code in _NO_SUCH_ID else None
    # The documented number, which clients read from a text as well.
    return _SIGHTINGS.get(str(value)) if type(value) in (int, str) else None


def invoice_amount(came: HttpOutcome) -> int | None:
    """The amount of an invoice in minor units, or None where it cannot be read."""
    value = _value(came)
    return value if type(value) is int and value >= 0 else None


def token_state(came: HttpOutcome) -> TokenState:
    """`active` where a payment method answers, `revoked` where Klarna itself knows no such token, else `unknown`."""
    body = strict_object(came) if isinstance(came, HttpAnswer) else None
    if not isinstance(came, HttpAnswer) or body is None:
        return TokenState("unknown")
    # A bare 404 also comes from a wrong address, and must not revoke every token there is.
    if came.status == 404 and is_klarnas_error(came):
        return TokenState("revoked")
    method = body.get("payment_method")
    is_alive = came.status == 200 and isinstance(method, dict) and isinstance(method.get("type"), str)
    return TokenState("active" if is_alive else "unknown")


def _value(came: HttpOutcome) -> Value | Fault | None:
    return read_response(came.body) if isinstance(came, HttpAnswer) and came.status == 200 else None
