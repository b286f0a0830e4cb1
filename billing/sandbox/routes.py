"""Which call is answered by which function. What stands in no row is 404."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from billing.sandbox import checkout, control, rest
from billing.sandbox.wire import Answer, Call
from billing.sandbox.world import World

Handler = Callable[[World, Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """`keeps_key`: the answer is kept under the idempotency key; `is_light`: what it writes needs no disk flush."""

    handler: Handler
    keeps_key: bool = False
    is_light: bool = False


_ORDER = "/ordermanagement/v1/orders/{id}"
_TOKEN = "/customer-token/v1/tokens/{id}"  # noqa: S105  a path, not a password

_TABLE: dict[str, dict[str, Route]] = {
    f"{_TOKEN}/order": {"POST": Route(checkout.place_order, keeps_key=True)},
    f"{_ORDER}/captures": {
        "POST": Route(rest.capture, keeps_key=True),
        "GET": Route(rest.list_captures),
    },
    _ORDER: {"GET": Route(rest.read_order)},
    f"{_ORDER}/captures/{{id}}": {"GET": Route(rest.read_capture)},
    f"{_ORDER}/captures/{{id}}/trigger-send-out": {"POST": Route(rest.trigger_send_out, keeps_key=True)},
    f"{_ORDER}/refunds": {"POST": Route(rest.refund, keeps_key=True)},
    f"{_ORDER}/refunds/{{id}}": {"GET": Route(rest.read_refund)},
    f"{_ORDER}/cancel": {"POST": Route(rest.cancel, keeps_key=True)},
    _TOKEN: {"GET": Route(checkout.read_token)},
    f"{_TOKEN}/status": {"PATCH": Route(checkout.change_token_status)},
    "/payments/v1/sessions": {"POST": Route(checkout.create_session)},
    "/payments/v1/authorizations/{id}/customer-token": {"POST": Route(checkout.create_token)},
    "/_sandbox/sessions/{id}/approve": {"POST": Route(control.approve)},
    "/_sandbox/clock": {
        "GET": Route(control.read_clock, is_light=True),
        "POST": Route(control.set_clock, is_light=True),
    },
    "/_sandbox/script": {
        "GET": Route(control.read_script),
        "POST": Route(control.queue_script),
        "DELETE": Route(control.forget_script),
    },
    "/_sandbox/ledger": {"GET": Route(control.read_ledger)},
}

_PATTERNS = [(re.compile(path.replace("{id}", "([^/]+)")), methods) for path, methods in _TABLE.items()]


def find(path: str) -> tuple[dict[str, Route], tuple[str, ...]] | None:
    """The routes of the path by method, and the variable parts of the path; None for an unknown path."""
    for pattern, methods in _PATTERNS:
        matched = pattern.fullmatch(path)
        if matched:
            return methods, matched.groups()
    return None
