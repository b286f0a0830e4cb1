"""Somebody at work in the provider's own portal, in both generations: the use cases with the real adapters, over
sockets, on the sandbox; one clock for both, moved by the test.

What the portal of the sandbox has no button for (a release, a later end) is done as another client of the merchant's.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from factories import BASE_FEE, START, Shop
from reading import credit_notes, entries, event_types, invoices, operations, subscription

from billing.adapters.klarna_legacy.gateway import KlarnaLegacy
from billing.adapters.klarna_rest.gateway import KlarnaRest
from billing.adapters.network import Network
from billing.domain.ids import Prefix, shown
from billing.ports import Account
from billing.store.engine import Database
from billing.store.operations import Operation
from billing.store.plans import CaptureMode
from billing.use_cases.sending import Sending
from billing.use_cases.subscribe import NewSubscription, subscribe
from billing.use_cases.watch_orders import watch_orders
from tests.adapters.conftest import SandboxProcess
from tests.adapters.klarna_of_that_time import OlderKlarna

GIVE_UP_AFTER = 2.0


class PortalShop(Shop):
    """A service whose one account is the sandbox's; `at` moves the provider's clock first, then ours."""

    provider: SandboxProcess
    sees = False

    @property
    def sending(self) -> Sending:
        window = 8 if self.generation == "legacy" else 64
        account = Account(self.gateway, window, timedelta(seconds=5), self.generation, self.sees)
        return replace(super().sending, accounts={"main": account})

    def once(self) -> int:
        return super().once() + watch_orders(self.sending)

    def at(self, instant: Any) -> None:
        self.provider.freeze(instant.isoformat()).raise_for_status()
        super().at(instant)

    def bought(self, **plan: Any) -> Operation:
        """19.90 SEK of one article, authorized."""
        text = self.provider.new_token(self.generation, "always_ok", "SEK")
        customer_id = self.customer()
        price_id = self.price(**{"items": (BASE_FEE,), **plan})
        wanted = NewSubscription(customer_id, price_id, self.token(customer_id, text=text), None)
        subscribe(self.database, self.ids, self.clock.now(), wanted)
        self.tick()
        purchase = only(operations(self, "purchase"))
        assert purchase.authorization == "authorized"
        return purchase

    def paid(self, **plan: Any) -> Operation:
        purchase = self.bought(**plan)
        self.after(minutes=31)
        assert only(invoices(self)).status == "paid"
        # A first look, after which less of an invoice is a credit.
        self.after(hours=7)
        return purchase

    def portal(self, purchase: Operation, **act: Any) -> dict[str, Any]:
        answer = self.provider.client.post(f"/_sandbox/orders/{purchase.provider_id}/portal", json=act)
        answer.raise_for_status()
        return answer.json()

    def of(self, purchase: Operation) -> Operation:
        return next(op for op in operations(self) if op.id == purchase.id)

    def review_of(self, purchase: Operation) -> str | None:
        assert purchase.subscription_id is not None
        return subscription(self, purchase.subscription_id).review_reason

    def provider_rows(self, table: str) -> list[dict[str, Any]]:
        """The provider's rows that belong to this shop's purchases."""
        ledger = self.provider.client.get("/_sandbox/ledger").json()
        ours = {shown(Prefix.INVOICE, invoice.id) for invoice in invoices(self)}
        orders = [row for row in ledger["orders"] if row["merchant_reference1"] in ours]
        found = {row["order_id"] for row in orders}
        return orders if table == "orders" else [row for row in ledger[table] if row["order_id"] in found]

    def agrees(self) -> None:
        """Every capture and refund there has its one row here, with its amount, and the books say the same."""
        for kind, table in (("capture", "captures"), ("refund", "refunds")):
            here = sorted(op.amount for op in operations(self, kind) if op.status == "succeeded")
            assert here == sorted(row["amount"] for row in self.provider_rows(table))
        clearing = sum(amount for _, account, _, amount in entries(self) if account == "provider_clearing")
        there = sum(row["amount"] for row in self.provider_rows("captures"))
        assert clearing == there - sum(row["amount"] for row in self.provider_rows("refunds"))


def only(rows: list[Any]) -> Any:
    (row,) = rows
    return row


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network(concurrency=4)
    yield network
    network.close()


def opened(database: Database, provider: SandboxProcess, gateway: Any, generation: str) -> PortalShop:
    provider.freeze(START.isoformat()).raise_for_status()
    shop = PortalShop(database, gateway=gateway, generation=generation)
    shop.provider = provider
    return shop


@pytest.fixture
def rest(database: Database, provider: SandboxProcess, network: Network) -> Iterator[PortalShop]:
    gateway = KlarnaRest("main", provider.url, "sandbox", "sandbox", network, GIVE_UP_AFTER)
    yield opened(database, provider, gateway, "rest")
    provider.settle_down()


@pytest.fixture
def legacy(database: Database, provider: SandboxProcess, network: Network) -> Iterator[PortalShop]:
    gateway = KlarnaLegacy("main", provider.url, provider.url, 4711, "sharedSecret", network, GIVE_UP_AFTER)
    yield opened(database, provider, gateway, "legacy")
    provider.settle_down()


MANUAL = {"capture": CaptureMode.MANUAL}


# --- the current generation -----------------------------------------------------------------------------------


def test_a_capture_in_the_portal_comes_in(rest: PortalShop) -> None:
    purchase = rest.bought(**MANUAL)
    taken = rest.portal(purchase, action="capture")
    rest.after(hours=7)
    capture = only(operations(rest, "capture"))
    assert (capture.origin, capture.provider_id, capture.amount) == ("external", taken["id"], 1990)
    assert only(invoices(rest)).status == "paid"
    rest.after(days=2)
    rest.agrees()


def test_a_capture_in_the_portal_before_ours_leaves_ours_unsent(rest: PortalShop) -> None:
    purchase = rest.bought(capture_delay_minutes=60 * 24 * 2)
    rest.portal(purchase, action="capture")
    rest.after(hours=7)
    rest.after(days=2)
    assert [(op.status, op.origin) for op in operations(rest, "capture")] == [
        ("dropped", "ours"),
        ("succeeded", "external"),
    ]
    rest.agrees()


def test_a_refund_in_the_portal_comes_in_with_its_credit_note(rest: PortalShop) -> None:
    purchase = rest.paid()
    given = rest.portal(purchase, action="refund", amount=500)
    for _ in range(3):
        rest.after(days=1)
    refund, note = only(operations(rest, "refund")), only(credit_notes(rest))
    assert (refund.origin, refund.provider_id, refund.amount) == ("external", given["id"], 500)
    assert (note.total, note.tax_total, only(invoices(rest)).refunded) == (500, 100, 500)
    rest.agrees()


def test_two_refunds_in_the_portal_are_two_credit_notes(rest: PortalShop) -> None:
    purchase = rest.paid()
    for amount in (500, 500):
        rest.portal(purchase, action="refund", amount=amount)
    rest.after(days=1)
    assert [note.total for note in credit_notes(rest)] == [500, 500]
    rest.agrees()


def test_a_cancel_in_the_portal_kills_the_authorization_and_nobody_is_charged_again(rest: PortalShop) -> None:
    purchase = rest.bought(**MANUAL)
    rest.portal(purchase, action="cancel")
    rest.after(hours=7)
    rest.after(days=3)
    assert (rest.of(purchase).authorization, rest.of(purchase).standing) == ("voided", "dead")
    assert (only(operations(rest, "void")).origin, len(rest.provider_rows("orders"))) == ("external", 1)
    assert rest.review_of(purchase) == "authorization_given_back"
    rest.agrees()


def test_a_release_of_the_rest_in_the_portal_comes_in(rest: PortalShop) -> None:
    purchase = rest.bought(
        **{**MANUAL, "items": (BASE_FEE, replace(BASE_FEE, article_number="EXTRA", unit_amount=500))}
    )
    rest.portal(purchase, action="capture", amount=1990)
    rest.after(hours=7)
    rest.provider.manage(purchase.provider_id or "", "release-remaining-authorization").raise_for_status()
    rest.after(days=1)
    release = only(operations(rest, "release"))
    assert (release.origin, release.amount, rest.of(purchase).authorization) == ("external", 500, "released")
    assert (only(invoices(rest)).captured, rest.review_of(purchase)) == (1990, "authorization_given_back")
    rest.agrees()


def test_a_later_end_in_the_portal_comes_in(rest: PortalShop) -> None:
    purchase = rest.bought(**MANUAL)
    rest.after(days=5)
    before = rest.of(purchase).expires_at
    rest.provider.manage(purchase.provider_id or "", "extend-authorization-time").raise_for_status()
    rest.after(days=1)
    assert rest.of(purchase).expires_at > before
    assert "authorization.end_moved" in event_types(rest)
    (extend,) = operations(rest, "extend")
    assert extend.due_at == rest.of(purchase).expires_at - timedelta(days=3)


# --- the older generation -------------------------------------------------------------------------------------


def test_a_credit_in_the_portal_comes_in_by_the_amount_of_its_invoice(legacy: PortalShop) -> None:
    purchase = legacy.paid()
    legacy.portal(purchase, action="refund", amount=500)
    for _ in range(3):
        legacy.after(days=1)
    refund, note = only(operations(legacy, "refund")), only(credit_notes(legacy))
    assert (refund.origin, refund.provider_id, refund.amount) == ("external", None, 500)
    assert refund.provider_reference == only(operations(legacy, "capture")).provider_id
    assert (note.total, note.tax_total, only(invoices(legacy)).refunded) == (500, 100, 500)
    legacy.agrees()


@pytest.mark.parametrize("action", ["capture", "cancel"])
def test_a_reservation_that_is_gone_goes_to_a_person_where_the_status_sees_it(legacy: PortalShop, action: str) -> None:
    legacy.sees = True
    legacy.provider.set(status_sees_recurring=True)
    purchase = legacy.bought(**MANUAL)
    legacy.after(hours=7)
    assert legacy.review_of(purchase) is None
    legacy.portal(purchase, action=action)
    legacy.after(days=1)
    assert (legacy.review_of(purchase), legacy.of(purchase).standing) == ("order_differs", "live")
    assert [op for op in operations(legacy) if op.origin == "external"] == []


@pytest.mark.parametrize("action", ["capture", "cancel"])
def test_a_blind_account_finds_with_its_own_capture_that_the_reservation_is_gone(
    legacy: PortalShop, action: str
) -> None:
    purchase = legacy.bought(capture_delay_minutes=60 * 24)
    legacy.portal(purchase, action=action)
    legacy.after(hours=7)
    assert legacy.review_of(purchase) is None
    legacy.after(days=1)
    legacy.after(hours=1)
    capture = operations(legacy, "capture")[-1]
    assert (capture.status, len(legacy.provider_rows("orders"))) == ("needs_operator", 1)
    assert legacy.of(purchase).standing == "live"


def test_a_release_of_the_rest_goes_to_a_person_where_the_status_sees_it(legacy: PortalShop) -> None:
    legacy.sees = True
    legacy.provider.set(status_sees_recurring=True)
    purchase = legacy.bought(**MANUAL)
    legacy.portal(purchase, action="capture", amount=990)
    legacy.after(hours=7)
    # A part that is taken leaves the reservation standing, and no call of this generation tells of it.
    assert legacy.review_of(purchase) is None
    legacy.portal(purchase, action="cancel")
    legacy.after(days=1)
    assert legacy.review_of(purchase) == "order_differs"


def test_a_later_end_cannot_be_read_and_harms_nothing(legacy: PortalShop) -> None:
    purchase = legacy.bought(**MANUAL)
    legacy.after(days=5)
    older = OlderKlarna(legacy.provider)
    older.call(*older.on_rno("extend_expiry_date", purchase.provider_id or ""))
    legacy.after(days=2)
    assert (legacy.of(purchase).authorization, legacy.review_of(purchase)) == ("authorized", None)


def test_a_purchase_that_never_arrived_is_made_again_where_the_status_sees_recurring_orders(
    legacy: PortalShop,
) -> None:
    legacy.sees = True
    legacy.provider.set(status_sees_recurring=True)
    legacy.bought(**MANUAL)
    legacy.provider.script({"fault": "silence_before", "path_contains": "/checkout/recurring/"})
    text = legacy.provider.new_token("legacy", "always_ok", "SEK")
    customer_id = legacy.customer()
    wanted = NewSubscription(customer_id, legacy.price(items=(BASE_FEE,)), legacy.token(customer_id, text=text), None)
    subscribe(legacy.database, legacy.ids, legacy.clock.now(), wanted)
    legacy.tick()
    for minutes in (5, 10, 5):
        legacy.after(minutes=minutes)
    _, lost, again = operations(legacy, "purchase")
    assert (lost.status, lost.standing, lost.answer_code) == ("declined", "dead", "status_not_found")
    assert (again.n, again.status, len(legacy.provider_rows("orders"))) == (2, "succeeded", 2)
