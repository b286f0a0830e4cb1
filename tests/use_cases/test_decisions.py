"""A person's word about what no machine can tell: linked, retired or allowed again, checked against the provider."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from deciding import CAPTURE, PRICE, PURCHASE, SILENCE, WRONG, decisions, order, said, stuck
from factories import Shop
from fakes.gateway import TakenButLost
from reading import event_types, invoices, observations, operations, subscription

from billing.domain.decisions import Then, Verb
from billing.domain.errors import (
    ContradictsProvider,
    Invalid,
    NotFound,
    OutcomeUnknown,
    RecordUnreadable,
    TransitionNotAllowed,
)
from billing.domain.money import Money
from billing.ports import Answer, Movement, OrderState, Refused, Sighting, Succeeded
from billing.store.accounts import resume
from billing.store.engine import Database
from billing.store.operations import Operation
from billing.use_cases.scan_duplicates import scan_duplicates
from billing.use_cases.settle import Settlement, settle
from billing.verify import check


@pytest.fixture
def older(database: Database) -> Shop:
    return Shop(database, generation="legacy")


# --- link ------------------------------------------------------------------------------------------------------


def test_a_purchase_that_the_provider_shows_is_linked_and_captured_as_if_it_had_answered(shop: Shop) -> None:
    purchase = stuck(shop)
    shop.gateway.orders["order-9"] = order(purchase)
    said(shop, purchase.id, Verb.LINK, provider_id="order-9", amount=PRICE)
    linked, capture = operations(shop)
    assert (linked.status, linked.provider_id, linked.authorization) == ("succeeded", "order-9", "authorized")
    assert capture.status == "planned"
    (decision,) = decisions(shop)
    assert (decision.by, decision.reason, decision.details["record"]) == ("Eva", "looked in the portal", "done")
    assert observations(shop)[-1].outcome == "linked"
    shop.after(minutes=31)
    assert invoices(shop)[0].status == "paid"


@pytest.mark.parametrize("wrong", [{"amount": 3969}, {"currency": "EUR"}, {"merchant_reference": "op-other"}])
def test_an_order_of_another_amount_currency_or_reference_is_refused_with_both_sides(
    shop: Shop, wrong: dict[str, object]
) -> None:
    purchase = stuck(shop)
    shop.gateway.orders["order-9"] = order(purchase, **wrong)
    with pytest.raises(ContradictsProvider) as refused:
        said(shop, purchase.id, Verb.LINK, provider_id="order-9", amount=PRICE, unverified=True)
    assert refused.value.ours["amount"] == 3970
    assert {refused.value.provider["reference" if "merchant_reference" in wrong else next(iter(wrong))]} == set(
        wrong.values()
    )
    assert (operations(shop)[0].status, decisions(shop)) == ("needs_operator", [])


def test_an_amount_seen_at_the_provider_that_is_not_ours_is_refused(shop: Shop) -> None:
    purchase = stuck(shop)
    with pytest.raises(ContradictsProvider):
        said(shop, purchase.id, Verb.LINK, provider_id="order-9", amount=Money(3971, "SEK"), unverified=True)


def test_a_second_link_of_the_same_order_is_refused(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    purchase = stuck(shop)
    with pytest.raises(ContradictsProvider, match="already"):
        said(shop, purchase.id, Verb.LINK, provider_id="order-1", amount=PRICE)


def test_an_order_that_cannot_be_read_is_linked_only_by_somebody_who_looked(shop: Shop) -> None:
    purchase = stuck(shop)
    with pytest.raises(RecordUnreadable, match="portal"):
        said(shop, purchase.id, Verb.LINK, provider_id="order-9", amount=PRICE)
    said(shop, purchase.id, Verb.LINK, provider_id="order-9", amount=PRICE, unverified=True)
    assert operations(shop, "purchase")[0].status == "succeeded"


def test_a_link_needs_what_the_provider_calls_it_and_its_amount(shop: Shop) -> None:
    purchase = stuck(shop)
    for missing in ({"amount": PRICE}, {"provider_id": "order-9"}):
        with pytest.raises(Invalid):
            said(shop, purchase.id, Verb.LINK, unverified=True, **missing)


def test_an_unknown_outcome_can_be_linked_but_not_retired_while_a_machine_still_asks(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SILENCE)
    shop.subscription()
    shop.tick()
    (purchase,) = operations(shop)
    for verb in (Verb.RETIRE, Verb.ALLOW_AGAIN):
        with pytest.raises(OutcomeUnknown, match="still being asked"):
            said(shop, purchase.id, verb, then=Then.LEAVE, unverified=True)
    shop.gateway.orders["order-9"] = order(purchase)
    said(shop, purchase.id, Verb.LINK, provider_id="order-9", amount=PRICE)
    assert operations(shop, "purchase")[0].status == "succeeded"


def test_a_capture_that_somebody_made_in_the_portal_is_linked_as_external(shop: Shop) -> None:
    capture = stuck(shop, CAPTURE)
    seen = shop.gateway.orders["order-1"]
    shop.gateway.orders["order-1"] = replace(seen, captured_amount=3970, captures=(Movement("c-9", "by hand", 3970),))
    with pytest.raises(ContradictsProvider, match="no capture"):
        said(shop, capture.id, Verb.LINK, provider_id="c-8", amount=PRICE)
    said(shop, capture.id, Verb.LINK, provider_id="c-9", amount=PRICE)
    (linked,) = operations(shop, "capture")
    assert (linked.status, linked.origin, invoices(shop)[0].status) == ("succeeded", "external", "paid")


# --- retire ----------------------------------------------------------------------------------------------------


def test_a_retired_purchase_is_dead_with_who_said_so_and_the_next_one_goes_out_without_dunning(shop: Shop) -> None:
    purchase = stuck(shop)
    said(shop, purchase.id, Verb.RETIRE, then=Then.PURCHASE_AGAIN, unverified=True)
    shop.tick()
    first, second = operations(shop, "purchase")
    assert (first.status, first.standing, second.status) == ("dropped", "dead", "succeeded")
    assert "Eva" in first.dead_because
    assert (invoices(shop)[0].dunning_step, invoices(shop)[0].first_declined_at) == (0, None)
    assert first.key != second.key


def test_a_purchase_is_retired_only_by_somebody_who_looked_where_nothing_can_be_searched(shop: Shop) -> None:
    purchase = stuck(shop)
    with pytest.raises(RecordUnreadable):
        said(shop, purchase.id, Verb.RETIRE, then=Then.PURCHASE_AGAIN)
    with pytest.raises(Invalid, match="purchase_again, leave, void_invoice"):
        said(shop, purchase.id, Verb.RETIRE, unverified=True)


def test_a_purchase_that_was_refused_as_wrong_needs_nobody_to_look(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, WRONG)
    shop.subscription()
    shop.tick()
    said(shop, operations(shop)[0].id, Verb.RETIRE, then=Then.VOID_INVOICE)
    assert (invoices(shop)[0].status, operations(shop)[0].standing) == ("void", "dead")


def test_an_invoice_that_is_left_stays_with_a_person(shop: Shop) -> None:
    purchase = stuck(shop)
    said(shop, purchase.id, Verb.RETIRE, then=Then.LEAVE, unverified=True)
    assert subscription(shop, purchase.subscription_id).review_reason == "operation_retired"
    assert [op.kind for op in operations(shop)] == ["purchase"]


def test_what_the_provider_shows_cannot_be_retired(shop: Shop) -> None:
    capture = stuck(shop, CAPTURE)
    seen = shop.gateway.orders["order-1"]
    ours = Movement("c-9", capture.merchant_reference, 3970)
    shop.gateway.orders["order-1"] = replace(seen, captured_amount=3970, captures=(ours,))
    for verb in (Verb.RETIRE, Verb.ALLOW_AGAIN):
        with pytest.raises(ContradictsProvider) as refused:
            said(shop, capture.id, verb, unverified=True)
        assert refused.value.provider["provider_id"] == "c-9"


def test_a_capture_whose_authorization_is_gone_is_purchased_again(shop: Shop) -> None:
    capture = stuck(shop, CAPTURE)
    with pytest.raises(ContradictsProvider, match="still stands"):
        said(shop, capture.id, Verb.RETIRE, then=Then.PURCHASE_AGAIN)
    shop.gateway.orders["order-1"] = replace(shop.gateway.orders["order-1"], authorization="expired")
    said(shop, capture.id, Verb.RETIRE, then=Then.PURCHASE_AGAIN)
    shop.tick()
    first, second = operations(shop, "purchase")
    assert (first.standing, first.authorization, second.authorization) == ("dead", "expired", "authorized")


def test_a_settled_operation_and_an_unknown_one_are_nobodys_to_decide(shop: Shop) -> None:
    shop.subscription()
    shop.tick()
    with pytest.raises(TransitionNotAllowed, match="succeeded"):
        said(shop, operations(shop, "purchase")[0].id, Verb.RETIRE, then=Then.LEAVE)
    with pytest.raises(NotFound):
        said(shop, shop.ids.new(), Verb.RETIRE, then=Then.LEAVE)


# --- allow again -----------------------------------------------------------------------------------------------


def test_within_23_hours_the_same_bytes_go_out_under_the_same_key(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, TakenButLost())
    shop.subscription()
    shop.tick()
    (purchase,) = operations(shop)
    news = Refused(Answer(code="not_recorded"))
    with shop.database.tx() as session:
        row = session.get_one(Operation, purchase.id)
        row.lease_owner = lease = shop.ids.new()
    settle(shop.database, shop.ids, shop.clock.now(), [Settlement(purchase.id, lease, news)])
    said(shop, purchase.id, Verb.ALLOW_AGAIN)
    shop.tick()
    first, again = shop.gateway.calls_of(PURCHASE)
    assert (first.key, first.request.body) == (again.key, again.request.body)
    assert len(shop.gateway.effects_of(PURCHASE)) == 1
    assert operations(shop, "purchase")[0].status == "succeeded"


def test_after_the_key_a_purchase_goes_again_only_under_a_new_number_by_somebody_who_looked(shop: Shop) -> None:
    purchase = stuck(shop)
    shop.after(hours=10)
    with pytest.raises(RecordUnreadable):
        said(shop, purchase.id, Verb.ALLOW_AGAIN)
    said(shop, purchase.id, Verb.ALLOW_AGAIN, unverified=True)
    shop.tick()
    assert [(op.n, op.standing) for op in operations(shop, "purchase")] == [(1, "dead"), (2, "live")]


def test_a_purchase_that_never_left_goes_to_the_gate_again(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, WRONG)
    shop.subscription()
    shop.tick()
    (purchase,) = operations(shop)
    with shop.database.tx() as session:
        session.get_one(Operation, purchase.id).sent_at = None
    said(shop, purchase.id, Verb.ALLOW_AGAIN)
    assert operations(shop)[0].status == "planned"
    shop.tick()
    assert [op.n for op in operations(shop, "purchase")] == [1]


def test_a_capture_refused_as_wrong_goes_again_under_a_new_number(shop: Shop) -> None:
    shop.gateway.answer(CAPTURE, WRONG)
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    said(shop, operations(shop, "capture")[0].id, Verb.ALLOW_AGAIN)
    shop.tick()
    assert [(op.n, op.status) for op in operations(shop, "capture")] == [(1, "dropped"), (2, "succeeded")]
    assert invoices(shop)[0].status == "paid"


# --- the older generation --------------------------------------------------------------------------------------


def test_an_older_purchase_that_is_found_under_our_reference_cannot_be_retired(older: Shop) -> None:
    purchase = stuck(older)
    older.gateway.sightings[purchase.merchant_reference] = Sighting.ACCEPTED
    with pytest.raises(ContradictsProvider, match="accepted"):
        said(older, purchase.id, Verb.RETIRE, then=Then.PURCHASE_AGAIN, unverified=True)
    said(older, purchase.id, Verb.LINK, provider_id="reservation-7", amount=PRICE, unverified=True)
    assert operations(older, "purchase")[0].provider_id == "reservation-7"


def test_an_older_purchase_that_is_not_found_proves_nothing(older: Shop) -> None:
    purchase = stuck(older)
    older.gateway.sightings[purchase.merchant_reference] = Sighting.NOT_FOUND
    with pytest.raises(RecordUnreadable, match="proves nothing"):
        said(older, purchase.id, Verb.ALLOW_AGAIN)
    said(older, purchase.id, Verb.ALLOW_AGAIN, unverified=True)
    older.tick()
    assert [(op.n, op.standing) for op in operations(older, "purchase")] == [(1, "dead"), (2, "live")]


def test_an_older_capture_is_linked_by_the_number_of_an_invoice_of_its_amount(older: Shop) -> None:
    older.gateway.answer(CAPTURE, Refused(Answer(200, "9999"), is_already_so=True))
    older.subscription()
    older.tick()
    older.after(minutes=31)
    (capture,) = operations(older, "capture")
    older.gateway.invoices |= {"17": 3970, "18": 3969}
    with pytest.raises(ContradictsProvider):
        said(older, capture.id, Verb.LINK, provider_id="18", amount=PRICE)
    said(older, capture.id, Verb.LINK, provider_id="17", amount=PRICE)
    assert (operations(older, "capture")[0].provider_id, invoices(older)[0].status) == ("17", "paid")


# --- two at once, and too late ---------------------------------------------------------------------------------


def test_of_an_answer_and_a_person_at_the_same_moment_only_one_counts(shop: Shop) -> None:
    purchase = stuck(shop)
    late = Succeeded(Answer(200), "order-9", "authorized")

    class Meanwhile(dict[str, OrderState]):
        """While the person's word is checked against the provider, the answer arrives."""

        def __contains__(self, _: object) -> bool:
            settle(shop.database, shop.ids, shop.clock.now(), [Settlement(purchase.id, shop.ids.new(), late)])
            return False

    shop.gateway.orders = Meanwhile()
    with pytest.raises(TransitionNotAllowed, match="succeeded"):
        said(shop, purchase.id, Verb.LINK, provider_id="order-8", amount=PRICE, unverified=True)
    assert (operations(shop, "purchase")[0].provider_id, decisions(shop)) == ("order-9", [])


@pytest.mark.parametrize("person_first", [True, False])
def test_a_person_and_an_answer_side_by_side_end_in_one_of_two_ways(shop: Shop, person_first: bool) -> None:
    purchase = stuck(shop)
    late = Settlement(purchase.id, shop.ids.new(), Succeeded(Answer(200), "order-9", "authorized"))

    def person() -> bool:
        try:
            said(shop, purchase.id, Verb.RETIRE, then=Then.LEAVE, unverified=True)
        except TransitionNotAllowed:
            return False
        return True

    def answer() -> bool:
        return settle(shop.database, shop.ids, shop.clock.now(), [late]) == 1

    order_ = (person, answer) if person_first else (answer, person)
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(act) for act in order_)
    told = first.result() if person_first else second.result()
    found = operations(shop, "purchase")
    assert [op.status for op in found] == (["dropped", "succeeded"] if told else ["succeeded"])
    assert ("operation.contradicted" in event_types(shop)) == told
    assert len(decisions(shop)) == told


def test_of_two_persons_the_second_hears_what_the_first_decided(shop: Shop) -> None:
    purchase = stuck(shop)
    said(shop, purchase.id, Verb.RETIRE, then=Then.LEAVE, unverified=True)
    with pytest.raises(TransitionNotAllowed, match="dropped"):
        said(shop, purchase.id, Verb.LINK, provider_id="order-9", amount=PRICE, unverified=True)
    assert len(decisions(shop)) == 1


def test_a_purchase_that_was_retired_and_happens_after_all_is_alarmed_held_and_given_back(shop: Shop) -> None:
    purchase = stuck(shop)
    said(shop, purchase.id, Verb.RETIRE, then=Then.PURCHASE_AGAIN, unverified=True)
    shop.tick()
    late = Succeeded(Answer(200), "order-9", "authorized")
    for _ in range(2):
        settle(shop.database, shop.ids, shop.clock.now(), [Settlement(purchase.id, shop.ids.new(), late)])
    assert event_types(shop).count("operation.contradicted") == 1
    assert invoices(shop)[0].held_because.startswith("contradicted: ")
    retired, _, second = operations(shop, "purchase")
    assert (retired.status, second.origin, second.provider_id) == ("dropped", "external", "order-9")
    with shop.database.tx() as session:
        resume(session, "main", "looked at", shop.clock.now())
    shop.tick()
    assert [(op.purchase_id, op.status) for op in operations(shop, "void")] == [(second.id, "succeeded")]
    assert operations(shop, "purchase")[2].authorization == "voided"
    assert operations(shop, "purchase")[1].authorization == "authorized"


def test_the_daily_scan_finds_an_older_purchase_that_was_given_up_and_is_there_after_all(older: Shop) -> None:
    purchase = stuck(older)
    said(older, purchase.id, Verb.RETIRE, then=Then.PURCHASE_AGAIN, unverified=True)
    older.after(minutes=31)
    assert scan_duplicates(older.sending) == 0
    older.gateway.sightings[purchase.merchant_reference] = Sighting.ACCEPTED
    assert [scan_duplicates(older.sending) for _ in range(2)] == [1, 0]
    (invoice,) = invoices(older)
    assert (invoice.held_because.startswith("contradicted: "), len(operations(older, "refund"))) == (True, 0)
    assert event_types(older).count("operation.contradicted") == 1


def test_the_checker_finds_nothing_wrong_after_what_persons_decided(shop: Shop) -> None:
    for verb, more in (
        (Verb.LINK, {"provider_id": "order-77", "amount": PRICE}),
        (Verb.RETIRE, {"then": Then.PURCHASE_AGAIN}),
        (Verb.RETIRE, {"then": Then.VOID_INVOICE}),
        (Verb.RETIRE, {"then": Then.LEAVE}),
        (Verb.ALLOW_AGAIN, {}),
    ):
        purchase = stuck(shop)
        if verb is Verb.LINK:
            shop.gateway.orders["order-77"] = replace(order(purchase), purchase_id="order-77")
        said(shop, purchase.id, verb, unverified=True, **more)
        shop.tick()
    shop.after(minutes=31)
    report = check(shop.database.engine.url.render_as_string(hide_password=False), now=shop.clock.now())
    assert [finding for finding in report.findings if finding.offending] == []


# --- reviews that are overdue ----------------------------------------------------------------------------------
