"""Both adapters beside each other on one sandbox: the same orders in our words, and what the sandbox's books then hold.

Everything is the worked example of the billing rules, section 5: 39.70 SEK in Sweden, three articles at two rates.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from billing.adapters.klarna_legacy.gateway import KlarnaLegacy
from billing.adapters.klarna_rest.gateway import KlarnaRest
from billing.adapters.network import Network
from billing.domain.operations import OperationKind, merchant_reference
from billing.domain.tokens import Token
from billing.ports import Call, Declined, Order, OrderLine, Outcome, PaymentGateway, Refused, Shipment, Succeeded

PURCHASE, CAPTURE, REFUND = OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.REFUND
VOID, RELEASE, AMEND = OperationKind.VOID, OperationKind.RELEASE, OperationKind.AMEND

BASE = OrderLine("BASE", "Grundavgift", 1, 1990, 1990, 398, 2500)
BOXES = OrderLine("BOX", "Låda", 2, 745, 1490, 160, 1200)
FREIGHT = OrderLine("FREIGHT", "Frakt", 1, 490, 490, 98, 2500)
GOODS = (BASE, BOXES, FREIGHT)
ONE_BOX = OrderLine("BOX", "Låda", 1, 745, 745, 80, 1200)
UNUSED = OrderLine("BASE", "Grundavgift", 1, 1260, 1260, 252, 2500)
"""19 of 30 days of the base fee."""
USED = OrderLine("BASE", "Grundavgift", 1, 1990, 730, 146, 2500)
"""The other 11 days, with quantity and price of the article as invoiced."""
PARCEL = Shipment("PostNord", "UU1", "https://track.example/UU1", "DHL", "RR1", "https://track.example/RR1")


@dataclass(frozen=True)
class Books:
    """What the sandbox holds of one order, from its ledger export."""

    order: dict[str, Any]
    captures: list[dict[str, Any]]
    refunds: list[dict[str, Any]]
    voids: list[dict[str, Any]]
    send_outs: list[dict[str, Any]]
    changes: list[dict[str, Any]]

    @property
    def captured(self) -> list[tuple[int, str | None]]:
        """Amount and reference of each capture."""
        return [(row["amount"], row["reference"]) for row in self.captures]

    @property
    def refunded(self) -> list[tuple[int, str]]:
        return [(row["amount"], row["kind"]) for row in self.refunds]


class Side:
    """One adapter on the sandbox. `call` makes a call, `send` makes it happen, `do` expects it to succeed."""

    generation = ""

    def __init__(self, sandbox: Any, network: Network) -> None:
        self.sandbox = sandbox
        self.gateway = self.connected(network)

    def connected(self, network: Network) -> PaymentGateway:
        raise NotImplementedError

    @property
    def is_rest(self) -> bool:
        return self.generation == "rest"

    def token(self, behaviour: str = "always_ok", currency: str = "SEK") -> Token:
        return Token(self.sandbox.new_token(self.generation, behaviour, currency))

    def order(self, kind: OperationKind, **changes: Any) -> Order:
        lines: Sequence[OrderLine] = changes.pop("lines", GOODS)
        defaults: dict[str, Any] = {
            "amount": sum(line.amount for line in lines),
            "currency": "SEK",
            "merchant_reference": merchant_reference(uuid4()),
            "invoice_reference": f"inv_{uuid4().hex}",
            "country": "SE",
            "locale": "sv-SE",
            "customer_email": "kim@example.com",
        }
        return Order(kind=kind, lines=lines, **{**defaults, **changes})

    def call(self, kind: OperationKind, token: Token | None = None, **changes: Any) -> Call:
        order = self.order(kind, **changes)
        return Call(
            operation_id=uuid4(),
            kind=kind,
            request=self.gateway.prepare(order),
            key=uuid4(),
            amount=order.amount,
            currency=order.currency,
            merchant_reference=order.merchant_reference,
            purchase_id=order.purchase_id,
            token=token or (self.token() if kind is PURCHASE else None),
        )

    def send(self, call: Call) -> Outcome:
        [(operation_id, outcome)] = self.gateway.send([call])
        assert operation_id == call.operation_id
        return outcome

    def asked(self, kind: OperationKind, token: Token | None = None, **changes: Any) -> Outcome:
        return self.send(self.call(kind, token, **changes))

    def do(self, kind: OperationKind, token: Token | None = None, **changes: Any) -> str:
        """The provider's id of something that succeeds."""
        outcome = self.asked(kind, token, **changes)
        assert isinstance(outcome, Succeeded), outcome
        return outcome.provider_id or ""

    def bought(self, token: Token | None = None, **changes: Any) -> str:
        """A purchase that is old enough to be captured."""
        purchase_id = self.do(PURCHASE, token, **changes)
        self.sandbox.advance(minutes=31)
        return purchase_id

    def captured(self, **changes: Any) -> tuple[str, str]:
        """A purchase captured whole: both ids."""
        purchase_id = self.bought()
        return purchase_id, self.do(CAPTURE, purchase_id=purchase_id, **changes)

    def captured_in_part(self) -> tuple[str, str]:
        """A purchase of which one box was captured: both ids."""
        purchase_id = self.bought()
        return purchase_id, self.do(CAPTURE, purchase_id=purchase_id, lines=(ONE_BOX,), is_whole=False)

    def books(self, purchase_id: str) -> Books:
        ledger = self.sandbox.client.get("/_sandbox/ledger").json()
        (order,) = [row for row in ledger["orders"] if row["order_id"] == purchase_id]
        tables = ("captures", "refunds", "voids", "send_outs", "changes")
        return Books(order, *([row for row in ledger[table] if row["order_id"] == purchase_id] for table in tables))

    def orders_of(self, token: Token) -> list[dict[str, Any]]:
        ledger = self.sandbox.client.get("/_sandbox/ledger").json()
        return [row for row in ledger["orders"] if row["token_id"] == token.reveal()]

    def status_of(self, token: Token) -> str:
        id_ = uuid4()
        return self.gateway.read_tokens([(id_, token)])[id_].status


class Rest(Side):
    generation = "rest"

    def connected(self, network: Network) -> KlarnaRest:
        return KlarnaRest("main", self.sandbox.url, "sandbox", "sandbox", network, 20.0)


class Legacy(Side):
    generation = "legacy"
    gateway: KlarnaLegacy

    def connected(self, network: Network) -> KlarnaLegacy:
        return KlarnaLegacy("main", self.sandbox.url, self.sandbox.url, 4711, "sharedSecret", network, 20.0)


def reason(outcome: Outcome) -> str:
    """Why a charge was declined."""
    assert isinstance(outcome, Declined), outcome
    return outcome.reason


def code(outcome: Outcome) -> str | None:
    """Klarna's code for a refusal that goes to a person."""
    assert isinstance(outcome, Refused), outcome
    return outcome.answer.code


def tax_of(row: dict[str, Any]) -> int:
    """The tax in a capture's or refund's lines."""
    return sum(line["total_tax_amount"] for line in json.loads(row["lines"]))
