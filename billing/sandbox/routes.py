"""Which call is answered by which function, how its API refuses, and which limit it counts against.

What stands in no row is 404.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from billing.sandbox import (
    aggregated,
    carts,
    checkout,
    control,
    methods,
    pages,
    payments,
    recurring,
    rest,
    rest_changes,
    xmlrpc,
)
from billing.sandbox.spoiling import Refuse
from billing.sandbox.wire import Answer, Call, error_answer
from billing.sandbox.world import World

Handler = Callable[[World, Call], Answer]

REST, CHECKOUT, XMLRPC, CONTROL = "rest", "checkout", "xmlrpc", "control"
"""The four doors: Basic credentials, a digest over the body, a digest among the parameters, none at all."""

XMLRPC_PATHS = frozenset({"/", "/xmlrpc", "/xmlrpc/", "/RPC2"})
REFUSALS: dict[str, Refuse] = {
    REST: error_answer,
    CONTROL: error_answer,
    CHECKOUT: carts.refusal_answer,
    XMLRPC: xmlrpc.refusal_answer,
}


@dataclass(frozen=True, slots=True)
class Route:
    """`keeps_key`: the answer is kept under the idempotency key; `is_light`: what it writes needs no disk flush."""

    handler: Handler
    keeps_key: bool = False
    is_light: bool = False
    limit: str = "rest_rate_limit"


def _kept(handler: Handler) -> Route:
    return Route(handler, keeps_key=True)


def _older(handler: Handler) -> Route:
    return Route(handler, limit="legacy_rate_limit")


def _told(handler: Handler, *, is_light: bool = False) -> Route:
    return Route(handler, is_light=is_light, limit="")


_ORDER = "/ordermanagement/v1/orders/{id}"
_TOKEN = "/customer-token/v1/tokens/{id}"  # noqa: S105  a path, not a password
_AUTHORIZATION = "/payments/v1/authorizations/{id}"
_CAPTURE = f"{_ORDER}/captures/{{id}}"

_TABLE: dict[str, dict[str, Route]] = {
    f"{_TOKEN}/order": {"POST": _kept(checkout.place_order)},
    f"{_ORDER}/captures": {"POST": _kept(rest.capture), "GET": Route(rest.list_captures)},
    _ORDER: {"GET": Route(rest.read_order)},
    _CAPTURE: {"GET": Route(rest.read_capture)},
    f"{_CAPTURE}/trigger-send-out": {"POST": _kept(rest.trigger_send_out)},
    f"{_CAPTURE}/shipping-info": {"POST": _kept(rest_changes.add_capture_shipping)},
    f"{_CAPTURE}/extend-due-date-options": {"GET": Route(rest_changes.due_date_options)},
    f"{_CAPTURE}/extend-due-date": {"PATCH": _kept(rest_changes.extend_due_date)},
    f"{_ORDER}/refunds": {"POST": _kept(rest.refund)},
    f"{_ORDER}/refunds/{{id}}": {"GET": Route(rest.read_refund)},
    f"{_ORDER}/cancel": {"POST": _kept(rest.cancel)},
    f"{_ORDER}/authorization": {"PATCH": _kept(rest_changes.update_authorization)},
    f"{_ORDER}/merchant-references": {"PATCH": _kept(rest_changes.update_references)},
    f"{_ORDER}/customer-details": {"PATCH": _kept(rest_changes.update_customer)},
    f"{_ORDER}/shipping-info": {"POST": _kept(rest_changes.add_order_shipping)},
    f"{_ORDER}/release-remaining-authorization": {"POST": _kept(rest_changes.release)},
    f"{_ORDER}/extend-authorization-time": {"POST": _kept(rest_changes.extend_authorization)},
    f"{_ORDER}/acknowledge": {"POST": _kept(rest_changes.acknowledge)},
    _TOKEN: {"GET": Route(checkout.read_token)},
    f"{_TOKEN}/status": {"PATCH": Route(checkout.change_token_status)},
    "/payments/v1/sessions": {"POST": Route(payments.create_session, limit="session_rate_limit")},
    "/payments/v1/sessions/{id}": {"GET": Route(payments.read_session), "POST": Route(payments.update_session)},
    f"{_AUTHORIZATION}/customer-token": {"POST": Route(payments.create_token)},
    f"{_AUTHORIZATION}/order": {"POST": _kept(payments.create_order)},
    _AUTHORIZATION: {"DELETE": Route(payments.cancel_authorization)},
    "/checkout/recurring/{id}/orders": {"POST": _older(recurring.place_order)},
    "/checkout/recurring/{id}": {"GET": _older(recurring.read_status)},
    "/checkout/orders": {"POST": _older(aggregated.create)},
    "/checkout/orders/{id}": {"GET": _older(aggregated.read), "POST": _older(aggregated.update)},
    "/_sandbox": {"GET": _told(pages.index)},
    "/_sandbox/": {"GET": _told(pages.index)},
    "/_sandbox/approve": {"GET": _told(pages.sign_up), "POST": _told(pages.signed_up)},
    "/_sandbox/sessions/{id}": {"GET": _told(pages.session)},
    "/_sandbox/sessions/{id}/approve": {"POST": _told(pages.approve_session)},
    "/_sandbox/authorizations/{id}/token": {"POST": _told(pages.make_token)},
    "/_sandbox/checkouts/{id}": {"GET": _told(pages.checkout)},
    "/_sandbox/checkouts/{id}/approve": {"POST": _told(pages.approve_checkout)},
    "/_sandbox/tokens": {"GET": _told(control.list_tokens), "POST": _told(control.create_token)},
    "/_sandbox/tokens/{id}": {"POST": _told(control.change_token)},
    "/_sandbox/orders/{id}/review": {"POST": _told(control.decide_review)},
    "/_sandbox/orders/{id}/portal": {"POST": _told(control.act_in_portal)},
    "/_sandbox/settings": {
        "GET": _told(control.read_settings),
        "POST": _told(control.change_settings),
        "DELETE": _told(control.reset_settings),
    },
    "/_sandbox/clock": {
        "GET": _told(control.read_clock, is_light=True),
        "POST": _told(control.set_clock, is_light=True),
    },
    "/_sandbox/script": {
        "GET": _told(control.read_script),
        "POST": _told(control.queue_script),
        "DELETE": _told(control.forget_script),
    },
    "/_sandbox/ledger": {"GET": _told(control.read_ledger)},
    "/_sandbox/ledger.csv": {"GET": _told(control.read_ledger_table)},
}

_PATTERNS = [(re.compile(path.replace("{id}", "([^/]+)")), rows) for path, rows in _TABLE.items()]
_XMLRPC_METHODS = {"POST": _older(methods.answer), "GET": _told(pages.index)}


def door_of(method: str, path: str) -> str:
    """Through which of the four doors a call comes."""
    if path in XMLRPC_PATHS:
        return XMLRPC if method == "POST" else CONTROL
    if path.startswith("/checkout/"):
        return CHECKOUT
    return CONTROL if path == "/_sandbox" or path.startswith("/_sandbox/") else REST


def find(path: str) -> tuple[dict[str, Route], tuple[str, ...]] | None:
    """The routes of the path by method, and the variable parts of the path; None for an unknown path."""
    if path in XMLRPC_PATHS:
        return _XMLRPC_METHODS, ()
    for pattern, rows in _PATTERNS:
        matched = pattern.fullmatch(path)
        if matched:
            return rows, matched.groups()
    return None
