"""Follow-up calls on each generation, by the real adapter, over sockets, on the sandbox: what an operator asks, what
comes too late, what cannot be made smaller. One clock for both sides, moved by the test.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import GOODS, START, Shop
from reading import event_types, invoices, operations, rows
from sqlalchemy import update

from billing.adapters.klarna_legacy.gateway import KlarnaLegacy
from billing.adapters.klarna_rest.gateway import KlarnaRest
from billing.adapters.network import Network
from billing.domain.money import Money
from billing.ports import Address, PaymentGateway, Shipment
from billing.store.engine import Database
from billing.store.invoices import InvoiceLine
from billing.store.plans import Plan
from billing.use_cases.authorization_instructions import AfterVoid, extend_authorization, void_authorization
from billing.use_cases.capture import capture
from billing.use_cases.credit_invoice import CreditBy, NewCredit, credit_invoice
from billing.use_cases.instructing import Instruction
from billing.use_cases.invoice_instructions import email_invoice, move_due_date, post_invoice
from billing.use_cases.order_instructions import readdress_order, renumber_order
from billing.use_cases.refund import NewRefund, refund
from billing.use_cases.ship import ship
from billing.use_cases.subscribe import NewSubscription, subscribe
from tests.adapters.conftest import SandboxProcess

WHY = Instruction("Operator", "asked by phone")
HOME = Address("Ada", "Example", "Storgatan 1", postal_code="12345", city="Ankeborg", country="SE")
PARCEL = Shipment("PostNord", "UU1", return_tracking_number="RR1")
GIVE_UP_AFTER = 2.0


class SandboxShop(Shop):
    """A service with one account on the sandbox; `at` moves the provider's clock first, then ours."""

    provider: SandboxProcess

    def at(self, instant: Any) -> None:
        self.provider.freeze(instant.isoformat()).raise_for_status()
        super().at(instant)

    def authorized(self, mode: str = "manual", **price: object) -> UUID:
        """An invoice of 39.70 SEK whose purchase was just authorized."""
        text = self.provider.new_token(self.generation, "always_ok", "SEK")
        customer_id, price_id = self.customer(), self.price(**{"items": GOODS, **price})
        with self.database.tx() as session:
            session.execute(update(Plan).values(capture=mode))
        wanted = NewSubscription(customer_id, price_id, self.token(customer_id, text=text), None)
        subscribe(self.database, self.ids, self.clock.now(), wanted)
        self.tick()
        return invoices(self)[0].id

    def captured(self, **price: object) -> UUID:
        invoice_id = self.authorized("automatic", **price)
        self.after(minutes=31)
        return invoice_id

    def asks(self, act: Callable[..., object], invoice_id: UUID, *about: object) -> None:
        act(self.database, self.ids, self.clock.now(), invoice_id, *about, WHY)
        self.tick()

    def takes(self, invoice_id: UUID, **units: int) -> None:
        lines = {row.article_number: row.id for row in rows(self, InvoiceLine)}
        wanted = {lines[article]: count for article, count in units.items()} or None
        capture(self.database, self.ids, self.clock.now(), invoice_id, wanted)
        self.tick()

    def credits_a_box(self, invoice_id: UUID) -> None:
        box = next(row.id for row in rows(self, InvoiceLine) if row.article_number == "BOX")
        new = NewCredit(invoice_id, "goodwill", CreditBy.QUANTITY, units={box: 1})
        credit_invoice(self.database, self.ids, self.clock.now(), new)
        self.tick()

    def books(self, table: str) -> list[dict[str, Any]]:
        """The provider's rows about this shop's purchases."""
        ledger = self.provider.client.get("/_sandbox/ledger").json()
        ours = {op.provider_id for op in operations(self, "purchase")}
        return [row for row in ledger[table] if row["order_id"] in ours]


def only(found: list[Any]) -> Any:
    (row,) = found
    return row


@contextmanager
def opened(database: Database, provider: SandboxProcess, generation: str) -> Iterator[SandboxShop]:
    """A shop whose one account is of this generation."""
    network = Network(concurrency=4)
    gateway: PaymentGateway = (
        KlarnaRest("main", provider.url, "sandbox", "sandbox", network, GIVE_UP_AFTER)
        if generation == "rest"
        else KlarnaLegacy("main", provider.url, provider.url, 4711, "sharedSecret", network, GIVE_UP_AFTER)
    )
    provider.set(reservation_days=7)
    provider.freeze(START.isoformat()).raise_for_status()
    shop = SandboxShop(database, gateway=gateway, generation=generation)
    shop.provider = provider
    yield shop
    network.close()
    provider.settle_down()


@pytest.fixture(params=["rest", "legacy"])
def shop(request: pytest.FixtureRequest, database: Database, provider: SandboxProcess) -> Iterator[SandboxShop]:
    with opened(database, provider, request.param) as shop:
        yield shop


@pytest.fixture
def legacy(database: Database, provider: SandboxProcess) -> Iterator[SandboxShop]:
    with opened(database, provider, "legacy") as shop:
        yield shop


def test_an_order_gets_another_number_and_address_and_is_captured_under_that_number(shop: SandboxShop) -> None:
    invoice_id = shop.authorized()
    shop.asks(renumber_order, invoice_id, "SHOP-17")
    shop.asks(readdress_order, invoice_id, HOME)
    assert [op.status for op in operations(shop, "amend")] == ["succeeded", "succeeded"]
    (purchase,), order = operations(shop, "purchase"), only(shop.books("orders"))
    assert (order["merchant_reference1"], order["merchant_reference2"]) == ("SHOP-17", purchase.merchant_reference)
    sent = [json.loads(row["content"]) for row in shop.books("changes") if row["kind"] == "customer"]
    assert only(sent)["shipping_address"]["street_address"] == "Storgatan 1"
    shop.after(minutes=31)
    shop.takes(invoice_id)
    assert (invoices(shop)[0].status, only(shop.books("captures"))["amount"]) == ("paid", 3970)


def test_an_invoice_is_emailed_again_and_its_due_date_moved(shop: SandboxShop) -> None:
    invoice_id = shop.captured()
    before = len(shop.books("send_outs"))
    shop.asks(email_invoice, invoice_id)
    shop.asks(move_due_date, invoice_id, 14)
    assert len(shop.books("send_outs")) == before + 1
    moved = only(operations(shop, "extend_due_date"))
    assert (moved.status, moved.details["days"]) == ("succeeded", 14)
    assert ("cost" in moved.details) == (shop.generation == "legacy")


def test_an_authorization_is_extended_and_the_new_end_read_back(shop: SandboxShop) -> None:
    invoice_id = shop.authorized()
    before = only(operations(shop, "purchase")).expires_at
    shop.after(days=3)
    shop.asks(extend_authorization, invoice_id)
    (ended,) = [op for op in operations(shop, "extend") if op.status == "succeeded"]
    assert only(operations(shop, "purchase")).expires_at > START + timedelta(days=7)
    assert only(operations(shop, "purchase")).expires_at != before
    assert ended.details["by"] == "Operator"


def test_an_authorization_given_back_is_charged_again(shop: SandboxShop) -> None:
    invoice_id = shop.authorized()
    shop.asks(void_authorization, invoice_id, AfterVoid.CHARGE_AGAIN)
    assert sorted(row["status"] for row in shop.books("orders")) == ["AUTHORIZED", "CANCELLED"]
    assert [op.authorization for op in operations(shop, "purchase")] == ["voided", "authorized"]


def test_of_an_order_that_cannot_be_made_smaller_only_what_is_owed_is_taken(shop: SandboxShop) -> None:
    invoice_id = shop.authorized("automatic")
    fault = (
        {"fault": "refuse", "status": 403, "error_code": "NOT_ALLOWED", "path_contains": "/authorization"}
        if shop.generation == "rest"
        else {"fault": "xmlrpc_fault", "error_code": "8104", "path_contains": "/xmlrpc/update"}
    )
    shop.provider.script(fault).raise_for_status()
    shop.credits_a_box(invoice_id)
    assert only(operations(shop, "amend")).status == "declined"
    shop.after(minutes=31)
    assert [row["amount"] for row in shop.books("captures")] == [3225]
    assert [row["amount"] for row in shop.books("voids")] == [745]
    assert (invoices(shop)[0].status, only(operations(shop, "release")).status) == ("paid", "succeeded")


def test_a_letter_is_posted_once(legacy: SandboxShop) -> None:
    legacy.asks(post_invoice, legacy.captured())
    assert only(operations(legacy, "post_invoice")).status == "succeeded"
    assert [row["cause"] for row in legacy.books("send_outs")].count("post") == 1


def test_parcels_after_a_capture_are_told_or_kept(shop: SandboxShop) -> None:
    invoice_id = shop.captured()
    ship(shop.database, shop.ids, shop.clock.now(), invoice_id, [PARCEL])
    shop.tick()
    expected = "succeeded" if shop.generation == "rest" else "dropped"
    assert only(operations(shop, "ship")).status == expected


def test_a_reservation_that_expired_is_brought_back_and_captured(legacy: SandboxShop) -> None:
    invoice_id = legacy.authorized()
    legacy.after(days=8)
    legacy.takes(invoice_id)
    assert "authorization.may_have_ended" in event_types(legacy)
    assert [op.status for op in operations(legacy, "capture")] == ["declined", "succeeded"]
    assert (invoices(legacy)[0].status, only(legacy.books("captures"))["amount"]) == ("paid", 3970)


def test_a_reservation_that_is_not_brought_back_is_a_soft_decline(legacy: SandboxShop) -> None:
    invoice_id = legacy.authorized()
    legacy.provider.set(extension_assessment="reject")
    legacy.after(days=8)
    legacy.takes(invoice_id)
    first, second = operations(legacy, "purchase")
    assert (first.authorization, first.standing, second.status) == ("expired", "dead", "planned")
    assert legacy.books("captures") == []


def test_a_reservation_that_somebody_activated_is_not_charged_again(legacy: SandboxShop) -> None:
    invoice_id = legacy.authorized()
    legacy.after(minutes=31)
    order_id = only(operations(legacy, "purchase")).provider_id
    taken = {"action": "capture", "amount": 3970}
    legacy.provider.client.post(f"/_sandbox/orders/{order_id}/portal", json=taken).raise_for_status()
    legacy.takes(invoice_id)
    legacy.after(days=5)
    assert [op.status for op in operations(legacy, "capture")] == ["declined", "needs_operator"]
    assert (len(operations(legacy, "purchase")), len(legacy.books("captures"))) == (1, 1)


def test_a_refund_by_amount_over_two_invoices_of_one_rate_is_paid_out_by_each(legacy: SandboxShop) -> None:
    fees = tuple(item for item in GOODS if item.tax_rate == 2500)
    invoice_id = legacy.authorized(items=fees)
    legacy.after(minutes=31)
    legacy.takes(invoice_id, BASE=1)
    legacy.takes(invoice_id)
    refund(
        legacy.database, legacy.ids, legacy.clock.now(), NewRefund(invoice_id, "goodwill", amount=Money(2100, "SEK"))
    )
    legacy.tick()
    given = [(row["amount"], row["kind"]) for row in legacy.books("refunds")]
    assert given == [(1990, "credit_invoice"), (110, "return_amount")]


def test_a_credit_of_an_article_that_a_later_capture_took_is_given_once_or_goes_to_a_person(shop: SandboxShop) -> None:
    # The oldest capture with money left pays a credit; an older invoice that lacks the article refuses it.
    invoice_id = shop.authorized()
    shop.after(minutes=31)
    shop.takes(invoice_id, BASE=1)
    shop.takes(invoice_id)
    shop.credits_a_box(invoice_id)
    given, credit = [row["amount"] for row in shop.books("refunds")], only(operations(shop, "refund"))
    assert (credit.status, given) == (("succeeded", [745]) if shop.generation == "rest" else ("needs_operator", []))
    assert credit.answer_code == (None if shop.generation == "rest" else "9108")
