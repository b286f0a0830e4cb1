"""A purchase of unknown outcome where no key can be sent again: what its status says is a hint, and seldom a proof."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from factories import Shop
from reading import event_types, invoices, observations, operations

from billing.domain.operations import OperationKind
from billing.ports import Account, Answer, Sighting, Unknown
from billing.store.engine import Database
from billing.store.operations import Operation
from billing.use_cases.sending import Sending

PURCHASE = OperationKind.PURCHASE
SILENCE = Unknown(Answer(message="no answer"))


class OlderShop(Shop):
    """An account without keys; `sees` says that its order status is known to see recurring orders."""

    sees = True

    @property
    def sending(self) -> Sending:
        account = Account(self.gateway, 8, timedelta(seconds=30), "legacy", self.sees)
        return replace(super().sending, accounts={"main": account})

    def lost(self) -> Operation:
        """A purchase of which nobody knows whether it happened."""
        self.gateway.answer(PURCHASE, SILENCE)
        self.subscription()
        self.tick()
        purchase = operations(self, "purchase")[-1]
        assert purchase.status == "unknown"
        return purchase

    def accepted(self) -> Operation:
        """Another purchase, which is known to have been accepted: the control."""
        self.subscription()
        self.tick()
        (control,) = operations(self, "purchase")
        self.said(control, Sighting.ACCEPTED)
        return control

    def said(self, purchase: Operation, sighting: Sighting) -> None:
        self.gateway.sightings[purchase.merchant_reference or ""] = sighting

    def of(self, purchase: Operation) -> Operation:
        return next(op for op in operations(self) if op.id == purchase.id)

    def purchases_of(self, purchase: Operation) -> list[Operation]:
        return [op for op in operations(self, "purchase") if op.invoice_id == purchase.invoice_id]


@pytest.fixture
def shop(database: Database) -> OlderShop:
    return OlderShop(database, generation="legacy")


def minutes_asked(shop: OlderShop, purchase: Operation) -> list[int]:
    """When it was asked about, in minutes after it was sent."""
    assert purchase.sent_at is not None
    seen = [row for row in observations(shop) if row.operation_id == purchase.id][1:]
    return [int((row.at - purchase.sent_at).total_seconds()) // 60 for row in seen]


def run(shop: OlderShop, **span: Any) -> None:
    """Time passes, from one due question to the next."""
    end = shop.clock.now() + timedelta(**span)
    while True:
        asked = [op.next_check_at for op in operations(shop) if op.next_check_at is not None]
        due = min((at for at in asked if at > shop.clock.now()), default=end)
        shop.at(min(due, end))
        if due >= end:
            return


@pytest.mark.parametrize("sighting", [Sighting.ACCEPTED, Sighting.PENDING])
@pytest.mark.parametrize("sees", [True, False], ids=["sees", "blind"])
def test_what_is_found_waits_for_a_person_with_the_hint(shop: OlderShop, sees: bool, sighting: Sighting) -> None:
    shop.sees = sees
    purchase = shop.lost()
    shop.said(purchase, sighting)
    shop.after(minutes=5)
    row = shop.of(purchase)
    assert (row.status, row.standing, row.answer_code) == ("needs_operator", "live", "status_found")
    assert sighting in (row.answer_message or "")
    assert len(shop.gateway.calls_of(PURCHASE)) == 1


def test_what_is_denied_is_declined_and_climbs_the_ladder(shop: OlderShop) -> None:
    purchase = shop.lost()
    shop.said(purchase, Sighting.DENIED)
    shop.after(minutes=5)
    assert (shop.of(purchase).status, shop.of(purchase).answer_code) == ("declined", "status_denied")
    assert [op.status for op in shop.purchases_of(purchase)] == ["declined", "planned"]
    assert invoices(shop)[0].first_declined_at is not None


def test_a_blind_account_that_finds_nothing_asks_a_person_at_once(shop: OlderShop) -> None:
    shop.sees = False
    shop.accepted()
    purchase = shop.lost()
    shop.said(purchase, Sighting.NOT_FOUND)
    shop.after(minutes=5)
    row = shop.of(purchase)
    assert (row.status, row.standing, row.answer_code) == ("needs_operator", "live", "not_repeated")


def test_not_found_twice_after_the_quarantine_beside_a_control_frees_the_next_purchase(shop: OlderShop) -> None:
    # sent      5 m        15 m            20 m
    # |---------|----------|---------------|
    #           too early  not found once  not found twice: purchase n+1
    control = shop.accepted()
    purchase = shop.lost()
    shop.said(purchase, Sighting.NOT_FOUND)
    run(shop, minutes=20)
    row = shop.of(purchase)
    assert minutes_asked(shop, purchase) == [5, 15, 20]
    assert (row.status, row.standing, row.answer_code) == ("declined", "dead", "status_not_found")
    assert (row.dead_because or "").startswith("never received")
    facts = [one.facts for one in observations(shop) if one.operation_id == purchase.id and one.facts]
    assert facts == [{"control": control.merchant_reference}] * 2
    first, second = shop.purchases_of(purchase)
    assert (second.n, second.trigger, second.status) == (2, first.trigger, "succeeded")
    invoice = next(one for one in invoices(shop) if one.id == purchase.invoice_id)
    assert (invoice.dunning_step, invoice.first_declined_at) == (0, None)
    assert "purchase.never_received" in event_types(shop)


def test_without_a_control_not_found_proves_nothing_and_ends_with_a_person(shop: OlderShop) -> None:
    purchase = shop.lost()
    shop.said(purchase, Sighting.NOT_FOUND)
    run(shop, hours=7)
    row = shop.of(purchase)
    assert (row.status, row.standing, len(shop.purchases_of(purchase))) == ("needs_operator", "live", 1)


def test_a_control_that_is_not_found_either_proves_nothing(shop: OlderShop) -> None:
    control = shop.accepted()
    shop.said(control, Sighting.NOT_FOUND)
    purchase = shop.lost()
    shop.said(purchase, Sighting.NOT_FOUND)
    run(shop, hours=7)
    assert (shop.of(purchase).status, len(shop.purchases_of(purchase))) == ("needs_operator", 1)


def test_two_sayings_further_apart_than_an_hour_do_not_count_together(shop: OlderShop) -> None:
    control = shop.accepted()
    purchase = shop.lost()
    shop.said(purchase, Sighting.NOT_FOUND)
    run(shop, minutes=16)
    shop.said(control, Sighting.NOT_FOUND)
    run(shop, hours=5)
    shop.said(control, Sighting.ACCEPTED)
    run(shop, minutes=46)
    assert minutes_asked(shop, purchase) == [5, 15, 20, 60, 360]
    assert (shop.of(purchase).status, len(shop.purchases_of(purchase))) == ("unknown", 1)


def test_a_status_that_cannot_be_read_is_asked_again_and_then_a_person(shop: OlderShop) -> None:
    shop.accepted()
    purchase = shop.lost()
    run(shop, hours=7)
    assert minutes_asked(shop, purchase) == [5, 60, 360]
    assert shop.of(purchase).status == "needs_operator"


def test_found_after_a_first_not_found_is_never_charged_again(shop: OlderShop) -> None:
    shop.accepted()
    purchase = shop.lost()
    shop.said(purchase, Sighting.NOT_FOUND)
    run(shop, minutes=15)
    shop.said(purchase, Sighting.ACCEPTED)
    run(shop, hours=1)
    assert (shop.of(purchase).status, len(shop.purchases_of(purchase))) == ("needs_operator", 1)
