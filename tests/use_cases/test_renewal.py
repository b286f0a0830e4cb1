"""A subscription's months: opened at the boundary, collected in the morning, captured half an hour later."""

from dataclasses import replace
from datetime import UTC, datetime

from factories import START, Emailing, NumberOn, Shop
from reading import entries, invoices, operations, periods, subscription

from billing.domain.ids import derived_id
from billing.domain.operations import OperationKind, operation_key
from billing.ports import Answer, Succeeded


def test_a_subscription_is_charged_once_and_captured_31_minutes_later(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    assert [(o.kind, o.status) for o in operations(shop)] == [("purchase", "succeeded"), ("capture", "planned")]
    shop.after(minutes=30, seconds=59)
    assert not shop.gateway.effects_of(OperationKind.CAPTURE)
    shop.after(seconds=1)
    (invoice,) = invoices(shop)
    assert (invoice.status, invoice.captured, invoice.total, invoice.number) == ("paid", 3970, 3970, 1)
    assert len(shop.gateway.effects) == 2


def test_renewals_from_31_january_bill_to_29_february_and_back_to_31_march(shop: Shop) -> None:
    # anchor 31     Jan 31          Feb 29         Mar 31          Apr 30
    #               |--- period 1 ---|-- period 2 --|--- period 3 --|
    made = shop.subscription()
    shop.tick()
    shop.at(datetime(2028, 2, 29, 12, tzinfo=UTC))
    shop.at(datetime(2028, 3, 31, 12, tzinfo=UTC))
    dates = [(p.start_date.isoformat(), p.end_date.isoformat()) for p in periods(shop, made.id)]
    assert dates == [("2028-01-31", "2028-02-29"), ("2028-02-29", "2028-03-31"), ("2028-03-31", "2028-04-30")]


def test_the_second_period_opens_at_local_midnight_and_is_collected_after_six(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    shop.at(datetime(2028, 2, 28, 23, tzinfo=UTC))
    second = invoices(shop)[1]
    assert second.opened_at == datetime(2028, 2, 28, 23, tzinfo=UTC)
    assert datetime(2028, 2, 29, 5, tzinfo=UTC) <= second.collect_at < datetime(2028, 2, 29, 6, tzinfo=UTC)
    assert len(shop.gateway.effects_of(OperationKind.PURCHASE)) == 1
    shop.at(second.collect_at)
    assert len(shop.gateway.effects_of(OperationKind.PURCHASE)) == 2


def test_the_books_open_and_are_paid_at_capture(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    assert entries(shop) == []
    shop.after(minutes=31)
    booked = [entry for entry in entries(shop) if entry[0] != "revenue"]
    assert sorted(booked, key=lambda entry: entry[0], reverse=True) == [
        ("opening", "receivable", "", 3970),
        ("opening", "deferred_revenue", "", -3314),
        ("opening", "vat_payable", "SE:2500", -496),
        ("opening", "vat_payable", "SE:1200", -160),
        ("capture", "provider_clearing", "", 3970),
        ("capture", "receivable", "", -3970),
    ]


def test_a_plan_that_numbers_at_opening_books_the_claim_before_it_is_paid(shop: Shop) -> None:

    shop.subscription(price_id=shop.price(number_on=NumberOn.OPEN))
    shop.once()
    assert invoices(shop)[0].number == 1
    assert [e for e in entries(shop) if e[0] == "opening"]


def test_a_later_start_waits_until_its_instant(shop: Shop) -> None:
    made = shop.subscription(start_at=datetime(2028, 2, 5, 0, tzinfo=UTC))
    shop.tick()
    assert subscription(shop, made.id).status == "pending"
    assert not invoices(shop)
    shop.at(datetime(2028, 2, 5, 0, tzinfo=UTC))
    assert subscription(shop, made.id).status == "active"
    assert len(shop.gateway.effects) == 1


def test_a_trial_is_a_period_of_its_own_and_anchors_the_paid_calendar(shop: Shop) -> None:
    # 31 Jan      14 Feb         14 Mar
    # |-- trial --|-- period 2 --|
    made = shop.subscription(price_id=shop.price(trial_days=14))
    shop.tick()
    assert subscription(shop, made.id).status == "trialing"
    assert not shop.gateway.calls
    shop.at(datetime(2028, 2, 14, 12, tzinfo=UTC))
    trial, paid = periods(shop, made.id)
    assert (trial.kind, trial.end_date.isoformat(), paid.start_date.isoformat(), paid.end_date.isoformat()) == (
        "trial",
        "2028-02-14",
        "2028-02-14",
        "2028-03-14",
    )
    assert subscription(shop, made.id).status == "active"


def test_two_missed_periods_go_to_a_person_and_bill_nothing(shop: Shop) -> None:
    made = shop.subscription()
    shop.tick()
    shop.at(datetime(2028, 5, 2, 12, tzinfo=UTC))
    assert subscription(shop, made.id).review_reason == "catch_up"
    assert len(invoices(shop)) == 1


def test_the_email_is_asked_for_again_where_the_plan_says_so(shop: Shop) -> None:

    shop.subscription(price_id=shop.price(emailing=Emailing.PROVIDER_AGAIN))
    shop.tick()
    shop.after(minutes=31)
    assert len(shop.gateway.effects_of(OperationKind.EMAIL_INVOICE)) == 1


def test_numbers_follow_each_other_without_a_gap(shop: Shop) -> None:
    price_id = shop.price()
    for _ in range(7):
        shop.subscription(price_id=price_id)
    shop.tick()
    shop.after(minutes=31)
    assert sorted(i.number for i in invoices(shop)) == [1, 2, 3, 4, 5, 6, 7]
    assert {i.issue_date for i in invoices(shop)} == {START.date()}


def test_a_purchase_under_review_is_captured_once_it_is_accepted(shop: Shop) -> None:

    shop.gateway.answer(OperationKind.PURCHASE, Succeeded(Answer(200), "order-9", "pending_review"))
    shop.subscription()
    shop.tick()
    assert [o.authorization for o in operations(shop)] == ["pending_review"]
    shop.gateway.orders["order-9"] = replace(shop.gateway.orders["order-9"], authorization="authorized")
    shop.after(hours=1)
    shop.after(minutes=31)
    assert invoices(shop)[0].status == "paid"


def test_a_month_end_price_bills_from_last_day_to_last_day(shop: Shop) -> None:
    price_id = shop.price(month_end=True)
    made = shop.subscription(price_id=price_id, start_at=datetime(2028, 2, 29, 12, tzinfo=UTC))
    shop.at(datetime(2028, 2, 29, 12, tzinfo=UTC))
    shop.at(datetime(2028, 4, 1, tzinfo=UTC))
    assert [p.end_date.isoformat() for p in periods(shop, made.id)] == ["2028-03-31", "2028-04-30"]


def test_a_restored_database_opens_the_same_period_with_the_same_invoice_and_key(shop: Shop) -> None:
    made = shop.subscription()
    shop.tick()
    (purchase,) = operations(shop, "purchase")
    again = derived_id(periods(shop, made.id)[0].starts_at, made.id.bytes, b"1")
    assert purchase.invoice_id == again
    assert purchase.key == operation_key(shop.namespace, OperationKind.PURCHASE, again, 1, 3970, "SEK", made.token_id)
