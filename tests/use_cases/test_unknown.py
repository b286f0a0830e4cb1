"""Outcomes that nobody knows: asked again with the same key until they are known, never doubled, never timed out."""

from datetime import timedelta

from factories import Shop
from fakes.gateway import TakenButLost
from reading import invoices, observations, operations, subscription

from billing.domain.operations import OperationKind
from billing.ports import Answer, Declined, NotSent, Refused, Succeeded, Unknown
from billing.store.accounts import ProviderAccount, resume
from billing.use_cases.sending import nothing
from billing.use_cases.settle import Settlement, settle

PURCHASE, CAPTURE = OperationKind.PURCHASE, OperationKind.CAPTURE
SILENCE = Unknown(Answer(message="no answer"))


def test_a_charge_taken_in_silence_is_found_by_its_key_and_not_made_again(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, TakenButLost())
    shop.subscription()
    shop.tick()
    (waiting,) = operations(shop)
    assert (waiting.status, waiting.next_check_at - waiting.sent_at) == ("unknown", timedelta(seconds=5))
    shop.after(seconds=5)
    first, again = shop.gateway.calls_of(PURCHASE)
    assert (first.key, first.request.body) == (again.key, again.request.body)
    assert len(shop.gateway.effects_of(PURCHASE)) == 1
    assert operations(shop, "purchase")[0].status == "succeeded"


def test_the_replays_come_after_5_s_30_s_2_m_10_m_1_h_4_h_12_h_and_20_h_and_then_a_person(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SILENCE)
    shop.subscription()
    shop.tick()
    sent_at = operations(shop)[0].sent_at
    waits = []
    while (at := operations(shop)[0].next_check_at) is not None:
        waits.append(int((at - sent_at).total_seconds()))
        shop.at(at)
    assert waits == [5, 30, 120, 600, 3600, 4 * 3600, 12 * 3600, 20 * 3600]
    (stuck,) = operations(shop)
    assert (stuck.status, stuck.standing, stuck.sends) == ("needs_operator", "live", 9)


def test_an_unknown_charge_costs_no_dunning_step_and_changes_no_state(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SILENCE)
    made = shop.subscription()
    shop.tick()
    (invoice,) = invoices(shop)
    assert (invoice.payment_state, invoice.dunning_state, invoice.first_declined_at) == ("unknown", "none", None)
    assert subscription(shop, made.id).status == "active"


def test_a_capture_that_was_lost_is_found_in_the_order_without_a_second_send(shop: Shop) -> None:
    shop.gateway.answer(CAPTURE, TakenButLost())
    shop.subscription()
    shop.tick()
    shop.after(minutes=31)
    shop.after(seconds=5)
    assert len(shop.gateway.calls_of(CAPTURE)) == 1
    assert invoices(shop)[0].status == "paid"


def test_a_row_stranded_between_gate_and_settle_is_asked_about_when_its_lease_is_over(shop: Shop) -> None:
    class Died(Exception):
        pass

    def die(step: str) -> None:
        if step == "call.answered":
            raise Died

    shop.subscription()
    shop.passed = die
    try:
        shop.tick()
    except Died:
        shop.passed = nothing
    assert operations(shop)[0].status == "sending"
    shop.after(minutes=2)
    assert operations(shop)[0].status == "sending"
    shop.after(minutes=1)
    assert operations(shop)[0].status == "succeeded"
    assert len(shop.gateway.effects_of(PURCHASE)) == 1


def test_what_was_surely_not_sent_goes_back_and_is_sent_later(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, NotSent(Answer(message="refused connection")))
    shop.subscription()
    shop.tick()
    (back,) = operations(shop)
    assert (back.status, back.sends, back.sent_at) == ("planned", 0, None)
    shop.after(seconds=30)
    assert operations(shop, "purchase")[0].status == "succeeded"


def test_a_replay_that_could_not_be_sent_leaves_the_question_open(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, SILENCE, NotSent(Answer(message="refused connection")))
    shop.subscription()
    shop.tick()
    shop.after(seconds=5)
    assert operations(shop)[0].status == "unknown"


def test_refused_credentials_stop_the_account_and_nothing_is_lost(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, NotSent(Answer(401, "UNAUTHORIZED"), account_stopped=True))
    shop.subscription()
    shop.tick()
    with shop.database.tx() as session:
        assert session.get_one(ProviderAccount, "main").halted_reason == "UNAUTHORIZED"
    shop.after(hours=2)
    assert len(shop.gateway.calls) == 1
    with shop.database.tx() as session:
        resume(session, "main", "the password was corrected", shop.clock.now())
    shop.tick()
    assert operations(shop, "purchase")[0].status == "succeeded"


def test_a_wrong_request_goes_to_a_person_and_is_never_dunning(shop: Shop) -> None:
    shop.gateway.answer(PURCHASE, Refused(Answer(400, "BAD_VALUE", "order_amount")))
    made = shop.subscription()
    shop.tick()
    (stuck,) = operations(shop)
    assert (stuck.status, stuck.answer_code) == ("needs_operator", "BAD_VALUE")
    assert subscription(shop, made.id).status == "active"


def test_a_late_success_under_another_lease_still_settles_an_open_question(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SILENCE)
    shop.subscription()
    shop.tick()
    (waiting,) = operations(shop)
    late = Settlement(waiting.id, shop.ids.new(), Succeeded(Answer(200), "order-7", "authorized"))
    assert settle(shop.database, shop.ids, shop.clock.now(), [late]) == 1
    assert operations(shop, "purchase")[0].provider_id == "order-7"


def test_a_late_decline_under_another_lease_is_kept_and_moves_nothing(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, SILENCE)
    shop.subscription()
    shop.tick()
    (waiting,) = operations(shop)
    late = Settlement(waiting.id, shop.ids.new(), Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft"))
    assert settle(shop.database, shop.ids, shop.clock.now(), [late]) == 0
    assert operations(shop)[0].status == "unknown"
    assert [(o.outcome, o.settled) for o in observations(shop)] == [("unknown", True), ("declined", False)]


def test_a_success_for_a_purchase_held_for_dead_stops_the_account(shop: Shop) -> None:
    shop.gateway.always(PURCHASE, Declined(Answer(403, "PAYMENT_METHOD_FAILED"), "soft"))
    shop.subscription()
    shop.tick()
    dead = operations(shop)[0]
    late = Settlement(dead.id, shop.ids.new(), Succeeded(Answer(200), "order-8", "authorized"))
    settle(shop.database, shop.ids, shop.clock.now(), [late])
    with shop.database.tx() as session:
        assert session.get_one(ProviderAccount, "main").halted_at is not None
