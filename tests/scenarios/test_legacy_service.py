"""A subscription on an account of the older generation, from its first charge to its last credit: the use cases with
the real adapter, over sockets, on the sandbox; one clock for both, moved by the test.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import BASE_FEE, START, Shop
from reading import credit_notes, event_types, invoices, operations

from billing.adapters.klarna_legacy.gateway import KlarnaLegacy
from billing.adapters.network import Network
from billing.domain.ids import Prefix, shown
from billing.domain.money import Money
from billing.store.engine import Database
from billing.store.plans import Emailing
from billing.use_cases.cancel import CancelAt, CancelRequest, CreditPolicy, cancel
from billing.use_cases.refund import NewRefund, refund
from billing.use_cases.subscribe import NewSubscription, subscribe
from tests.adapters.conftest import SandboxProcess

MARCH_31, APRIL_11 = datetime(2028, 3, 31, 8, tzinfo=UTC), datetime(2028, 4, 11, 10, tzinfo=UTC)
GIVE_UP_AFTER = 1.0


class LegacyShop(Shop):
    """A service whose one account is a legacy one; `at` moves the provider's clock first, then ours."""

    provider: SandboxProcess

    def at(self, instant: datetime) -> None:
        self.provider.freeze(instant.isoformat()).raise_for_status()
        super().at(instant)

    def subscribed(self, behaviour: str = "always_ok", **plan: object) -> UUID:
        """A customer whose token behaves like this, on a plan of 39.70 SEK a month."""
        text = self.provider.new_token("legacy", behaviour, "SEK")
        customer_id = self.customer()
        token_id = self.token(customer_id, text=text)
        wanted = NewSubscription(customer_id, self.price(**plan), token_id, None)
        return subscribe(self.database, self.ids, self.clock.now(), wanted).id

    def paid(self, **plan: object) -> UUID:
        """The worked example: a period of 30 days from 31 March, captured."""
        self.at(MARCH_31)
        made = self.subscribed(**plan)
        self.tick()
        self.after(minutes=31)
        return made

    def ends(self, subscription_id: UUID, unshipped: dict[str, int] | None = None) -> None:
        request = CancelRequest(CancelAt.NOW, CreditPolicy.REFUND, unshipped or {})
        cancel(self.database, self.ids, self.clock.now(), subscription_id, request)
        self.tick()

    def gives_back(self, **what: object) -> None:
        refund(self.database, self.ids, self.clock.now(), NewRefund(invoices(self)[0].id, "goodwill", **what))
        self.tick()

    def books(self, table: str) -> list[dict[str, Any]]:
        """The provider's rows that belong to this shop's purchases."""
        ledger = self.provider.client.get("/_sandbox/ledger").json()
        ours = {shown(Prefix.INVOICE, invoice.id) for invoice in invoices(self)}
        orders = [row for row in ledger["orders"] if row["merchant_reference1"] in ours]
        found = {row["order_id"] for row in orders}
        return orders if table == "orders" else [row for row in ledger[table] if row["order_id"] in found]


@pytest.fixture
def legacy(database: Database, provider: SandboxProcess) -> Iterator[LegacyShop]:
    network = Network(concurrency=4)
    gateway = KlarnaLegacy("main", provider.url, provider.url, 4711, "sharedSecret", network, GIVE_UP_AFTER)
    provider.freeze(START.isoformat()).raise_for_status()
    shop = LegacyShop(database, gateway=gateway, generation="legacy")
    shop.provider = provider
    yield shop
    network.close()
    provider.settle_down()


def only(rows: list[Any]) -> Any:
    (row,) = rows
    return row


def test_a_renewal_is_reserved_captured_after_31_minutes_and_emailed(legacy: LegacyShop) -> None:
    legacy.subscribed(emailing=Emailing.PROVIDER_AGAIN)
    legacy.tick()
    order, purchase = only(legacy.books("orders")), only(operations(legacy, "purchase"))
    assert (order["order_amount"], order["order_tax_amount"], order["status"]) == (3970, 656, "AUTHORIZED")
    assert (purchase.provider_id, purchase.authorization) == (order["order_id"], "authorized")
    assert (order["merchant_reference2"], legacy.books("captures")) == (purchase.merchant_reference, [])
    legacy.after(minutes=31)
    capture, invoice = only(operations(legacy, "capture")), only(invoices(legacy))
    taken = only(legacy.books("captures"))
    assert (capture.provider_id, capture.risk, taken["amount"]) == (taken["capture_id"], "ok", 3970)
    assert (invoice.status, invoice.number, invoice.captured) == ("paid", 1, 3970)
    email = only(operations(legacy, "email_invoice"))
    assert (email.status, email.provider_id, email.provider_reference) == ("succeeded", None, capture.provider_id)
    assert [row["cause"] for row in legacy.books("send_outs")] == ["email_invoice"]


def test_money_for_which_klarna_takes_no_risk_raises_its_flag(legacy: LegacyShop) -> None:
    legacy.provider.set(risk="no_risk")
    legacy.paid()
    assert only(operations(legacy, "capture")).risk == "no_risk"
    assert "capture.no_risk" in event_types(legacy)


def test_the_worked_example_is_credited_to_the_cent_with_the_used_share_charged_back(legacy: LegacyShop) -> None:
    # Mar 31        Apr 11                Apr 30
    # |-- 11 used --|---- 19 credited ----|
    made = legacy.paid()
    legacy.at(APRIL_11)
    legacy.ends(made, {"BOX": 1})
    credit, note = only(legacy.books("refunds")), only(credit_notes(legacy))
    lines = json.loads(credit["lines"])
    assert [(line["reference"], line["total_amount"], line["total_tax_amount"]) for line in lines] == [
        ("BASE", 1990, 398),
        ("BOX", 745, 80),
        ("USED-BASE", -730, -146),
    ]
    assert (credit["amount"], credit["kind"], note.total, note.tax_total) == (2005, "credit_part", 2005, 332)
    assert credit["reference"] == only(operations(legacy, "refund")).merchant_reference
    assert (only(invoices(legacy)).refunded, note.refunded_at) == (2005, APRIL_11)


def test_a_cancel_before_the_capture_gives_the_reservation_back(legacy: LegacyShop) -> None:
    made = legacy.subscribed()
    legacy.tick()
    legacy.ends(made)
    legacy.after(hours=1)
    assert (only(legacy.books("orders"))["status"], legacy.books("captures")) == ("CANCELLED", [])
    assert (only(operations(legacy, "purchase")).authorization, only(invoices(legacy)).status) == ("voided", "void")


def test_a_declined_renewal_is_charged_again_as_a_new_order(legacy: LegacyShop) -> None:
    legacy.subscribed("decline_soft")
    legacy.tick()
    first, second = operations(legacy, "purchase")
    assert (first.status, first.answer_code, second.status, legacy.books("orders")) == (
        "declined",
        "402",
        "planned",
        [],
    )
    legacy.after(days=5)
    assert [op.status for op in operations(legacy, "purchase")] == ["declined", "succeeded"]
    assert len(legacy.books("orders")) == 1


@pytest.mark.parametrize("fault", ["silence_before", "silence_after", "500_after"])
def test_a_purchase_whose_outcome_is_unknown_is_never_sent_twice_and_ends_with_a_person(
    legacy: LegacyShop, fault: str
) -> None:
    legacy.provider.script({"fault": fault, "path_contains": "/checkout/recurring/"})
    legacy.subscribed()
    legacy.tick()
    assert only(operations(legacy, "purchase")).status == "unknown"
    for hours in (1, 6, 24):
        legacy.after(hours=hours)
    purchase = only(operations(legacy, "purchase"))
    assert (purchase.status, purchase.sends, purchase.standing) == ("needs_operator", 1, "live")
    assert len(legacy.books("orders")) == (0 if fault == "silence_before" else 1)
    assert operations(legacy, "capture") == []


def test_a_whole_capture_whose_outcome_is_unknown_is_repeated_after_5_minutes_1_hour_and_6_hours(
    legacy: LegacyShop,
) -> None:
    legacy.subscribed()
    legacy.tick()
    legacy.provider.script({"fault": "silence_before", "path_contains": "/xmlrpc/activate", "times": 3})
    legacy.after(minutes=31)
    waits = []
    while (at := (capture := only(operations(legacy, "capture"))).next_check_at) is not None:
        waits.append(at - capture.sent_at)
        legacy.at(at)
    assert waits == [timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6)]
    assert (capture.status, capture.sends) == ("succeeded", 4)
    assert (len(legacy.books("captures")), only(invoices(legacy)).status) == (1, "paid")


def test_a_capture_that_happened_in_silence_needs_its_invoice_number_from_a_person(legacy: LegacyShop) -> None:
    legacy.subscribed()
    legacy.tick()
    legacy.provider.script({"fault": "silence_after", "path_contains": "/xmlrpc/activate"})
    legacy.after(minutes=31)
    legacy.after(minutes=5)
    capture = only(operations(legacy, "capture"))
    assert (capture.status, capture.answer_code, capture.sends) == ("needs_operator", "8104", 2)
    assert len(legacy.books("captures")) == 1


def test_a_credit_by_article_whose_outcome_is_unknown_is_never_sent_twice(legacy: LegacyShop) -> None:
    made = legacy.paid()
    legacy.at(APRIL_11)
    legacy.provider.script({"fault": "silence_after", "path_contains": "/xmlrpc/credit_part"})
    legacy.ends(made, {"BOX": 1})
    legacy.after(days=1)
    credit = only(operations(legacy, "refund"))
    assert (credit.status, credit.sends, len(legacy.books("refunds"))) == ("needs_operator", 1, 1)


@pytest.mark.parametrize("fault", ["silence_before", "silence_after"])
def test_a_whole_credit_whose_outcome_is_unknown_is_repeated_and_given_once(legacy: LegacyShop, fault: str) -> None:
    legacy.paid()
    legacy.provider.script({"fault": fault, "path_contains": "/xmlrpc/credit_invoice"})
    legacy.gives_back()
    legacy.after(minutes=5)
    credit = only(operations(legacy, "refund"))
    assert (credit.status, credit.sends) == ("succeeded", 2)
    assert [(row["amount"], row["kind"]) for row in legacy.books("refunds")] == [(3970, "credit_invoice")]


@pytest.mark.parametrize("fault", ["silence_before", "silence_after"])
def test_a_void_whose_outcome_is_unknown_is_repeated_until_the_reservation_is_gone(
    legacy: LegacyShop, fault: str
) -> None:
    made = legacy.subscribed()
    legacy.tick()
    legacy.provider.script({"fault": fault, "path_contains": "/xmlrpc/cancel_reservation"})
    legacy.ends(made)
    assert only(operations(legacy, "void")).status == "unknown"
    legacy.after(minutes=5)
    void = only(operations(legacy, "void"))
    assert (void.status, void.sends, only(legacy.books("orders"))["status"]) == ("succeeded", 2, "CANCELLED")
    assert only(operations(legacy, "purchase")).authorization == "voided"


def test_a_refund_by_amount_over_two_rates_cannot_be_said_and_goes_to_a_person(legacy: LegacyShop) -> None:
    legacy.paid()
    legacy.gives_back(amount=Money(1001, "SEK"))
    credit = only(operations(legacy, "refund"))
    assert (credit.status, credit.sends, legacy.books("refunds")) == ("needs_operator", 0, [])
    assert "vat" in credit.answer_message


def test_a_refund_by_amount_of_one_rate_is_returned_with_its_tax(legacy: LegacyShop) -> None:
    legacy.paid(items=(BASE_FEE,))
    legacy.gives_back(amount=Money(500, "SEK"))
    credit = only(legacy.books("refunds"))
    assert (credit["amount"], credit["kind"]) == (500, "return_amount")
    assert [line["total_tax_amount"] for line in json.loads(credit["lines"])] == [100]
