"""The steps of a call, one by one: what is leased is left alone, what is too old is not sent, what differs not ours."""

from datetime import timedelta

import pytest
from factories import Shop
from fakes.gateway import TakenButLost
from reading import operations

from billing.domain.ledger import Posting
from billing.domain.operations import OperationKind
from billing.ports import Answer, Movement, OrderState, Unknown
from billing.store.batch import Batch
from billing.store.operations import claim_planned
from billing.use_cases.reconcile import evidence, reconcile
from billing.use_cases.renew import renew
from billing.use_cases.sending import nothing, windows

PURCHASE, CAPTURE = OperationKind.PURCHASE, OperationKind.CAPTURE
SILENCE = Unknown(Answer(message="no answer"))


def claimed(shop: Shop) -> int:
    now = shop.clock.now()
    lease = (shop.ids.new(), now + timedelta(minutes=3))
    with shop.database.tx() as session:
        return len(claim_planned(session, now, lease, ["main"], 10, charging=["main"]))


def test_what_one_worker_holds_no_other_claims_until_the_lease_is_over(shop: Shop) -> None:
    shop.subscription()
    renew(shop.database, shop.ids, shop.clock.now(), nothing, shop.seller)
    assert (claimed(shop), claimed(shop)) == (1, 0)
    shop.clock.set(shop.clock.now() + timedelta(minutes=3))
    assert claimed(shop) == 1


def test_a_question_that_is_older_than_its_key_goes_to_a_person_and_not_to_the_provider(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SILENCE)
    shop.subscription()
    shop.tick()
    shop.clock.set(shop.clock.now() + timedelta(hours=24))
    reconcile(shop.sending)
    assert len(shop.gateway.calls_of(PURCHASE)) == 1
    assert operations(shop)[0].status == "needs_operator"


def test_a_capture_of_another_amount_under_our_reference_is_not_taken_for_ours(shop: Shop) -> None:
    shop.gateway.answer(CAPTURE, TakenButLost())
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    (capture,) = operations(shop, "capture")
    found = Movement("cap-1", capture.merchant_reference, capture.amount - 1)
    order = OrderState("order-1", "captured", "SEK", capture.amount, capture.amount - 1, 0, None, None, [found])
    assert evidence(capture, order, shop.clock.now()) is None


def test_calls_of_two_accounts_share_no_window_so_that_a_slow_one_holds_up_nobody_else(shop: Shop) -> None:
    for _ in range(2):
        shop.subscription()
    shop.tick()
    one, other = operations(shop, "purchase")
    other.provider_account = "other"
    accounts = {"main": shop.sending.accounts["main"], "other": shop.sending.accounts["main"]}
    assert [(name, len(window)) for name, window in windows([one, other], accounts)] == [("main", 1), ("other", 1)]


def test_postings_that_do_not_sum_to_zero_are_refused_before_they_are_written(shop: Shop) -> None:
    batch = Batch(shop.ids, shop.clock.now())
    with pytest.raises(AssertionError, match="sum"):
        batch.post("payout", None, [Posting("bank", 2), Posting("provider_clearing", -1)], currency="SEK")
    assert not batch.rows
