"""Writes the page of Klarna's calls by making each of them: the adapters ask, the sandbox answers, both are kept.

`python -m tests.adapters.record_calls --write docs/klarna-calls.md`; `--check` compares instead, exit code 1 where the
page is not what is really sent and answered.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from billing.adapters.network import HttpAnswer, HttpRequest, Network
from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind, OrderChange
from billing.domain.tokens import Token
from billing.ports import Address, Outcome
from tests.adapters.both_generations import (
    AMEND,
    BASE,
    CAPTURE,
    FREIGHT,
    ONE_BOX,
    PARCEL,
    PURCHASE,
    REFUND,
    RELEASE,
    UNUSED,
    USED,
    VOID,
    Legacy,
    Rest,
    Side,
)
from tests.adapters.conftest import SandboxProcess, session_body, token_body
from tests.adapters.klarna_of_that_time import authorization, item
from tests.adapters.recorded_exchange import Recorder, shown, steady

PAGE = Path(__file__).resolve().parents[2] / "docs" / "klarna-calls.md"
NOON = "2028-01-31T12:00:00+00:00"
SHIP, EXTEND, REVOKE = OperationKind.SHIP, OperationKind.EXTEND, OperationKind.REVOKE
HOME = Address("Ada", "Example", "Storgatan 1", postal_code="12345", city="Ankeborg", country="SE")
EMAIL, POST, LATER = OperationKind.EMAIL_INVOICE, OperationKind.POST_INVOICE, OperationKind.EXTEND_DUE_DATE

HEAD = """# Klarna's calls, as sent and as answered

Written by `python -m tests.adapters.record_calls --write docs/klarna-calls.md`: each call is made by the adapter,
against the sandbox. A test makes them again and compares. [klarna.md](klarna.md) says what they mean.

Everything is one invoice of 39.70 SEK: a base fee of 19.90 at 25 %, two boxes at 7.45 at 12 %, freight of 4.90 at 25 %.
Refused charges show the base fee alone.
JSON is indented here and sent compact. Names in capitals (ORDER, RNO, KEY, DIGEST) stand for what differs each time.
User, password, `eid` and secret are the sandbox's own. "We take it as" is what the rest of the service is told.
"""


@dataclass
class Page:
    """The page as far as it is written, and the names of the ids that came up."""

    side: Side
    recorder: Recorder
    parts: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def chapter(self, title: str) -> None:
        self.parts.append(f"## {title}")

    def call(self, title: str, kind: OperationKind, name: str = "", token: Token | None = None, **changes: Any) -> str:
        """One call of ours, shown; an id that it makes is called `name` on the page, and returned."""
        about = {"invoice_reference": "inv_0190", "merchant_reference": "op-0123456789abcdef0123", **changes}
        start, outcome = len(self.recorder.heard), self.side.asked(kind, token, **about)
        id_ = getattr(outcome, "provider_id", None) or ""
        self._show(title, start, f"We take it as: {said(outcome)}")
        self.names |= {id_: name} if id_ else {}
        return id_

    def read(self, title: str, ask: Callable[[], Any]) -> None:
        """A reading call, shown with what it tells us."""
        start, told = len(self.recorder.heard), ask()
        self._show(title, start, f"It tells us: `{told}`")

    def _show(self, title: str, start: int, meaning: str) -> None:
        exchanges = [shown(request, answer) for request, answer in self.recorder.heard[start:]]
        self.parts += [f"### {title}", *exchanges, meaning]

    def refuse(self, title: str, kind: OperationKind, **changes: Any) -> None:
        """What we refuse ourselves, before anything is sent."""
        try:
            self.side.gateway.prepare(self.side.order(kind, **changes))
        except Invalid as refused:
            self.parts += [f"### {title}", f"Nothing is sent. We refuse it ourselves: `{refused.message}`"]
            return
        raise AssertionError(f"{title}: nobody refused it")

    def shop(self, title: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """A call that the merchant's own shop makes, shown."""
        content = json.dumps(body, ensure_ascii=False).encode() if body is not None else b""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("Authorization", authorization(content))
        url = self.side.sandbox.url + path
        came = httpx.request(method, url, content=content, headers=sent)
        came.raise_for_status()
        request = HttpRequest(method, url, sent, content, 1.0)
        self.parts += [f"### {title}", shown(request, HttpAnswer(came.status_code, dict(came.headers), came.content))]
        return came

    def finished(self) -> list[str]:
        return [steady(part, self.names) for part in self.parts]


def said(outcome: Outcome) -> str:
    """An outcome in one line."""
    answer = outcome.answer
    told: dict[str, Any] = {"code": answer.code, "message": answer.message}
    for name in ("provider_id", "authorization", "expires_at", "reason", "retry_after_seconds"):
        told[name] = getattr(outcome, name, None)
    told |= dict(getattr(outcome, "facts", {}))
    facts = ", ".join(f"{name} `{value}`" for name, value in told.items() if value)
    return f"**{type(outcome).__name__}**" + (f", {facts}" if facts else "")


def rest_token(page: Page) -> Token:
    """From a session to a token, as a shop does it."""
    page.chapter("Current generation: how a shop gets a token")
    own = {"Authorization": "Basic c2FuZGJveDpzYW5kYm94", "Content_Type": "application/json"}
    place = {"purchase_country": "SE", "purchase_currency": "SEK", "locale": "sv-SE"}
    opened = page.shop("A session is opened", "POST", "/payments/v1/sessions", session_body() | place, **own)
    session = opened.json()["session_id"]
    approve = f"/_sandbox/sessions/{session}/approve"
    given = page.side.sandbox.client.post(approve, json={"token": "always_ok"}).json()["authorization_token"]
    page.parts.append(
        "The customer approves, in Klarna's widget or, here, at `/_sandbox/sessions/SESSION`; a script does it with\n"
        '`POST /_sandbox/sessions/SESSION/approve {"token": "always_ok"}`. Either gives AUTHORIZATION.'
    )
    path = f"/payments/v1/authorizations/{given}/customer-token"
    made = page.shop("The authorization becomes a token", "POST", path, token_body() | place, **own)
    page.names |= {session: "SESSION", given: "AUTHORIZATION", made.json()["token_id"]: "TOKEN"}
    return Token(made.json()["token_id"])


def legacy_token(page: Page) -> Token:
    """From an order of the older checkout to a recurring token."""
    page.chapter("Older generation: how a shop gets a token")
    cart = {
        "purchase_country": "SE",
        "purchase_currency": "SEK",
        "locale": "sv-se",
        "recurring": True,
        "merchant": {"id": "4711", "push_uri": "https://shop.example/push?order={checkout.order.id}"},
        "cart": {"items": [item()]},
    }
    kind = "application/vnd.klarna.checkout.aggregated-order-v2+json"
    made = page.shop("An order of the checkout is opened", "POST", "/checkout/orders", cart, Content_Type=kind)
    checkout = made.headers["Location"].rsplit("/", 1)[1]
    approve = f"/_sandbox/checkouts/{checkout}/approve"
    done = page.side.sandbox.client.post(approve, json={"token": "always_ok"}).json()
    page.parts.append(
        "The customer completes it on a page, here `/_sandbox/checkouts/CHECKOUT`; a script does it with\n"
        '`POST /_sandbox/checkouts/CHECKOUT/approve {"token": "always_ok"}`. Klarna then calls `push_uri`.'
    )
    page.shop("The order is read: it holds the token", "GET", f"/checkout/orders/{checkout}", Accept=kind)
    page.names |= {checkout: "CHECKOUT", done["reservation"]: "RNO", done["recurring_token"]: "TOKEN"}
    return Token(done["recurring_token"])


def purchases(page: Page, token: Token) -> str:
    """The charge and its refusals; returns a reservation that is old enough to be captured."""
    side = page.side
    order = "ORDER" if side.is_rest else "RNO"
    subscription = {"subscription_name": "Plant of the month", "interval": "month", "interval_count": 1}
    purchase_id = page.call("The charge of a token", PURCHASE, order, token, **subscription)
    for title, behaviour in (
        ("Under review", "pending_then_ok"),
        ("Declined for now", "decline_soft"),
        ("Declined for good: the token has ended", "decline_hard"),
        ("A token that is asleep", "suspended"),
    ):
        other = side.token(behaviour)
        page.names[other.reveal()] = "TOKEN"
        page.call(title, PURCHASE, order, other, lines=(BASE,))
    euro = side.token(currency="EUR")
    page.names[euro.reveal()] = "TOKEN"
    page.call("Another currency than the token's", PURCHASE, order, euro, lines=(BASE,))
    page.read("The token is read", lambda: side.status_of(token))
    return purchase_id


def changes(page: Page, purchase_id: str) -> None:
    """What is done before the capture."""
    side, order = page.side, "ORDER" if page.side.is_rest else "RNO"
    page.call("A capture before 30 minutes", CAPTURE, purchase_id=purchase_id)
    page.call("An order gets other lines", AMEND, purchase_id=purchase_id, lines=(BASE, ONE_BOX, FREIGHT))
    renumbered: dict[str, Any] = {"changes": OrderChange.ORDER_NUMBER, "invoice_reference": "SHOP-17"}
    page.call("It gets another order number", AMEND, purchase_id=purchase_id, lines=(), **renumbered)
    readdressed: dict[str, Any] = {"changes": OrderChange.ADDRESS, "address": HOME, "lines": ()}
    page.call("It is delivered to another address", AMEND, purchase_id=purchase_id, **readdressed)
    page.call("Its authorization ends later", EXTEND, purchase_id=purchase_id)
    page.call("It is given back whole", VOID, purchase_id=purchase_id)
    if not side.is_rest:
        expired = side.do(PURCHASE)
        page.names[expired] = order
        side.sandbox.advance(days=29)
        page.call("An authorization that has expired is brought back", EXTEND, purchase_id=expired)
        side.sandbox.set(extension_assessment="reject")
        side.sandbox.advance(days=29)
        page.call("Klarna's new assessment refuses that", EXTEND, purchase_id=expired)
        side.sandbox.set(extension_assessment="accept")
        side.sandbox.freeze(NOON)


def captures(page: Page) -> tuple[str, str]:
    """Whole and in parts; returns purchase and capture of a whole one."""
    side, order = page.side, "ORDER" if page.side.is_rest else "RNO"
    capture = "CAPTURE" if side.is_rest else "INVNO"
    references = {"invoice_reference": "inv_0190", "merchant_reference": "op-0123456789abcdef0123"}
    whole, parts = side.do(PURCHASE, **references), side.do(PURCHASE, **references)
    page.names |= {whole: order, parts: order}
    side.sandbox.advance(minutes=31)
    capture_id = page.call(
        "All of it is captured, with a parcel", CAPTURE, capture, purchase_id=whole, shipments=(PARCEL,)
    )
    page.call("A void after the capture", VOID, purchase_id=whole)
    page.call("A part is captured", CAPTURE, capture, purchase_id=parts, lines=(ONE_BOX,), is_whole=False)
    page.call("The rest is given back", RELEASE, purchase_id=parts)
    if side.is_rest:
        page.call("A parcel by itself", SHIP, purchase_id=whole, capture_id=capture_id, shipments=(PARCEL,))
        page.read("The order is read", lambda: state_of(side, whole))
    else:
        page.refuse("A parcel by itself", SHIP, purchase_id=whole, shipments=(PARCEL,))
    return whole, capture_id


def state_of(side: Side, purchase_id: str) -> str:
    state = side.gateway.read_orders([purchase_id])[purchase_id]
    return f"{state.authorization}, captured {state.captured_amount} of {state.amount} {state.currency}"


def credits_and_mail(page: Page, purchase_id: str, capture_id: str) -> None:
    """What is done after the capture."""
    side, refund = page.side, "REFUND"
    about: dict[str, Any] = {"purchase_id": purchase_id, "capture_id": capture_id}
    page.call(
        "19 of 30 days and one box go back: 20.05",
        *(REFUND, refund),
        lines=(UNUSED, ONE_BOX),
        kept=(USED,),
        is_whole=False,
        **about,
    )
    goodwill = replaced(FREIGHT, 100, 20)
    page.call("An amount goes back", REFUND, refund, lines=(goodwill,), has_lines=False, is_whole=False, **about)
    page.call("The invoice is emailed again", EMAIL, **about)
    page.call("An email of an invoice that is not there", EMAIL, **about | {"capture_id": "1"})
    page.call("The due date is moved", LATER, days=14, **about)
    other, captured = side.captured()
    page.names |= {other: page.names[purchase_id], captured: page.names[capture_id]}
    page.call("A whole invoice goes back", REFUND, refund, purchase_id=other, capture_id=captured)
    page.call("It cannot go back twice", REFUND, refund, purchase_id=other, capture_id=captured)
    if side.is_rest:
        token = side.token()
        page.names[token.reveal()] = "TOKEN"
        page.call("A token is revoked", REVOKE, "", token, lines=(BASE,))
        page.refuse("An invoice by post", POST, **about)
    else:
        page.call("The invoice is sent by post (charged, by operators only)", POST, **about)
        page.refuse("An email without an address", EMAIL, customer_email=None, **about)
        page.refuse("A token is revoked", REVOKE)


def replaced(line_: Any, amount: int, tax: int) -> Any:
    return type(line_)(line_.reference, line_.name, 1, amount, amount, tax, line_.tax_rate)


def looked_up(page: Page, capture_id: str) -> None:
    """The older generation's reading calls."""
    gateway, side = page.side.gateway, page.side
    reference = "op-00000000000000000099"
    bought = side.do(PURCHASE, merchant_reference=reference)
    page.names[bought] = "RNO"
    page.read(
        "What became of an order, by our own order id", lambda: gateway.read_sightings([reference])[reference].value
    )
    side.sandbox.set(status_sees_recurring=True)
    page.read(
        "The same where Klarna shows recurring orders", lambda: gateway.read_sightings([reference])[reference].value
    )
    page.read("What is left of an invoice", lambda: gateway.read_invoices([capture_id])[capture_id])


def recorded(sandbox: SandboxProcess) -> str:
    """The whole page, from calls made now."""
    network = Network(concurrency=2)
    parts = [HEAD.rstrip()]
    for side_class, words in ((Rest, "Current"), (Legacy, "Older")):
        sandbox.settle_down()
        sandbox.set(rest_capture_wait_seconds=1800)
        sandbox.freeze(NOON)
        recorder = Recorder(network)
        page = Page(side_class(sandbox, recorder), recorder)
        token = rest_token(page) if side_class is Rest else legacy_token(page)
        page.chapter(f"{words} generation: purchases")
        bought = purchases(page, token)
        page.chapter(f"{words} generation: before the capture")
        changes(page, bought)
        page.chapter(f"{words} generation: captures")
        whole, capture_id = captures(page)
        page.chapter(f"{words} generation: after the capture")
        credits_and_mail(page, whole, capture_id)
        if side_class is Legacy:
            looked_up(page, capture_id)
        parts += page.finished()
    network.close()
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description="Record Klarna's calls from the sandbox.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", type=Path, metavar="FILE")
    what.add_argument("--check", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        sandbox = SandboxProcess(Path(directory))
        try:
            text = recorded(sandbox)
        finally:
            sandbox.stop()
    if chosen.write:
        chosen.write.write_text(text)
        return 0
    return 0 if chosen.check.read_text() == text else 1


if __name__ == "__main__":
    sys.exit(main())
