"""The sandbox as the demo uses it: its clock, and the customer in the browser who signs up for a token."""

import json
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

from billing.demo.calling import Caller, UnexpectedAnswer
from billing.demo.catalogue import Customer


class Provider:
    """Klarna's sandbox, seen from the shop's check-out page."""

    def __init__(self, caller: Caller, url: str) -> None:
        self._caller = caller
        # The story sets the clock thousands of times: a bare kept-open connection costs half of what a client does.
        self._clock = HTTPConnection(url.removeprefix("http://"), timeout=30)

    def set_clock(self, instant: datetime) -> None:
        """Freeze the sandbox's clock at `instant` (aware). Raises UnexpectedAnswer where it refuses."""
        body = json.dumps({"set": instant.isoformat()})
        self._clock.request("POST", "/_sandbox/clock", body, {"Content-Type": "application/json"})
        answer = self._clock.getresponse()
        answer.read()
        if answer.status != HTTPStatus.OK:
            raise UnexpectedAnswer(f"POST /_sandbox/clock answered {answer.status}")

    def close(self) -> None:
        """Close the clock's connection."""
        self._clock.close()

    def sign_up(self, customer: Customer, currency: str, behaviour: str, seed: str) -> str:
        """Session, approval by the customer, customer token: the recurring token that comes of it."""
        session = {**_place(customer, currency), **_nothing_charged_now(customer.plan), "intent": "tokenize"}
        session_id = self._caller.post("/payments/v1/sessions", session)["session_id"]
        approved = self._caller.post(f"/_sandbox/sessions/{session_id}/approve", {"token": behaviour, "seed": seed})
        answer = self._caller.post(
            f"/payments/v1/authorizations/{approved['authorization_token']}/customer-token",
            {**_place(customer, currency), "description": customer.plan, "intended_use": "SUBSCRIPTION"},
            named="/payments/v1/authorizations/.../customer-token",
        )
        return str(answer["token_id"])

    def script_first_charge(self, token: str, fault: str) -> None:
        """The next charge of this token meets `fault`, once.

        Tied to the token, so that a token which a killed demo never handed in takes its fault with it.
        """
        self._caller.post("/_sandbox/script", {"answers": [{"fault": fault, "path_contains": f"{token}/order"}]})


def _place(customer: Customer, currency: str) -> dict[str, str]:
    return {"purchase_country": customer.country, "purchase_currency": currency, "locale": customer.locale}


def _nothing_charged_now(plan: str) -> dict[str, Any]:
    line = {"name": plan, "quantity": 1, "unit_price": 0, "total_amount": 0}
    return {"order_amount": 0, "order_lines": [line]}
