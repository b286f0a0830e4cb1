"""What somebody does in the portal of the older generation, whose orders cannot be read: amounts tell it."""

import pytest
from factories import BASE_FEE
from portal import OlderShop, only, refunded
from reading import credit_notes, invoices, operations

from billing.domain.operations import OperationKind
from billing.ports import Answer, Sighting, Unknown
from billing.store.engine import Database
from billing.store.plans import CaptureMode

CAPTURE, PURCHASE, REFUND, VOID = (
    OperationKind.CAPTURE,
    OperationKind.PURCHASE,
    OperationKind.REFUND,
    OperationKind.VOID,
)
MANUAL = {"capture": CaptureMode.MANUAL}


@pytest.fixture
def older(database: Database) -> OlderShop:
    return OlderShop(database, generation="legacy")


def test_an_invoice_that_was_credited_in_the_portal_is_credited_here(older: OlderShop) -> None:
    older.paid(items=(BASE_FEE,))
    older.stands_at(1990)
    older.looks()
    older.stands_at(1490)
    for _ in range(3):
        older.looks()
    row, note = only(operations(older, "refund")), only(credit_notes(older))
    assert (row.origin, row.amount, row.provider_id) == ("external", 500, None)
    assert row.provider_reference == operations(older, "capture")[0].provider_id
    assert (note.total, note.tax_total, only(invoices(older)).refunded) == (500, 100, 500)


def test_an_invoice_that_was_less_from_the_start_goes_to_a_person(older: OlderShop) -> None:
    purchase = older.paid(items=(BASE_FEE,))
    older.stands_at(1490)
    older.looks()
    assert (credit_notes(older), older.review_of(purchase)) == ([], "order_differs")


def test_a_credit_of_ours_whose_outcome_nobody_knows_is_found_by_its_amount(older: OlderShop) -> None:
    older.paid(items=(BASE_FEE,))
    older.stands_at(1990)
    older.looks()
    older.gateway.always(REFUND, Unknown(Answer(message="no answer")))
    refunded(older, 500)
    older.after(minutes=5)
    assert only(operations(older, "refund")).status == "needs_operator"
    older.stands_at(1490)
    older.looks()
    row = only(operations(older, "refund"))
    assert (row.status, row.origin, only(invoices(older)).refunded) == ("succeeded", "ours", 500)


def test_a_reservation_that_is_gone_goes_to_a_person_where_the_status_sees_it(older: OlderShop) -> None:
    older.sees = True
    purchase = older.bought(**MANUAL)
    older.said(purchase, Sighting.NOT_FOUND, Sighting.ACCEPTED)
    older.looks()
    assert older.review_of(purchase) == "order_differs"
    assert older.now_of(purchase).standing == "live"


@pytest.mark.parametrize(
    ("of_order", "of_reference"),
    [(Sighting.ACCEPTED, Sighting.ACCEPTED), (Sighting.NOT_FOUND, Sighting.NOT_FOUND)],
    ids=["there", "blind"],
)
def test_a_reservation_that_is_there_or_that_the_account_is_blind_to_is_left_alone(
    older: OlderShop, of_order: Sighting, of_reference: Sighting
) -> None:
    older.sees = True
    purchase = older.bought(**MANUAL)
    older.said(purchase, of_order, of_reference)
    older.looks()
    assert older.review_of(purchase) is None


def test_an_account_that_cannot_be_asked_is_not_asked(older: OlderShop) -> None:
    older.bought(**MANUAL)
    older.gateway.asked.clear()
    older.looks()
    assert older.gateway.asked == []
